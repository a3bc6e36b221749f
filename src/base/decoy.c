/* decoy.c - see decoy.h. */
#include "base/decoy.h"
#include "base/err.h"

static const char *const words[DECOY_KINDS] = {"file", "user", "token"};

const char *
decoy_word(enum decoy_kind kind)
{
	PRECOND(kind < DECOY_KINDS);
	return words[kind];
}

/* A name as it may stand in a line. */
static bool
is_plain(struct span s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return s.len != 0 && s.len <= max && utf8_valid(s);
}

/* field - up to the next tab, which must be there, or to the end. */
static int
field(struct span *line, bool last, struct span *ret)
{
	size_t n = span_find(*line, '\t');

	if ((n == line->len) != last)
		return SP_ESYNTAX;
	*ret = span_cut(*line, n);
	*line = span_skip(*line, n + 1);
	return SP_OK;
}

static int
take_key(struct span key, struct decoy *d)
{
	switch (d->kind) {
	case DECOY_FILE:
		return parse_hex(key, d->blob, sizeof(d->blob));
	case DECOY_TOKEN:
		return parse_u64(key, INT64_MAX, &d->token);
	default:
		return span_eq_str(key, "-") ? SP_OK : SP_ESYNTAX;
	}
}

static int
take_line(struct span line, struct decoy *ret)
{
	struct decoy d = {.kind = DECOY_KINDS};
	struct span word, time, key;

	if (field(&line, false, &word) != SP_OK || field(&line, false, &time) != SP_OK ||
	    field(&line, false, &d.org) != SP_OK || field(&line, false, &d.name) != SP_OK ||
	    field(&line, true, &key) != SP_OK)
		return SP_ESYNTAX;
	for (unsigned i = 0; i < DECOY_KINDS; i++)
		if (span_eq_str(word, words[i]))
			d.kind = (enum decoy_kind)i;
	if (d.kind == DECOY_KINDS || !is_plain(d.org, 64) || !is_plain(d.name, DECOY_NAME_MAX) ||
	    time_parse(time, 0, &d.planted_us) != SP_OK || take_key(key, &d) != SP_OK)
		return SP_ESYNTAX;
	*ret = d;
	return SP_OK;
}

int
decoy_next(struct span *list, struct decoy *ret)
{
	size_t n = span_find(*list, '\n');
	int err;

	if (list->len == 0)
		return 0;
	if (n == list->len || n >= DECOY_LINE_MAX)
		return SP_ESYNTAX;
	err = take_line(span_cut(*list, n), ret);
	if (err != SP_OK)
		return err;
	*list = span_skip(*list, n + 1);
	return 1;
}

int
decoy_put(struct text *t, const struct decoy *d)
{
	if (!is_plain(d->org, 64) || !is_plain(d->name, DECOY_NAME_MAX))
		return SP_ERANGE;
	text_fmt(t, "%s\t", decoy_word(d->kind));
	time_rfc3339(t, d->planted_us);
	text_chr(t, '\t');
	text_add(t, d->org);
	text_chr(t, '\t');
	text_add(t, d->name);
	text_chr(t, '\t');
	if (d->kind == DECOY_FILE)
		text_hex(t, span_of(d->blob, sizeof(d->blob)));
	else if (d->kind == DECOY_TOKEN)
		text_u64(t, d->token);
	else
		text_chr(t, '-');
	text_chr(t, '\n');
	return t->bad ? SP_ESPACE : SP_OK;
}
