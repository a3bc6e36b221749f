/* control.c - the command line's socket: who may call, one call at a time, the record before the
 * change. */
#include <stdlib.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/backup.h"
#include "rooms/broker/control.h"
#include "rooms/broker/rotate.h"
#include "rooms/broker/trial.h"
#include "rooms/broker/ticket.h"
#include "sys/fd.h"
#include "sys/log.h"

#define CONNS_MAX 16u

struct admin_conn {
	struct chan chan;
	struct loop_watch *watch;
	struct broker *broker;
	struct admin_op *busy; /* the call in hand, or NULL */
	uint32_t uid;
};

struct admin {
	int listener;
	uint32_t
	    owner; /* who started the server: the peer that a listening socket reports, socket(7) */
	struct admin_conn *conns[CONNS_MAX];
};

static void
conn_close(struct admin_conn *c)
{
	struct admin *admin = c->broker->admin;

	for (size_t i = 0; i < CONNS_MAX; i++)
		if (admin->conns[i] == c)
			admin->conns[i] = NULL;
	if (c->busy != NULL)
		c->busy->conn = NULL;
	backup_end(c->broker, c);
	loop_unwatch(c->broker->loop, c->watch);
	chan_close(&c->chan);
	mem_free(c);
}

/* ---- answers ---- */

static void
send_answer(struct admin_conn *c, int err, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	struct ipc_answer m = {.err = (uint16_t)-err, .json = span_str(text != NULL ? text : "{}")};
	int rc = m.json.len > 61440 ? SP_ETOOBIG : chan_send_answer(&c->chan, &m, -1);

	if (text != NULL)
		mem_wipe(text, strlen(text)); /* a token is shown this way */
	mem_free(text);			      /* jansson's own allocator */
	if (rc == SP_OK)
		return;
	log_warning("command line: the answer could not be sent: %s", sp_strerror(rc));
	conn_close(c);
}

static struct admin_conn *
finish(struct broker *b, struct admin_op *op)
{
	struct admin_conn *c = op->conn;

	if (c != NULL)
		c->busy = NULL;
	op_end(b, &op->op);
	return c;
}

void
admin_answer(struct broker *b, struct admin_op *op, json_t *result)
{
	json_t *body = result != NULL ? json_incref(result) : json_object();
	struct admin_conn *c = finish(b, op); /* op may have owned the result */

	if (c != NULL)
		send_answer(c, SP_OK, body);
	json_decref(body);
}

void
admin_refuse(struct broker *b, struct admin_op *op, int err)
{
	const struct sp_err_row *row = sp_err_row(err);
	json_t *body = json_pack(
	    "{s:s, s:s}", "error", row->name, "detail", op->why[0] != '\0' ? op->why : row->text);
	struct admin_conn *c = finish(b, op);

	if (c != NULL)
		send_answer(c, err, body);
	json_decref(body);
}

static void
op_clean(struct op *op)
{
	struct admin_op *a = (struct admin_op *)op;

	json_decref(a->args);
	json_decref(a->result);
}

/* fail_to_caller - op_fail of a LONG verb; op_end follows by itself. */
static void
fail_to_caller(struct broker *b, struct op *op, int err, uint32_t retry_after)
{
	struct admin_op *a = (struct admin_op *)op;
	const struct sp_err_row *row = sp_err_row(err);
	json_t *body = json_pack(
	    "{s:s, s:s}", "error", row->name, "detail", a->why[0] != '\0' ? a->why : row->text);
	struct admin_conn *c = a->conn;

	(void)b;
	(void)retry_after;
	if (c != NULL) {
		c->busy = NULL;
		a->conn = NULL;
		send_answer(c, err, body);
	}
	json_decref(body);
}

/* ---- one run of a handler ---- */

void
admin_call_of(struct broker *b, struct admin_op *op, struct admin_call *a)
{
	a->db = b->db;
	a->conf = &b->start.conf;
	a->now_us = op->now_us;
	a->args = op->args;
	a->phc = op->phc;
	memcpy(a->random, op->random, sizeof(a->random));
}

/* run - the handler inside a mark.  keep: for good when it succeeds. */
static int
run(struct broker *b, struct admin_op *op, struct admin_call *a, bool keep)
{
	struct text rows = text_of(a->rows, sizeof(a->rows));
	int err;

	admin_call_of(b, op, a);
	err = admin_begin(a);
	if (err == SP_OK)
		err = db_mark(b->db);
	if (err != SP_OK)
		return err;
	err = op->row->fn(a);
	if (err == SP_OK)
		err = rows_record(a->db, &rows);
	if (err == SP_OK && a->rows[0] != '\0')
		admin_detail(a, "rows", text_span(&rows));
	if (err == SP_OK && a->detail.bad)
		err = SP_ETOOBIG;
	if (err == SP_OK && keep)
		err = db_keep(b->db);
	else
		db_undo(b->db);
	if (err != SP_OK)
		memcpy(op->why, a->why, sizeof(op->why));
	return err;
}

