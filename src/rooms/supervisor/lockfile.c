/* lockfile.c - see lockfile.h. */
#include "rooms/supervisor/lockfile.h"

static const struct span head = {(const uint8_t *)"sallyport lockdown 1\n", 21};

void
lockdown_words(struct text *t, uint8_t doors, bool keys)
{
	const char *gap = "";

	for (size_t i = 0; i < IPC_LOCKS; i++) {
		if ((doors & ipc_locks[i].bit) == 0)
			continue;
		text_fmt(t, "%s%s", gap, ipc_locks[i].word);
		gap = " ";
	}
	if (keys)
		text_fmt(t, "%skeys", gap);
}

void
lockfile_put(struct text *t, const struct lockdown *l)
{
	text_add(t, head);
	text_str(t, "locked ");
	lockdown_words(t, l->doors, l->keys);
	text_str(t, "\nsince ");
	time_rfc3339(t, l->since_us);
	text_str(t, "\nby ");
	text_u64(t, l->by);
	text_chr(t, '\n');
}

/* line - the rest of the line that begins with this word; the file moves on. */
static int
line(struct span *file, const char *word, struct span *ret)
{
	struct span s = span_cut(*file, span_find(*file, '\n')), w = span_str(word);

	if (s.len == file->len || !span_starts(s, w))
		return SP_ESYNTAX;
	*file = span_skip(*file, s.len + 1);
	*ret = span_skip(s, w.len);
	return SP_OK;
}

static int
take_word(struct span word, struct lockdown *l)
{
	if (span_eq_str(word, "keys") && !l->keys) {
		l->keys = true;
		return SP_OK;
	}
	for (size_t i = 0; i < IPC_LOCKS; i++) {
		if (!span_eq_str(word, ipc_locks[i].word) || (l->doors & ipc_locks[i].bit) != 0)
			continue;
		l->doors |= ipc_locks[i].bit;
		return SP_OK;
	}
	return SP_ESYNTAX;
}

static int
parse(struct span file, struct lockdown *ret)
{
	struct lockdown l = {0};
	struct span words, since, by;
	uint64_t uid = 0;
	int err = span_starts(file, head) ? SP_OK : SP_ESYNTAX;

	file = span_skip(file, head.len);
	if (err != SP_OK || line(&file, "locked ", &words) != SP_OK ||
	    line(&file, "since ", &since) != SP_OK || line(&file, "by ", &by) != SP_OK ||
	    file.len != 0)
		return SP_ESYNTAX;
	do {
		struct span word = span_cut(words, span_find(words, ' '));

		err = take_word(word, &l);
		words = span_skip(words, word.len + 1);
	} while (err == SP_OK && words.len != 0);
	if (err == SP_OK)
		err = time_parse(since, 0, &l.since_us);
	if (err == SP_OK)
		err = parse_u64(by, UINT32_MAX, &uid);
	l.by = (uint32_t)uid;
	if (err == SP_OK)
		*ret = l;
	return err;
}

int
lockfile_parse(struct span file, struct lockdown *ret)
{
	if (parse(file, ret) == SP_OK)
		return SP_OK;
	*ret = (struct lockdown){.doors = LOCK_ALL, .keys = true, .damaged = true};
	return SP_ESYNTAX;
}
