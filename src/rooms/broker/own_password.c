/* own_password.c - PASSWORD_SET: somebody's own new password, for the old one.
 *
 *	old one checked (attempt.h: its failures count as those of logins) -> new one hashed ->
 *record
 *	-> change; the user's other sessions end with it
 *
 * Not for API tokens: a script has no business with its owner's password. */
#include "rooms/broker/attempt.h"
#include "rooms/broker/trial.h"

struct change {
	struct attempt attempt; /* first */
	size_t len;
	uint8_t next[PASSWORD_BYTES_MAX];
	char phc[256];
	uint64_t entry;
	char rows[ROWS_DETAIL_MAX];
};

/* All sessions but the one that asks: whoever knew the old password is out. */
static void
change_done(struct broker *b, struct op *op, const struct answer *a)
{
	const struct change *c = (const struct change *)op;

	if (a->err != SP_OK) {
		ledger_undone(b, op, c->entry, sp_strerror(a->err));
		op_fail(b, op, a->err, 0);
		return;
	}
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (!w->is_dead && w->is_authed && w->actor.user == op->actor.user &&
		    w->actor.session != op->actor.session && w->actor.token == 0)
			worker_end(b, w);
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static int
set_phc(struct broker *b, void *arg)
{
	const struct change *c = arg;
	const struct actor *who = &c->attempt.op.actor;
	int err =
	    sql_run(b->db, SQL_USER_SET_PHC, SI(who->user), ST(span_str(c->phc)), SI(b->wall_us()));

	return err == SP_OK
		   ? sql_run(b->db, SQL_SESSIONS_REMOVE_OTHERS, SI(who->user), SI(who->session))
		   : err;
}

/* Is the password that was checked still the account's? */
static int
still_good(struct broker *b, const struct change *c)
{
	struct account now;
	int err = account_by_name(b->db, span_str(c->attempt.name), &now);
	bool good = err == 1 && now.id == c->attempt.op.actor.user && now.status == STATUS_ACTIVE &&
		    strcmp(now.phc, c->attempt.account.phc) == 0;

	mem_wipe(&now, sizeof(now));
	return err < 0 ? err : good ? SP_OK : SP_EAUTH;
}

static void
change_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct change *c = (struct change *)op;
	int err = a->err;

	c->entry = a->entry;
	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = still_good(b, c)) == SP_OK && (err = set_phc(b, c)) == SP_OK &&
		    (err = trial_done(b, op, c->entry, c->rows)) == SP_OK &&
		    (err = lockout_refund(b->db, op->actor.address, span_str(c->attempt.name),
			 /* good= */ true, b->wall_us())) == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
		if (err != SP_OK)
			ledger_undone(b, op, c->entry, sp_strerror(err));
	}
	if (err == SP_OK) {
		op_commit(b, op, change_done);
		return;
	}
	attempt_refund(b, &c->attempt); /* the old one was right */
	op_fail(b, op, err, 0);
}

static void
change_hashed(struct broker *b, struct op *op, const struct answer *a)
{
	struct change *c = (struct change *)op;
	struct text t = text_of(c->phc, sizeof(c->phc));
	struct record rec;
	int err = a->err;

	if (err == SP_OK)
		text_add(&t, a->phc);
	if (err == SP_OK && t.bad)
		err = SP_ESPACE;
	record_init(&rec, EVENT_USER_CHANGED, &op->actor, op->serial);
	record_text(&rec, "name", span_str(op->actor.name));
	record_text(&rec, "change", SPAN_LIT("own password"));
	if (err == SP_OK)
		err = trial_run(b, set_phc, c, c->rows, &rec);
	if (err == SP_OK)
		err = ledger_record(b, op, &rec, change_recorded);
	if (err != SP_OK) {
		attempt_refund(b, &c->attempt);
		op_fail(b, op, err, 0);
	}
}

static void
change_proved(struct broker *b, struct op *op, const struct answer *a)
{
	struct change *c = (struct change *)op;
	int err = auth_make(b, op, span_of(c->next, c->len), change_hashed);

	(void)a;
	mem_wipe(c->next, sizeof(c->next));
	if (err != SP_OK) {
		attempt_refund(b, &c->attempt);
		op_fail(b, op, err, 0);
	}
}

int
handle_password_set(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_password_set m;
	struct change *c;
	uint32_t wait_s = 0;
	int err = ipc_get_password_set(body, &m);

	if (err != SP_OK)
		return err;
	if (w->actor.token != 0)
		return SP_EPERM;
	if (m.next.len < (size_t)b->start.conf.password_min || m.next.len >= PASSWORD_BYTES_MAX)
		return SP_EWEAKPASS;
	if ((c = op_new(b, w, sizeof(*c))) == NULL)
		return SP_EUNAVAIL;
	c->len = m.next.len;
	memcpy(c->next, m.next.ptr, m.next.len);
	err = attempt_begin(b, &c->attempt, span_str(w->actor.name), 0, &wait_s);
	if (err == SP_ELOCKOUT) {
		login_failed(b, &c->attempt.op, span_str(w->actor.name), "locked out", err, wait_s);
		return SP_OK;
	}
	if (err == SP_OK && c->attempt.account.id != w->actor.user)
		err = SP_ESESSION;
	if (err == SP_OK)
		err = attempt_password(b, &c->attempt, m.current, change_proved);
	if (err != SP_OK)
		op_end(b, &c->attempt.op);
	return err;
}
