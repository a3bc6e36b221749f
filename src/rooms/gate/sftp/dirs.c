/* dirs.c - folders, and names of what is in them. */
#include "rooms/gate/sftp/server.h"

#include "sys/clock.h"

/* ---- OPENDIR, READDIR ---- */

int
sftp_do_opendir(struct sftp *x, const struct sftp_opendir *m)
{
	struct handle *h = NULL;
	struct ipc_entry e;
	struct path p;
	int rc = path_from(x, m->path, &p);

	if (rc == SP_OK)
		rc = stat_path(x, &p, /* counts= */ false, /* partial= */ false, &e);
	if (rc < 0)
		return rc;
	if (e.kind != 0)
		return SP_ENOTFOLDER;
	rc = handle_new(x, HANDLE_FOLDER, &p, &h);
	if (rc < 0)
		return rc;
	h->listing.folder = e.id;
	return handle_send(x, h);
}

/* A name with its line; false: the reply is full. */
static bool
add_entry(struct sftp_names *n, struct span name, const struct ipc_entry_rec *e, int64_t now_s)
{
	char line[SFTP_LONGNAME_MAX];
	struct text t = text_of(line, sizeof(line));
	struct sftp_attrs a;

	attrs_of(e, &a);
	sftp_longname(&t, name, &a, e->owner_name.len != 0 ? e->owner_name : SPAN_LIT("0"),
	    SPAN_LIT("0"), now_s);
	return sftp_names_add(n, name, text_span(&t), &a);
}

static void
add_dots(struct sftp_names *n, int64_t now_s)
{
	struct ipc_entry_rec e = {
	    .rights = RIGHT_LIST | RIGHT_WRITE, .modified_us = (uint64_t)now_s * 1000000};

	e.owner_name = span_of(NULL, 0);
	VERIFY(add_entry(n, SPAN_LIT("."), &e, now_s) && add_entry(n, SPAN_LIT(".."), &e, now_s));
}

/* Where the next page begins: behind this row. */
static void
go_behind(struct listing *l, const struct ipc_entry_rec *e)
{
	size_t n = e->name.len < sizeof(l->after) ? e->name.len : 0;

	l->from = e->kind == 0 ? 1 : 2;
	memcpy(l->after, e->name.ptr, n);
	l->after_len = n;
}

/* The rows of a page into the reply, as many as fit. */
static int
add_rows(struct listing *l, const struct ipc_entries *page, struct sftp_names *n, int64_t now_s)
{
	struct rd r = rd_of(page->rows);

	l->is_ended = page->count == 0;
	for (uint32_t i = 0; i < page->count; i++) {
		struct ipc_entry_rec e;
		int rc = ipc_take_entry_rec(&r, &e);

		if (rc < 0)
			return rc;
		if (e.name.len == 0 || e.name.len > NAME_MAX_BYTES)
			return SP_ERANGE;
		if (!add_entry(n, e.name, &e, now_s))
			break;
		go_behind(l, &e);
	}
	return SP_OK;
}

int
sftp_do_readdir(struct sftp *x, const struct sftp_readdir *m)
{
	struct ipc_list ask = {.by = BY_FOLDER,
	    .path = span_of(NULL, 0),
	    .what = 3,
	    .limit = SFTP_PAGE,
	    .mask = span_of(NULL, 0)};
	int64_t now_s = clock_wall_us() / 1000000;
	struct ipc_entries page;
	struct sftp_names n;
	struct listing *l;
	struct handle *h = NULL;
	struct wr w;
	int rc = handle_find(x, m->handle, &h);

	if (rc == SP_OK && h->kind != HANDLE_FOLDER)
		return answer_why(x, SP_ENOTFOLDER, "the handle is not a folder's");
	if (rc < 0)
		return rc;
	l = &h->listing;
	if (l->is_ended)
		return answer_status(x, SFTP_FX_EOF, "there are no more names");
	ask.id = l->folder;
	ask.from = l->from != 0 ? l->from : 1;
	ask.after = span_of(l->after, l->after_len);
	rc = ring_list(x->ring, &ask, &page);
	if (rc < 0)
		return rc;
	w = answer_begin(x);
	n = sftp_names_begin(&w, x->id);
	if (!l->is_begun)
		add_dots(&n, now_s);
	l->is_begun = true;
	rc = add_rows(l, &page, &n, now_s);
	if (rc < 0)
		return rc;
	if (n.n == 0)
		return answer_status(x, SFTP_FX_EOF, "there are no more names");
	sftp_names_end(&n);
	return answer_send(x, &w);
}

