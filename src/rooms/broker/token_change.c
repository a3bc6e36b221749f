/* token_change.c - TOKEN_REFRESH and TOKEN_REVOKE: a session goes on with other tokens, or ends. */
#include "crypto/crypto.h"
#include "rooms/broker/token.h"
#include "sys/log.h"

struct token_change {
	struct op op;
	uint8_t hash[32]; /* of the token that was shown */
	int64_t session;
	struct session_tokens tokens;
};

static void
refresh_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct token_change *t = (struct token_change *)op;
	struct worker *w = worker_find(b, op->serial);
	int err = a->err;

	if (err == SP_OK && w != NULL && (err = worker_is(w, op->actor.user)) == SP_OK) {
		worker_login(w, &op->actor, t->tokens.access_end_us);
		session_reply(b, op->serial, &t->tokens);
	}
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_end(b, op);
}

/* both tokens are replaced; the old refresh token is remembered as spent */
static int
renew(struct broker *b, struct token_change *t)
{
	struct session_row row;
	int64_t now_us = b->wall_us();
	int err = session_get(b->db, SQL_SESSION_BY_REFRESH, t->hash, &row);

	if (err != 1)
		return err < 0 ? err : SP_EAUTH;
	t->tokens.session = row.id;
	t->tokens.access_end_us = now_us + b->start.conf.token_lifetime * 1000000;
	if (t->tokens.access_end_us > row.end_us)
		t->tokens.access_end_us = row.end_us;
	if ((err = db_mark(b->db)) != SP_OK)
		return err;
	if ((err = sql_run(b->db, SQL_SPENT_ADD, SB(span_of(t->hash, 32)), SI(row.id))) == SP_OK)
		err = sql_run(b->db, SQL_SESSION_RENEW, SI(row.id),
		    SB(span_of(t->tokens.access_hash, 32)), SB(span_of(t->tokens.refresh_hash, 32)),
		    SI(now_us), SI(t->tokens.access_end_us));
	if (err == SP_OK)
		return db_keep(b->db);
	db_undo(b->db);
	return err;
}

static void
refresh_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	int err = a->err == SP_OK ? renew(b, (struct token_change *)op) : a->err;

	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, refresh_done);
}

static void
revoke_done(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static void
revoke_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct token_change *t = (struct token_change *)op;
	int err = a->err == SP_OK ? sql_run(b->db, SQL_SESSION_REMOVE, SI(t->session)) : a->err;

	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, revoke_done);
}

static void
theft_done(struct broker *b, struct op *op, const struct answer *a)
{
	(void)a; /* the answer is the same when the commit failed */
	op_fail(b, op, SP_EAUTH, 0);
}

static void
theft_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct token_change *t = (struct token_change *)op;

	/* the session ends even when the log does not answer: it only takes power away */
	(void)a;
	if (sql_run(b->db, SQL_SESSION_REMOVE, SI(t->session)) != SP_OK)
		log_error("a session with a stolen refresh token could not be ended");
	op_commit(b, op, theft_done);
}

static int
load_actor(struct broker *b, struct worker *w, int64_t user, struct op *op, const char **ret_reason)
{
	struct account account;
	int err = account_by_id(b->db, user, &account);

	if (err != 1)
		return err < 0 ? err : SP_EAUTH;
	account_actor(&account, &op->actor);
	op->actor.listener = w->listener;
	*ret_reason = account_refusal(&account, w->listener);
	return SP_OK;
}

/* a refresh token that was exchanged before: somebody has a copy, so the session ends */
static int
spent_token(struct broker *b, struct worker *w, struct token_change *t)
{
	const char *reason = NULL;
	struct record rec;
	int64_t user;
	int err;
	{
		DEFER(sql_end)
		struct sql q = sql_query(b->db, SQL_SPENT_GET, SB(span_of(t->hash, 32)));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_EAUTH;
		t->session = sql_i64(&q);
		user = sql_i64(&q);
	}
	if ((err = load_actor(b, w, user, &t->op, &reason)) != SP_OK)
		return err;
	record_init(&rec, EVENT_SESSION_REVOKED, &t->op.actor, t->op.serial);
	record_num(&rec, "session", t->session);
	record_text(&rec, "reason", SPAN_LIT("a refresh token was used twice"));
	return ledger_record(b, &t->op, &rec, theft_recorded);
}

static int
refresh_begin(struct broker *b, struct worker *w, struct token_change *t)
{
	const char *reason = NULL;
	struct session_row row;
	struct record rec;
	int err = session_get(b->db, SQL_SESSION_BY_REFRESH, t->hash, &row);

	if (err < 0)
		return err;
	if (err == 0)
		return spent_token(b, w, t);
	if (row.listener != w->listener || row.is_bound) /* nobody is told a browser's */
		return SP_EAUTH;
	if (session_is_over(b, row.used_us, row.end_us))
		return SP_ESESSION;
	if ((err = worker_is(w, row.user)) != SP_OK ||
	    (err = load_actor(b, w, row.user, &t->op, &reason)) != SP_OK)
		return err;
	if (reason != NULL)
		return SP_EAUTH;
	t->session = t->op.actor.session = row.id;
	t->op.actor.token = 0;
	t->op.actor.scopes = RIGHT_ALL;
	record_init(&rec, EVENT_TOKEN_REFRESH, &t->op.actor, t->op.serial);
	record_num(&rec, "session", row.id);
	if ((err = session_record(&t->op.actor, &t->tokens, &rec)) != SP_OK)
		return err;
	return ledger_record(b, &t->op, &rec, refresh_recorded);
}

int
handle_token_refresh(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_token_refresh m;
	struct token_change *t;
	int err = ipc_get_token_refresh(body, &m);

	if (err != SP_OK)
		return err;
	if ((t = op_new(b, w, sizeof(*t))) == NULL)
		return SP_EUNAVAIL;
	agent_take(&t->op.actor, m.agent);
	if ((err = sha256(m.token, t->hash)) == SP_OK)
		err = refresh_begin(b, w, t);
	if (err == SP_OK)
		return SP_OK;
	op_end(b, &t->op);
	return err == SP_EAUTH ? token_refuse(b, w, m.agent, "refresh token", err) : err;
}

static int
revoke_begin(struct broker *b, struct worker *w, struct token_change *t)
{
	const char *reason = NULL;
	struct session_row row;
	struct record rec;
	int err = session_get(b->db, SQL_SESSION_BY_ACCESS, t->hash, &row);

	if (err == 0)
		err = session_get(b->db, SQL_SESSION_BY_REFRESH, t->hash, &row);
	if (err != 1)
		return err < 0 ? err : SP_EAUTH;
	if ((err = load_actor(b, w, row.user, &t->op, &reason)) != SP_OK)
		return err;
	t->session = row.id;
	record_init(&rec, EVENT_LOGOUT, &t->op.actor, t->op.serial);
	record_num(&rec, "session", row.id);
	return ledger_record(b, &t->op, &rec, revoke_recorded);
}

int
handle_token_revoke(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_token_revoke m;
	struct token_change *t;
	int err = ipc_get_token_revoke(body, &m);

	if (err != SP_OK)
		return err;
	if ((t = op_new(b, w, sizeof(*t))) == NULL)
		return SP_EUNAVAIL;
	if ((err = sha256(m.token, t->hash)) == SP_OK)
		err = revoke_begin(b, w, t);
	if (err != SP_OK)
		op_end(b, &t->op);
	return err;
}
