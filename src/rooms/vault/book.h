/* book.h - all principals that are counted, in memory, found by kind and id; each has its place in
 * the file.  When every place is taken, the one that was not asked for longest gives way, if it has
 * nothing in its windows.
 */
#ifndef SP_VAULT_BOOK_H
#define SP_VAULT_BOOK_H

#include "rooms/vault/egress.h"

#define BOOK_HEADS 65536u
#define BOOK_NONE UINT32_MAX

struct book {
	struct egress file;
	struct principal
	    *chunk[EGRESS_PLACES / EGRESS_GROW]; /* owned; of EGRESS_GROW places each */
	uint32_t *head, *next;			 /* owned; chains of places, BOOK_NONE ends one */
	uint32_t first_free;			 /* no place before it is free */
	uint64_t seed;				 /* of the hash: nobody aims at a chain */
};

int book_init(struct book *b) MUST_USE; /* SP_ENOMEM, SP_ECRYPTO */
void book_done(struct book *b);		/* safe on a zeroed one, and twice */
/* book_clear - forget all, and the file. */
void book_clear(struct book *b);
/* book_load - all places of the opened file.
 *   ret_now   the latest time that may have passed by now, of what every place says
 *   ret_lost  a place could not be read: it is free now, and somebody's counters are gone
 *   errors    SP_ENOMEM, SP_EIO and the like, SP_ECRYPTO */
struct book_opening {
	int64_t boot;		     /* what CLOCK_BOOTTIME shows now */
	const struct limits *limits; /* how much a lost reservation was at most */
};
int book_load(
    struct book *b, const struct book_opening *o, int64_t *ret_now, bool *ret_lost) MUST_USE;
/* book_at - the principal of a place below file.places; borrowed. */
struct principal *book_at(const struct book *b, uint32_t place);
/* book_find - its place, or BOOK_NONE. */
uint32_t book_find(
    const struct book *b, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES]);
/* book_take - its place, a new one if it has none.  What is new is not in the file yet.
 *   errors  SP_EFULL, SP_ENOMEM, SP_EIO and the like */
int book_take(struct book *b, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES],
    int64_t now, uint32_t *ret) MUST_USE;
/* book_elapsed - seconds that have passed at least since CLOCK_BOOTTIME showed `then`, when it
 * shows now: over a restart of the machine the time that it was off is not known, and does not
 * count. */
int64_t book_elapsed(int64_t then, int64_t now);
#endif
