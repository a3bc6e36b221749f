/* scan.h - many entries of the audit log in order, read, checked and taken apart by helper threads.
 *
 * Each page (a bundle of 256 entries) is read by one helper, hashed up to the signed checkpoint,
 * and taken apart; the caller's thread gets the entries one after the other, in order, or
 * backwards.
 */
#ifndef SP_CLI_HUNT_SCAN_H
#define SP_CLI_HUNT_SCAN_H

#include "cli/hunt/entry.h"
#include "store/tlog_page.h"

#define SCAN_THREADS_MAX 4u
#define SCAN_SLOTS 8u /* pages in hand at a time; a page is at most 16 MiB, and usually 110 KiB */

struct scan {
	const struct tlog *log; /* borrowed */
	uint64_t from, end;	/* entries from <= n < end */
	bool backwards;
	/* one entry, borrowed until it returns; SP_OK to go on, 1 to stop, or an error to stop with
	 */
	int (*entry)(void *arg, const struct hunt_entry *e);
	/* an entry that hunt_entry_read does not understand */
	int (*unreadable)(void *arg, uint64_t n);
	void *arg;
	/* results */
	uint64_t n_checked, n_unsigned; /* hashed to the checkpoint; in the wal alone */
};

/* scan_run - all of them.
 *   why     a sentence on failure
 *   errors  SP_EVERIFY (an entry does not hash to the checkpoint, a file is missing or damaged),
 * SP_EIO, SP_ENOMEM, and what `entry` returned */
int scan_run(struct scan *s, char *why, size_t cap) MUST_USE;

/* scan_find - the first entry that is not before a time, by halving: reads some twenty pages. Where
 * the clock was stepped back, it is one of several such places; what follows it is in the range.
 *   ret     tlog_end when there is none */
int scan_find(const struct tlog *log, int64_t t_us, uint64_t *ret, char *why, size_t cap) MUST_USE;
#endif
