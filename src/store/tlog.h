/* tlog.h - the audit log on disk, read side: a C2SP tlog-tiles log of JSON entries.
 *
 *   checkpoint              signed note: origin, size, root            (C2SP tlog-checkpoint)
 *   tile/<L>/<N>[.p/<W>]    hashes of 256 subtrees                     (C2SP tlog-tiles)
 *   tile/entries/<N>[.p/<W>] entries, each behind its length as uint16
 *   wal                     entries that are durable, but not yet in tiles (tlog_wal.h)
 *
 * Entries below the checkpoint's size are covered by its signature; those after it are in the wal
 * alone and will be covered by the next one.  The ledger writes (tlog_append.h); everybody else,
 * `sallyport audit` included, only reads, also while the ledger runs.
 */
#ifndef SP_STORE_TLOG_H
#define SP_STORE_TLOG_H

#include "crypto/merkle.h"
#include "store/tlog_fs.h"

#define TLOG_LEVELS 8u /* 256^8 entries */
#define TLOG_TILE 256u /* hashes of a full tile */
#define TLOG_ENTRY_MAX 65535u
#define TLOG_BUNDLE_MAX (TLOG_TILE * (2u + TLOG_ENTRY_MAX))
#define TLOG_NOTE_MAX 65536u
#define TLOG_ORIGIN_MAX 64u
#define TLOG_PATH_MAX 96u

/* struct tiles - the right edge of the tree: the open tile of each level. */
struct tiles {
	uint64_t size; /* entries */
	struct hash level[TLOG_LEVELS][TLOG_TILE];
};
/* tiles_width - hashes in the open tile of a level for a log of `size` entries, 0 to 255.
 * tiles_index - number of that tile. */
unsigned tiles_width(uint64_t size, unsigned level);
uint64_t tiles_index(uint64_t size, unsigned level);
/* tiles_fn - a tile has become full: its level, number, 256 hashes (borrowed). */
typedef int (*tiles_fn)(void *arg, unsigned level, uint64_t index, const struct hash *hashes);
/* tiles_add - append the hash of one entry; fn is called for each tile that this fills. */
int tiles_add(struct tiles *t, const struct hash *leaf, tiles_fn fn, void *arg) MUST_USE;
/* tiles_root - root of the tree; of no entries SHA-256(""). */
int tiles_root(const struct tiles *t, struct hash *ret) MUST_USE;
/* tiles_fold - hash of the subtree over n hashes, n a power of two up to 256. */
int tiles_fold(const struct hash *h, size_t n, struct hash *ret) MUST_USE;
/* tiles_fold_by - the same with a sha256 of the caller's. */
int tiles_fold_by(struct sha256 *sha, const struct hash *h, size_t n, struct hash *ret) MUST_USE;

/* struct tlog_key - who signs: "<name>+<8 hex>+<base64>" of keys/ledger.pub (C2SP signed-note). */
struct tlog_key {
	char name[TLOG_ORIGIN_MAX + 1];
	uint8_t public_key[32];
};
/* tlog_key_parse - SP_ESYNTAX; SP_EVERIFY when the key id does not belong to name and key. */
int tlog_key_parse(struct span line, struct tlog_key *ret) MUST_USE;

struct tlog; /* opaque: one state of a log, complete in itself */

/* tlog_open - the state of the newest checkpoint, and the entries after it.
 *   fs    copied; its arg is borrowed for the log's life
 *   key   the checkpoint's signature is checked against it
 *   why   a sentence on failure that names the file
 *   errors  SP_ENOTFOUND (no log here), SP_EVERIFY (something contradicts the signature),
 * SP_EDAMAGED (wal), SP_EIO, SP_ENOMEM.  While a ledger writes, it reads anew until files fit
 * together. */
int tlog_open(const struct tlog_fs *fs, const struct tlog_key *key, struct tlog **ret, char *why,
    size_t cap) MUST_USE;
void tlog_free(struct tlog *t); /* accepts NULL */

/* tlog_size - entries under the checkpoint.  tlog_end - with those in the wal.  tlog_root - of the
 * checkpoint. tlog_note - the checkpoint's text; borrowed. */
uint64_t tlog_size(const struct tlog *t);
uint64_t tlog_end(const struct tlog *t);
void tlog_root(const struct tlog *t, struct hash *ret);
struct span tlog_note(const struct tlog *t);

/* tlog_entry - entry n; *ret is borrowed until the next call.
 *   errors  SP_ERANGE at or past tlog_end; SP_EDAMAGED, SP_ENOTFOUND, SP_EIO */
int tlog_entry(struct tlog *t, uint64_t n, struct span *ret) MUST_USE;
/* tlog_hash - a merkle_hash_fn over the tiles; arg is the struct tlog. */
int tlog_hash(void *arg, unsigned level, uint64_t index, struct hash *ret);

/* tlog_verify - the whole log: every entry against its level 0 tile, every tile against the one
 * above, the root against the signed checkpoint; and that an older checkpoint describes the same
 * log. old_size, old_root  a checkpoint kept elsewhere; old_root NULL: none why     the first wrong
 * thing, in a sentence, naming entry or file errors  SP_EVERIFY, SP_EIO */
int tlog_verify(
    struct tlog *t, uint64_t old_size, const struct hash *old_root, char *why, size_t cap) MUST_USE;

/* bundle_next - walk a bundle: an entry behind its length.  returns 1, 0 at the end, SP_EDAMAGED */
int bundle_next(struct span *rest, struct span *ret_entry) MUST_USE;
#endif
