/* upload.c - POST /folders/{id}/files: one file in multipart/form-data, with its hash and a
 * comment. */
#include "crypto/digest.h"
#include "rooms/gate/https/get.h"
#include "rooms/gate/https/model.h"
#include "rooms/gate/https/put.h"
#include "rooms/gate/https/router.h"

#define WINDOW_BYTES 65536u /* of the body that the multipart parser sees */
#define EPILOGUE_MAX 65536u /* bytes behind the closing delimiter, which mean nothing */

enum part { PART_OTHER, PART_FILE, PART_HASH, PART_HASHTYPE, PART_COMMENTS };

struct upload {
	struct conn *c;
	struct put put;
	struct ipc_put request; /* folder and name */
	struct http_multipart parser;
	uint8_t *window; /* owned */
	size_t at, have;
	enum part part;
	bool has_file;
	uint8_t name[256];
	char hash[130], type[16], comments[1025];
	struct digest *
	    digest; /* of another kind than SHA-256, when the client asked for it before the file */
};

static void
upload_done(struct upload *u)
{
	put_done(&u->put);
	digest_free(u->digest);
	mem_freep(&u->window);
}

/* The last component of a filename: RFC 7578 section 4.2 lets clients send a whole path. */
static struct span
base_name(struct span s)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.ptr[i - 1] == '/' || s.ptr[i - 1] == '\\')
			return span_skip(s, i);
	return s;
}

/* The file's name as text: filename*=UTF-8''... when there is one, else filename. */
static int
part_filename(const struct http_part *p, uint8_t *out, size_t cap)
{
	struct span ext = p->filename_ext;
	int n;

	if (ext.len == 0) {
		n = http_unquote(p->filename, out, cap);
		return n == SP_ESPACE ? SP_ENAME : n;
	}
	if (ext.len < 7 || !span_ieq_str(span_cut(ext, 6), "utf-8'"))
		return SP_ENAME;
	ext = span_skip(ext, 6); /* a language may follow */
	ext = span_skip(ext, span_find(ext, '\'') + 1);
	n = http_path_decode(ext, out, cap);
	return n < 0 ? SP_ENAME : n;
}

static bool
is_sha256(struct span type)
{
	return type.len == 0 || span_ieq_str(type, "sha-256") || span_ieq_str(type, "sha256");
}

static int
file_part(struct upload *u, const struct http_part *p)
{
	uint8_t raw[1024];
	int n = part_filename(p, raw, sizeof(raw));
	struct span name;

	if (u->has_file)
		return SP_ESYNTAX; /* one file a request */
	if (n < 0)
		return n;
	name = base_name(span_of(raw, (size_t)n));
	if (name.len == 0 || name.len > 255 || !utf8_valid(name))
		return SP_ENAME;
	memcpy(u->name, name.ptr, name.len);
	u->request.name = span_of(u->name, name.len);
	u->has_file = true;
	u->part = PART_FILE;
	if (!is_sha256(span_trim(span_str(u->type)))) {
		int rc = digest_new(span_trim(span_str(u->type)), &u->digest);

		if (rc < 0 &&
		    rc !=
			SP_ENOTIMPL) /* an unknown kind is refused at the end, if there is a hash */
			return rc;
	}
	return u->put.small ? SP_OK : put_taken(u->c, put_place(&u->put, &u->request));
}

static int
begin_part(struct upload *u, const struct http_part *p)
{
	uint8_t name[32];
	struct span s;
	int n;

	u->part = PART_OTHER;
	if (p->has_filename)
		return file_part(u, p);
	n = http_unquote(p->name, name, sizeof(name));
	if (n < 0)
		return SP_OK; /* a longer name is none that we know */
	s = span_of(name, (size_t)n);
	if (span_ieq_str(s, "hash"))
		u->part = PART_HASH;
	else if (span_ieq_str(s, "hashtype"))
		u->part = PART_HASHTYPE;
	else if (span_ieq_str(s, "comments"))
		u->part = PART_COMMENTS;
	return SP_OK;
}

