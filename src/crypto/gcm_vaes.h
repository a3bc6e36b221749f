/* gcm_vaes.h - private to crypto/: AES-GCM through libipsec-mb, where the build and the processor
 * have it. */
#ifndef SP_CRYPTO_GCM_VAES_H
#define SP_CRYPTO_GCM_VAES_H

#include "crypto/gcm.h"

struct vaes; /* opaque: one key schedule */

/* vaes_ready - true when it can be used: VAES and AVX-512 are there and the library's own tests
 * pass.  Not for two threads at once. */
bool vaes_ready(void);
/* vaes_new - NULL: no memory.  vaes_free - wipes; accepts NULL.  Only after vaes_ready said yes. */
struct vaes *vaes_new(void) MUST_USE;
void vaes_free(struct vaes *v);
/* vaes_key - 16 or 32 bytes. */
void vaes_key(struct vaes *v, struct span key);
/* vaes_seal, vaes_open - as gcm_seal, gcm_open; open only computes the tag that there should be. */
void vaes_seal(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad,
    const struct span *parts, size_t n, uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES]);
void vaes_open(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad, struct span ct,
    uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES]);
#endif
