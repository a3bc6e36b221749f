/* tus.c - resumable uploads: tus 1.0 with creation, creation-with-upload, termination, checksum and
 * expiration.
 *
 * The broker keeps what was received, under a tag (PUT, RESUME).  What the client said of the
 * upload is in its address; that is no secret and nothing is believed of it that the broker does
 * not check for the caller: folder, name, rights, quotas.  An offset that a client is told is
 * durable.  A connection that leaves an upload unfinished ends, so that the next one can go on with
 * it.
 */
#include <stdio.h>

#include "rooms/gate/https/put.h"
#include "rooms/gate/https/router.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#define TUS_EXTENSIONS "creation,creation-with-upload,termination,checksum,expiration"
#define TUS_PROGRESS_BYTES (64ull << 20) /* made durable at least this often */
#define TUS_WAIT_MS 5000 /* for the connection that had the upload before to be gone */
#define TUS_WAIT_STEP_MS 50
#define METADATA_MAX 4096u
#define ADDRESS_RAW_MAX (8u * 4 + 1 + 32 + 255)

enum { TUS_OVERWRITE = 1, TUS_SHA256 = 2 };

/* What the client said when it made the upload: all of it is in the address. */
struct tus {
	uint64_t tag, folder, length, created_us;
	uint8_t flags;
	uint8_t sha256[32]; /* of the whole, if TUS_SHA256 */
	uint8_t name[255];
	size_t name_len;
};

struct tus_upload {
	struct conn *c;
	const struct tus *tus;
	struct placed placed;
	struct blob_writer *writer;
	bool is_open;	/* with the broker */
	bool is_hashed; /* the writer has seen all of it */
	uint64_t at, told;
	struct sha256 *sum; /* of this request's bytes; NULL: no Upload-Checksum */
};

static void
upload_done(struct tus_upload *u)
{
	blob_writer_free(u->writer);
	u->writer = NULL;
	placed_done(&u->placed);
	sha256_free(u->sum);
	u->sum = NULL;
	if (u->is_open) /* what is on record of it is kept when this connection ends */
		u->c->keep = false;
}

static int
refuse(struct conn *c, int status, int err, const char *detail)
{
	reply_begin(c, status);
	json_close(problem_body(c, err, detail), '}');
	return reply_send(c);
}

/* ---- the address ---- */

static void
address_put(struct text *t, const struct tus *s)
{
	uint8_t raw[ADDRESS_RAW_MAX];
	struct wr w = wr_of(raw, sizeof(raw));

	wr_uint(&w, s->tag, 8);
	wr_uint(&w, s->folder, 8);
	wr_uint(&w, s->length, 8);
	wr_uint(&w, s->created_us, 8);
	wr_uint(&w, s->flags, 1);
	if (s->flags & TUS_SHA256)
		wr_bytes(&w, span_of(s->sha256, sizeof(s->sha256)));
	wr_bytes(&w, span_of(s->name, s->name_len));
	VERIFY(!w.bad);
	text_str(t, "/api/v1/tus/");
	base64url_put(t, wr_span(&w));
}

static int
address_get(const struct conn *c, struct tus *ret)
{
	uint8_t raw[ADDRESS_RAW_MAX];
	struct rd r;
	size_t n;

	if (base64url_get(c->param[0], raw, sizeof(raw), &n) != SP_OK)
		return SP_ENOTFOUND;
	r = rd_of(span_of(raw, n));
	ret->tag = rd_uint(&r, 8);
	ret->folder = rd_uint(&r, 8);
	ret->length = rd_uint(&r, 8);
	ret->created_us = rd_uint(&r, 8);
	ret->flags = (uint8_t)rd_uint(&r, 1);
	if (ret->flags & TUS_SHA256)
		rd_copy(&r, ret->sha256, sizeof(ret->sha256));
	if (r.bad || r.left == 0 || r.left > sizeof(ret->name) || ret->tag == 0 ||
	    ret->tag > INT64_MAX || ret->folder > INT64_MAX || ret->length > INT64_MAX ||
	    ret->created_us > INT64_MAX || ret->flags > (TUS_OVERWRITE | TUS_SHA256))
		return SP_ENOTFOUND;
	ret->name_len = r.left;
	memcpy(ret->name, r.ptr, r.left);
	return utf8_valid(span_of(ret->name, ret->name_len)) ? SP_OK : SP_ENOTFOUND;
}

