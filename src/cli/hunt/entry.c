#include "cli/hunt/entry.h"

#include <arpa/inet.h>

#include "store/tlog_json.h"

#define US_PER_S 1000000

static const struct {
	const char *name;
	size_t len;
} kinds[KIND_COUNT] = {
#define KIND(NAME, name) [KIND_##NAME] = {name, sizeof(name) - 1},
#include "cli/hunt/kinds.def"
#undef KIND
};

static enum hunt_kind
kind_of(struct span name)
{
	for (int k = KIND_OTHER + 1; k < KIND_COUNT; k++)
		if (kinds[k].len == name.len && memcmp(kinds[k].name, name.ptr, name.len) == 0)
			return (enum hunt_kind)k;
	return KIND_OTHER;
}

/* ---- time ---- */

static bool
digits(const uint8_t *p, size_t n, int64_t *ret)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*ret = v;
	return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int
hunt_time_read(struct span s, int64_t *ret_us)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	const uint8_t *p = s.ptr;
	int64_t year, month, day, hour, minute, second, us = 0;

	if ((s.len != 20 && s.len != 27) || p[s.len - 1] != 'Z')
		return SP_ESYNTAX;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] != 'd' && p[i] != (uint8_t)form[i])
			return SP_ESYNTAX;
	if (!digits(p, 4, &year) || !digits(p + 5, 2, &month) || !digits(p + 8, 2, &day) ||
	    !digits(p + 11, 2, &hour) || !digits(p + 14, 2, &minute) || !digits(p + 17, 2, &second))
		return SP_ESYNTAX;
	if (s.len == 27 && (p[19] != '.' || !digits(p + 20, 6, &us)))
		return SP_ESYNTAX;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
	    minute > 59 || second > 60)
		return SP_ERANGE;
	*ret_us =
	    (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * US_PER_S + us;
	return SP_OK;
}

/* ---- addresses ---- */

/* Without port, brackets and the length of a prefix. */
static struct span
bare_address(struct span s)
{
	size_t first;

	s = span_cut(s, span_find(s, '/'));
	first = span_find(s, ':');
	if (s.len != 0 && s.ptr[0] == '[') {
		s = span_skip(s, 1);
		return span_cut(s, span_find(s, ']'));
	}
	/* one colon is before a port; several are an IPv6 address */
	return span_find(span_skip(s, first + 1), ':') == span_skip(s, first + 1).len
		   ? span_cut(s, first)
		   : s;
}

int
hunt_ip_read(struct span s, uint8_t ret[16], bool *ret_v4)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	char buf[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	s = bare_address(s);
	if (s.len == 0 || s.len >= sizeof(buf) || memchr(s.ptr, 0, s.len) != NULL)
		return SP_ESYNTAX;
	memcpy(buf, s.ptr, s.len);
	buf[s.len] = '\0';
	if (inet_pton(AF_INET, buf, ip + 12) == 1)
		memcpy(ip, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, buf, ip) != 1)
		return SP_ESYNTAX;
	memcpy(ret, ip, sizeof(ip));
	*ret_v4 = memcmp(ip, mapped, sizeof(mapped)) == 0;
	return SP_OK;
}

struct span
hunt_address(const struct hunt_entry *e)
{
	return bare_address(e->addr.len != 0 ? e->addr : hunt_detail(e, "address"));
}

static void
take_address(struct hunt_entry *e)
{
	struct span s = hunt_address(e);
	uint64_t v = 0;

	e->network = 0;
	if (s.len == 0 || hunt_ip_read(s, e->ip, &e->is_v4) != SP_OK)
		return;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (e->is_v4 ? (i < 3 ? e->ip[12 + i] : 0xff) : e->ip[i]);
	v *= UINT64_C(0x9e3779b97f4a7c15);
	v ^= v >> 29;
	e->network = (uint32_t)(v >> 32) != 0 ? (uint32_t)(v >> 32) : 1;
}

