/* ioc_stix.c - STIX 2.1: the indicators of a bundle, and patterns of the simple comparison form.
 *
 *   [ipv4-addr:value = '203.0.113.7' OR file:hashes.'SHA-256' = '...']   AND binds tighter than OR
 *
 * A pattern becomes a list of AND lists.  An AND list with something in it that a log of file
 * transfers cannot answer is refused as a whole: half of it would accuse the wrong ones.
 *   source  OASIS STIX 2.1 section 9 */
#include "cli/hunt/hunt.h"
#include "cli/hunt/ioc.h"
#include "store/tlog_json.h"

#define PATTERN_MAX (64u << 10) /* bytes of one pattern */
#define ATOMS_MAX 4096u		/* comparisons in one pattern */
#define LISTS_MAX 4096u		/* AND lists that it becomes */

#define NOT_COMPARABLE "nothing in the audit log can be compared with it"
#define NO_OPERATOR "only =, IN and ISSUBSET are compared"

struct list {
	uint16_t n;
	uint16_t atom[IOC_GROUP_MAX];
	const char *why; /* it cannot be used; NULL: it can */
};

struct lists {
	struct list *list; /* in the arena */
	size_t n, cap;
};

struct parser {
	struct span rest;
	struct arena arena;
	struct ioc_value *atom;
	size_t n_atoms;
	unsigned depth;
	const char *why; /* of the whole pattern */
};

static int
fail(struct parser *p, const char *why)
{
	if (p->why == NULL)
		p->why = why;
	return SP_ESYNTAX;
}

/* ---- lists ---- */

static int
lists_add(struct parser *p, struct lists *to, const struct list *l)
{
	if (to->n == LISTS_MAX)
		return fail(p, "too many alternatives");
	if (to->n == to->cap) {
		size_t cap = to->cap * 2 + 4;
		struct list *more = arena_alloc(&p->arena, cap * sizeof(*more));

		if (more == NULL)
			return fail(p, "too many alternatives");
		if (to->n != 0)
			memcpy(more, to->list, to->n * sizeof(*more));
		to->list = more;
		to->cap = cap;
	}
	to->list[to->n++] = *l;
	return SP_OK;
}

/* Both must be: each of a with each of b. */
static int
lists_cross(struct parser *p, const struct lists *a, const struct lists *b, struct lists *ret)
{
	*ret = (struct lists){0};
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++) {
			struct list both = a->list[i];
			const struct list *other = &b->list[k];
			int err;

			if (both.n + other->n > (int)IOC_GROUP_MAX)
				return fail(p, "an AND list is too long");
			for (unsigned m = 0; m < other->n; m++)
				both.atom[both.n++] = other->atom[m];
			if (both.why == NULL)
				both.why = other->why;
			err = lists_add(p, ret, &both);
			if (err != SP_OK)
				return err;
		}
	return SP_OK;
}

/* ---- words ---- */

static void
skip_space(struct parser *p)
{
	while (p->rest.len != 0 && memchr(" \t\r\n", p->rest.ptr[0], 4) != NULL)
		p->rest = span_skip(p->rest, 1);
}

static bool
take_char(struct parser *p, uint8_t c)
{
	skip_space(p);
	if (p->rest.len == 0 || p->rest.ptr[0] != c)
		return false;
	p->rest = span_skip(p->rest, 1);
	return true;
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	skip_space(p);
	if (p->rest.len < n || !span_ieq_str(span_cut(p->rest, n), word) ||
	    (p->rest.len > n && is_letter(p->rest.ptr[n])))
		return false;
	p->rest = span_skip(p->rest, n);
	return true;
}

