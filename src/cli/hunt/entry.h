/* entry.h - one entry of the audit log, taken apart.  Pure: no allocation, clock or I/O.
 *
 * The reader knows the one form that the ledger writes (docs/internals/ledger.md): an object
 * without white space, members that are strings or numbers, and `detail`, an object of strings.
 * Members that it does not know are passed over, so that a later version's log can be read;
 * anything that is not of this form is SP_ESYNTAX, and its caller says so: an entry is never
 * dropped in silence.
 */
#ifndef SP_CLI_HUNT_ENTRY_H
#define SP_CLI_HUNT_ENTRY_H

#include "base/err.h"
#include "base/text.h"

enum hunt_kind {
	KIND_OTHER,
#define KIND(NAME, name) KIND_##NAME,
#include "cli/hunt/kinds.def"
#undef KIND
	KIND_COUNT
};

#define HUNT_PAIRS_MAX 64u /* members of `detail`; the writer's rows have a dozen */

struct hunt_pair {
	struct span key, value;
};

/* Text is unescaped already and may hold any character: whoever prints it, prints it safely
 * (cli/safe.h). */
struct hunt_entry {
	uint64_t n;
	int64_t t_us;
	enum hunt_kind kind;
	struct span event, sev, door, listener, user, org, path, blob;
	struct span addr; /* "203.0.113.7:4711": the supervisor's word */
	uint8_t ip[16];	  /* of addr, else of the broker's "address"; IPv4 as ::ffff:a.b.c.d */
	bool is_v4;
	uint32_t network; /* of its /24 or /64; 0: no address */
	uint64_t serial, file, version, size;
	bool has_size;
	unsigned n_pairs;
	struct hunt_pair pair[HUNT_PAIRS_MAX];
};

/* hunt_entry_read - take an entry apart.
 *   json  its bytes, written over: escapes are resolved in place
 *   len   bytes
 *   ret   its spans point into json
 *   errors  SP_ESYNTAX, SP_ERANGE (a number over 64 bits, more details than HUNT_PAIRS_MAX) */
int hunt_entry_read(uint8_t *json, size_t len, struct hunt_entry *ret) MUST_USE;
/* hunt_detail - a member of `detail`; empty when there is none. */
struct span hunt_detail(const struct hunt_entry *e, const char *key);
/* hunt_detail_u64 - the same as a number; 0 when there is none or it is no number. */
uint64_t hunt_detail_u64(const struct hunt_entry *e, const char *key);
/* hunt_address - the text of the address that ip is of, without its port. */
struct span hunt_address(const struct hunt_entry *e);
/* hunt_ip_read - an address with or without port and brackets, as 16 bytes (IPv4 mapped). */
int hunt_ip_read(struct span s, uint8_t ret[16], bool *ret_v4) MUST_USE;
/* hunt_time_read - "2026-11-23T21:09:41.123456Z" or without the fraction, as the ledger writes it.
 */
int hunt_time_read(struct span s, int64_t *ret_us) MUST_USE;
#endif
