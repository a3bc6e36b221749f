/* scrub.h - helpers: processes that do one job for the broker and end: authenticators and
 * scrubbers. */
#ifndef SP_BROKER_SCRUB_H
#define SP_BROKER_SCRUB_H

#include "rooms/broker/broker.h"

/* helper_ready - a new one is idle.  helper_message - its result. */
void helper_ready(struct broker *b, struct worker *helper);
void helper_message(struct broker *b, struct worker *helper, struct chan_msg *m);

/* scrub_blob - have a scrubber read one version's extent and hash it, on record (FILE_CHECKED).
 * next gets a->err (SP_OK: the job was done, SP_EUNAVAIL: no scrubber or no key now) and
 * a->scrubbed, whose err tells about the content. errors SP_EFULL: no scrubber is idle,
 * SP_ENOTFOUND: the blob file is missing; op is still the caller's */
int scrub_blob(
    struct broker *b, struct op *op, int64_t version, const char *path, op_fn next) MUST_USE;
/* scrub_note - what a scrubber found, into log and database. */
void scrub_note(struct broker *b, struct worker *scrubber, const struct ipc_scrubbed *m);
/* backfill_tick - once a second: have the next version without a hash read (backfill.c).
 * backfill_yield - an administrator wants the scrubber now: that version is read again later. */
void backfill_tick(struct broker *b);
void backfill_yield(struct broker *b);
/* scrub_idle - is a scrubber idle? */
bool scrub_idle(const struct broker *b);
#endif