/* ---- names ---- */

/* An unfinished upload of the caller's own, which only a path leads to: it can be removed, too. */
static int
remove_partial(struct sftp *x, const struct path *p)
{
	struct ipc_resume m = {.by = BY_PATH, .path = path_span(p)};
	struct placed placed;
	struct ipc_done done;
	uint64_t acked;
	int rc = ring_resume(x->ring, &m, &placed, &acked);
	struct ipc_abort give_up = {.upload = placed.upload};

	placed_done(&placed);
	return rc == SP_OK || (rc == SP_EDAMAGED && give_up.upload != 0)
		   ? ring_abort(x->ring, &give_up, &done)
		   : rc;
}

int
sftp_do_remove(struct sftp *x, const struct sftp_remove *m)
{
	struct ipc_remove gone = {.by = BY_PATH, .kind = 1};
	struct ipc_done done;
	struct ipc_entry e;
	struct path p;
	int rc = path_from(x, m->path, &p);

	if (rc < 0)
		return rc;
	gone.path = path_span(&p);
	rc = ring_remove(x->ring, &gone, &done);
	if (rc != SP_ENOTFOUND || handle_of_path(x, &p) != NULL)
		return rc;
	if (stat_path(x, &p, /* counts= */ false, /* partial= */ true, &e) < 0 || e.version != 0 ||
	    e.kind == 0)
		return SP_ENOTFOUND;
	return remove_partial(x, &p);
}

int
sftp_do_mkdir(struct sftp *x, const struct sftp_mkdir *m)
{
	struct ipc_folder_make make = {.by = BY_PATH, .name = span_of(NULL, 0), .inherit = 1};
	struct ipc_entry e;
	struct path p;
	int rc = path_from(x, m->path, &p);

	if (rc < 0)
		return rc;
	make.path = path_span(&p);
	return ring_folder_make(x->ring, &make, &e);
}

int
sftp_do_rmdir(struct sftp *x, const struct sftp_rmdir *m)
{
	struct ipc_remove gone = {.by = BY_PATH, .kind = 3};
	struct ipc_done done;
	struct path p;
	int rc = path_from(x, m->path, &p);

	if (rc < 0)
		return rc;
	gone.path = path_span(&p);
	return ring_remove(x->ring, &gone, &done);
}

static int
rename_it(struct sftp *x, struct span from, struct span to, bool replace)
{
	struct ipc_rename m = {.by = BY_PATH, .replace = replace};
	struct path p, q;
	struct ipc_entry e;
	int rc = path_from(x, from, &p);

	if (rc == SP_OK)
		rc = path_from(x, to, &q);
	if (rc < 0)
		return rc;
	m.path = path_span(&p);
	m.to = path_span(&q);
	return ring_rename(x->ring, &m, &e);
}

int
sftp_do_rename(struct sftp *x, const struct sftp_rename *m)
{
	return rename_it(x, m->from, m->to, /* replace= */ false);
}

int
sftp_do_posix_rename(struct sftp *x, const struct sftp_posix_rename *m)
{
	return rename_it(x, m->from, m->to, /* replace= */ true);
}

int
sftp_do_realpath(struct sftp *x, const struct sftp_realpath *m)
{
	struct path p;
	int rc = path_from(x, m->path, &p);

	return rc == SP_OK ? answer_name(x, &p) : rc;
}

/* ---- links ---- */

static int
no_links(struct sftp *x)
{
	return answer_why(x, SP_ENOTIMPL, "there are no links in this store");
}

int
sftp_do_readlink(struct sftp *x, const struct sftp_readlink *m)
{
	(void)m;
	return no_links(x);
}

int
sftp_do_symlink(struct sftp *x, const struct sftp_symlink *m)
{
	(void)m;
	return no_links(x);
}

int
sftp_do_hardlink(struct sftp *x, const struct sftp_hardlink *m)
{
	(void)m;
	return no_links(x);
}
