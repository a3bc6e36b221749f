/* tlog_append.c - opening, recovering and appending to the audit log. */
#include "store/tlog_state.h"
#include "store/tlog_writer.h"

static const uint8_t zeros[65536];

/* ---- one entry into the tree in memory ---- */

static int
bundle_add(struct tlog_writer *w, struct span entry)
{
	size_t need = w->bundle_len + 2 + entry.len;

	if (need > w->bundle_cap) {
		size_t cap = need * 2;
		uint8_t *p = mem_grow(w->bundle, w->bundle_cap, cap);

		if (p == NULL)
			return SP_ENOMEM;
		w->bundle = p;
		w->bundle_cap = cap;
	}
	w->bundle[w->bundle_len] = (uint8_t)(entry.len >> 8);
	w->bundle[w->bundle_len + 1] = (uint8_t)entry.len;
	memcpy(w->bundle + w->bundle_len + 2, entry.ptr, entry.len);
	w->bundle_len = need;
	return SP_OK;
}

/* A tile has become full: it waits for the next flush, a level 0 tile with its entries. */
static int
tile_full(void *arg, unsigned level, uint64_t index, const struct hash *hashes)
{
	struct tlog_writer *w = arg;
	size_t len = TLOG_TILE * sizeof(*hashes);
	uint8_t *copy = mem_alloc(len);
	int err;

	if (copy == NULL)
		return SP_ENOMEM;
	memcpy(copy, hashes, len);
	err = files_add(&w->full, (int)level, index, TLOG_TILE, copy, len);
	if (err != SP_OK || level != 0)
		return err;
	err = files_add(&w->full, -1, index, TLOG_TILE, w->bundle, w->bundle_len);
	w->bundle = NULL;
	w->bundle_len = w->bundle_cap = 0;
	return err;
}

static int
take_entry(void *arg, uint64_t index, struct span entry)
{
	struct tlog_writer *w = arg;
	struct hash leaf;
	int err = merkle_leaf(entry, &leaf);

	PRECOND(index == w->tiles.size);
	if (err == SP_OK)
		err = bundle_add(w, entry);
	return err != SP_OK ? err : tiles_add(&w->tiles, &leaf, tile_full, w);
}

/* ---- opening ---- */

/* Is there anything that a log without a checkpoint cannot have? */
static int
check_empty(const struct tlog_fs *fs, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *wal = NULL;
	struct wal_found found = {0};
	size_t len = 0;
	int handle = fs->open(fs->arg, "tile", TLOG_OPEN_READ);
	int err = tlog_fs_read(fs, "wal", WAL_BYTES, &wal, &len);

	if (handle >= 0)
		fs->close(fs->arg, handle);
	if (err == SP_OK)
		err = wal_recover(span_of(wal, len), 0, NULL, NULL, &found, why, cap);
	else if (err == SP_ENOTFOUND)
		err = SP_OK;
	if (err != SP_OK && err != SP_EDAMAGED)
		return SAY(err, "ledger/wal: %s", sp_strerror(err));
	if (handle >= 0 || err == SP_EDAMAGED || found.size != 0 || found.torn)
		return SAY(SP_EVERIFY, "ledger/checkpoint: it is missing, but there are entries");
	return SP_OK;
}

/* Open the write-ahead file, made or lengthened with zeros to its whole size. */
static int
open_wal(struct tlog_writer *w)
{
	int64_t size;
	int err = SP_OK;

	w->wal = w->fs.open(w->fs.arg, "wal", TLOG_OPEN_WRITE);
	if (w->wal == SP_ENOTFOUND)
		w->wal = w->fs.open(w->fs.arg, "wal", TLOG_OPEN_CREATE);
	if (w->wal < 0)
		return w->wal;
	size = w->fs.size(w->fs.arg, w->wal);
	if (size < 0)
		return (int)size;
	if (size >= (int64_t)WAL_BYTES)
		return SP_OK;
	while (size < (int64_t)WAL_BYTES && err == SP_OK) {
		size_t n = WAL_BYTES - (size_t)size;

		n = n < sizeof(zeros) ? n : sizeof(zeros);
		err = w->fs.pwrite(w->fs.arg, w->wal, zeros, n, size);
		size += (int64_t)n;
	}
	if (err == SP_OK)
		err = w->fs.sync(w->fs.arg, w->wal);
	return err != SP_OK ? err : w->fs.sync_dir(w->fs.arg, "");
}

