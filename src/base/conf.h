/* conf.h - sallyport.conf: keyword and value, one a line, '#' begins a comment, as in OpenSSH. */
#ifndef SP_BASE_CONF_H
#define SP_BASE_CONF_H

#include "base/defer.h"
#include "base/err.h"
#include "base/span.h"

enum conf_type {
	CONF_INT,
	CONF_SIZE,
	CONF_TIME,
	CONF_BOOL,
	CONF_STR,
	CONF_ADDR,
	CONF_ENUM,
	CONF_NETS
};

/* struct conf - all settings; numbers as int64_t (bytes, seconds), text as NUL-terminated arrays.
 */
#define CONF_FIELD_INT(f, max) int64_t f;
#define CONF_FIELD_SIZE(f, max) int64_t f;
#define CONF_FIELD_TIME(f, max) int64_t f;
#define CONF_FIELD_BOOL(f, max) int64_t f;
#define CONF_FIELD_ENUM(f, max) int64_t f;
#define CONF_FIELD_STR(f, max) char f[(max) + 1];
#define CONF_FIELD_NETS(f, max) char f[(max) + 1];
#define CONF_FIELD_ADDR(f, max) char f[64];
struct conf {
#define CONF(Keyword, field, TYPE, min, max, dflt, reload, text) CONF_FIELD_##TYPE(field, max)
#include "base/conf.def"
#undef CONF
};

struct conf_row {
	const char *keyword, *dflt, *text;
	enum conf_type type;
	int64_t min, max;
	bool reload;
	size_t offset; /* of the field in struct conf */
};

/* struct conf_table - the settings of one file: its rows, and the struct that they fill. */
#define CONF_ROWS_MAX 128u
struct conf_table {
	const struct conf_row *rows;
	size_t n, bytes; /* rows; bytes of the struct */
};
/* conf_table - of sallyport.conf.  conf_table_defaults, _parse, _print - as conf_defaults, conf_parse (which fills c
 * even on failure, with part of what was read), conf_print, for any such table. */
const struct conf_table *conf_table(void);
void conf_table_defaults(const struct conf_table *t, void *c);
int conf_table_parse(const struct conf_table *t, struct span file, void *c, char *why, size_t cap) MUST_USE;
void conf_table_print(const struct conf_table *t, const void *c, size_t i, char *buf, size_t cap);

/* conf_size, conf_time - a value as in such a file: "20G", "90m" (seconds).  SP_ESYNTAX, SP_ERANGE */
int conf_size(struct span s, int64_t *ret) MUST_USE;
int conf_time(struct span s, int64_t *ret) MUST_USE;

/* conf_rows - the table, in order; *ret_n rows. */
const struct conf_row *conf_rows(size_t *ret_n);

/* conf_defaults - set every field to its default. */
void conf_defaults(struct conf *c);

/* conf_parse - read a whole file over the defaults.  Keywords without regard to case; each at most
 * once. ret       filled on success only why, cap  one sentence on failure: "line 3: WorkersIdle:
 * 900 is over 256" errors    SP_ECONFIG */
int conf_parse(struct span file, struct conf *ret, char *why, size_t cap) MUST_USE;

/* conf_take_reloadable - copy the fields that SIGHUP takes up (rows with reload = 1) from another
 * set. */
void conf_take_reloadable(struct conf *c, const struct conf *from);

/* conf_has_word - is the word one of a list that is separated by spaces? */
bool conf_has_word(const char *list, const char *word);

/* conf_print - "Keyword value" of row i as text, the way conf_parse reads it, into buf. */
void conf_print(const struct conf *c, size_t i, char *buf, size_t cap);
#endif
