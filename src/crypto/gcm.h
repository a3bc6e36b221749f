/* gcm.h - AES-GCM (NIST SP 800-38D) for bulk data: one key, many messages, 12-byte IVs, 16-byte
 * tags.
 *
 * Two engines compute the same: libipsec-mb where the processor has VAES and AVX-512 (two to three
 * times as fast as OpenSSL 3.0 there), OpenSSL everywhere else.  The caller chooses IVs that never
 * repeat under a key.
 */
#ifndef SP_CRYPTO_GCM_H
#define SP_CRYPTO_GCM_H

#include "crypto/crypto.h"

#define GCM_IV_BYTES 12u
#define GCM_TAG_BYTES 16u

struct gcm; /* opaque: the key schedule; wiped by gcm_free */

/* gcm_ready - choose the engine of this process, once, before threads and sandbox.  Without it
 * everything goes through OpenSSL. gcm_engine - "VAES" or "OpenSSL", for status and tests. */
void gcm_ready(void);
const char *gcm_engine(void);

/* gcm_new - without a key yet.
 *   plain   OpenSSL in any case: for tests
 *   ret     owned by the caller; errors SP_ENOMEM, SP_ECRYPTO
 * gcm_key - this key from now on: 16 or 32 bytes (SP_ERANGE).  errors SP_ECRYPTO */
int gcm_new(bool plain, struct gcm **ret) MUST_USE;
int gcm_key(struct gcm *g, struct span key) MUST_USE;
void gcm_free(struct gcm *g); /* accepts NULL */

/* gcm_seal - encrypt parts, one after the other.
 *   parts   n spans, 1 to 4; each may lie where its ciphertext will
 *   out     as many bytes as the parts have
 *   errors  SP_ECRYPTO: out is not to be used, nor the IV again */
int gcm_seal(struct gcm *g, const uint8_t iv[GCM_IV_BYTES], struct span aad,
    const struct span *parts, size_t n, uint8_t *out, uint8_t tag[GCM_TAG_BYTES]) MUST_USE;
/* gcm_open - decrypt and authenticate.
 *   out     ct.len bytes; out == ct.ptr is allowed
 *   errors  SP_EBADTAG, SP_ECRYPTO: out is zeroed */
int gcm_open(struct gcm *g, const uint8_t iv[GCM_IV_BYTES], struct span aad, struct span ct,
    const uint8_t tag[GCM_TAG_BYTES], uint8_t *out) MUST_USE;
#endif
