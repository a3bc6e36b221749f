/* worker.c - the processes at the other ends of the broker's sockets: what they may ask, and their
 * replies. */
#include "base/limits.h"
#include "base/text.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/outbox.h"
#include "rooms/broker/put.h"
#include "rooms/broker/scrub.h"
#include "sys/fd.h"
#include "sys/log.h"

#define LINGER_S 10 /* from the end of a worker's socket to the end of its process */

typedef int (*handler)(struct broker *b, struct worker *w, struct span body);

/* FIRST: needs no principal.  BEGIN: needs a session that lives.  FINISH: ends what was begun under
 * one; a transfer may take longer than a session lasts, but not outlive its revocation. */
enum when { FIRST, BEGIN, FINISH };

static const struct {
	uint16_t id;
	enum when when;
	handler fn;
} handlers[] = {
    {IPC_LOGIN_PASSWORD, FIRST, handle_login_password},
    {IPC_LOGIN_TOKEN, FIRST, handle_login_token},
    {IPC_TOKEN_REFRESH, FIRST, handle_token_refresh},
    {IPC_TOKEN_REVOKE, FIRST, handle_token_revoke},
    {IPC_TICKET_GET, FIRST, handle_ticket_get},
    {IPC_LOGIN_PASS, FIRST, handle_login_pass},
    {IPC_NONCE_GET, FIRST, handle_nonce_get},
    {IPC_PASS_GET, BEGIN, handle_pass_get},
    {IPC_SESSION_NEXT, BEGIN, handle_session_next},
    {IPC_SESSION_END, BEGIN, handle_session_end},
    {IPC_PASSWORD_SET, BEGIN, handle_password_set},
    {IPC_LOGIN_TICKET, FIRST, handle_login_ticket},
    {IPC_LOGIN_KEY, FIRST, handle_login_key},
    {IPC_LOGIN_SECRET, FIRST, handle_login_secret},
    {IPC_LIMIT_HIT, FIRST, handle_limit_hit},
    {IPC_CONTACT, FIRST, handle_contact},
    {IPC_ORG_GET, FIRST, handle_org_get},
    {IPC_REPORT, FIRST, handle_report},
    {IPC_SELF, BEGIN, handle_self},
    {IPC_STAT, BEGIN, handle_stat},
    {IPC_LIST, BEGIN, handle_list},
    {IPC_VERSIONS, BEGIN, handle_versions},
    {IPC_FOLDER_MAKE, BEGIN, handle_folder_make},
    {IPC_REMOVE, BEGIN, handle_remove},
    {IPC_OPEN, BEGIN, handle_open},
    {IPC_DAMAGED, FINISH, handle_damaged},
    {IPC_PUT, BEGIN, handle_put},
    {IPC_COMMIT, FINISH, handle_commit},
    {IPC_ABORT, FINISH, handle_abort},
    {IPC_PROGRESS, FINISH, handle_progress},
    {IPC_RESUME, BEGIN, handle_resume},
    {IPC_UPLOAD_DROP, BEGIN, handle_upload_drop},
    {IPC_RENAME, BEGIN, handle_rename},
    {IPC_TOUCH, BEGIN, handle_touch},
    {IPC_SPACE, BEGIN, handle_space},
};

static void on_worker(void *arg, int fd, unsigned events);

/* ---- the table ---- */

struct worker *
worker_find(struct broker *b, uint64_t serial)
{
	struct worker *w = b->workers[serial % HASH_SLOTS];

	while (w != NULL && w->serial != serial)
		w = w->hash_next;
	return w;
}

/* A worker is listened to when its peer's address is known: nothing it says could be judged before.
 */
static bool
is_known(const struct worker *w)
{
	return !ipc_is_worker(w->room) || w->actor.address[0] != '\0';
}

static int
watch(struct broker *b, struct worker *w)
{
	if (!is_known(w) || w->watch != NULL || w->is_dead)
		return SP_OK;
	w->watch = loop_watch(b->loop, w->chan.fd, LOOP_IN, on_worker, w);
	return w->watch != NULL ? SP_OK : SP_ENOMEM;
}

int
worker_add(struct broker *b, const struct ipc_worker_new *m, int fd)
{
	struct worker *w, **slot = &b->workers[m->serial % HASH_SLOTS];

	if (worker_find(b, m->serial) != NULL || m->serial == 0 || m->room >= ROOM_COUNT)
		return SP_EDENIEDMSG;
	if (!ipc_linked(ROOM_BROKER, m->room))
		return SP_EDENIEDMSG;
	if ((w = mem_alloc(sizeof(*w))) == NULL)
		return SP_ENOMEM;
	w->serial = m->serial;
	w->room = m->room;
	w->listener = m->listener;
	w->broker = b;
	chan_init(&w->chan, fd, ROOM_BROKER, m->room);
	w->hash_next = *slot;
	*slot = w;
	if ((w->next = b->all) != NULL)
		b->all->prev = w;
	b->all = w;
	b->n_workers++;
	if (b->is_serving && watch(b, w) != SP_OK)
		worker_violation(b, w, 0, SP_ENOMEM);
	else if (b->is_serving && !ipc_is_worker(w->room))
		helper_ready(b, w);
	return SP_OK;
}

