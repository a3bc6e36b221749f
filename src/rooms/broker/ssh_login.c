/* ssh_login.c - logins over SSH: LOGIN_KEY and LOGIN_SECRET of one connection, until its policy is
 * met.
 *
 * What a worker says proves nothing: the session identifier comes from the signer, the user name is
 * that of the first request, keys and hashes are in the database. */
#include "base/name.h"
#include "base/text.h"
#include "rooms/broker/attempt.h"
#include "rooms/broker/ssh_keys.h"
#include "rooms/broker/ssh_policy.h"
#include "sys/log.h"

#define SSH_QUERIES_MAX 20u /* keys that a connection may ask about without a signature */
#define SESSION_BYTES_MAX 64u
#define NAME_BYTES_MAX 255u
#define TOO_MANY "this user has too many connections"

/* struct ssh_seat - the login of one connection. */
struct ssh_seat {
	uint8_t session[SESSION_BYTES_MAX], name[NAME_BYTES_MAX];
	size_t session_len, name_len;
	unsigned queries;
	bool has_name, is_logging_in;
	int64_t user; /* whose proofs they are; 0: nothing was proved */
	struct ssh_policy policy;
	char proofs[512]; /* in their order */
	bool by_password, by_code;
	char phc[256];		   /* by_password: the one that was checked */
	struct ssh_key_found *key; /* owned; NULL: none was proved */
};

struct ssh_try {
	struct attempt attempt;
	enum ssh_proof proof;
	char algorithms[256];
	struct session_tokens tokens;
	struct ssh_key_found key;
};

/* ---- the seat ---- */

int
ssh_vouch(struct broker *b, const struct ipc_ssh_vouch *m)
{
	struct worker *w = worker_find(b, m->serial);

	if (w == NULL || w->is_dead)
		return SP_OK; /* it has ended meanwhile */
	if (w->room != ROOM_WORKER_SFTP || w->ssh != NULL ||
	    (m->session.len != 32 && m->session.len != 48 && m->session.len != SESSION_BYTES_MAX))
		return SP_EDENIEDMSG;
	if ((w->ssh = mem_alloc(sizeof(*w->ssh))) == NULL) {
		worker_end(b, w);
		return SP_OK;
	}
	memcpy(w->ssh->session, m->session.ptr, m->session.len);
	w->ssh->session_len = m->session.len;
	return SP_OK;
}

/* the end of a connection is on record when it was logged in, and when the session was not revoked
 * before */
static void
session_over(struct broker *b, struct worker *w)
{
	struct record rec;

	if (sql_run(b->db, SQL_SESSION_REMOVE, SI(w->actor.session)) != SP_OK)
		log_warning("session %lld stays until the next start", (long long)w->actor.session);
	else if (db_changes(b->db) != 0 && !b->is_stopping && b->ledger.fd >= 0) {
		record_init(&rec, EVENT_LOGOUT, &w->actor, w->serial);
		record_num(&rec, "session", w->actor.session);
		ledger_note(b, &rec);
	}
	w->actor.session = 0;
}

void
ssh_forget(struct broker *b, struct worker *w)
{
	if (w->ssh != NULL) {
		mem_free(w->ssh->key);
		mem_wipe(w->ssh, sizeof(*w->ssh));
		mem_free(w->ssh);
		w->ssh = NULL;
	}
	if (w->room == ROOM_WORKER_SFTP && w->is_authed && w->actor.session != 0)
		session_over(b, w);
}

struct span
ssh_tried_name(const struct worker *w)
{
	return w->ssh != NULL ? span_of(w->ssh->name, w->ssh->name_len) : span_of(NULL, 0);
}

static unsigned
connections_of(const struct broker *b, int64_t user, uint64_t but)
{
	unsigned n = 0;

	for (const struct worker *w = b->all; w != NULL; w = w->next)
		if (w->room == ROOM_WORKER_SFTP && !w->is_dead && w->serial != but)
			n += w->is_authed
				 ? w->actor.user == user
				 : w->ssh != NULL && w->ssh->is_logging_in && w->ssh->user == user;
	return n;
}

