/* trial.c - see trial.h. */
#include "rooms/broker/trial.h"

#include "rooms/broker/db.h"

int
trial_run(struct broker *b, trial_fn fn, void *arg, char *rows, struct record *rec)
{
	struct text t = text_of(rows, ROWS_DETAIL_MAX);
	int err = db_mark(b->db);

	if (err != SP_OK)
		return err;
	err = fn(b, arg);
	if (err == SP_OK)
		err = rows_record(b->db, &t);
	db_undo(b->db);
	broker_policy_changed(b);
	if (err == SP_OK && rows[0] != '\0')
		ipc_pair_put(&rec->detail, "rows", text_span(&t));
	return err == SP_OK && rec->detail.bad ? SP_ETOOBIG : err;
}

int
trial_done(struct broker *b, const struct op *op, uint64_t entry, const char *said)
{
	DEFER(mem_freep) char *are = mem_alloc(ROWS_DETAIL_MAX);
	struct text t;
	int err;

	if (are == NULL)
		return SP_ENOMEM;
	t = text_of(are, ROWS_DETAIL_MAX);
	err = rows_record(b->db, &t);
	if (err == SP_OK)
		ledger_differs(b, op, entry, said, are);
	return err;
}

void
trial_now(struct broker *b, struct record *rec)
{
	DEFER(mem_freep) char *are = mem_alloc(ROWS_DETAIL_MAX);
	struct text t;

	if (are == NULL)
		return;
	t = text_of(are, ROWS_DETAIL_MAX);
	if (rows_record(b->db, &t) == SP_OK && are[0] != '\0')
		ipc_pair_put(&rec->detail, "rows-now", text_span(&t));
}

void
ledger_undone(struct broker *b, const struct op *op, uint64_t entry, const char *why)
{
	struct record rec;

	if (entry == 0)
		return;
	record_init(&rec, EVENT_RECONCILED, &op->actor, op->serial);
	record_num(&rec, "intent", (int64_t)entry);
	record_text(&rec, "reason", span_str(why));
	ledger_note(b, &rec);
}

void
ledger_differs(
    struct broker *b, const struct op *op, uint64_t entry, const char *said, const char *are)
{
	struct record rec;

	if (strcmp(said, are) == 0)
		return;
	record_init(&rec, EVENT_RECONCILED, &op->actor, op->serial);
	record_num(&rec, "intent", (int64_t)entry);
	record_text(&rec, "reason", SPAN_LIT("another change came between"));
	ipc_pair_put(&rec.detail, "rows", span_str(are));
	ledger_note(b, &rec);
}
