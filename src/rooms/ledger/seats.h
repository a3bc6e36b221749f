/* seats.h - what the supervisor says of workers: the ledger's own knowledge of who is who. */
#ifndef SP_LEDGER_SEATS_H
#define SP_LEDGER_SEATS_H

#include "ipc/ipc.h"

#define SEATS_MAX 65536u /* workers at a time */
#define SEATS_GONE 4096u /* that have ended and are still known, for what is recorded late */

struct seat {
	uint64_t serial;
	enum room room;
	uint8_t listener;
	bool gone;
	char addr[65];
	struct seat *next;	/* of its bucket */
	struct seat *gone_next; /* older to newer */
};

struct seats {
	struct seat **bucket;
	size_t n, n_gone;
	struct seat *gone_first, *gone_last;
};

/* seats_init - SP_ENOMEM.  seats_done frees all. */
int seats_init(struct seats *s) MUST_USE;
void seats_done(struct seats *s);
/* seats_add - errors SP_EFULL, SP_ENOMEM, SP_EEXISTS: serials are never reused */
int seats_add(struct seats *s, uint64_t serial, enum room room, uint8_t listener) MUST_USE;
/* seats_find - NULL: not known (or gone too long).  Borrowed until the next seats_ call. */
struct seat *seats_find(const struct seats *s, uint64_t serial);
void seats_peer(struct seats *s, uint64_t serial, struct span addr);
void seats_gone(struct seats *s, uint64_t serial);
/* seat_door, seat_listener - the words of an entry; NULL: none. */
const char *seat_door(const struct seat *seat);
const char *seat_listener(const struct seat *seat);
#endif