/* ---- JSON ---- */

struct cursor {
	uint8_t *p, *end;
};

static bool
take_char(struct cursor *c, uint8_t want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

/* The bytes of a string with escapes, resolved where it stands: it only gets shorter. */
static int
unescape(uint8_t *from, size_t len, struct span *ret)
{
	char buf[1024];
	uint8_t *out = from + 1;
	size_t at = 1;

	while (at < len - 1) {
		/* one piece at a time through the scanner of stored entries: a whole escape (a pair
		 * of surrogates is 12 bytes) or what is in front of the next one */
		size_t n = 1, used = 0;
		struct span s = span_of(from + at, len - 1 - at);
		char piece[16];

		if (s.ptr[0] != '\\') {
			n = span_find(s, '\\');
			memmove(out, s.ptr, n);
			out += n;
			at += n;
			continue;
		}
		n = s.len > 1 && s.ptr[1] == 'u' ? 6 : 2;
		if (n == 6 && s.len >= 12 && s.ptr[6] == '\\' && s.ptr[7] == 'u' &&
		    (s.ptr[2] | 0x20) == 'd' && strchr("89abAB", s.ptr[3]) != NULL &&
		    (s.ptr[8] | 0x20) == 'd' && s.ptr[9] != 0 &&
		    strchr("cdefCDEF", s.ptr[9]) != NULL)
			n = 12;
		if (n > s.len)
			return SP_ESYNTAX;
		piece[0] = piece[n + 1] = '"';
		memcpy(piece + 1, s.ptr, n);
		if (tlog_json_str(span_of(piece, n + 2), buf, sizeof(buf), &used) != SP_OK ||
		    used > n)
			return SP_ESYNTAX;
		memcpy(out, buf, used);
		out += used;
		at += n;
	}
	*ret = span_of(from + 1, (size_t)(out - from - 1));
	return SP_OK;
}

static int
take_string(struct cursor *c, struct span *ret)
{
	uint8_t *from = c->p, *p;
	bool escaped = false;

	if (!take_char(c, '"'))
		return SP_ESYNTAX;
	for (p = c->p; p < c->end && *p != '"'; p++) {
		if (*p < 0x20)
			return SP_ESYNTAX;
		if (*p == '\\') {
			escaped = true;
			p++;
		}
	}
	if (p >= c->end)
		return SP_ESYNTAX;
	c->p = p + 1;
	*ret = span_of(from + 1, (size_t)(p - from - 1));
	return escaped ? unescape(from, (size_t)(p + 1 - from), ret) : SP_OK;
}

static int
take_number(struct cursor *c, uint64_t *ret)
{
	uint8_t *from = c->p;
	uint64_t v = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
		if (!mul_ok(v, 10, &v) || !add_ok(v, (uint64_t)(*c->p - '0'), &v))
			return SP_ERANGE;
	if (c->p == from || (from[0] == '0' && c->p - from > 1))
		return SP_ESYNTAX;
	*ret = v;
	return SP_OK;
}

static int
take_detail(struct cursor *c, struct hunt_entry *e)
{
	struct hunt_pair pair;
	int err;

	if (!take_char(c, '{'))
		return SP_ESYNTAX;
	if (take_char(c, '}'))
		return SP_OK;
	do {
		err = take_string(c, &pair.key);
		if (err == SP_OK && !take_char(c, ':'))
			err = SP_ESYNTAX;
		if (err == SP_OK)
			err = take_string(c, &pair.value);
		if (err != SP_OK)
			return err;
		if (e->n_pairs == HUNT_PAIRS_MAX)
			return SP_ERANGE;
		e->pair[e->n_pairs++] = pair;
	} while (take_char(c, ','));
	return take_char(c, '}') ? SP_OK : SP_ESYNTAX;
}

/* A member that this version does not know: a string, a number, a word. */
static int
pass_over(struct cursor *c)
{
	struct span s = span_of(c->p, (size_t)(c->end - c->p)), value;
	uint64_t v;

	if (s.len != 0 && s.ptr[0] == '"')
		return take_string(c, &value);
	if (s.len != 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9')
		return take_number(c, &v);
	for (size_t i = 0; i < 3; i++) {
		static const char *const words[] = {"true", "false", "null"};

		if (span_starts(s, span_str(words[i]))) {
			c->p += strlen(words[i]);
			return SP_OK;
		}
	}
	return SP_ESYNTAX;
}

struct member {
	const char *key;
	size_t len, at; /* offset in struct hunt_entry */
};
#define TEXT(name)                                                                                 \
	{                                                                                          \
#name, sizeof(#name) - 1, offsetof(struct hunt_entry, name)                        \
	}
static const struct member texts[] = {TEXT(event), TEXT(sev), TEXT(door), TEXT(listener),
    TEXT(addr), TEXT(user), TEXT(org), TEXT(path), TEXT(blob)};
static const struct member numbers[] = {
    TEXT(n), TEXT(serial), TEXT(file), TEXT(version), TEXT(size)};

static const struct member *
member_of(const struct member *table, size_t n, struct span key)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].len == key.len && memcmp(table[i].key, key.ptr, key.len) == 0)
			return &table[i];
	return NULL;
}

