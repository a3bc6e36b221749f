/* limits.c - see limits.h. */
#include "base/limits.h"
#include "base/text.h"

#include <arpa/inet.h>

#define FILES_MOST 4000000000
#define BYTES_MOST INT64_C(4611686018427387904)

static const struct conf_row rows[] = {
#define ROW(Word, suffix, TYPE, most, dflt, kind, member, text)                                    \
	{#Word suffix, dflt, text, CONF_##TYPE, 1, most, true,                                     \
	    offsetof(struct limits, of[kind].member)},
#define PRINCIPAL(NAME, number, Word, word, fh, bh, fd, bd, ff, bf, freezes, text)                 \
	ROW(Word, "FilesPerHour", INT, FILES_MOST, fh, number, files_hour,                         \
	    "most files that may within an hour " text)                                         \
	ROW(Word, "BytesPerHour", SIZE, BYTES_MOST, bh, number, bytes_hour,                        \
	    "most bytes that may within an hour " text)                                         \
	ROW(Word, "FilesPerDay", INT, FILES_MOST, fd, number, files_day,                           \
	    "most files that may within a day " text)                                           \
	ROW(Word, "BytesPerDay", SIZE, BYTES_MOST, bd, number, bytes_day,                          \
	    "most bytes that may within a day " text)                                           \
	ROW(Word, "FloorFiles", INT, FILES_MOST, ff, number, files_floor,                          \
	    "least of an hour's normal: files that may " text)                             \
	ROW(Word, "FloorBytes", SIZE, BYTES_MOST, bf, number, bytes_floor,                         \
	    "least of an hour's normal: bytes that may " text)
#include "base/principals.def"
#undef PRINCIPAL
#undef ROW
#define LIMIT(Keyword, field, TYPE, min, max, dflt, text)                                          \
	{#Keyword, dflt, text, CONF_##TYPE, min, max, true, offsetof(struct limits, field)},
#include "base/limits.def"
#undef LIMIT
};

static const struct conf_table table = {rows, ARRAY_LEN(rows), sizeof(struct limits)};

static const struct {
	const char *word;
	bool freezes;
} kinds[PRINCIPAL_KINDS] = {
#define PRINCIPAL(NAME, number, Word, word, fh, bh, fd, bd, ff, bf, freezes, text)                 \
	[number] = {word, freezes},
#include "base/principals.def"
#undef PRINCIPAL
};

const char *
principal_word(enum principal_kind kind)
{
	PRECOND(kind < PRINCIPAL_KINDS);
	return kinds[kind].word;
}

bool
principal_freezes(enum principal_kind kind)
{
	PRECOND(kind < PRINCIPAL_KINDS);
	return kinds[kind].freezes;
}

void
budget_say(unsigned kind, unsigned budget, char *buf, size_t cap)
{
	static const char *const words[] = {
#define X(NAME, number, word) [number] = (word),
	    BUDGETS(X)
#undef X
	};
	struct text t = text_of(buf, cap);

	if (kind < PRINCIPAL_KINDS && budget != BUDGET_NONE && budget < ARRAY_LEN(words))
		text_fmt(&t, "%s: %s", kinds[kind].word, words[budget]);
}

const struct conf_table *
limits_table(void)
{
	return &table;
}

void
limits_defaults(struct limits *l)
{
	conf_table_defaults(&table, l);
}

int
limits_parse(struct span file, struct limits *ret, char *why, size_t cap)
{
	struct limits l;
	int rc = conf_table_parse(&table, file, &l, why, cap);

	if (rc == SP_OK)
		*ret = l;
	return rc;
}

/* ---- ids ---- */

void
principal_number(uint64_t number, uint8_t ret[PRINCIPAL_ID_BYTES])
{
	memset(ret, 0, PRINCIPAL_ID_BYTES);
	for (size_t i = 0; i < 8; i++)
		ret[15 - i] = (uint8_t)(number >> (8 * i));
}

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void
principal_network(const uint8_t address[16], uint8_t ret[PRINCIPAL_ID_BYTES])
{
	size_t keep = memcmp(address, v4_mapped, sizeof(v4_mapped)) == 0 ? 15 : 8;

	memmove(ret, address, keep);
	memset(ret + keep, 0, PRINCIPAL_ID_BYTES - keep);
}

int
address_parse(struct span text, uint8_t ret[16])
{
	char host[INET6_ADDRSTRLEN];
	size_t colon = span_find(text, ':');
	bool v6;

	if (text.len != 0 && text.ptr[0] == '[') {
		size_t end = span_find(text, ']');

		if (end == text.len)
			return SP_ESYNTAX;
		text = span_skip(span_cut(text, end), 1);
	} else if (span_find(span_skip(text, colon + 1), ':') == span_skip(text, colon + 1).len) {
		text = span_cut(text, colon); /* at most one colon: a port follows */
	}
	v6 = span_find(text, ':') != text.len;
	if (text.len == 0 || text.len >= sizeof(host) || memchr(text.ptr, 0, text.len) != NULL)
		return SP_ESYNTAX;
	memcpy(host, text.ptr, text.len);
	host[text.len] = '\0';
	memcpy(ret, v4_mapped, sizeof(v4_mapped));
	return inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? ret : ret + 12) == 1 ? SP_OK
										  : SP_ESYNTAX;
}

void
address_print(const uint8_t address[16], char *buf, size_t cap)
{
	bool v4 = memcmp(address, v4_mapped, sizeof(v4_mapped)) == 0;
	char host[INET6_ADDRSTRLEN] = "";
	struct text t = text_of(buf, cap);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + 12 : address, host, sizeof(host)) !=
	    NULL)
		text_str(&t, host);
}
