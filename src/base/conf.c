/* conf.c - sallyport.conf: one table, one loop. */
#include "base/conf.h"
#include "base/err.h"
#include "base/prefix.h"
#include "base/text.h"

#include <arpa/inet.h>

/* min and max of an ADDR row are 0, of an ENUM row the first and last index. */
static const struct conf_row rows[] = {
#define CONF(Keyword, field, TYPE, min, max, dflt, reload, text)                                   \
	{#Keyword, dflt, text, CONF_##TYPE, min, max, reload, offsetof(struct conf, field)},
#include "base/conf.def"
#undef CONF
};
#define ROWS ARRAY_LEN(rows)
static const struct conf_table table = {rows, ROWS, sizeof(struct conf)};

const struct conf_row *
conf_rows(size_t *ret_n)
{
	*ret_n = ROWS;
	return rows;
}

const struct conf_table *
conf_table(void)
{
	return &table;
}

static int64_t *
number_at(void *c, const struct conf_row *r)
{
	return (int64_t *)(void *)((uint8_t *)c + r->offset);
}

static int64_t
number_in(const void *c, const struct conf_row *r)
{
	return *(const int64_t *)(const void *)((const uint8_t *)c + r->offset);
}

static bool
is_text(const struct conf_row *r)
{
	return r->type == CONF_STR || r->type == CONF_ADDR || r->type == CONF_NETS;
}

/* Bytes of a text field, its NUL included. */
static size_t
text_cap(const struct conf_row *r)
{
	return r->type == CONF_ADDR ? 64 : (size_t)r->max + 1;
}

/* ---- values ---- */

struct unit {
	char letter;
	int64_t factor;
};
static const struct unit size_units[] = {{'P', INT64_C(1) << 50}, {'T', INT64_C(1) << 40},
    {'G', INT64_C(1) << 30}, {'M', INT64_C(1) << 20}, {'K', INT64_C(1) << 10}};
static const struct unit time_units[] = {
    {'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

static const struct unit *
units_of(enum conf_type type, size_t *ret_n)
{
	*ret_n = type == CONF_SIZE ? ARRAY_LEN(size_units) : ARRAY_LEN(time_units);
	return type == CONF_SIZE ? size_units : time_units;
}

/* A number with at most one unit letter, exactly as in the table. */
static int
parse_units(struct span s, enum conf_type type, int64_t *ret)
{
	size_t n;
	const struct unit *u = units_of(type, &n);
	uint64_t v, factor = 1;
	int rc;

	for (size_t i = 0; i < n && s.len != 0 && factor == 1; i++)
		if (s.ptr[s.len - 1] == (uint8_t)u[i].letter) {
			factor = (uint64_t)u[i].factor;
			s.len--;
			break;
		}
	rc = parse_u64(s, INT64_MAX, &v);
	if (rc < 0)
		return rc;
	if (!mul_ok(v, factor, &v) || v > INT64_MAX)
		return SP_ERANGE;
	*ret = (int64_t)v;
	return SP_OK;
}

int
conf_size(struct span s, int64_t *ret)
{
	return parse_units(s, CONF_SIZE, ret);
}

int
conf_time(struct span s, int64_t *ret)
{
	return parse_units(s, CONF_TIME, ret);
}

/* ENUM: the words between the braces of the text.  Calls for word i: empty at the end. */
static struct span
enum_word(const struct conf_row *r, int64_t i)
{
	struct span s = span_skip(span_str(r->text), 1), word;

	s = span_cut(s, span_find(s, '}'));
	for (;; i--) {
		word = span_cut(s, span_find(s, ' '));
		if (i <= 0 || word.len == 0)
			return word;
		s = span_skip(s, word.len + 1);
	}
}

static int
parse_number(struct span s, const struct conf_row *r, int64_t *ret)
{
	uint64_t v = 0;
	int rc;

	switch (r->type) {
	case CONF_SIZE:
	case CONF_TIME:
		return parse_units(s, r->type, ret);
	case CONF_BOOL:
		*ret = span_eq_str(s, "yes");
		return *ret || span_eq_str(s, "no") ? SP_OK : SP_ESYNTAX;
	case CONF_ENUM:
		for (int64_t i = 0; i <= r->max; i++)
			if (s.len != 0 && span_eq(s, enum_word(r, i))) {
				*ret = i;
				return SP_OK;
			}
		return SP_ESYNTAX;
	default:
		rc = parse_u64(s, INT64_MAX, &v);
		*ret = (int64_t)v;
		return rc;
	}
}

/* ADDRESS:PORT or [V6]:PORT, numeric, port 1 to 65535. */
static int
check_addr(struct span s)
{
	char host[INET6_ADDRSTRLEN];
	uint8_t raw[16];
	struct span h;
	uint64_t port;
	bool v6 = s.len != 0 && s.ptr[0] == '[';
	size_t at = span_find(s, v6 ? ']' : ':');

	h = v6 ? span_skip(span_cut(s, at), 1) : span_cut(s, at);
	s = span_skip(s, at + (v6 ? 1 : 0));
	if (h.len == 0 || h.len >= sizeof host || memchr(h.ptr, 0, h.len) != NULL)
		return SP_ESYNTAX;
	if (s.len == 0 || s.ptr[0] != ':')
		return SP_ESYNTAX;
	memcpy(host, h.ptr, h.len);
	host[h.len] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host, raw) != 1)
		return SP_ESYNTAX;
	if (parse_u64(span_skip(s, 1), 65535, &port) < 0 || port == 0)
		return SP_ERANGE;
	return SP_OK;
}

static int
check_networks(struct span s)
{
	struct prefix_list l;

	return prefix_list_parse(s, &l);
}

static void
why_row(char *why, size_t cap, size_t line, const struct conf_row *r, const char *fmt_tail)
{
	struct text t = text_of(why, cap);

	if (line != 0)
		text_fmt(&t, "line %zu: ", line);
	text_fmt(&t, "%s: %s", r->keyword, fmt_tail);
}

static int
set_text(
    struct span v, const struct conf_row *r, void *c, size_t line, char *why, size_t cap)
{
	char tail[96];

	if (r->type == CONF_ADDR && !(r->max == 1 && span_eq_str(v, "none")) &&
	    (v.len >= text_cap(r) || check_addr(v) < 0)) {
		why_row(why, cap, line, r, "this is not ADDRESS:PORT with a numeric address");
		return SP_ECONFIG;
	}
	if (r->type == CONF_NETS && check_networks(v) < 0) {
		why_row(why, cap, line, r,
		    "these are not networks (192.0.2.0/24, 2001:db8::/32) with no bit set beyond "
		    "them, "
		    "64 at most, or the word none");
		return SP_ECONFIG;
	}
	if (r->type != CONF_ADDR && (v.len < (size_t)r->min || v.len > (size_t)r->max)) {
		struct text t = text_of(tail, sizeof tail);

		text_fmt(&t, "%zu bytes is not between %lld and %lld", v.len, (long long)r->min,
		    (long long)r->max);
		why_row(why, cap, line, r, tail);
		return SP_ECONFIG;
	}
	memset((uint8_t *)c + r->offset, 0, text_cap(r));
	memcpy((uint8_t *)c + r->offset, v.ptr, v.len);
	return SP_OK;
}

static const char *
syntax_hint(enum conf_type type)
{
	switch (type) {
	case CONF_SIZE:
		return "this is not a number of bytes (with K, M, G, T or P)";
	case CONF_TIME:
		return "this is not a time (a number with s, m, h, d or w)";
	case CONF_BOOL:
		return "this is neither yes nor no";
	case CONF_ENUM:
		return "this is not one of its words";
	default:
		return "this is not a number";
	}
}

static int
set_value(
    struct span v, const struct conf_row *r, void *c, size_t line, char *why, size_t cap)
{
	int64_t n = 0;
	int rc;

	if (is_text(r))
		return set_text(v, r, c, line, why, cap);
	rc = parse_number(v, r, &n);
	if (rc == SP_ESYNTAX) {
		why_row(why, cap, line, r, syntax_hint(r->type));
		return SP_ECONFIG;
	}
	if (r->type != CONF_BOOL && (rc < 0 || n < r->min || n > r->max)) {
		char tail[96];
		struct text t = text_of(tail, sizeof tail);
		bool under = rc == SP_OK && n < r->min;

		text_fmt(&t, "%.*s is %s %lld", v.len < 40 ? (int)v.len : 40, (const char *)v.ptr,
		    under ? "under" : "over", (long long)(under ? r->min : r->max));
		why_row(why, cap, line, r, tail);
		return SP_ECONFIG;
	}
	*number_at(c, r) = n;
	return SP_OK;
}

void
conf_table_defaults(const struct conf_table *t, void *c)
{
	char why[128];

	memset(c, 0, t->bytes);
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_row *r = &t->rows[i];

		VERIFY(set_value(span_str(r->dflt), r, c, 0, why, sizeof why) == SP_OK);
	}
}

