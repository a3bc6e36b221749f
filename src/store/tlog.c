#include "store/tlog_json.h"
#include "store/tlog_state.h"
#include "sys/clock.h"

#define OPEN_TRIES 40
#define OPEN_PAUSE_MS 10

/* "tile/0/x001/067", with ".p/W" when it is not full. */
static const char *
name_of(char buf[TLOG_PATH_MAX], int level, uint64_t index, unsigned width)
{
	struct text t = text_of(buf, TLOG_PATH_MAX);

	tile_path(&t, level, index, width);
	return buf;
}

/* A tile or bundle of `width`; a full one that has replaced it serves as well. */
static int
read_part(const struct tlog_fs *fs, int level, uint64_t index, unsigned width, size_t max,
    uint8_t **ret, size_t *ret_len)
{
	char path[TLOG_PATH_MAX];
	int err = tlog_fs_read(fs, name_of(path, level, index, width), max, ret, ret_len);

	if (err != SP_ENOTFOUND || width == TLOG_TILE)
		return err;
	return tlog_fs_read(fs, name_of(path, level, index, TLOG_TILE), max, ret, ret_len);
}

int
tlog_read_tile(
    const struct tlog_fs *fs, unsigned level, uint64_t index, unsigned width, struct hash *ret)
{
	DEFER(mem_freep) uint8_t *buf = NULL;
	size_t len = 0;
	int err = read_part(fs, (int)level, index, width, TLOG_TILE * sizeof(*ret), &buf, &len);

	if (err != SP_OK)
		return err == SP_ETOOBIG ? SP_EDAMAGED : err;
	if (len != width * sizeof(*ret) && len != TLOG_TILE * sizeof(*ret))
		return SP_EDAMAGED;
	memcpy(ret, buf, width * sizeof(*ret));
	return SP_OK;
}

int
tlog_cut_bundle(struct span all, unsigned width, struct span entry[TLOG_TILE])
{
	for (unsigned i = 0; i < width; i++)
		if (bundle_next(&all, &entry[i]) != 1)
			return SP_EDAMAGED;
	if (all.len == 0)
		return SP_OK;
	for (unsigned i = width; i < TLOG_TILE && width != TLOG_TILE; i++) {
		struct span extra;

		if (bundle_next(&all, &extra) != 1)
			return SP_EDAMAGED;
	}
	return all.len == 0 ? SP_OK : SP_EDAMAGED;
}

static int
read_bundle(struct tlog *t, uint64_t index, unsigned width)
{
	DEFER(mem_freep) uint8_t *buf = NULL;
	size_t len = 0;
	int err;

	if (t->n_entries == width && t->bundle == index)
		return SP_OK;
	if (t->edge_bundle != NULL && index == tiles_index(t->edge.size, 0)) {
		err = tlog_cut_bundle(span_of(t->edge_bundle, t->edge_bundle_len), width, t->entry);
		t->n_entries = err == SP_OK ? width : 0;
		t->bundle = index;
		return err;
	}
	err = read_part(&t->fs, -1, index, width, TLOG_BUNDLE_MAX, &buf, &len);
	if (err != SP_OK)
		return err;
	t->n_entries = 0;
	mem_free(t->bundle_buf);
	t->bundle_buf = TAKE_PTR(buf);
	t->bundle_len = len;
	err = tlog_cut_bundle(span_of(t->bundle_buf, len), width, t->entry);
	if (err == SP_OK) {
		t->bundle = index;
		t->n_entries = width;
	}
	return err;
}

/* ---- opening ---- */

static int
tail_add(void *arg, uint64_t index, struct span entry)
{
	struct tail *tail = arg;

	(void)index;
	if (tail->cap - tail->len < entry.len) {
		size_t cap = (tail->cap + entry.len) * 2;
		uint8_t *p = mem_grow(tail->buf, tail->cap, cap);

		if (p == NULL)
			return SP_ENOMEM;
		tail->buf = p;
		tail->cap = cap;
	}
	if (tail->n == tail->n_cap) {
		size_t cap = tail->n_cap * 2 + 256;
		size_t *p = mem_grow(tail->at, tail->n_cap * sizeof(*p), cap * sizeof(*p));

		if (p == NULL)
			return SP_ENOMEM;
		tail->at = p;
		tail->n_cap = cap;
	}
	memcpy(tail->buf + tail->len, entry.ptr, entry.len);
	tail->len += entry.len;
	tail->at[tail->n++] = tail->len;
	return SP_OK;
}

