/* frozen.c - a user whom the vault has frozen: it gives this user nothing any more, and here the user's
 * sessions, connections and logins end, until an operator has looked (sallyport limits unfreeze). */
#include "rooms/broker/broker.h"
#include "rooms/broker/login.h"
#include "rooms/broker/trial.h"
#include "sys/log.h"

static void
frozen_done(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK)
		log_error("a user's frozen state could not be stored: %s", sp_strerror(a->err));
	op_end(b, op);
}

void
user_frozen(struct broker *b, int64_t user)
{
	struct account account;
	struct actor actor = {.user = user};
	struct record rec;
	struct op *op;

	worker_kill(b, user, 0);
	if (account_by_id(b->db, user, &account) != 1 || account.status != STATUS_ACTIVE)
		return; /* nothing is left to take away */
	if (sql_run(b->db, SQL_USER_SET_STATUS, SI(user), SI(STATUS_FROZEN)) != SP_OK ||
	    sql_run(b->db, SQL_SESSIONS_REMOVE_USER, SI(user)) != SP_OK) {
		log_error("a user whom the vault froze could not be marked");
		return;
	}
	log_warning("user %.64s is frozen", account.name);
	account_actor(&account, &actor);
	record_init(&rec, EVENT_USER_CHANGED, &actor, 0);
	record_text(&rec, "changed", SPAN_LIT("frozen"));
	trial_now(b, &rec);
	ledger_note(b, &rec);
	if ((op = op_new(b, NULL, sizeof(*op))) != NULL)
		op_commit(b, op, frozen_done);
}
