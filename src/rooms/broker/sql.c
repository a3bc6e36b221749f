/* sql.c - prepared statements: prepared once, bound and read by type. */
#include <sqlite3.h>

#include "rooms/broker/db.h"

#define SQL(NAME, binds, cols, access, text) [SQL_##NAME] = {#NAME, binds, cols, text, access},
const struct sql_row sql_table[SQL_COUNT] = {
#include "rooms/broker/sql.def"
};
#undef SQL

static int
prepare(struct db *db, enum sql_id id, sqlite3_stmt **ret)
{
	sqlite3_stmt **slot = db_stmt(db, id);

	if (*slot == NULL) {
		int rc = sqlite3_prepare_v3(
		    db_handle(db), sql_table[id].text, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);

		if (rc != SQLITE_OK)
			return db_err(db, rc);
	}
	VERIFY(!sqlite3_stmt_busy(*slot));
	*ret = *slot;
	return SP_OK;
}

static int
bind_one(struct db *db, sqlite3_stmt *stmt, int at, const struct sql_arg *a)
{
	int rc;

	if (a->kind == 'i')
		rc = sqlite3_bind_int64(stmt, at, a->i);
	else if (a->kind == 't')
		rc = sqlite3_bind_text64(
		    stmt, at, (const char *)a->s.ptr, a->s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		rc = sqlite3_bind_blob64(stmt, at, a->s.ptr, a->s.len, SQLITE_TRANSIENT);
	return rc == SQLITE_OK ? SP_OK : db_err(db, rc);
}

struct sql
sql_query_args(struct db *db, enum sql_id id, const struct sql_arg *args, size_t n)
{
	struct sql q = {.db = db, .row = &sql_table[id]};

	VERIFY(n == strlen(q.row->binds));
	if (q.row->access == RW)
		q.err = db_begin(db);
	if (q.err == SP_OK)
		q.err = prepare(db, id, (sqlite3_stmt **)&q.stmt);
	for (size_t i = 0; i < n && q.err == SP_OK; i++) {
		VERIFY(args[i].kind == q.row->binds[i]);
		q.err = bind_one(db, (sqlite3_stmt *)q.stmt, (int)i + 1, &args[i]);
	}
	return q;
}

int
sql_step(struct sql *q)
{
	int rc;

	if (q->err != SP_OK)
		return q->err;
	rc = sqlite3_step((sqlite3_stmt *)q->stmt);
	q->column = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return q->err = db_err(q->db, rc);
}

static int
next_column(struct sql *q, char kind)
{
	VERIFY(q->row->cols[q->column] == kind);
	return q->column++;
}

int64_t
sql_i64(struct sql *q)
{
	return sqlite3_column_int64((sqlite3_stmt *)q->stmt, next_column(q, 'i'));
}

struct span
sql_text(struct sql *q)
{
	int at = next_column(q, 't');
	const void *p = sqlite3_column_text((sqlite3_stmt *)q->stmt, at);

	return span_of(
	    p, p == NULL ? 0 : (size_t)sqlite3_column_bytes((sqlite3_stmt *)q->stmt, at));
}

struct span
sql_blob(struct sql *q)
{
	int at = next_column(q, 'b');
	const void *p = sqlite3_column_blob((sqlite3_stmt *)q->stmt, at);

	return span_of(
	    p, p == NULL ? 0 : (size_t)sqlite3_column_bytes((sqlite3_stmt *)q->stmt, at));
}

void
sql_end(struct sql *q)
{
	if (q->stmt == NULL)
		return;
	(void)sqlite3_reset((sqlite3_stmt *)q->stmt); /* repeats the error of the last step */
	(void)sqlite3_clear_bindings((sqlite3_stmt *)q->stmt);
	q->stmt = NULL;
}

int
sql_run_args(struct db *db, enum sql_id id, const struct sql_arg *args, size_t n)
{
	DEFER(sql_end) struct sql q = sql_query_args(db, id, args, n);
	int err;

	do
		err = sql_step(&q);
	while (err == 1);
	return err;
}

int
sql_get_args(struct db *db, enum sql_id id, int64_t *ret_v, const struct sql_arg *args, size_t n)
{
	DEFER(sql_end) struct sql q = sql_query_args(db, id, args, n);
	int err = sql_step(&q);

	if (err == 1)
		*ret_v = sql_i64(&q);
	return err;
}

void
sql_text_of(struct sql *q, char *buf, size_t cap)
{
	struct span s = span_cut(sql_text(q), cap - 1);

	if (s.len != 0)
		memcpy(buf, s.ptr, s.len);
	buf[s.len] = '\0';
}
