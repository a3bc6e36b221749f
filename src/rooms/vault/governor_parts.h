/* governor_parts.h - what governor.c and governor_rows.c share; nobody else includes it. */
#ifndef SP_VAULT_GOVERNOR_PARTS_H
#define SP_VAULT_GOVERNOR_PARTS_H

#include "rooms/vault/book.h"
#include "rooms/vault/governor.h"
#include "rooms/vault/rereads.h"

struct governor {
	struct limits limits;
	struct book book;
	struct rereads *rereads; /* owned */
	int64_t time0, boot0;	 /* the governor's time at a time of CLOCK_BOOTTIME */
	int64_t now;		 /* never goes back */
	bool is_open;
	bool unsaved; /* something is known that could not be written */
};

/* governor_now - seconds of the governor's own clock. */
int64_t governor_now(struct governor *g);
/* governor_save - one principal, what it has reserved included.  Durable. */
int governor_save(struct governor *g, uint32_t place) MUST_USE;
#endif
