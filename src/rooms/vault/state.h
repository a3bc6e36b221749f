/* state.h - the two files of the vault: reading both slots of vault/state, writing one;
 * vault/egress. */
#ifndef SP_VAULT_STATE_H
#define SP_VAULT_STATE_H

#include "rooms/vault/governor.h"
#include "rooms/vault/orgkeys.h"

struct vault_state {
	int fd;		   /* open for reading and writing; borrowed */
	size_t written[2]; /* bytes of each slot that may not be zero: a shorter content wipes the
			      rest */
};

/* vault_state_read - both slots; empty where the file ends before them.
 *   slot    each owned by the caller (mem_free), VAULT_SLOT_STRIDE bytes at most
 *   fresh   set when the file has no bytes at all
 *   errors  SP_EIO, SP_ENOMEM */
int vault_state_read(
    struct vault_state *s, uint8_t *slot[2], struct span ret[2], bool *ret_fresh) MUST_USE;
/* vault_state_save - a vault_save_fn; arg is the struct vault_state.  Durable when it returns. */
int vault_state_save(void *arg, unsigned slot, struct span content) MUST_USE;

/* egress_file - the disk of vault/egress: a descriptor, borrowed, behind struct egress_disk. */
struct egress_disk egress_file(int *fd);
/* limits_take - limits.conf, which the supervisor has checked already.
 *   why, cap  one sentence on failure: the limits that were in force stay */
int limits_take(struct governor *g, int fd, char *why, size_t cap) MUST_USE;
#endif