/* 'it\'s' into the arena. */
static int
take_text(struct parser *p, struct span *ret)
{
	uint8_t *out;
	size_t n = 0, i = 1;

	skip_space(p);
	if (p->rest.len == 0 || p->rest.ptr[0] != '\'')
		return fail(p, "a text is expected");
	out = arena_alloc(&p->arena, p->rest.len);
	if (out == NULL)
		return fail(p, "it is too long");
	for (; i < p->rest.len && p->rest.ptr[i] != '\''; i++) {
		if (p->rest.ptr[i] == '\\' && ++i == p->rest.len)
			break;
		out[n++] = p->rest.ptr[i];
	}
	if (i >= p->rest.len)
		return fail(p, "a text does not end");
	p->rest = span_skip(p->rest, i + 1);
	*ret = span_of(out, n);
	return SP_OK;
}

/* A value that is no text: 12, true, t'2023-05-27T00:00:00Z', h'00ff'. */
static int
pass_value(struct parser *p)
{
	struct span text;
	size_t n = 0;

	skip_space(p);
	while (n < p->rest.len && memchr(" \t\r\n])',", p->rest.ptr[n], 8) == NULL)
		n++;
	if (n == 0)
		return fail(p, "a value is expected");
	p->rest = span_skip(p->rest, n);
	return p->rest.len != 0 && p->rest.ptr[0] == '\'' ? take_text(p, &text) : SP_OK;
}

/* file:hashes.'SHA-256' up to the operator. */
static int
take_path(struct parser *p, struct span *ret)
{
	bool quoted = false;
	size_t n = 0;

	skip_space(p);
	for (; n < p->rest.len; n++) {
		uint8_t c = p->rest.ptr[n];

		if (c == '\'')
			quoted = !quoted;
		else if (!quoted && memchr(" \t\r\n=!<>()", c, 10) != NULL)
			break;
		else if (!quoted && c == ']' && memchr(p->rest.ptr, '[', n) == NULL)
			break;
	}
	*ret = span_cut(p->rest, n);
	p->rest = span_skip(p->rest, n);
	return n != 0 && span_find(*ret, ':') != n ? SP_OK : fail(p, "an object path is expected");
}

/* ---- comparisons ---- */

static const struct {
	const char *path;
	enum ioc_type type;
} paths[] = {
    {"ipv4-addr:value", IOC_ADDRESS},
    {"ipv6-addr:value", IOC_ADDRESS},
    {"network-traffic:src_ref.value", IOC_ADDRESS},
    {"network-traffic:dst_ref.value", IOC_ADDRESS},
    {"file:name", IOC_NAME},
    {"directory:path", IOC_PATH},
    {"file:hashes.sha-256", IOC_SHA256},
    {"file:hashes.sha256", IOC_SHA256},
    {"artifact:hashes.sha-256", IOC_SHA256},
    {"network-traffic:extensions.http-request-ext.request_header.user-agent", IOC_AGENT},
    {"network-traffic:extensions.http-request-ext.request_value", IOC_PATH},
    {"user-account:account_login", IOC_USER},
    {"user-account:user_id", IOC_USER},
    {"url:value", IOC_TYPES},
};

/* By the path without its quotes; IOC_TYPES: a URL. */
static bool
type_of(struct span path, enum ioc_type *ret)
{
	char plain[128];
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.ptr[i];

		if (c == '\'' || c == '"')
			continue;
		if (n == sizeof(plain))
			return false;
		plain[n++] = (char)c;
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (span_ieq_str(span_of(plain, n), paths[i].path)) {
			*ret = paths[i].type;
			return true;
		}
	return false;
}

/* https://host/path?query: the path; empty when there is none to speak of. */
static struct span
url_path(struct span url)
{
	size_t i = 0;

	while (i + 3 <= url.len && memcmp(url.ptr + i, "://", 3) != 0)
		i++;
	url = i + 3 <= url.len ? span_skip(url, i + 3) : url;
	url = span_skip(url, span_find(url, '/'));
	url = span_cut(url, span_find(url, '?'));
	url = span_cut(url, span_find(url, '#'));
	return url.len > 1 ? url : span_of(NULL, 0);
}

