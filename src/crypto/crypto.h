/* crypto.h - primitives: hashes, random bytes, key derivation, AEAD, Ed25519, passwords.
 *
 * src/crypto/ is the only code that calls OpenSSL's EVP (the TLS engine of a door apart).  Every
 * function that checks something returns SP_OK for "good" and an error for everything else; there
 * is no third value to forget.
 */
#ifndef SP_CRYPTO_H
#define SP_CRYPTO_H

#include "base/err.h"
#include "base/mem.h"

#define SHA256_BYTES 32u
#define KEY_BYTES 32u

/* crypto_ready - load all that OpenSSL loads at first use (its provider, the algorithms used here, the random
 * generator's seed; not the signatures: their users derive a key before their sandbox), without its configuration file.  Every room that uses crypto/ calls it before its
 * sandbox, which would kill it for opening a file.  errors SP_ECRYPTO */
int crypto_ready(void) MUST_USE;

/* crypto_random - n unpredictable bytes (RAND_bytes: seeded by the kernel). errors SP_ECRYPTO */
int crypto_random(void *out, size_t n) MUST_USE;

/* crypto_reseed - after a fork: seed every generator of this process anew from the kernel, so that it gives other bytes
 * than the process that it was copied from and all its other copies.  errors SP_ECRYPTO */
int crypto_reseed(void) MUST_USE;

/* sha256 - hash of one span.  struct sha256 streams; sha256_done gives the hash and frees. */
int sha256(struct span s, uint8_t out[SHA256_BYTES]) MUST_USE;
struct sha256; /* opaque */
struct sha256 *sha256_new(void) MUST_USE; /* NULL: no memory */
int sha256_reset(struct sha256 *h) MUST_USE;
int sha256_add(struct sha256 *h, struct span s) MUST_USE;
int sha256_get(struct sha256 *h, uint8_t out[SHA256_BYTES]) MUST_USE; /* call reset before reuse */
void sha256_free(struct sha256 *h);

/* hmac_sha256 - RFC 2104. */
int hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES]) MUST_USE;

/* hkdf_expand_sha384 - HKDF-Expand of RFC 5869 section 2.3 with SHA-384; len at most 255*48 bytes. */
int hkdf_expand_sha384(struct span prk, struct span info, uint8_t *out, size_t len) MUST_USE;

/* crc32 - the CRC of ZIP and gzip (reflected 0xEDB88320), continued from crc (0 to begin). */
uint32_t crc32_add(uint32_t crc, struct span s);

/* aead_seal, aead_open - AES-256-GCM in one call; ct has the length of pt, the tag is 16 bytes.
 *   errors  SP_EBADTAG when it does not authenticate: then out is zeroed; SP_ECRYPTO */
int aead_seal(const uint8_t key[KEY_BYTES], const uint8_t iv[12], struct span aad, struct span pt,
    uint8_t *ct, uint8_t tag[16]) MUST_USE;
int aead_open(const uint8_t key[KEY_BYTES], const uint8_t iv[12], struct span aad, struct span ct,
    const uint8_t tag[16], uint8_t *pt) MUST_USE;

/* Ed25519 (RFC 8032): 32-byte seed, 32-byte public key, 64-byte signature. */
int ed25519_public(const uint8_t seed[32], uint8_t ret_public[32]) MUST_USE;
int ed25519_sign(const uint8_t seed[32], struct span msg, uint8_t ret_sig[64]) MUST_USE;
int ed25519_verify(const uint8_t public_key[32], struct span msg, const uint8_t sig[64]) MUST_USE;

/* es256_verify - ECDSA on P-256 with SHA-256 as JOSE writes it (RFC 7518 section 3.4).
 *   point      4, x, y (SEC 1 section 2.3.3); checked to be on the curve
 *   signature  r and s, 32 bytes each
 *   errors     SP_EAUTH (does not verify, or no such key), SP_ENOMEM */
int es256_verify(const uint8_t point[65], struct span data, const uint8_t signature[64]) MUST_USE;

/* password_hash - Argon2id PHC string ("$argon2id$v=19$m=65536,t=2,p=1$salt$hash") of a password.
 *   memory_bytes, passes  the cost (settings Argon2Memory, Argon2Passes)
 *   phc, cap              receives the NUL-terminated string; 128 bytes are enough
 * password_verify - SP_OK when it matches, SP_EAUTH when not; the cost is read from the string and
 *   capped at 1 GiB and 16 passes (SP_ERANGE).  source RFC 9106, the PHC string format
 * argon2id_key - derive a 32-byte key from a passphrase and a 16-byte salt. */
int password_hash(struct span password, uint64_t memory_bytes, unsigned passes, char *phc, size_t cap) MUST_USE;
int password_verify(struct span password, const char *phc) MUST_USE;
int argon2id_key(struct span passphrase, const uint8_t salt[16], uint64_t memory_bytes, unsigned passes,
    uint8_t ret_key[KEY_BYTES]) MUST_USE;
#endif