static void
run_read(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	int err = SP_ENOMEM;

	if (a != NULL) {
		admin_call_of(b, op, a);
		err = admin_begin(a);
	}
	if (err == SP_OK)
		err = op->row->fn(a);
	if (err == SP_OK)
		admin_answer(b, op, a->result);
	else {
		if (a != NULL)
			memcpy(op->why, a->why, sizeof(op->why));
		admin_refuse(b, op, err);
	}
	if (a != NULL)
		admin_end(a);
}

/* ---- writing: try, record, do, commit, answer ---- */

static void
committed(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;

	if (answer->err != SP_OK) {
		ledger_undone(b, &op->op, op->entry, sp_strerror(answer->err));
		admin_refuse(b, op, answer->err);
		return;
	}
	broker_policy_changed(b);
	org_keys_make(b);
	admin_answer(b, op, op->result);
}

/* not_done - recorded, and then it could not be done after all: that is recorded too. */
static void
not_done(struct broker *b, struct admin_op *op, int err)
{
	struct record r;

	record_init(&r, EVENT_ADMIN_CALL, &op->op.actor, 0);
	record_text(&r, "verb", span_str(op->row->verb));
	record_text(&r, "failed", span_str(sp_strerror(err)));
	ledger_note(b, &r);
	ledger_undone(b, &op->op, op->entry, sp_strerror(err));
	admin_refuse(b, op, err);
}

/* Every login, and every password that waits for its one-time code. */
static void
logins_end(struct broker *b)
{
	tickets_clear(b);
	worker_kill(b, 0, 0);
}

static void
recorded(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;
	DEFER(mem_freep) struct admin_call *a = NULL;
	int err = answer->err;

	if (err != SP_OK) {
		admin_refuse(b, op, err);
		return;
	}
	op->entry = answer->entry;
	a = mem_alloc(sizeof(*a));
	err = a != NULL ? run(b, op, a, /* keep= */ true) : SP_ENOMEM;
	if (err == SP_OK)
		ledger_differs(b, &op->op, op->entry, op->rows, a->rows);
	if (err == SP_OK && a->ends_user != 0)
		worker_kill(b, a->ends_user, 0);
	if (err == SP_OK && a->ends_session != 0)
		worker_kill(b, 0, a->ends_session);
	if (err == SP_OK && a->ends_all)
		logins_end(b);
	if (err == SP_OK && a->shreds)
		b->wants_checkpoint = true;
	if (err == SP_OK)
		op->result = json_incref(a->result);
	if (a != NULL)
		admin_end(a);
	if (err == SP_OK)
		op_commit(b, &op->op, committed);
	else
		not_done(b, op, err);
}

/* try_write - would it work?  Then have it recorded. */
static int
try_write(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
	int err;

	if (a == NULL || r == NULL)
		return SP_ENOMEM;
	err = run(b, op, a, /* keep= */ false);
	if (err == SP_OK) {
		struct actor who = op->op.actor;

		memcpy(who.org_name, a->org, sizeof(who.org_name));
		record_init(r, (enum event)a->event, &who, 0);
		r->path = span_str(a->path);
		wr_bytes(&r->detail, wr_span(&a->detail));
		memcpy(op->rows, a->rows, sizeof(op->rows));
		err = ledger_record(b, &op->op, r, recorded);
	}
	admin_end(a);
	return err;
}

static void
hashed(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;
	struct text t = text_of(op->phc, sizeof(op->phc));
	int err = answer->err;

	if (err == SP_OK)
		text_add(&t, answer->phc);
	if (err == SP_OK && t.bad)
		err = SP_ESPACE;
	if (err == SP_OK)
		err = try_write(b, op);
	if (err != SP_OK)
		admin_refuse(b, op, err);
}

/* hash_first - PASSWORD: see whether it can be done before an authenticator is kept busy. */
static int
hash_first(struct broker *b, struct admin_op *op, struct span secret)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	struct text t = text_of(op->why, sizeof(op->why));
	int err;

	if (a == NULL)
		return SP_ENOMEM;
	if (secret.len < (size_t)b->start.conf.password_min || secret.len >= PASSWORD_BYTES_MAX) {
		text_fmt(&t, "the password has %zu bytes; it needs %lld to %u", secret.len,
		    (long long)b->start.conf.password_min, PASSWORD_BYTES_MAX - 1);
		return SP_EWEAKPASS;
	}
	err = run(b, op, a, /* keep= */ false);
	admin_end(a);
	return err == SP_OK ? auth_make(b, &op->op, secret, hashed) : err;
}

/* ---- calls ---- */

static struct admin_op *
op_for_call(struct admin_conn *c, const struct admin_row *row, json_t *args)
{
	struct admin_op *op = op_new(c->broker, NULL, sizeof(*op));
	struct text t;

	if (op == NULL)
		return NULL;
	t = text_of(op->op.actor.name, sizeof(op->op.actor.name));
	text_str(&t, "local:");
	text_u64(&t, c->uid);
	op->op.actor.scopes = RIGHT_ALL;
	op->op.actor.level = LEVEL_ADMIN;
	op->op.actor.listener = 1;
	op->op.clean = op_clean;
	op->op.fail = fail_to_caller;
	op->row = row;
	op->now_us = c->broker->wall_us();
	if (crypto_random(op->random, sizeof(op->random)) != SP_OK) {
		op->args = NULL;
		op_end(c->broker, &op->op);
		return NULL;
	}
	op->args = args;
	op->conn = c;
	c->busy = op;
	return op;
}