/* ---- fields ---- */

/* The protocol's version: 1 when the refusal is sent. */
static int
check_version(struct conn *c)
{
	struct span v = span_of(NULL, 0);
	int rc;

	c->is_tus = true;
	if (http_single(&c->head, "Tus-Resumable", &v) == 1 && span_eq_str(v, "1.0.0"))
		return SP_OK;
	rc = reply_problem_with(
	    c, SP_EPRECOND, "the field Tus-Resumable must be 1.0.0", "Tus-Version", "1.0.0");
	return rc < 0 ? rc : 1;
}

static int
number_field(const struct conn *c, const char *name, uint64_t *ret)
{
	struct span v = span_of(NULL, 0);
	int rc = http_single(&c->head, name, &v);

	return rc == 1 ? parse_u64(v, INT64_MAX, ret) : rc < 0 ? rc : SP_ESYNTAX;
}

static bool
has_content(const struct conn *c)
{
	struct span v = span_of(NULL, 0);

	return http_single(&c->head, "Content-Type", &v) == 1 &&
	       http_media_is(v, "application/offset+octet-stream");
}

/* One pair of Upload-Metadata: SP_ESYNTAX, or what is wrong with the value. */
static int
metadata_pair(struct tus *t, struct span key, struct span value)
{
	if (span_eq_str(key, "folder"))
		return parse_u64(value, INT64_MAX, &t->folder);
	if (span_eq_str(key, "overwrite")) {
		t->flags |=
		    span_eq_str(value, "1") || span_eq_str(value, "true") ? TUS_OVERWRITE : 0;
		return SP_OK;
	}
	if (span_eq_str(key, "sha256")) {
		t->flags |= TUS_SHA256;
		return parse_hex(value, t->sha256, sizeof(t->sha256));
	}
	if (!span_eq_str(key, "filename"))
		return SP_OK; /* other clients say other things: filetype, relativePath */
	if (value.len == 0 || value.len > sizeof(t->name) || !utf8_valid(value))
		return SP_ENAME;
	memcpy(t->name, value.ptr, value.len);
	t->name_len = value.len;
	return SP_OK;
}

/* "key base64, key base64, key": the protocol, section Upload-Metadata. */
static int
metadata(const struct conn *c, struct tus *t)
{
	uint8_t value[METADATA_MAX];
	struct span all = span_of(NULL, 0);
	int rc = http_single(&c->head, "Upload-Metadata", &all);

	if (rc != 1)
		return rc < 0 ? rc : SP_ESYNTAX;
	while (all.len != 0) {
		struct span pair = span_trim(span_cut(all, span_find(all, ',')));
		size_t key = span_find(pair, ' '), n = 0;

		all = span_skip(all, span_find(all, ','));
		all = span_skip(all, all.len != 0 ? 1 : 0);
		if (pair.len == 0 || (key < pair.len && base64_get(span_trim(span_skip(pair, key)),
							    value, sizeof(value), &n) != SP_OK))
			return SP_ESYNTAX;
		rc = metadata_pair(t, span_cut(pair, key), span_of(value, n));
		if (rc < 0)
			return rc;
	}
	return t->folder != 0 && t->name_len != 0 ? SP_OK : SP_ESYNTAX;
}

/* Upload-Checksum: its digest and begin of ours.  1: refused, the reply is sent. */
static int
checksum(struct tus_upload *u, uint8_t want[32])
{
	struct span v = span_of(NULL, 0), kind;
	size_t n = 0, space;
	int rc = http_single(&u->c->head, "Upload-Checksum", &v);

	if (rc != 1)
		return rc;
	space = span_find(v, ' ');
	kind = span_cut(v, space);
	if (!span_eq_str(kind, "sha256")) {
		rc = refuse(u->c, 400, SP_ENOTIMPL,
		    "the only Upload-Checksum that is computed here is sha256");
		return rc < 0 ? rc : 1;
	}
	if (base64_get(span_trim(span_skip(v, space)), want, 32, &n) != SP_OK || n != 32)
		return SP_ESYNTAX;
	u->sum = sha256_new();
	return u->sum != NULL ? sha256_reset(u->sum) : SP_ENOMEM;
}

