/* tlog_wal.h - the audit log's write-ahead file: its bytes, and what is left of it after a crash.
 *
 * ledger/wal has a fixed size and is written with zeros when it is made, so that one pwrite and one
 * fdatasync make a group of entries durable without touching the file system's metadata.
 *
 *   block 0, 1   two heads used in turn: the one with the greater generation counts
 *   zone 0, 1    groups of entries.  A group begins at a block, its records follow each other at
 *                multiples of 8 bytes, the rest of its last block is zero: no block that holds a
 *                durable record is ever written again before the record is in tiles.
 *   record       "SLR1" | length u32 | index u64 | first u64 | run u64 | sum 16 | entry
 *                first: index of the first entry of its group; run: the head's, random for each
 *                start of the ledger; sum: first 16 bytes of SHA-256 over the 32 bytes before it
 * and the entry.  All integers are big-endian.
 *
 * When entries are in durable tiles under a checkpoint, their zone is used again.  What it held
 * then has smaller indices than the checkpoint's size, or another run: stale, not damaged.
 */
#ifndef SP_STORE_TLOG_WAL_H
#define SP_STORE_TLOG_WAL_H

#include "crypto/crypto.h"

#define WAL_BLOCK_BYTES 4096u
#define WAL_HEADS 2u
#define WAL_ZONES 2u
#ifndef WAL_ZONE_BYTES /* tests/crash makes it small */
#define WAL_ZONE_BYTES (8u << 20)
#define WAL_GROUP_MAX (1u << 20) /* bytes of one group, its padding included */
#endif
#define WAL_BYTES ((size_t)WAL_HEADS * WAL_BLOCK_BYTES + (size_t)WAL_ZONES * WAL_ZONE_BYTES)
#define WAL_RECORD_HEAD_BYTES 48u
#define WAL_ENTRY_MAX 65535u

struct wal_head {
	uint64_t generation; /* from 1, one more for each head written */
	uint64_t run;	     /* random, not 0 */
};
struct wal_record {
	uint64_t index, first;
	struct span entry; /* borrowed from what was read */
};

/* wal_zone_at - offset of zone 0 or 1 in the file, in bytes. */
static inline int64_t
wal_zone_at(unsigned zone)
{
	return (int64_t)WAL_HEADS * WAL_BLOCK_BYTES + (int64_t)zone * WAL_ZONE_BYTES;
}

/* wal_head_put - a whole block.  wal_head_get - SP_EVERIFY when it is not a head. */
int wal_head_put(uint8_t block[WAL_BLOCK_BYTES], const struct wal_head *h) MUST_USE;
int wal_head_get(struct span block, struct wal_head *ret) MUST_USE;

/* wal_record_bytes - of a record with an entry of n bytes, its padding to 8 included. */
static inline size_t
wal_record_bytes(size_t n)
{
	return (WAL_RECORD_HEAD_BYTES + n + 7) & ~(size_t)7;
}

/* wal_record_put - SP_ERANGE for an entry over 65535 bytes or of none; SP_ESPACE.
 * wal_record_get - a record at the beginning of s.
 *   errors  SP_EVERIFY when there is no whole record of this run */
int wal_record_put(uint8_t *out, size_t cap, uint64_t run, const struct wal_record *r) MUST_USE;
int wal_record_get(struct span s, uint64_t run, struct wal_record *ret) MUST_USE;

/* struct wal_found - what wal_recover made of a file. */
struct wal_found {
	struct wal_head head;	  /* generation 0: the file was never used */
	uint64_t size;		  /* the log's size with the entries found */
	uint64_t dropped_entries; /* records of a torn last group that could still be recognised */
	uint64_t dropped_bytes;
	bool torn; /* the last group was not complete */
};
/* wal_entry_fn - called for each entry found, in order without a gap; an error ends the walk. */
typedef int (*wal_entry_fn)(void *arg, uint64_t index, struct span entry);

/* wal_recover - the entries of a write-ahead file from index `size` on.
 *   wal     the whole file; a shorter one is taken as far as it goes
 *   size    of the log's checkpoint: entries below it are in tiles
 *   fn      may be NULL
 *   ret     set on success
 *   errors  SP_EDAMAGED with a sentence in why: an entry is missing that a later group proves to
 *           have been durable, or no head can be read; or what fn returned */
int wal_recover(struct span wal, uint64_t size, wal_entry_fn fn, void *arg, struct wal_found *ret,
    char *why, size_t cap) MUST_USE;
#endif
