/* operator.c - run/operator.sock: what an operator asks without the broker, which may be stolen or
 * hang.  A request is one row: done here, or handed to a room whose answer is handed back. */
#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"
#include "sys/spawn.h"

#define ASK_WITHIN_MS 10000
#define ANSWER_WITHIN_MS 120000
#define OPERATORS_MAX 8u

static int prepare_unlock(struct operator* o, struct span body, struct operator_entry *ret);
static void operator_late(void *arg, int fd, unsigned events);

/* Every request of an operator. */
static const struct operator_row {
	uint16_t request, answer;
	enum room room; /* ROOM_SUPERVISOR: `act` does it; else that room */
	/* prepare - check the body, and say what has to be on record first (event 0: nothing) */
	int (*prepare)(struct operator* o, struct span body, struct operator_entry *ret);
	/* act - do it and answer (operator_answer), now or later; an error is answered here */
	int (*act)(struct operator* o, struct span body);
} rows[] = {
    {IPC_UNLOCK, IPC_UNLOCK_RESULT, ROOM_VAULT, prepare_unlock, NULL},
    {IPC_LOCKDOWN, IPC_LOCKDOWN_DONE, ROOM_SUPERVISOR, lockdown_prepare, lockdown_act},
    {IPC_LIMITS_GET, IPC_LIMITS_ROW, ROOM_VAULT, limits_get_prepare, NULL},
    {IPC_LIMITS_CHANGE, IPC_LIMITS_CHANGED, ROOM_VAULT, limits_change_prepare, limits_change_act},
    {IPC_LIMITS_CONFIRM, IPC_LIMITS_CHANGED, ROOM_VAULT, limits_confirm_prepare, limits_confirm_act},
    {IPC_DECOY_CHANGE, IPC_DECOY_DONE, ROOM_SUPERVISOR, decoys_prepare, decoys_act},
    {IPC_DECOY_LIST, IPC_DECOY_ROWS, ROOM_SUPERVISOR, decoys_list_prepare, decoys_list},
    {IPC_VERIFY_RESULT, IPC_VERIFY_RECORDED, ROOM_SUPERVISOR, verify_prepare, verify_act},
};

/* One connection: one request and its answer. */
struct operator
{
	struct sup *sup;
	struct chan chan;
	struct loop_watch *watch;
	uint64_t timer;
	uint32_t uid, person;
	const struct operator_row *row; /* what was asked; NULL: nothing yet */
	uint64_t ref;			/* of the entry that has to be durable first; 0: none */
	bool passed;			/* the row's room has the request: it owes the answer */
	uint8_t *body;			/* the request, while it waits for its entry; wiped */
	size_t body_len;
	struct operator* next;
};

uint32_t
operator_uid(const struct operator* o)
{
	return o->uid;
}

uint32_t
operator_person(const struct operator* o)
{
	return o->person;
}

struct sup *
operator_sup(const struct operator* o)
{
	return o->sup;
}

/* ---- the end of a conversation ---- */

static void operator_end(struct operator* o)
{
	struct operator** at = & o->sup->operators;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	o->sup->n_operators--;
	loop_timer_cancel(o->sup->loop, o->timer);
	loop_unwatch(o->sup->loop, o->watch);
	chan_close(&o->chan);
	if (o->body != NULL)
		mem_wipe(o->body, o->body_len);
	mem_free(o->body);
	mem_free(o);
}

void
operators_done(struct sup *s)
{
	while (s->operators != NULL)
		operator_end(s->operators);
}

void
operator_answer(struct operator* o, uint16_t id, struct span body)
{
	if (chan_send(&o->chan, id, body, -1) != SP_OK)
		log_debug("an operator has gone away before the answer");
	operator_end(o);
}

void
operator_fail(struct operator* o, int err, const char *detail)
{
	struct ipc_operator_failed m = {.err = (uint16_t)-err, .detail = span_str(detail)};

	if (chan_send_operator_failed(&o->chan, &m, -1) != SP_OK)
		log_debug("an operator has gone away before the answer");
	operator_end(o);
}

/* ---- a request ---- */

static int
prepare_unlock(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct ipc_unlock m;

	(void)o;
	(void)ret;
	return ipc_get_unlock(body, &m);
}

/* Rooms answer without saying whom: one operator at a time for each kind of request. */
static bool
is_taken(const struct operator* o)
{
	for (const struct operator* other = o->sup->operators; other != NULL; other = other->next)
		if (other != o && other->passed && other->row->room == o->row->room &&
		    other->row->answer == o->row->answer)
			return true;
	return false;
}

void
operator_pass(struct operator* o, uint16_t id, struct span body)
{
	struct seat *seat = &o->sup->seats[o->row->room];
	int err;

	if (is_taken(o)) {
		operator_fail(o, SP_EFULL, "another operator is being served; try again");
		return;
	}
	err = seat->state == ROOM_UP ? chan_send(&seat->chan, id, body, -1) : SP_EUNAVAIL;
	if (err != SP_OK)
		operator_fail(o, err, "");
	else
		o->passed = true;
}

/* What was asked may be done now. */
static void
perform(struct operator* o, struct span body)
{
	int err;

	o->ref = 0;
	if (o->row->act == NULL) {
		operator_pass(o, o->row->request, body);
		return;
	}
	o->passed = o->row->room == ROOM_SUPERVISOR; /* others: when `act` passes it on */
	err = o->row->act(o, body);
	if (err != SP_OK)
		operator_fail(o, err, "");
}

/* The entry goes first; the request is kept until it is durable. */
static int
record_first(struct operator* o, const struct operator_entry *e, struct span body)
{
	o->body = mem_alloc(body.len + 1);
	if (o->body == NULL)
		return SP_ENOMEM;
	memcpy(o->body, body.ptr, body.len);
	o->body_len = body.len;
	o->ref = ++o->sup->last_ref;
	return notice_first(o->sup, o->ref, e->event, e->text);
}

