/* tus_said.c - see tus_said.h. */
#include "rooms/gate/https/tus_said.h"

#include "crypto/crypto.h"
#include "sys/clock.h"

#define RAW_MAX (3u * 8 + TUS_METADATA_MAX)

int
tus_number(const struct conn *c, const char *name, uint64_t *ret)
{
	struct span v = span_of(NULL, 0);
	int rc = http_single(&c->head, name, &v);

	return rc == 1 ? parse_u64(v, INT64_MAX, ret) : rc < 0 ? rc : SP_ESYNTAX;
}

/* Keys that nobody knows here are no error: clients say filetype, relativePath and the like. */
static int
take_pair(struct tus_said *s, struct span key, struct span value)
{
	if (span_eq_str(key, "folder"))
		return parse_u64(value, INT64_MAX, &s->folder);
	if (span_eq_str(key, "overwrite")) {
		s->overwrite = span_eq_str(value, "1") || span_eq_str(value, "true");
		return SP_OK;
	}
	if (span_eq_str(key, "sha256")) {
		s->has_sha256 = true;
		return parse_hex(value, s->sha256, sizeof(s->sha256));
	}
	if (!span_eq_str(key, "filename"))
		return SP_OK;
	if (value.len == 0 || value.len > sizeof(s->name) || !utf8_valid(value))
		return SP_ENAME;
	memcpy(s->name, value.ptr, value.len);
	s->name_len = value.len;
	return SP_OK;
}

/* "key base64, key base64, key": the protocol, section Upload-Metadata. */
static int
take_metadata(struct tus_said *s)
{
	struct span all = span_of(s->metadata, s->metadata_len);
	uint8_t value[TUS_METADATA_MAX];

	while (all.len != 0) {
		struct span pair = span_trim(span_cut(all, span_find(all, ',')));
		size_t key = span_find(pair, ' '), n = 0;
		int rc;

		all = span_skip(all, span_find(all, ','));
		all = span_skip(all, all.len != 0 ? 1 : 0);
		if (pair.len == 0 || (key < pair.len && base64_get(span_trim(span_skip(pair, key)),
							    value, sizeof(value), &n) != SP_OK))
			return SP_ESYNTAX;
		rc = take_pair(s, span_cut(pair, key), span_of(value, n));
		if (rc < 0)
			return rc;
	}
	return s->folder != 0 && s->name_len != 0 ? SP_OK : SP_ESYNTAX;
}

int
tus_said_new(const struct conn *c, struct tus_said *ret, const char **ret_why)
{
	struct span v = span_of(NULL, 0);
	int rc = tus_number(c, "Upload-Length", &ret->length);

	*ret_why = "Upload-Length is needed, a number; Upload-Defer-Length is not supported";
	if (rc < 0)
		return SP_ESYNTAX;
	*ret_why = NULL;
	if (ret->length > (uint64_t)c->conf->body_max)
		return SP_ETOOBIG;
	*ret_why = "Upload-Metadata must have folder (a number) and filename, in Base64; sha256 is "
		   "hexadecimal in Base64";
	if (http_single(&c->head, "Upload-Metadata", &v) != 1)
		return SP_ESYNTAX;
	if (v.len > sizeof(ret->metadata)) {
		*ret_why = "Upload-Metadata is longer than 2048 bytes";
		return SP_ETOOBIG;
	}
	memcpy(ret->metadata, v.ptr, v.len);
	ret->metadata_len = v.len;
	rc = take_metadata(ret);
	if (rc == SP_OK)
		rc = crypto_random(&ret->tag, sizeof(ret->tag));
	ret->tag = (ret->tag & INT64_MAX) | 1;
	ret->created_us = (uint64_t)clock_wall_us();
	return rc == SP_ERANGE ? SP_ESYNTAX : rc;
}

void
tus_said_put(struct text *t, const struct tus_said *s)
{
	uint8_t raw[RAW_MAX];
	struct wr w = wr_of(raw, sizeof(raw));

	wr_uint(&w, s->tag, 8);
	wr_uint(&w, s->created_us, 8);
	wr_uint(&w, s->length, 8);
	wr_bytes(&w, span_of(s->metadata, s->metadata_len));
	VERIFY(!w.bad);
	text_str(t, "/api/v1/tus/");
	base64url_put(t, wr_span(&w));
}

int
tus_said_get(const struct conn *c, struct tus_said *ret)
{
	uint8_t raw[RAW_MAX];
	struct rd r;
	size_t n;

	if (base64url_get(c->param[0], raw, sizeof(raw), &n) != SP_OK)
		return SP_ENOTFOUND;
	r = rd_of(span_of(raw, n));
	ret->tag = rd_uint(&r, 8);
	ret->created_us = rd_uint(&r, 8);
	ret->length = rd_uint(&r, 8);
	if (r.bad || ret->tag == 0 || ret->tag > INT64_MAX || ret->created_us > INT64_MAX ||
	    ret->length > INT64_MAX)
		return SP_ENOTFOUND;
	ret->metadata_len = r.left;
	memcpy(ret->metadata, r.ptr, r.left);
	for (size_t i = 0; i < ret->metadata_len; i++)
		if (ret->metadata[i] < 0x20 || ret->metadata[i] > 0x7e) /* it goes into a field */
			return SP_ENOTFOUND;
	return take_metadata(ret) == SP_OK ? SP_OK : SP_ENOTFOUND;
}