static void
put_expiry(struct conn *c)
{
	text_str(reply_text(c), "Upload-Expires: ");
	time_http(reply_text(c), clock_wall_us() + c->conf->upload_expiry * 1000000);
	text_str(reply_text(c), "\r\n");
}

/* ---- content ---- */

/* Everything so far is on disk and on record. */
static int
acknowledge(struct tus_upload *u)
{
	struct ipc_progress m = {.upload = u->placed.upload};
	struct ipc_done done;
	int rc;

	if (u->at == u->told)
		return SP_OK;
	rc = blob_writer_ack(u->writer, &m.acked);
	if (rc == SP_OK)
		rc = ring_progress(u->c->ring, &m, &done);
	if (rc == SP_OK)
		u->told = m.acked;
	return rc;
}

/* The body into the blob; what came before the client was lost counts, unless it has to match a
 * checksum as a whole. */
static int
receive(struct tus_upload *u)
{
	int rc = body_wanted(u->c);

	while (rc == SP_OK && !u->c->body.ended) {
		size_t n = 0;
		uint8_t *room = blob_writer_room(u->writer, &n);
		int64_t got = room != NULL ? body_read(u->c, room, n) : SP_ETOOBIG;

		if (got < 0) {
			rc = (int)got;
			break;
		}
		if ((uint64_t)got > u->tus->length - u->at)
			return SP_ETOOBIG;
		if (got != 0 && u->sum != NULL)
			rc = sha256_add(u->sum, span_of(room, (size_t)got));
		if (rc == SP_OK && got != 0)
			rc = blob_writer_fill(u->writer, (size_t)got);
		u->at += rc == SP_OK ? (uint64_t)got : 0;
		if (rc == SP_OK && u->sum == NULL && u->at - u->told >= TUS_PROGRESS_BYTES)
			rc = acknowledge(u);
	}
	if ((rc == SP_ECLOSED || rc == SP_ETIMEOUT) && u->sum == NULL && acknowledge(u) < 0)
		log_debug("what was received of an upload is lost");
	return rc;
}

/* The hash of content that several connections wrote, read back. */
static int
hash_again(const struct tus_upload *u, uint64_t size, uint8_t out[32])
{
	struct blob_reader *r = NULL;
	struct sha256 *h = sha256_new();
	int rc = h != NULL ? sha256_reset(h) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = blob_reader_new(
		    u->placed.fd, u->placed.key, u->placed.blob, u->placed.segment, size, &r);
	for (uint64_t at = 0; rc == SP_OK && at < size;) {
		struct span piece;

		rc = blob_reader_at(r, at, &piece);
		if (rc == SP_OK)
			rc = sha256_add(h, piece);
		if (rc == SP_OK)
			at += piece.len;
	}
	if (rc == SP_OK)
		rc = sha256_get(h, out);
	blob_reader_free(r);
	sha256_free(h);
	return rc;
}

/* Give the upload up: the broker forgets it. */
static void
drop(struct tus_upload *u)
{
	struct ipc_abort m = {.upload = u->placed.upload};
	struct fault why = u->c->ring->fault;
	struct ipc_done done;

	blob_writer_free(u->writer);
	u->writer = NULL;
	close_fd(&u->placed.fd); /* the broker ends who keeps it */
	if (u->is_open && !u->c->ring->dead && ring_abort(u->c->ring, &m, &done) < 0)
		log_debug("the upload was gone already");
	u->is_open = false;
	u->c->ring->fault = why;
}

