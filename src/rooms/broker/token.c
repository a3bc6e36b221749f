/* token.c - sessions and API tokens: random, stored hashed, bound to the door they were made at. */
#include <stdio.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/token.h"

#define TOUCH_US (30 * 1000000ll) /* a session's last use is written this often at most */

int
token_make(const char *prefix, char text[TOKEN_TEXT], uint8_t hash[32])
{
	uint8_t raw[32];
	struct text t = text_of(text, TOKEN_TEXT);
	int err = crypto_random(raw, sizeof(raw));

	if (err != SP_OK)
		return err;
	text_str(&t, prefix);
	base64url_put(&t, span_of(raw, sizeof(raw)));
	mem_wipe(raw, sizeof(raw));
	VERIFY(!t.bad);
	return sha256(text_span(&t), hash);
}

/* ---- rows ---- */

int
session_get(struct db *db, enum sql_id id, const uint8_t hash[32], struct session_row *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, id, SB(span_of(hash, 32)));
	int err = sql_step(&q);
	struct span jkt;

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->user = sql_i64(&q);
	ret->listener = sql_i64(&q);
	ret->used_us = sql_i64(&q);
	ret->access_end_us = sql_i64(&q);
	ret->end_us = sql_i64(&q);
	sql_text_of(&q, ret->address, sizeof(ret->address));
	jkt = sql_blob(&q);
	ret->is_bound = jkt.len == sizeof(ret->jkt);
	if (ret->is_bound)
		memcpy(ret->jkt, jkt.ptr, sizeof(ret->jkt));
	return ret->is_bound || jkt.len == 0 ? 1 : SP_EDAMAGED;
}

bool
session_is_over(const struct broker *b, int64_t used_us, int64_t end_us)
{
	int64_t now_us = b->wall_us();

	return now_us >= end_us || now_us - used_us >= b->start.conf.session_idle * 1000000;
}

static int
touch(struct broker *b, int64_t session, int64_t used_us)
{
	int64_t now_us = b->wall_us(), every_us = b->start.conf.session_idle * 1000000 / 8;

	if (every_us > TOUCH_US)
		every_us = TOUCH_US;
	if (now_us - used_us < every_us || b->is_full)
		return SP_OK;
	return sql_run(b->db, SQL_SESSION_TOUCH, SI(session), SI(now_us));
}

/* the row must be there (it goes when the session is revoked), and not have run out */
static int
check_session(struct broker *b, int64_t session, bool finish)
{
	int64_t used_us, end_us, door;
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_SESSION_BY_ID, SI(session));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ESESSION;
		(void)sql_i64(&q), (void)sql_i64(&q), (void)sql_i64(&q);
		used_us = sql_i64(&q), (void)sql_i64(&q), end_us = sql_i64(&q);
		(void)sql_text(&q), (void)sql_text(&q), door = sql_i64(&q);
	}
	/* a connection of the SFTP door lasts until its worker ends it, or the session is revoked
	 */
	if (finish || door != DOOR_HTTPS)
		return SP_OK;
	return session_is_over(b, used_us, end_us) ? SP_ESESSION : touch(b, session, used_us);
}

static int
check_api_token(struct broker *b, int64_t token)
{
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_TOKEN_BY_ID, SI(token));
	int err = sql_step(&q);

	return err == 1 ? SP_OK : err < 0 ? err : SP_ESESSION;
}

int
session_alive(struct broker *b, struct worker *w, bool finish)
{
	struct account account;
	int err;

	if (!w->is_authed || (!finish && b->wall_us() >= w->token_end_us))
		return SP_ESESSION;
	err = w->actor.session != 0 ? check_session(b, w->actor.session, finish)
				    : check_api_token(b, w->actor.token);
	if (err != SP_OK)
		return err;
	if ((err = account_by_id(b->db, w->actor.user, &account)) != 1)
		return err < 0 ? err : SP_ESESSION;
	if (account_refusal(&account, w->listener) != NULL)
		return SP_ESESSION;
	account_actor(&account, &w->actor);
	return SP_OK;
}

bool
session_is_needed(const struct broker *b, int64_t session)
{
	for (const struct worker *w = b->all; w != NULL; w = w->next)
		if (w->uploads != NULL && w->actor.session == session)
			return true;
	return false;
}

/* ---- LOGIN_TOKEN ---- */

struct token_login {
	struct op op;
	int64_t end_us;
	int64_t api_token;
	struct only only;      /* what the pass is for */
	bool is_bound;	       /* a browser's session */
	int64_t session, user; /* whose token was shown, before anything is proved */
};