void
conf_defaults(struct conf *c)
{
	conf_table_defaults(&table, c);
}

/* ---- lines ---- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The line without its comment: '#' at its start or after white space, outside quotes. */
static struct span
strip_comment(struct span line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '"')
			quoted = !quoted;
		else if (line.ptr[i] == '#' && !quoted && (i == 0 || is_blank(line.ptr[i - 1])))
			return span_cut(line, i);
	}
	return line;
}

/* "..." around a whole value is taken off; a quote anywhere else is an error. */
static int
unquote(struct span *v)
{
	if (v->len >= 2 && v->ptr[0] == '"' && v->ptr[v->len - 1] == '"')
		*v = span_of(v->ptr + 1, v->len - 2);
	return span_find(*v, '"') == v->len ? SP_OK : SP_ESYNTAX;
}

static int
why_line(char *why, size_t cap, size_t line, const char *what)
{
	struct text t = text_of(why, cap);

	text_fmt(&t, "line %zu: %s", line, what);
	return SP_ECONFIG;
}

static const struct conf_row *
find_row(const struct conf_table *t, struct span keyword)
{
	for (size_t i = 0; i < t->n; i++)
		if (span_ieq_str(keyword, t->rows[i].keyword))
			return &t->rows[i];
	return NULL;
}

static bool
plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
			return false;
	return utf8_valid(s);
}