/* ---- answers ---- */

static struct ssh_seat *
seat_of(struct broker *b, uint64_t serial)
{
	struct worker *w = worker_find(b, serial);

	return w != NULL && !w->is_dead ? w->ssh : NULL;
}

static void
answer(struct broker *b, uint64_t serial, enum ssh_auth_state state)
{
	const struct ssh_seat *s = seat_of(b, serial);
	char list[SSH_METHODS_TEXT_MAX + 1];
	struct text t = text_of(list, sizeof(list));
	struct ipc_ssh_auth m = {.state = (uint8_t)state};

	if (s == NULL)
		return;
	if (state == SSH_AUTH_PARTIAL || state == SSH_AUTH_REFUSED)
		ssh_policy_methods(&s->policy, &t);
	m.methods = text_span(&t);
	m.code = s->policy.step == STEP_CODE || s->policy.step == STEP_ASKED;
	REPLY(b, serial, SSH_AUTH, ssh_auth, &m, -1);
}

/* op_fail of an attempt: what was no proof is REFUSED with what can still be tried */
static void
try_failed(struct broker *b, struct op *op, int err, uint32_t retry_after)
{
	struct ssh_seat *s = seat_of(b, op->serial);

	if (s != NULL)
		ssh_policy_failed(&s->policy);
	if (err == SP_EAUTH)
		answer(b, op->serial, SSH_AUTH_REFUSED);
	else
		reply_failed(b, op->serial, err, retry_after);
}

static void
too_many_failed(struct broker *b, struct op *op, int err, uint32_t retry_after)
{
	struct ipc_failed m = {
	    .err = (uint16_t)-err, .retry_after = retry_after, .detail = SPAN_LIT(TOO_MANY)};

	b->count.failed++;
	REPLY(b, op->serial, FAILED, failed, &m, -1);
}

/* a failure that is judged here and now */
static void
refuse(struct broker *b, struct ssh_try *t, const char *reason, bool charge)
{
	int err = charge ? attempt_charge(b, &t->attempt) : SP_OK;

	if (err != SP_OK)
		op_fail(b, &t->attempt.op, err, 1);
	else
		login_failed(b, &t->attempt.op, span_str(t->attempt.name), reason, SP_EAUTH, 0);
}

/* ---- done: everything that is needed was proved ---- */

static void
login_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct ssh_try *t = (struct ssh_try *)op;
	struct worker *w = worker_find(b, op->serial);
	struct ipc_ssh_auth m = {
	    .state = SSH_AUTH_DONE,
	    .user = (uint64_t)op->actor.user,
	    .org = (uint64_t)op->actor.org,
	    .name = span_str(op->actor.name),
	};

	if (w != NULL && w->ssh != NULL)
		w->ssh->is_logging_in = false;
	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	if (w == NULL || w->is_dead) {
		if (sql_run(b->db, SQL_SESSION_REMOVE, SI(t->tokens.session)) != SP_OK)
			log_warning("session %lld stays until the next start",
			    (long long)t->tokens.session);
		op_end(b, op);
		return;
	}
	b->count.logins_ok++;
	worker_login(w, &op->actor, INT64_MAX);
	signer_tell(b, w->serial);
	REPLY(b, op->serial, SSH_AUTH, ssh_auth, &m, -1);
	op_end(b, op);
}

/* Inside the transaction: is all that was proved in this and earlier requests still so? */
static int
settle(struct broker *b, struct ssh_try *t, const struct ssh_seat *s)
{
	struct attempt *a = &t->attempt;
	int err;

	a->by_password = s->by_password;
	a->by_code = s->by_code;
	memcpy(a->account.phc, s->phc, sizeof(a->account.phc));
	if ((err = attempt_settle(b, a)) == SP_OK && s->key != NULL)
		err = ssh_key_still(b->db, &a->account, s->key, b->wall_us());
	if (err == SP_OK)
		err = session_add(b, &a->op.actor, DOOR_SFTP, &t->tokens);
	if (err == SP_OK)
		err = network_seen(b, &a->op.actor, a->op.serial);
	mem_wipe(t->tokens.access, sizeof(t->tokens.access));
	mem_wipe(t->tokens.refresh, sizeof(t->tokens.refresh));
	return err;
}

