/* field.c - parameters, media types, ranges and digests in field values. */
#include "proto/http/field.h"

/* End of a quoted string that begins at s[0] == '"': length with both quotes, 0 when it never ends.
 */
static size_t
quoted_len(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len &&
		    (s.ptr[i + 1] == '"' || s.ptr[i + 1] == '\\'))
			i++;
		else if (s.ptr[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Take `name=value` off *s, which begins behind a semicolon. 0: an empty parameter. */
static int
take_param(struct span *s, struct span *ret_name, struct span *ret_value)
{
	struct span p = span_trim(*s);
	size_t n = 0, len;

	if (p.len == 0 || p.ptr[0] == ';') {
		*s = p;
		return 0;
	}
	while (n < p.len && p.ptr[n] != '=' && p.ptr[n] != ';')
		n++;
	if (n == p.len || p.ptr[n] != '=')
		return SP_ESYNTAX;
	*ret_name = span_trim(span_cut(p, n));
	p = span_skip(p, n + 1);
	while (p.len != 0 && (p.ptr[0] == ' ' || p.ptr[0] == '\t'))
		p = span_skip(p, 1);
	len = p.len != 0 && p.ptr[0] == '"' ? quoted_len(p) : span_find(p, ';');
	if (!http_is_token(*ret_name) || (len == 0 && p.len != 0 && p.ptr[0] == '"'))
		return SP_ESYNTAX;
	*ret_value = span_trim(span_cut(p, len));
	*s = span_trim(span_skip(p, len));
	return s->len == 0 || s->ptr[0] == ';' ? 1 : SP_ESYNTAX;
}

int
http_param(struct span value, const char *name, struct span *ret)
{
	struct span s = span_skip(value, span_find(value, ';'));
	struct span found = span_of(NULL, 0);
	int n = 0;

	while (s.len != 0) {
		struct span key, v;
		int rc;

		s = span_skip(s, 1);
		rc = take_param(&s, &key, &v);
		if (rc < 0)
			return rc;
		if (rc == 1 && span_ieq_str(key, name)) {
			if (n++ != 0)
				return SP_ESYNTAX;
			found = v;
		}
	}
	if (n == 1)
		*ret = found;
	return n;
}

int
http_unquote(struct span raw, uint8_t *out, size_t cap)
{
	size_t n = 0;

	if (raw.len == 0 || raw.ptr[0] != '"') {
		if (raw.len > cap)
			return SP_ESPACE;
		if (raw.len != 0)
			memcpy(out, raw.ptr, raw.len);
		return (int)raw.len;
	}
	if (quoted_len(raw) != raw.len)
		return SP_ESYNTAX;
	for (size_t i = 1; i + 1 < raw.len; i++) {
		if (raw.ptr[i] == '\\' && i + 2 < raw.len &&
		    (raw.ptr[i + 1] == '"' || raw.ptr[i + 1] == '\\'))
			i++;
		if (n == cap)
			return SP_ESPACE;
		out[n++] = raw.ptr[i];
	}
	return (int)n;
}

bool
http_media_is(struct span value, const char *type)
{
	return span_ieq_str(span_trim(span_cut(value, span_find(value, ';'))), type);
}

/* One range-spec against a size: 1 satisfiable, 0 not, SP_ESYNTAX. */
static int
range_spec(struct span s, uint64_t size, struct http_range *ret)
{
	size_t dash = span_find(s, '-');
	struct span a = span_cut(s, dash), b = span_skip(s, dash + 1);
	uint64_t first = 0, last = 0;

	if (dash == s.len || (a.len == 0 && b.len == 0))
		return SP_ESYNTAX;
	/* RFC 9110 writes these as 1*DIGIT: leading zeros are nothing that we need to take */
	if (a.len != 0 && parse_u64(a, INT64_MAX, &first) < 0)
		return SP_ESYNTAX;
	if (b.len != 0 && parse_u64(b, UINT64_MAX, &last) < 0)
		return SP_ESYNTAX;
	if (a.len == 0) {
		if (last == 0 || size == 0)
			return 0;
		*ret = (struct http_range){last >= size ? 0 : size - last, size - 1};
		return 1;
	}
	if (b.len != 0 && last < first)
		return SP_ESYNTAX;
	if (first >= size)
		return 0;
	*ret = (struct http_range){first, b.len == 0 || last >= size ? size - 1 : last};
	return 1;
}

/* Merge ranges that overlap or touch into the one that was asked for first. */
static size_t
ranges_merge(struct http_range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			if (r[k].first > r[i].last + 1 || r[i].first > r[k].last + 1)
				continue;
			if (r[k].first < r[i].first)
				r[i].first = r[k].first;
			if (r[k].last > r[i].last)
				r[i].last = r[k].last;
			for (size_t m = k + 1; m < n; m++)
				r[m - 1] = r[m];
			n--;
			k = i; /* what was apart before may touch now */
		}
	}
	return n;
}