static void
principal_reply(struct broker *b, uint64_t serial, const struct actor *actor)
{
	struct ipc_principal m = {
	    .user = (uint64_t)actor->user,
	    .org = (uint64_t)actor->org,
	    .name = span_str(actor->name),
	};

	REPLY(b, serial, PRINCIPAL, principal, &m, -1);
}

static void
token_login_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct token_login *t = (struct token_login *)op;
	struct worker *w = worker_find(b, op->serial);
	int err = a->err;

	if (err == SP_OK && w != NULL && (err = worker_is(w, op->actor.user)) == SP_OK) {
		worker_login(w, &op->actor, t->end_us);
		w->only = t->only;
		w->is_bound = t->is_bound;
		b->count.logins_ok++;
		principal_reply(b, op->serial, &op->actor);
	}
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_end(b, op);
}

static void
token_login_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct token_login *t = (struct token_login *)op;
	int err = a->err;

	if (err == SP_OK && t->api_token != 0 && !b->is_full)
		err = sql_run(b->db, SQL_TOKEN_USED, SI(t->api_token), SI(b->wall_us()));
	if (err == SP_OK && !b->is_full)
		err = network_seen(b, &op->actor, op->serial);
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, token_login_done);
}

int
token_refuse(struct broker *b, struct worker *w, struct span agent, const char *reason, int err)
{
	struct op *op = op_new(b, w, sizeof(*op));

	if (op == NULL)
		return err;
	agent_take(&op->actor, agent);
	login_failed(b, op, span_of(NULL, 0), reason, err, 0);
	return SP_OK;
}

/* The account behind a token; SP_EAUTH with the reason when it may not be used here. */
static int
admit(struct broker *b, struct worker *w, int64_t user, struct token_login *t,
    const char **ret_reason)
{
	struct account account;
	int err = account_by_id(b->db, user, &account);

	if (err < 0)
		return err;
	*ret_reason = err == 0 ? "no such user" : account_refusal(&account, w->listener);
	if (*ret_reason != NULL)
		return SP_EAUTH;
	account_actor(&account, &t->op.actor);
	return worker_is(w, user);
}

/* Is it shown as its session wants it: a browser's with a proof by its key, a bearer's without one?
 * Who has a copy of the token alone is on record. */
static int
check_proof(struct broker *b, const struct session_row *row, const struct proof *proof,
    const uint8_t hash[32], const char **ret_reason)
{
	int err;

	if (proof->pass.len != 0) {
		*ret_reason = "pass that is not good, or not any more";
		return row->is_bound ? pass_check(b, row->id, proof->only, proof->pass) : SP_EPROOF;
	}
	*ret_reason =
	    row->is_bound ? "a browser's token without its proof" : "proof for a bearer's token";
	if (row->is_bound != (proof->jwt.len != 0))
		return SP_EPROOF;
	*ret_reason = "wrong proof";
	if (!row->is_bound)
		return SP_OK;
	err = proof_check(b, proof, hash, row->jkt);
	if (err == SP_ENONCE)
		*ret_reason = NULL; /* every few minutes */
	return err;
}

static int
login_session(struct broker *b, struct worker *w, const uint8_t hash[32], const struct proof *proof,
    struct token_login *t, const char **ret_reason)
{
	struct session_row row;
	int err = session_get(b->db, SQL_SESSION_BY_ACCESS, hash, &row);
	char here[64], there[64];

	if (err < 0)
		return err;
	*ret_reason = "no such token";
	if (err == 0)
		return SP_EAUTH;
	*ret_reason = NULL; /* an expired one is an everyday thing: not recorded */
	if (session_is_over(b, row.used_us, row.end_us) || b->wall_us() >= row.access_end_us)
		return SP_ESESSION;
	if (row.listener != w->listener) {
		*ret_reason = "token of another door";
		return SP_EAUTH;
	}
	t->session = row.id;
	t->user = row.user;
	if ((err = check_proof(b, &row, proof, hash, ret_reason)) != SP_OK)
		return err;
	*ret_reason = NULL;
	if ((err = admit(b, w, row.user, t, ret_reason)) != SP_OK ||
	    (err = touch(b, row.id, row.used_us)) != SP_OK)
		return err;
	t->is_bound = row.is_bound;
	t->op.actor.session = row.id;
	t->op.actor.token = 0;
	t->op.actor.scopes = RIGHT_ALL;
	t->end_us = row.access_end_us;
	lockout_key_address(w->actor.address, here, sizeof(here));
	lockout_key_address(row.address, there, sizeof(there));
	return strcmp(here, there) == 0 ? 1 : 0;
}

