/* files.c - OPEN, CLOSE, READ, WRITE. */
#include "rooms/gate/sftp/server.h"

/* ---- OPEN ---- */

static int
open_source(struct sftp *x, const struct path *p, struct handle *h)
{
	struct ipc_open m = {.by = BY_PATH, .path = path_span(p)};
	int rc;

	h->source = mem_alloc(sizeof(*h->source));
	if (h->source == NULL)
		return SP_ENOMEM;
	rc = source_begin(h->source, x->ring, &x->pool, &m);
	return rc;
}

/* What is at the path already, and so how an upload begins that does not empty it. */
static int
look(struct sftp *x, const struct path *p, uint32_t flags, struct upload_how *how)
{
	struct ipc_entry e;
	int rc = stat_path(x, p, /* counts= */ false, /* partial= */ true, &e);

	if (rc == SP_ENOTFOUND && (flags & SFTP_OPEN_CREAT))
		return SP_OK;
	if (rc < 0)
		return rc;
	if (e.kind == 0)
		return SP_EISFOLDER;
	if (e.version == 0) {
		how->continues = (flags & SFTP_OPEN_TRUNC) == 0 && e.size != 0;
		return (flags & (SFTP_OPEN_TRUNC | SFTP_OPEN_CREAT)) == SFTP_OPEN_TRUNC
			   ? SP_ENOTFOUND
			   : SP_OK;
	}
	how->has_base = (flags & SFTP_OPEN_TRUNC) == 0;
	how->base_file = e.id;
	how->base_version = e.version;
	how->base_size = e.size;
	return SP_OK;
}

static int
open_upload(struct sftp *x, const struct path *p, uint32_t flags, struct handle *h)
{
	struct upload_how how = {
	    .path = handle_path(h), .appends = (flags & SFTP_OPEN_APPEND) != 0};
	int rc = SP_OK;

	how.is_exclusive =
	    (flags & (SFTP_OPEN_CREAT | SFTP_OPEN_EXCL)) == (SFTP_OPEN_CREAT | SFTP_OPEN_EXCL);
	/* made or emptied, whatever there is: then nothing need be known of it, unless it is to be
	 * read too */
	if (!how.is_exclusive &&
	    ((flags & (SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC)) != (SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC) ||
		(flags & SFTP_OPEN_READ)))
		rc = look(x, p, flags, &how);
	if (rc < 0)
		return rc;
	h->base_file = how.base_file;
	h->base_version = how.base_version;
	h->upload = mem_alloc(sizeof(*h->upload));
	if (h->upload == NULL)
		return SP_ENOMEM;
	rc = upload_begin(h->upload, x->session, &x->pool, &x->held, &how);
	if (rc == SP_EFULL)
		return answer_why(x, rc, "too many files are being written at once");
	return rc;
}

int
sftp_do_open(struct sftp *x, const struct sftp_open *m)
{
	uint32_t flags = m->flags & SFTP_OPEN_ALL;
	struct handle *h = NULL;
	struct path p;
	int rc;

	if ((flags & (SFTP_OPEN_READ | SFTP_OPEN_WRITE)) == 0)
		return answer_why(x, SP_ENOTIMPL, "a file is opened for reading or for writing");
	if ((flags & SFTP_OPEN_WRITE) == 0 && flags != SFTP_OPEN_READ)
		return answer_why(x, SP_EPERM,
		    "a file that is opened for reading only cannot be made or changed");
	rc = path_from(x, m->path, &p);
	if (rc == SP_OK)
		rc = handle_new(x, HANDLE_FILE, &p, &h);
	if (rc < 0)
		return rc;
	h->reads = (flags & SFTP_OPEN_READ) != 0;
	rc = flags & SFTP_OPEN_WRITE ? open_upload(x, &p, flags, h) : open_source(x, &p, h);
	if (rc == SP_OK)
		return handle_send(x, h);
	/* what there is of an unfinished upload stays, whatever was wrong with going on */
	handle_close(x, h, /* keep= */ true);
	return rc;
}

/* ---- CLOSE ---- */

int
upload_failed(struct sftp *x, const struct upload *u, int rc)
{
	return rc < 0 && u->why[0] != '\0' ? answer_why(x, rc, "%s", u->why) : rc;
}

/* By number: the path may be another file's by now. */
static int
touch(struct sftp *x, struct handle *h)
{
	struct ipc_touch m = {.by = BY_FILE,
	    .id = h->base_file,
	    .path = span_of(NULL, 0),
	    .modified_us = h->upload->modified_us};
	struct ipc_done done;

	return ring_touch(x->ring, &m, &done);
}

static int
close_upload(struct sftp *x, struct handle *h)
{
	struct upload *u = h->upload;
	int rc = upload_close(u);

	if (rc == SP_OK && u->how.has_base && !u->is_touched && u->modified_us != 0)
		rc = touch(x, h);
	return upload_failed(x, u, rc);
}

int
sftp_do_close(struct sftp *x, const struct sftp_close *m)
{
	struct handle *h = NULL;
	int rc = handle_find(x, m->handle, &h);
	bool keep;

	if (rc < 0)
		return rc;
	if (h->upload != NULL)
		rc = close_upload(x, h);
	/* a client that went on at a wrong place does not lose what it had; nor does one that found
	 * no room, once it was told that so much is safe */
	keep = rc < 0 && h->upload != NULL && (h->upload->how.continues || sink_passes(rc));
	handle_close(x, h, keep);
	return rc;
}

