/* uri.c - percent-encoded paths, queries and urlencoded forms. */
#include "proto/http/uri.h"
#include "base/text.h"

/* One byte of s at *i, decoded; moves *i. SP_ESYNTAX for a percent sign that begins nothing. */
static int
decode_one(struct span s, size_t *i, uint8_t *ret, bool *ret_escaped)
{
	*ret = s.ptr[*i];
	*ret_escaped = false;
	if (*ret != '%') {
		(*i)++;
		return SP_OK;
	}
	if (s.len - *i < 3 || parse_hex(span_of(s.ptr + *i + 1, 2), ret, 1) < 0)
		return SP_ESYNTAX;
	*i += 3;
	*ret_escaped = true;
	return SP_OK;
}

int
http_path_decode(struct span s, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len;) {
		bool escaped;
		uint8_t c;

		if (decode_one(s, &i, &c, &escaped) < 0)
			return SP_ESYNTAX;
		if ((escaped && c == '/') || c < 0x20 || c == 0x7f)
			return SP_ENAME;
		if (n == cap)
			return SP_EDEPTH;
		out[n++] = c;
	}
	return utf8_valid(span_of(out, n)) ? (int)n : SP_ENAME;
}

void
http_path_encode(struct text *t, struct span path)
{
	static const char digits[] = "0123456789ABCDEF", other[] = "-._~/";

	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.ptr[i];
		bool alnum =
		    (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (alnum || (c != 0 && memchr(other, c, sizeof(other) - 1) != NULL)) {
			text_chr(t, (char)c);
			continue;
		}
		text_chr(t, '%');
		text_chr(t, digits[c >> 4]);
		text_chr(t, digits[c & 15]);
	}
}

bool
http_form_next(struct span *rest, struct span *ret_name, struct span *ret_value)
{
	while (rest->len != 0) {
		size_t n = span_find(*rest, '&');
		struct span pair = span_cut(*rest, n);
		size_t eq = span_find(pair, '=');

		*rest = span_skip(*rest, n + 1);
		if (pair.len == 0)
			continue;
		*ret_name = span_cut(pair, eq);
		*ret_value = span_skip(pair, eq + 1);
		return true;
	}
	return false;
}

int
http_form_decode(struct span s, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len;) {
		bool escaped;
		uint8_t c;

		if (decode_one(s, &i, &c, &escaped) < 0 || c == 0)
			return SP_ESYNTAX;
		if (!escaped && c == '+')
			c = ' ';
		if (n == cap)
			return SP_ETOOBIG;
		out[n++] = c;
	}
	return utf8_valid(span_of(out, n)) ? (int)n : SP_ESYNTAX;
}

int
http_form_get(struct span form, const char *name, uint8_t *out, size_t cap)
{
	struct span k, v, found = span_of(NULL, 0);
	int n = 0;

	while (http_form_next(&form, &k, &v)) {
		uint8_t key[64];
		int len = http_form_decode(k, key, sizeof(key));

		if (len < 0 || !span_ieq_str(span_of(key, (size_t)len), name))
			continue;
		if (n++ != 0)
			return SP_ESYNTAX;
		found = v;
	}
	return n == 0 ? HTTP_FORM_NONE : http_form_decode(found, out, cap);
}
