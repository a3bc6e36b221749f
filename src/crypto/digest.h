/* digest.h - the hashes that clients may name when they check an upload: SHA-1, SHA-256, SHA-384,
 * SHA-512.
 *
 * For comparing with what a client sent, never for security of our own: that is SHA-256 (crypto.h).
 */
#ifndef SP_CRYPTO_DIGEST_H
#define SP_CRYPTO_DIGEST_H

#include "crypto/crypto.h"

#define DIGEST_BYTES_MAX 64u

struct digest; /* opaque */

/* digest_new - by name without regard to case: "sha-1", "sha1", "sha-256", ...
 *   ret     owned by the caller
 *   errors  SP_ENOTIMPL (no such name), SP_ENOMEM, SP_ECRYPTO */
int digest_new(struct span name, struct digest **ret) MUST_USE;
int digest_add(struct digest *d, struct span s) MUST_USE;
/* digest_get - the hash; once. */
int digest_get(struct digest *d, uint8_t out[DIGEST_BYTES_MAX], size_t *ret_len) MUST_USE;
void digest_free(struct digest *d); /* accepts NULL */
#endif