/* From here on only records of a new run count: all earlier ones are in tiles, or were dropped. */
static int
begin_run(struct tlog_writer *w, uint64_t generation)
{
	uint8_t block[WAL_BLOCK_BYTES];
	int err;

	w->head.generation = generation + 1;
	do
		err = crypto_random(&w->head.run, sizeof(w->head.run));
	while (err == SP_OK && w->head.run == 0);
	if (err == SP_OK)
		err = wal_head_put(block, &w->head);
	if (err == SP_OK)
		err = w->fs.pwrite(w->fs.arg, w->wal, block, sizeof(block),
		    (int64_t)(w->head.generation % WAL_HEADS * WAL_BLOCK_BYTES));
	if (err == SP_OK)
		err = w->fs.sync(w->fs.arg, w->wal);
	w->zone = 0;
	w->pos = 0;
	return err;
}

/* The checkpoint of no entries, so that "no checkpoint" is never a log that lost it. */
static int
make_log(struct tlog_writer *w)
{
	char buf[512];
	struct text t = text_of(buf, sizeof(buf));
	struct hash root;
	bool made = false;
	int err = tiles_root(&w->tiles, &root);

	if (err == SP_OK)
		err = checkpoint_sign(&t, w->origin, 0, &root, w->seed);
	if (err == SP_OK)
		err = tlog_fs_write(&w->fs, "checkpoint.new", text_span(&t), &made);
	if (err == SP_OK)
		err = w->fs.rename(w->fs.arg, "checkpoint.new", "checkpoint");
	return err != SP_OK ? err : w->fs.sync_dir(w->fs.arg, "");
}

/* The open bundle must have the hashes of the open tile: what is appended to them will be signed.
 */