static int
commit(struct tus_upload *u, uint64_t *ret_file)
{
	struct ipc_commit m = {.upload = u->placed.upload,
	    .has_sha256 = u->is_hashed,
	    .checked = (u->tus->flags & TUS_SHA256) != 0,
	    .comment = span_of(NULL, 0),
	    .agent = span_str(u->c->agent),
	    .content = span_of(NULL, 0)};
	struct ipc_entry e;
	int rc = blob_writer_finish(u->writer, &m.size, m.sha256.b, &m.crc32, m.proof.b);

	if (rc == SP_OK && !u->is_hashed && m.checked) {
		rc = hash_again(u, m.size, m.sha256.b);
		m.has_sha256 = rc == SP_OK;
	}
	if (rc == SP_OK && m.checked && memcmp(m.sha256.b, u->tus->sha256, 32) != 0) {
		drop(u); /* there is no telling which part of it is wrong */
		return SP_EDIGEST;
	}
	if (rc < 0)
		return rc;
	blob_writer_free(u->writer);
	u->writer = NULL;
	close_fd(&u->placed.fd); /* the broker seals only what nobody can write any more */
	rc = ring_commit(u->c->ring, &m, &e);
	u->is_open = rc == SP_EUNAVAIL || rc == SP_ELOCKED; /* kept: it can be tried again */
	if (rc == SP_OK)
		*ret_file = e.id;
	return rc;
}

static int
commit_small(struct put *p, const struct tus *t, uint64_t *ret_file)
{
	bool checked = (t->flags & TUS_SHA256) != 0;
	struct ipc_entry e;
	int rc = put_finish(p);

	if (rc == SP_OK && checked && memcmp(p->sha256, t->sha256, 32) != 0)
		rc = SP_EDIGEST;
	if (rc == SP_OK)
		rc = put_commit(p, checked, span_of(NULL, 0), &e);
	if (rc == SP_OK)
		*ret_file = e.id;
	return put_taken(p->c, rc);
}

/* ---- POST ---- */

static struct ipc_put
place_of(const struct tus *t)
{
	return (struct ipc_put){.by = BY_FOLDER,
	    .id = t->folder,
	    .path = span_of(NULL, 0),
	    .name = span_of(t->name, t->name_len),
	    .size = t->length,
	    .mode = (t->flags & TUS_OVERWRITE) != 0 ? 0 : 1};
}

/* All of a small file has come with its creation: a row of the database, and no blob. */
static int
create_small(struct conn *c, const struct tus *t, uint64_t *ret_file)
{
	DEFER(put_done) struct put p = {.c = c, .placed = {.fd = -1}};
	struct ipc_put m = place_of(t);
	int rc = put_init(&p, c, true);

	if (rc == SP_OK)
		rc = put_taken(c, put_place(&p, &m));
	if (rc == SP_OK)
		rc = put_body(&p);
	return rc == SP_OK ? commit_small(&p, t, ret_file) : rc;
}

static int
create_big(struct tus_upload *u, uint64_t *ret_file)
{
	struct ipc_put m = place_of(u->tus);
	int rc;

	m.tag = u->tus->tag;
	rc = put_taken(u->c, ring_put(u->c->ring, &m, &u->placed));
	if (rc < 0)
		return rc;
	u->is_open = u->is_hashed = true;
	if (!has_content(u->c))
		return SP_OK;
	rc = blob_writer_new(u->placed.fd, u->placed.key, u->placed.blob, u->placed.segment,
	    u->placed.limit, true, &u->writer);
	if (rc == SP_OK)
		rc = receive(u);
	if (rc == SP_OK && u->at == u->tus->length)
		return put_taken(u->c, commit(u, ret_file));
	return rc == SP_OK ? acknowledge(u) : rc;
}

static int
created(struct conn *c, const struct tus *t, uint64_t offset, uint64_t file)
{
	if (file == 0)
		c->keep = false; /* the upload is free for others when this connection has ended */
	reply_begin(c, 201);
	text_str(reply_text(c), "Location: ");
	address_put(reply_text(c), t);
	text_str(reply_text(c), "\r\n");
	reply_field(c, "Upload-Offset", "%llu", (unsigned long long)offset);
	if (file != 0)
		reply_field(c, "Sallyport-File", "%llu", (unsigned long long)file);
	else
		put_expiry(c);
	return reply_send(c);
}

