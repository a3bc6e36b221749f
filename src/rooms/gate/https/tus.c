/* tus.c - resumable uploads: tus 1.0 with creation, creation-with-upload, termination, checksum and
 * expiration.
 *
 * The broker keeps what was received, under a tag (PUT, RESUME).  An offset that a client is told
 * is durable.  A connection that leaves an upload unfinished ends, so that the next one can go on
 * with it.
 */
#include "rooms/gate/https/put.h"
#include "rooms/gate/https/router.h"
#include "rooms/gate/https/tus_said.h"
#include "sys/clock.h"
#include "sys/log.h"

#define TUS_EXTENSIONS "creation,creation-with-upload,termination,checksum,expiration"
#define TUS_PROGRESS_BYTES (64ull << 20) /* made durable at least this often */
#define TUS_WAIT_MS 5000 /* for the connection that had the upload before to be gone */
#define TUS_WAIT_STEP_MS 50

struct tus {
	struct conn *c;
	struct tus_said said;
	struct put put;
	uint64_t from;	    /* where this request began */
	uint64_t file;	    /* that it has become; 0: not yet */
	struct sha256 *sum; /* of this request's bytes; NULL: no Upload-Checksum */
	uint8_t want[32];   /* what that has to be */
};

static void
tus_done(struct tus *t)
{
	put_done(&t->put);
	sha256_free(t->sum);
	t->sum = NULL;
}

/* A refusal in a status of the protocol's own.  The upload that was opened for it is left to the
 * next connection. */
static int
refuse(struct tus *t, int status, int err, const char *detail)
{
	put_done(&t->put);
	reply_begin(t->c, status);
	json_close(problem_body(t->c, err, detail), '}');
	return reply_send(t->c);
}

/* The protocol's version, and what the address says.  1: refused, the reply is sent. */
static int
begin(struct tus *t, bool has_address)
{
	struct span v = span_of(NULL, 0);
	int rc;

	if (http_single(&t->c->head, "Tus-Resumable", &v) == 1 && span_eq_str(v, "1.0.0"))
		return has_address ? tus_said_get(t->c, &t->said) : SP_OK;
	rc = reply_problem_with(
	    t->c, SP_EPRECOND, "the field Tus-Resumable must be 1.0.0", "Tus-Version", "1.0.0");
	return rc < 0 ? rc : 1;
}

static bool
has_content(const struct conn *c)
{
	struct span v = span_of(NULL, 0);

	return http_single(&c->head, "Content-Type", &v) == 1 &&
	       http_media_is(v, "application/offset+octet-stream");
}

/* Where it is now, and until when that is kept; or what it has become. */
static int
answer(struct tus *t, uint64_t offset, int64_t touched_us)
{
	reply_field(t->c, "Upload-Offset", "%llu", (unsigned long long)offset);
	if (t->file != 0) {
		reply_field(t->c, "Sallyport-File", "%llu", (unsigned long long)t->file);
	} else if (touched_us != 0) {
		text_str(reply_text(t->c), "Upload-Expires: ");
		time_http(reply_text(t->c), touched_us + t->c->conf->upload_expiry * 1000000);
		text_str(reply_text(t->c), "\r\n");
	}
	return reply_send(t->c);
}

/* The content of this request has been taken. */
static int
taken(struct tus *t, int status)
{
	uint64_t at = t->file != 0 ? t->said.length : t->put.told;
	bool is_progress = status == 201 || at != t->from;

	put_done(&t->put); /* before the reply, which says whether the connection goes on */
	reply_begin(t->c, status);
	if (status == 201) {
		text_str(reply_text(t->c), "Location: ");
		tus_said_put(reply_text(t->c), &t->said);
		text_str(reply_text(t->c), "\r\n");
	}
	return answer(t, at, is_progress ? clock_wall_us() : 0);
}

/* ---- content ---- */

/* One piece of the body. */
static int
receive_piece(struct tus *t)
{
	size_t n = 0;
	uint8_t *room = put_room(&t->put, &n);
	int64_t got = room != NULL ? body_read(t->c, room, n) : SP_ETOOBIG;
	int rc = SP_OK;

	if (got <= 0)
		return (int)got;
	if ((uint64_t)got > t->said.length - t->put.at)
		return SP_ETOOBIG;
	if (t->sum != NULL)
		rc = sha256_add(t->sum, span_of(room, (size_t)got));
	if (rc == SP_OK)
		rc = put_fill(&t->put, (size_t)got);
	if (rc == SP_OK && t->sum == NULL && t->put.at - t->put.told >= TUS_PROGRESS_BYTES)
		rc = put_ack(&t->put);
	return rc;
}

/* The body.  What came before the client was lost counts, unless it has to match a checksum as a
 * whole. */
