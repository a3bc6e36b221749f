/* tlog_page.h - the audit log a bundle at a time, for readers of much of it.
 *
 * A page is a bundle of 256 entries; the last ones hold what is under the checkpoint but not a full
 * bundle, and then what is in the wal alone.  All functions only read the log: several threads may
 * use one log, each with pages of its own.
 */
#ifndef SP_STORE_TLOG_PAGE_H
#define SP_STORE_TLOG_PAGE_H

#include "store/tlog.h"

struct tlog_page {
	uint64_t first;		      /* number of its first entry */
	unsigned n;		      /* entries, 1 to 256 */
	bool signed_for;	      /* under the checkpoint; else in the wal alone */
	struct span entry[TLOG_TILE]; /* into buf */
	uint8_t *buf;		      /* owned; the caller may write into it once it is checked */
	size_t cap;
	struct sha256 *sha; /* owned; NULL: not needed yet */
	bool has_tile;	    /* the tile of level 1 that was looked at last */
	uint64_t tile;
	struct hash hashes[TLOG_TILE];
};

/* tlog_pages - how many.  tlog_page_of - the page of an entry. */
uint64_t tlog_pages(const struct tlog *t);
uint64_t tlog_page_of(const struct tlog *t, uint64_t n);
/* tlog_page_read - read page `index` into p, which is zeroed at first and may be used again.
 *   errors  SP_ERANGE, SP_ENOTFOUND, SP_EDAMAGED, SP_EIO, SP_ENOMEM */
int tlog_page_read(const struct tlog *t, uint64_t index, struct tlog_page *p) MUST_USE;
/* tlog_page_check - do its entries hash to the signed checkpoint?  Every entry, and every tile from
 * there to the root.  A page of the wal has nothing to be checked against, and passes.
 *   errors  SP_EVERIFY; SP_ENOTFOUND (a tile is missing), SP_EDAMAGED, SP_EIO, SP_ENOMEM */
int tlog_page_check(const struct tlog *t, struct tlog_page *p) MUST_USE;
void tlog_page_done(struct tlog_page *p);
#endif
