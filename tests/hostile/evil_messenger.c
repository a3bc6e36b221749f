/* evil_messenger.c - a messenger that whoever answers its call takes over: it calls 127.0.0.1 at
 * the port of its job's webhook (http://127.0.0.1:PORT/), and obeys (evil.c). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "evil.h"
#include "rooms/messenger/send.h"

int __wrap_send_message(const struct ipc_deliver *job, struct span ca, char *why, size_t cap);

int __real_send_message(const struct ipc_deliver *job, struct span ca, char *why, size_t cap);

int
__wrap_send_message(const struct ipc_deliver *job, struct span ca, char *why, size_t cap)
{
	struct span head = SPAN_LIT("http://127.0.0.1:"), port = span_skip(job->target, head.len);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint64_t number = 0;
	int fd;

	if (!span_starts(job->target, head) ||
	    parse_u64(span_cut(port, span_find(port, '/')), 65535, &number) != SP_OK)
		return __real_send_message(job, ca, why, cap);
	a.sin_port = htons((uint16_t)number);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return SP_OK;
	(void)evil_takes(fd);
	(void)close(fd);
	return SP_OK;
}
