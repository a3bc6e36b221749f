/* worker.c - sallyport-worker-sftp: one connection, one login, then the end.
 *
 * Everything that needs a file or much of the kernel happens before the sandbox; after it there are
 * six sockets and no path. */
#include "rooms/gate/worker.h"
#include "crypto/gcm.h"
#include "crypto/ssh_cipher.h"
#include "crypto/ssh_kex.h"
#include "rooms/gate/sftp/conn.h"
#include "sys/fd.h"
#include "sys/ready.h"

#include <stdlib.h>

#define EXIT_SOFTWARE 70
/* descriptors beside one for each open file: sockets, and of each of the 16 uploads that the broker
 * allows a blob that is written and an old version */
#define SPARE_FILES 64
#define SIGNER_TIMEOUT_MS 30000 /* a signer that does not answer for this long is gone */

/* Which host keys does the signer have, and what does it want to see in the first KEXINIT? */
static void
ask_host_keys(struct worker *w, struct ssh_conn_start *start)
{
	const struct ipc_ssh_keys_get get = {0};
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_ssh_keys keys;
	struct chan_msg m;
	unsigned ready;
	int rc = buf != NULL ? chan_send_ssh_keys_get(&w->signer, &get, -1) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = fd_wait_any(&w->signer.fd, 1, SIGNER_TIMEOUT_MS, &ready);
	if (rc == SP_OK)
		rc = chan_recv(&w->signer, PH_ANY, true, buf, IPC_MAX, &m);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "host keys: %s", sp_strerror(rc));
	rc = m.id == IPC_SSH_KEYS ? ipc_get_ssh_keys(m.body, &keys) : SP_EDENIEDMSG;
	chan_msg_done(&m);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "host keys: %s", sp_strerror(rc));
	if (keys.types == 0)
		sp_die(EXIT_SOFTWARE, "the signer has no host key");
	start->host_keys = keys.types;
	memcpy(start->cookie, keys.cookie.b, sizeof(start->cookie));
}

/* What takes time and is the same in every worker. */
static void
warm(void *arg)
{
	(void)arg;
	if (crypto_ready() < 0 || ssh_cipher_ready() < 0 || ssh_kex_ready() < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	gcm_ready();
}

int
main(int argc, char **argv)
{
	struct worker *w = mem_alloc(sizeof(*w));
	struct ssh_conn_start start = {.fd = -1};
	const struct conf *conf;

	if (w == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	worker_enter(w, ROOM_WORKER_SFTP, argc, argv, warm, NULL);
	conf = &w->start.conf;
	ask_host_keys(w, &start);
	/* the receive window comes on top: it is filled by the client, not by what it asks for */
	worker_jail(w, (uint64_t)(conf->worker_memory + conf->sftp_window),
	    (uint64_t)conf->sftp_handles + SPARE_FILES);
	if (worker_await(w, &start.fd) == SP_OK) {
		start.address = w->address;
		start.ring = &w->ring;
		start.signer = &w->signer;
		start.conf = conf;
		start.idle = worker_idle;
		start.arg = w;
		w->in_hand = &start.in_hand;
		ssh_conn_serve(&start);
	}
	close_fd(&start.fd);
	worker_done(w);
	return 0;
}
