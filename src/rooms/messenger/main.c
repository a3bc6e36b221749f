/* main.c - a messenger: one message from the courier, delivered or not, one answer, then the
 * process ends. */
#include "ipc/room.h"
#include "rooms/messenger/send.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/loop.h"

#define EXIT_SOFTWARE 70
#define TASKS_MAX 8u

struct messenger {
	struct room_start start;
	struct loop *loop;
	struct chan courier;
	uint8_t *buf; /* IPC_MAX bytes, locked: the job, and in it a secret */
	int status;
};

static void
end(struct messenger *m, int status)
{
	m->status = status;
	loop_stop(m->loop);
}

static int
deliver(struct messenger *m, struct chan_msg *in)
{
	DEFER(close_fd) int fd = TAKE_FD(in->fd);
	DEFER(mem_freep) uint8_t *ca = NULL;
	struct ipc_deliver job;
	struct ipc_delivered answer = {0};
	char why[512] = "";
	size_t len = 0;
	int err = in->id == IPC_DELIVER ? ipc_get_deliver(in->body, &job) : SP_EDENIEDMSG;

	if (err != SP_OK)
		return err;
	if (file_read_all(fd, CA_MAX, &ca, &len) != SP_OK)
		len = 0; /* nobody is trusted then */
	answer.good = send_message(&job, span_of(ca, len), why, sizeof(why)) == SP_OK;
	answer.text = span_cut(span_str(why), 511);
	return chan_send_delivered(&m->courier, &answer, -1);
}

static void
on_courier(void *arg, int fd, unsigned events)
{
	struct messenger *m = arg;
	struct chan_msg in = {.fd = -1};
	int err = chan_recv(&m->courier, PH_ANY, false, m->buf, IPC_MAX, &in);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == 1) {
		err = deliver(m, &in);
		chan_msg_done(&in);
		mem_wipe(m->buf, IPC_MAX);
	}
	end(m, err == SP_OK || err == SP_ECLOSED ? 0 : EXIT_SOFTWARE);
}

static void
on_supervisor(void *arg, int fd, unsigned events)
{
	struct messenger *m = arg;
	struct chan_msg in = {.fd = -1};
	int err = chan_recv(&m->start.supervisor, PH_ANY, false, m->buf, IPC_MAX, &in);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == 1)
		chan_msg_done(&in);
	end(m, 0); /* STOP, or the supervisor is gone */
}

/* How names become addresses: nothing else of the file system is there. */
static const struct sandbox_path paths[] = {
    {"/etc/resolv.conf", SANDBOX_READ | SANDBOX_OPTIONAL},
    {"/etc/hosts", SANDBOX_READ | SANDBOX_OPTIONAL},
    {"/etc/host.conf", SANDBOX_READ | SANDBOX_OPTIONAL},
    {"/etc/gai.conf", SANDBOX_READ | SANDBOX_OPTIONAL},
    {"/etc/services", SANDBOX_READ | SANDBOX_OPTIONAL},
};

static void
enter(struct messenger *m, int argc, char **argv)
{
	struct sandbox_limits limits = {.memory_bytes = 128u << 20,
	    .cpu_seconds = 60,
	    .files = 32,
	    .threads = true, /* the resolver's */
	    .connects = true};

	room_enter(ROOM_MESSENGER, argc, argv, &m->start, NULL, NULL);
	limits.tasks = m->start.as_root ? TASKS_MAX : 0;
	m->loop = loop_new();
	m->buf = secret_new(IPC_MAX);
	if (m->loop == NULL || m->buf == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	if (m->start.link[ROOM_COURIER] < 0)
		sp_die(EXIT_SOFTWARE, "no socket to the courier");
	chan_init(&m->courier, TAKE_FD(m->start.link[ROOM_COURIER]), ROOM_MESSENGER, ROOM_COURIER);
	if (loop_watch(m->loop, m->courier.fd, LOOP_IN, on_courier, m) == NULL ||
	    loop_watch(m->loop, m->start.supervisor.fd, LOOP_IN, on_supervisor, m) == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	if (send_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "libcurl or OpenSSL does not work");
	room_sandbox(&m->start, paths, ARRAY_LEN(paths), &limits, "");
}

int
main(int argc, char **argv)
{
	struct messenger m = {.status = 0};

	enter(&m, argc, argv);
	if (loop_run(m.loop) < 0)
		m.status = EXIT_SOFTWARE;
	chan_close(&m.courier);
	loop_free(m.loop);
	secret_free(m.buf, IPC_MAX);
	return m.status;
}
