/* outbox.h - messages that wait: replies for the commit, orders for the ledger to read. */
#ifndef SP_BROKER_OUTBOX_H
#define SP_BROKER_OUTBOX_H

#include "base/mem.h"

struct outbox {
	struct outbox *next;
	uint64_t serial;
	uint16_t id;
	int fd; /* owned, -1: none */
	size_t len;
	uint8_t body[];
};

/* outbox_new - a copy of body; takes the descriptor over when it succeeds.  NULL: no memory. */
struct outbox *outbox_new(uint64_t serial, uint16_t id, struct span body, int fd) MUST_USE;
/* outbox_free - wipes the copy, closes the descriptor. */
void outbox_free(struct outbox *o);
#endif
