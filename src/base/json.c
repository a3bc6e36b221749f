/* json.c - writing JSON (RFC 8259) into a bounded text. */
#include "base/text.h"

struct json
json_of(struct text *t)
{
	return (struct json){t, false};
}

static void
before(struct json *j)
{
	if (j->comma)
		text_chr(j->t, ',');
	j->comma = true;
}

void
json_open(struct json *j, char c)
{
	before(j);
	text_chr(j->t, c);
	j->comma = false;
}

void
json_close(struct json *j, char c)
{
	text_chr(j->t, c);
	j->comma = true;
}

/* One code point inside a string.  U+2028/2029 and DEL are escaped too: harmless, and safe in any
 * viewer. */
static void
put_cp(struct text *t, uint32_t cp, struct span raw)
{
	static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	for (size_t i = 0; i + 1 < sizeof named; i += 2)
		if (cp == (uint32_t)(uint8_t)named[i]) {
			char two[2] = {'\\', named[i + 1]};

			text_add(t, span_of(two, 2));
			return;
		}
	if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029)
		text_fmt(t, "\\u%04x", (unsigned)cp);
	else
		text_add(t, raw);
}

static void
put_string(struct text *t, struct span s)
{
	text_chr(t, '"');
	while (s.len != 0) {
		uint32_t cp = 0;
		size_t n = utf8_next(s, &cp);

		if (n == 0) {
			text_str(t, "\xef\xbf\xbd");
			n = 1;
		} else {
			put_cp(t, cp, span_cut(s, n));
		}
		s = span_skip(s, n);
	}
	text_chr(t, '"');
}

void
json_key(struct json *j, const char *key)
{
	before(j);
	put_string(j->t, span_str(key));
	text_chr(j->t, ':');
	j->comma = false;
}

void
json_str(struct json *j, struct span s)
{
	before(j);
	put_string(j->t, s);
}

void
json_u64(struct json *j, uint64_t v)
{
	before(j);
	text_u64(j->t, v);
}

void
json_i64(struct json *j, int64_t v)
{
	before(j);
	if (v < 0)
		text_chr(j->t, '-');
	text_u64(j->t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
json_bool(struct json *j, bool v)
{
	before(j);
	text_str(j->t, v ? "true" : "false");
}

void
json_none(struct json *j)
{
	before(j);
	text_str(j->t, "null");
}

void
json_raw(struct json *j, struct span s)
{
	before(j);
	text_add(j->t, s);
}

void
json_kstr(struct json *j, const char *key, struct span s)
{
	json_key(j, key);
	json_str(j, s);
}

void
json_ku64(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

void
json_ki64(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_i64(j, v);
}

void
json_kbool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