/* Append to a text field; SP_ETOOBIG when it is full, SP_ESYNTAX for a NUL. */
static int
text_part(char *buf, size_t cap, struct span s)
{
	size_t n = strlen(buf);

	if (span_find(s, 0) != s.len)
		return SP_ESYNTAX;
	if (s.len >= cap - n)
		return SP_ETOOBIG;
	memcpy(buf + n, s.ptr, s.len);
	buf[n + s.len] = '\0';
	return SP_OK;
}

static int
part_data(struct upload *u, struct span s)
{
	switch (u->part) {
	case PART_FILE:
		if (u->digest != NULL && digest_add(u->digest, s) < 0)
			return SP_ECRYPTO;
		return put_add(&u->put, s);
	case PART_HASH:
		return text_part(u->hash, sizeof(u->hash), s);
	case PART_HASHTYPE:
		return text_part(u->type, sizeof(u->type), s);
	case PART_COMMENTS:
		return text_part(u->comments, sizeof(u->comments), s);
	default:
		return SP_OK;
	}
}

/* More of the body into the window; SP_ESYNTAX when it ends before the closing delimiter. */
static int
more(struct upload *u)
{
	int64_t got;

	memmove(u->window, u->window + u->at, u->have - u->at);
	u->have -= u->at;
	u->at = 0;
	if (u->have == WINDOW_BYTES)
		return SP_EHDRLONG;
	got = body_read(u->c, u->window + u->have, WINDOW_BYTES - u->have);
	if (got <= 0)
		return got < 0 ? (int)got : SP_ESYNTAX;
	u->have += (size_t)got;
	return SP_OK;
}

/* What is behind the closing delimiter is read away: only then has the request arrived in full. */
static int
epilogue(struct upload *u)
{
	size_t n = 0;

	while (!u->c->body.ended) {
		int64_t got = body_read(u->c, u->window, WINDOW_BYTES);

		if (got < 0)
			return (int)got;
		n += (size_t)got;
		if (n > EPILOGUE_MAX)
			return SP_ETOOBIG;
	}
	return SP_OK;
}

static int
parse(struct upload *u)
{
	for (;;) {
		struct span in = span_of(u->window + u->at, u->have - u->at), data;
		struct http_part p;
		int rc = http_multipart_next(&u->parser, &in, &p, &data);

		u->at = u->have - in.len;
		switch (rc) {
		case HTTP_END:
			return epilogue(u);
		case HTTP_PART:
			rc = begin_part(u, &p);
			break;
		case HTTP_DATA:
			rc = part_data(u, data);
			break;
		case HTTP_MORE:
			rc = more(u);
			break;
		default:
			break;
		}
		if (rc < 0)
			return rc;
	}
}

/* 422 with the field that was wrong: UnprocessableEntityErrorModel. */
static int
refuse_field(struct conn *c, const char *field, const char *rejected, const char *message)
{
	struct json *j;

	reply_begin(c, 422);
	j = problem_body(c, SP_EDIGEST, message);
	json_key(j, "errors");
	json_open(j, '[');
	json_open(j, '{');
	json_kstr(j, "field", span_str(field));
	json_kstr(j, "rejected", span_str(rejected));
	json_kstr(j, "message", span_str(message));
	json_close(j, '}');
	json_close(j, ']');
	json_close(j, '}');
	return reply_send(c);
}

/* Our hash of the kind that the client named; false: it was not computed. */
static bool
our_hash(struct upload *u, uint8_t out[DIGEST_BYTES_MAX], size_t *ret_len)
{
	if (is_sha256(span_trim(span_str(u->type)))) {
		memcpy(out, u->put.sha256, SHA256_BYTES);
		*ret_len = SHA256_BYTES;
		return true;
	}
	return u->digest != NULL && digest_get(u->digest, out, ret_len) == SP_OK;
}

