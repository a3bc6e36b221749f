/* db.c - SQLite as one file: WAL, synchronous=FULL, secure_delete, one process, one transaction per
 * group. */
#include <sqlite3.h>
#include <stdio.h>
#include <errno.h>

#include "base/text.h"
#include "rooms/broker/db.h"
#include "rooms/broker/rows.h"
#include "sys/log.h"

struct db {
	sqlite3 *handle;
	sqlite3_stmt *stmt[SQL_COUNT];
	bool open; /* a transaction */
	int fault; /* the last error that SQLite may have rolled it back for */
	char *dir;
};

struct db_copy {
	sqlite3 *to;
	sqlite3_backup *work;
	struct db *db;
};

static const struct {
	int number;
	const char *text;
} migrations[] = {
#define MIGRATION(number, ...) {number, __VA_ARGS__},
#include "rooms/broker/schema.def"
#undef MIGRATION
};

struct sqlite3 *
db_handle(struct db *db)
{
	return db->handle;
}

sqlite3_stmt **
db_stmt(struct db *db, enum sql_id id)
{
	return &db->stmt[id];
}

const char *
db_path(const struct db *db)
{
	return db->dir;
}

static int
translate(struct db *db, int rc)
{
	int sys = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return SP_OK;
	case SQLITE_CONSTRAINT:
		return SP_EEXISTS;
	case SQLITE_NOMEM:
		return SP_ENOMEM;
	default:
		break;
	}
	log_error("database: %s (%d, errno %d)",
	    db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc), rc, sys);
	if ((rc & 0xff) == SQLITE_FULL || sys == ENOSPC || sys == EDQUOT)
		return SP_EDISKFULL;
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		return SP_EDAMAGED;
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
		return SP_ERUNNING;
	return SP_EIO;
}

/* one place that turns SQLite's codes into ours; logs what is no ordinary outcome */
int
db_err(struct db *db, int rc)
{
	int err = translate(db, rc);

	if (err != SP_OK && err != SP_EEXISTS)
		db->fault = err;
	return err;
}

/* After a full disk, an I/O error or without memory SQLite takes the whole transaction back by
 * itself; what would be written then would be on its own, so nothing is until the group has been
 * told. */
static bool
is_lost(const struct db *db)
{
	return db->open && sqlite3_get_autocommit(db->handle);
}

static int
exec(struct db *db, const char *text)
{
	return db_err(db, sqlite3_exec(db->handle, text, NULL, NULL, NULL));
}

static int
pragma_i64(struct db *db, const char *text, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, text, -1, &s, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		*ret = sqlite3_column_int64(s, 0);
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(s); /* the same error again */
	return db_err(db, rc);
}

