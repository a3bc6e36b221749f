/* hold.h - blocks of a file that came before those in front of them, until it is their turn.
 *
 * Clients that write several blocks at a time may send them slightly out of order.
 */
#ifndef SP_GATE_SFTP_HOLD_H
#define SP_GATE_SFTP_HOLD_H

#include "base/err.h"
#include "base/mem.h"

#define HOLD_BYTES (4u << 20) /* of all files of a connection */
#define HOLD_BLOCKS 1024u     /* of one file */
#define HOLD_BLOCK_COST 64u   /* bytes that a block is charged beside its own */

struct hold_block {
	uint64_t offset;
	size_t len, have; /* bytes; of them, those that came */
	uint8_t *bytes;	  /* owned */
};
struct hold {
	size_t *used;	      /* bytes held by the connection; borrowed */
	struct hold_block *v; /* by offset; owned */
	size_t n, cap;
};

/* hold_init - an empty one.  hold_done - frees; nothing else need be done when it is empty. */
static inline void
hold_init(struct hold *h, size_t *used)
{
	*h = (struct hold){.used = used};
}
void hold_done(struct hold *h);

/* hold_add - make a block for the len bytes at offset.
 *   ret     its place until the next call: fill it with hold_put
 *   errors  SP_EFULL, SP_ECONFLICT (some of these bytes are held already), SP_ENOMEM */
int hold_add(struct hold *h, uint64_t offset, size_t len, size_t *ret) MUST_USE;
void hold_put(struct hold *h, size_t i, struct span s);
/* hold_drop_first - forget the block with the least offset. */
void hold_drop_first(struct hold *h);
/* hold_end - where the last block ends; 0 when there is none. */
uint64_t hold_end(const struct hold *h);
#endif
