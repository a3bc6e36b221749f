/* decoy.c - the ledger saw a decoy being touched: the user is frozen.  Which decoy it was is not
 * said here, and which there are is known to nobody in this room. */
#include "base/text.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/login.h"
#include "rooms/broker/trial.h"
#include "sys/log.h"

static int
freeze(struct broker *b, const struct account *account, uint64_t entry)
{
	int err = sql_run(b->db, SQL_USER_SET_STATUS, SI(account->id), SI(STATUS_FROZEN));

	if (err == SP_OK)
		err = sql_run(b->db, SQL_SESSIONS_REMOVE_USER, SI(account->id));
	if (err == SP_OK) {
		DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
		struct actor actor = {0};

		account_actor(account, &actor);
		if (r == NULL)
			return SP_ENOMEM;
		record_init(r, EVENT_DECOY_FROZEN, &actor, 0);
		record_num(r, "entry", (int64_t)entry);
		trial_now(b, r);
		ledger_note(b, r);
	}
	return err;
}

void
decoy_touched(struct broker *b, const struct ipc_decoy_touched *m)
{
	struct worker *w = worker_find(b, m->serial);
	struct account account;
	char address[65];
	struct text t = text_of(address, sizeof(address));
	int64_t user = 0;
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_USER_BY_NAME, ST(m->user));

		err = sql_step(&q);
		if (err == 1)
			user = sql_i64(&q);
	}
	if (err == 1)
		err = account_by_id(b->db, user, &account);
	if (err == 1 && account.status == STATUS_ACTIVE)
		err = freeze(b, &account, m->entry);
	if (err < 0)
		log_error(
		    "a user who touched a decoy could not be suspended: %s", sp_strerror(err));
	text_add(&t, m->address);
	addresses_score(b, address, CONTACT_DECOY, /* points= */ 0);
	/* what lives of them ends whatever the database says */
	if (user != 0)
		worker_kill(b, user, 0);
	if (w != NULL && !w->is_dead)
		worker_end(b, w);
	broker_policy_changed(b);
}
