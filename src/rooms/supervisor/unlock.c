/* unlock.c - run/unlock.sock: the operator's passphrase, handed to the vault, and its answer handed
 * back; and what the operator's verify found, handed to the ledger. */
#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"
#include "sys/spawn.h"

#define ANSWER_WITHIN_MS 120000

/* The one operator that is being served. */
struct unlock {
	struct sup *sup;
	struct chan chan;
	struct loop_watch *watch;
	uint64_t timer;
	bool asked; /* the vault has the passphrase */
};

void
unlock_done(struct sup *s)
{
	struct unlock *u = s->unlock;

	if (u == NULL)
		return;
	loop_timer_cancel(s->loop, u->timer);
	loop_unwatch(s->loop, u->watch);
	chan_close(&u->chan);
	mem_free(u);
	s->unlock = NULL;
}

void
unlock_result(struct sup *s, uint16_t err)
{
	struct ipc_unlock_result m = {.err = err};

	if (s->unlock == NULL || !s->unlock->asked)
		return;
	if (chan_send_unlock_result(&s->unlock->chan, &m, -1) != SP_OK)
		log_debug("the operator who unlocks has gone away");
	unlock_done(s);
}

static void
answer(struct sup *s, int err)
{
	s->unlock->asked = true;
	unlock_result(s, (uint16_t)-err);
}

static void
unlock_late(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)fd;
	(void)events;
	answer(s, SP_ETIMEOUT);
}

/* record_verify - whoever may unlock may have it recorded that what is here is not what it should
 * be. */
static void
record_verify(struct sup *s, struct span body)
{
	struct ipc_verify_result m;
	char text[512];
	struct text t = text_of(text, sizeof(text));
	int err = ipc_get_verify_result(body, &m);

	if (err == SP_OK) {
		text_add(&t, m.text);
		notice(s, m.differences != 0 ? EVENT_VERIFY_FAILED : EVENT_VERIFY_OK, 0,
		    ROOM_SUPERVISOR, text);
	}
	answer(s, err);
}

static void
ask_vault(struct unlock *u, const struct chan_msg *m)
{
	struct seat *vault = &u->sup->seats[ROOM_VAULT];
	struct ipc_unlock ask;
	int err = m->id == IPC_UNLOCK && !u->asked ? ipc_get_unlock(m->body, &ask) : SP_EDENIEDMSG;

	if (err == SP_OK && vault->state != ROOM_UP)
		err = SP_EUNAVAIL;
	if (err == SP_OK)
		err = chan_send_unlock(&vault->chan, &ask, -1);
	if (err != SP_OK)
		answer(u->sup, err);
	else
		u->asked = true;
}

static void
unlock_message(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;
	struct chan_msg m;
	int err = chan_recv(&s->unlock->chan, PH_ANY, false, s->buf, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == 1 && m.id == IPC_VERIFY_RESULT && !s->unlock->asked)
		record_verify(s, m.body);
	else if (err == 1)
		ask_vault(s->unlock, &m);
	else
		unlock_done(s);
	mem_wipe(s->buf, IPC_MAX);
	chan_msg_done(&m);
}

/* root, or the user who runs the instance */
static bool
may_unlock(int fd)
{
	uint32_t uid = UINT32_MAX;
	int32_t pid = 0;

	return sock_peer_cred(fd, &uid, &pid) == SP_OK && (uid == 0 || uid == spawn_own_uid());
}

static void
unlock_accept(void *arg, int listener, unsigned events)
{
	struct sup *s = arg;
	char peer[64];
	DEFER(close_fd) int fd = sock_accept(listener, peer, sizeof(peer));
	struct unlock *u;

	(void)events;
	/* one at a time: a second operator is turned away, and tries again */
	if (fd < 0 || s->unlock != NULL || !may_unlock(fd))
		return;
	u = mem_alloc(sizeof(*u));
	if (u == NULL)
		return;
	u->sup = s;
	u->watch = loop_watch(s->loop, fd, LOOP_IN, unlock_message, s);
	u->timer = loop_timer(s->loop, ANSWER_WITHIN_MS, unlock_late, s);
	chan_init(&u->chan, TAKE_FD(fd), ROOM_SUPERVISOR, ROOM_CLI);
	s->unlock = u;
	if (u->watch == NULL || u->timer == 0)
		unlock_done(s);
}

int
unlock_begin(struct sup *s)
{
	return loop_watch(s->loop, s->inst.unlock, LOOP_IN, unlock_accept, s) != NULL ? SP_OK
										      : SP_ENOMEM;
}