static int
take_member(struct cursor *c, struct span key, struct hunt_entry *e)
{
	const struct member *m = member_of(texts, ARRAY_LEN(texts), key);
	struct span s;
	int err;

	if (m != NULL) {
		err = take_string(c, &s);
		if (err == SP_OK)
			*(struct span *)(void *)((uint8_t *)e + m->at) = s;
		return err;
	}
	m = member_of(numbers, ARRAY_LEN(numbers), key);
	if (m != NULL) {
		e->has_size |= m->at == offsetof(struct hunt_entry, size);
		return take_number(c, (uint64_t *)(void *)((uint8_t *)e + m->at));
	}
	if (span_eq_str(key, "detail"))
		return take_detail(c, e);
	if (!span_eq_str(key, "t"))
		return pass_over(c);
	err = take_string(c, &s);
	return err == SP_OK ? hunt_time_read(s, &e->t_us) : err;
}

int
hunt_entry_read(uint8_t *json, size_t len, struct hunt_entry *ret)
{
	struct cursor c = {json, json + len};
	struct span none = span_of(NULL, 0), key;
	int err;

	/* not the pairs: they are 2 KiB, and n_pairs says what there is */
	ret->n = ret->serial = ret->file = ret->version = ret->size = 0;
	ret->has_size = false;
	ret->t_us = -1;
	ret->n_pairs = 0;
	ret->event = ret->sev = ret->door = ret->listener = none;
	ret->user = ret->org = ret->path = ret->blob = ret->addr = none;
	if (!take_char(&c, '{'))
		return SP_ESYNTAX;
	do {
		err = take_string(&c, &key);
		if (err == SP_OK && !take_char(&c, ':'))
			err = SP_ESYNTAX;
		if (err == SP_OK)
			err = take_member(&c, key, ret);
		if (err != SP_OK)
			return err;
	} while (take_char(&c, ','));
	if (!take_char(&c, '}') || c.p != c.end || ret->event.len == 0 || ret->t_us < 0)
		return SP_ESYNTAX;
	ret->kind = kind_of(ret->event);
	take_address(ret);
	return SP_OK;
}

struct span
hunt_detail(const struct hunt_entry *e, const char *key)
{
	for (unsigned i = 0; i < e->n_pairs; i++)
		if (span_eq_str(e->pair[i].key, key))
			return e->pair[i].value;
	return span_of(NULL, 0);
}

uint64_t
hunt_detail_u64(const struct hunt_entry *e, const char *key)
{
	uint64_t v = 0;

	return parse_u64(hunt_detail(e, key), UINT64_MAX, &v) == SP_OK ? v : 0;
}
