/* db.h - the database file: opening, migrating, and the one transaction of a group commit. */
#ifndef SP_BROKER_DB_H
#define SP_BROKER_DB_H

#include "rooms/broker/sql.h"

#define DB_FILE "sallyport.db"
#define DB_SCHEMA 6 /* newest row of schema.def; db_test checks it */

struct sqlite3;

/* db_open - open dir/sallyport.db, or make it, and bring its schema up to date.
 *   dir      absolute path of the database folder; ":memory:" for tests
 *   create   make it when there is none; otherwise SP_ENOTFOUND
 *   ret      owned by the caller (db_close)
 *   errors   SP_ESCHEMA (made by a newer version), SP_EIO, SP_EDISKFULL, SP_EDAMAGED (also: another
 * process has it) */
int db_open(const char *dir, bool create, struct db **ret) MUST_USE;
void db_close(struct db *db);

/* db_init - a new instance's content: segment length and the first organisation with "/" and
 * "/Home". */
int db_init(struct db *db, int64_t segment_bytes, struct span org, int64_t now_us) MUST_USE;

/* db_org_add - an organisation with its root folder and /Home. errors SP_EEXISTS */
int db_org_add(struct db *db, struct span name, int64_t now_us, int64_t *ret_org) MUST_USE;

/* One transaction for all that happens in one wake-up.  It is opened by the first writing
 * statement. db_commit   makes it durable; SP_OK also when there is none.  On an error everything
 * is rolled back. db_mark     begin of one operation inside it; db_keep, db_undo end it: undo takes
 * back its writes only. Marks nest. */
bool db_is_open(const struct db *db);
int db_commit(struct db *db) MUST_USE;
void db_rollback(struct db *db);
int db_mark(struct db *db) MUST_USE;
int db_keep(struct db *db) MUST_USE;
void db_undo(struct db *db);

/* db_last_id - row number of the last INSERT.  db_changes - rows the last statement changed. */
int64_t db_last_id(struct db *db);
int64_t db_changes(struct db *db);
/* db_meta, db_meta_set - a number in `meta`; 0 when there is none. */
int64_t db_meta(struct db *db, const char *key);
int db_meta_set(struct db *db, const char *key, int64_t value) MUST_USE;
/* db_size - bytes of the database file and its log. */
int64_t db_size(struct db *db);
/* db_checkpoint - move the log into the file and truncate it: after shredding, so that no old page
 * stays. */
int db_checkpoint(struct db *db) MUST_USE;
/* db_check - SQLite's own integrity check: SP_OK or SP_EDAMAGED with its first line in why. */
int db_check(struct db *db, char *why, size_t cap) MUST_USE;

/* db_schema_check - tables, indexes and triggers are those of schema.def, and there are no others.
 *   errors  SP_EDAMAGED with the first that differs in why; SP_ENOMEM, SP_EIO */
int db_schema_check(struct db *db, char *why, size_t cap) MUST_USE;
/* db_open_look - an existing database, to look at: nothing is written, nothing brought up to date.
 *   errors  as db_open; SP_ESCHEMA also when it is older */
int db_open_look(const char *dir, struct db **ret) MUST_USE;

/* Online copy.  begin: to dir/<name> (replaced); step: copies some pages: 1 there is more, 0
 * complete; end: safe twice. */
struct db_copy;
int db_copy_begin(struct db *db, const char *name, struct db_copy **ret) MUST_USE;
int db_copy_step(struct db_copy *c, int pages) MUST_USE;
int db_copy_end(struct db_copy *c);
const char *db_path(const struct db *db); /* of the folder; borrowed */

/* for sql.c and the tests */
struct sqlite3 *db_handle(struct db *db);
struct sqlite3_stmt **db_stmt(struct db *db, enum sql_id id);
int db_err(struct db *db, int rc);
int db_begin(struct db *db) MUST_USE;
#endif