static int
add_atom(struct parser *p, struct lists *to, const enum ioc_type *type, struct span value)
{
	struct list l = {.n = 1};
	struct ioc_value v = {.value = value};

	if (type == NULL)
		l.why = NOT_COMPARABLE;
	else
		v.type = *type;
	if (type != NULL && *type == IOC_TYPES) {
		v = (struct ioc_value){IOC_PATH, url_path(value)};
		l.why = v.value.len == 0 ? NOT_COMPARABLE : NULL;
	}
	if (p->n_atoms == ATOMS_MAX)
		return fail(p, "too many comparisons");
	l.atom[0] = (uint16_t)p->n_atoms;
	p->atom[p->n_atoms++] = v;
	return lists_add(p, to, &l);
}

/* One value, or one that nothing can be done with. */
static int
take_value(struct parser *p, struct lists *to, const enum ioc_type *type)
{
	struct span text = span_of(NULL, 0);
	int err;

	skip_space(p);
	if (p->rest.len != 0 && p->rest.ptr[0] == '\'')
		err = take_text(p, &text);
	else
		err = pass_value(p);
	return err == SP_OK ? add_atom(p, to, text.len != 0 ? type : NULL, text) : err;
}

static int
take_set(struct parser *p, struct lists *to, const enum ioc_type *type)
{
	int err;

	if (!take_char(p, '('))
		return fail(p, "a list is expected");
	do
		err = take_value(p, to, type);
	while (err == SP_OK && take_char(p, ','));
	return err == SP_OK && !take_char(p, ')') ? fail(p, "a list does not end") : err;
}

