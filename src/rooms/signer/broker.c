/* broker.c - the socket to the broker: it is told session identifiers, and says who has logged in.
 */
#include "rooms/signer/signer.h"
#include "sys/log.h"

void
broker_lost(struct signer *s)
{
	if (s->broker_watch != NULL)
		loop_unwatch(s->loop, s->broker_watch);
	s->broker_watch = NULL;
	chan_close(&s->broker);
}

static int
on_logged_in(struct signer *s, struct span body)
{
	struct ipc_ssh_logged_in m;
	struct seat *t;
	int err = ipc_get_ssh_logged_in(body, &m);

	if (err != SP_OK)
		return err;
	t = seat_find(s, m.serial);
	if (t == NULL) /* it has ended in the meantime */
		return SP_OK;
	if (t->room != ROOM_WORKER_SFTP || !t->ssh.begun)
		return SP_EDENIEDMSG;
	t->ssh.logged_in = true;
	return SP_OK;
}

/* The broker lies: it is dead to us, and serial 0 says that it is no worker. */
static void
broker_violation(struct signer *s, uint16_t message, int err)
{
	struct ipc_violation m = {.message = message, .err = (uint16_t)-err};

	log_error("from the broker: message %u: %s", message, sp_strerror(err));
	broker_lost(s);
	if (chan_send_violation(&s->room.supervisor, &m, -1) != SP_OK)
		s->stopping = true;
}

void
broker_hear(struct signer *s)
{
	while (s->broker.fd >= 0) {
		struct chan_msg m;
		int err = chan_recv(&s->broker, PH_ANY, false, s->buf, IPC_MAX, &m);

		if (err == 0)
			return;
		if (err == SP_ECLOSED) {
			broker_lost(s);
			return;
		}
		if (err == 1) {
			err = m.id == IPC_SSH_LOGGED_IN ? on_logged_in(s, m.body) : SP_EDENIEDMSG;
			chan_msg_done(&m);
		}
		if (err < 0)
			broker_violation(s, m.id, err);
	}
}

static void
broker_ready(void *arg, int fd, unsigned events)
{
	struct signer *s = arg;

	(void)fd;
	(void)events;
	broker_hear(s);
	if (s->stopping)
		loop_stop(s->loop);
}

int
broker_link(struct signer *s, int fd)
{
	broker_lost(s);
	chan_init(&s->broker, fd, ROOM_SIGNER, ROOM_BROKER);
	s->broker_watch = loop_watch(s->loop, fd, LOOP_IN, broker_ready, s);
	if (s->broker_watch == NULL)
		return SP_ENOMEM;
	loop_priority(s->broker_watch); /* a login is known before the worker uses it */
	return SP_OK;
}

int
broker_vouch(struct signer *s, uint64_t serial, struct span session)
{
	struct ipc_ssh_vouch m = {.serial = serial, .session = session};
	int err = s->broker.fd >= 0 ? chan_send_ssh_vouch(&s->broker, &m, -1) : SP_ECLOSED;

	if (err == SP_OK)
		return SP_OK;
	/* a broker that is gone or has too much to do: that connection fails, and no login is lost
	 */
	log_warning("serial=%llu: the broker could not be told: %s", (unsigned long long)serial,
	    sp_strerror(err));
	return SP_EUNAVAIL;
}
