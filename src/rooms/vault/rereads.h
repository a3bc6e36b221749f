/* rereads.h - what was charged lately: the same key to the same user at the same address is charged
 * once in a day, however many ranges of the file are asked for.
 *
 * A table of fixed size, in memory only: what falls out of it, or is forgotten by a restart, is
 * charged again.  A key is known by a keyed hash of itself, not by the blob's identifier, which the
 * broker chooses.  The address belongs to it because the user is only the broker's word: a thief
 * who holds the broker and names a user who has read much today must pay for it all the same.
 */
#ifndef SP_VAULT_REREADS_H
#define SP_VAULT_REREADS_H

#include "base/defer.h"
#include "base/span.h"

#define REREADS_SETS 16384u
#define REREADS_WAYS 4u
#define REREADS_S 86400

struct reread {
	uint64_t user, bytes;
	int64_t at; /* when it was charged; 0: free */
	uint8_t address[16], key[16];
};

struct rereads; /* opaque */

struct rereads *rereads_new(void) MUST_USE; /* NULL: no memory */
void rereads_free(struct rereads *t);	    /* accepts NULL */
/* rereads_has - was this charged within the day, for at least so many bytes?  x->at: now */
bool rereads_has(const struct rereads *t, const struct reread *x);
/* rereads_add - it has been charged now (x->at); the oldest of its set gives way. */
void rereads_add(struct rereads *t, const struct reread *x);
#endif