static void
on_request(struct operator* o, const struct chan_msg *m)
{
	struct operator_entry e = {0};
	int err = SP_EDENIEDMSG;

	for (size_t i = 0; o->row == NULL && i < ARRAY_LEN(rows); i++) {
		if (rows[i].request != m->id)
			continue;
		o->row = &rows[i];
		loop_timer_cancel(o->sup->loop, o->timer);
		o->timer = loop_timer(o->sup->loop, ANSWER_WITHIN_MS, operator_late, o);
		err = o->timer != 0 ? o->row->prepare(o, m->body, &e) : SP_ENOMEM;
		if (err == SP_OK && e.event != 0)
			err = record_first(o, &e, m->body);
		else if (err == SP_OK) {
			perform(o, m->body);
			return;
		}
	}
	if (err != SP_OK)
		operator_fail(o, err, e.text);
}

void
operator_noted(struct sup *s, uint64_t ref, int err)
{
	struct operator* o = s->operators;

	while (o != NULL && (ref == 0 || o->ref != ref))
		o = o->next;
	if (o == NULL) /* it has gone away: nothing is done */
		return;
	if (err != SP_OK)
		operator_fail(o, err, "the audit log did not take it: nothing was done");
	else
		perform(o, span_of(o->body, o->body_len));
}

int
operator_passed(struct seat *seat, const struct chan_msg *m)
{
	int err = SP_EDENIEDMSG;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].room == seat->room && rows[i].answer == m->id)
			err = SP_OK;
	for (struct operator* o = seat->sup->operators; err == SP_OK && o != NULL; o = o->next) {
		if (!o->passed || o->row->answer != m->id || o->row->room != seat->room)
			continue;
		operator_answer(o, m->id, m->body);
		break;
	}
	return err;
}

void
operators_answer(struct sup *s, uint16_t request, uint16_t id, struct span body)
{
	struct operator* next;

	for (struct operator* o = s->operators; o != NULL; o = next) {
		next = o->next;
		if (o->passed && o->row->request == request)
			operator_answer(o, id, body);
	}
}

void
operators_fail(struct sup *s, uint16_t request, int err, const char *detail)
{
	struct operator* next;

	for (struct operator* o = s->operators; o != NULL; o = next) {
		next = o->next;
		if (o->passed && o->row->request == request)
			operator_fail(o, err, detail);
	}
}

void
operators_forget(struct sup *s, enum room room)
{
	struct operator* next;

	for (struct operator* o = s->operators; o != NULL; o = next) {
		next = o->next;
		if ((o->passed && o->row->room == room) || (o->ref != 0 && room == ROOM_LEDGER))
			operator_fail(o, SP_EUNAVAIL, "");
	}
}

/* ---- connections ---- */

static void
operator_late(void *arg, int fd, unsigned events)
{
	struct operator* o = arg;

	(void)fd;
	(void)events;
	o->timer = 0;
	operator_fail(o, SP_ETIMEOUT, "");
}

static void
operator_message(void *arg, int fd, unsigned events)
{
	struct operator* o = arg;
	uint8_t *buf = o->sup->buf;
	struct chan_msg m;
	int err = chan_recv(&o->chan, PH_ANY, false, buf, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == 1)
		on_request(o, &m);
	else
		operator_end(o);
	mem_wipe(buf, IPC_MAX);
	chan_msg_done(&m);
}

/* root, or the user who runs the instance */
static bool
may_operate(int fd, uint32_t *ret_uid, uint32_t *ret_person)
{
	int32_t pid = 0;

	if (sock_peer_cred(fd, ret_uid, &pid) != SP_OK ||
	    (*ret_uid != 0 && *ret_uid != spawn_own_uid()))
		return false;
	*ret_person = server_login_uid(pid, *ret_uid);
	return true;
}

/* The one that has said nothing for longest makes room: silence keeps nobody from a lockdown. */
static bool
make_room(struct sup *s)
{
	struct operator* silent = NULL;

	if (s->n_operators <= OPERATORS_MAX)
		return true;
	for (struct operator* o = s->operators->next; o != NULL; o = o->next)
		if (o->row == NULL)
			silent = o;
	if (silent != NULL)
		operator_fail(silent, SP_EFULL, "too many operators at once; try again");
	return silent != NULL;
}

static void
operator_accept(void *arg, int listener, unsigned events)
{
	struct sup *s = arg;
	char peer[64];
	uint32_t uid = UINT32_MAX, person = UINT32_MAX;
	DEFER(close_fd) int fd = sock_accept(listener, peer, sizeof(peer));
	struct operator* o;

	(void)events;
	if (fd < 0 || !may_operate(fd, &uid, &person))
		return;
	o = mem_alloc(sizeof(*o));
	if (o == NULL)
		return;
	o->sup = s;
	o->uid = uid;
	o->person = person;
	o->watch = loop_watch(s->loop, fd, LOOP_IN, operator_message, o);
	o->timer = loop_timer(s->loop, ASK_WITHIN_MS, operator_late, o);
	chan_init(&o->chan, TAKE_FD(fd), ROOM_SUPERVISOR, ROOM_CLI);
	o->next = s->operators;
	s->operators = o;
	s->n_operators++;
	if (o->watch == NULL || o->timer == 0)
		operator_end(o);
	else if (!make_room(s))
		operator_fail(o, SP_EFULL, "too many operators at once; try again");
}

int
operators_begin(struct sup *s)
{
	return loop_watch(s->loop, s->inst.operator, LOOP_IN, operator_accept, s) != NULL
		   ? SP_OK
		   : SP_ENOMEM;
}
