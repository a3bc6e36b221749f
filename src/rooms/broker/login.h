/* login.h - what password and token logins share. */
#ifndef SP_BROKER_LOGIN_H
#define SP_BROKER_LOGIN_H

#include "rooms/broker/broker.h"
#include "rooms/broker/lockout.h"

/* struct account - a row of `user`, as logins need it. */
struct account {
	int64_t id, org;
	uint8_t level, status;
	char name[65], org_name[65], phc[256];
};

/* account_by_name, account_by_id - 1, 0 when there is none, or an error. */
int account_by_name(struct db *db, struct span name, struct account *ret) MUST_USE;
int account_by_id(struct db *db, int64_t id, struct account *ret) MUST_USE;
/* account_refusal - why this account may not log in at this listener; NULL: it may.  No
 * administrator comes in from the public side. */
const char *account_refusal(const struct account *a, uint8_t listener);
/* account_actor - fill in who; address and agent stay. */
void account_actor(const struct account *a, struct actor *ret);
/* worker_is - is the worker free, or already this user's?  The first login fixes it: SP_EMISDIRECT.
 */
int worker_is(const struct worker *w, int64_t user) MUST_USE;
/* worker_login - fix the worker's principal. */
void worker_login(struct worker *w, const struct actor *actor, int64_t token_end_us);
/* agent_take - a copy of what the client calls itself, valid UTF-8. */
void agent_take(struct actor *actor, struct span agent);
/* session_add - a new session for the actor; inside the transaction.  ret: all zero, or after
 * session_record.  One of the SFTP door has tokens that nobody is told, and no end: it ends with
 * its connection. */
int session_add(
    struct broker *b, struct actor *actor, enum door door, struct session_tokens *ret) MUST_USE;
/* session_record - make the tokens, and say in the record of the login what the session's row will
 * be: half of each hash, which tells nobody a token (ipc/rows.def, SESSION). */
int session_record(
    const struct actor *actor, struct session_tokens *t, struct record *rec) MUST_USE;
/* session_reply - SESSION to the worker; wipes the tokens. */
void session_reply(struct broker *b, uint64_t serial, struct session_tokens *t);
/* login_failed - record a failed login (or count it, when there are too many) and then answer err,
 * by op->fail when there is one.  Takes op over. */
void login_failed(struct broker *b, struct op *op, struct span name, const char *reason, int err,
    uint32_t retry_after);
#endif
