/* worker.c - sallyport-worker-https: one connection, one login, then the end.
 *
 * Everything that needs a file or much of the kernel happens before the sandbox: the certificate,
 * OpenSSL's settings.  After it there are six sockets and no path. */
#include "ipc/room.h"
#include "rooms/gate/https/conn.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"

#include <jansson.h>
#include <stdlib.h>

#define EXIT_SOFTWARE 70
#define CERTIFICATE_MAX (256u * 1024)
#define WORKER_FILES 32 /* descriptors: sockets, and a blob in use */
#define WORKER_TASKS 4	/* threads: one that serves, one that hashes */

struct worker {
	struct room_start start;
	struct chan gate, signer;
	struct ring ring;
	struct tls_server *server;
	struct conn conn;
	char address[65];
	bool stopping;
};

static int
load_certificate(struct worker *w)
{
	DEFER(mem_freep) uint8_t *pem = NULL;
	size_t len;
	int rc = file_read_all(w->start.file[FILE_CERTIFICATE], CERTIFICATE_MAX, &pem, &len);

	close_fd(&w->start.file[FILE_CERTIFICATE]);
	return rc < 0 ? rc : tls_server_new(span_of(pem, len), &w->signer, &w->server);
}

/* What would open a file later on: jansson's seed, OpenSSL's sources. */
static void
seed(void)
{
	size_t random = 0;

	if (crypto_ready() < 0 || crypto_random(&random, sizeof(random)) < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	json_object_seed(random | 1); /* 0 would have it read /dev/urandom */
}

static void
prepare(struct worker *w)
{
	struct room_start *s = &w->start;
	int rc;

	if (s->link[ROOM_GATE_HTTPS] < 0 || s->link[ROOM_SIGNER] < 0 || s->link[ROOM_BROKER] < 0 ||
	    s->link[ROOM_VAULT] < 0 || s->file[FILE_CERTIFICATE] < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor did not send all that a worker needs");
	chan_init(&w->gate, s->link[ROOM_GATE_HTTPS], ROOM_WORKER_HTTPS, ROOM_GATE_HTTPS);
	chan_init(&w->signer, s->link[ROOM_SIGNER], ROOM_WORKER_HTTPS, ROOM_SIGNER);
	if (ring_init(&w->ring, ROOM_WORKER_HTTPS, s->link[ROOM_BROKER], s->link[ROOM_VAULT]) < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	seed();
	rc = load_certificate(w);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "certificate: %s", sp_strerror(rc));
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

/* Wait until fd is readable; the supervisor may end the wait. */
static int
idle(void *arg, int fd, int timeout_ms)
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

/* The one connection of this worker; SP_ECLOSED when there will be none. */
static int
await_connection(struct worker *w, int *ret_fd)
{
	uint8_t buf[IPC_MAX];
	struct ipc_connection c;
	struct chan_msg m;
	int rc = idle(w, w->gate.fd, -1);

	if (rc < 0)
		return rc;
	rc = chan_recv(&w->gate, PH_ANY, true, buf, sizeof(buf), &m);
	if (rc < 0)
		return rc;
	if (m.id != IPC_CONNECTION || ipc_get_connection(m.body, &c) < 0) {
		chan_msg_done(&m);
		return SP_ESYNTAX;
	}
	w->conn.listener = c.listener;
	memcpy(w->address, c.address.ptr, c.address.len);
	w->address[c.address.len] = '\0';
	*ret_fd = TAKE_FD(m.fd);
	chan_msg_done(&m);
	return SP_OK;
}

/* What the peer has sent already is read, or the kernel's reset would overtake our alert. */
static void
drain(int fd)
{
	uint8_t buf[4096];
	unsigned ready;

	for (int i = 0; i < 16; i++)
		if (fd_wait_any(&fd, 1, 0, &ready) < 0 || sock_read(fd, buf, sizeof(buf)) <= 0)
			return;
}

static void
serve(struct worker *w, int fd)
{
	struct conn *c = &w->conn;
	int rc = tls_accept(w->server, fd, (int)(w->start.conf.request_timeout * 1000), &c->tls);

	if (rc < 0) {
		log_debug("%s: handshake: %s", w->address, sp_strerror(rc));
		drain(fd);
		return;
	}
	c->ring = &w->ring;
	c->conf = &w->start.conf;
	c->address = w->address;
	conn_serve(c, idle, w);
	tls_free(c->tls);
	conn_done(c);
}

int
main(int argc, char **argv)
{
	struct worker *w = mem_alloc(sizeof(*w));
	struct sandbox_limits limits = {
	    .files = WORKER_FILES, .no_file_limit = true, .threads = true};
	int fd = -1;

	if (w == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	room_enter(ROOM_WORKER_HTTPS, argc, argv, &w->start, NULL, NULL);
	prepare(w);
	limits.memory_bytes = (uint64_t)w->start.conf.worker_memory;
	limits.cpu_seconds = (uint64_t)w->start.conf.worker_cpu;
	limits.tasks = w->start.as_root ? WORKER_TASKS : 0;
	room_sandbox(&w->start, NULL, 0, &limits, "");
	if (await_connection(w, &fd) == SP_OK)
		serve(w, fd);
	close_fd(&fd);
	ring_done(&w->ring);
	return 0;
}