int
http_ranges(struct span value, uint64_t size, struct http_range ret[HTTP_RANGES_MAX], size_t *ret_n)
{
	struct http_range all[HTTP_RANGES_MAX] = {0};
	size_t n = 0, asked = 0;
	struct span s;

	if (value.len < 6 || !span_ieq_str(span_cut(value, 6), "bytes="))
		return SP_ESYNTAX;
	s = span_skip(value, 6);
	for (bool more = true; more;) {
		size_t len = span_find(s, ',');
		struct span spec = span_trim(span_cut(s, len));
		struct http_range r;
		int rc;

		more = len < s.len;
		s = span_skip(s, len + 1);
		if (spec.len == 0)
			continue;
		rc = range_spec(spec, size, &r);
		if (rc < 0)
			return rc;
		if (++asked > HTTP_RANGES_MAX)
			return SP_ENORANGE;
		if (rc == 1)
			all[n++] = r;
	}
	if (asked == 0)
		return SP_ESYNTAX;
	if (n == 0)
		return SP_ENORANGE;
	*ret_n = ranges_merge(all, n);
	memcpy(ret, all, sizeof(all));
	return SP_OK;
}

/* A dictionary member `key`, `key=value`, with parameters behind it (RFC 8941 section 3.2). */
static int
dict_member(struct span m, struct span *ret_key, struct span *ret_value)
{
	size_t n = 0;

	while (n < m.len && m.ptr[n] != '=' && m.ptr[n] != ';')
		n++;
	*ret_key = span_cut(m, n);
	if (n == 0)
		return SP_ESYNTAX;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = m.ptr[i];
		bool begin = (c >= 'a' && c <= 'z') || c == '*';
		bool rest = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';

		if (!begin && (i == 0 || !rest))
			return SP_ESYNTAX;
	}
	*ret_value = m.len > n && m.ptr[n] == '=' ? span_skip(m, n + 1) : span_of(NULL, 0);
	*ret_value = span_trim(span_cut(*ret_value, span_find(*ret_value, ';')));
	return SP_OK;
}

int
http_sha256_field(const struct http_head *h, const char *field, uint8_t ret[32])
{
	struct http_list at = {0};
	struct span m, key, v;
	int found = 0;

	while (http_list_next(h, field, &at, &m)) {
		uint8_t hash[33];
		size_t len;

		if (dict_member(m, &key, &v) < 0)
			return SP_ESYNTAX;
		if (!span_eq_str(key, "sha-256"))
			continue;
		if (v.len < 2 || v.ptr[0] != ':' || v.ptr[v.len - 1] != ':')
			return SP_ESYNTAX;
		v = span_cut(span_skip(v, 1), v.len - 2);
		if (base64_get(v, hash, sizeof(hash), &len) < 0 || len != 32)
			return SP_ESYNTAX;
		memcpy(ret, hash, 32);
		found = 1;
	}
	return found;
}

bool
http_wants_sha256(const struct http_head *h, const char *field)
{
	struct http_list at = {0};
	struct span m, key, v;
	bool any = false, wants = false;

	while (http_list_next(h, field, &at, &m)) {
		uint64_t weight;

		any = true;
		if (dict_member(m, &key, &v) == SP_OK && span_eq_str(key, "sha-256"))
			wants = parse_u64(v, 10, &weight) == SP_OK && weight > 0;
	}
	return !any || wants;
}

void
http_sha256_put(struct text *t, const uint8_t sha256[32])
{
	text_str(t, "sha-256=:");
	base64_put(t, span_of(sha256, 32));
	text_chr(t, ':');
}

/* attr-char of RFC 8187 section 3.2.1. */
static bool
is_attr_char(uint8_t c)
{
	static const char other[] = "!#$&+-.^_`|~";

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != 0 && memchr(other, c, sizeof(other) - 1) != NULL;
}

void
http_disposition_put(struct text *t, struct span name)
{
	static const char digits[] = "0123456789ABCDEF";
	bool plain = true;

	text_str(t, "attachment; filename=\"");
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '%') {
			plain = false;
			if ((c & 0xc0) != 0x80) /* one mark for a whole character */
				text_chr(t, '_');
		} else {
			text_chr(t, (char)c);
		}
	}
	text_chr(t, '"');
	if (plain)
		return;
	text_str(t, "; filename*=UTF-8''");
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (is_attr_char(c)) {
			text_chr(t, (char)c);
			continue;
		}
		text_chr(t, '%');
		text_chr(t, digits[c >> 4]);
		text_chr(t, digits[c & 15]);
	}
}
