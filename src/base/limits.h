/* limits.h - limits.conf: how much of what is stored may leave, by whom, an hour and a day.
 *
 * The same syntax as sallyport.conf, from two tables of its own.  The vault alone acts on it; the
 * supervisor reads it too, so that a mistake is found before anything is started or taken up.
 */
#ifndef SP_BASE_LIMITS_H
#define SP_BASE_LIMITS_H

#include "base/conf.h"

enum principal_kind {
#define PRINCIPAL(NAME, number, Word, word, fh, bh, fd, bd, ff, bf, freezes, text)                 \
	PRINCIPAL_##NAME = (number),
#include "base/principals.def"
#undef PRINCIPAL
	PRINCIPAL_KINDS
};

/* struct limit_set - of one kind of principal. */
struct limit_set {
	int64_t files_hour, bytes_hour; /* never more */
	int64_t files_day, bytes_day;
	int64_t files_floor, bytes_floor; /* of an hour's normal */
};

struct limits {
	struct limit_set of[PRINCIPAL_KINDS];
#define LIMIT(Keyword, field, TYPE, min, max, dflt, text) CONF_FIELD_##TYPE(field, max)
#include "base/limits.def"
#undef LIMIT
};

/* enum budget - which limit of a principal was hit; numbers travel in messages. */
#define BUDGETS(X)                                                                                 \
	X(FILES_HOUR, 1, "files per hour")                                                         \
	X(BYTES_HOUR, 2, "bytes per hour")                                                         \
	X(FILES_DAY, 3, "files per day")                                                           \
	X(BYTES_DAY, 4, "bytes per day")                                                           \
	X(FROZEN, 5, "frozen")
enum budget {
	BUDGET_NONE,
#define X(NAME, number, word) BUDGET_##NAME = (number),
	BUDGETS(X)
#undef X
};

#define PRINCIPAL_ID_BYTES 16u	    /* a number, big-endian at the end; or an IPv6 address */
#define LIMITS_FILE_MAX (64u << 10) /* bytes of limits.conf */

/* principal_word - "user"; static.  principal_freezes - does repeated overrun close it? */
const char *principal_word(enum principal_kind kind);
bool principal_freezes(enum principal_kind kind);

/* principal_number - the id of a user, organisation, helper; of the server: 0. */
void principal_number(uint64_t number, uint8_t ret[PRINCIPAL_ID_BYTES]);
/* principal_network - the id of an address' network. */
void principal_network(const uint8_t address[16], uint8_t ret[PRINCIPAL_ID_BYTES]);
/* address_parse - "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711": SP_ESYNTAX */
int address_parse(struct span text, uint8_t ret[16]) MUST_USE;
/* address_print - the same as text, IPv4 as such.  buf: 46 bytes are enough */
void address_print(const uint8_t address[16], char *buf, size_t cap);

/* budget_say - "user: files per hour"; "" for a pair that is none.  buf: 64 bytes are enough */
void budget_say(unsigned kind, unsigned budget, char *buf, size_t cap);

/* limits_table - the rows, for the parser, `init` and the man page. */
const struct conf_table *limits_table(void);
void limits_defaults(struct limits *l);
/* limits_parse - as conf_parse. */
int limits_parse(struct span file, struct limits *ret, char *why, size_t cap) MUST_USE;
#endif
