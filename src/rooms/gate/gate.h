/* gate.h - of the gates of all doors: who is idle, and how many connections each address has.  A
 * gate reads no byte of any client. */
#ifndef SP_GATE_GATE_H
#define SP_GATE_GATE_H

#include "ipc/chan.h"

enum { GATE_LISTENERS = 2, GATE_BUCKETS = 4096, GATE_ADDRESS_MAX = 64 };

/* An address with connections. */
struct gate_address {
	char host[GATE_ADDRESS_MAX];
	uint32_t connections;
	struct gate_address *next; /* of the same bucket */
};

struct gate_worker {
	uint64_t serial;
	struct chan chan; /* closed when it has its connection */
	uint8_t listener;
	struct gate_address *address; /* NULL: idle */
	struct gate_worker *next;     /* of the same bucket */
	struct gate_worker *idle_next, *idle_prev;
};

/* All workers by serial number; idle ones in the order in which they came.  Begins as zeros but for
 * the rooms of its door. */
struct gate_table {
	enum room self, worker;
	struct gate_worker *workers[GATE_BUCKETS];
	struct gate_address *addresses[GATE_BUCKETS];
	struct {
		struct gate_worker *first, *last;
	} idle[GATE_LISTENERS];
};

/* gate_add - a new idle worker.
 *   fd      its socket; owned by the table from success on
 *   errors  SP_EEXISTS (a serial number is used once), SP_ERANGE (no such listener), SP_ENOMEM */
int gate_add(struct gate_table *t, uint64_t serial, uint8_t listener, int fd) MUST_USE;
/* gate_remove - it has ended, or is withdrawn; its address has one connection less. Unknown serials
 * do nothing. */
void gate_remove(struct gate_table *t, uint64_t serial);
/* gate_idle - the worker that has waited longest at this listener; NULL: none. */
struct gate_worker *gate_idle(struct gate_table *t, uint8_t listener);
/* gate_admit - may this address have one more connection?
 *   peer     "ADDRESS:PORT"; the port does not count, and of IPv6 only the network (64 bits) does
 *   most     connections of one address
 *   returns  the address, to be given to gate_take or gate_release; NULL: too many, or no memory */
struct gate_address *gate_admit(struct gate_table *t, const char *peer, uint32_t most);
void gate_release(struct gate_table *t, struct gate_address *a);
/* gate_take - the idle worker now serves this address: no longer idle, its socket closed. */
void gate_take(struct gate_table *t, struct gate_worker *w, struct gate_address *a);
void gate_done(struct gate_table *t);
#endif