static int
read_note(struct tlog *t, char *why, size_t cap)
{
	int err = tlog_fs_read(&t->fs, "checkpoint", TLOG_NOTE_MAX, &t->note, &t->note_len);

	if (err == SP_ENOTFOUND)
		return SAY(err, "ledger/checkpoint: there is none");
	if (err != SP_OK)
		return SAY(err, "ledger/checkpoint: %s", sp_strerror(err));
	err = checkpoint_open(
	    span_of(t->note, t->note_len), t->key.name, t->key.public_key, &t->edge.size, &t->root);
	if (err == SP_ESYNTAX)
		return SAY(
		    SP_EVERIFY, "ledger/checkpoint: it is not a checkpoint of %s", t->key.name);
	if (err != SP_OK)
		return SAY(err, "ledger/checkpoint: its signature is not that of the ledger key");
	return SP_OK;
}

static int
read_edge(struct tlog *t, char *why, size_t cap)
{
	char path[TLOG_PATH_MAX];
	struct hash root;
	int err;

	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		unsigned width = tiles_width(t->edge.size, level);
		uint64_t index = tiles_index(t->edge.size, level);

		if (width == 0)
			continue;
		err = tlog_read_tile(&t->fs, level, index, width, t->edge.level[level]);
		if (err != SP_OK)
			return SAY(err == SP_EDAMAGED ? SP_EVERIFY : err, "ledger/%s: %s",
			    name_of(path, (int)level, index, width),
			    err == SP_ENOTFOUND ? "it is missing" : sp_strerror(err));
	}
	err = tiles_root(&t->edge, &root);
	if (err != SP_OK)
		return SAY(err, "%s", sp_strerror(err));
	if (memcmp(&root, &t->root, sizeof(root)) != 0)
		return SAY(SP_EVERIFY,
		    "ledger/checkpoint: the tiles do not give its root hash for %llu entries",
		    (unsigned long long)t->edge.size);
	return SP_OK;
}

/* The last, partial bundle: the only one whose file may go away while we read. */
static int
read_edge_bundle(struct tlog *t, char *why, size_t cap)
{
	unsigned width = tiles_width(t->edge.size, 0);
	uint64_t index = tiles_index(t->edge.size, 0);
	char path[TLOG_PATH_MAX];
	int err = SP_OK;

	if (width != 0)
		err = read_bundle(t, index, width);
	if (err != SP_OK)
		return SAY(err == SP_EDAMAGED ? SP_EVERIFY : err, "ledger/%s: %s",
		    name_of(path, -1, index, width),
		    err == SP_ENOTFOUND ? "it is missing" : sp_strerror(err));
	t->edge_bundle = TAKE_PTR(t->bundle_buf);
	t->edge_bundle_len = t->bundle_len;
	return SP_OK;
}

static int
read_tail(struct tlog *t, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *wal = NULL;
	size_t len = 0;
	int err = tlog_fs_read(&t->fs, "wal", WAL_BYTES, &wal, &len);

	if (err == SP_ENOTFOUND)
		return SP_OK; /* a copy of the log without it is complete up to its checkpoint */
	t->has_wal = true;
	if (err != SP_OK)
		return SAY(err, "ledger/wal: %s", sp_strerror(err));
	err = wal_recover(span_of(wal, len), t->edge.size, tail_add, &t->tail, &t->found, why, cap);
	return err != SP_OK && err != SP_EDAMAGED ? SAY(err, "ledger/wal: %s", sp_strerror(err))
						  : err;
}

