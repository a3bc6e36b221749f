/* signer_link.c - the broker's side of the signer: session identifiers in, proved logins out. */
#include "rooms/broker/broker.h"
#include "sys/fd.h"
#include "sys/log.h"

#define VOUCHES_A_TURN 256u

void
signer_lost(struct broker *b)
{
	if (b->signer.fd < 0)
		return;
	if (!b->is_stopping)
		log_warning("the signer is gone; no new SSH login until its return");
	loop_unwatch(b->loop, b->signer_watch);
	b->signer_watch = NULL;
	chan_close(&b->signer);
}

/* What vouches for everybody's sessions does not lie and go on: it is started again. */
static void
signer_lies(struct broker *b, uint16_t message, int err)
{
	struct ipc_violation m = {.serial = 0, .message = message, .err = (uint16_t)-err};

	log_error("from the signer: message %u, %s", message, sp_strerror(err));
	b->count.violations++;
	signer_lost(b);
	if (chan_send_violation(&b->start.supervisor, &m, -1) != SP_OK)
		log_error("the supervisor does not take a violation");
}

void
signer_read(struct broker *b)
{
	uint8_t *buf = b->out; /* b->buf holds the request of the worker that we may be serving */
	struct ipc_ssh_vouch vouch;
	struct chan_msg m;

	for (unsigned i = 0; i < VOUCHES_A_TURN && b->signer.fd >= 0; i++) {
		int rc = chan_recv(&b->signer, PH_ANY, false, buf, sizeof(b->out), &m);

		if (rc == 0)
			return;
		if (rc == SP_ECLOSED) {
			signer_lost(b);
			return;
		}
		if (rc == 1) {
			rc = m.id == IPC_SSH_VOUCH ? ipc_get_ssh_vouch(m.body, &vouch)
						   : SP_EUNKNOWNMSG;
			if (rc == SP_OK)
				rc = ssh_vouch(b, &vouch);
			chan_msg_done(&m);
		}
		if (rc < 0)
			signer_lies(b, m.id, rc);
	}
}

static void
on_signer(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	signer_read(arg);
}

int
signer_link(struct broker *b, int fd)
{
	signer_lost(b);
	chan_init(&b->signer, fd, ROOM_BROKER, ROOM_SIGNER);
	if ((b->signer_watch = loop_watch(b->loop, fd, LOOP_IN, on_signer, b)) != NULL)
		return SP_OK;
	chan_close(&b->signer);
	return SP_ENOMEM;
}

void
signer_tell(struct broker *b, uint64_t serial)
{
	struct ipc_ssh_logged_in m = {.serial = serial};
	int err = b->signer.fd >= 0 ? chan_send_ssh_logged_in(&b->signer, &m, -1) : SP_EUNAVAIL;

	if (err != SP_OK)
		log_warning("worker %llu will not be able to rekey: the signer: %s",
		    (unsigned long long)serial, sp_strerror(err));
}
