/* sql_test.c - prepares every row of sql.def against the real schema: a typo, a wrong signature, a
 * write hiding in an RO row, a second statement or a walk over a whole table fails the build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "rooms/broker/db.h"

/* the rows of migration 1 */
static const char *const first_release[] = {
#define MIGRATION(number, ...) (number) == 1 ? __VA_ARGS__ : "",
#include "rooms/broker/schema.def"
#undef MIGRATION
};

static void
check_row(sqlite3 *h, const struct sql_row *r)
{
	sqlite3_stmt *st = NULL;
	const char *tail = "";

	if (sqlite3_prepare_v2(h, r->text, -1, &st, &tail) != SQLITE_OK)
		fail_msg("%s: %s", r->name, sqlite3_errmsg(h));
	if (*tail != '\0')
		fail_msg("%s: more than one statement", r->name);
	if ((size_t)sqlite3_bind_parameter_count(st) != strlen(r->binds))
		fail_msg("%s: takes %d values", r->name, sqlite3_bind_parameter_count(st));
	if ((size_t)sqlite3_column_count(st) != strlen(r->cols))
		fail_msg("%s: gives %d columns", r->name, sqlite3_column_count(st));
	if ((sqlite3_stmt_readonly(st) != 0) != (r->access == RO))
		fail_msg("%s: access", r->name);
	sqlite3_finalize(st);
}

/* A column that is a plain column of a table must have the declared type of its letter. */
static void
check_types(sqlite3 *h, const struct sql_row *r)
{
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_prepare_v2(h, r->text, -1, &st, NULL), SQLITE_OK);
	for (int i = 0; i < sqlite3_column_count(st); i++) {
		const char *type = sqlite3_column_decltype(st, i);
		char want = type == NULL     ? r->cols[i]
			    : type[0] == 'I' ? 'i'
			    : type[0] == 'T' ? 't'
					     : 'b';

		if (want != r->cols[i])
			fail_msg("%s: column %d is %s", r->name, i, type);
	}
	sqlite3_finalize(st);
}

