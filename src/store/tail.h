/* tail.h - private to store/: the acknowledged tail of a staged blob, in one of two slots.
 *
 * docs/internals/store.md tells the whole story.  A slot belongs to the segment number whose
 * beginning it holds.  "Place" is a position in units of segments behind the header, as segments
 * have it: the slots of segment n are at places n + 1 and n + 2, so that its own place stays free
 * for it.
 *
 *   generation and slot (4: generation * 2 + slot) | length (4) | salt (8) | ciphertext | tag (16)
 *
 * Key and IV are HKDF-Expand-SHA-384(file key, "sallyport tail v1" || FLOE header || segment number
 * || those 16 bytes); they are the associated data too, so none of them can be exchanged and no IV
 * comes twice.
 */
#ifndef SP_STORE_TAIL_H
#define SP_STORE_TAIL_H

#include "store/blob.h"

#define TAIL_NO_PLACE UINT64_MAX

/* What ties slots to their blob. */
struct tail_blob {
	int fd;
	uint32_t segment;
	uint8_t key[KEY_BYTES];
	uint8_t header[FLOE_HEADER_BYTES];
};

struct tail_slot {
	uint64_t place;	 /* where it lies */
	uint64_t number; /* of the segment that it begins */
	uint32_t generation;
	uint32_t length; /* plaintext bytes, 1 to segment - 32 */
};

/* segment_offset - where in the file a place begins. */
uint64_t segment_offset(uint32_t segment, uint64_t place);

/* tail_save - write a slot; not durable before the caller's sync.
 *   slot     number and generation set by the caller; place is number + 1 or number + 2
 *   scratch  segment bytes
 *   errors   SP_ERANGE: generations are used up (2^31) */
int tail_save(const struct tail_blob *b, const struct tail_slot *slot, struct span pt,
    uint8_t *scratch) MUST_USE;

/* tail_load - read the slot at a place; its plaintext is then at scratch + 16.
 *   errors  SP_ENOTFOUND: no valid slot there; SP_EIO */
int tail_load(
    const struct tail_blob *b, uint64_t place, uint8_t *scratch, struct tail_slot *ret) MUST_USE;
#endif