/* The operators that are not compared: their values are read all the same. */
static bool
take_other_operator(struct parser *p)
{
	static const char *const words[] = {"LIKE", "MATCHES", "ISSUPERSET"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (take_word(p, words[i]))
			return true;
	if (take_char(p, '!') || take_char(p, '<') || take_char(p, '>')) {
		(void)take_char(p, '=');
		return true;
	}
	return false;
}

static int
comparison(struct parser *p, struct lists *ret)
{
	struct span path;
	enum ioc_type type;
	const enum ioc_type *known = NULL;
	size_t from = ret->n;
	bool negated, other = false;
	int err = take_path(p, &path);

	if (err != SP_OK)
		return err;
	if (type_of(path, &type))
		known = &type;
	negated = take_word(p, "NOT");
	if (take_word(p, "IN")) {
		err = take_set(p, ret, known);
	} else {
		other = !take_char(p, '=') && !take_word(p, "ISSUBSET");
		if (other && !take_other_operator(p))
			return fail(p, "an operator is expected");
		err = take_value(p, ret, known);
	}
	for (size_t i = from; i < ret->n && (negated || other); i++)
		ret->list[i].why = NO_OPERATOR;
	return err;
}

/* ---- AND, OR, brackets ---- */

static int either(struct parser *p, struct lists *ret, bool inside);

static int
unit(struct parser *p, struct lists *ret, bool inside)
{
	int err;

	*ret = (struct lists){0};
	if (take_char(p, '(')) {
		err = either(p, ret, inside);
		return err == SP_OK && !take_char(p, ')') ? fail(p, "a bracket is missing") : err;
	}
	if (inside)
		return comparison(p, ret);
	if (!take_char(p, '['))
		return fail(p, "a bracket is expected");
	err = either(p, ret, true);
	return err == SP_OK && !take_char(p, ']') ? fail(p, "a bracket is missing") : err;
}

static int
all_of(struct parser *p, struct lists *ret, bool inside)
{
	int err = unit(p, ret, inside);

	while (err == SP_OK && (take_word(p, "AND") || (!inside && take_word(p, "FOLLOWEDBY")))) {
		struct lists left = *ret, right;

		err = unit(p, &right, inside);
		if (err == SP_OK)
			err = lists_cross(p, &left, &right, ret);
	}
	return err;
}

static int
either(struct parser *p, struct lists *ret, bool inside)
{
	int err;

	if (++p->depth > HUNT_IOC_DEPTH_MAX)
		return fail(p, "it is nested too deeply");
	err = all_of(p, ret, inside);
	while (err == SP_OK && take_word(p, "OR")) {
		struct lists more;

		err = all_of(p, &more, inside);
		for (size_t i = 0; err == SP_OK && i < more.n; i++)
			err = lists_add(p, ret, &more.list[i]);
	}
	p->depth--;
	return err;
}

static int
add_list(struct ioc *c, const struct parser *p, const struct list *l, struct span pattern,
    struct span where)
{
	struct ioc_value v[IOC_GROUP_MAX];
	int err;

	if (l->why != NULL)
		return ioc_refuse(c, pattern, l->why);
	for (unsigned i = 0; i < l->n; i++)
		v[i] = p->atom[l->atom[i]];
	err = ioc_add(c, v, l->n, where);
	return err == SP_ESYNTAX ? ioc_refuse(c, pattern, "a value is none of its type") : err;
}

int
stix_pattern(struct ioc *c, struct span pattern, struct span where)
{
	struct parser p = {.rest = pattern};
	struct lists lists = {0};
	int err = SP_OK;

	arena_init(&p.arena, (size_t)64 << 20);
	p.atom = arena_alloc(&p.arena, ATOMS_MAX * sizeof(*p.atom));
	if (p.atom == NULL)
		err = SP_ENOMEM;
	else if (either(&p, &lists, false) != SP_OK)
		err = ioc_refuse(c, pattern, p.why);
	else if (skip_space(&p), p.rest.len != 0)
		err = ioc_refuse(
		    c, pattern, "what follows is not evaluated (WITHIN, REPEATS, START)");
	else
		for (size_t i = 0; i < lists.n && err == SP_OK; i++)
			err = add_list(c, &p, &lists.list[i], pattern, where);
	arena_done(&p.arena);
	return err;
}

/* ---- bundles ---- */

static int
take_indicator(struct ioc *c, struct span object, char *pattern)
{
	char where[128], text[64];
	struct span v;
	size_t n = 0;

	tlog_json_text(object, "id", where, sizeof(where));
	tlog_json_text(object, "pattern_type", text, sizeof(text));
	if (text[0] != '\0' && strcmp(text, "stix") != 0)
		return ioc_refuse(c, span_str(where), "its pattern is not of the language stix");
	if (tlog_json_get(object, "revoked", &v) == SP_OK && span_eq_str(v, "true"))
		return ioc_refuse(c, span_str(where), "it is revoked");
	if (tlog_json_get(object, "pattern", &v) != SP_OK ||
	    tlog_json_str(v, pattern, PATTERN_MAX, &n) != SP_OK)
		return ioc_refuse(c, span_str(where), "its pattern is missing or too long");
	return stix_pattern(c, span_of(pattern, n), span_str(where));
}

int
stix_load(struct ioc *c, struct span content, char *why, size_t cap)
{
	DEFER(mem_freep) char *pattern = mem_alloc(PATTERN_MAX);
	struct text t = text_of(why, cap);
	struct span objects, object;
	char type[32];
	int more = 0, err = SP_OK;

	tlog_json_text(content, "type", type, sizeof(type));
	if (strcmp(type, "bundle") != 0 || tlog_json_get(content, "objects", &objects) != SP_OK) {
		text_str(&t, "it begins like JSON, but is not a STIX 2.1 bundle");
		return SP_ESYNTAX;
	}
	if (pattern == NULL)
		err = SP_ENOMEM;
	while (err == SP_OK && (more = tlog_json_item(&objects, &object)) == 1) {
		if (object.ptr[0] != '{')
			continue;
		tlog_json_text(object, "type", type, sizeof(type));
		if (strcmp(type, "indicator") == 0)
			err = take_indicator(c, object, pattern);
	}
	if (err == SP_OK && more < 0)
		err = more;
	if (err != SP_OK)
		text_fmt(&t, "%s", err == SP_ETOOBIG ? "too many indicators" : sp_strerror(err));
	return err;
}
