/* merkle.h - RFC 6962/9162 Merkle trees, C2SP tiles arithmetic, signed notes and checkpoints. */
#ifndef SP_CRYPTO_MERKLE_H
#define SP_CRYPTO_MERKLE_H

#include "base/text.h"
#include "crypto/crypto.h"

struct hash {
	uint8_t b[32];
};

/* leaf hash SHA-256(0x00 || entry), node hash SHA-256(0x01 || left || right). source RFC 9162 2.1.1 */
int merkle_leaf(struct span entry, struct hash *ret) MUST_USE;
int merkle_node(const struct hash *left, const struct hash *right, struct hash *ret) MUST_USE;
/* merkle_leaf_by, merkle_node_by - the same with a sha256 of the caller's, which is reset: for millions of them. */
int merkle_leaf_by(struct sha256 *h, struct span entry, struct hash *ret) MUST_USE;
int merkle_node_by(struct sha256 *h, const struct hash *left, const struct hash *right, struct hash *ret) MUST_USE;

/* struct merkle - the right edge of a tree: enough to append and to know the root. At most 64 hashes. */
struct merkle {
	uint64_t size;
	struct hash edge[64]; /* edge[i]: full subtree of 2^i leaves, present when bit i of size is set */
};
void merkle_init(struct merkle *m);
int merkle_append(struct merkle *m, const struct hash *leaf) MUST_USE;
/* merkle_root - the root hash; of the empty tree SHA-256(""). */
int merkle_root(const struct merkle *m, struct hash *ret) MUST_USE;

/* merkle_hash_fn - gives the hash of the full subtree of 2^level leaves at index (in such subtrees). */
typedef int (*merkle_hash_fn)(void *arg, unsigned level, uint64_t index, struct hash *ret);
/* inclusion_proof, consistency_proof - at most 64 hashes into ret; *ret_n of them.
 * inclusion_check, consistency_check - SP_OK or SP_EVERIFY. source RFC 9162 2.1.3, 2.1.4 */
int inclusion_proof(uint64_t index, uint64_t size, merkle_hash_fn fn, void *arg, struct hash *ret, size_t *ret_n) MUST_USE;
int inclusion_check(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof, size_t n,
    const struct hash *root) MUST_USE;
int consistency_proof(uint64_t old_size, uint64_t size, merkle_hash_fn fn, void *arg, struct hash *ret, size_t *ret_n) MUST_USE;
int consistency_check(uint64_t old_size, uint64_t size, const struct hash *old_root, const struct hash *root,
    const struct hash *proof, size_t n) MUST_USE;

/* tile_path - "tile/<level>/x001/x234/067[.p/<width>]"; level -1 is "tile/entries/...".
 *   width  256 for a full tile, 1 to 255 for a partial one */
void tile_path(struct text *t, int level, uint64_t index, unsigned width);

/* note_key_id - first 4 bytes of SHA-256(name || "\n" || 0x01 || public key). source C2SP signed-note */
int note_key_id(const char *name, const uint8_t public_key[32], uint32_t *ret) MUST_USE;
/* note_name_ok - may this be the name of a key?
 * note_split - a note at its last empty line: the text with its final newline, and the signature lines; SP_ESYNTAX.
 * note_sign - the text that t holds, which ends with a newline, becomes a note of one signature.
 * note_open - a note with a good signature by this key, and no wrong one of it: its text; SP_EVERIFY, SP_ESYNTAX */
bool note_name_ok(struct span name);
int note_split(struct span note, struct span *ret_text, struct span *ret_sigs) MUST_USE;
int note_sign(struct text *t, const char *name, const uint8_t seed[32]) MUST_USE;
int note_open(struct span note, const char *name, const uint8_t public_key[32], struct span *ret_text) MUST_USE;
/* checkpoint_sign - a whole signed checkpoint (origin, size, root, signature) as text.
 * checkpoint_open - parse and verify one against a known key; SP_EVERIFY, SP_ESYNTAX. source C2SP tlog-checkpoint */
int checkpoint_sign(struct text *t, const char *origin, uint64_t size, const struct hash *root, const uint8_t seed[32]) MUST_USE;
int checkpoint_open(struct span note, const char *origin, const uint8_t public_key[32], uint64_t *ret_size,
    struct hash *ret_root) MUST_USE;
#endif