static void
login_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct ssh_try *t = (struct ssh_try *)op;
	struct ssh_seat *s = seat_of(b, op->serial);
	int err = s == NULL ? SP_ECLOSED : a->err;

	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = settle(b, t, s)) == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
	}
	if (err == SP_OK) {
		op_commit(b, op, login_done);
		return;
	}
	if (s != NULL)
		s->is_logging_in = false;
	if (err != SP_EAUTH)
		attempt_refund(b, &t->attempt);
	op_fail(b, op, err, 0);
}

static void
record_key(struct record *r, const struct ssh_key_found *k)
{
	char digits[24];
	struct text t = text_of(digits, sizeof(digits));

	record_text(r, "key", span_str(k->fingerprint));
	if (!k->by_certificate)
		return;
	record_text(r, "certificate", span_str(k->cert_id));
	text_u64(&t, k->cert_serial);
	record_text(r, "certificate_serial", text_span(&t));
	record_text(r, "ca", span_str(k->ca_fingerprint));
}

static void
finish(struct broker *b, struct ssh_try *t, struct ssh_seat *s)
{
	struct op *op = &t->attempt.op;
	struct record rec;
	int err;

	if (connections_of(b, s->user, op->serial) >=
	    (unsigned)b->start.conf.connections_per_user) {
		attempt_refund(b, &t->attempt);
		op->fail = too_many_failed;
		login_failed(b, op, span_str(t->attempt.name), TOO_MANY, SP_EUNAVAIL, 0);
		return;
	}
	account_actor(&t->attempt.account, &op->actor);
	record_init(&rec, EVENT_LOGIN, &op->actor, op->serial);
	record_text(&rec, "proof", span_str(s->proofs));
	if (s->key != NULL)
		record_key(&rec, s->key);
	record_text(&rec, "algorithms", span_str(t->algorithms));
	s->is_logging_in = true;
	if ((err = ledger_record(b, op, &rec, login_recorded)) == SP_OK)
		return;
	s->is_logging_in = false;
	attempt_refund(b, &t->attempt);
	op_fail(b, op, err, 1);
}

/* ---- a proof was good ---- */

/* note_proof - for the record: what counts.  A password that is followed by a code counts with it.
 */
static void
note_proof(struct ssh_seat *s, enum ssh_proof proof, bool is_asked)
{
	size_t n = strlen(s->proofs);
	struct text t = text_of(s->proofs + n, sizeof(s->proofs) - n);

	if (n != 0)
		text_chr(&t, ',');
	if (proof == PROOF_CODE && is_asked) {
		text_str(&t, ssh_proof_name(PROOF_PROMPT));
		text_chr(&t, ',');
	}
	text_str(&t, ssh_proof_name(proof));
}

static void
proved(struct broker *b, struct op *op, const struct answer *a)
{
	struct ssh_try *t = (struct ssh_try *)op;
	struct ssh_seat *s = seat_of(b, op->serial);
	enum ssh_auth_state state;
	bool is_asked;

	(void)a;
	if (s == NULL) {
		attempt_refund(b, &t->attempt);
		op_end(b, op);
		return;
	}
	is_asked = s->policy.step == STEP_ASKED;
	state = ssh_policy_proved(&s->policy, t->proof);
	s->user = t->attempt.account.id;
	if (state != SSH_AUTH_CODE)
		note_proof(s, t->proof, is_asked);
	s->by_code = s->by_code || t->attempt.by_code;
	if (t->attempt.by_password) {
		s->by_password = true;
		memcpy(s->phc, t->attempt.account.phc, sizeof(s->phc));
	}
	if (state == SSH_AUTH_DONE) {
		finish(b, t, s);
		return;
	}
	attempt_refund(b, &t->attempt);
	answer(b, op->serial, state);
	op_end(b, op);
}

/* ---- requests ---- */

/* What may be tried is read anew until something was proved; afterwards the account must be the
 * same one. */