/* The client's hash against ours: 1 checked, 0 none was sent, 2 refused (replied), or an error. */
static int
check_hash(struct upload *u)
{
	struct span hex = span_trim(span_str(u->hash));
	uint8_t want[DIGEST_BYTES_MAX], have[DIGEST_BYTES_MAX];
	size_t len = 0;
	int rc;

	if (hex.len == 0)
		return 0;
	if (!our_hash(u, have, &len))
		rc = refuse_field(u->c, "hashtype", u->type,
		    "hashtype must be sha-1, sha-256, sha-384 or sha-512, and stand before the "
		    "file when it is not sha-256");
	else if (parse_hex(hex, want, len) < 0)
		rc = refuse_field(u->c, "hash", u->hash, "this is no such hash in hexadecimal");
	else if (memcmp(want, have, len) != 0)
		rc = refuse_field(u->c, "hash", u->hash,
		    "the hash does not match the content; nothing was stored");
	else
		return 1;
	return rc < 0 ? rc : 2;
}

static int
created(struct conn *c, const struct ipc_entry *e)
{
	struct ipc_entry_rec rec;

	ring_rec_of_entry(e, &rec);
	reply_begin(c, 201);
	reply_field(c, "Location", "/api/v1/files/%llu", (unsigned long long)e->id);
	model_file_details(reply_json(c), &rec);
	return reply_send(c);
}

static int
finish(struct upload *u)
{
	struct ipc_entry e;
	int rc = u->has_file ? SP_OK : SP_ESYNTAX, checked;

	if (rc < 0)
		return reply_problem(u->c, rc, "there is no part with a file");
	if (u->put.small) {
		u->request.size = u->put.plain_len;
		rc = put_taken(u->c, put_place(&u->put, &u->request));
	}
	if (rc == SP_OK)
		rc = put_finish(&u->put);
	if (rc < 0)
		return rc;
	checked = check_hash(u);
	if (checked < 0 || checked == 2)
		return checked < 0 ? checked : SP_OK;
	if (!utf8_valid(span_str(u->comments)))
		return SP_ESYNTAX;
	rc = put_taken(u->c, put_commit(&u->put, checked == 1, span_str(u->comments), &e));
	return rc < 0 ? rc : created(u->c, &e);
}

static int
begin(struct upload *u)
{
	struct conn *c = u->c;
	struct span type, raw;
	uint8_t boundary[HTTP_BOUNDARY_MAX];
	uint64_t length;
	bool known = body_known(c, &length);
	int rc = http_single(&c->head, "Content-Type", &type), n;

	if (rc != 1 || !http_media_is(type, "multipart/form-data"))
		return SP_EMEDIATYPE;
	if (http_param(type, "boundary", &raw) != 1)
		return SP_ESYNTAX;
	n = http_unquote(raw, boundary, sizeof(boundary));
	if (n < 0 || http_multipart_init(&u->parser, span_of(boundary, (size_t)n)) < 0)
		return SP_ESYNTAX;
	if (known && length > (uint64_t)c->conf->body_max + WINDOW_BYTES)
		return SP_ETOOBIG;
	u->window = mem_alloc(WINDOW_BYTES);
	if (u->window == NULL)
		return SP_ENOMEM;
	return put_init(&u->put, c, known && length <= INLINE_MAX);
}

/* May the caller write here at all? Asked before the client is told to send. */
static int
check_folder(struct conn *c, uint64_t id)
{
	struct ipc_stat m = {.by = BY_FOLDER, .id = id};
	struct ipc_entry e;
	int rc = ring_stat(c->ring, &m, &e);

	if (rc < 0)
		return rc;
	return (e.rights & RIGHT_WRITE) != 0 ? SP_OK : SP_EPERM;
}

int
folder_files_post(struct conn *c)
{
	DEFER(upload_done) struct upload u = {.c = c, .put = {.c = c, .placed = {.fd = -1}}};
	uint8_t kind[16];
	int n = query_str(c, "uploadType", kind, sizeof(kind)), rc;

	if (n > 0 && span_ieq_str(span_of(kind, (size_t)n), "resumable"))
		return SP_ENOTIMPL;
	u.request = (struct ipc_put){
	    .by = BY_FOLDER, .size = UINT64_MAX, .mode = 1, .path = span_of(NULL, 0)};
	rc = param_id(c, 0, &u.request.id);
	if (rc == SP_OK)
		rc = check_folder(c, u.request.id);
	if (rc == SP_OK)
		rc = begin(&u);
	if (rc == SP_OK)
		rc = body_wanted(c);
	if (rc == SP_OK)
		rc = parse(&u);
	return rc < 0 ? rc : finish(&u);
}
