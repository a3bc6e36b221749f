/* stat.c - attributes: asked for and set. */
#include "rooms/gate/sftp/server.h"

#include "sys/clock.h"

int
path_from(struct sftp *x, struct span in, struct path *ret)
{
	return path_resolve(path_span(&x->home), in, ret);
}

int
stat_path(struct sftp *x, const struct path *p, bool counts, bool partial, struct ipc_entry *ret)
{
	struct ipc_stat m = {
	    .by = BY_PATH, .path = path_span(p), .counts = counts, .partial = partial};

	return ring_stat(x->ring, &m, ret);
}

/* ---- STAT, LSTAT, FSTAT ---- */

/* A file in the making, which nobody else can see. */
static void
attrs_of_upload(const struct upload *u, struct sftp_attrs *ret)
{
	uint64_t now_us = u->modified_us != 0 ? u->modified_us : (uint64_t)clock_wall_us();

	*ret = (struct sftp_attrs){
	    .flags = SFTP_ATTR_SIZE | SFTP_ATTR_UIDGID | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES,
	    .size = upload_size(u),
	    .permissions = SFTP_MODE_FILE | 0644,
	    .atime = seconds_of(now_us),
	    .mtime = seconds_of(now_us),
	};
}

static int
stat_it(struct sftp *x, struct span path)
{
	struct ipc_entry_rec rec;
	struct sftp_attrs a;
	struct ipc_entry e;
	struct handle *h = NULL;
	struct path p;
	int rc = path_from(x, path, &p);

	if (rc < 0)
		return rc;
	h = handle_of_path(x, &p);
	if (h != NULL) { /* what this client writes, it sees as it is now */
		attrs_of_upload(h->upload, &a);
		return answer_attrs(x, &a);
	}
	rc = stat_path(x, &p, /* counts= */ false, /* partial= */ true, &e);
	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	attrs_of(&rec, &a);
	return answer_attrs(x, &a);
}

int
sftp_do_stat(struct sftp *x, const struct sftp_stat *m)
{
	return stat_it(x, m->path);
}

int
sftp_do_lstat(struct sftp *x, const struct sftp_lstat *m)
{
	return stat_it(x, m->path); /* there are no links */
}

static int
fstat_folder(struct sftp *x, const struct handle *h)
{
	struct ipc_stat m = {.by = BY_FOLDER, .id = h->listing.folder, .path = span_of(NULL, 0)};
	struct ipc_entry_rec rec;
	struct sftp_attrs a;
	struct ipc_entry e;
	int rc = ring_stat(x->ring, &m, &e);

	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	attrs_of(&rec, &a);
	return answer_attrs(x, &a);
}

int
sftp_do_fstat(struct sftp *x, const struct sftp_fstat *m)
{
	struct sftp_attrs a;
	struct handle *h = NULL;
	int rc = handle_find(x, m->handle, &h);

	if (rc < 0)
		return rc;
	if (h->kind == HANDLE_FOLDER)
		return fstat_folder(x, h);
	if (h->upload != NULL) {
		attrs_of_upload(h->upload, &a);
	} else {
		struct ipc_entry_rec rec = {.kind = 1,
		    .size = h->source->size,
		    .modified_us = h->source->modified_us,
		    .rights = h->source->rights};

		attrs_of(&rec, &a);
	}
	return answer_attrs(x, &a);
}

/* ---- SETSTAT, FSETSTAT, lsetstat@openssh.com ---- */

/* Owner and group are shown as 0 and stay so. */
static int
check_owner(struct sftp *x, const struct sftp_attrs *a)
{
	if ((a->flags & SFTP_ATTR_UIDGID) && (a->uid != 0 || a->gid != 0))
		return answer_why(x, SP_EPERM, "owner and group of a file cannot be changed");
	return SP_OK;
}

/* On a handle that is written: taken up at once, the time with COMMIT.  Permissions are the
 * folder's: they are accepted and change nothing. */