static void
refuse_call(struct admin_conn *c, int err, const char *why)
{
	json_t *body = json_pack("{s:s, s:s}", "error", sp_err_row(err)->name, "detail", why);

	send_answer(c, err, body);
	json_decref(body);
}

static void
call(struct admin_conn *c, const struct ipc_call *m)
{
	struct broker *b = c->broker;
	const struct admin_row *row = admin_find(m->verb);
	json_t *args =
	    json_loadb((const char *)m->args.ptr, m->args.len, JSON_REJECT_DUPLICATES, NULL);
	struct admin_op *op = NULL;
	char why[512] = "the server knows no such verb: is it of another version?";
	int err = row != NULL ? admin_check_args(row, args, why, sizeof(why)) : SP_EUSAGE;

	if (err == SP_OK && (op = op_for_call(c, row, args)) == NULL) {
		err = SP_ENOMEM;
		(void)memcpy(why, "out of memory", sizeof("out of memory"));
	}
	if (op == NULL) {
		json_decref(args);
		refuse_call(c, err, why);
		return;
	}
	switch (row->kind) {
	case ADMIN_READ:
		run_read(b, op);
		return;
	case ADMIN_WRITE:
		err = try_write(b, op);
		break;
	case ADMIN_PASSWORD:
		err = hash_first(b, op, m->secret);
		break;
	case ADMIN_LONG:
		err = row->long_fn(b, op);
		break;
	}
	if (err != SP_OK)
		admin_refuse(b, op, err);
}

static void
on_conn(void *arg, int fd, unsigned events)
{
	struct admin_conn *c = arg;
	struct broker *b = c->broker;
	struct ipc_call m;
	struct chan_msg msg;
	int rc = chan_recv(&c->chan, PH_ANY, false, b->buf, sizeof(b->buf), &msg);

	(void)fd;
	(void)events;
	if (rc == 0)
		return;
	if (rc == 1 &&
	    (c->busy != NULL || msg.id != IPC_CALL || ipc_get_call(msg.body, &m) != SP_OK)) {
		log_warning("command line: uid %u broke the protocol", c->uid);
		rc = SP_EDENIEDMSG;
	}
	if (rc != 1) {
		conn_close(c);
		return;
	}
	call(c, &m); /* the connection may be gone afterwards */
	mem_wipe(b->buf, sizeof(b->buf));
}

static void
on_listener(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct admin *admin = b->admin;
	DEFER(close_fd) int peer = -1;
	struct admin_conn *c;
	char address[64];
	size_t slot = 0;
	uint32_t uid;
	int32_t pid;

	(void)events;
	peer = sock_accept(fd, address, sizeof(address));
	if (peer < 0 || sock_peer_cred(peer, &uid, &pid) != SP_OK)
		return;
	if (uid != 0 && uid != admin->owner) {
		log_warning("command line: uid %u is not allowed here", uid);
		return;
	}
	while (slot < CONNS_MAX && admin->conns[slot] != NULL)
		slot++;
	if (slot == CONNS_MAX || (c = mem_alloc(sizeof(*c))) == NULL)
		return;
	c->broker = b;
	c->uid = uid;
	chan_init(&c->chan, TAKE_FD(peer), ROOM_BROKER, ROOM_CLI);
	c->watch = loop_watch(b->loop, c->chan.fd, LOOP_IN, on_conn, c);
	if (c->watch == NULL) {
		chan_close(&c->chan);
		mem_free(c);
		return;
	}
	admin->conns[slot] = c;
}

int
control_start(struct broker *b, int listener)
{
	DEFER(close_fd) int fd = listener;
	struct admin *admin = mem_alloc(sizeof(*admin));
	int32_t pid;
	int rc = admin != NULL ? fd_nonblock(fd, true) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = sock_peer_cred(fd, &admin->owner, &pid);
	if (rc == SP_OK &&
	    (b->control_watch = loop_watch(b->loop, fd, LOOP_IN, on_listener, b)) == NULL)
		rc = SP_ENOMEM;
	if (rc != SP_OK) {
		mem_free(admin);
		return rc;
	}
	admin->listener = TAKE_FD(fd);
	b->admin = admin;
	rotate_next(b);
	return SP_OK;
}

void
control_stop(struct broker *b)
{
	if (b->admin == NULL)
		return;
	rotate_stop(b);
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (b->admin->conns[i] != NULL)
			conn_close(b->admin->conns[i]);
	loop_unwatch(b->loop, b->control_watch);
	b->control_watch = NULL;
	close_fd(&b->admin->listener);
	mem_free(b->admin);
	b->admin = NULL;
}
