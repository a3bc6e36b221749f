#include "store/tlog_json.h"

#include "base/text.h"

#define DEPTH_MAX 16u

static struct span
skip_space(struct span s)
{
	while (s.len != 0 &&
	       (s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == '\n' || s.ptr[0] == '\r'))
		s = span_skip(s, 1);
	return s;
}

/* Bytes of the string at the beginning of s, quotes included; 0 when it does not end. */
static size_t
string_len(struct span s)
{
	if (s.len == 0 || s.ptr[0] != '"')
		return 0;
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Bytes of an object or array, brackets inside strings not counted. */
static size_t
nested_len(struct span s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c == '"') {
			size_t n = string_len(span_skip(s, i));

			if (n == 0)
				return 0;
			i += n - 1;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return 0;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

static size_t
value_len(struct span s)
{
	size_t n = 0;

	if (s.len == 0)
		return 0;
	if (s.ptr[0] == '"')
		return string_len(s);
	if (s.ptr[0] == '{' || s.ptr[0] == '[')
		return nested_len(s);
	while (n < s.len && memchr(",}] \t\r\n\"{[:", s.ptr[n], 12) == NULL)
		n++;
	return n;
}

int
tlog_json_next(struct span *rest, struct span *ret_key, struct span *ret_value)
{
	struct span s = skip_space(*rest), key, value;
	size_t n;

	if (s.len == 0 || (s.ptr[0] != '{' && s.ptr[0] != ',' && s.ptr[0] != '}'))
		return SP_ESYNTAX;
	if (s.ptr[0] == '}')
		return skip_space(span_skip(s, 1)).len == 0 ? 0 : SP_ESYNTAX;
	bool opened = s.ptr[0] == '{';

	s = skip_space(span_skip(s, 1));
	if (opened && s.len != 0 && s.ptr[0] == '}')
		return skip_space(span_skip(s, 1)).len == 0 ? 0 : SP_ESYNTAX;
	n = string_len(s);
	if (n == 0)
		return SP_ESYNTAX;
	key = span_cut(span_skip(s, 1), n - 2);
	s = skip_space(span_skip(s, n));
	if (s.len == 0 || s.ptr[0] != ':')
		return SP_ESYNTAX;
	s = skip_space(span_skip(s, 1));
	n = value_len(s);
	if (n == 0)
		return SP_ESYNTAX;
	value = span_cut(s, n);
	*rest = span_skip(s, n);
	*ret_key = key;
	*ret_value = value;
	return 1;
}

int
tlog_json_item(struct span *rest, struct span *ret_value)
{
	struct span s = skip_space(*rest);
	bool opened = s.len != 0 && s.ptr[0] == '[';
	size_t n;

	if (s.len == 0 || (s.ptr[0] != '[' && s.ptr[0] != ',' && s.ptr[0] != ']'))
		return SP_ESYNTAX;
	if (s.ptr[0] == ']')
		return skip_space(span_skip(s, 1)).len == 0 ? 0 : SP_ESYNTAX;
	s = skip_space(span_skip(s, 1));
	if (opened && s.len != 0 && s.ptr[0] == ']')
		return skip_space(span_skip(s, 1)).len == 0 ? 0 : SP_ESYNTAX;
	n = value_len(s);
	if (n == 0)
		return SP_ESYNTAX;
	*ret_value = span_cut(s, n);
	*rest = span_skip(s, n);
	return 1;
}

int
tlog_json_get(struct span object, const char *key, struct span *ret)
{
	struct span rest = skip_space(object), k, v;
	int more;

	if (rest.len == 0 || rest.ptr[0] != '{')
		return SP_ESYNTAX;
	while ((more = tlog_json_next(&rest, &k, &v)) == 1) {
		if (span_eq_str(k, key)) {
			*ret = v;
			return SP_OK;
		}
	}
	return more == 0 ? SP_ENOTFOUND : more;
}

static size_t
put_utf8(uint32_t cp, uint8_t out[4])
{
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (uint8_t)(0xc0 | cp >> 6);
		out[1] = (uint8_t)(0x80 | (cp & 63));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (uint8_t)(0xe0 | cp >> 12);
		out[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
		out[2] = (uint8_t)(0x80 | (cp & 63));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | cp >> 18);
	out[1] = (uint8_t)(0x80 | (cp >> 12 & 63));
	out[2] = (uint8_t)(0x80 | (cp >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (cp & 63));
	return 4;
}

static int
hex4(struct span s, uint32_t *ret)
{
	uint8_t b[2];

	if (s.len < 4 || parse_hex(span_cut(s, 4), b, 2) != SP_OK)
		return SP_ESYNTAX;
	*ret = (uint32_t)b[0] << 8 | b[1];
	return SP_OK;
}

/* The escape at the beginning of s (behind the backslash); *ret_used bytes of it. */
static int
take_escape(struct span s, uint32_t *ret_cp, size_t *ret_used)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = s.len != 0 && s.ptr[0] != 0 ? strchr(from, s.ptr[0]) : NULL;
	uint32_t low = 0;

	*ret_used = 1;
	if (p != NULL) {
		*ret_cp = (uint8_t)to[p - from];
		return SP_OK;
	}
	if (s.len == 0 || s.ptr[0] != 'u' || hex4(span_skip(s, 1), ret_cp) != SP_OK)
		return SP_ESYNTAX;
	*ret_used = 5;
	if (*ret_cp < 0xd800 || *ret_cp > 0xdfff)
		return SP_OK;
	s = span_skip(s, 5);
	if (*ret_cp < 0xdc00 && s.len >= 6 && s.ptr[0] == '\\' && s.ptr[1] == 'u' &&
	    hex4(span_skip(s, 2), &low) == SP_OK && low >= 0xdc00 && low <= 0xdfff) {
		*ret_cp = 0x10000 + ((*ret_cp - 0xd800) << 10 | (low - 0xdc00));
		*ret_used = 11;
	} else {
		*ret_cp = 0xfffd;
	}
	return SP_OK;
}

int
tlog_json_str(struct span value, char *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;

	if (value.len < 2 || string_len(value) != value.len || cap == 0)
		return SP_ESYNTAX;
	value = span_cut(span_skip(value, 1), value.len - 2);
	while (value.len != 0) {
		uint8_t out[4] = {value.ptr[0]};
		size_t n = 1, used = 1;

		if (value.ptr[0] == '\\') {
			uint32_t cp = 0;
			int err = take_escape(span_skip(value, 1), &cp, &used);

			if (err != SP_OK)
				return err;
			used++;
			n = put_utf8(cp, out);
		}
		if (n >= cap - len)
			return SP_ESPACE;
		memcpy(buf + len, out, n);
		len += n;
		value = span_skip(value, used);
	}
	buf[len] = '\0';
	*ret_len = len;
	return SP_OK;
}

int
tlog_json_u64(struct span value, uint64_t *ret)
{
	return parse_u64(value, UINT64_MAX, ret);
}

void
tlog_json_text(struct span object, const char *key, char *buf, size_t cap)
{
	struct span v;
	size_t n = 0;

	if (tlog_json_get(object, key, &v) != SP_OK || tlog_json_str(v, buf, cap, &n) != SP_OK)
		buf[0] = '\0';
}