static int
open_once(
    const struct tlog_fs *fs, const struct tlog_key *key, struct tlog **ret, char *why, size_t cap)
{
	struct tlog *t = mem_alloc(sizeof(*t));
	int err;

	if (t == NULL)
		return SAY(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t->fs = *fs;
	t->key = *key;
	err = read_note(t, why, cap);
	if (err == SP_OK)
		err = read_edge(t, why, cap);
	if (err == SP_OK)
		err = read_edge_bundle(t, why, cap);
	if (err == SP_OK)
		err = read_tail(t, why, cap);
	if (err != SP_OK) {
		tlog_free(t);
		return err;
	}
	*ret = t;
	return SP_OK;
}

int
tlog_open(
    const struct tlog_fs *fs, const struct tlog_key *key, struct tlog **ret, char *why, size_t cap)
{
	struct span before = span_of(NULL, 0);
	DEFER(mem_freep) uint8_t *last = NULL;
	int err = SP_OK, same = 0;

	/* a ledger that writes makes a new checkpoint soon: only a failure that stays is one */
	for (int i = 0; i < OPEN_TRIES && same < 4; i++) {
		uint8_t *note = NULL;
		size_t len = 0;

		if (i != 0)
			clock_sleep_ms(OPEN_PAUSE_MS);
		err = open_once(fs, key, ret, why, cap);
		if (err == SP_OK || err == SP_ENOMEM)
			return err;
		if (tlog_fs_read(fs, "checkpoint", TLOG_NOTE_MAX, &note, &len) != SP_OK)
			len = 0;
		same = span_eq(before, span_of(note, len)) ? same + 1 : 0;
		mem_free(last);
		last = note;
		before = span_of(last, len);
	}
	return err;
}

void
tlog_free(struct tlog *t)
{
	if (t == NULL)
		return;
	mem_free(t->note);
	mem_free(t->edge_bundle);
	mem_free(t->bundle_buf);
	mem_free(t->tail.buf);
	mem_free(t->tail.at);
	mem_free(t);
}

/* ---- reading ---- */

uint64_t
tlog_size(const struct tlog *t)
{
	return t->edge.size;
}

uint64_t
tlog_end(const struct tlog *t)
{
	return t->edge.size + t->tail.n;
}

void
tlog_root(const struct tlog *t, struct hash *ret)
{
	*ret = t->root;
}

struct span
tlog_note(const struct tlog *t)
{
	return span_of(t->note, t->note_len);
}

int
tlog_entry(struct tlog *t, uint64_t n, struct span *ret)
{
	uint64_t index = n / TLOG_TILE;
	int err;

	if (n >= tlog_end(t))
		return SP_ERANGE;
	if (n >= t->edge.size) {
		size_t i = (size_t)(n - t->edge.size), from = i != 0 ? t->tail.at[i - 1] : 0;

		*ret = span_of(t->tail.buf + from, t->tail.at[i] - from);
		return SP_OK;
	}
	err = read_bundle(t, index,
	    index == tiles_index(t->edge.size, 0) ? tiles_width(t->edge.size, 0) : TLOG_TILE);
	if (err == SP_OK)
		*ret = t->entry[n % TLOG_TILE];
	return err;
}

/* Hashes of a tile that this checkpoint covers, from the edge, the cache or its file. */
static int
cached_tile(struct tlog *t, unsigned level, uint64_t index, const struct hash **ret)
{
	int err;

	if (index == tiles_index(t->edge.size, level)) {
		*ret = t->edge.level[level];
		return SP_OK;
	}
	if (!t->has_tile[level] || t->tile[level] != index) {
		t->has_tile[level] = false;
		err = tlog_read_tile(&t->fs, level, index, TLOG_TILE, t->hashes[level]);
		if (err != SP_OK)
			return err;
		t->tile[level] = index;
		t->has_tile[level] = true;
	}
	*ret = t->hashes[level];
	return SP_OK;
}

int
tlog_hash(void *arg, unsigned level, uint64_t index, struct hash *ret)
{
	struct tlog *t = arg;
	unsigned n = 1u << (level % 8);
	uint64_t first = index << (level % 8);
	const struct hash *hashes;
	int err;

	level /= 8;
	if (level >= TLOG_LEVELS || first + n > t->edge.size >> (8 * level))
		return SP_ERANGE;
	err = cached_tile(t, level, first / TLOG_TILE, &hashes);
	return err != SP_OK ? err : tiles_fold(hashes + first % TLOG_TILE, n, ret);
}

/* ---- verifying ---- */

struct check {
	struct tlog *log;
	char *why;
	size_t cap;
};

/* A tile has filled up: the one on disk must say the same. */
static int
check_tile(void *arg, unsigned level, uint64_t index, const struct hash *hashes)
{
	struct check *c = arg;
	char *why = c->why, path[TLOG_PATH_MAX];
	size_t cap = c->cap;
	struct hash disk[TLOG_TILE];
	int err = tlog_read_tile(&c->log->fs, level, index, TLOG_TILE, disk);

	(void)name_of(path, (int)level, index, TLOG_TILE);
	if (err == SP_ENOTFOUND)
		return SAY(SP_EVERIFY, "ledger/%s: it is missing", path);
	if (err != SP_OK)
		return SAY(
		    err == SP_EDAMAGED ? SP_EVERIFY : err, "ledger/%s: %s", path, sp_strerror(err));
	for (unsigned i = 0; i < TLOG_TILE; i++) {
		unsigned long long n = (unsigned long long)index * TLOG_TILE + i;

		if (memcmp(&disk[i], &hashes[i], sizeof(*disk)) == 0)
			continue;
		if (level == 0)
			return SAY(SP_EVERIFY,
			    "entry %llu: it does not have the hash that ledger/%s says", n, path);
		return SAY(
		    SP_EVERIFY, "ledger/%s: hash %u is not that of the tile below it", path, i);
	}
	return SP_OK;
}

/* The open tiles at the right edge have given the signed root already. */
static int
check_edge(struct check *c, const struct tiles *built)
{
	char *why = c->why, path[TLOG_PATH_MAX];
	size_t cap = c->cap;

	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		unsigned width = tiles_width(built->size, level);
		uint64_t index = tiles_index(built->size, level);

		for (unsigned i = 0; i < width; i++) {
			if (memcmp(&built->level[level][i], &c->log->edge.level[level][i],
				sizeof(struct hash)) == 0)
				continue;
			(void)name_of(path, (int)level, index, width);
			if (level == 0)
				return SAY(SP_EVERIFY,
				    "entry %llu: it does not have the hash that ledger/%s says",
				    (unsigned long long)index * TLOG_TILE + i, path);
			return SAY(SP_EVERIFY,
			    "ledger/%s: hash %u is not that of the tile below it", path, i);
		}
	}
	return SP_OK;
}

