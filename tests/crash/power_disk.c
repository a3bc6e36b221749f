#include "power_disk.h"

#include <stdio.h>

#include "base/defer.h"

#define SECTOR 512u
#define FILES_MAX 1024
#define NAME_MAX_LEN 96

struct write {
	struct write *next;
	size_t offset, len;
	bool is_cut; /* no data: the file ends at offset */
	uint8_t data[];
};

/* An inode: what programs see, what is certainly on the disk, and the writes in between. */
struct file {
	bool is_dir;
	uint8_t *now, *disk;
	size_t now_len, disk_len, now_cap, disk_cap;
	struct write *first, *last;
};

/* A name that points to an inode.  file -1: none. */
struct name {
	char path[NAME_MAX_LEN];
	int now, disk;
};
/* A change of names that is not on the disk yet. */
struct change {
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN]; /* from "": made; to "": removed */
	int file;
};

struct power_disk {
	struct file files[FILES_MAX];
	int n_files;
	struct name names[FILES_MAX];
	int n_names;
	struct change changes[FILES_MAX];
	int n_changes;
	uint64_t count, left;
	bool failed, full;
};

static void
fit(uint8_t **p, size_t *cap, size_t n)
{
	if (n <= *cap)
		return;
	n += n < (1u << 20) ? n : 0;
	*p = mem_grow(*p, *cap, n);
	VERIFY(*p != NULL);
	*cap = n;
}

static void
put(uint8_t **p, size_t *len, size_t *cap, size_t offset, const void *data, size_t n)
{
	fit(p, cap, offset + n);
	if (offset > *len)
		memset(*p + *len, 0, offset - *len);
	if (n != 0)
		memcpy(*p + offset, data, n);
	if (offset + n > *len)
		*len = offset + n;
}

static void
cut(size_t *len, size_t to)
{
	if (to < *len)
		*len = to;
}

/* Does one more change happen? */
static bool
happens(struct power_disk *d)
{
	if (d->failed || d->left == 0) {
		d->failed = true;
		return false;
	}
	d->left--;
	d->count++;
	return true;
}

static struct name *
find(struct power_disk *d, const char *path)
{
	for (int i = 0; i < d->n_names; i++)
		if (strcmp(d->names[i].path, path) == 0)
			return &d->names[i];
	VERIFY(d->n_names < FILES_MAX);
	(void)snprintf(d->names[d->n_names].path, NAME_MAX_LEN, "%s", path);
	d->names[d->n_names].now = d->names[d->n_names].disk = -1;
	return &d->names[d->n_names++];
}

static int
new_file(struct power_disk *d, bool is_dir)
{
	VERIFY(d->n_files < FILES_MAX);
	d->files[d->n_files] = (struct file){.is_dir = is_dir};
	return d->n_files++;
}

static void
add_change(struct power_disk *d, const char *from, const char *to, int file)
{
	struct change *c = &d->changes[d->n_changes++];

	VERIFY(d->n_changes < FILES_MAX);
	(void)snprintf(c->from, NAME_MAX_LEN, "%s", from);
	(void)snprintf(c->to, NAME_MAX_LEN, "%s", to);
	c->file = file;
}

