/* login.c - accounts, refusals, sessions; and password logins (attempt.h has their shape). */
#include "base/text.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/attempt.h"
#include "rooms/broker/proof.h"
#include "rooms/broker/ticket.h"

#define SESSIONS_MAX 1000 /* of one user */

struct login {
	struct attempt attempt;
	struct session_tokens tokens;
	uint64_t ticket; /* that stands for the password; 0: none */
	size_t code_len;
	uint8_t code[16];
};

/* ---- accounts ---- */

int
account_by_name(struct db *db, struct span name, struct account *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_USER_LOGIN, ST(name));
	int err = sql_step(&q);

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->org = sql_i64(&q);
	sql_text_of(&q, ret->name, sizeof(ret->name));
	ret->level = (uint8_t)sql_i64(&q);
	ret->status = (uint8_t)sql_i64(&q);
	sql_text_of(&q, ret->phc, sizeof(ret->phc));
	sql_text_of(&q, ret->org_name, sizeof(ret->org_name));
	return 1;
}

int
account_by_id(struct db *db, int64_t id, struct account *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_USER_ACTOR, SI(id));
	int err = sql_step(&q);

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->org = sql_i64(&q);
	sql_text_of(&q, ret->name, sizeof(ret->name));
	ret->level = (uint8_t)sql_i64(&q);
	ret->status = (uint8_t)sql_i64(&q);
	sql_text_of(&q, ret->org_name, sizeof(ret->org_name));
	ret->phc[0] = '\0';
	return 1;
}

const char *
account_refusal(const struct account *a, uint8_t listener)
{
	if (a->status == STATUS_FROZEN)
		return "frozen";
	if (a->status != STATUS_ACTIVE)
		return "suspended";
	if (listener != 1 && a->level >= LEVEL_ADMIN)
		return "administrator at the public listener";
	return NULL;
}

void
account_actor(const struct account *a, struct actor *ret)
{
	ret->user = a->id;
	ret->org = a->org;
	ret->level = a->level;
	memcpy(ret->name, a->name, sizeof(ret->name));
	memcpy(ret->org_name, a->org_name, sizeof(ret->org_name));
}

int
worker_is(const struct worker *w, int64_t user)
{
	return w->is_authed && w->actor.user != user ? SP_EMISDIRECT : SP_OK;
}

void
worker_login(struct worker *w, const struct actor *actor, int64_t token_end_us)
{
	w->actor = *actor;
	w->actor.listener = w->listener;
	w->token_end_us = token_end_us;
	w->is_authed = true;
	w->only.id = 0;
	w->is_bound = false;
	w->access.gen = 0;
	addresses_good(w->broker, w->actor.address);
}

void
agent_take(struct actor *actor, struct span agent)
{
	size_t n = 0;

	for (size_t i = 0; i < agent.len && n + 4 < sizeof(actor->agent);) {
		uint32_t cp;
		size_t len = utf8_next(span_skip(agent, i), &cp);

		if (len == 0 || cp < 0x20 || cp == 0x7f) {
			actor->agent[n++] = '?';
			i++;
			continue;
		}
		memcpy(actor->agent + n, agent.ptr + i, len);
		n += len;
		i += len;
	}
	actor->agent[n] = '\0';
}

/* ---- refusals ---- */

struct refusal {
	struct op op;
	int err;
	uint32_t retry_after;
};

static void
refused(struct broker *b, struct op *op, const struct answer *a)
{
	struct refusal *r = (struct refusal *)op;

	/* the client's answer is the same when the log does not take the event */
	(void)a;
	op_fail(b, op, r->err, r->retry_after);
}

static void
refusal_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	(void)a;
	op_commit(b, op, refused);
}

/* Guesses count for the address.  A token that has ended is no guess; one that is locked out is
 * told so, and gains nothing by trying on. */
static void
score_failure(struct broker *b, const struct op *op, struct span name, const char *reason, int err)
{
	bool unknown = strcmp(reason, "no such user") == 0;

	if (name.len != 0 && (err == SP_EAUTH || err == SP_EMISDIRECT))
		addresses_score(b, op->actor.address,
		    unknown ? CONTACT_LOGIN_UNKNOWN : CONTACT_LOGIN_FAILED, 0);
}

void
login_failed(struct broker *b, struct op *op, struct span name, const char *reason, int err,
    uint32_t retry_after)
{
	struct refusal *r = op_new(b, NULL, sizeof(*r));
	struct record rec;
	struct actor who = op->actor;

	b->count.logins_failed++;
	score_failure(b, op, name, reason, err);
	if (r == NULL) {
		op_fail(b, op, err, retry_after);
		return;
	}
	r->op.serial = op->serial;
	r->op.actor = op->actor;
	r->op.fail = op->fail;
	r->err = err;
	r->retry_after = retry_after;
	who.name[0] = who.org_name[0] = '\0';
	if (utf8_valid(name))
		(void)memccpy(who.name, name.ptr, '\0', name.len < 64 ? name.len : 64);
	record_init(
	    &rec, err == SP_ELOCKOUT ? EVENT_LOGIN_LOCKOUT : EVENT_LOGIN_FAILED, &who, op->serial);
	record_text(&rec, "reason", span_str(reason));
	op_end(b, op);
	if (!flood_admit(b, who.address) ||
	    ledger_record(b, &r->op, &rec, refusal_recorded) != SP_OK)
		op_commit(b, &r->op, refused);
}