static int
check_old(struct check *c, const struct tiles *built, const struct hash *old_root)
{
	char *why = c->why;
	size_t cap = c->cap;
	struct hash root;
	int err = tiles_root(built, &root);

	if (err != SP_OK)
		return err;
	if (memcmp(&root, old_root, sizeof(root)) == 0)
		return SP_OK;
	return SAY(SP_EVERIFY,
	    "the first %llu entries are not those of the checkpoint that was kept: the log was "
	    "rewritten",
	    (unsigned long long)built->size);
}

/* Entry n must be there, and say that it is entry n. */
static int
check_entry(struct check *c, uint64_t n, struct span *ret)
{
	char *why = c->why, path[TLOG_PATH_MAX];
	size_t cap = c->cap;
	struct span value;
	uint64_t says = 0;
	int err = tlog_entry(c->log, n, ret);

	if (err != SP_OK) {
		uint64_t index = n / TLOG_TILE;
		bool last = index == tiles_index(c->log->edge.size, 0);

		(void)name_of(
		    path, -1, index, last ? tiles_width(c->log->edge.size, 0) : TLOG_TILE);
		return SAY(err == SP_EDAMAGED || err == SP_ENOTFOUND ? SP_EVERIFY : err,
		    "ledger/%s: %s", path,
		    err == SP_ENOTFOUND ? "it is missing" : sp_strerror(err));
	}
	if (tlog_json_get(*ret, "n", &value) != SP_OK || tlog_json_u64(value, &says) != SP_OK)
		return SAY(SP_EVERIFY, "entry %llu: it is not an entry of this log",
		    (unsigned long long)n);
	if (says != n)
		return SAY(SP_EVERIFY, "entry %llu: it says that it is entry %llu",
		    (unsigned long long)n, (unsigned long long)says);
	return SP_OK;
}

static int
verify_entries(struct check *c, struct tiles *built, uint64_t old_size, const struct hash *old_root)
{
	struct tlog *t = c->log;
	struct span entry;
	struct hash leaf;
	int err = SP_OK;

	for (uint64_t n = 0; n <= t->edge.size && err == SP_OK; n++) {
		if (old_root != NULL && n == old_size)
			err = check_old(c, built, old_root);
		if (err != SP_OK || n == t->edge.size)
			break;
		err = check_entry(c, n, &entry);
		if (err != SP_OK)
			break;
		err = merkle_leaf(entry, &leaf);
		if (err == SP_OK)
			err = tiles_add(built, &leaf, check_tile, c);
	}
	return err;
}

int
tlog_verify(struct tlog *t, uint64_t old_size, const struct hash *old_root, char *why, size_t cap)
{
	DEFER(mem_freep) struct tiles *built = mem_alloc(sizeof(*built));
	struct check c = {t, why, cap};
	struct span entry;
	int err;

	if (built == NULL)
		return SAY(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	if (old_root != NULL && old_size > t->edge.size)
		return SAY(SP_EVERIFY,
		    "the log has %llu entries, fewer than the %llu of the checkpoint that was kept",
		    (unsigned long long)t->edge.size, (unsigned long long)old_size);
	why[0] = '\0';
	err = verify_entries(&c, built, old_size, old_root);
	if (err == SP_OK)
		err = check_edge(&c, built);
	for (uint64_t n = t->edge.size; n < tlog_end(t) && err == SP_OK; n++)
		err = check_entry(&c, n, &entry);
	if (err != SP_OK && why[0] == '\0')
		return SAY(err, "%s", sp_strerror(err));
	return err;
}
