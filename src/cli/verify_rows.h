/* verify_rows.h - what the audit log says that the database holds: its entries replayed.
 *
 * A row is a table's kind and up to three integers (ipc/rows.def).  In memory is a digest of each
 * row that should be there and the entry that made it so; the text is read from the log again when
 * it is asked for.  72 bytes a row at most fill: a million files need about 300 MiB.
 */
#ifndef SP_CLI_VERIFY_ROWS_H
#define SP_CLI_VERIFY_ROWS_H

#include "cli/audit.h"
#include "crypto/crypto.h"

enum row_kind {
#define ROWS(NAME, ...) ROW_##NAME,
#include "ipc/rows.def"
#undef ROWS
	ROW_COUNT
};
const char *row_kind_name(enum row_kind kind);

#define ROWS_EXPECTED_MAX 16777216u
#define ROW_TEXT_MAX 9000u
#define ROW_ENTRY_NONE UINT64_MAX /* made by `init`, before the log began */

struct row_key {
	enum row_kind kind;
	int64_t a, b, c;
};

struct row {
	int64_t a, b, c;
	int64_t above; /* file, folder: the folder that it is in */
	uint64_t entry;
	uint8_t digest[16];
	uint8_t kind;
	bool used, seen;
	bool any_hash; /* a version whose hash the entry does not know */
	bool any;      /* the text is not known */
};

struct rows; /* opaque */

/* rows_replay - the log's changes up to entry `end`.
 *   ret   owned by the caller (rows_free)
 *   why   a sentence on failure
 *   errors  SP_ENOMEM, SP_ETOOBIG (more than ROWS_EXPECTED_MAX rows), those of the log */
int rows_replay(struct audit *a, uint64_t end, struct rows **ret, char *why, size_t cap) MUST_USE;
void rows_free(struct rows *r);

/* rows_find - the row of a key that should be there; NULL: there should be none. */
struct row *rows_find(const struct rows *r, const struct row_key *k);
/* rows_fits - is this what the log says of it? */
bool rows_fits(const struct row *row, struct span text);
/* rows_gone_along - is a row to be gone with its user, group or folder, which no entry says? */
bool rows_gone_along(const struct rows *r, const struct row *row);
/* rows_text - the text of a row that should be there, from its entry; "" when it is not known. */
void rows_text(struct audit *a, const struct row *row, char *buf, size_t cap);
/* rows_each - every row that should be there, in no order. */
typedef int (*row_fn)(void *arg, struct row *row);
int rows_each(struct rows *r, row_fn fn, void *arg) MUST_USE;
#endif