/* ---- sessions ---- */

/* a script that logs in each time must not fill the database: the oldest session makes room */
static int
make_room(struct broker *b, int64_t user)
{
	int64_t n, oldest;
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_SESSIONS_OF_USER, SI(user));

		if ((err = sql_step(&q)) != 1)
			return err;
		n = sql_i64(&q);
		oldest = sql_i64(&q);
	}
	return n < SESSIONS_MAX ? SP_OK : sql_run(b->db, SQL_SESSION_REMOVE, SI(oldest));
}

static int
make_tokens(struct session_tokens *t)
{
	int err = token_make("spa_", t->access, t->access_hash);

	if (err == SP_OK)
		err = token_make("spr_", t->refresh, t->refresh_hash);
	t->is_made = err == SP_OK;
	return err;
}

int
session_record(const struct actor *actor, struct session_tokens *t, struct record *rec)
{
	char line[256];
	struct text text = text_of(line, sizeof(line));
	int err = make_tokens(t);

	if (err != SP_OK)
		return err;
	text_str(&text, "access=");
	text_hex(&text, span_of(t->access_hash, 16));
	text_str(&text, " refresh=");
	text_hex(&text, span_of(t->refresh_hash, 16));
	text_fmt(
	    &text, " user=%lld listener=%u", (long long)actor->user, (unsigned)actor->listener);
	if (t->is_bound) {
		text_str(&text, " key=");
		text_hex(&text, span_of(t->jkt, 16));
	}
	record_text(rec, "tokens", text_span(&text));
	return SP_OK;
}

int
session_add(struct broker *b, struct actor *actor, enum door door, struct session_tokens *ret)
{
	const struct conf *c = &b->start.conf;
	int64_t now_us = b->wall_us();
	int64_t end_us = now_us + c->session_max * 1000000;
	int err;

	ret->access_end_us = now_us + c->token_lifetime * 1000000;
	if (ret->is_bound || ret->access_end_us > end_us) /* a bound one needs no renewal */
		ret->access_end_us = end_us;
	if (door != DOOR_HTTPS)
		ret->access_end_us = end_us = 0;
	else if ((err = make_room(b, actor->user)) != SP_OK)
		return err;
	if (!ret->is_made && (err = make_tokens(ret)) != SP_OK)
		return err;
	err = sql_run(b->db, SQL_SESSION_ADD, SI(actor->user), SI(actor->listener),
	    SB(span_of(ret->access_hash, 32)), SB(span_of(ret->refresh_hash, 32)), SI(now_us),
	    SI(ret->access_end_us), SI(end_us), ST(span_str(actor->address)),
	    ST(span_str(actor->agent)), SI(door),
	    SB(span_of(ret->jkt, ret->is_bound ? sizeof(ret->jkt) : 0)));
	ret->is_made = false; /* the next session has others */
	ret->session = db_last_id(b->db);
	actor->session = ret->session;
	actor->token = 0;
	actor->scopes = RIGHT_ALL;
	return err;
}

void
session_reply(struct broker *b, uint64_t serial, struct session_tokens *t)
{
	int64_t left_us = t->access_end_us - b->wall_us();
	struct ipc_session m = {
	    .access = span_str(t->access),
	    .refresh = span_str(t->refresh),
	    .expires_s = left_us > 0 ? (uint32_t)(left_us / 1000000) : 0,
	};

	REPLY(b, serial, SESSION, session, &m, -1);
	mem_wipe(b->out, sizeof(t->access) * 4);
	mem_wipe(t, sizeof(*t));
}

/* ---- the steps of a password login ---- */

static void
login_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct login *l = (struct login *)op;
	struct worker *w = worker_find(b, op->serial);

	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	b->count.logins_ok++;
	if (w != NULL) {
		worker_login(w, &op->actor, l->tokens.access_end_us);
		w->is_bound = l->tokens.is_bound;
		session_reply(b, op->serial, &l->tokens);
	}
	op_end(b, op);
}

static void
login_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct login *l = (struct login *)op;
	int err = a->err;

	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = attempt_settle(b, &l->attempt)) == SP_OK)
			err = session_add(b, &op->actor, DOOR_HTTPS, &l->tokens);
		if (err == SP_OK)
			err = network_seen(b, &op->actor, op->serial);
		if (err == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
	}
	if (err == SP_OK) {
		op_commit(b, op, login_done);
		return;
	}
	if (err != SP_EAUTH)
		attempt_refund(b, &l->attempt);
	op_fail(b, op, err, 0);
}