void
worker_peer(struct broker *b, uint64_t serial, struct span address)
{
	struct worker *w = worker_find(b, serial);

	if (w == NULL || address.len == 0 || w->actor.address[0] != '\0')
		return;
	memcpy(w->actor.address, address.ptr, address.len < 64 ? address.len : 64);
	/* the gate had not heard of it yet */
	if (b->is_serving && addresses_refused(b, w->actor.address)) {
		worker_end(b, w);
		return;
	}
	if (b->is_serving && watch(b, w) != SP_OK)
		worker_violation(b, w, 0, SP_ENOMEM);
}

void
worker_watch_all(struct broker *b)
{
	for (struct worker *w = b->all; w != NULL; w = w->next) {
		if (w->watch != NULL || w->chan.fd < 0)
			continue;
		if (watch(b, w) != SP_OK)
			worker_violation(b, w, 0, SP_ENOMEM);
		else if (!ipc_is_worker(w->room))
			helper_ready(b, w);
	}
}

static void
close_worker(struct broker *b, struct worker *w)
{
	if (w->watch != NULL)
		loop_unwatch(b->loop, w->watch);
	w->watch = NULL;
	chan_close(&w->chan);
	w->is_dead = true;
	if (!ipc_is_worker(w->room))
		helper_lost(b, w);
	uploads_lost(b, w);
	ssh_forget(b, w);
}

void
worker_gone(struct broker *b, uint64_t serial)
{
	struct worker **p = &b->workers[serial % HASH_SLOTS], *w;

	while (*p != NULL && (*p)->serial != serial)
		p = &(*p)->hash_next;
	if ((w = *p) == NULL)
		return;
	/* a helper ends right after its result, and the news of its end may overtake that */
	if (w->op != NULL && w->watch != NULL)
		on_worker(w, w->chan.fd, LOOP_IN);
	close_worker(b, w);
	*p = w->hash_next;
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		b->all = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	b->n_workers--;
	if (ipc_is_worker(w->room) && w->is_authed)
		kept_settle(b, serial);
	access_done(&w->access);
	mem_wipe(w, sizeof(*w));
	mem_free(w);
}

void
worker_violation(struct broker *b, struct worker *w, uint16_t message, int err)
{
	struct ipc_violation m = {.serial = w->serial, .message = message, .err = (uint16_t)-err};

	if (w->is_dead)
		return;
	log_warning("worker %llu broke the rules: message %u, %s", (unsigned long long)w->serial,
	    message, sp_strerror(err));
	b->count.violations++;
	close_worker(b, w);
	if (chan_send_violation(&b->start.supervisor, &m, -1) != SP_OK)
		log_error("the supervisor does not take a violation");
}

void
workers_watch(struct broker *b)
{
	for (struct worker *w = b->all; w != NULL; w = w->next) {
		struct ipc_violation m = {.serial = w->serial, .err = (uint16_t)-SP_ECLOSED};

		if (!w->is_dead || !ipc_is_worker(w->room) || ++w->dead_s != LINGER_S)
			continue;
		log_warning("worker %llu lives on without us", (unsigned long long)w->serial);
		if (chan_send_violation(&b->start.supervisor, &m, -1) != SP_OK)
			log_error("the supervisor does not take a violation");
	}
}

void
worker_end(struct broker *b, struct worker *w)
{
	struct ipc_worker_kill m = {.serial = w->serial};

	close_worker(b, w);
	if (chan_send_worker_kill(&b->start.supervisor, &m, -1) != SP_OK)
		log_error("the supervisor does not take a request");
}

void
worker_kill(struct broker *b, int64_t user, int64_t session)
{
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (!w->is_dead && w->is_authed && (user == 0 || w->actor.user == user) &&
		    (session == 0 || w->actor.session == session))
			worker_end(b, w);
}

int
worker_access(struct broker *b, struct worker *w, const struct access **ret)
{
	if (w->access.gen != b->policy_gen || w->access.user != w->actor.user ||
	    w->access.scopes != w->actor.scopes) {
		int err = access_load(b->db, &w->actor, &w->access);

		w->access.gen = err == SP_OK ? b->policy_gen : 0;
		if (err != SP_OK)
			return err;
	}
	*ret = &w->access;
	return SP_OK;
}

/* ---- replies ---- */

