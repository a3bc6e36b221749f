/* get.c - GET and HEAD of a file: conditions, ranges, fields; content comes from source.c. */
#include "rooms/gate/https/get.h"

#include "rooms/gate/https/source.h"
#include "sys/clock.h"

#define BOUNDARY_BYTES 16u

void
facts_of(const struct ipc_entry_rec *e, struct facts *ret)
{
	struct text t = text_of(ret->tag, sizeof(ret->tag));

	ret->id = e->id;
	ret->version = e->version;
	ret->size = e->size;
	ret->modified_us = (int64_t)e->modified_us;
	ret->is_folder = e->kind == 0;
	ret->has_sha256 = e->has_sha256 != 0;
	memcpy(ret->sha256, e->sha256.b, sizeof(ret->sha256));
	ret->name_len = e->name.len < sizeof(ret->name) ? e->name.len : sizeof(ret->name) - 1;
	memcpy(ret->name, e->name.ptr, ret->name_len);
	ret->name[ret->name_len] = '\0';
	text_fmt(&t, "%llu-%llu", (unsigned long long)e->id, (unsigned long long)e->version);
}

int
facts_stat(struct conn *c, const struct ipc_stat *m, struct facts *ret)
{
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	int rc = ring_stat(c->ring, m, &e);

	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	facts_of(&rec, ret);
	return SP_OK;
}

static struct http_now
now_of(const struct facts *f, bool reading)
{
	struct http_now now = {
	    .now_s = clock_wall_us() / 1000000, .reading = reading, .tag = span_of(NULL, 0)};

	if (f != NULL) {
		now.exists = true;
		now.tag = span_str(f->tag);
		now.modified_s = f->modified_us / 1000000;
	}
	return now;
}

int
facts_conditions(struct conn *c, const struct facts *f, bool reading)
{
	struct http_now now = now_of(f, reading);
	enum http_cond cond;

	if (http_conditions(&c->head, &now, &cond) < 0)
		return SP_ESYNTAX;
	return cond == HTTP_COND_FAILED ? SP_EPRECOND : cond == HTTP_COND_NOT_MODIFIED ? 1 : SP_OK;
}

/* Validators, which 304 carries too. */
static void
put_validators(struct conn *c, const struct facts *f)
{
	reply_field(c, "ETag", "\"%s\"", f->tag);
	text_str(reply_text(c), "Last-Modified: ");
	time_http(reply_text(c), f->modified_us);
	text_str(reply_text(c), "\r\n");
}

static void
put_facts(struct conn *c, const struct facts *f)
{
	put_validators(c, f);
	reply_field(c, "Accept-Ranges", "bytes");
	text_str(reply_text(c), "Content-Disposition: ");
	http_disposition_put(reply_text(c), span_of(f->name, f->name_len));
	text_str(reply_text(c), "\r\n");
	if (f->has_sha256 && http_wants_sha256(&c->head, "Want-Repr-Digest")) {
		text_str(reply_text(c), "Repr-Digest: ");
		http_sha256_put(reply_text(c), f->sha256);
		text_str(reply_text(c), "\r\n");
	}
}

static int
send_not_modified(struct conn *c, const struct facts *f)
{
	reply_begin(c, 304);
	put_validators(c, f);
	return reply_send(c);
}

static int
send_no_range(struct conn *c, const struct facts *f)
{
	char value[48];
	struct text t = text_of(value, sizeof(value));

	text_fmt(&t, "bytes */%llu", (unsigned long long)f->size);
	return reply_problem_with(c, SP_ENORANGE, NULL, "Content-Range", value);
}

static void
put_content_range(struct text *t, const struct http_range *r, uint64_t size)
{
	text_fmt(t, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)r->first,
	    (unsigned long long)r->last, (unsigned long long)size);
}

static int
send_one_range(struct conn *c, struct source *s, const struct facts *f, const struct http_range *r)
{
	reply_begin(c, 206);
	reply_field(c, "Content-Type", "application/octet-stream");
	put_facts(c, f);
	put_content_range(reply_text(c), r, f->size);
	return source_reply(s, r->first, r->last - r->first + 1);
}

static void
part_head(struct text *t, const char *boundary, const struct http_range *r, uint64_t size)
{
	text_fmt(t, "\r\n--%s\r\nContent-Type: application/octet-stream\r\n", boundary);
	put_content_range(t, r, size);
	text_str(t, "\r\n");
}

