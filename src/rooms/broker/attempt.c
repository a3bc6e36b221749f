/* attempt.c - see attempt.h. */
#include "rooms/broker/attempt.h"

#include "base/text.h"
#include "sys/log.h"

/* ---- the account, and what failures cost ---- */

/* unknown users get a made-up PHC string later, so that they cost the same */
static int
find_account(struct broker *b, struct attempt *a, struct span user, int64_t org)
{
	int err = account_by_name(b->db, user, &a->account);

	if (err < 0)
		return err;
	if (err == 0)
		a->refusal = "no such user";
	else
		a->refusal = account_refusal(&a->account, a->op.actor.listener);
	if (a->refusal == NULL && org != 0 && org != a->account.org)
		a->refusal = "another organisation";
	return SP_OK;
}

int
attempt_begin(
    struct broker *b, struct attempt *a, struct span user, int64_t org, uint32_t *ret_wait_s)
{
	int64_t wait_us = 0;
	int err;

	memcpy(a->name, user.ptr, user.len < sizeof(a->name) - 1 ? user.len : sizeof(a->name) - 1);
	err = lockout_check(b->db, a->op.actor.address, user, b->wall_us(), &wait_us);
	if (err == SP_ELOCKOUT)
		*ret_wait_s = (uint32_t)(wait_us / 1000000 + 1);
	return err == SP_OK ? find_account(b, a, user, org) : err;
}

int
attempt_charge(struct broker *b, struct attempt *a)
{
	const struct conf *c = &b->start.conf;
	const struct lockout_limits limits = {
	    c->lockout_failures, c->lockout_address, c->lockout_time * 1000000};
	bool locked = false;
	int err = a->is_charged ? SP_OK : db_mark(b->db);

	if (a->is_charged || err != SP_OK)
		return err;
	err = lockout_charge(
	    b->db, a->op.actor.address, span_str(a->name), &limits, b->wall_us(), &locked);
	if (err == SP_OK)
		err = db_keep(b->db);
	else
		db_undo(b->db);
	a->is_charged = err == SP_OK;
	return err;
}

/* An attempt is charged before the password is looked at.  One that was never judged, or was good
 * and could not be carried out, was no failure: a busy server must not lock partners out. */
void
attempt_refund(struct broker *b, struct attempt *a)
{
	if (!a->is_charged)
		return;
	a->is_charged = false;
	if (lockout_refund(b->db, a->op.actor.address, span_str(a->name), false, b->wall_us()) !=
	    SP_OK)
		log_warning("a failure that was none stays counted");
}

/* neither good nor bad: nobody judged it */
static void
not_judged(struct broker *b, struct attempt *a)
{
	attempt_refund(b, a);
	op_fail(b, &a->op, SP_EUNAVAIL, 1);
}

/* ---- passwords ---- */

static void
password_judged(struct broker *b, struct op *op, const struct answer *answer)
{
	struct attempt *a = (struct attempt *)op;

	if (answer->err != SP_OK && answer->err != SP_EAUTH)
		not_judged(b, a);
	else if (a->refusal != NULL || answer->err != SP_OK)
		login_failed(b, op, span_str(a->name), a->refusal != NULL ? a->refusal : "password",
		    SP_EAUTH, 0);
	else {
		a->by_password = true;
		a->proved(b, op, answer);
	}
}

int
attempt_password(struct broker *b, struct attempt *a, struct span password, op_fn proved)
{
	const char *phc = a->account.phc;
	int err;

	if (a->account.id == 0 || phc[0] == '\0')
		phc = b->dummy_phc;
	if (a->account.id != 0 && phc == b->dummy_phc)
		a->refusal = "no password";
	a->proved = proved;
	if ((err = attempt_charge(b, a)) != SP_OK)
		return err;
	if ((err = auth_check(b, &a->op, password, phc, password_judged)) != SP_OK)
		attempt_refund(b, a);
	return err;
}

/* ---- one-time codes ---- */

static void
code_burnt(struct broker *b, struct op *op, const struct answer *answer)
{
	struct attempt *a = (struct attempt *)op;

	if (answer->err != SP_OK) {
		not_judged(b, a);
		return;
	}
	a->by_code = true;
	a->proved(b, op, answer);
}

/* The code is used up before anything comes of it, and durably: neither a second connection nor a
 * crash lets it be used twice. */
static void
code_judged(struct broker *b, struct op *op, const struct answer *answer)
{
	struct attempt *a = (struct attempt *)op;
	const char *reason = "one-time code";
	int err = answer->err;

	if (err == SP_OK && (err = otp_burn(b->db, a->account.id, answer->step)) == SP_EAUTH)
		reason = "one-time code was used before";
	if (err == SP_OK)
		op_commit(b, op, code_burnt);
	else if (err == SP_EAUTH)
		login_failed(b, op, span_str(a->name), reason, err, 0);
	else
		not_judged(b, a);
}

int
attempt_code(struct broker *b, struct attempt *a, struct span code, op_fn proved)
{
	struct otp otp;
	int err;

	if (a->account.id == 0 || code.len == 0)
		return SP_ENEEDCODE;
	if ((err = otp_get(b->db, a->account.id, &otp)) != 1)
		return err < 0 ? err : SP_ENEEDCODE;
	memcpy(otp.user_name, a->account.name, sizeof(otp.user_name));
	memcpy(otp.org_name, a->account.org_name, sizeof(otp.org_name));
	a->proved = proved;
	if ((err = attempt_charge(b, a)) != SP_OK)
		return err;
	if ((err = auth_code(b, &a->op, &otp, code, code_judged)) != SP_OK)
		attempt_refund(b, a);
	return err;
}

/* ---- the end ---- */

/* Is the account still the one whose proofs were checked?  An authenticator takes its time, and
 * sessions that a new password ends must not come back. */
static int
still_good(struct broker *b, const struct attempt *a)
{
	struct account now;
	int err = account_by_name(b->db, span_str(a->name), &now);

	if (err == 1 && now.id == a->account.id &&
	    (!a->by_password || strcmp(now.phc, a->account.phc) == 0) &&
	    account_refusal(&now, a->op.actor.listener) == NULL)
		err = SP_OK;
	else if (err >= 0)
		err = SP_EAUTH;
	mem_wipe(&now, sizeof(now));
	/* a second factor that came in the meantime was not asked for */
	if (err == SP_OK && !a->by_code)
		err = otp_has(b->db, a->account.id) == 0 ? SP_OK : SP_EAUTH;
	return err;
}

int
attempt_settle(struct broker *b, struct attempt *a)
{
	int64_t now_us = b->wall_us();
	struct span name = span_str(a->name);
	int err = still_good(b, a);

	if (err != SP_OK)
		return err;
	err = a->is_charged ? lockout_refund(b->db, a->op.actor.address, name, true, now_us)
			    : lockout_clear(b->db, a->op.actor.address, name, now_us);
	if (err == SP_OK)
		err = sql_run(b->db, SQL_USER_LOGGED_IN, SI(a->account.id), SI(now_us));
	return err;
}