static void
send_now(struct broker *b, uint64_t serial, uint16_t id, struct span body, int fd)
{
	struct worker *w = worker_find(b, serial);
	int err;

	if (w == NULL || w->is_dead)
		return;
	w->is_busy = false;
	err = chan_send(&w->chan, id, body, fd);
	if (err == SP_ECLOSED)
		close_worker(b, w);
	else if (err != SP_OK)
		worker_violation(b, w, id, err);
}

void
reply(struct broker *b, uint64_t serial, uint16_t id, struct span body, int fd)
{
	DEFER(close_fd) int own = fd;
	struct outbox *o;

	if (serial == 0)
		return;
	if (!db_is_open(b->db)) {
		send_now(b, serial, id, body, own);
		return;
	}
	if ((o = outbox_new(serial, id, body, own)) == NULL) {
		reply_failed(b, serial, SP_ENOMEM, 0);
		return;
	}
	own = -1;
	o->next = NULL;
	*b->replies_end = o;
	b->replies_end = &o->next;
}

static void
reply_failed_as(
    struct broker *b, uint64_t serial, int err, uint32_t retry_after, const char *detail)
{
	struct ipc_failed m = {
	    .err = (uint16_t)-err, .retry_after = retry_after, .detail = span_str(detail)};
	uint8_t buf[IPC_SIZE_FAILED];
	struct wr out = wr_of(buf, sizeof(buf));
	int bad = ipc_put_failed(&out, &m);

	VERIFY(bad == SP_OK);
	b->count.failed++;
	/* nothing that failed depends on the commit */
	send_now(b, serial, IPC_FAILED, wr_span(&out), -1);
}

void
reply_failed(struct broker *b, uint64_t serial, int err, uint32_t retry_after)
{
	reply_failed_as(b, serial, err, retry_after, "");
}

void
reply_limit(struct broker *b, const struct op *op, int err, uint32_t retry_after)
{
	char limit[64], detail[128] = "";
	struct text t = text_of(detail, sizeof(detail));

	budget_say(op->kind, op->budget, limit, sizeof(limit));
	if (limit[0] != '\0')
		text_fmt(&t, "%s: %s", sp_strerror(err), limit);
	reply_failed_as(b, op->serial, err, retry_after, detail);
}

void
reply_done(struct broker *b, uint64_t serial, uint64_t value)
{
	struct ipc_done m = {.value = value};

	REPLY(b, serial, DONE, done, &m, -1);
}

/* ---- requests ---- */

static int
dispatch(struct broker *b, struct worker *w, uint16_t id, struct span body)
{
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		int err = SP_OK;

		if (handlers[i].id != id)
			continue;
		if (b->is_stopping)
			return SP_EUNAVAIL;
		if (handlers[i].when != FIRST)
			err = session_alive(b, w, handlers[i].when == FINISH);
		if (err == SP_OK && w->only.id != 0 && handlers[i].when == BEGIN &&
		    id != IPC_STAT && id != IPC_OPEN && id != IPC_LIST)
			err = SP_EPERM;
		return err == SP_OK ? handlers[i].fn(b, w, body) : err;
	}
	return SP_EUNKNOWNMSG;
}

/* errors that a well-behaved worker never causes */
static bool
is_malformed(int err)
{
	return err == SP_ESHORT || err == SP_ETRAIL || err == SP_EUNKNOWNMSG ||
	       err == SP_EDENIEDMSG;
}

static void
take_request(struct broker *b, struct worker *w, struct chan_msg *m)
{
	int err;

	if (w->is_busy) {
		worker_violation(b, w, m->id, SP_EDENIEDMSG);
		return;
	}
	w->is_busy = true;
	b->count.requests++;
	err = dispatch(b, w, m->id, m->body);
	if (is_malformed(err))
		worker_violation(b, w, m->id, err);
	else if (err != SP_OK)
		reply_failed(b, w->serial, err, 0);
}

static void
on_worker(void *arg, int fd, unsigned events)
{
	struct worker *w = arg;
	struct broker *b = w->broker;
	struct chan_msg m;
	int rc;

	(void)fd;
	(void)events;
	/* one message a turn: everybody gets a turn */
	rc = chan_recv(
	    &w->chan, w->is_authed ? PH_AUTHED : PH_FRESH, false, b->buf, sizeof(b->buf), &m);
	if (rc == 0)
		return;
	if (rc == SP_ECLOSED) {
		close_worker(b, w);
		return;
	}
	if (rc != 1) {
		worker_violation(b, w, m.id, rc);
		return;
	}
	if (ipc_is_worker(w->room))
		take_request(b, w, &m);
	else
		helper_message(b, w, &m);
	mem_wipe(b->buf, m.body.len + 16 < sizeof(b->buf) ? m.body.len + 16 : sizeof(b->buf));
	chan_msg_done(&m);
}
