/* floe.h - FLOE: random-access authenticated encryption of a blob (AES-256-GCM, HKDF-SHA-384).
 *
 * source C2SP FLOE.  A ciphertext is a 74-byte header and segments.  Every segment but the last is
 * exactly `segment` bytes long (32 of them overhead); the last is 32 to `segment` bytes.
 */
#ifndef SP_CRYPTO_FLOE_H
#define SP_CRYPTO_FLOE_H

#include "crypto/crypto.h"

#define FLOE_HEADER_BYTES 74u
#define FLOE_OVERHEAD 32u /* per segment: length 4, IV 12, tag 16 */
#define FLOE_ROTATION_BITS 20u

struct floe; /* opaque: keys of one ciphertext; wiped by floe_free */

/* floe_encrypt_new - begin a ciphertext under a fresh random FLOE IV.
 *   key      32 bytes, used for this one ciphertext
 *   aad      associated data: the blob identifier
 *   segment  encrypted segment length in bytes, 33 (one byte of plaintext) to 16 MiB
 *   header   receives the 74 bytes that open the ciphertext
 *   ret      owned by the caller; errors SP_ERANGE, SP_ENOMEM, SP_ECRYPTO */
int floe_encrypt_new(const uint8_t key[KEY_BYTES], struct span aad, uint32_t segment,
    uint8_t header[FLOE_HEADER_BYTES], struct floe **ret) MUST_USE;

/* floe_decrypt_new - open an existing ciphertext by its header.
 *   segment   the length the store uses; the header must say the same, SP_ERANGE otherwise
 *   errors    SP_EBADTAG when the header does not belong to this key and associated data.
 * The object can also encrypt: an upload that is continued seals further segments with it. */
int floe_decrypt_new(const uint8_t key[KEY_BYTES], struct span aad, uint32_t segment,
    const uint8_t header[FLOE_HEADER_BYTES], struct floe **ret) MUST_USE;

/* floe_seal - encrypt one segment.
 *   position  segment number from 0, below 2^40
 *   is_final  the last one: 0 to segment-32 bytes; every other exactly segment-32 (SP_ERANGE)
 *   out       receives pt.len + 32 bytes; may not overlap pt, except that out + 16 == pt.ptr is
 * allowed (encryption in place) */
int floe_seal(
    struct floe *f, uint64_t position, bool is_final, struct span pt, uint8_t *out) MUST_USE;

/* floe_open - decrypt one whole segment; out receives ct.len - 32 bytes, zeroed on failure;
 * out == ct.ptr + 16 is allowed (in place).  errors SP_EBADTAG, SP_ERANGE (length or its field) */
int floe_open(
    struct floe *f, uint64_t position, bool is_final, struct span ct, uint8_t *out) MUST_USE;

/* floe_free - wipes; accepts NULL. */
void floe_free(struct floe *f);

/* floe_set_rotation - for the published vectors only: keys rotate every 2^bits segments. */
void floe_set_rotation(struct floe *f, unsigned bits);

/* Lengths.  All in bytes.  floe_ciphertext_len of a plaintext; floe_plaintext_len the other way
 * (SP_ERANGE when no plaintext gives that length); an exact multiple of segment-32 has a full last
 * segment, only the empty plaintext has an empty one.  floe_ciphertext_len of what does not fit is
 * UINT64_MAX. */
uint64_t floe_ciphertext_len(uint64_t plaintext, uint32_t segment);
int floe_plaintext_len(uint64_t ciphertext, uint32_t segment, uint64_t *ret) MUST_USE;
#endif