static void
folder_of(const char *path, char out[NAME_MAX_LEN])
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(out, NAME_MAX_LEN, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

static bool
has_folder(struct power_disk *d, const char *path)
{
	char dir[NAME_MAX_LEN];

	folder_of(path, dir);
	return dir[0] == '\0' || find(d, dir)->now >= 0;
}

/* ---- the functions of the table ---- */

static int
disk_open(void *arg, const char *path, enum tlog_open_how how)
{
	struct power_disk *d = arg;
	struct name *n = find(d, path);

	if (d->failed)
		return SP_EIO;
	if (n->now >= 0 && how != TLOG_OPEN_CREATE)
		return n->now;
	if (how != TLOG_OPEN_CREATE || !has_folder(d, path))
		return SP_ENOTFOUND;
	if (d->full)
		return SP_EDISKFULL;
	if (!happens(d))
		return SP_EIO;
	/* emptying is a new inode under the same name: the old content may come back */
	n->now = new_file(d, false);
	add_change(d, "", path, n->now);
	return n->now;
}

static void
disk_close(void *arg, int handle)
{
	(void)arg;
	(void)handle;
}

static int64_t
disk_pread(void *arg, int handle, void *buf, size_t n, int64_t offset)
{
	struct power_disk *d = arg;
	struct file *f = &d->files[handle];
	size_t at = (size_t)offset;

	if (d->failed)
		return SP_EIO;
	if (at >= f->now_len)
		return 0;
	if (n > f->now_len - at)
		n = f->now_len - at;
	memcpy(buf, f->now + at, n);
	return (int64_t)n;
}

static void
add_write(struct file *f, size_t offset, const void *buf, size_t n, bool is_cut)
{
	struct write *w = mem_alloc(sizeof(*w) + n);

	VERIFY(w != NULL);
	w->offset = offset;
	w->len = n;
	w->is_cut = is_cut;
	if (n != 0)
		memcpy(w->data, buf, n);
	if (f->last != NULL)
		f->last->next = w;
	else
		f->first = w;
	f->last = w;
}

static int
disk_pwrite(void *arg, int handle, const void *buf, size_t n, int64_t offset)
{
	struct power_disk *d = arg;
	struct file *f = &d->files[handle];

	if (d->full && !d->failed && (size_t)offset + n > f->now_len)
		return SP_EDISKFULL;
	if (!happens(d))
		return SP_EIO;
	put(&f->now, &f->now_len, &f->now_cap, (size_t)offset, buf, n);
	add_write(f, (size_t)offset, buf, n, false);
	return SP_OK;
}

int
power_disk_truncate(struct power_disk *d, int handle, size_t len)
{
	struct file *f = &d->files[handle];

	if (!happens(d))
		return SP_EIO;
	cut(&f->now_len, len);
	add_write(f, len, NULL, 0, true);
	return SP_OK;
}

static int64_t
disk_size(void *arg, int handle)
{
	struct power_disk *d = arg;

	return d->failed ? SP_EIO : (int64_t)d->files[handle].now_len;
}

static void
drop_writes(struct file *f)
{
	while (f->first != NULL) {
		struct write *w = f->first;

		f->first = w->next;
		mem_free(w);
	}
	f->last = NULL;
}

static void
disk_start(void *arg, int handle)
{
	(void)arg;
	(void)handle; /* a hint promises nothing */
}

static int
disk_sync(void *arg, int handle)
{
	struct power_disk *d = arg;
	struct file *f = &d->files[handle];

	if (!happens(d))
		return SP_EIO;
	for (struct write *w = f->first; w != NULL; w = w->next) {
		if (w->is_cut)
			cut(&f->disk_len, w->offset);
		else
			put(&f->disk, &f->disk_len, &f->disk_cap, w->offset, w->data, w->len);
	}
	drop_writes(f);
	return SP_OK;
}

static int
disk_mkdir(void *arg, const char *path)
{
	struct power_disk *d = arg;
	struct name *n = find(d, path);

	if (d->failed)
		return SP_EIO;
	if (n->now >= 0)
		return SP_EEXISTS;
	if (!has_folder(d, path))
		return SP_ENOTFOUND;
	if (d->full)
		return SP_EDISKFULL;
	if (!happens(d))
		return SP_EIO;
	n->now = new_file(d, true);
	add_change(d, "", path, n->now);
	return SP_OK;
}

static void
apply(struct power_disk *d, const struct change *c)
{
	if (c->from[0] != '\0')
		find(d, c->from)->disk = -1;
	if (c->to[0] != '\0')
		find(d, c->to)->disk = c->file;
}

static bool
in_folder(const struct change *c, const char *dir)
{
	char folder[NAME_MAX_LEN];

	folder_of(c->to[0] != '\0' ? c->to : c->from, folder);
	return strcmp(folder, dir) == 0;
}

static int
disk_sync_dir(void *arg, const char *path)
{
	struct power_disk *d = arg;
	int kept = 0;

	if (!d->failed && *path != '\0' && find(d, path)->now < 0)
		return SP_ENOTFOUND;
	if (!happens(d))
		return SP_EIO;
	for (int i = 0; i < d->n_changes; i++) {
		if (in_folder(&d->changes[i], path))
			apply(d, &d->changes[i]);
		else
			d->changes[kept++] = d->changes[i];
	}
	d->n_changes = kept;
	return SP_OK;
}

static int
disk_rename(void *arg, const char *from, const char *to)
{
	struct power_disk *d = arg;
	struct name *a = find(d, from), *b = find(d, to);

	if (d->failed)
		return SP_EIO;
	if (a->now < 0)
		return SP_ENOTFOUND;
	if (!happens(d))
		return SP_EIO;
	b->now = a->now;
	a->now = -1;
	add_change(d, from, to, b->now);
	return SP_OK;
}

static int
disk_remove(void *arg, const char *path)
{
	struct power_disk *d = arg;
	struct name *n = find(d, path);

	if (d->failed)
		return SP_EIO;
	if (n->now < 0)
		return SP_ENOTFOUND;
	if (!happens(d))
		return SP_EIO;
	add_change(d, path, "", n->now);
	n->now = -1;
	return SP_OK;
}

static int
disk_remove_dir(void *arg, const char *path)
{
	struct power_disk *d = arg;
	size_t len = strlen(path);

	for (int i = 0; i < d->n_names; i++)
		if (d->names[i].now >= 0 && strncmp(d->names[i].path, path, len) == 0 &&
		    d->names[i].path[len] == '/')
			return SP_ENOTEMPTY;
	return disk_remove(arg, path);
}

struct tlog_fs
power_disk_fs(struct power_disk *d)
{
	return (struct tlog_fs){d, disk_open, disk_close, disk_pread, disk_pwrite, disk_size,
	    disk_start, disk_sync, disk_mkdir, disk_sync_dir, disk_rename, disk_remove,
	    disk_remove_dir};
}

/* ---- life ---- */

struct power_disk *
power_disk_new(void)
{
	struct power_disk *d = mem_alloc(sizeof(*d));

	VERIFY(d != NULL);
	d->left = UINT64_MAX;
	return d;
}

void
power_disk_free(struct power_disk *d)
{
	for (int i = 0; i < d->n_files; i++) {
		mem_free(d->files[i].now);
		mem_free(d->files[i].disk);
		drop_writes(&d->files[i]);
	}
	mem_free(d);
}

uint64_t
power_disk_changes(const struct power_disk *d)
{
	return d->count;
}

void
power_disk_fail_after(struct power_disk *d, uint64_t n)
{
	d->left = n;
}

bool
power_disk_failed(const struct power_disk *d)
{
	return d->failed;
}

void
power_disk_full(struct power_disk *d, bool full)
{
	d->full = full;
}

static bool
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed & 0x1000) != 0;
}

