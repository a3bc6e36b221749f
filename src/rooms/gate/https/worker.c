/* worker.c - sallyport-worker-https: one connection, one login, then the end.
 *
 * Everything that needs a file or much of the kernel happens before the sandbox, and what is the
 * same in every worker in its template: the certificate, OpenSSL's settings.  After it there are
 * six sockets and no path. */
#include "rooms/gate/worker.h"
#include "crypto/gcm.h"
#include "proto/http/scanner.h"
#include "rooms/gate/https/conn.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <jansson.h>
#include <stdlib.h>

#define EXIT_SOFTWARE 70
#define CERTIFICATE_MAX (256u * 1024)
#define WORKER_FILES 32 /* descriptors: sockets, and a blob in use */

struct https_worker {
	struct worker common;
	struct tls_server *server;
	struct conn conn;
	uint8_t *scanner;   /* content of ScannerFile, owned */
	struct span probes; /* the same */
};

static int
load_certificate(struct https_worker *w)
{
	DEFER(mem_freep) uint8_t *pem = NULL;
	int *fd = &w->common.start.file[FILE_CERTIFICATE];
	size_t len;
	int rc = file_read_all(*fd, CERTIFICATE_MAX, &pem, &len);

	close_fd(fd);
	return rc < 0 ? rc : tls_server_new(span_of(pem, len), &w->common.signer, &w->server);
}

static int
load_scanner(struct https_worker *w)
{
	int *fd = &w->common.start.file[FILE_SCANNER];
	size_t len = 0;
	int rc = *fd >= 0 ? file_read_all(*fd, PROBE_FILE_MAX, &w->scanner, &len) : SP_OK;

	close_fd(fd);
	w->probes = span_of(w->scanner, len);
	return rc;
}

/* Plain HTTP, or noise, where TLS is spoken. */
static void
report_no_tls(struct https_worker *w)
{
	const struct ipc_contact m = {.kind = CONTACT_NO_TLS};
	struct ipc_done done;

	if (ring_contact(&w->common.ring, &m, &done) < 0)
		log_debug("%s: a stranger is not on record", w->common.address);
}

/* What takes time and is the same in every worker. */
static void
warm(void *arg)
{
	struct https_worker *w = arg;
	int rc;

	if (w->common.start.file[FILE_CERTIFICATE] < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor sent no certificate");
	if (crypto_ready() < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	gcm_ready();
	rc = load_certificate(w);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "certificate: %s", sp_strerror(rc));
	rc = load_scanner(w);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "ScannerFile: %s", sp_strerror(rc));
}

/* What is random is this worker's own; and jansson would open a file for it later on. */
static void
seed(struct https_worker *w)
{
	size_t random = 0;

	if (crypto_random(&random, sizeof(random)) < 0 || tls_server_fresh(w->server) < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	json_object_seed(random | 1); /* 0 would have it read /dev/urandom */
}

static void
serve(struct https_worker *w, int fd)
{
	struct conf *conf = &w->common.start.conf;
	struct conn *c = &w->conn;
	int rc = tls_accept(w->server, fd, (int)(conf->request_timeout * 1000), &c->tls);

	if (rc < 0) {
		log_debug("%s: handshake: %s", w->common.address, sp_strerror(rc));
		worker_drain(fd);
		if (rc == SP_EPROTOCOL)
			report_no_tls(w);
		return;
	}
	c->ring = &w->common.ring;
	c->conf = conf;
	c->address = w->common.address;
	c->listener = w->common.listener;
	c->probes = &w->probes;
	conn_serve(c, worker_idle, &w->common);
	tls_free(c->tls);
	conn_done(c);
}

int
main(int argc, char **argv)
{
	struct https_worker *w = mem_alloc(sizeof(*w));
	int fd = -1;

	if (w == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	worker_enter(&w->common, ROOM_WORKER_HTTPS, argc, argv, warm, w);
	seed(w);
	worker_jail(&w->common, (uint64_t)w->common.start.conf.worker_memory, WORKER_FILES);
	if (worker_await(&w->common, &fd) == SP_OK)
		serve(w, fd);
	close_fd(&fd);
	worker_done(&w->common);
	return 0;
}
