/* worker.c - see worker.h. */
#include "rooms/gate/worker.h"

#include <stdlib.h>

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"

#define EXIT_SOFTWARE 70
#define TASKS_MAX 4 /* threads: one that serves, one that hashes */

void
worker_enter(struct worker *w, enum room self, int argc, char **argv)
{
	struct room_start *s = &w->start;
	enum room gate = ipc_gate(self);

	room_enter(self, argc, argv, s, NULL, NULL);
	if (s->link[gate] < 0 || s->link[ROOM_SIGNER] < 0 || s->link[ROOM_BROKER] < 0 ||
	    s->link[ROOM_VAULT] < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor did not send all that a worker needs");
	chan_init(&w->gate, s->link[gate], self, gate);
	chan_init(&w->signer, s->link[ROOM_SIGNER], self, ROOM_SIGNER);
	if (ring_init(&w->ring, self, s->link[ROOM_BROKER], s->link[ROOM_VAULT]) < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
}

void
worker_jail(struct worker *w, uint64_t memory_bytes, uint64_t files)
{
	const struct sandbox_limits limits = {
	    .memory_bytes = memory_bytes,
	    .cpu_seconds = (uint64_t)w->start.conf.worker_cpu,
	    .files = files,
	    .no_file_limit = true,
	    .threads = true,
	    .tasks = w->start.as_root ? TASKS_MAX : 0,
	};

	room_sandbox(&w->start, NULL, 0, &limits, "");
}

/* One message of the supervisor, when there is one; SP_ECLOSED: it is gone. */
static int
hear_supervisor(struct worker *w)
{
	uint8_t buf[IPC_MAX];
	struct chan_msg m;
	int rc = chan_recv(&w->start.supervisor, PH_ANY, false, buf, sizeof(buf), &m);

	if (rc <= 0)
		return rc;
	if (m.id == IPC_STOP)
		w->stopping = true;
	if (m.id == IPC_RELOAD && room_reload(&w->start, TAKE_FD(m.fd)) < 0)
		log_warning("settings could not be loaded anew");
	chan_msg_done(&m);
	return SP_OK;
}

int
worker_idle(void *arg, int fd, int timeout_ms)
{
	struct worker *w = arg;
	const int fds[2] = {w->start.supervisor.fd, fd};
	int64_t end = clock_mono_ms() + timeout_ms;

	for (;;) {
		unsigned ready = 0;
		int64_t left = timeout_ms < 0 ? -1 : end - clock_mono_ms();
		int rc;

		if (timeout_ms >= 0 && left < 0)
			left = 0;
		rc = fd_wait_any(fds, 2, (int)left, &ready);
		if (rc < 0)
			return fd < 0 && rc == SP_ETIMEOUT ? SP_OK : rc;
		if ((ready & 1) != 0 && hear_supervisor(w) < 0)
			return SP_ECLOSED;
		if (w->stopping)
			return SP_ECLOSED;
		if ((ready & 2) != 0)
			return SP_OK;
	}
}

int
worker_await(struct worker *w, int *ret_fd)
{
	uint8_t buf[IPC_MAX];
	struct ipc_connection c;
	struct chan_msg m;
	int rc = worker_idle(w, w->gate.fd, -1);

	if (rc < 0)
		return rc;
	rc = chan_recv(&w->gate, PH_ANY, true, buf, sizeof(buf), &m);
	if (rc < 0)
		return rc;
	if (m.id != IPC_CONNECTION || ipc_get_connection(m.body, &c) < 0) {
		chan_msg_done(&m);
		return SP_ESYNTAX;
	}
	w->listener = c.listener;
	memcpy(w->address, c.address.ptr, c.address.len);
	w->address[c.address.len] = '\0';
	*ret_fd = TAKE_FD(m.fd);
	chan_msg_done(&m);
	return SP_OK;
}

void
worker_drain(int fd)
{
	uint8_t buf[4096];
	unsigned ready;

	for (int i = 0; i < 16; i++)
		if (fd_wait_any(&fd, 1, 0, &ready) < 0 || sock_read(fd, buf, sizeof(buf)) <= 0)
			return;
}

void
worker_done(struct worker *w)
{
	ring_done(&w->ring);
}