static int
load_policy(struct broker *b, struct ssh_seat *s, struct attempt *a)
{
	char setting[SSH_METHODS_TEXT_MAX + 1] = "";
	int code, err;

	if (s->user != 0) {
		if (s->user != a->account.id ||
		    (s->by_password && strcmp(s->phc, a->account.phc) != 0))
			a->refusal = "the account has changed";
		return SP_OK;
	}
	if ((code = otp_has(b->db, a->account.id)) < 0)
		return code;
	{
		DEFER(sql_end)
		struct sql q = sql_query(b->db, SQL_USER_METHODS, SI(a->account.id));

		if ((err = sql_step(&q)) < 0)
			return err;
		if (err == 1)
			sql_text_of(&q, setting, sizeof(setting));
	}
	/* the command line stored nothing that cannot be read */
	return ssh_policy_init(&s->policy, span_str(setting), code == 1) == SP_OK ? SP_OK
										  : SP_EDAMAGED;
}

static void
copy(char *buf, size_t cap, struct span s)
{
	size_t n = s.len < cap - 1 ? s.len : cap - 1;

	memcpy(buf, s.ptr, n);
	buf[n] = '\0';
}

/* The first request fixes the name. */
static bool
is_named(struct ssh_seat *s, struct span user)
{
	if (!s->has_name) {
		VERIFY(user.len <= sizeof(s->name));
		memcpy(s->name, user.ptr, user.len);
		s->name_len = user.len;
		s->has_name = true;
	}
	return span_eq(user, span_of(s->name, s->name_len));
}

/* try_new - an attempt for worker w.
 *   ret     owned by the caller; NULL when the request is answered already
 *   errors  SP_EDENIEDMSG (nobody has vouched for a session: a violation) */
static int
try_new(struct broker *b, struct worker *w, struct span user, struct span algorithms,
    struct span agent, struct ssh_try **ret)
{
	struct ssh_try *t;
	uint32_t wait_s = 0;
	int err;

	*ret = NULL;
	if (w->ssh == NULL)
		signer_read(b); /* it vouched before the worker could know the session */
	if (w->ssh == NULL)
		return SP_EDENIEDMSG;
	if ((t = op_new(b, w, sizeof(*t))) == NULL)
		return SP_EUNAVAIL;
	t->attempt.op.fail = try_failed;
	t->attempt.op.actor.listener = w->listener;
	agent_take(&t->attempt.op.actor, agent);
	copy(t->algorithms, sizeof(t->algorithms), algorithms);
	if (!is_named(w->ssh, user)) {
		login_failed(b, &t->attempt.op, user, "changed user name", SP_EMISDIRECT, 0);
		return SP_OK;
	}
	err = attempt_begin(b, &t->attempt, user, 0, &wait_s);
	if (err == SP_ELOCKOUT) {
		login_failed(b, &t->attempt.op, user, "locked out", err, wait_s);
		return SP_OK;
	}
	if (err == SP_OK)
		err = load_policy(b, w->ssh, &t->attempt);
	if (err == SP_OK)
		*ret = t;
	else
		op_end(b, &t->attempt.op);
	return err;
}

/* Would such a key do?  Costs nothing but a place in the number of questions; who asks about a key
 * that would not is recorded. */
static void
query(struct broker *b, struct ssh_try *t, struct ssh_seat *s, int err, const char *why)
{
	char reason[160];
	struct text text = text_of(reason, sizeof(reason));

	text_str(&text, s->queries >= SSH_QUERIES_MAX ? "too many keys" : why);
	if (t->key.fingerprint[0] != '\0') {
		text_chr(&text, ' ');
		text_str(&text, t->key.fingerprint);
	}
	if (s->queries++ >= SSH_QUERIES_MAX)
		err = SP_EAUTH;
	if (err == SP_OK) {
		answer(b, t->attempt.op.serial, SSH_AUTH_KEY_OK);
		op_end(b, &t->attempt.op);
	} else if (err == SP_EAUTH)
		refuse(b, t, reason, /* charge= */ false);
	else
		op_fail(b, &t->attempt.op, err, 1);
}