static int
login_api_token(struct broker *b, struct worker *w, const uint8_t hash[32], struct token_login *t,
    const char **ret_reason)
{
	int64_t id, user, scopes, expires_us;
	char name[256];
	int err;
	{
		DEFER(sql_end)
		struct sql q = sql_query(b->db, SQL_TOKEN_BY_HASH, SB(span_of(hash, 32)));

		if ((err = sql_step(&q)) < 0)
			return err;
		*ret_reason = "no such token";
		if (err == 0)
			return SP_EAUTH;
		id = sql_i64(&q), user = sql_i64(&q), scopes = sql_i64(&q);
		sql_text_of(&q, name, sizeof(name));
		expires_us = sql_i64(&q);
	}
	*ret_reason = "expired token";
	if (expires_us != 0 && b->wall_us() >= expires_us)
		return SP_EAUTH;
	if ((err = admit(b, w, user, t, ret_reason)) != SP_OK)
		return err;
	t->op.actor.session = 0;
	t->op.actor.token = t->api_token = id;
	t->op.actor.scopes = (uint16_t)(scopes & RIGHT_ALL);
	t->end_us = expires_us != 0 ? expires_us : INT64_MAX;
	return w->is_authed && w->actor.token == id ? 1 : 0;
}

/* record that the token was used here, then answer */
static int
record_token_login(struct broker *b, struct token_login *t)
{
	struct record rec;

	record_init(&rec, EVENT_LOGIN, &t->op.actor, t->op.serial);
	record_text(&rec, "proof", t->api_token != 0 ? SPAN_LIT("token") : SPAN_LIT("session"));
	record_num(&rec, t->api_token != 0 ? "token" : "session",
	    t->api_token != 0 ? t->api_token : t->op.actor.session);
	return ledger_record(b, &t->op, &rec, token_login_recorded);
}

/* A browser's token without what belongs to it: whose copy it may be is on record. */
static int
refuse_proof(struct broker *b, struct worker *w, struct span agent, const char *reason,
    int64_t user, int64_t session)
{
	struct account account = {.name = ""};
	char why[192];

	if (account_by_id(b->db, user, &account) < 0)
		return SP_EPROOF;
	(void)snprintf(
	    why, sizeof(why), "%s: session %lld of %s", reason, (long long)session, account.name);
	return token_refuse(b, w, agent, why, SP_EPROOF);
}

/* what was shown, judged; then recorded, if it has to be */
static int
login(struct broker *b, struct worker *w, struct span token, struct span agent,
    const struct proof *proof)
{
	struct token_login *t;
	const char *reason = "not a token";
	int64_t user, session;
	uint8_t hash[32];
	int err = sha256(token, hash);

	if (err != SP_OK)
		return err;
	if ((t = op_new(b, w, sizeof(*t))) == NULL)
		return SP_EUNAVAIL;
	t->op.actor.listener = w->listener;
	agent_take(&t->op.actor, agent);
	t->only = proof->only;
	err = SP_EAUTH;
	if (span_starts(token, SPAN_LIT("spa_")))
		err = login_session(b, w, hash, proof, t, &reason);
	else if (span_starts(token, SPAN_LIT("spt_")) && proof->pass.len == 0)
		err = login_api_token(b, w, hash, t, &reason);
	if (err == 1) {
		/* already on record: the session's login from this address, or this token on this
		 * connection */
		const struct answer good = {0};

		token_login_done(b, &t->op, &good);
		return SP_OK;
	}
	if (err == SP_OK && (err = record_token_login(b, t)) == SP_OK)
		return SP_OK;
	user = t->user;
	session = t->session;
	op_end(b, &t->op);
	if (err == SP_EPROOF && reason != NULL)
		return refuse_proof(b, w, agent, reason, user, session);
	return err == SP_EAUTH && reason != NULL ? token_refuse(b, w, agent, reason, err) : err;
}

int
handle_login_token(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_login_token m;
	struct proof proof = {.only = {0}};
	int err = ipc_get_login_token(body, &m);

	if (err != SP_OK)
		return err;
	proof.jwt = m.proof, proof.method = m.method, proof.url = m.url;
	return login(b, w, m.token, m.agent, &proof);
}

int
handle_login_pass(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_login_pass m;
	struct proof proof = {.only = {0}};
	int err = ipc_get_login_pass(body, &m);

	if (err != SP_OK)
		return err;
	if (m.pass.len == 0 || m.id == 0)
		return SP_EPROOF;
	proof.pass = m.pass;
	proof.only = (struct only){.id = (int64_t)m.id, .folder = m.folder != 0};
	return login(b, w, m.token, m.agent, &proof);
}