int
file_empty(struct sftp *x, const struct path *p, uint64_t modified_us)
{
	struct sink_how how = {.path = path_span(p), .size = 0};
	struct ipc_entry e;
	struct sink k;
	int rc = sink_begin(&k, x->session, &how);

	if (rc == SP_OK)
		rc = sink_commit(&k, modified_us, &e);
	sink_end(&k, false);
	return rc;
}

/* ---- READ ---- */

static int
send_data(struct sftp *x, const struct source_view *v)
{
	struct wr w = answer_begin(x);

	sftp_put_data_head(&w, x->id, (uint32_t)v->total);
	x->over = stream_send(x->stream, wr_span(&w), v->n != 0 ? v->part[0] : span_of(NULL, 0));
	for (size_t i = 1; x->over == SP_OK && i < v->n; i++)
		x->over = stream_send(x->stream, span_of(NULL, 0), v->part[i]);
	return SFTP_REPLIED;
}

int
sftp_do_read(struct sftp *x, const struct sftp_read *m)
{
	struct source_view v = {0};
	struct source *s = NULL;
	int rc = handle_reading(x, m->handle, &s);

	if (rc == SP_OK && s != NULL)
		rc = source_read(s, m->offset, m->length, &v);
	if (rc < 0)
		return rc;
	if (v.total == 0 && m->length != 0)
		return answer_status(x, SFTP_FX_EOF, "this is the end of the file");
	return send_data(x, &v);
}

/* ---- WRITE ---- */

/* The data of a WRITE, from where it lies to where it goes, or away. */
static int
take_data(struct sftp *x, struct upload *u, uint64_t n)
{
	while (n != 0) {
		struct span s;
		int rc =
		    stream_some(x->stream, n < STREAM_WANT_MAX ? (size_t)n : STREAM_WANT_MAX, &s);

		if (rc <= 0)
			return rc < 0 ? rc : SP_ECLOSED;
		if (u != NULL && upload_put(u, s) < 0)
			u = NULL; /* the rest is dropped; upload_done_with says why */
		stream_take(x->stream, s.len);
		n -= s.len;
	}
	return SP_OK;
}

/* Its data is what the stream has next: write_stream is the only one to call this. */
int
sftp_do_write(struct sftp *x, const struct sftp_write *m)
{
	struct handle *h = NULL;
	struct upload *u = NULL;
	int rc = handle_writing(x, m->handle, &h);

	if (rc == SP_OK) {
		u = h->upload;
		rc = upload_at(u, m->offset, m->length);
	}
	x->over = take_data(x, rc == SP_OK ? u : NULL, m->length);
	if (x->over != SP_OK)
		return SFTP_REPLIED;
	if (rc == SP_OK)
		rc = upload_done_with(u);
	return u != NULL ? upload_failed(x, u, rc) : rc;
}

/* The head of a WRITE, and how many bytes of the packet are neither head nor data: rclone's library
 * up to 2022 sends the rest of its buffer along, which OpenSSH's server overlooks. */
static int
write_head(struct sftp *x, uint32_t length, uint8_t copy[SFTP_WRITE_HEAD_MAX],
    struct sftp_write *ret, size_t *ret_bytes, uint64_t *ret_rest)
{
	struct sftp_packet p;
	struct span s;
	size_t n = 0;
	int rc = length >= 25 - 4 ? stream_need(x->stream, 13, &s) : SP_ESHORT;

	if (rc <= 0)
		return rc < 0 ? rc : SP_ECLOSED;
	if (sftp_write_head_bytes(s, &n) < 0 || n > 4 + (size_t)length)
		return SP_ESYNTAX;
	rc = stream_need(x->stream, n, &s);
	if (rc <= 0)
		return rc < 0 ? rc : SP_ECLOSED;
	memcpy(copy, s.ptr, n); /* the stream's own goes with the data's first byte */
	if (sftp_get_packet(span_of(copy + 4, n - 4), &p) < 0 || sftp_get_write(&p, ret) < 0)
		return SP_ESYNTAX;
	*ret_bytes = n;
	x->id = p.id;
	if (ret->length > 4 + (uint64_t)length - n)
		return SP_EFULL;
	*ret_rest = 4 + (uint64_t)length - n - ret->length;
	return SP_OK;
}

int
write_stream(struct sftp *x, uint32_t length)
{
	uint8_t copy[SFTP_WRITE_HEAD_MAX];
	struct sftp_write m;
	uint64_t rest = 0;
	size_t n = 0;
	int rc = write_head(x, length, copy, &m, &n, &rest);

	if (rc == SP_EFULL) /* more data than the packet has room for */
		return request_malformed(x, SP_ESHORT);
	if (rc < 0)
		return rc == SP_ESHORT ? SP_ESYNTAX : rc;
	stream_take(x->stream, n);
	x->why[0] = '\0';
	x->ring->fault.detail[0] = '\0';
	rc = sftp_do_write(x, &m);
	if (x->over == SP_OK)
		x->over = take_data(x, NULL, rest);
	return request_conclude(x, rc);
}
