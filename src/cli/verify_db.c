/* verify_db.c - the database against the audit log: every row has the entry that made it, and is as
 * that says; every row that an entry made is there.
 *
 * While a server runs its broker tells the rows (SQL is in one process, and the file is locked);
 * else the broker's program reads the file, without changing it.  A running broker may be at work
 * between record and commit: what differs is looked at again, and counts when it differs in the
 * same way.
 */
#include <stdio.h>

#include "cli/call.h"
#include "cli/program.h"
#include "cli/verify.h"
#include "cli/verify_entry.h"
#include "sys/clock.h"
#include "sys/operator.h"

#define PART "database"
#define TRIES 3
#define PAUSE_MS 1000

struct look {
	struct verify *v;
	struct rows *rows;
	json_t *found; /* object: what -> [expected, found]; owned */
	bool is_online;
	unsigned long long n_rows;
	unsigned tables; /* that were seen whole */
	uint64_t entry;	 /* the last that the database has seen */
	char why[512];	 /* it could not be done */
};

static void
look_done(struct look *l)
{
	rows_free(l->rows);
	l->rows = NULL;
	json_decref(l->found);
	l->found = NULL;
}

static int
note(struct look *l, const char *what, const char *expected, struct span found)
{
	json_t *pair = json_pack("[s, s%]", expected, (const char *)found.ptr, found.len);

	if (json_object_size(l->found) >= VERIFY_DIFFERENCES_MAX) {
		json_decref(pair);
		return SP_OK;
	}
	return pair != NULL && json_object_set_new(l->found, what, pair) == 0 ? SP_OK : SP_ENOMEM;
}

static void
name_row(const struct row_key *k, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	text_fmt(&t, "%s %lld", row_kind_name(k->kind), (long long)k->a);
	if (k->kind == ROW_MEMBER || k->kind == ROW_TOKEN || k->kind == ROW_SSH_KEY ||
	    k->kind == ROW_ACL)
		text_fmt(&t, " %lld", (long long)k->b);
	if (k->kind == ROW_ACL)
		text_fmt(&t, " %lld", (long long)k->c);
}

/* ---- rows that are there ---- */

/* session_name - a session is known by its token, not by its number.  1: it can be used, and is to
 * be on record; 0: it is over, or ends with its connection of the SFTP door. */
static int
session_name(struct row_key *key, struct span *text)
{
	uint64_t door, end_us;

	if (session_row(*text, key, text, &door, &end_us) != SP_OK)
		return 1; /* none of ours */
	return door == 0 && (int64_t)end_us > clock_wall_us();
}

static int
take_row(struct look *l, enum row_kind kind, const json_t *j)
{
	struct row_key key = {kind, json_integer_value(json_array_get(j, 0)),
	    json_integer_value(json_array_get(j, 1)), json_integer_value(json_array_get(j, 2))};
	const json_t *value = json_array_get(j, 3);
	struct span text = span_of(json_string_value(value), json_string_length(value));
	char what[96], expected[ROW_TEXT_MAX] = "";
	struct row *row;

	l->n_rows++;
	name_row(&key, what, sizeof(what));
	if (kind == ROW_SESSION && session_name(&key, &text) == 0)
		return SP_OK;
	row = rows_find(l->rows, &key);
	if (row == NULL)
		return note(l, what, "", text);
	row->seen = true;
	if (!rows_fits(row, text)) {
		rows_text(&l->v->audit, row, expected, sizeof(expected));
		return note(l, what, expected, text);
	}
	return kind != ROW_SESSION && rows_gone_along(l->rows, row) ? note(l, what, "", text)
								    : SP_OK;
}

/* begin - with the first answer: the log up to what the database has seen, or, where a server is at
 * work, up to its end. */
static int
begin(struct look *l, const json_t *page)
{
	struct audit *a = &l->v->audit;
	const json_t *schema = json_object_get(page, "schema");
	uint64_t end;
	int rc = SP_OK;

	audit_close(a);
	if (audit_open_say(l->v->c, a) != SP_OK)
		return SP_EVERIFY;
	l->entry = (uint64_t)json_integer_value(json_object_get(page, "entry"));
	end = tlog_end(a->log);
	if (l->entry != 0 && l->entry >= end) {
		char expected[64];

		(void)snprintf(expected, sizeof(expected), "%llu entries or more",
		    (unsigned long long)l->entry + 1);
		rc = note(l, "the audit log is shorter than what the database has seen", expected,
		    SPAN_LIT("fewer"));
	} else if (!l->is_online) {
		end = l->entry + 1;
	}
	if (rc == SP_OK && json_is_string(schema))
		rc = note(l, "the database's schema", "as this version makes it",
		    span_str(json_string_value(schema)));
	return rc == SP_OK ? rows_replay(a, end, &l->rows, l->why, sizeof(l->why)) : rc;
}

static int
take_page(struct look *l, enum row_kind kind, const json_t *page)
{
	const json_t *rows = json_object_get(page, "rows"), *row;
	int rc = l->rows == NULL ? begin(l, page) : SP_OK;
	size_t i;

	if (rc == SP_OK && !json_is_array(rows))
		rc = SP_ESYNTAX;
	if (rc != SP_OK)
		return rc;
	json_array_foreach(rows, i, row)
	{
		rc = take_row(l, kind, row);
		if (rc != SP_OK)
			return rc;
	}
	if (!json_is_true(json_object_get(page, "more")))
		l->tables |= 1u << kind;
	return SP_OK;
}

/* ---- where they come from ---- */

