/* tlog_flush.c - from the write-ahead file to tiles and a signed checkpoint, one step at a time. */
#include "store/tlog_writer.h"

#define NOTE_TEMP "checkpoint.new"

int
files_add(struct file_list *l, int level, uint64_t index, unsigned width, uint8_t *buf, size_t len)
{
	struct text t;

	if (l->n == l->cap) {
		size_t cap = l->cap * 2 + 16;
		struct tile_file *v = mem_grow(l->v, l->cap * sizeof(*v), cap * sizeof(*v));

		if (v == NULL) {
			mem_free(buf);
			return SP_ENOMEM;
		}
		l->v = v;
		l->cap = cap;
	}
	t = text_of(l->v[l->n].path, TLOG_PATH_MAX);
	tile_path(&t, level, index, width);
	VERIFY(!t.bad);
	l->v[l->n].buf = buf;
	l->v[l->n].len = len;
	l->n++;
	return SP_OK;
}

void
files_done(struct file_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->v[i].buf);
	mem_free(l->v);
	*l = (struct file_list){0};
}

void
flush_done(struct flush *f)
{
	files_done(&f->files);
	mem_free(f->folders);
	*f = (struct flush){0};
}

static uint8_t *
copy_of(const void *p, size_t n)
{
	uint8_t *copy = mem_alloc(n);

	if (copy != NULL)
		memcpy(copy, p, n);
	return copy;
}

/* Is the open tile of this level the same as under the checkpoint of old entries? */
static bool
is_same(uint64_t old, uint64_t size, unsigned level)
{
	return tiles_width(old, level) == tiles_width(size, level) &&
	       tiles_index(old, level) == tiles_index(size, level);
}

/* The open tiles as they are now, as partial tiles, behind the full ones. */
static int
add_partial(struct tlog_writer *w, struct file_list *l)
{
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		unsigned width = tiles_width(w->tiles.size, level);
		uint64_t index = tiles_index(w->tiles.size, level);
		size_t len = width * sizeof(struct hash);
		uint8_t *copy;
		int err = SP_OK;

		if (width == 0 || is_same(w->flushed, w->tiles.size, level))
			continue;
		copy = copy_of(w->tiles.level[level], len);
		err = copy != NULL ? files_add(l, (int)level, index, width, copy, len) : SP_ENOMEM;
		if (err == SP_OK && level == 0) {
			copy = copy_of(w->bundle, w->bundle_len);
			err = copy != NULL ? files_add(l, -1, index, width, copy, w->bundle_len)
					   : SP_ENOMEM;
		}
		if (err != SP_OK)
			return err;
	}
	return SP_OK;
}

/* Move what is in *from to the front of *to, which has only partial tiles yet: no allocation can
 * fail half-way. */
static int
join_files(struct file_list *from, struct file_list *to, struct file_list *ret)
{
	struct file_list all = {.cap = from->n + to->n};

	all.v = mem_array(all.cap, sizeof(*all.v));
	if (all.v == NULL)
		return SP_ENOMEM;
	for (size_t i = 0; i < from->n; i++)
		all.v[all.n++] = from->v[i];
	for (size_t i = 0; i < to->n; i++)
		all.v[all.n++] = to->v[i];
	mem_free(from->v);
	mem_free(to->v);
	*from = *to = (struct file_list){0};
	*ret = all;
	return SP_OK;
}

int
tlog_flush_begin(struct tlog_writer *w)
{
	struct file_list partial = {0};
	struct hash root;
	int err;

	if (w->broken)
		return SP_EIO;
	if (w->flush.stage != FLUSH_NONE || w->tiles.size == w->flushed)
		return SP_OK;
	err = tiles_root(&w->tiles, &root);
	if (err == SP_OK)
		err = add_partial(w, &partial);
	if (err == SP_OK)
		err = join_files(&w->full, &partial, &w->flush.files);
	if (err != SP_OK) {
		files_done(&partial);
		return err;
	}
	w->flush.root = root;
	w->flush.size = w->tiles.size;
	w->flush.stage = FLUSH_FILES;
	/* all of the other zone is in tiles, since no flush was under way */
	w->zone ^= 1;
	w->pos = 0;
	return SP_OK;
}

static int
add_folder(struct flush *f, struct span path)
{
	struct text t;

	for (size_t i = 0; i < f->n_folders; i++)
		if (span_eq_str(path, f->folders[i].path))
			return SP_OK;
	if (f->n_folders == f->folders_cap) {
		size_t cap = f->folders_cap * 2 + 16;
		struct folder *v =
		    mem_grow(f->folders, f->folders_cap * sizeof(*v), cap * sizeof(*v));

		if (v == NULL)
			return SP_ENOMEM;
		f->folders = v;
		f->folders_cap = cap;
	}
	t = text_of(f->folders[f->n_folders].path, TLOG_PATH_MAX);
	text_add(&t, path);
	VERIFY(!t.bad);
	f->n_folders++;
	return SP_OK;
}

/* The folder of a file; and when folders were made, all above it. */
static int
add_folders(struct flush *f, const char *path, bool all)
{
	struct span s = span_str(path);
	int err = SP_OK;

	for (bool more = true; more && err == SP_OK; more = all && s.len != 0) {
		while (s.len != 0 && s.ptr[s.len - 1] != '/')
			s.len--;
		if (s.len != 0)
			s.len--;
		err = add_folder(f, s);
	}
	return err;
}

