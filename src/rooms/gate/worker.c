/* worker.c - see worker.h. */
#include "rooms/gate/worker.h"
#include "rooms/gate/template.h"

#include <stdlib.h>

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"

#define EXIT_SOFTWARE 70
#define TASKS_MAX 4 /* threads: one that serves, one that hashes */

void
worker_enter(
    struct worker *w, enum room self, int argc, char **argv, void (*warm)(void *arg), void *arg)
{
	struct room_start *s = &w->start;
	enum room gate = ipc_gate(self);

	room_enter(self, argc, argv, s, NULL, NULL);
	warm(arg);
	if (room_is_template(argc, argv))
		template_serve(s, argv[0]);
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

static void
hear_stop(struct worker *w, struct span body)
{
	struct ipc_stop stop;

	if (ipc_get_stop(body, &stop) < 0)
		return;
	w->stopping = true;
	/* the rest is for putting away what did not get finished: then we are killed */
	w->stop_ms = clock_mono_ms() + stop.deadline_ms - stop.deadline_ms / 4;
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
		hear_stop(w, m.body);
	if (m.id == IPC_RELOAD && room_reload(&w->start, TAKE_FD(m.fd)) < 0)
		log_warning("settings could not be loaded anew");
	chan_msg_done(&m);
	return SP_OK;
}

static bool
must_stop(const struct worker *w)
{
	return w->stopping &&
	       (w->in_hand == NULL || *w->in_hand == 0 || clock_mono_ms() >= w->stop_ms);
}

int
worker_idle(void *arg, int fd, int timeout_ms)
{
	struct worker *w = arg;
	const int fds[2] = {w->start.supervisor.fd, fd};
	int64_t end = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;

	while (!must_stop(w)) {
		unsigned ready = 0;
		int64_t until = w->stopping && w->stop_ms < end ? w->stop_ms : end;
		int64_t left = until == INT64_MAX ? -1 : until - clock_mono_ms();
		int rc;

		if (until != INT64_MAX && left < 0)
			left = 0;
		rc = fd_wait_any(fds, 2, (int)left, &ready);
		if (rc == SP_ETIMEOUT && until < end)
			continue;
		if (rc < 0)
			return fd < 0 && rc == SP_ETIMEOUT ? SP_OK : rc;
		if ((ready & 1) != 0 && hear_supervisor(w) < 0)
			return SP_ECLOSED;
		if ((ready & 2) != 0 && !must_stop(w))
			return SP_OK;
	}
	return SP_ECLOSED;
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
