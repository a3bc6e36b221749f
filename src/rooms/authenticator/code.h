/* code.h - one-time codes (RFC 6238: SHA-1, 6 digits, 30 seconds) and the seeds that they are made
 * of. */
#ifndef SP_AUTHENTICATOR_CODE_H
#define SP_AUTHENTICATOR_CODE_H

#include "store/blob.h"

#define CODE_DIGITS 6u
#define CODE_STEP_S 30u
#define CODE_WINDOW 1u	    /* steps to either side that a clock may be off */
#define CODE_SEED_BYTES 20u /* RFC 4226 section 4, R6: 160 bits */
#define CODE_SEED_TEXT 33u  /* base32 of a seed, NUL */
#define CODE_SEALED_MAX 256u

/* code_ready - load what the library loads at its first use.  errors SP_ECRYPTO */
int code_ready(void) MUST_USE;
/* code_check - is it the code of this time step, or of one beside it?  In constant time over the
 * steps.
 *   code       as it was typed: exactly CODE_DIGITS digits, blanks around and between them are
 * passed over last_step  steps up to this one are used up ret_step   the step that it is good for
 *   errors     SP_EAUTH; SP_ERANGE (a time before 1970's first steps), SP_ECRYPTO
 * source RFC 6238 section 4, section 5.2: "The verifier MUST NOT accept the second attempt of the
 * OTP" */
int code_check(const uint8_t seed[CODE_SEED_BYTES], struct span code, uint64_t now_s,
    uint64_t last_step, uint64_t *ret_step) MUST_USE;
/* code_check_sealed - the same with a seed as it is stored.  errors also SP_EDAMAGED */
int code_check_sealed(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    struct span content, struct span code, uint64_t now_s, uint64_t last_step,
    uint64_t *ret_step) MUST_USE;
/* code_make - a fresh seed: sealed under key, and as base32 for its user.
 *   out, cap  receives the ciphertext; CODE_SEALED_MAX bytes are enough */
int code_make(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES], uint8_t *out,
    size_t cap, size_t *ret_len, char ret_text[CODE_SEED_TEXT]) MUST_USE;
/* code_seed_text - base32 (RFC 4648 section 6), without padding since none is needed. */
int code_seed_text(const uint8_t seed[CODE_SEED_BYTES], char ret[CODE_SEED_TEXT]) MUST_USE;
#endif