static int
take_edge(struct tlog_writer *w, struct tlog *log, char *why, size_t cap)
{
	struct span rest = span_of(log->edge_bundle, log->edge_bundle_len), entry;
	unsigned width = tiles_width(log->edge.size, 0);

	w->tiles = log->edge;
	w->flushed = log->edge.size;
	for (unsigned i = 0; i < width; i++) {
		struct hash leaf;

		if (bundle_next(&rest, &entry) != 1 || merkle_leaf(entry, &leaf) != SP_OK ||
		    memcmp(&leaf, &log->edge.level[0][i], sizeof(leaf)) != 0)
			return SAY(SP_EVERIFY,
			    "ledger: entry %llu does not have the hash that its tile says",
			    (unsigned long long)(log->edge.size - width + i));
		if (bundle_add(w, entry) != SP_OK)
			return SAY(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	return SP_OK;
}

/* Entries that are in the wal alone go into tiles, then a new run begins. */
static int
recover(struct tlog_writer *w, struct tlog *log, struct tlog_report *r, char *why, size_t cap)
{
	uint64_t size = log->edge.size, end = tlog_end(log);
	int err = take_edge(w, log, why, cap);

	if (err != SP_OK)
		return err;
	for (uint64_t n = size; n < end && err == SP_OK; n++) {
		struct span entry;

		err = tlog_entry(log, n, &entry);
		if (err == SP_OK)
			err = take_entry(w, n, entry);
	}
	if (err == SP_OK)
		err = tlog_flush_all(w);
	if (err == SP_OK)
		err = open_wal(w);
	if (err == SP_OK)
		err = begin_run(w, log->found.head.generation);
	if (err != SP_OK)
		return SAY(err, "ledger: the log cannot be written: %s", sp_strerror(err));
	r->created = end == 0;
	r->wal_missing = !log->has_wal;
	r->torn = log->found.torn;
	r->dropped_entries = log->found.dropped_entries;
	r->dropped_bytes = log->found.dropped_bytes;
	r->recovered = end - size;
	return SP_OK;
}

static int
open_in(
    struct tlog_writer *w, const struct tlog_key *key, struct tlog_report *r, char *why, size_t cap)
{
	struct tlog *log = NULL;
	uint8_t *note = NULL;
	size_t len = 0;
	int err = tlog_fs_read(&w->fs, "checkpoint", TLOG_NOTE_MAX, &note, &len);

	mem_free(note);
	if (err == SP_ENOTFOUND) {
		err = check_empty(&w->fs, why, cap);
		if (err != SP_OK)
			return err;
		err = open_wal(w);
		if (w->wal >= 0)
			w->fs.close(w->fs.arg, w->wal);
		w->wal = -1;
		if (err == SP_OK)
			err = make_log(w);
		if (err != SP_OK)
			return SAY(err, "ledger: the log cannot be made: %s", sp_strerror(err));
	}
	err = tlog_open(&w->fs, key, &log, why, cap);
	if (err != SP_OK)
		return err;
	err = recover(w, log, r, why, cap);
	tlog_free(log);
	return err;
}

int
tlog_writer_open(const struct tlog_fs *fs, const char *origin, const uint8_t *seed,
    struct tlog_writer **ret, struct tlog_report *ret_report, char *why, size_t cap)
{
	struct tlog_writer *w = mem_alloc(sizeof(*w));
	struct tlog_report r = {0};
	struct tlog_key key = {0};
	struct text name = text_of(key.name, sizeof(key.name));
	int err = SP_ENOMEM;

	if (w == NULL)
		return SAY(err, "%s", sp_strerror(err));
	w->fs = *fs;
	w->wal = -1;
	w->seed = seed;
	text_str(&name, origin);
	memcpy(w->origin, key.name, sizeof(w->origin));
	w->group = mem_alloc(WAL_GROUP_MAX);
	if (w->group != NULL)
		err = name.bad ? SP_ERANGE : ed25519_public(seed, key.public_key);
	if (err != SP_OK)
		(void)SAY(err, "ledger: %s", sp_strerror(err));
	else
		err = open_in(w, &key, &r, why, cap);
	if (err != SP_OK) {
		tlog_writer_free(w);
		return err;
	}
	*ret = w;
	*ret_report = r;
	return SP_OK;
}

void
tlog_writer_free(struct tlog_writer *w)
{
	if (w == NULL)
		return;
	if (w->wal >= 0)
		w->fs.close(w->fs.arg, w->wal);
	flush_done(&w->flush);
	files_done(&w->full);
	mem_free(w->bundle);
	mem_free(w->group);
	mem_free(w);
}

/* ---- appending ---- */

uint64_t
tlog_next(const struct tlog_writer *w)
{
	return w->tiles.size + w->staged;
}

uint64_t
tlog_durable(const struct tlog_writer *w)
{
	return w->tiles.size;
}

uint64_t
tlog_flushed(const struct tlog_writer *w)
{
	return w->flushed;
}

int
tlog_writer_root(const struct tlog_writer *w, struct hash *ret)
{
	return tiles_root(&w->tiles, ret);
}

static size_t
to_block(size_t n)
{
	return (n + WAL_BLOCK_BYTES - 1) & ~(size_t)(WAL_BLOCK_BYTES - 1);
}

/* The zone is used up: the other one is free when what it holds is in tiles. */
static int
make_room(struct tlog_writer *w)
{
	int more;

	do
		more = tlog_flush_step(w);
	while (more == 1);
	return more != 0 ? more : tlog_flush_begin(w);
}

int
tlog_add(struct tlog_writer *w, struct span entry, bool reserved)
{
	struct wal_record rec = {tlog_next(w), w->tiles.size, entry};
	size_t need = to_block(w->group_len + wal_record_bytes(entry.len)), keep;
	int err;

	if (w->broken)
		return SP_EIO;
	if (entry.len == 0 || entry.len > TLOG_ENTRY_MAX)
		return SP_ERANGE;
	if (need > WAL_GROUP_MAX)
		return SP_EFULL;
	keep = w->failing && !reserved ? TLOG_RESERVE_BYTES : 0;
	if (w->pos + need + keep > WAL_ZONE_BYTES) {
		if (w->staged != 0)
			return SP_EFULL;
		err = make_room(w);
		if (err != SP_OK)
			return err;
	}
	err = wal_record_put(
	    w->group + w->group_len, WAL_GROUP_MAX - w->group_len, w->head.run, &rec);
	if (err != SP_OK)
		return err;
	w->group_len += wal_record_bytes(entry.len);
	w->staged++;
	return SP_OK;
}

/* The group is durable: its entries are part of the log. */
static int
take_group(struct tlog_writer *w)
{
	struct span rest = span_of(w->group, w->group_len);

	while (rest.len != 0) {
		struct wal_record rec;
		int err = wal_record_get(rest, w->head.run, &rec);

		if (err == SP_OK)
			err = take_entry(w, rec.index, rec.entry);
		if (err != SP_OK)
			return err;
		rest = span_skip(rest, wal_record_bytes(rec.entry.len));
	}
	return SP_OK;
}

int
tlog_commit(struct tlog_writer *w)
{
	size_t n = to_block(w->group_len);
	int err;

	if (w->broken)
		return SP_EIO;
	if (w->staged == 0)
		return SP_OK;
	memset(w->group + w->group_len, 0, n - w->group_len);
	err = w->fs.pwrite(w->fs.arg, w->wal, w->group, n, wal_zone_at(w->zone) + (int64_t)w->pos);
	if (err == SP_EDISKFULL) {
		w->group_len = 0;
		w->staged = 0;
		return err;
	}
	if (err == SP_OK)
		err = w->fs.sync(w->fs.arg, w->wal);
	if (err == SP_OK)
		err = take_group(w);
	w->broken = err != SP_OK;
	w->pos += n;
	w->group_len = 0;
	w->staged = 0;
	return err == SP_OK ? SP_OK : SP_EIO;
}
