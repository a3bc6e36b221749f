/* hasher.h - private to store/: SHA-256 and CRC-32 of a stream, beside the transfer.
 *
 * SHA-256 costs more processor time than the rest of an upload, so a full segment is hashed by a
 * helper thread while the next one arrives.  One segment is with the helper at a time: nothing
 * queues up.  The thread starts with the first segment handed over; a small upload never starts
 * one, and where no thread can be had all is hashed by the caller.
 */
#ifndef SP_STORE_HASHER_H
#define SP_STORE_HASHER_H

#include "crypto/crypto.h"

struct hasher;

/* hasher_new - owned by the caller; NULL: no memory.  hasher_free ends the thread; accepts NULL. */
struct hasher *hasher_new(void) MUST_USE;
void hasher_free(struct hasher *h);

/* hasher_post - hash s beside the caller, who must not change the bytes until hasher_wait. */
void hasher_post(struct hasher *h, struct span s);
/* hasher_wait - until what was posted is hashed.  errors SP_ECRYPTO */
int hasher_wait(struct hasher *h) MUST_USE;
/* hasher_add - hash s now, after all that was posted. */
int hasher_add(struct hasher *h, struct span s) MUST_USE;
/* hasher_get - the results; nothing can be added after that. */
int hasher_get(struct hasher *h, uint8_t ret_sha256[SHA256_BYTES], uint32_t *ret_crc) MUST_USE;
#endif