/* the method "none" by which clients ask what there is: a name, and nothing else */
static void
no_key(struct broker *b, struct ssh_try *t, struct ssh_seat *s)
{
	struct span name = span_of(s->name, s->name_len);

	if (account_check(name) != SP_OK)
		refuse(b, t, t->attempt.refusal != NULL ? t->attempt.refusal : "no such user",
		    /* charge= */ false);
	else {
		answer(b, t->attempt.op.serial, SSH_AUTH_REFUSED);
		op_end(b, &t->attempt.op);
	}
}

static void
judge_key(struct broker *b, struct ssh_try *t, struct ssh_seat *s, const struct ssh_offer *o)
{
	struct attempt *a = &t->attempt;
	bool fips = b->start.conf.fips;
	const char *why = NULL;
	int err = ssh_key_find(
	    b->db, &a->account, o, a->op.actor.address, b->wall_us(), fips, &t->key, &why);

	if (a->refusal == NULL && !ssh_policy_takes(&s->policy, PROOF_KEY))
		a->refusal = "method out of turn";
	if (a->refusal != NULL && err >= SP_OK)
		err = SP_EAUTH;
	if (err == SP_EAUTH && a->refusal != NULL)
		why = a->refusal;
	if (o->signature.len == 0) {
		query(b, t, s, err, why);
		return;
	}
	if (err == SP_OK) {
		why = "signature";
		err = ssh_key_prove(&t->key, o, span_of(s->session, s->session_len),
		    span_of(s->name, s->name_len), fips);
	}
	if (err == SP_OK && s->key == NULL && (s->key = mem_alloc(sizeof(*s->key))) == NULL)
		err = SP_ENOMEM;
	if (err == SP_EAUTH)
		refuse(b, t, why, /* charge= */ true);
	else if (err != SP_OK)
		op_fail(b, &a->op, err, 1);
	else {
		const struct answer good = {0};

		*s->key = t->key;
		t->proof = PROOF_KEY;
		proved(b, &a->op, &good);
	}
}

int
handle_login_key(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_login_key m;
	struct ssh_offer o;
	struct ssh_try *t;
	int err = ipc_get_login_key(body, &m);

	if (err == SP_OK)
		err = try_new(b, w, m.user, m.algorithms, m.agent, &t);
	if (err != SP_OK || t == NULL)
		return err;
	o = (struct ssh_offer){m.algorithm, m.key, m.signature};
	if (m.key.len == 0 && m.signature.len == 0)
		no_key(b, t, w->ssh);
	else
		judge_key(b, t, w->ssh, &o);
	return SP_OK;
}

int
handle_login_secret(struct broker *b, struct worker *w, struct span body)
{
	static const enum ssh_proof proofs[] = {[SSH_SECRET_PASSWORD] = PROOF_PASSWORD,
	    [SSH_SECRET_PROMPTED] = PROOF_PROMPT,
	    [SSH_SECRET_CODE] = PROOF_CODE};
	struct ipc_login_secret m;
	struct ssh_try *t;
	bool takes;
	int err = ipc_get_login_secret(body, &m);

	if (err == SP_OK)
		err = try_new(b, w, m.user, m.algorithms, m.agent, &t);
	if (err != SP_OK || t == NULL)
		return err;
	t->proof = proofs[m.kind];
	takes = ssh_policy_takes(&w->ssh->policy, t->proof);
	if (!takes && t->attempt.refusal == NULL)
		t->attempt.refusal = "method out of turn";
	if (t->proof != PROOF_CODE)
		err = attempt_password(b, &t->attempt, m.secret, proved);
	else if (t->attempt.refusal != NULL || m.secret.len == 0 || m.secret.len > OTP_CODE_MAX)
		refuse(b, t, t->attempt.refusal != NULL ? t->attempt.refusal : "one-time code",
		    /* charge= */ true);
	else
		err = attempt_code(b, &t->attempt, m.secret, proved);
	if (err != SP_OK)
		op_fail(b, &t->attempt.op, err == SP_ENEEDCODE ? SP_EAUTH : err, 1);
	return SP_OK;
}