/* struct parsing - a table, what is filled, which rows were seen, and where to say what is wrong. */
struct parsing {
	const struct conf_table *t;
	void *c;
	bool seen[CONF_ROWS_MAX];
	char *why;
	size_t cap;
};

static int
parse_line(struct span s, size_t line, struct parsing *p)
{
	char *why = p->why;
	size_t cap = p->cap;
	const struct conf_row *r;
	struct span key;
	size_t n = 0;

	if (!plain(s))
		return why_line(why, cap, line, "a control character, or not UTF-8");
	s = span_trim(strip_comment(s));
	if (s.len == 0)
		return SP_OK;
	while (n < s.len && !is_blank(s.ptr[n]))
		n++;
	key = span_cut(s, n);
	s = span_trim(span_skip(s, n));
	r = find_row(p->t, key);
	if (r == NULL) {
		struct text t = text_of(why, cap);

		text_fmt(&t, "line %zu: %.*s: there is no such setting", line,
		    key.len < 64 ? (int)key.len : 64, (const char *)key.ptr);
		return SP_ECONFIG;
	}
	if (p->seen[r - p->t->rows]) {
		why_row(why, cap, line, r, "this is set twice");
		return SP_ECONFIG;
	}
	p->seen[r - p->t->rows] = true;
	if (s.len == 0 || unquote(&s) < 0) {
		why_row(why, cap, line, r, s.len == 0 ? "a value is missing" : "a stray quote");
		return SP_ECONFIG;
	}
	return set_value(s, r, p->c, line, why, cap);
}

int
conf_table_parse(const struct conf_table *t, struct span file, void *c, char *why, size_t cap)
{
	struct parsing p = {.t = t, .c = c, .why = why, .cap = cap};

	PRECOND(t->n <= CONF_ROWS_MAX);
	conf_table_defaults(t, c);
	for (size_t line = 1; file.len != 0; line++) {
		size_t n = span_find(file, '\n');
		struct span s = span_cut(file, n);
		int rc;

		if (s.len != 0 && s.ptr[s.len - 1] == '\r')
			s.len--;
		rc = parse_line(s, line, &p);
		if (rc < 0)
			return rc;
		file = span_skip(file, n + 1);
	}
	return SP_OK;
}

int
conf_parse(struct span file, struct conf *ret, char *why, size_t cap)
{
	struct conf c;
	int rc = conf_table_parse(&table, file, &c, why, cap);

	if (rc == SP_OK)
		*ret = c;
	return rc;
}

void
conf_take_reloadable(struct conf *c, const struct conf *from)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].reload)
			memcpy((uint8_t *)c + rows[i].offset,
			    (const uint8_t *)from + rows[i].offset,
			    is_text(&rows[i]) ? text_cap(&rows[i]) : sizeof(int64_t));
}

bool
conf_has_word(const char *list, const char *word)
{
	struct span s = span_trim(span_str(list));

	while (s.len != 0) {
		struct span w = span_cut(s, span_find(s, ' '));

		if (span_eq_str(w, word))
			return true;
		s = span_trim(span_skip(s, w.len));
	}
	return false;
}

/* ---- printing ---- */

static void
print_units(struct text *t, int64_t v, enum conf_type type)
{
	size_t n;
	const struct unit *u = units_of(type, &n);

	for (size_t i = 0; i < n; i++)
		if (v != 0 && v % u[i].factor == 0) {
			text_fmt(t, "%lld%c", (long long)(v / u[i].factor), u[i].letter);
			return;
		}
	text_fmt(t, "%lld", (long long)v);
}

static void
print_text(struct text *t, const char *v)
{
	bool quote = v[0] == '\0' || strpbrk(v, " \t#") != NULL;

	text_fmt(t, quote ? "\"%s\"" : "%s", v);
}

void
conf_print(const struct conf *c, size_t i, char *buf, size_t cap)
{
	conf_table_print(&table, c, i, buf, cap);
}

void
conf_table_print(const struct conf_table *table_of, const void *c, size_t i, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	const struct conf_row *r = &table_of->rows[i];

	PRECOND(i < table_of->n);
	text_fmt(&t, "%s ", r->keyword);
	if (is_text(r))
		print_text(&t, (const char *)c + r->offset);
	else if (r->type == CONF_SIZE || r->type == CONF_TIME)
		print_units(&t, number_in(c, r), r->type);
	else if (r->type == CONF_BOOL)
		text_str(&t, number_in(c, r) ? "yes" : "no");
	else if (r->type == CONF_ENUM)
		text_add(&t, enum_word(r, number_in(c, r)));
	else
		text_fmt(&t, "%lld", (long long)number_in(c, r));
}
