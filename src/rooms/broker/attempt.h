/* attempt.h - one attempt to prove who somebody is, at whatever door: the account it is for, what
 * it costs when it fails, and the proofs that others check.
 *
 *	attempt_begin -> attempt_password -> proved: attempt_code -> proved: a record, then in the
 *	transaction attempt_settle
 *
 * One shape for every refusal: the same work, record and answer whether the user exists, is
 * suspended, or may not come in here.  An attempt that fails ends by itself, through login_failed.
 */
#ifndef SP_BROKER_ATTEMPT_H
#define SP_BROKER_ATTEMPT_H

#include "rooms/broker/login.h"
#include "rooms/broker/otp.h"

struct attempt {
	struct op op;
	struct account account; /* id 0: there is none of that name */
	const char *refusal;	/* NULL: the proofs decide */
	char name[256];		/* as it was given */
	bool is_charged;	/* counted as a failure until it is known that it was none */
	bool by_password;	/* the password was checked and must still be the account's */
	bool by_code;		/* so was a one-time code */
	op_fn proved;
};

/* attempt_begin - find the account; a->op is there (op_new).
 *   org     0: any; another one than the account's is a refusal
 *   errors  SP_ELOCKOUT with *ret_wait_s; those of the database */
int attempt_begin(struct broker *b, struct attempt *a, struct span user, int64_t org,
    uint32_t *ret_wait_s) MUST_USE;
/* attempt_charge - count it as a failure from now on.  attempt_refund - it was none: never judged,
 * or good and not all that is needed. */
int attempt_charge(struct broker *b, struct attempt *a) MUST_USE;
void attempt_refund(struct broker *b, struct attempt *a);
/* attempt_password - have the password checked, against a made-up hash when there is none to check;
 * then proved.  On an error a is still the caller's. */
int attempt_password(
    struct broker *b, struct attempt *a, struct span password, op_fn proved) MUST_USE;
/* attempt_code - have a one-time code checked and used up; then proved, when that is durable.  On
 * an error a is still the caller's: SP_ENEEDCODE (the account has none, or no digits were given).
 */
int attempt_code(struct broker *b, struct attempt *a, struct span code, op_fn proved) MUST_USE;
/* attempt_settle - inside the transaction, when the login is on record: SP_EAUTH when the account
 * is not any more the one whose proofs were checked; else its failures from here are forgotten and
 * its last login is now. */
int attempt_settle(struct broker *b, struct attempt *a) MUST_USE;
#endif
