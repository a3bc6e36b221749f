/* addresses.h - what the broker does with the book of addresses (reputation.h): who adds to it, who
 * is told, what is kept.
 *
 * Nothing is ended inside a request: addresses_idle does it once the request in hand is over. */
#ifndef SP_BROKER_ADDRESSES_H
#define SP_BROKER_ADDRESSES_H

#include "rooms/broker/broker.h"
#include "rooms/broker/reputation.h"

struct addresses {
	struct broker *broker;
	struct reputation *book;
	struct prefix_list allowed;
	uint8_t *scanner; /* content of ScannerFile, owned; NULL: none */
	size_t scanner_len;
	struct chan gate[ROOM_COUNT]; /* of the gates; fd -1: none */
	struct loop_watch *gate_watch[ROOM_COUNT];
	bool is_loading; /* what changes was so before the start */
	bool is_quiet;	 /* a change is already on record */
	bool is_ending;	 /* some connections may have to end */
	uint64_t contacts;
};

/* addresses_begin - the book, with what is kept in the database.  addresses_end - free. */
int addresses_begin(struct broker *b) MUST_USE;
void addresses_end(struct broker *b);
/* addresses_reload - settings or ScannerFile may have changed.  addresses_scanner - a new
 * ScannerFile (owned; -1: none any more). */
void addresses_reload(struct broker *b);
void addresses_scanner(struct broker *b, int fd);
/* addresses_limits - of the settings in force. */
struct rep_limits addresses_limits(const struct broker *b);
int64_t addresses_now(const struct broker *b); /* microseconds, of the clock that only goes on */
/* addresses_allowed - is it in AllowAddresses? */
bool addresses_allowed(const struct broker *b, const struct prefix *p);

/* addresses_score - this came from there.
 *   peer    as the gate saw it
 *   points  of a probe; 0: those of the row in contacts.def */
void addresses_score(struct broker *b, const char *peer, enum contact kind, uint32_t points);
/* addresses_good - a login from there was proved. */
void addresses_good(struct broker *b, const char *peer);
/* addresses_refused - is this peer not to be served? */
bool addresses_refused(struct broker *b, const char *peer);
/* contact_name - of a row of contacts.def; NULL: there is none. */
const char *contact_name(unsigned kind);

/* addresses_idle - end whom it has come to that, tell the gates.  addresses_tick - once a second.
 */
void addresses_idle(struct broker *b);
void addresses_tick(struct broker *b);

/* gate_links.c: addresses_gate - a new socket to a gate (owned): it hears all.  addresses_tell -
 * what the gates do not know yet, as far as they read. */
int addresses_gate(struct broker *b, enum room gate, int fd) MUST_USE;
void addresses_tell(struct broker *b);
void addresses_gates_end(struct broker *b);

/* contact.c */
int handle_contact(struct broker *b, struct worker *w, struct span body);
/* addresses_worker_broke - the supervisor's word about the end of a worker. */
void addresses_worker_broke(struct broker *b, struct span body);
#endif