static void
login_proved(struct broker *b, struct op *op, const struct answer *a)
{
	struct login *l = (struct login *)op;
	struct record rec;
	int err;

	(void)a;
	ticket_spend(b, l->ticket);
	account_actor(&l->attempt.account, &op->actor);
	record_init(&rec, EVENT_LOGIN, &op->actor, op->serial);
	record_text(
	    &rec, "proof", l->attempt.by_code ? SPAN_LIT("password,code") : SPAN_LIT("password"));
	if ((err = session_record(&op->actor, &l->tokens, &rec)) != SP_OK ||
	    (err = ledger_record(b, op, &rec, login_recorded)) != SP_OK) {
		attempt_refund(b, &l->attempt);
		op_fail(b, op, err, 1);
	}
}

/* An account with one-time codes: the password was right, and is not enough. */
static void
password_right(struct broker *b, struct op *op, const struct answer *a)
{
	struct login *l = (struct login *)op;
	int err = otp_has(b->db, l->attempt.account.id);

	if (err == 0) {
		login_proved(b, op, a);
		return;
	}
	if (err == 1)
		err = attempt_code(b, &l->attempt, span_of(l->code, l->code_len), login_proved);
	if (err == SP_ENEEDCODE)
		ticket_earn(b, op->serial, &l->attempt);
	if (err != SP_OK) {
		attempt_refund(b, &l->attempt);
		op_fail(b, op, err, 0);
	}
}

/* With a proof it is a browser that logs in: its session is bound to that key. */
static int
bound_by(struct broker *b, struct login *l, struct span jwt, struct span method, struct span url)
{
	struct proof p = {.jwt = jwt, .method = method, .url = url};

	l->tokens.is_bound = jwt.len != 0;
	return l->tokens.is_bound ? proof_key(b, &p, l->tokens.jkt) : SP_OK;
}

int
login_by_ticket(
    struct broker *b, struct worker *w, const struct ticket *t, const struct ipc_login_ticket *m)
{
	struct span name = span_str(t->name);
	struct login *l;
	uint32_t wait_s = 0;
	int err;

	if (w->is_authed && w->actor.user != t->user)
		return SP_EMISDIRECT;
	if ((l = op_new(b, w, sizeof(*l))) == NULL)
		return SP_EUNAVAIL;
	if ((err = bound_by(b, l, m->proof, m->method, m->url)) != SP_OK) {
		op_end(b, &l->attempt.op);
		return err;
	}
	l->ticket = t->number;
	l->attempt.op.actor.listener = w->listener;
	agent_take(&l->attempt.op.actor, m->agent);
	err = attempt_begin(b, &l->attempt, name, 0, &wait_s);
	if (err == SP_OK && l->attempt.refusal == NULL &&
	    (l->attempt.account.id != t->user || strcmp(l->attempt.account.phc, t->phc) != 0))
		l->attempt.refusal = "the account has changed";
	if (err == SP_OK && l->attempt.refusal == NULL) {
		l->attempt.by_password = true;
		err = attempt_code(b, &l->attempt, m->code, login_proved);
		if (err != SP_OK)
			op_end(b, &l->attempt.op);
		return err;
	}
	if (err == SP_OK || err == SP_ELOCKOUT)
		login_failed(b, &l->attempt.op, name,
		    err == SP_OK ? l->attempt.refusal : "locked out", err == SP_OK ? SP_EAUTH : err,
		    wait_s);
	else
		op_end(b, &l->attempt.op);
	return err == SP_ELOCKOUT ? SP_OK : err;
}

int
handle_login_password(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_login_password m;
	struct login *l;
	uint32_t wait_s = 0;
	int err = ipc_get_login_password(body, &m);

	if (err != SP_OK)
		return err;
	if (w->is_authed && !span_ieq_str(m.user, w->actor.name))
		return SP_EMISDIRECT;
	if ((l = op_new(b, w, sizeof(*l))) == NULL)
		return SP_EUNAVAIL;
	if ((err = bound_by(b, l, m.proof, m.method, m.url)) != SP_OK) {
		op_end(b, &l->attempt.op);
		return err;
	}
	l->attempt.op.actor.listener = w->listener;
	agent_take(&l->attempt.op.actor, m.agent);
	l->code_len = m.code.len < sizeof(l->code) ? m.code.len : sizeof(l->code);
	memcpy(l->code, m.code.ptr, l->code_len);
	err = attempt_begin(b, &l->attempt, m.user, (int64_t)m.org, &wait_s);
	if (err == SP_ELOCKOUT) {
		login_failed(b, &l->attempt.op, m.user, "locked out", err, wait_s);
		return SP_OK;
	}
	if (err == SP_OK)
		err = attempt_password(b, &l->attempt, m.password, password_right);
	if (err != SP_OK)
		op_end(b, &l->attempt.op);
	return err;
}