static int
step_file(struct tlog_writer *w, struct flush *f)
{
	struct tile_file *file;
	bool made = false;
	int err;

	if (f->file == f->files.n) {
		f->stage = FLUSH_SYNC;
		return SP_OK;
	}
	file = &f->files.v[f->file];
	err = tlog_fs_put(&w->fs, file->path, span_of(file->buf, file->len), &made);
	if (err == SP_OK)
		err = add_folders(f, file->path, made);
	if (err != SP_OK) {
		/* the second try finds the folders there, but they still want a sync */
		(void)add_folders(
		    f, file->path, true); /* best effort: the next try says it again */
		return err;
	}
	f->file++;
	return SP_OK;
}

static int
step_sync(struct tlog_writer *w, struct flush *f)
{
	int err;

	if (f->synced == f->files.n) {
		f->stage = FLUSH_FOLDERS;
		return SP_OK;
	}
	err = tlog_fs_sync(&w->fs, f->files.v[f->synced].path);
	if (err == SP_OK) {
		f->synced++;
	} else { /* nobody knows what is on the disk: all of them are written anew */
		f->stage = FLUSH_FILES;
		f->file = f->synced = 0;
	}
	return err;
}

static int
step_folder(struct tlog_writer *w, struct flush *f)
{
	int err;

	if (f->folder == f->n_folders) {
		f->stage = FLUSH_NOTE;
		return SP_OK;
	}
	err = w->fs.sync_dir(w->fs.arg, f->folders[f->folder].path);
	if (err == SP_OK)
		f->folder++;
	return err;
}

static int
step_note(struct tlog_writer *w, struct flush *f)
{
	char buf[1024];
	struct text t = text_of(buf, sizeof(buf));
	bool made = false;
	int err = checkpoint_sign(&t, w->origin, f->size, &f->root, w->seed);

	if (err == SP_OK && t.bad)
		err = SP_ESPACE;
	if (err == SP_OK)
		err = tlog_fs_write(&w->fs, NOTE_TEMP, text_span(&t), &made);
	if (err == SP_OK)
		f->stage = FLUSH_NAME;
	return err;
}

/* A partial tile that no checkpoint names any more.  Failing leaves a file too many, nothing else.
 */
static void
remove_partial(struct tlog_writer *w, int level, uint64_t index, unsigned width, bool folder_too)
{
	char path[TLOG_PATH_MAX];
	struct text t = text_of(path, sizeof(path));

	tile_path(&t, level, index, width);
	(void)w->fs.remove(w->fs.arg, path); /* see above */
	while (t.len != 0 && path[t.len] != '/')
		t.len--;
	path[t.len] = '\0';
	if (folder_too)
		(void)w->fs.remove_dir(w->fs.arg, path); /* see above */
}

static void
remove_old(struct tlog_writer *w, uint64_t old, uint64_t size)
{
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		unsigned width = tiles_width(old, level);
		uint64_t index = tiles_index(old, level);
		bool is_full = index != tiles_index(size, level);

		if (width == 0 || is_same(old, size, level))
			continue;
		remove_partial(w, (int)level, index, width, is_full);
		if (level == 0)
			remove_partial(w, -1, index, width, is_full);
	}
}

static int
step(struct tlog_writer *w, struct flush *f)
{
	uint64_t old = w->flushed;
	int err = SP_OK;

	switch (f->stage) {
	case FLUSH_NONE:
		return 0;
	case FLUSH_FILES:
		err = step_file(w, f);
		break;
	case FLUSH_SYNC:
		err = step_sync(w, f);
		break;
	case FLUSH_FOLDERS:
		err = step_folder(w, f);
		break;
	case FLUSH_NOTE:
		err = step_note(w, f);
		break;
	case FLUSH_NAME:
		err = w->fs.rename(w->fs.arg, NOTE_TEMP, "checkpoint");
		if (err == SP_OK)
			f->stage = FLUSH_NAME_SYNC;
		break;
	case FLUSH_NAME_SYNC:
		err = w->fs.sync_dir(w->fs.arg, "");
		if (err != SP_OK)
			break;
		w->flushed = f->size;
		flush_done(f);
		remove_old(w, old, w->flushed);
		return 0;
	}
	return err != SP_OK ? err : 1;
}

int
tlog_flush_step(struct tlog_writer *w)
{
	int more;

	if (w->broken)
		return SP_EIO;
	more = step(w, &w->flush);
	w->failing = more < 0;
	return more;
}

bool
tlog_is_crowded(const struct tlog_writer *w)
{
	return w->pos > WAL_ZONE_BYTES / 2 && w->flush.stage == FLUSH_NONE;
}

int
tlog_flush_all(struct tlog_writer *w)
{
	int err = SP_OK;

	while (err == SP_OK && (w->flush.stage != FLUSH_NONE || w->tiles.size != w->flushed)) {
		int more;

		err = tlog_flush_begin(w);
		if (err != SP_OK)
			break;
		do
			more = tlog_flush_step(w);
		while (more == 1);
		err = more;
	}
	return err;
}
