/* upload.c - blocks at offsets, old content, and what is missing between them. */
#include "rooms/gate/sftp/upload.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#define ZEROS 4096u

/* The error of a write: with a sentence, and for good. */
static int PRINTF_LIKE(3, 4) refuse(struct upload *u, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(u->why, sizeof(u->why), fmt, ap); /* a longer one is cut */
	va_end(ap);
	return err;
}

/* ---- the beginning ---- */

static int
begin_sink(struct upload *u)
{
	struct sink_how how = {.path = u->how.path, .size = UINT64_MAX};

	if (u->how.is_exclusive)
		how.mode = 1;
	if (u->how.has_base) { /* whoever replaces it in between is not to lose what he wrote */
		how.mode = 2;
		how.match = u->how.base_version;
	}
	return sink_begin(&u->sink, u->session, &how);
}

int
upload_begin(struct upload *u, const struct sftp_session *s, struct source_pool *pool, size_t *held,
    const struct upload_how *how)
{
	struct sink_how resumed = {.path = how->path, .size = UINT64_MAX};
	int rc;

	*u = (struct upload){.session = s, .pool = pool, .how = *how};
	hold_init(&u->hold, held);
	if (how->has_base)
		u->base_end = how->base_size;
	if (how->continues) {
		rc = sink_resume(&u->sink, s, &resumed);
		if (rc != SP_ENOTFOUND)
			return rc;
		sink_end(&u->sink, false); /* it was given up in between: from the beginning */
		u->how.continues = false;
	}
	return begin_sink(u);
}

/* Forget what is there, and the place with it. */
static int
start_anew(struct upload *u)
{
	sink_end(&u->sink, false);
	hold_done(&u->hold);
	u->base_end = u->extended = 0;
	u->how.continues = false;
	return begin_sink(u);
}

/* ---- what nobody wrote ---- */

static int
open_base(struct upload *u)
{
	struct ipc_open m = {.by = BY_FILE,
	    .id = u->how.base_file,
	    .version = u->how.base_version,
	    .offset = u->sink.position};
	int rc;

	if (u->base != NULL)
		return SP_OK;
	u->base = mem_alloc(sizeof(*u->base));
	if (u->base == NULL)
		return SP_ENOMEM;
	rc = source_open(u->base, u->session->ring, u->pool, &m);
	if (rc == SP_OK && u->base->size < u->base_end)
		rc = SP_EDAMAGED;
	return rc;
}

/* The older version's bytes from where we are to `end`. */
static int
copy_base(struct upload *u, uint64_t end)
{
	int rc = open_base(u);

	while (rc == SP_OK && u->sink.position < end) {
		struct source_view v;

		rc = stream_hear(u->session->stream);
		if (rc < 0)
			break;
		rc = source_read(u->base, u->sink.position, end - u->sink.position, &v);
		if (rc == SP_OK && v.total == 0)
			rc = SP_EDAMAGED;
		for (size_t i = 0; rc == SP_OK && i < v.n; i++)
			rc = sink_add(&u->sink, v.part[i]);
	}
	return rc;
}

static int
add_zeros(struct upload *u, uint64_t end)
{
	static const uint8_t zeros[ZEROS];
	int rc = SP_OK;

	while (rc == SP_OK && u->sink.position < end) {
		uint64_t left = end - u->sink.position;
		size_t n = left < ZEROS ? (size_t)left : ZEROS;

		if (n > UPLOAD_ZEROS_MAX - u->zeros)
			return refuse(u, SP_ETOOBIG,
			    "at most %llu bytes of a file may be left unwritten", UPLOAD_ZEROS_MAX);
		u->zeros += n;
		rc = sink_add(&u->sink, span_of(zeros, n));
	}
	return rc;
}

/* Everything in front of `end`: old content, or the zeros that the client asked for by setting a
 * size. */
static int
fill_to(struct upload *u, uint64_t end)
{
	uint64_t old = end < u->base_end ? end : u->base_end;
	int rc = SP_OK;

	if (end > u->base_end && end > u->sink.position && end > u->extended)
		return refuse(u, SP_ERANGE, "bytes %llu to %llu of the file were never written",
		    (unsigned long long)(u->sink.position > u->base_end ? u->sink.position
									: u->base_end),
		    (unsigned long long)end);
	if (u->sink.position < old)
		rc = copy_base(u, old);
	return rc == SP_OK ? add_zeros(u, end) : rc;
}

/* ---- blocks ---- */

/* Held blocks whose turn it is. */
static int
drain(struct upload *u)
{
	int rc = SP_OK;

	while (rc == SP_OK && u->hold.n != 0 && u->hold.v[0].offset == u->sink.position) {
		rc = sink_add(&u->sink, span_of(u->hold.v[0].bytes, u->hold.v[0].len));
		hold_drop_first(&u->hold);
	}
	return rc;
}

/* Held blocks with all that lies between them. */
static int
drain_all(struct upload *u)
{
	int rc = SP_OK;

	while (rc == SP_OK && u->hold.n != 0) {
		rc = fill_to(u, u->hold.v[0].offset);
		if (rc == SP_OK)
			rc = drain(u);
	}
	return rc;
}

static int
hold_it(struct upload *u, uint64_t offset, uint64_t len)
{
	int rc = len <= HOLD_BYTES ? hold_add(&u->hold, offset, (size_t)len, &u->block) : SP_EFULL;

	if (rc == SP_EFULL && offset <= (u->base_end > u->extended ? u->base_end : u->extended)) {
		/* what is missing is not on its way: it is what was there before */
		rc = drain_all(u);
		if (rc == SP_OK && u->sink.position > offset)
			return refuse(u, SP_ERANGE, "the same bytes are written twice");
		return rc == SP_OK ? fill_to(u, offset) : rc;
	}
	if (rc == SP_ECONFLICT)
		return refuse(u, SP_ERANGE, "the same bytes are written twice");
	if (rc == SP_EFULL)
		return refuse(u, SP_ERANGE, "this is too far ahead: bytes from %llu on are missing",
		    (unsigned long long)u->sink.position);
	u->is_held = rc == SP_OK;
	return rc;
}