static int
receive(struct tus *t)
{
	int rc = body_wanted(t->c);

	while (rc == SP_OK && !t->c->body.ended)
		rc = receive_piece(t);
	if ((rc == SP_ECLOSED || rc == SP_ETIMEOUT) && t->sum == NULL && put_ack(&t->put) < 0)
		log_debug("what was received of an upload is lost");
	return rc;
}

/* All of it is there. */
static int
finish(struct tus *t)
{
	struct ipc_entry e;
	int rc;

	t->put.needs_hash = t->said.has_sha256;
	rc = put_finish(&t->put);
	if (rc == SP_OK && t->said.has_sha256 && memcmp(t->put.sha256, t->said.sha256, 32) != 0) {
		put_drop(&t->put); /* there is no telling which part of it is wrong */
		rc = SP_EDIGEST;
	}
	if (rc == SP_OK)
		rc = put_commit(&t->put, t->said.has_sha256, span_of(NULL, 0), &e);
	if (rc == SP_OK)
		t->file = e.id;
	return put_taken(t->c, rc);
}

static int
finish_or_ack(struct tus *t)
{
	return t->put.at == t->said.length ? finish(t) : put_ack(&t->put);
}

/* ---- POST ---- */

static struct ipc_put
place_of(const struct tus_said *s)
{
	return (struct ipc_put){.by = BY_FOLDER,
	    .id = s->folder,
	    .path = span_of(NULL, 0),
	    .name = span_of(s->name, s->name_len),
	    .size = s->length,
	    .mode = s->overwrite ? 0 : 1};
}

/* All of a small file has come with its creation: a row of the database, and no blob. */
static int
create_small(struct tus *t)
{
	struct ipc_put m = place_of(&t->said);
	int rc = put_init(&t->put, t->c, true);

	if (rc == SP_OK)
		rc = put_taken(t->c, put_place(&t->put, &m));
	if (rc == SP_OK)
		rc = put_body(&t->put);
	return rc == SP_OK ? finish(t) : rc;
}

static int
create_big(struct tus *t)
{
	struct ipc_put m = place_of(&t->said);
	int rc = put_init(&t->put, t->c, false);

	m.tag = t->said.tag;
	if (rc == SP_OK)
		rc = put_taken(t->c, put_place(&t->put, &m));
	if (rc != SP_OK || !has_content(t->c))
		return rc;
	rc = receive(t);
	return rc == SP_OK ? finish_or_ack(t) : rc;
}

/* Is the whole content in this request, and little? */
static bool
is_small(const struct tus *t)
{
	uint64_t n = 0;

	if (t->said.length == 0)
		return true;
	return t->said.length <= INLINE_MAX && has_content(t->c) && body_known(t->c, &n) &&
	       n == t->said.length;
}

int
tus_post(struct conn *c)
{
	DEFER(tus_done) struct tus t = {.c = c, .put = {.c = c, .placed = {.fd = -1}}};
	const char *why = NULL;
	struct span v;
	int rc = begin(&t, false);

	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	rc = tus_said_new(c, &t.said, &why);
	if (rc < 0)
		return why != NULL && (rc == SP_ESYNTAX || rc == SP_ETOOBIG)
			   ? reply_problem(c, rc, why)
			   : rc;
	if (http_single(&c->head, "Upload-Checksum", &v) != 0)
		return refuse(&t, 400, SP_ENOTIMPL, "Upload-Checksum goes with PATCH");
	rc = is_small(&t) ? create_small(&t) : create_big(&t);
	return rc < 0 ? rc : taken(&t, 201);
}

/* ---- PATCH ---- */

/* Upload-Checksum: what it has to be, and begin of ours.  1: refused, the reply is sent. */
static int
checksum(struct tus *t)
{
	struct span v = span_of(NULL, 0);
	size_t n = 0, space;
	int rc = http_single(&t->c->head, "Upload-Checksum", &v);

	if (rc != 1)
		return rc;
	space = span_find(v, ' ');
	if (!span_eq_str(span_cut(v, space), "sha256")) {
		rc = refuse(t, 400, SP_ENOTIMPL,
		    "the only Upload-Checksum that is computed here is sha256");
		return rc < 0 ? rc : 1;
	}
	if (base64_get(span_trim(span_skip(v, space)), t->want, sizeof(t->want), &n) != SP_OK ||
	    n != sizeof(t->want))
		return SP_ESYNTAX;
	t->sum = sha256_new();
	return t->sum != NULL ? sha256_reset(t->sum) : SP_ENOMEM;
}

/* Go on with it; the connection that had it before may take a moment to be gone. */
static int
resume(struct tus *t)
{
	const struct ipc_resume m = {.by = BY_NAME,
	    .id = t->said.folder,
	    .path = span_of(t->said.name, t->said.name_len),
	    .tag = t->said.tag};
	int64_t until = clock_mono_ms() + TUS_WAIT_MS;
	int rc;

	while ((rc = put_resume(&t->put, t->c, &m)) == SP_ECONFLICT && clock_mono_ms() < until)
		clock_sleep_ms(TUS_WAIT_STEP_MS);
	t->from = t->put.at;
	return rc;
}