/* all rows of one number, in one transaction */
static int
migrate_step(struct db *db, int64_t number)
{
	char set[64];
	int err = exec(db, "BEGIN IMMEDIATE");

	for (size_t i = 0; i < ARRAY_LEN(migrations) && err == SP_OK; i++)
		if (migrations[i].number == number)
			err = exec(db, migrations[i].text);
	(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d; COMMIT", (int)number);
	if (err == SP_OK)
		err = exec(db, set);
	if (err != SP_OK && !sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(
		    db->handle, "ROLLBACK", NULL, NULL, NULL); /* the first error counts */
	return err;
}

static int
migrate(struct db *db)
{
	int64_t have = 0;
	int err = pragma_i64(db, "PRAGMA user_version", &have);

	if (err != SP_OK)
		return err;
	if (have > DB_SCHEMA)
		return SP_ESCHEMA;
	for (int64_t next = have + 1; next <= DB_SCHEMA && err == SP_OK; next++)
		err = migrate_step(db, next);
	return err;
}

/* Exclusive locking: one process for the life of the file, and no shared-memory file under the
 * sandbox. */
static int
set_up(struct db *db, bool look)
{
	static const char *const pragmas[] = {
	    "PRAGMA locking_mode = EXCLUSIVE",
	    "PRAGMA temp_store = MEMORY",
	    "PRAGMA query_only = ON",
	    /* from here on only where something is written */
	    "PRAGMA query_only = OFF",
	    "PRAGMA journal_mode = WAL",
	    "PRAGMA synchronous = FULL",
	    "PRAGMA secure_delete = ON",
	    "PRAGMA foreign_keys = ON",
	    "PRAGMA cache_size = -16384",
	    "PRAGMA journal_size_limit = 67108864",
	    "PRAGMA wal_autocheckpoint = 4000",
	};
	int err = SP_OK;

	(void)sqlite3_extended_result_codes(db->handle, 1);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	(void)sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(db->handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1024);
	if (look)
		(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	for (size_t i = 0; i < (look ? 3 : ARRAY_LEN(pragmas)) && err == SP_OK; i++)
		err = exec(db, pragmas[i]);
	return err;
}

/* ---- what is on record of rows: noticed by triggers, so that no change of a handler is forgotten
 * ---- */

static const struct {
	int kind;
	const char *table, *key, *columns;
} watched[] = {
#define ROWS(NAME, name, table, keys, position, key, columns) {ROWS_##NAME, table, key, columns},
#include "ipc/rows.def"
#undef ROWS
};

/* put_key - the key's text with NEW or OLD for each %s. */
static void
put_key(struct text *t, const char *key, const char *which)
{
	struct span rest = span_str(key);

	while (rest.len != 0) {
		size_t n = span_find(rest, '%');

		text_add(t, span_cut(rest, n));
		if (n < rest.len)
			text_str(t, which);
		rest = span_skip(rest, n < rest.len ? n + 2 : n);
	}
}

static int
watch(struct db *db, size_t i, const char *when, const char *which)
{
	char text[1024];
	struct text t = text_of(text, sizeof(text));

	text_fmt(&t, "CREATE TEMP TRIGGER watch_%s_%.3s_%s AFTER %s ON main.%s BEGIN",
	    watched[i].table, when, which, when, watched[i].table);
	/* not OR IGNORE: what the outer statement does about conflicts would count instead */
	text_fmt(&t, " INSERT INTO touched SELECT %d, ", watched[i].kind);
	put_key(&t, watched[i].key, which);
	text_fmt(&t, " WHERE NOT EXISTS (SELECT 1 FROM touched WHERE (kind, a, b, c) = (%d, ",
	    watched[i].kind);
	put_key(&t, watched[i].key, which);
	text_str(&t, ")); END");
	VERIFY(!t.bad);
	return exec(db, text);
}

/* Temporary tables and triggers belong to this connection: nothing of them is in the file. */
static int
watch_rows(struct db *db)
{
	int err =
	    exec(db, "CREATE TEMP TABLE touched (kind INTEGER, a INTEGER, b INTEGER, c INTEGER,"
		     " PRIMARY KEY (kind, a, b, c)) WITHOUT ROWID");

	for (size_t i = 0; i < ARRAY_LEN(watched) && err == SP_OK; i++) {
		char when[256];

		if (watched[i].columns[0] == '\0')
			continue; /* told by rows_touch, or never asked for */
		(void)snprintf(when, sizeof(when), "UPDATE OF %s", watched[i].columns);
		if ((err = watch(db, i, "INSERT", "NEW")) == SP_OK &&
		    (err = watch(db, i, "DELETE", "OLD")) == SP_OK &&
		    (err = watch(db, i, when, "OLD")) == SP_OK)
			err = watch(db, i, when, "NEW");
	}
	return err;
}

static int
open_file(const char *dir, const char *name, int flags, sqlite3 **ret)
{
	char path[4096 + 64];
	bool memory = strcmp(dir, ":memory:") == 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return SQLITE_CANTOPEN;
	return sqlite3_open_v2(memory ? ":memory:" : path, ret,
	    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
}

static int
is_current(struct db *db)
{
	int64_t have = 0;
	int err = pragma_i64(db, "PRAGMA user_version", &have);

	return err != SP_OK ? err : have == DB_SCHEMA ? SP_OK : SP_ESCHEMA;
}

static int
open_with(const char *dir, int flags, bool look, struct db **ret)
{
	struct db *db = mem_alloc(sizeof(*db));
	int rc, err;

	if (db == NULL || (db->dir = mem_dup(span_str(dir))) == NULL) {
		mem_free(db);
		return SP_ENOMEM;
	}
	rc = open_file(dir, DB_FILE, SQLITE_OPEN_READWRITE | flags, &db->handle);
	if ((rc & 0xff) == SQLITE_CANTOPEN)
		err = SP_ENOTFOUND;
	else
		err = db_err(db, rc);
	if (err == SP_OK)
		err = set_up(db, look);
	if (err == SP_OK)
		err = look ? is_current(db) : migrate(db);
	if (err == SP_OK && !look)
		err = watch_rows(db);
	if (err != SP_OK) {
		db_close(db);
		return err;
	}
	*ret = db;
	return SP_OK;
}

int
db_open(const char *dir, bool create, struct db **ret)
{
	return open_with(dir, create ? SQLITE_OPEN_CREATE : 0, /* look= */ false, ret);
}

int
db_open_look(const char *dir, struct db **ret)
{
	/* a file that can only be read cannot be locked, and its log not be read */
	return open_with(dir, 0, /* look= */ true, ret);
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	if (db->open)
		db_rollback(db);
	for (size_t i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(db->stmt[i]); /* the same error again */
	(void)sqlite3_close(db->handle);	     /* nothing left to lose: all is committed */
	mem_free(db->dir);
	mem_free(db);
}

bool
db_is_open(const struct db *db)
{
	return db->open;
}

int
db_begin(struct db *db)
{
	int err;

	if (is_lost(db))
		return db->fault;
	if (db->open)
		return SP_OK;
	err = exec(db, "BEGIN IMMEDIATE");
	db->open = err == SP_OK;
	return err;
}

int
db_commit(struct db *db)
{
	int err;

	if (!db->open)
		return SP_OK;
	err = is_lost(db) ? db->fault : exec(db, "COMMIT");
	if (err != SP_OK)
		db_rollback(db);
	db->open = false;
	return err;
}

void
db_rollback(struct db *db)
{
	for (size_t i = 0; i < SQL_COUNT; i++)
		if (db->stmt[i] != NULL)
			(void)sqlite3_reset(db->stmt[i]); /* the same error again */
	if (!sqlite3_get_autocommit(db->handle))
		(void)exec(db, "ROLLBACK"); /* logged there; nothing more can be done */
	db->open = false;
}

int
db_mark(struct db *db)
{
	int err = db_begin(db);

	return err == SP_OK ? exec(db, "SAVEPOINT op") : err;
}

int
db_keep(struct db *db)
{
	return exec(db, "RELEASE op");
}

void
db_undo(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		(void)exec(db, "ROLLBACK TO op; RELEASE op"); /* logged there */
}

int64_t
db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t
db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t
db_meta(struct db *db, const char *key)
{
	int64_t v = 0;

	return sql_get(db, SQL_META_GET, &v, ST(span_str(key))) == 1 ? v : 0;
}

int
db_meta_set(struct db *db, const char *key, int64_t value)
{
	return sql_run(db, SQL_META_SET, ST(span_str(key)), SI(value));
}

int64_t
db_size(struct db *db)
{
	int64_t pages = 0, bytes = 0;

	if (pragma_i64(db, "PRAGMA page_count", &pages) != SP_OK ||
	    pragma_i64(db, "PRAGMA page_size", &bytes) != SP_OK)
		return 0;
	return pages * bytes;
}

int
db_checkpoint(struct db *db)
{
	return db_err(db,
	    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

int
db_check(struct db *db, char *why, size_t cap)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(1)", -1, &s, NULL);
	const char *line = "the check did not run";
	bool good = false;

	if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		line = (const char *)sqlite3_column_text(s, 0);
		good = line != NULL && strcmp(line, "ok") == 0;
	}
	(void)snprintf(why, cap, "%s", line != NULL ? line : "");
	(void)sqlite3_finalize(s); /* the same error again */
	return good ? SP_OK : SP_EDAMAGED;
}

static int
add_folder(struct db *db, int64_t org, int64_t parent, const char *name, int64_t type,
    int64_t now_us, int64_t *ret)
{
	int err = sql_run(db, SQL_FOLDER_ADD, SI(org), SI(parent), ST(span_str(name)),
	    SI(parent != 0 ? 0 : 1), SI(type), SI(/* system= */ 1), SI(/* owner= */ 0), SI(now_us));

	*ret = db_last_id(db);
	return err;
}

int
db_org_add(struct db *db, struct span name, int64_t now_us, int64_t *ret_org)
{
	int64_t org, root, home;
	int err;

	if ((err = db_mark(db)) != SP_OK)
		return err;
	if ((err = sql_run(db, SQL_ORG_ADD, ST(name), SI(now_us))) == SP_OK) {
		org = db_last_id(db);
		err = rows_touch(db, ROWS_ORG, org);
	}
	if (err == SP_OK) {
		/* /Home does not inherit: rights on "/" never reach into home folders by themselves
		 */
		if ((err = add_folder(db, org, 0, "", 6, now_us, &root)) == SP_OK &&
		    (err = add_folder(db, org, root, "Home", 1, now_us, &home)) == SP_OK)
			err = sql_run(db, SQL_FOLDER_COUNT_FOLDERS, SI(root), SI(1), SI(now_us));
		*ret_org = org;
	}
	if (err != SP_OK) {
		db_undo(db);
		return err;
	}
	return db_keep(db);
}

int
db_init(struct db *db, int64_t segment_bytes, struct span org, int64_t now_us)
{
	int64_t id;
	int err = db_meta_set(db, "segment", segment_bytes);

	if (err == SP_OK)
		err = db_org_add(db, org, now_us, &id);
	if (err == SP_OK)
		return db_commit(db);
	db_rollback(db);
	return err;
}

int
db_copy_begin(struct db *db, const char *name, struct db_copy **ret)
{
	struct db_copy *c = mem_alloc(sizeof(*c));
	int rc;

	if (c == NULL)
		return SP_ENOMEM;
	c->db = db;
	rc = open_file(db->dir, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &c->to);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->to, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
	if (rc == SQLITE_OK &&
	    (c->work = sqlite3_backup_init(c->to, "main", db->handle, "main")) == NULL)
		rc = sqlite3_errcode(c->to);
	if (rc != SQLITE_OK) {
		(void)db_copy_end(c); /* the first error is the one to tell */
		return db_err(db, rc);
	}
	*ret = c;
	return SP_OK;
}

int
db_copy_step(struct db_copy *c, int pages)
{
	int rc = sqlite3_backup_step(c->work, pages);

	if (rc == SQLITE_DONE)
		return 0;
	if (rc == SQLITE_OK)
		return 1;
	return db_err(c->db, rc);
}

int
db_copy_end(struct db_copy *c)
{
	int rc = SQLITE_OK;

	if (c == NULL)
		return SP_OK;
	if (c->work != NULL)
		rc = sqlite3_backup_finish(c->work);
	if (c->to != NULL && rc == SQLITE_OK)
		rc = sqlite3_close(c->to);
	else if (c->to != NULL)
		(void)sqlite3_close(c->to); /* the first error is the one to tell */
	if (rc != SQLITE_OK)
		rc = db_err(c->db, rc);
	mem_free(c);
	return rc;
}
