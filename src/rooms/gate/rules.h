/* rules.h - what a gate knows of addresses: those that the broker wants slowed or refused, and
 * connections that have to wait.  Both are bounded. */
#ifndef SP_GATE_RULES_H
#define SP_GATE_RULES_H

#include "base/prefix.h"
#include "ipc/ipc.h"
#include "rooms/gate/gate.h"

#define RULES_MAX 20000u /* more than the broker's book holds */
#define HELD_MAX 1024u	 /* connections of a listener that wait */

struct rules;
/* rules_new - none yet.  NULL: no memory.  rules_free accepts NULL. */
struct rules *rules_new(void) MUST_USE;
void rules_free(struct rules *r);
void rules_reset(struct rules *r);
/* rules_set - how to treat p until until_ms (ADDRESS_OK: as all others).
 *   errors  SP_EFULL */
int rules_set(struct rules *r, const struct prefix *p, enum address_state state, int64_t until_ms,
    int64_t now_ms) MUST_USE;
/* rules_state - the strictest rule for this address. */
enum address_state rules_state(const struct rules *r, const struct prefix *p, int64_t now_ms);
size_t rules_count(const struct rules *r);

/* A connection that waits. */
struct held_one {
	int fd; /* owned */
	int64_t due_ms;
	struct gate_address *address;
	char peer[GATE_ADDRESS_MAX + 1];
};
/* First in, first out.  All zero to begin. */
struct held {
	size_t first, n;
	struct held_one one[HELD_MAX];
};
/* held_push - errors SP_EFULL; fd stays the caller's then. */
int held_push(struct held *h, int fd, const char *peer, struct gate_address *address,
    int64_t due_ms) MUST_USE;
/* held_head - the one that has waited longest; NULL: none.  held_pop - take it off: fd and address
 * are the caller's. */
struct held_one *held_head(struct held *h);
void held_pop(struct held *h);
#endif
