/* backfill.c - hashes of what was stored without one (uploads that were continued): a scrubber
 * reads one version after the other, each on record.
 *
 * What is left to do is a query, so a restart forgets nothing.  A version whose reading fails is
 * passed over and comes again in the next round. */
#include "rooms/broker/scrub.h"

#include "rooms/broker/tree.h"
#include "sys/log.h"

#define PAUSE_MS 30000 /* after a failure */

static void
pause_backfill(struct broker *b)
{
	b->backfill.from_ms = b->mono_ms() + PAUSE_MS;
}

/* what was found is with the version already (scrub_note) */
static void
hashed(struct broker *b, struct op *op, const struct answer *a)
{
	int err = a->err == SP_OK && a->scrubbed != NULL ? -(int)a->scrubbed->err : a->err;

	b->backfill.scrubber = 0;
	if (err != SP_OK) {
		log_warning("version %lld could not be hashed: %s", (long long)b->backfill.after,
		    sp_strerror(err));
		pause_backfill(b);
	}
	op_end(b, op);
}

/* errors SP_EFULL: no scrubber is idle */
static int
hash_version(struct broker *b, int64_t id)
{
	DEFER(mem_freep) struct version *v = mem_alloc(sizeof(*v));
	DEFER(mem_freep) char *path = mem_alloc(PATH_MAX_BYTES + 1);
	struct op *op;
	int err;

	if (v == NULL || path == NULL)
		return SP_ENOMEM;
	if ((err = version_get(b->db, id, v)) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if ((err = version_path(b->db, v, path, PATH_MAX_BYTES + 1)) != SP_OK)
		return err;
	if ((op = op_new(b, NULL, sizeof(*op))) == NULL)
		return SP_EFULL;
	if ((err = scrub_blob(b, op, id, path, hashed)) != SP_OK) {
		op_end(b, op);
		return err;
	}
	b->backfill.scrubber = op->helper;
	return SP_OK;
}

void
backfill_tick(struct broker *b)
{
	int64_t id = 0;
	int err;

	if (b->backfill.scrubber != 0 || b->is_stopping || b->ledger.fd < 0 || !scrub_idle(b) ||
	    b->mono_ms() < b->backfill.from_ms)
		return;
	err = sql_get(b->db, SQL_VERSION_UNHASHED, &id, SI(b->backfill.after));
	if (err == 0) {
		b->backfill.after = 0; /* the next round: those that failed, and new ones */
		return;
	}
	if (err == 1 && (err = hash_version(b, id)) == SP_EFULL)
		return;
	b->backfill.after = id;
	if (err != SP_OK) {
		log_warning(
		    "version %lld could not be hashed: %s", (long long)id, sp_strerror(err));
		pause_backfill(b);
	}
}

void
backfill_yield(struct broker *b)
{
	struct worker *w = worker_find(b, b->backfill.scrubber);

	if (b->backfill.scrubber == 0 || w == NULL)
		return;
	worker_end(b, w); /* helper_lost answers the job, and the supervisor starts another one */
}
