/* tlog_append.h - the audit log on disk, write side: used by the ledger alone.
 *
 *   tlog_add, tlog_add, ... -> tlog_commit: all of them are durable with one write and one sync,
 * and only then are they part of the log.  tlog_flush_begin, tlog_flush_step...: tiles, then a
 * signed checkpoint, in steps of about one sync each, so that commits go on in between.
 *
 * Order, always: wal -> (acted upon) -> tiles, synced -> their folders, synced -> checkpoint -> its
 * folder -> the wal's zone may be used again.  Nothing that a checkpoint covers is ever written
 * again.
 */
#ifndef SP_STORE_TLOG_APPEND_H
#define SP_STORE_TLOG_APPEND_H

#include "store/tlog.h"
#include "store/tlog_wal.h"

/* Kept back of the wal for entries that must not be lost when tiles cannot be written (disk full).
 */
#define TLOG_RESERVE_BYTES (WAL_ZONE_BYTES / 4)

struct tlog_writer; /* opaque */

/* What opening found. */
struct tlog_report {
	bool created;	  /* there was no log: entry 0 is to be made */
	bool wal_missing; /* there was a log without its wal (a copy): entries after its checkpoint
			     are not known */
	bool torn;	  /* the last group was incomplete and has been dropped */
	uint64_t dropped_entries; /* of it, as far as they could be recognised */
	uint64_t dropped_bytes;
	uint64_t recovered; /* entries that were in the wal alone */
};

/* tlog_writer_open - open the log, make it when the folder is empty, recover it after a crash.
 *   fs      copied; its arg is borrowed for the writer's life
 *   origin  name in the checkpoints
 *   seed    32 bytes, borrowed for the writer's life
 *   why     a sentence on failure: the log contradicts itself (SP_EVERIFY, SP_EDAMAGED) and nothing
 * was changed, or SP_EDISKFULL, SP_EIO, SP_ENOMEM */
int tlog_writer_open(const struct tlog_fs *fs, const char *origin, const uint8_t *seed,
    struct tlog_writer **ret, struct tlog_report *ret_report, char *why, size_t cap) MUST_USE;
/* tlog_writer_free - without a last flush. Accepts NULL. */
void tlog_writer_free(struct tlog_writer *w);

/* tlog_next - index that the next tlog_add gives.  tlog_durable - entries that are committed.
 * tlog_flushed - entries under the newest checkpoint. */
uint64_t tlog_next(const struct tlog_writer *w);
uint64_t tlog_durable(const struct tlog_writer *w);
uint64_t tlog_flushed(const struct tlog_writer *w);
/* tlog_writer_root - root hash over all committed entries. */
int tlog_writer_root(const struct tlog_writer *w, struct hash *ret) MUST_USE;

/* tlog_add - stage an entry of 1 to 65535 bytes; copied.  Its index is tlog_next before the call.
 *   reserved  may use the part of the wal that is kept back
 *   errors    SP_EFULL: commit first, then again; SP_EDISKFULL: tiles cannot be written and the wal
 * is used up; SP_ERANGE; SP_EIO: after a failed sync the writer does nothing any more */
int tlog_add(struct tlog_writer *w, struct span entry, bool reserved) MUST_USE;
/* tlog_commit - make the staged entries durable, all or none.
 *   errors  SP_EDISKFULL: they are dropped; SP_EIO: a sync failed and nobody knows what is on disk:
 * the process must end and recover at its next start */
int tlog_commit(struct tlog_writer *w) MUST_USE;

/* tlog_flush_begin - decide on the next checkpoint: all committed entries.  SP_OK also when there
 * is nothing new or one is being made. tlog_flush_step - one step of it. returns  1: more steps, 0:
 * none left, the checkpoint is durable; errors can be tried again */
int tlog_flush_begin(struct tlog_writer *w) MUST_USE;
int tlog_flush_step(struct tlog_writer *w) MUST_USE;
/* tlog_is_crowded - half of the wal's zone is used and no flush under way: begin one now, and no
 * commit will wait for it. */
bool tlog_is_crowded(const struct tlog_writer *w);
/* tlog_flush_all - until the newest checkpoint covers all committed entries. */
int tlog_flush_all(struct tlog_writer *w) MUST_USE;
#endif