/* multipart/byteranges, RFC 9110 section 14.6. */
static int
send_ranges(
    struct conn *c, struct source *s, const struct facts *f, const struct http_range *r, size_t n)
{
	char boundary[2 * BOUNDARY_BYTES + 1], head[256], end[BOUNDARY_BYTES * 2 + 16];
	struct text b = text_of(boundary, sizeof(boundary)), e = text_of(end, sizeof(end)), h;
	uint8_t random[BOUNDARY_BYTES];
	uint64_t length;
	int rc = crypto_random(random, sizeof(random));

	if (rc < 0)
		return rc;
	text_hex(&b, span_of(random, sizeof(random)));
	text_fmt(&e, "\r\n--%s--\r\n", boundary);
	length = e.len;
	for (size_t i = 0; i < n; i++) {
		h = text_of(head, sizeof(head));
		part_head(&h, boundary, &r[i], f->size);
		length += h.len + (r[i].last - r[i].first + 1);
	}
	reply_begin(c, 206);
	reply_field(c, "Content-Type", "multipart/byteranges; boundary=%s", boundary);
	put_facts(c, f);
	rc = reply_send_head(c, length);
	for (size_t i = 0; rc == SP_OK && i < n; i++) {
		h = text_of(head, sizeof(head));
		part_head(&h, boundary, &r[i], f->size);
		rc = conn_write(c, text_span(&h));
		if (rc == SP_OK)
			rc = source_write(s, r[i].first, r[i].last - r[i].first + 1);
	}
	return rc == SP_OK ? conn_write(c, text_span(&e)) : rc;
}

static int
send_whole(struct conn *c, struct source *s, const struct facts *f)
{
	reply_begin(c, 200);
	reply_field(c, "Content-Type", "application/octet-stream");
	put_facts(c, f);
	return source_reply(s, 0, f->size);
}

static int
send_head_only(struct conn *c, const struct facts *f)
{
	reply_begin(c, 200);
	reply_field(c, "Content-Type", "application/octet-stream");
	put_facts(c, f);
	return reply_send_head(c, f->size);
}

/* The ranges of a GET, n 0: the whole.  1: 416 was sent. */
static int
ranges_of(
    struct conn *c, const struct facts *f, struct http_range r[HTTP_RANGES_MAX], size_t *ret_n)
{
	struct http_now now = now_of(f, true);
	struct span v;
	int rc = http_single(&c->head, "Range", &v);

	*ret_n = 0;
	if (rc != 1 || c->head_method || !http_if_range(&c->head, &now))
		return SP_OK;
	rc = http_ranges(v, f->size, r, ret_n);
	if (rc == SP_ENORANGE) {
		rc = send_no_range(c, f);
		return rc < 0 ? rc : 1;
	}
	return SP_OK; /* not understood: ignored */
}

/* Everything that can be said without the content: 1 when the reply is sent. */
static int
send_without_content(struct conn *c, const struct ipc_stat *target, struct facts *f,
    struct http_range r[HTTP_RANGES_MAX], size_t *ret_n)
{
	int rc = facts_stat(c, target, f);

	if (rc < 0)
		return rc;
	if (f->is_folder)
		return SP_EISFOLDER;
	rc = facts_conditions(c, f, true);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		rc = send_not_modified(c, f);
		return rc < 0 ? rc : 1;
	}
	rc = ranges_of(c, f, r, ret_n);
	if (rc == SP_OK && c->head_method) {
		rc = send_head_only(c, f);
		return rc < 0 ? rc : 1;
	}
	return rc;
}

/* Does the answer depend on what the file is now? Then ask before a key is released. */
static bool
asks_first(const struct conn *c)
{
	static const char *const names[] = {
	    "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range"};
	struct span v;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (http_single(&c->head, names[i], &v) != 0)
			return true;
	return c->head_method;
}

int
file_send(struct conn *c, const struct ipc_stat *target)
{
	struct ipc_open m = {.by = target->by, .id = target->id, .path = target->path};
	DEFER(source_done) struct source s = {.opened = {.fd = -1}};
	struct http_range r[HTTP_RANGES_MAX];
	struct facts f;
	size_t n = 0;
	int rc;

	if (asks_first(c)) {
		rc = send_without_content(c, target, &f, r, &n);
		if (rc != 0)
			return rc < 0 ? rc : SP_OK;
		m.version = f.version;
		m.offset = n != 0 ? r[0].first : 0;
	}
	rc = source_open(c, &m, &s);
	if (rc < 0)
		return rc;
	if (!asks_first(c))
		facts_of(&s.opened.entry, &f);
	else if (s.opened.entry.version != f.version)
		return SP_EPRECOND; /* replaced in between */
	if (n > 1)
		return send_ranges(c, &s, &f, r, n);
	return n == 1 ? send_one_range(c, &s, &f, &r[0]) : send_whole(c, &s, &f);
}
