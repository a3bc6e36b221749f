#include "store/tlog_page.h"

#include "store/tlog_state.h"

/* Pages of whole bundles, and then one for the open bundle if there is one. */
static uint64_t
pages_signed(const struct tlog *t)
{
	return (t->edge.size + TLOG_TILE - 1) / TLOG_TILE;
}

uint64_t
tlog_pages(const struct tlog *t)
{
	return pages_signed(t) + (t->tail.n + TLOG_TILE - 1) / TLOG_TILE;
}

uint64_t
tlog_page_of(const struct tlog *t, uint64_t n)
{
	if (n < t->edge.size)
		return n / TLOG_TILE;
	return pages_signed(t) + (n - t->edge.size) / TLOG_TILE;
}

static int
page_room(struct tlog_page *p, size_t n)
{
	uint8_t *buf;

	if (n <= p->cap)
		return SP_OK;
	n += n / 4;
	buf = mem_alloc(n);
	if (buf == NULL)
		return SP_ENOMEM;
	mem_free(p->buf);
	p->buf = buf;
	p->cap = n;
	return SP_OK;
}

static int
read_handle(const struct tlog_fs *fs, int handle, struct tlog_page *p, size_t *ret_len)
{
	int64_t size = fs->size(fs->arg, handle), got;
	int err;

	if (size < 0)
		return (int)size;
	if ((uint64_t)size > TLOG_BUNDLE_MAX)
		return SP_EDAMAGED;
	if ((err = page_room(p, (size_t)size)) != SP_OK)
		return err;
	got = fs->pread(fs->arg, handle, p->buf, (size_t)size, 0);
	if (got < 0)
		return (int)got;
	*ret_len = (size_t)got;
	return SP_OK;
}

static int
read_file(const struct tlog *t, uint64_t index, struct tlog_page *p)
{
	char path[TLOG_PATH_MAX];
	struct text name = text_of(path, sizeof(path));
	size_t len = 0;
	int handle, err;

	tile_path(&name, -1, index, TLOG_TILE);
	handle = t->fs.open(t->fs.arg, path, TLOG_OPEN_READ);
	if (handle < 0)
		return handle;
	err = read_handle(&t->fs, handle, p, &len);
	t->fs.close(t->fs.arg, handle);
	return err != SP_OK ? err : tlog_cut_bundle(span_of(p->buf, len), TLOG_TILE, p->entry);
}

/* The open bundle was read when the log was opened: its file may be gone by now. */
static int
read_edge(const struct tlog *t, struct tlog_page *p)
{
	int err = page_room(p, t->edge_bundle_len);

	if (err != SP_OK)
		return err;
	memcpy(p->buf, t->edge_bundle, t->edge_bundle_len);
	return tlog_cut_bundle(span_of(p->buf, t->edge_bundle_len), p->n, p->entry);
}

static int
read_wal(const struct tlog *t, size_t at, struct tlog_page *p)
{
	size_t from = at != 0 ? t->tail.at[at - 1] : 0, end = t->tail.at[at + p->n - 1];
	int err = page_room(p, end - from);

	if (err != SP_OK)
		return err;
	memcpy(p->buf, t->tail.buf + from, end - from);
	for (unsigned i = 0; i < p->n; i++) {
		size_t begin = at + i != 0 ? t->tail.at[at + i - 1] : 0;

		p->entry[i] = span_of(p->buf + (begin - from), t->tail.at[at + i] - begin);
	}
	return SP_OK;
}

int
tlog_page_read(const struct tlog *t, uint64_t index, struct tlog_page *p)
{
	uint64_t n_signed = pages_signed(t), at;

	if (index >= tlog_pages(t))
		return SP_ERANGE;
	p->signed_for = index < n_signed;
	if (p->signed_for) {
		p->first = index * TLOG_TILE;
		p->n = t->edge.size - p->first < TLOG_TILE ? (unsigned)(t->edge.size - p->first)
							   : TLOG_TILE;
		return p->n == TLOG_TILE ? read_file(t, index, p) : read_edge(t, p);
	}
	at = (index - n_signed) * TLOG_TILE;
	p->first = t->edge.size + at;
	p->n = t->tail.n - at < TLOG_TILE ? (unsigned)(t->tail.n - at) : TLOG_TILE;
	return read_wal(t, (size_t)at, p);
}

/* ---- checking ---- */

/* A tile whose hashes lead up to the signed root.  Those of the right edge did when the log was
 * opened; another one must fold to its place in the tile above, which must be such a tile too. */
static int
proved_tile(const struct tlog *t, struct sha256 *sha, unsigned level, uint64_t index,
    struct hash ret[TLOG_TILE])
{
	struct hash above[TLOG_TILE], folded;
	int err;

	if (level >= TLOG_LEVELS)
		return SP_EVERIFY;
	if (index == tiles_index(t->edge.size, level)) {
		memcpy(ret, t->edge.level[level], sizeof(t->edge.level[level]));
		return SP_OK;
	}
	err = tlog_read_tile(&t->fs, level, index, TLOG_TILE, ret);
	if (err == SP_OK)
		err = tiles_fold_by(sha, ret, TLOG_TILE, &folded);
	if (err == SP_OK)
		err = proved_tile(t, sha, level + 1, index / TLOG_TILE, above);
	if (err != SP_OK)
		return err;
	return memcmp(&folded, &above[index % TLOG_TILE], sizeof(folded)) == 0 ? SP_OK : SP_EVERIFY;
}

/* The hash of a full bundle is in the tile of level 1. */
static int
check_full(const struct tlog *t, struct tlog_page *p, const struct hash *leaves)
{
	uint64_t bundle = p->first / TLOG_TILE, tile = bundle / TLOG_TILE;
	struct hash folded;
	int err;

	if (!p->has_tile || p->tile != tile) {
		p->has_tile = false;
		err = proved_tile(t, p->sha, 1, tile, p->hashes);
		if (err != SP_OK)
			return err;
		p->has_tile = true;
		p->tile = tile;
	}
	err = tiles_fold_by(p->sha, leaves, TLOG_TILE, &folded);
	if (err != SP_OK)
		return err;
	return memcmp(&folded, &p->hashes[bundle % TLOG_TILE], sizeof(folded)) == 0 ? SP_OK
										    : SP_EVERIFY;
}

int
tlog_page_check(const struct tlog *t, struct tlog_page *p)
{
	struct hash leaves[TLOG_TILE];

	if (!p->signed_for)
		return SP_OK;
	if (p->sha == NULL && (p->sha = sha256_new()) == NULL)
		return SP_ENOMEM;
	for (unsigned i = 0; i < p->n; i++) {
		int err = merkle_leaf_by(p->sha, p->entry[i], &leaves[i]);

		if (err != SP_OK)
			return err;
	}
	if (p->n == TLOG_TILE)
		return check_full(t, p, leaves);
	return memcmp(leaves, t->edge.level[0], p->n * sizeof(leaves[0])) == 0 ? SP_OK : SP_EVERIFY;
}

void
tlog_page_done(struct tlog_page *p)
{
	mem_free(p->buf);
	sha256_free(p->sha);
	*p = (struct tlog_page){0};
}
