/* orgkeys.h - the organisation keys, wrapped, in memory and in the state file.
 *
 * A table of (organisation, epoch) -> wrap under the root key, sorted.  The keys themselves are
 * unwrapped one at a time by the core and never kept.  The state file has two slots,
 * VAULT_SLOT_STRIDE bytes apart:
 *
 *   "SPVSTAT1" | generation u64 | count u32 | flags u32 | count * (org u64 | epoch u32 | wrap 96) |
 * HMAC-SHA-256
 *
 * Flag 1: vault/egress was begun; one that is empty later was taken away.  The HMAC covers all
 * before it, under a key derived from the root key.  Both slots are written, one after the other,
 * with a sync after each: a torn write leaves the other slot whole.
 */
#ifndef SP_VAULT_ORGKEYS_H
#define SP_VAULT_ORGKEYS_H

#include "crypto/wrap.h"

#define VAULT_SLOT_STRIDE 4194304u
#define VAULT_SLOT_UNIT 65536u
#define ORGKEY_BYTES 108u /* of one row in the file */
#define ORGKEYS_MAX ((VAULT_SLOT_STRIDE - 24u - 32u) / ORGKEY_BYTES)

struct orgkey {
	uint64_t org;
	uint32_t epoch; /* from 1 */
	uint8_t wrap[WRAP_BYTES];
};

struct orgkeys {
	struct orgkey *rows; /* owned; sorted by organisation, then epoch */
	size_t n, cap;
	bool has_egress; /* flag 1 */
};

void orgkeys_done(struct orgkeys *t); /* frees; safe twice and on a zeroed struct */
int orgkeys_copy(const struct orgkeys *t, struct orgkeys *ret) MUST_USE;

/* orgkeys_find - the row of one epoch; epoch 0: the newest.  NULL: there is none.  Borrowed until a
 * change. */
const struct orgkey *orgkeys_find(const struct orgkeys *t, uint64_t org, uint32_t epoch);
/* orgkeys_add - errors SP_EEXISTS, SP_EFULL, SP_ENOMEM */
int orgkeys_add(struct orgkeys *t, const struct orgkey *row) MUST_USE;
/* orgkeys_drop_below - remove all epochs of org below epoch; returns how many went. */
size_t orgkeys_drop_below(struct orgkeys *t, uint64_t org, uint32_t epoch);

/* orgkeys_encode - one slot as bytes.
 *   mac_key  32 bytes
 *   ret      owned by the caller (mem_free); *ret_len bytes; errors SP_ENOMEM, SP_ECRYPTO */
int orgkeys_encode(const struct orgkeys *t, uint64_t generation, const uint8_t mac_key[KEY_BYTES],
    uint8_t **ret, size_t *ret_len) MUST_USE;
/* orgkeys_decode - check and read one slot.
 *   slot    from the slot's first byte on; what follows its HMAC is ignored
 *   ret     owned by the caller (orgkeys_done); untouched on failure
 *   errors  SP_EDAMAGED (not written by this key's owner, or torn), SP_ENOMEM, SP_ECRYPTO */
int orgkeys_decode(struct span slot, const uint8_t mac_key[KEY_BYTES], uint64_t *ret_generation,
    struct orgkeys *ret) MUST_USE;
#endif
