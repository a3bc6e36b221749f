/* trial.h - changes that workers ask for, and the audit log: what will they have done?  (rows.h)
 *
 *	change, inside a mark, -> rows -> undone;  record with the rows;  change for good.
 */
#ifndef SP_BROKER_TRIAL_H
#define SP_BROKER_TRIAL_H

#include "rooms/broker/broker.h"
#include "rooms/broker/rows.h"

/* trial_fn - make the change; errors are those of the change. */
typedef int (*trial_fn)(struct broker *b, void *arg);

/* trial_run - make the change and take it back; what the rows would be into `rows`, of
 * ROWS_DETAIL_MAX bytes, and into the record.
 *   errors  of fn; SP_ETOOBIG */
int trial_run(struct broker *b, trial_fn fn, void *arg, char *rows, struct record *rec) MUST_USE;
/* trial_done - after the change was made for good, in the same wake-up: its rows are as they were
 * said to be, or that is put on record. */
int trial_done(struct broker *b, const struct op *op, uint64_t entry, const char *said) MUST_USE;

/* trial_now - what takes power away is done first and recorded then: say in the record what the
 * rows are ("rows-now": no crash undoes it, as one does what "rows" announces). */
void trial_now(struct broker *b, struct record *rec);

/* ledger_undone - entry was recorded and then not carried out: that is recorded too.
 *   op  of whoever asked; why  a sentence */
void ledger_undone(struct broker *b, const struct op *op, uint64_t entry, const char *why);
/* ledger_differs - another change came between: what the rows of entry are instead. */
void ledger_differs(
    struct broker *b, const struct op *op, uint64_t entry, const char *said, const char *are);
#endif
