/* rows.h - what the audit log holds of the database's rows, so that `sallyport verify` can compare.
 *
 * Every change of a table of rows.def is noticed by a trigger.  Who makes a change tries it inside
 * a mark first, takes up with rows_record what the rows will be, and puts that into the record as
 * the detail "rows": a line for each, "<name> <a> <b> <c> <text>", or "-" for the text of a row
 * that is gone.  What goes with its owner (the rights on a folder that is removed) is not named.
 */
#ifndef SP_BROKER_ROWS_H
#define SP_BROKER_ROWS_H

#include "base/text.h"
#include "rooms/broker/sql.h"

enum rows_kind {
#define ROWS(NAME, ...) ROWS_##NAME,
#include "ipc/rows.def"
#undef ROWS
	ROWS_COUNT
};

#define ROWS_LINE_MAX                                                                              \
	9000u /* a folder's name of 255 bytes in JSON's longest escapes, and the rest */
#define ROWS_DETAIL_MAX 6144u /* of one record */

struct rows_key {
	int64_t a, b, c;
};

/* rows_name - as rows.def spells it.   rows_kind_of - the other way; ROWS_COUNT: there is none. */
const char *rows_name(enum rows_kind kind);
enum rows_kind rows_kind_of(struct span name);

/* rows_first - the least of all keys, negative ones included: nothing hides before the first row.
 */
struct rows_key rows_first(void);
/* rows_after - the least key behind this one; false: there is none. */
bool rows_after(enum rows_kind kind, struct rows_key *key);
/* rows_next - the first row from a key on.
 *   key   in: where to begin; out: the row's
 *   text  receives what is on record of it; "digest" is SHA-256, the first 16 bytes in hex, of what
 *         must not be shown.  A password's string has 128 bits of salt that are nowhere else, so
 * the digest confirms no guess returns 1, 0 at the end, or an error of the database */
int rows_next(struct db *db, enum rows_kind kind, struct rows_key *key, struct text *text) MUST_USE;
/* rows_get - the row of exactly this key; otherwise as rows_next. */
int rows_get(
    struct db *db, enum rows_kind kind, const struct rows_key *key, struct text *text) MUST_USE;

/* rows_touch - of a table without triggers: this row is changed. */
int rows_touch(struct db *db, enum rows_kind kind, int64_t id) MUST_USE;
/* rows_record - the rows that were touched since the last time, as lines; forgets them.  Inside the
 * mark of the change.
 *   errors  SP_ETOOBIG (more than text takes), those of the database */
int rows_record(struct db *db, struct text *text) MUST_USE;
/* rows_forget - what was touched is on record otherwise: a removed folder takes along what it has.
 */
int rows_forget(struct db *db) MUST_USE;
#endif
