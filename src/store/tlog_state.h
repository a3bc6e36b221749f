/* tlog_state.h - inside of the audit log's reader; private to tlog*.c. */
#ifndef SP_STORE_TLOG_STATE_H
#define SP_STORE_TLOG_STATE_H

#include "store/tlog.h"
#include "store/tlog_wal.h"

/* SAY - the sentence of a failure into why, and its error. */
#define SAY(err, ...)                                                                              \
	__extension__({                                                                            \
		struct text say_ = text_of(why, cap);                                              \
		text_fmt(&say_, __VA_ARGS__);                                                      \
		(err);                                                                             \
	})

struct tail { /* entries of the wal */
	uint8_t *buf;
	size_t len, cap;
	size_t *at; /* at[i]: end of entry i */
	size_t n, n_cap;
};

struct tlog {
	struct tlog_fs fs;
	struct tlog_key key;
	uint8_t *note;
	size_t note_len;
	struct hash root;
	struct tiles edge; /* edge.size: of the checkpoint */
	uint8_t *edge_bundle;
	size_t edge_bundle_len;
	struct tail tail;
	struct wal_found found;
	bool has_wal;
	/* the bundle read last, cut into entries */
	uint64_t bundle;
	uint8_t *bundle_buf;
	size_t bundle_len;
	struct span entry[TLOG_TILE];
	unsigned n_entries;
	/* the tile read last of each level */
	uint64_t tile[TLOG_LEVELS];
	bool has_tile[TLOG_LEVELS];
	struct hash hashes[TLOG_LEVELS][TLOG_TILE];
};

/* tlog_read_tile - the first `width` hashes of a tile, of its file or the full one that has
 * replaced it. */
int tlog_read_tile(const struct tlog_fs *fs, unsigned level, uint64_t index, unsigned width,
    struct hash *ret) MUST_USE;
/* tlog_cut_bundle - a bundle as `width` entries; a full one may stand in for a partial one. */
int tlog_cut_bundle(struct span all, unsigned width, struct span entry[TLOG_TILE]) MUST_USE;
#endif
