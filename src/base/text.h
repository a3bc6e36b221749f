/* text.h - bounded text: building, numbers, hex, base64, UTF-8, dates. */
#ifndef SP_BASE_TEXT_H
#define SP_BASE_TEXT_H

#include "base/defer.h"
#include "base/span.h"

/* struct text - a builder into a caller's buffer; always NUL-terminated; sticky `bad` when full. */
struct text {
	char *buf;
	size_t cap, len;
	bool bad;
};
struct text text_of(char *buf, size_t cap); /* cap at least 1 */
void text_add(struct text *t, struct span s);
void text_str(struct text *t, const char *s);
void text_chr(struct text *t, char c);
void text_u64(struct text *t, uint64_t v);
void text_fmt(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_hex(struct text *t, struct span s); /* lower case */
static inline struct span
text_span(const struct text *t)
{
	return span_of(t->buf, t->len);
}

/* JSON strings and values.  json_* write commas by themselves: call json_key or a value in turn.
 * Invalid UTF-8 in a string is written as U+FFFD, so the output is always valid JSON. */
struct json {
	struct text *t;
	bool comma;
};
struct json json_of(struct text *t);
void json_open(struct json *j, char c);	 /* '{' or '[' */
void json_close(struct json *j, char c); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, struct span s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_none(struct json *j); /* null; jansson has taken json_null */
void json_raw(struct json *j, struct span s); /* s is already JSON */
/* json_kstr and the like: key and value in one call. */
void json_kstr(struct json *j, const char *key, struct span s);
void json_ku64(struct json *j, const char *key, uint64_t v);
void json_ki64(struct json *j, const char *key, int64_t v);
void json_kbool(struct json *j, const char *key, bool v);

/* parse_u64 - decimal digits only, no sign, no leading zero except "0" itself, at most max.
 *   errors  SP_ESYNTAX, SP_ERANGE */
int parse_u64(struct span s, uint64_t max, uint64_t *ret_v) MUST_USE;
/* parse_hex - exactly out_len bytes from 2*out_len hex digits of either case. */
int parse_hex(struct span s, uint8_t *out, size_t out_len) MUST_USE;
/* base64_put - RFC 4648 section 4 with padding, appended to t. base64url_put - section 5, no padding. */
void base64_put(struct text *t, struct span s);
void base64url_put(struct text *t, struct span s);
/* base64_get, base64url_get - strict (canonical, no white space): at most cap bytes into out.
 *   returns SP_OK and the number of bytes in *ret_len; SP_ESYNTAX, SP_ESPACE */
int base64_get(struct span s, uint8_t *out, size_t cap, size_t *ret_len) MUST_USE;
int base64url_get(struct span s, uint8_t *out, size_t cap, size_t *ret_len) MUST_USE;

/* utf8_next - decode one code point: returns its bytes (1 to 4) and the value, or 0 when s does not
 * start with a valid sequence (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
size_t utf8_next(struct span s, uint32_t *ret_cp);
/* utf8_valid - is all of s valid UTF-8? */
bool utf8_valid(struct span s);

/* time_rfc3339 - "2026-11-23T21:09:41.123Z" of microseconds since 1970, appended to t.
 * time_plain   - "2026-11-23T21:09:41" (seconds, UTC, no zone: MOVEit's form).
 * time_http    - "Mon, 23 Nov 2026 21:09:41 GMT" (RFC 9110 section 5.6.7).
 * time_parse   - RFC 3339 with zone, or date only, or "N[smhdw]" ago relative to now_us. */
void time_rfc3339(struct text *t, int64_t us);
void time_plain(struct text *t, int64_t us);
void time_http(struct text *t, int64_t us);
int time_parse(struct span s, int64_t now_us, int64_t *ret_us) MUST_USE;

/* add_ok, mul_ok - unsigned sums and products that say when they overflow. */
static inline bool
add_ok(uint64_t a, uint64_t b, uint64_t *ret)
{
	return !__builtin_add_overflow(a, b, ret);
}
static inline bool
mul_ok(uint64_t a, uint64_t b, uint64_t *ret)
{
	return !__builtin_mul_overflow(a, b, ret);
}
#endif