static int
set_upload(struct sftp *x, struct upload *u, const struct sftp_attrs *a)
{
	int rc = check_owner(x, a);

	if (rc == SP_OK && (a->flags & SFTP_ATTR_SIZE))
		rc = upload_failed(x, u, upload_set_size(u, a->size));
	if (rc == SP_OK && (a->flags & SFTP_ATTR_TIMES))
		u->modified_us = (uint64_t)a->mtime * 1000000;
	return rc;
}

/* The size of a file that nobody writes: nothing, or what it is. */
static int
set_size(struct sftp *x, const struct path *p, const struct sftp_attrs *a)
{
	struct ipc_entry e;
	int rc = stat_path(x, p, /* counts= */ false, /* partial= */ false, &e);

	if (rc < 0)
		return rc;
	if (e.kind == 0)
		return SP_EISFOLDER;
	if (e.size == a->size)
		return SP_OK;
	if (a->size != 0)
		return answer_why(x, SP_ENOTIMPL, "a stored file can only be cut to nothing");
	return file_empty(x, p, a->flags & SFTP_ATTR_TIMES ? (uint64_t)a->mtime * 1000000 : 0);
}

static int
set_time(struct sftp *x, const struct path *p, uint32_t mtime)
{
	struct ipc_touch m = {
	    .by = BY_PATH, .path = path_span(p), .modified_us = (uint64_t)mtime * 1000000};
	struct ipc_done done;

	return ring_touch(x->ring, &m, &done);
}

static int
set_path(struct sftp *x, const struct path *p, const struct sftp_attrs *a)
{
	struct handle *h = handle_of_path(x, p);
	struct ipc_entry e;
	int rc;

	if (h != NULL)
		return set_upload(x, h->upload, a);
	rc = check_owner(x, a);
	if (rc == SP_OK && (a->flags & SFTP_ATTR_SIZE))
		rc = set_size(x, p, a);
	if (rc == SP_OK && (a->flags & SFTP_ATTR_TIMES))
		return set_time(x, p, a->mtime);
	if (rc == SP_OK &&
	    (a->flags & SFTP_ATTR_SIZE) == 0) /* nothing to do, but with something that is there */
		rc = stat_path(x, p, /* counts= */ false, /* partial= */ true, &e);
	return rc;
}

static int
setstat(struct sftp *x, struct span path, const struct sftp_attrs *a)
{
	struct path p;
	int rc = path_from(x, path, &p);

	return rc == SP_OK ? set_path(x, &p, a) : rc;
}

int
sftp_do_setstat(struct sftp *x, const struct sftp_setstat *m)
{
	return setstat(x, m->path, &m->attrs);
}

int
sftp_do_lsetstat(struct sftp *x, const struct sftp_lsetstat *m)
{
	return setstat(x, m->path, &m->attrs);
}

/* Of a file that is only read: by its number, since the path may be another file's by now. */
static int
set_source(struct sftp *x, const struct source *s, const struct sftp_attrs *a)
{
	struct ipc_touch m = {.by = BY_FILE,
	    .id = s->file,
	    .path = span_of(NULL, 0),
	    .modified_us = (uint64_t)a->mtime * 1000000};
	struct ipc_done done;
	int rc = check_owner(x, a);

	if (rc == SP_OK && (a->flags & SFTP_ATTR_SIZE) && a->size != s->size)
		return answer_why(x, SP_EPERM, "the file is not open for writing");
	return rc == SP_OK && (a->flags & SFTP_ATTR_TIMES) ? ring_touch(x->ring, &m, &done) : rc;
}

int
sftp_do_fsetstat(struct sftp *x, const struct sftp_fsetstat *m)
{
	struct handle *h = NULL;
	struct path p;
	int rc = handle_find(x, m->handle, &h);

	if (rc < 0)
		return rc;
	if (h->upload != NULL)
		return set_upload(x, h->upload, &m->attrs);
	if (h->kind == HANDLE_FILE)
		return set_source(x, h->source, &m->attrs);
	rc = path_resolve(SPAN_LIT("/"), handle_path(h), &p);
	return rc == SP_OK ? set_path(x, &p, &m->attrs) : rc;
}