/* What the client wants to make: tag and time are ours. */
static int
creation(struct conn *c, struct tus *t)
{
	struct span v;
	int rc = http_single(&c->head, "Upload-Length", &v);

	if (rc == 0)
		return refuse(c, 400, SP_ESYNTAX,
		    "Upload-Length is needed; Upload-Defer-Length is not supported");
	rc = number_field(c, "Upload-Length", &t->length);
	if (rc == SP_OK && t->length > (uint64_t)c->conf->body_max)
		rc = SP_ETOOBIG;
	if (rc == SP_OK)
		rc = metadata(c, t);
	if (rc == SP_ESYNTAX)
		return refuse(c, 400, SP_ESYNTAX,
		    "Upload-Metadata must have folder (a number) and filename; sha256 is "
		    "hexadecimal");
	if (rc == SP_OK)
		rc = crypto_random(&t->tag, sizeof(t->tag));
	t->tag = (t->tag & INT64_MAX) | 1;
	t->created_us = (uint64_t)clock_wall_us();
	return rc;
}

int
tus_post(struct conn *c)
{
	struct tus t = {.folder = 0};
	DEFER(upload_done) struct tus_upload u = {.c = c, .tus = &t, .placed = {.fd = -1}};
	uint64_t length = 0, file = 0;
	struct span v;
	int rc = check_version(c);

	if (rc == SP_OK)
		rc = creation(c, &t);
	if (rc != SP_OK || c->sent)
		return rc < 0 ? rc : SP_OK;
	if (http_single(&c->head, "Upload-Checksum", &v) != 0)
		return refuse(c, 400, SP_ENOTIMPL, "Upload-Checksum goes with PATCH");
	if (t.length == 0 || (t.length <= INLINE_MAX && has_content(c) &&
				 body_known(c, &length) && length == t.length)) {
		rc = create_small(c, &t, &file);
		return rc < 0 ? rc : created(c, &t, t.length, file);
	}
	rc = create_big(&u, &file);
	return rc < 0 ? rc : created(c, &t, file != 0 ? t.length : u.told, file);
}

/* ---- PATCH, HEAD, DELETE ---- */

/* Go on with it; the connection that had it before may take a moment to be gone. */
static int
resume(struct tus_upload *u)
{
	const struct ipc_resume m = {.by = BY_NAME,
	    .id = u->tus->folder,
	    .path = span_of(u->tus->name, u->tus->name_len),
	    .tag = u->tus->tag};
	int64_t until = clock_mono_ms() + TUS_WAIT_MS;
	int rc;

	while ((rc = ring_resume(u->c->ring, &m, &u->placed, &u->at)) == SP_ECONFLICT &&
	       clock_mono_ms() < until)
		clock_sleep_ms(TUS_WAIT_STEP_MS);
	u->told = u->at;
	u->is_open = rc == SP_OK;
	return rc;
}

static int
patched(struct conn *c, uint64_t offset, uint64_t file)
{
	if (file == 0)
		c->keep = false;
	reply_begin(c, 204);
	reply_field(c, "Upload-Offset", "%llu", (unsigned long long)offset);
	if (file != 0)
		reply_field(c, "Sallyport-File", "%llu", (unsigned long long)file);
	else
		put_expiry(c);
	return reply_send(c);
}

static int
patch(struct tus_upload *u)
{
	uint8_t want[32], got[32];
	uint64_t offset, file = 0;
	int rc = number_field(u->c, "Upload-Offset", &offset);

	if (rc == SP_OK)
		rc = checksum(u, want);
	if (rc == SP_OK)
		rc = resume(u);
	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	if (offset != u->at)
		return refuse(u->c, 409, SP_EPRECOND,
		    "Upload-Offset is not where the upload is: ask with HEAD");
	rc = blob_writer_resume(u->placed.fd, u->placed.key, u->placed.blob, u->placed.segment,
	    u->placed.limit, u->at, &u->writer, &u->is_hashed);
	if (rc == SP_OK)
		rc = receive(u);
	if (rc == SP_OK && u->sum != NULL)
		rc = sha256_get(u->sum, got);
	if (rc == SP_OK && u->sum != NULL && memcmp(got, want, sizeof(got)) != 0)
		return refuse(u->c, 460, SP_EDIGEST,
		    "the content does not match Upload-Checksum; none of it was taken");
	if (rc == SP_OK)
		rc = u->at == u->tus->length ? put_taken(u->c, commit(u, &file)) : acknowledge(u);
	return rc < 0 ? rc : patched(u->c, u->at, file);
}