static bool
keep_name(enum power_kept kept, uint64_t *seed)
{
	return kept == POWER_ALL || kept == POWER_NAMES || (kept == POWER_RANDOM && chance(seed));
}

static bool
keep_content(enum power_kept kept, uint64_t *seed)
{
	return kept == POWER_ALL || kept == POWER_CONTENT || (kept == POWER_RANDOM && chance(seed));
}

static void
copy_file(struct file *to, const struct file *from, enum power_kept kept, uint64_t *seed)
{
	to->is_dir = from->is_dir;
	put(&to->disk, &to->disk_len, &to->disk_cap, 0, from->disk, from->disk_len);
	for (const struct write *w = from->first; w != NULL; w = w->next) {
		if (w->is_cut && keep_content(kept, seed))
			cut(&to->disk_len, w->offset);
		for (size_t at = 0; at < w->len; at += SECTOR) {
			size_t n = w->len - at < SECTOR ? w->len - at : SECTOR;

			if (keep_content(kept, seed))
				put(&to->disk, &to->disk_len, &to->disk_cap, w->offset + at,
				    w->data + at, n);
		}
	}
	put(&to->now, &to->now_len, &to->now_cap, 0, to->disk, to->disk_len);
}

/* Whatever lies below a folder that is not there is not there either. */
static void
lose_orphans(struct power_disk *d)
{
	bool lost = true;

	while (lost) {
		lost = false;
		for (int i = 0; i < d->n_names; i++) {
			if (d->names[i].now < 0 || has_folder(d, d->names[i].path))
				continue;
			d->names[i].now = d->names[i].disk = -1;
			lost = true;
		}
	}
}

struct power_disk *
power_disk_after(const struct power_disk *d, enum power_kept kept, uint64_t seed)
{
	struct power_disk *after = power_disk_new();

	seed = seed * 2654435761u + 88172645463325252u;
	after->n_files = d->n_files;
	for (int i = 0; i < d->n_files; i++)
		copy_file(&after->files[i], &d->files[i], kept, &seed);
	memcpy(after->names, d->names, sizeof(d->names));
	after->n_names = d->n_names;
	for (int i = 0; i < d->n_changes; i++) {
		const struct change *c = &d->changes[i];

		/* a name moves only if it is there */
		if (keep_name(kept, &seed) &&
		    (c->from[0] == '\0' || find(after, c->from)->disk == c->file))
			apply(after, c);
	}
	for (int i = 0; i < after->n_names; i++)
		after->names[i].now = after->names[i].disk;
	lose_orphans(after);
	return after;
}
