/* sql.h - the only SQL of the program: a fixed table of prepared statements, used with typed
 *arguments.
 *
 *	DEFER(sql_end) struct sql q = sql_query(db, SQL_USER_BY_NAME, ST(name));
 *	if (sql_step(&q) == 1)
 *		id = sql_i64(&q), org = sql_i64(&q);
 *
 * A wrong type, too few or too many arguments or columns is a bug and ends the process (sql.def
 *says what a statement takes and gives).  Errors of the database are sticky: sql_step tells them.
 */
#ifndef SP_BROKER_SQL_H
#define SP_BROKER_SQL_H

#include "base/err.h"
#include "base/mem.h"

enum sql_access { RO, RW };
#define SQL(NAME, binds, cols, access, text) SQL_##NAME,
enum sql_id {
#include "rooms/broker/sql.def"
	SQL_COUNT
};
#undef SQL

struct sql_row {
	const char *name, *binds, *cols, *text;
	enum sql_access access;
};
extern const struct sql_row sql_table[SQL_COUNT];

struct db;
struct sqlite3_stmt;

struct sql_arg {
	char kind; /* i, t, b */
	int64_t i;
	struct span s;
};
#define SI(v) ((struct sql_arg){.kind = 'i', .i = (int64_t)(v)})
#define ST(v) ((struct sql_arg){.kind = 't', .s = (v)})
#define SB(v) ((struct sql_arg){.kind = 'b', .s = (v)})

struct sql {
	struct db *db;
	struct sqlite3_stmt *stmt;
	const struct sql_row *row;
	int column; /* next to be read */
	int err;    /* sticky */
};

/* sql_query - begin statement id with its arguments.  A writing statement opens the transaction
 * that db_commit ends.  A statement cannot be used again before sql_end. */
#define sql_query(db, id, ...)                                                                     \
	sql_query_args((db), (id), (const struct sql_arg[]){__VA_ARGS__},                          \
	    sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg))
struct sql sql_query_args(struct db *db, enum sql_id id, const struct sql_arg *args, size_t n);
/* sql_step - 1 with a row, 0 at the end, or an error: SP_EEXISTS (a name is taken), SP_EDISKFULL,
 * SP_EIO, SP_EDAMAGED, SP_ENOMEM. */
int sql_step(struct sql *q) MUST_USE;
/* sql_i64, sql_text, sql_blob - the next column of the row; spans are borrowed until the next step
 * or end. */
int64_t sql_i64(struct sql *q);
struct span sql_text(struct sql *q);
struct span sql_blob(struct sql *q);
/* sql_end - for DEFER; safe twice. */
void sql_end(struct sql *q);

/* sql_run - a statement without rows: SP_OK or the errors of sql_step.
 * sql_get - the one integer of a statement's first row: 1 with *ret_v, 0 without a row, or an
 * error. */
#define sql_run(db, id, ...)                                                                       \
	sql_run_args((db), (id), (const struct sql_arg[]){__VA_ARGS__},                            \
	    sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg))
int sql_run_args(struct db *db, enum sql_id id, const struct sql_arg *args, size_t n) MUST_USE;
#define sql_get(db, id, ret_v, ...)                                                                \
	sql_get_args((db), (id), (ret_v), (const struct sql_arg[]){__VA_ARGS__},                   \
	    sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg))
int sql_get_args(
    struct db *db, enum sql_id id, int64_t *ret_v, const struct sql_arg *args, size_t n) MUST_USE;

/* sql_text_of - copy a text column into an array, cut to cap - 1 bytes, NUL-terminated. */
void sql_text_of(struct sql *q, char *buf, size_t cap);
#endif