int
tus_patch(struct conn *c)
{
	struct tus t = {.folder = 0};
	DEFER(upload_done) struct tus_upload u = {.c = c, .tus = &t, .placed = {.fd = -1}};
	int rc = check_version(c);

	if (rc == SP_OK)
		rc = address_get(c, &t);
	if (rc == SP_OK && !has_content(c))
		rc = SP_EMEDIATYPE;
	return rc < 0 ? rc : rc == SP_OK ? patch(&u) : SP_OK;
}

/* Has it become the file that is there?  Only its owner asks, and only for what he stored since. */
static int
became(struct conn *c, const struct tus *t, const struct ipc_entry *e, uint64_t *ret_file)
{
	const struct ipc_self none = {0};
	uint64_t owner = e->owner;
	struct ipc_user me;
	int rc;

	if (e->kind != 1 || e->version == 0 || e->size != t->length ||
	    e->modified_us < t->created_us ||
	    ((t->flags & TUS_SHA256) && e->has_sha256 && memcmp(e->sha256.b, t->sha256, 32) != 0))
		return SP_ENOTFOUND;
	*ret_file = e->id;
	rc = ring_self(c->ring, &none, &me);
	return rc < 0 ? rc : me.id == owner ? SP_OK : SP_ENOTFOUND;
}

static void
put_metadata(struct text *t, const struct tus *s)
{
	char number[24], hex[65];
	struct text n = text_of(number, sizeof(number)), h = text_of(hex, sizeof(hex));

	text_u64(&n, s->folder);
	text_hex(&h, span_of(s->sha256, sizeof(s->sha256)));
	text_str(t, "Upload-Metadata: folder ");
	base64_put(t, text_span(&n));
	text_str(t, ",filename ");
	base64_put(t, span_of(s->name, s->name_len));
	if (s->flags & TUS_OVERWRITE)
		text_str(t, ",overwrite MQ==");
	if (s->flags & TUS_SHA256) {
		text_str(t, ",sha256 ");
		base64_put(t, text_span(&h));
	}
	text_str(t, "\r\n");
}

int
tus_head(struct conn *c)
{
	struct tus t = {.folder = 0};
	struct ipc_stat m = {.by = BY_NAME, .partial = 1};
	struct ipc_entry e;
	uint64_t offset, file = 0;
	int rc = check_version(c);

	if (rc == SP_OK)
		rc = address_get(c, &t);
	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	m.id = t.folder;
	m.path = span_of(t.name, t.name_len);
	m.tag = t.tag;
	rc = ring_stat(c->ring, &m, &e);
	offset = rc == SP_OK && e.version == 0 ? e.size : t.length;
	if (rc == SP_OK && e.version != 0)
		rc = became(c, &t, &e, &file);
	if (rc < 0)
		return rc;
	reply_begin(c, 200);
	reply_field(c, "Upload-Offset", "%llu", (unsigned long long)offset);
	reply_field(c, "Upload-Length", "%llu", (unsigned long long)t.length);
	put_metadata(reply_text(c), &t);
	if (file != 0)
		reply_field(c, "Sallyport-File", "%llu", (unsigned long long)file);
	else
		put_expiry(c);
	return reply_send(c);
}

int
tus_delete(struct conn *c)
{
	struct tus t = {.folder = 0};
	DEFER(upload_done) struct tus_upload u = {.c = c, .tus = &t, .placed = {.fd = -1}};
	int rc = check_version(c);

	if (rc == SP_OK)
		rc = address_get(c, &t);
	if (rc == SP_OK)
		rc = resume(&u);
	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	drop(&u);
	reply_begin(c, 204);
	return reply_send(c);
}

int
tus_options(struct conn *c)
{
	c->is_tus = true;
	reply_begin(c, 204);
	reply_field(c, "Allow", "POST, OPTIONS");
	reply_field(c, "Tus-Version", "1.0.0");
	reply_field(c, "Tus-Extension", TUS_EXTENSIONS);
	reply_field(c, "Tus-Checksum-Algorithm", "sha256");
	reply_field(c, "Tus-Max-Size", "%llu", (unsigned long long)c->conf->body_max);
	return reply_send(c);
}
