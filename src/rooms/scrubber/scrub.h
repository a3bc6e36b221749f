/* scrub.h - reading one stored blob from end to end: does every segment authenticate, and what is
 * its hash? */
#ifndef SP_SCRUBBER_SCRUB_H
#define SP_SCRUBBER_SCRUB_H

#include "store/blob.h"

/* What is known after a job. */
struct scrub_result {
	int err;	 /* SP_OK: all of it is good; SP_EDAMAGED, SP_EIO, SP_ENOMEM, SP_ECRYPTO;
			    SP_ECLOSED: told to stop */
	uint64_t offset; /* plaintext offset of the first segment that is not good; the length when
			    all are */
	uint64_t length; /* plaintext bytes, as the vault's wrap says */
	uint8_t sha256[SHA256_BYTES];
	uint32_t crc32; /* both zero unless err is SP_OK */
};

/* scrub_stop_fn - asked now and then: is it time to give up? */
typedef bool (*scrub_stop_fn)(void *arg);

/* scrub_file - read a blob file.
 *   fd       borrowed
 *   length   plaintext bytes that the vault says
 *   stop     may be NULL */
struct scrub_result scrub_file(int fd, const uint8_t key[KEY_BYTES],
    const uint8_t blob[BLOB_ID_BYTES], uint32_t segment, uint64_t length, scrub_stop_fn stop,
    void *arg);

/* scrub_inline - check the ciphertext of a small file. */
struct scrub_result scrub_inline(struct span ct, const uint8_t key[KEY_BYTES],
    const uint8_t blob[BLOB_ID_BYTES], uint64_t length);
#endif