static void
check_plan(sqlite3 *h, const struct sql_row *r)
{
	char text[4096];
	sqlite3_stmt *st = NULL;

	assert_true(
	    snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", r->text) < (int)sizeof(text));
	assert_int_equal(sqlite3_prepare_v2(h, text, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(st, 3);

		if (strncmp(line, "SCAN ", 5) == 0 && strcmp(line, "SCAN CONSTANT ROW") != 0)
			fail_msg("%s: %s", r->name, line);
	}
	sqlite3_finalize(st);
}

static void
test_rows(void **state)
{
	struct db *db = NULL;

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	for (int i = 0; i < SQL_COUNT; i++) {
		check_row(db_handle(db), &sql_table[i]);
		check_types(db_handle(db), &sql_table[i]);
		check_plan(db_handle(db), &sql_table[i]);
	}
	db_close(db);
}

/* Pages by name, and the queue of what is to be hashed, cost the same wherever they begin: a range
 * of an index, in its own order. */
static void
test_ranges(void **state)
{
	static const struct {
		enum sql_id id;
		const char *range;
	} rows[] = {
	    {SQL_FOLDERS_AFTER, "(parent=? AND name>?)"},
	    {SQL_FILES_AFTER, "(folder=? AND name>?)"},
	    {SQL_VERSION_UNHASHED, "version_unhashed (damaged=? AND id>?)"},
	};
	struct db *db = NULL;

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[1024];
		sqlite3_stmt *st = NULL;
		bool found = false;

		(void)snprintf(
		    text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql_table[rows[i].id].text);
		assert_int_equal(sqlite3_prepare_v2(db_handle(db), text, -1, &st, NULL), SQLITE_OK);
		while (sqlite3_step(st) == SQLITE_ROW) {
			const char *line = (const char *)sqlite3_column_text(st, 3);

			found = found || strstr(line, rows[i].range) != NULL;
			if (strstr(line, "TEMP B-TREE") != NULL)
				fail_msg("%s: %s", sql_table[rows[i].id].name, line);
		}
		sqlite3_finalize(st);
		if (!found)
			fail_msg(
			    "%s does not search %s", sql_table[rows[i].id].name, rows[i].range);
	}
	db_close(db);
}

static void
test_use(void **state)
{
	struct db *db = NULL;
	int64_t org = 0, v = 0;

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	assert_int_equal(db_init(db, 131072, SPAN_LIT("Acme"), 7), SP_OK);
	assert_int_equal(db_meta(db, "segment"), 131072);
	assert_int_equal(db_meta(db, "nothing"), 0);
	assert_int_equal(sql_get(db, SQL_ORG_BY_NAME, &org, ST(SPAN_LIT("acme"))), 1);
	assert_int_equal(org, 1);
	/* a name is taken only once; the operation's other writes go too */
	assert_int_equal(db_org_add(db, SPAN_LIT("ACME"), 8, &org), SP_EEXISTS);
	assert_int_equal(sql_get(db, SQL_FOLDER_ROOT, &v, SI(2)), 0);
	assert_int_equal(db_org_add(db, SPAN_LIT("Other"), 8, &org), SP_OK);
	assert_true(db_is_open(db));
	db_rollback(db);
	assert_int_equal(sql_get(db, SQL_ORG_BY_NAME, &v, ST(SPAN_LIT("Other"))), 0);
	/* undo inside a transaction leaves the rest of it */
	assert_int_equal(db_meta_set(db, "a", 1), SP_OK);
	assert_int_equal(db_mark(db), SP_OK);
	assert_int_equal(db_meta_set(db, "b", 1), SP_OK);
	db_undo(db);
	assert_int_equal(db_commit(db), SP_OK);
	assert_int_equal(db_meta(db, "a"), 1);
	assert_int_equal(db_meta(db, "b"), 0);
	db_close(db);
}

/* a file and a folder cannot share a name */
static void
test_names_once(void **state)
{
	struct db *db = NULL;
	int64_t root = 0, home = 0;

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	assert_int_equal(db_init(db, 131072, SPAN_LIT("Acme"), 7), SP_OK);
	assert_int_equal(sql_get(db, SQL_FOLDER_ROOT, &root, SI(1)), 1);
	assert_int_equal(sql_get(db, SQL_FOLDER_CHILD, &home, SI(root), ST(SPAN_LIT("Home"))), 1);
	assert_int_equal(sql_run(db, SQL_FILE_ADD, SI(1), SI(1), SI(root), ST(SPAN_LIT("Home")),
			     SI(1), SI(0), SI(1)),
	    SP_EEXISTS);
	assert_int_equal(sql_run(db, SQL_FILE_ADD, SI(2), SI(1), SI(root), ST(SPAN_LIT("x")), SI(1),
			     SI(0), SI(1)),
	    SP_OK);
	assert_int_equal(sql_run(db, SQL_FILE_ADD, SI(3), SI(1), SI(root), ST(SPAN_LIT("x")), SI(1),
			     SI(0), SI(1)),
	    SP_EEXISTS);
	assert_int_equal(sql_run(db, SQL_FOLDER_ADD, SI(1), SI(root), ST(SPAN_LIT("x")), SI(1),
			     SI(1), SI(0), SI(0), SI(1)),
	    SP_EEXISTS);
	/* by moving neither */
	assert_int_equal(
	    sql_run(db, SQL_FILE_MOVE, SI(2), SI(root), ST(SPAN_LIT("Home"))), SP_EEXISTS);
	assert_int_equal(
	    sql_run(db, SQL_FOLDER_MOVE, SI(home), SI(root), ST(SPAN_LIT("x"))), SP_EEXISTS);
	assert_int_equal(
	    sql_run(db, SQL_FOLDER_MOVE, SI(home), SI(root), ST(SPAN_LIT("y"))), SP_OK);
	db_close(db);
}

static void
test_newer_schema(void **state)
{
	char dir[] = "/tmp/sp-db-XXXXXX", path[64];
	struct db *db = NULL;
	sqlite3 *h = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(db_open(dir, false, &db), SP_ENOTFOUND);
	assert_int_equal(db_open(dir, true, &db), SP_OK);
	assert_int_equal(db_init(db, 65536, SPAN_LIT("Acme"), 7), SP_OK);
	db_close(db);
	assert_int_equal(db_open(dir, false, &db), SP_OK);
	assert_int_equal(db_meta(db, "segment"), 65536);
	db_close(db);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
	assert_int_equal(db_open(dir, false, &db), SP_ESCHEMA);
	(void)remove(path);
	(void)rmdir(dir);
}

/* A database of the first release: uploads and versions that are there are still there after. */
static void
test_older_schema(void **state)
{
	char dir[] = "/tmp/sp-db-XXXXXX", path[64];
	struct db *db = NULL;
	sqlite3 *h = NULL;
	int64_t v = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	for (size_t i = 0; i < ARRAY_LEN(first_release); i++)
		assert_int_equal(sqlite3_exec(h, first_release[i], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(h,
		"PRAGMA user_version = 1; INSERT INTO org (name, created_us) VALUES ('Acme', 1);"
		"INSERT INTO upload VALUES (5, 1, 1, 1, 'n', '/n', zeroblob(16), zeroblob(96), 9,"
		" 0, 1, 1)",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(h);
	assert_int_equal(db_open(dir, false, &db), SP_OK);
	assert_int_equal(sql_run(db, SQL_UPLOAD_PROGRESS, SI(5), SI(3), SI(4)), SP_OK);
	assert_int_equal(sql_get(db, SQL_UPLOAD_KEPT_NEXT, &v, SI(0)), 1);
	assert_int_equal(v, 5);
	db_close(db);
	(void)remove(path);
	(void)rmdir(dir);
}

static void
test_copy(void **state)
{
	char dir[] = "/tmp/sp-db-XXXXXX", path[64], why[128];
	struct db *db = NULL, *copy = NULL;
	struct db_copy *c = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(db_open(dir, true, &db), SP_OK);
	assert_int_equal(db_init(db, 65536, SPAN_LIT("Acme"), 7), SP_OK);
	assert_int_equal(db_copy_begin(db, "copy.db", &c), SP_OK);
	assert_int_equal(db_copy_step(c, 1), 1);
	/* what is written while copying is in the copy */
	assert_int_equal(db_meta_set(db, "late", 5), SP_OK);
	assert_int_equal(db_commit(db), SP_OK);
	while (db_copy_step(c, 4) == 1)
		;
	assert_int_equal(db_copy_end(c), SP_OK);
	db_close(db);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	(void)remove(path);
	char from[64];
	(void)snprintf(from, sizeof(from), "%s/copy.db", dir);
	assert_int_equal(rename(from, path), 0);
	assert_int_equal(db_open(dir, false, &copy), SP_OK);
	assert_int_equal(db_meta(copy, "late"), 5);
	assert_int_equal(db_check(copy, why, sizeof(why)), SP_OK);
	assert_string_equal(why, "ok");
	db_close(copy);
	(void)remove(path);
	(void)rmdir(dir);
}

/* The disk is full in the middle of a group: nothing of it stays, whatever SQLite did by itself,
 * and later groups work. */
static void
test_full(void **state)
{
	char dir[] = "/tmp/sp-db-XXXXXX", path[64];
	static uint8_t big[70000];
	uint8_t id[16] = {0};
	struct db *db = NULL;
	int err = SP_OK;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(db_open(dir, true, &db), SP_OK);
	assert_int_equal(db_init(db, 65536, SPAN_LIT("Acme"), 7), SP_OK);
	assert_int_equal(
	    sqlite3_exec(db_handle(db), "PRAGMA max_page_count = 200", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(db_meta_set(db, "first", 1), SP_OK);
	for (int i = 1; i < 50 && err == SP_OK; i++) {
		id[0] = (uint8_t)i;
		assert_int_equal(db_mark(db), SP_OK);
		err = sql_run(db, SQL_BLOB_ADD, SB(span_of(id, 16)), SI(1), SI(1),
		    SB(span_of(big, 96)), SI(1), SI(0));
		if (err == SP_OK)
			err = sql_run(db, SQL_CONTENT_ADD, SB(span_of(id, 16)),
			    SB(span_of(big, sizeof(big))));
		if (err == SP_OK)
			err = db_keep(db);
	}
	assert_int_equal(err, SP_EDISKFULL);
	db_undo(db);
	/* as after an automatic rollback */
	if (!sqlite3_get_autocommit(db_handle(db)))
		assert_int_equal(
		    sqlite3_exec(db_handle(db), "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_meta_set(db, "second", 1), SP_EDISKFULL);
	assert_int_equal(db_mark(db), SP_EDISKFULL);
	assert_int_equal(db_commit(db), SP_EDISKFULL);
	assert_false(db_is_open(db));
	assert_int_equal(db_meta(db, "first"), 0);
	assert_int_equal(
	    sqlite3_exec(db_handle(db), "PRAGMA max_page_count = 100000", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(db_meta_set(db, "third", 1), SP_OK);
	assert_int_equal(db_commit(db), SP_OK);
	assert_int_equal(db_meta(db, "third"), 1);
	assert_int_equal(db_meta(db, "second"), 0);
	db_close(db);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	(void)remove(path);
	(void)rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_use),
	    cmocka_unit_test(test_names_once),
	    cmocka_unit_test(test_newer_schema),
	    cmocka_unit_test(test_older_schema),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
