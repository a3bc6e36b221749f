/* ready.c - poll(2) over a few descriptors. */
#include <errno.h>
#include <poll.h>

#include "sys/clock.h"
#include "sys/fail.h"
#include "sys/ready.h"

int
fd_wait_any(const int *fds, size_t n, int timeout_ms, unsigned *ret_ready)
{
	struct pollfd p[FD_WAIT_MAX];
	int64_t end = timeout_ms >= 0 ? clock_mono_ms() + timeout_ms : INT64_MAX;
	int rc;

	PRECOND(n <= FD_WAIT_MAX);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	while ((rc = poll(p, n, timeout_ms)) == -1 && errno == EINTR) {
		if (timeout_ms >= 0) {
			int64_t left = end - clock_mono_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
	}
	if (rc < 0)
		return sys_fail("poll");
	if (rc == 0)
		return SP_ETIMEOUT;
	*ret_ready = 0;
	for (size_t i = 0; i < n; i++)
		if (p[i].revents != 0)
			*ret_ready |= 1u << i;
	return SP_OK;
}