static int
set_after(json_t *args, const json_t *page)
{
	static const char *const keys[] = {"a", "b", "c"};
	const json_t *rows = json_object_get(page, "rows");
	const json_t *last = json_array_get(rows, json_array_size(rows) - 1);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_set_new(args, keys[i],
			json_sprintf(
			    "%lld", (long long)json_integer_value(json_array_get(last, i)))) != 0)
			return SP_ENOMEM;
	return json_array_size(rows) != 0 ? SP_OK : SP_ESYNTAX;
}

static int
ask_table(struct look *l, struct call *k, enum row_kind kind)
{
	DEFER(json_done) json_t *args = json_pack("{s:s}", "table", row_kind_name(kind));
	bool more = true;
	int rc = args != NULL ? SP_OK : SP_ENOMEM;

	while (rc == SP_OK && more) {
		DEFER(json_done) json_t *page = NULL;

		rc = call_verb(k, "verify rows", args, span_of(NULL, 0), &page);
		if (rc == SP_OK)
			rc = take_page(l, kind, page);
		more = rc == SP_OK && json_is_true(json_object_get(page, "more"));
		if (more)
			rc = set_after(args, page);
	}
	return rc;
}

static int
ask_server(struct look *l)
{
	DEFER(call_close) struct call k = {.buf = NULL};
	int rc = call_open(l->v->c, &k);

	for (int kind = 0; kind < ROW_COUNT && rc == SP_OK; kind++)
		rc = ask_table(l, &k, (enum row_kind)kind);
	return rc;
}

static int
take_line(void *arg, struct span line)
{
	struct look *l = arg;
	DEFER(json_done)
	json_t *page = json_loadb((const char *)line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *table = json_string_value(json_object_get(page, "table"));

	for (int kind = 0; kind < ROW_COUNT; kind++)
		if (table != NULL && strcmp(table, row_kind_name((enum row_kind)kind)) == 0)
			return take_page(l, (enum row_kind)kind, page);
	return SP_ESYNTAX;
}

static int
read_file(struct look *l)
{
	char broker[4096], db[4096], option[] = "--rows";
	char *argv[] = {broker, option, db, NULL};
	int rc = program_find("sallyport-broker", broker, sizeof(broker));

	if (rc == SP_OK)
		rc = cli_path(l->v->c, "db", db, sizeof(db));
	if (rc == SP_OK)
		rc = op_run_lines(broker, argv, take_line, l);
	if (rc > 0) {
		(void)snprintf(l->why, sizeof(l->why), "the database could not be read");
		return SP_EIO;
	}
	return rc;
}

/* ---- rows that are not there ---- */

static int
check_unseen(void *arg, struct row *row)
{
	struct look *l = arg;
	const struct row_key key = {(enum row_kind)row->kind, row->a, row->b, row->c};
	char what[96], expected[ROW_TEXT_MAX];

	if (row->seen || rows_gone_along(l->rows, row))
		return SP_OK;
	name_row(&key, what, sizeof(what));
	rows_text(&l->v->audit, row, expected, sizeof(expected));
	return note(l, what, expected[0] != '\0' ? expected : "to be there", span_of(NULL, 0));
}

static int
look_once(struct look *l)
{
	int rc;

	l->found = json_object();
	l->n_rows = l->tables = 0;
	if (l->found == NULL)
		return SP_ENOMEM;
	rc = l->is_online ? ask_server(l) : read_file(l);
	if (rc == SP_OK && l->tables != (1u << ROW_COUNT) - 1)
		rc = SP_ESYNTAX;
	return rc == SP_OK ? rows_each(l->rows, check_unseen, l) : rc;
}

/* keep_same - of `old` only what `new` has too, in the same way. */
static int
keep_same(json_t *old, const json_t *new)
{
	const char *what;
	json_t *pair;
	void *next;

	json_object_foreach_safe(old, next, what, pair)
	{
		if (!json_equal(pair, json_object_get(new, what)) &&
		    json_object_del(old, what) != 0)
			return SP_ENOMEM;
	}
	return SP_OK;
}

/* look_again - until nothing differs, or the same does several times. */
static int
look_again(struct look *l)
{
	int rc = look_once(l);

	for (int i = 1; i < TRIES && rc == SP_OK && l->is_online && json_object_size(l->found) != 0;
	     i++) {
		DEFER(look_done) struct look next = {.v = l->v, .is_online = true};

		clock_sleep_ms(PAUSE_MS);
		rc = look_once(&next);
		if (rc == SP_OK)
			rc = keep_same(l->found, next.found);
		memcpy(l->why, next.why, sizeof(l->why));
	}
	return rc;
}

int
verify_database_part(struct verify *v)
{
	DEFER(look_done) struct look l = {.v = v, .is_online = program_running(v->c)};
	const char *what;
	json_t *pair;
	int rc;

	if (!v->has_log) {
		verify_part(v, PART, false, "there is no audit log that it could be compared with");
		return SP_OK;
	}
	rc = look_again(&l);
	if (rc != SP_OK) {
		verify_part(v, PART, false, "%s", l.why[0] != '\0' ? l.why : sp_strerror(rc));
		return rc == SP_ENOMEM ? cli_fail(rc, "%s", sp_strerror(rc)) : SP_OK;
	}
	verify_part(v, PART, true, "%llu rows compared with the audit log%s", l.n_rows,
	    l.is_online ? ", as the running server tells them" : "");
	json_object_foreach(l.found, what, pair)
	{
		const json_t *expected = json_array_get(pair, 0), *found = json_array_get(pair, 1);

		verify_differs(v, PART, what,
		    span_of(json_string_value(expected), json_string_length(expected)),
		    span_of(json_string_value(found), json_string_length(found)));
	}
	return SP_OK;
}
