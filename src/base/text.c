/* text.c - bounded text: building, numbers, hex, base64, UTF-8. */
#include "base/text.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

struct text
text_of(char *buf, size_t cap)
{
	PRECOND(cap != 0);
	buf[0] = '\0';
	return (struct text){buf, cap, 0, false};
}

void
text_add(struct text *t, struct span s)
{
	if (t->bad || s.len >= t->cap - t->len) {
		t->bad = true;
		return;
	}
	if (s.len != 0)
		memcpy(t->buf + t->len, s.ptr, s.len);
	t->len += s.len;
	t->buf[t->len] = '\0';
}

void
text_str(struct text *t, const char *s)
{
	text_add(t, span_str(s));
}

void
text_chr(struct text *t, char c)
{
	text_add(t, span_of(&c, 1));
}

void
text_u64(struct text *t, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[sizeof digits - ++n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	text_add(t, span_of(digits + sizeof digits - n, n));
}

void
text_fmt(struct text *t, const char *fmt, ...)
{
	size_t room = t->cap - t->len;
	va_list ap;
	int n;

	if (t->bad)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		t->buf[t->len] = '\0';
		t->bad = true;
		return;
	}
	t->len += (size_t)n;
}

void
text_hex(struct text *t, struct span s)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < s.len; i++) {
		char pair[2] = {digit[s.ptr[i] >> 4], digit[s.ptr[i] & 15]};

		text_add(t, span_of(pair, 2));
	}
}

int
parse_u64(struct span s, uint64_t max, uint64_t *ret_v)
{
	uint64_t v = 0;

	if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0'))
		return SP_ESYNTAX;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return SP_ESYNTAX;
	for (size_t i = 0; i < s.len; i++)
		if (!mul_ok(v, 10, &v) || !add_ok(v, (uint64_t)(s.ptr[i] - '0'), &v))
			return SP_ERANGE;
	if (v > max)
		return SP_ERANGE;
	*ret_v = v;
	return SP_OK;
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
parse_hex(struct span s, uint8_t *out, size_t out_len)
{
	if (s.len / 2 != out_len || s.len % 2 != 0)
		return SP_ESYNTAX;
	for (size_t i = 0; i < s.len; i++)
		if (hex_value(s.ptr[i]) < 0)
			return SP_ESYNTAX;
	for (size_t i = 0; i < out_len; i++)
		out[i] = (uint8_t)(hex_value(s.ptr[2 * i]) << 4 | hex_value(s.ptr[2 * i + 1]));
	return SP_OK;
}

/* ---- base64 ---- */

static const char b64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
b64_put(struct text *t, struct span s, const char *alphabet, bool pad)
{
	for (; s.len != 0; s = span_skip(s, 3)) {
		uint32_t v = (uint32_t)s.ptr[0] << 16 | (s.len > 1 ? (uint32_t)s.ptr[1] << 8 : 0) |
			     (s.len > 2 ? s.ptr[2] : 0);
		char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
		    s.len > 1 ? alphabet[v >> 6 & 63] : '=', s.len > 2 ? alphabet[v & 63] : '='};
		size_t n = s.len > 2 ? 4 : s.len + 1;

		text_add(t, span_of(four, pad ? 4 : n));
	}
}

void
base64_put(struct text *t, struct span s)
{
	b64_put(t, s, b64_alphabet, true);
}

void
base64url_put(struct text *t, struct span s)
{
	b64_put(t, s, b64url_alphabet, false);
}

/* One digit's value, or -1.  Strict: only the 64 of the alphabet. */
static int
b64_value(uint8_t c, const char *alphabet)
{
	const char *p = c != 0 ? strchr(alphabet, c) : NULL;

	return p != NULL ? (int)(p - alphabet) : -1;
}

/* s has no padding any more.  Unused low bits of the last digit must be zero: one value, one text.
 */
static int
b64_get(struct span s, const char *alphabet, uint8_t *out, size_t cap, size_t *ret_len)
{
	size_t tail = s.len % 4, n = s.len / 4 * 3 + (tail != 0 ? tail - 1 : 0), at = 0;
	uint32_t acc = 0;
	unsigned bits = 0;

	if (tail == 1)
		return SP_ESYNTAX;
	if (n > cap)
		return SP_ESPACE;
	for (size_t i = 0; i < s.len; i++) {
		int v = b64_value(s.ptr[i], alphabet);

		if (v < 0)
			return SP_ESYNTAX;
		acc = (acc << 6 | (uint32_t)v) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[at++] = (uint8_t)(acc >> bits);
		}
	}
	if ((acc & ((1u << bits) - 1)) != 0)
		return SP_ESYNTAX;
	VERIFY(at == n);
	*ret_len = n;
	return SP_OK;
}

int
base64_get(struct span s, uint8_t *out, size_t cap, size_t *ret_len)
{
	if (s.len % 4 != 0)
		return SP_ESYNTAX;
	if (s.len != 0 && s.ptr[s.len - 1] == '=')
		s.len -= s.ptr[s.len - 2] == '=' ? 2 : 1;
	return b64_get(s, b64_alphabet, out, cap, ret_len);
}

int
base64url_get(struct span s, uint8_t *out, size_t cap, size_t *ret_len)
{
	return b64_get(s, b64url_alphabet, out, cap, ret_len);
}

/* ---- UTF-8 ---- */

/* Length of the sequence that a lead byte begins, and the least value such a sequence may have. */
static size_t
utf8_lead(uint8_t c, uint32_t *ret_least)
{
	if (c < 0x80) {
		*ret_least = 0;
		return 1;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*ret_least = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*ret_least = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c < 0xf5) {
		*ret_least = 0x10000;
		return 4;
	}
	return 0;
}

size_t
utf8_next(struct span s, uint32_t *ret_cp)
{
	uint32_t least = 0, cp;
	size_t n = s.len != 0 ? utf8_lead(s.ptr[0], &least) : 0;

	if (n == 0 || n > s.len)
		return 0;
	cp = n == 1 ? s.ptr[0] : s.ptr[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s.ptr[i] & 0x3f);
	}
	if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_cp = cp;
	return n;
}

bool
utf8_valid(struct span s)
{
	uint32_t cp;

	while (s.len != 0) {
		size_t n = utf8_next(s, &cp);

		if (n == 0)
			return false;
		s = span_skip(s, n);
	}
	return true;
}
