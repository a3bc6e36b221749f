/* egress.h - the file vault/egress: what each principal was given, so that no crash gives it back.
 *
 * Two heads, EGRESS_HEAD bytes apart; then places of EGRESS_PLACE bytes, in groups: EGRESS_GROW
 * first copies, then as many second ones.  All is authenticated under a key that is derived from
 * the root key.  A place is written to the one copy, then the other, by turns: a torn write leaves
 * what was there before.
 *
 *   head   "SPVEGRH1" | writes u64 | places u32 | time u64 | boot u64 | HMAC-SHA-256
 *   place  "SPVEGRP1" | number u32 | writes u64 | boot u64 | principal (principal.h) | HMAC-SHA-256
 *
 * time is the governor's, boot what CLOCK_BOOTTIME showed then.
 */
#ifndef SP_VAULT_EGRESS_H
#define SP_VAULT_EGRESS_H

#include "crypto/crypto.h"
#include "rooms/vault/principal.h"

#define EGRESS_HEAD 4096u
#define EGRESS_FIRST 8192u
#define EGRESS_PLACE 1024u
#define EGRESS_PLACES 32768u /* principals at most */
#define EGRESS_GROW 256u     /* places that are made at a time */
#define EGRESS_BYTES (EGRESS_FIRST + 2u * EGRESS_PLACES * EGRESS_PLACE) /* of the file, at most */

/* struct egress_disk - how the file is reached, and the clock; tests have their own. */
struct egress_disk {
	/* read - up to n bytes at an offset; returns how many, or an error */
	int64_t (*read)(void *arg, int64_t at, uint8_t *buf, size_t n);
	int (*write)(void *arg, int64_t at, struct span bytes);
	int (*sync)(void *arg);
	int64_t (*boot_s)(void *arg); /* CLOCK_BOOTTIME */
	void *arg;
};

struct egress {
	const struct egress_disk *disk; /* borrowed */
	const uint8_t *mac_key;		/* KEY_BYTES; borrowed */
	uint64_t writes;		/* of the head */
	uint32_t places;
};

enum egress_state { EGRESS_EMPTY, EGRESS_GOOD, EGRESS_DAMAGED };

/* egress_open - what is there?
 *   ret_time, ret_boot  of the head, when it is good
 *   errors              SP_EIO and the like, SP_ECRYPTO */
int egress_open(struct egress *e, const struct egress_disk *disk, const uint8_t *mac_key,
    enum egress_state *ret, int64_t *ret_time, int64_t *ret_boot) MUST_USE;
/* egress_begin - a new file over whatever there is: a head without places.  Durable. */
int egress_begin(struct egress *e, int64_t time) MUST_USE;
/* egress_grow - EGRESS_GROW more free places, each written EGRESS_NEW_WRITES times.  Durable.
 * SP_EFULL */
#define EGRESS_NEW_WRITES 2u
int egress_grow(struct egress *e, int64_t time) MUST_USE;
/* egress_read - one place.
 *   ret_boot   boot of its newest write
 *   ret_doubt  its newest write may be lost: one of two copies does not authenticate
 *   errors     SP_EDAMAGED: none of them does */
int egress_read(struct egress *e, uint32_t place, struct principal *ret, int64_t *ret_boot,
    bool *ret_doubt) MUST_USE;
/* egress_write - one place, with so much counted as spent beyond what p says; not yet durable.  On
 * success p->writes moves on; who cannot make it durable takes that back (egress_undo), so that the
 * next write goes over this one and not over the last good one. */
int egress_write(struct egress *e, uint32_t place, struct principal *p, uint64_t more_files,
    uint64_t more_bytes) MUST_USE;
void egress_undo(struct principal *p);
int egress_sync(struct egress *e) MUST_USE;
#endif