/* An appending client counts from the end of what is there, or from 0. */
static int
aim(struct upload *u, uint64_t *offset)
{
	uint64_t end = upload_size(u);

	if (!u->is_aimed && *offset == 0)
		u->shift = end;
	else if (!u->is_aimed && *offset != end)
		return refuse(u, SP_ERANGE, "appending begins at byte %llu, where the file ends",
		    (unsigned long long)end);
	u->is_aimed = true;
	return add_ok(*offset, u->shift, offset) ? SP_OK : SP_ERANGE;
}

static int
at(struct upload *u, uint64_t offset, uint64_t len)
{
	uint64_t end = 0;
	int rc = u->how.appends ? aim(u, &offset) : SP_OK;

	if (rc == SP_OK && (!add_ok(offset, len, &end) || end > INT64_MAX))
		rc = SP_ERANGE;
	if (rc == SP_OK && u->how.continues && !u->is_touched && offset == 0 &&
	    u->sink.position != 0)
		rc = start_anew(u); /* the client does not go on, it begins again */
	if (rc < 0)
		return rc;
	if (offset < u->sink.position)
		return refuse(u, SP_ERANGE,
		    "a file is written from its beginning to its end: byte %llu is behind %llu",
		    (unsigned long long)offset, (unsigned long long)u->sink.position);
	if (offset > u->sink.position && u->how.has_base && offset == u->base_end && u->hold.n == 0)
		rc = fill_to(u, offset);
	if (rc == SP_OK && offset > u->sink.position)
		return hold_it(u, offset, len);
	if (rc == SP_OK && u->hold.n != 0 && end > u->hold.v[0].offset)
		return refuse(u, SP_ERANGE, "the same bytes are written twice");
	return rc;
}

int
upload_at(struct upload *u, uint64_t offset, uint64_t len)
{
	u->is_held = false;
	if (u->err != SP_OK || len == 0)
		return u->err;
	u->why[0] = '\0';
	u->err = at(u, offset, len);
	return u->err;
}

int
upload_put(struct upload *u, struct span s)
{
	if (u->err != SP_OK || s.len == 0)
		return u->err;
	u->is_touched = true;
	if (u->is_held)
		hold_put(&u->hold, u->block, s);
	else
		u->err = sink_add(&u->sink, s);
	return u->err;
}

int
upload_done_with(struct upload *u)
{
	if (u->err == SP_OK && !u->is_held)
		u->err = drain(u);
	u->is_held = false;
	return u->err;
}

int
upload_spoil(struct upload *u, int rc)
{
	if (u->err == SP_OK)
		u->err = rc;
	return rc;
}

/* ---- size, sync, end ---- */

uint64_t
upload_size(const struct upload *u)
{
	uint64_t n = u->sink.position, held = hold_end(&u->hold);

	n = n > held ? n : held;
	n = n > u->base_end ? n : u->base_end;
	return n > u->extended ? n : u->extended;
}

int
upload_set_size(struct upload *u, uint64_t size)
{
	uint64_t least = u->sink.position, held = hold_end(&u->hold);

	if (u->err != SP_OK)
		return u->err;
	u->why[0] = '\0';
	if (size == upload_size(u))
		return SP_OK;
	if (size == 0) {
		u->is_touched = true;
		u->base_end = u->extended = 0;
		return least != 0 || held != 0 ? u->err = start_anew(u) : SP_OK;
	}
	if (size > INT64_MAX)
		return SP_ERANGE;
	if (size < least || size < held)
		return refuse(u, SP_ENOTIMPL,
		    "a file that is being written cannot be cut in front of byte %llu",
		    (unsigned long long)(least > held ? least : held));
	if (u->base_end > size)
		u->base_end = size;
	u->extended = size;
	u->is_touched = true;
	return SP_OK;
}

int
upload_sync(struct upload *u)
{
	if (u->err != SP_OK)
		return u->err;
	u->why[0] = '\0';
	if (u->how.has_base && !u->is_touched)
		return SP_OK;
	if (u->hold.n != 0) {
		u->err = u->how.has_base ? drain_all(u) : SP_OK;
		if (u->err != SP_OK)
			return u->err;
	}
	if (u->hold.n != 0)
		return refuse(u, SP_EPRECOND, "bytes from %llu on are missing",
		    (unsigned long long)u->sink.position);
	return u->err = sink_sync(&u->sink);
}

int
upload_close(struct upload *u)
{
	struct ipc_entry e;
	uint64_t end;
	int rc = u->err;

	if (rc != SP_OK)
		return rc;
	u->why[0] = '\0';
	if (u->how.has_base && !u->is_touched)
		return SP_OK;
	rc = drain_all(u);
	end = upload_size(u);
	if (rc == SP_OK)
		rc = fill_to(u, end);
	if (rc == SP_OK)
		rc = sink_commit(&u->sink, u->modified_us, &e);
	return u->err = rc;
}

void
upload_end(struct upload *u, bool keep)
{
	if (u->session == NULL)
		return;
	hold_done(&u->hold);
	/* a new version of an old file cannot be continued: only what nobody can see yet */
	sink_end(&u->sink, keep && !u->how.has_base);
	if (u->base != NULL)
		source_done(u->base);
	mem_freep(&u->base);
	u->session = NULL;
}
