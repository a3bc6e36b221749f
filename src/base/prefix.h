/* prefix.h - addresses and networks, of IPv4 and IPv6 alike, as 16 bytes and a number of bits.
 *
 * IPv4 is kept in IPv6's clothes (::ffff:a.b.c.d): one table holds both, and a peer that comes
 * through a socket of either kind is the same peer. */
#ifndef SP_BASE_PREFIX_H
#define SP_BASE_PREFIX_H

#include "base/defer.h"
#include "base/span.h"
#include "base/text.h"

#define PREFIX_TEXT 64u	    /* bytes: the longest text of a prefix, and NUL */
#define PREFIX_LIST_MAX 64u /* networks in one setting */

struct prefix {
	uint8_t b[16]; /* bits beyond `bits` are zero */
	uint8_t bits;  /* 0 to 128; of IPv4 96 to 128 */
};

/* prefix_parse - "192.0.2.7", "192.0.2.0/24", "2001:db8::/32".
 *   errors  SP_ESYNTAX; SP_ERANGE (more bits than the address has, or bits set beyond them) */
int prefix_parse(struct span s, struct prefix *ret) MUST_USE;
/* prefix_of_peer - the whole address of "1.2.3.4:567", "[2001:db8::1]:567" or a bare address; the
 * port does not count.  errors SP_ESYNTAX */
int prefix_of_peer(const char *peer, struct prefix *ret) MUST_USE;
/* prefix_is_v4 - of IPv4? */
bool prefix_is_v4(const struct prefix *p);
/* prefix_cut - the network of the first `bits` bits of p (never more than p has). */
struct prefix prefix_cut(const struct prefix *p, unsigned bits);
/* prefix_host - who is counted as one: an IPv4 address, or the 64 bits of IPv6 of which one
 * customer has all.  prefix_network - those around it: /24, or /48. */
struct prefix prefix_host(const struct prefix *p);
struct prefix prefix_network(const struct prefix *p);
/* prefix_has - is p inside outer, or the same? */
bool prefix_has(const struct prefix *outer, const struct prefix *p);
bool prefix_eq(const struct prefix *a, const struct prefix *b);
/* prefix_hash - for tables; FNV-1a. */
uint64_t prefix_hash(const struct prefix *p);
/* prefix_text - "192.0.2.0/24"; without "/…" where it is one whole IPv4 address; appended to t. */
void prefix_text(struct text *t, const struct prefix *p);

/* struct prefix_list - the networks of a setting. */
struct prefix_list {
	size_t n;
	struct prefix p[PREFIX_LIST_MAX];
};
/* prefix_list_parse - networks with commas or spaces between them; "none": no network.
 *   errors  those of prefix_parse; SP_ETOOBIG (more than PREFIX_LIST_MAX) */
int prefix_list_parse(struct span s, struct prefix_list *ret) MUST_USE;
bool prefix_list_has(const struct prefix_list *l, const struct prefix *p);
#endif
