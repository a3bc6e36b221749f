/* wrap.h - keys under keys: file keys under organisation keys, those under the root key.
 *
 * A wrap is 96 bytes: version 1 (1 byte) | state (1) | reserved 0 (2) | epoch (4) | salt (32) |
 * length (8) | ciphertext (32) | tag (16).  The wrapping key is
 * HKDF-Expand-SHA-384(kek, "sallyport wrap v1" || salt) giving key and IV, so no nonce can repeat.
 * Associated data: everything before the ciphertext, the organisation and the blob: none of them
 * can be exchanged.  The length is what the governor charges.
 */
#ifndef SP_CRYPTO_WRAP_H
#define SP_CRYPTO_WRAP_H

#include "crypto/crypto.h"

#define WRAP_BYTES 96u

enum wrap_state { WRAP_STAGED = 1, WRAP_SEALED = 2, WRAP_ORG = 3 };

struct wrap_info {
	enum wrap_state state;
	uint32_t epoch;	 /* of the organisation key that wraps */
	uint64_t length; /* bytes of plaintext: exact when sealed, the most when staged, 0 for WRAP_ORG */
};

/* key_wrap - wrap a 32-byte key.
 *   kek   the wrapping key      org   organisation number      blob  16-byte identifier (zeros: org key)
 *   out   receives WRAP_BYTES */
int key_wrap(const uint8_t kek[KEY_BYTES], uint64_t org, const uint8_t blob[16], const struct wrap_info *info,
    const uint8_t key[KEY_BYTES], uint8_t out[WRAP_BYTES]) MUST_USE;
/* wrap_peek - state, epoch and length as they are written, not yet authenticated.
 *   errors SP_ERANGE for a wrong size, version or state */
int wrap_peek(struct span wrap, struct wrap_info *ret) MUST_USE;
/* key_unwrap - errors SP_EBADTAG (another organisation, blob, key, or changed bytes), SP_ERANGE */
int key_unwrap(const uint8_t kek[KEY_BYTES], uint64_t org, const uint8_t blob[16], struct span wrap,
    struct wrap_info *ret_info, uint8_t ret_key[KEY_BYTES]) MUST_USE;

/* seal_proof - what a worker hands over with a finished upload whose length was not known before:
 * HMAC-SHA-256(HKDF-Expand-SHA-384(key, "sallyport seal v1"), blob || length).  Only who holds the
 * file key can make it, so no other room can understate a length. */
int seal_proof(const uint8_t key[KEY_BYTES], const uint8_t blob[16], uint64_t length, uint8_t out[32]) MUST_USE;
#endif
