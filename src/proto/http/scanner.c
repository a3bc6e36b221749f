/* scanner.c - see scanner.h. */
#include "proto/http/scanner.h"

#include "base/text.h"

#define PATTERN_MIN 3u
#define KIND_WORDS                                                                                 \
	{                                                                                          \
		"path", "query", "header", "body"                                                  \
	} /* enum probe_kind */

/* the words of the rows */
enum {
	KIND_path = PROBE_PATH,
	KIND_query = PROBE_QUERY,
	KIND_header = PROBE_HEADER,
	KIND_body = PROBE_BODY
};
static const struct {
	const char *id, *pattern, *text;
	enum probe_kind kind;
	uint32_t score;
} rows[] = {
#define PROBE(id, kind, pattern, score, text)                                                      \
	{id, pattern, text, (enum probe_kind)KIND_##kind, score},
#include "proto/http/scanner.def"
#undef PROBE
};

/* ---- text ---- */

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* A percent sign that begins nothing stays what it is: whoever sends such a thing is not helped. */
static void
part_of(struct probe_part *p, struct span s)
{
	s = span_cut(s, PROBE_PART_MAX);
	p->raw_len = s.len;
	p->plain_len = 0;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		p->raw[i] = lower(c);
		if (c == '%' && parse_hex(span_cut(span_skip(s, i + 1), 2), &c, 1) == SP_OK) {
			p->raw[i + 1] = lower(s.ptr[i + 1]);
			p->raw[i + 2] = lower(s.ptr[i + 2]);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		p->plain[p->plain_len++] = lower(c);
	}
}

/* "https://host/path" is "/path". */
static struct span
without_authority(struct span target)
{
	size_t slash = span_find(target, '/');

	if (slash == 0 || !span_starts(span_skip(target, slash), SPAN_LIT("//")))
		return target;
	target = span_skip(target, slash + 2);
	return span_skip(target, span_find(target, '/'));
}

void
probe_request_of(struct probe_request *r, const struct http_head *head, struct span body)
{
	struct span target = without_authority(head->target);
	size_t mark = span_find(target, '?');

	r->head = head;
	part_of(&r->path, span_cut(target, mark));
	part_of(&r->query, span_skip(target, mark + 1));
	part_of(&r->body, body);
}

/* ---- matching ---- */

static bool
same_at(struct span hay, size_t at, struct span needle)
{
	for (size_t i = 0; i < needle.len; i++)
		if (lower(hay.ptr[at + i]) != lower(needle.ptr[i]))
			return false;
	return true;
}

static bool
found(struct span hay, struct span pattern)
{
	bool first = pattern.len != 0 && pattern.ptr[0] == '^', last;
	size_t from = 0, to;

	pattern = span_skip(pattern, first);
	last = pattern.len != 0 && pattern.ptr[pattern.len - 1] == '$';
	pattern = span_cut(pattern, pattern.len - last);
	if (hay.len < pattern.len)
		return false;
	to = hay.len - pattern.len;
	if (last)
		from = to;
	if (first && from != 0)
		return false;
	if (first)
		to = 0;
	for (size_t at = from; at <= to; at++)
		if (same_at(hay, at, pattern))
			return true;
	return false;
}

static bool
part_has(const struct probe_part *p, struct span pattern)
{
	return found(span_of(p->raw, p->raw_len), pattern) ||
	       found(span_of(p->plain, p->plain_len), pattern);
}

static bool
header_has(const struct http_head *h, struct span pattern)
{
	size_t colon = span_find(pattern, ':');
	struct span name = span_cut(pattern, colon),
		    text = span_trim(span_skip(pattern, colon + 1));

	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];

		if ((span_eq_str(name, "*") ||
			(f->name.len == name.len && same_at(f->name, 0, name))) &&
		    found(span_cut(f->value, PROBE_PART_MAX), text))
			return true;
	}
	return false;
}

bool
probe_matches(const struct probe *p, const struct probe_request *r)
{
	switch (p->kind) {
	case PROBE_PATH:
		return part_has(&r->path, p->pattern);
	case PROBE_QUERY:
		return part_has(&r->query, p->pattern);
	case PROBE_HEADER:
		return header_has(r->head, p->pattern);
	case PROBE_BODY:
		return part_has(&r->body, p->pattern);
	}
	return false;
}

bool
probe_at(size_t i, struct probe *ret)
{
	if (i >= ARRAY_LEN(rows))
		return false;
	*ret = (struct probe){.id = span_str(rows[i].id),
	    .pattern = span_str(rows[i].pattern),
	    .text = span_str(rows[i].text),
	    .kind = rows[i].kind,
	    .score = rows[i].score};
	return true;
}

bool
probe_find(struct span id, struct probe *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_eq_str(id, rows[i].id))
			return probe_at(i, ret);
	return false;
}

bool
probe_scan(const struct probe_request *r, struct span file, struct probe *ret)
{
	struct probe p;
	const char *why;
	size_t line = 0;
	bool any = false;

	for (size_t i = 0; probe_at(i, &p); i++)
		if ((!any || p.score > ret->score) && probe_matches(&p, r)) {
			*ret = p;
			any = true;
		}
	while (probe_file_next(&file, &line, &p, &why) == 1)
		if ((!any || p.score > ret->score) && probe_matches(&p, r)) {
			*ret = p;
			any = true;
		}
	return any;
}

