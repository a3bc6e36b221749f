/* blob.h - a FLOE blob in a file: written once in order, read at random.
 *
 * Used by workers and the scrubber: they hold a descriptor of one blob and its key, no path.
 * The layer may include base, sys and crypto.
 */
#ifndef SP_STORE_BLOB_H
#define SP_STORE_BLOB_H

#include "crypto/floe.h"
#include "crypto/wrap.h"

#define BLOB_ID_BYTES 16u
#define INLINE_MAX 65536u /* plaintext of a small file kept in its database row */
#define INLINE_CT_MAX (INLINE_MAX + FLOE_HEADER_BYTES + FLOE_OVERHEAD)
#define INLINE_SEGMENT 131072u /* FLOE segment length of small files: always one segment */

/* ---- writing: sequential, constant memory (one segment buffer, reused) ---- */
struct blob_writer;
/* blob_writer_new - begin a blob in an empty file.
 *   fd       open for writing; borrowed for the writer's life
 *   limit    most plaintext bytes: what the vault wrapped; more is SP_ETOOBIG
 *   segment  encrypted segment length in bytes
 *   hashed   keep SHA-256 (on a helper thread, off the transfer's path) and CRC-32 */
int blob_writer_new(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t limit, bool hashed, struct blob_writer **ret) MUST_USE;
/* blob_writer_room - where to put the next plaintext bytes, and how many fit; receiving straight
 * into it saves a copy.  There is always room for a byte.
 * blob_writer_fill - n bytes were put there.  errors SP_ETOOBIG (over the limit), SP_EDISKFULL,
 * SP_EIO; an error stays: every later call of the writer gives it again. */
uint8_t *blob_writer_room(struct blob_writer *w, size_t *ret_room);
int blob_writer_fill(struct blob_writer *w, size_t n) MUST_USE;
/* blob_writer_finish - the last segment, everything on disk (fdatasync). size in bytes, hash, crc,
 * and the seal proof over (blob, size).  The writer is then only good for blob_writer_free. */
int blob_writer_finish(struct blob_writer *w, uint64_t *ret_size, uint8_t ret_sha256[32],
    uint32_t *ret_crc, uint8_t ret_proof[32]) MUST_USE;
void blob_writer_free(struct blob_writer *w); /* wipes; accepts NULL */

/* ---- reading ---- */
struct blob_reader;
/* blob_reader_new - open a sealed blob.
 *   length  plaintext bytes; the file must have exactly the ciphertext length of it, else
 * SP_EDAMAGED */
int blob_reader_new(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t length, struct blob_reader **ret) MUST_USE;
/* blob_reader_at - plaintext at offset: points *ret into the reader's buffer (valid until the next
 * call) at as many bytes as one segment gives.  Nothing is returned of a segment that does not
 * authenticate. errors SP_EDAMAGED, SP_EIO, SP_ERANGE (offset at or past the end) */
int blob_reader_at(struct blob_reader *r, uint64_t offset, struct span *ret) MUST_USE;
void blob_reader_free(struct blob_reader *r);

/* ---- small files: header and one final segment in memory ---- */
int blob_inline_seal(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    struct span pt, uint8_t *out, size_t cap, size_t *ret_len) MUST_USE;
int blob_inline_open(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    struct span ct, uint8_t *out, size_t cap, size_t *ret_len) MUST_USE;

/* ---- staged blobs that are continued (resumable uploads) ----
 * Acknowledged plaintext that does not fill a segment lies in one of two tail slots behind the full
 * segments, each `segment` bytes, used in turn, so that a durable byte is never overwritten.  A
 * slot is encrypted under a key derived for it alone (tail.h, docs/internals/store.md).
 *   blob_writer_ack     make all bytes so far durable; *ret_acked is what the client may be told.
 * The caller puts that number on record before the next call of it. blob_writer_resume  continue a
 * staged blob at the number on record: finds the full segments and the slot that together hold
 * exactly acked bytes (SP_EDAMAGED otherwise) and drops what was written beyond them; the hash
 * state is not kept: *ret_hashed false tells that the scrubber has to compute it (true only when
 * acked is 0) */
int blob_writer_ack(struct blob_writer *w, uint64_t *ret_acked) MUST_USE;
int blob_writer_resume(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t limit, uint64_t acked, struct blob_writer **ret,
    bool *ret_hashed) MUST_USE;
#endif