static int
is_as_summed(struct tus *t)
{
	uint8_t got[32];
	int rc = t->sum != NULL ? sha256_get(t->sum, got) : SP_OK;

	if (rc < 0 || t->sum == NULL || memcmp(got, t->want, sizeof(got)) == 0)
		return rc;
	rc = refuse(
	    t, 460, SP_EDIGEST, "the content does not match Upload-Checksum; none of it was taken");
	return rc < 0 ? rc : 1;
}

int
tus_patch(struct conn *c)
{
	DEFER(tus_done) struct tus t = {.c = c, .put = {.c = c, .placed = {.fd = -1}}};
	uint64_t offset = 0;
	int rc = begin(&t, true);

	if (rc == SP_OK && !has_content(c))
		rc = SP_EMEDIATYPE;
	if (rc == SP_OK)
		rc = tus_number(c, "Upload-Offset", &offset);
	if (rc == SP_OK)
		rc = checksum(&t);
	if (rc == SP_OK)
		rc = resume(&t);
	if (rc == SP_OK && offset != t.from)
		return refuse(&t, 409, SP_EPRECOND,
		    "Upload-Offset is not where the upload is: ask with HEAD");
	if (rc == SP_OK)
		rc = receive(&t);
	if (rc == SP_OK)
		rc = is_as_summed(&t);
	if (rc == SP_OK)
		rc = finish_or_ack(&t);
	return rc < 0 ? rc : rc == SP_OK ? taken(&t, 204) : SP_OK;
}

/* ---- HEAD, DELETE, OPTIONS ---- */

/* Has it become the file that is there?  Only its owner asks, and only for what he stored since. */
static int
became(struct tus *t, const struct ipc_entry *e)
{
	const struct tus_said *s = &t->said;
	const struct ipc_self none = {0};
	uint64_t owner = e->owner;
	struct ipc_user me;
	int rc;

	if (e->kind != 1 || e->size != s->length || e->modified_us < s->created_us ||
	    (s->has_sha256 && e->has_sha256 && memcmp(e->sha256.b, s->sha256, 32) != 0))
		return SP_ENOTFOUND;
	t->file = e->id;
	rc = ring_self(t->c->ring, &none, &me);
	return rc < 0 ? rc : me.id == owner ? SP_OK : SP_ENOTFOUND;
}

int
tus_head(struct conn *c)
{
	struct tus t = {.c = c};
	struct ipc_stat m = {.by = BY_NAME, .partial = 1};
	struct ipc_entry e;
	uint64_t offset;
	int64_t touched_us;
	int rc = begin(&t, true);

	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	m.id = t.said.folder;
	m.path = span_of(t.said.name, t.said.name_len);
	m.tag = t.said.tag;
	rc = ring_stat(c->ring, &m, &e);
	if (rc < 0)
		return rc;
	offset = e.version == 0 ? e.size : t.said.length;
	touched_us = (int64_t)e.modified_us;
	if (e.version != 0)
		rc = became(&t, &e);
	if (rc < 0)
		return rc;
	reply_begin(c, 200);
	reply_field(c, "Upload-Length", "%llu", (unsigned long long)t.said.length);
	text_str(reply_text(c), "Upload-Metadata: ");
	text_add(reply_text(c), span_of(t.said.metadata, t.said.metadata_len));
	text_str(reply_text(c), "\r\n");
	return answer(&t, offset, touched_us);
}

int
tus_delete(struct conn *c)
{
	struct tus t = {.c = c};
	struct ipc_upload_drop m = {.by = BY_NAME};
	int64_t until = clock_mono_ms() + TUS_WAIT_MS;
	struct ipc_done done;
	int rc = begin(&t, true);

	if (rc != SP_OK)
		return rc < 0 ? rc : SP_OK;
	m.id = t.said.folder;
	m.path = span_of(t.said.name, t.said.name_len);
	m.tag = t.said.tag;
	while (
	    (rc = ring_upload_drop(c->ring, &m, &done)) == SP_ECONFLICT && clock_mono_ms() < until)
		clock_sleep_ms(TUS_WAIT_STEP_MS);
	if (rc < 0)
		return rc;
	reply_begin(c, 204);
	return reply_send(c);
}

int
tus_options(struct conn *c)
{
	reply_begin(c, 204);
	reply_field(c, "Allow", "POST, OPTIONS");
	reply_field(c, "Tus-Version", "1.0.0");
	reply_field(c, "Tus-Extension", TUS_EXTENSIONS);
	reply_field(c, "Tus-Checksum-Algorithm", "sha256");
	reply_field(c, "Tus-Max-Size", "%llu", (unsigned long long)c->conf->body_max);
	return reply_send(c);
}