/* ---- files ---- */

bool
probe_id_valid(struct span id)
{
	for (size_t i = 0; i < id.len; i++) {
		uint8_t c = id.ptr[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return false;
	}
	return id.len != 0 && id.len <= PROBE_ID_MAX;
}

/* Take this word off, with the blanks around it. */
static bool
take_word(struct span *s, const char *word)
{
	struct span w = span_str(word);

	*s = span_trim(*s);
	if (!span_starts(*s, w))
		return false;
	*s = span_trim(span_skip(*s, w.len));
	return true;
}

static bool
take_text(struct span *s, struct span *ret)
{
	size_t end;

	if (s->len == 0 || s->ptr[0] != '"')
		return false;
	*s = span_skip(*s, 1);
	end = span_find(*s, '"');
	if (end == s->len)
		return false;
	*ret = span_cut(*s, end);
	*s = span_trim(span_skip(*s, end + 1));
	return true;
}

static bool
take_kind(struct span *s, enum probe_kind *ret)
{
	static const char *const words[] = KIND_WORDS;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (take_word(s, words[i])) {
			*ret = (enum probe_kind)i;
			return true;
		}
	return false;
}

static bool
take_score(struct span *s, uint32_t *ret)
{
	uint64_t v;
	size_t n = 0;

	while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
		n++;
	if (parse_u64(span_cut(*s, n), UINT32_MAX, &v) != SP_OK)
		return false;
	*ret = (uint32_t)v;
	*s = span_trim(span_skip(*s, n));
	return true;
}

static const char *
row_wrong(const struct probe *p)
{
	size_t colon = span_find(p->pattern, ':');

	if (!probe_id_valid(p->id))
		return "an id is 1 to 32 lower-case letters, digits and hyphens";
	if (p->pattern.len < PATTERN_MIN || p->pattern.len > PROBE_PATTERN_MAX)
		return "a pattern has 3 to 128 bytes";
	if (p->kind == PROBE_HEADER && (colon == 0 || colon == p->pattern.len))
		return "a pattern of a header is \"name: text\"";
	if (p->score == 0 || p->score > PROBE_SCORE_MAX)
		return "a score is 1 to 1000";
	if (p->text.len > PROBE_TEXT_MAX || !utf8_valid(p->text))
		return "the text is longer than 160 bytes, or no UTF-8";
	return NULL;
}

static int
parse_row(struct span s, struct probe *ret, const char **ret_why)
{
	struct probe p = {0};
	bool good = take_word(&s, "PROBE") && take_word(&s, "(") && take_text(&s, &p.id) &&
		    take_word(&s, ",") && take_kind(&s, &p.kind) && take_word(&s, ",") &&
		    take_text(&s, &p.pattern) && take_word(&s, ",") && take_score(&s, &p.score) &&
		    take_word(&s, ",") && take_text(&s, &p.text) && take_word(&s, ")") &&
		    s.len == 0;

	*ret_why =
	    good
		? row_wrong(&p)
		: "this is not PROBE(\"id\", path|query|header|body, \"pattern\", score, \"text\")";
	if (*ret_why != NULL)
		return good ? SP_ERANGE : SP_ESYNTAX;
	*ret = p;
	return 1;
}

int
probe_file_next(struct span *rest, size_t *line, struct probe *ret, const char **ret_why)
{
	*ret_why = NULL;
	while (rest->len != 0) {
		size_t n = span_find(*rest, '\n');
		struct span s = span_cut(*rest, n);

		*rest = span_skip(*rest, n + 1);
		(*line)++;
		if (s.len != 0 && s.ptr[s.len - 1] == '\r')
			s.len--;
		s = span_trim(s);
		if (s.len != 0 && s.ptr[0] != '#')
			return parse_row(s, ret, ret_why);
	}
	return 0;
}

bool
probe_file_find(struct span file, struct span id, struct probe *ret)
{
	struct probe p;
	const char *why;
	size_t line = 0;

	while (probe_file_next(&file, &line, &p, &why) == 1)
		if (span_eq(p.id, id)) {
			*ret = p;
			return true;
		}
	return false;
}

static int
file_wrong(char *why, size_t cap, size_t line, const char *what)
{
	struct text t = text_of(why, cap);

	if (line != 0)
		text_fmt(&t, "line %zu: ", line);
	text_str(&t, what);
	return SP_ECONFIG;
}

int
probe_file_check(struct span file, char *why, size_t cap)
{
	struct span rest = file;
	struct probe p, other;
	const char *what;
	size_t line = 0, n = 0;
	int rc;

	if (file.len > PROBE_FILE_MAX)
		return file_wrong(why, cap, 0, "it is longer than 256 KiB");
	while ((rc = probe_file_next(&rest, &line, &p, &what)) == 1) {
		struct span before = span_cut(file, (size_t)(p.id.ptr - file.ptr));

		/* whole lines only: the row's own is cut off */
		while (before.len != 0 && before.ptr[before.len - 1] != '\n')
			before.len--;
		if (++n > PROBE_ROWS_MAX)
			return file_wrong(why, cap, line, "more than 1000 rows");
		if (probe_find(p.id, &other) || probe_file_find(before, p.id, &other))
			return file_wrong(why, cap, line, "there is a row of this id already");
	}
	return rc == 0 ? SP_OK : file_wrong(why, cap, line, what);
}
