/* ring_pages_test.c - TOUCH, SPACE, folders that must be empty, and pages by name, against the
 * whole broker. */
#include <sqlite3.h>

#include "rooms/broker/ring_stage.h"

#include "rooms/broker/put.h"
#include "sys/fd.h"

#define HOME "/Home/alice"

/* ---- TOUCH, SPACE, REMOVE of an empty folder ---- */

static void
test_touch(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob = login_sftp(s, "bob");

	make(w, HOME "/d");
	assert_int_equal(put_small(w, HOME "/d/f", 5), IPC_ENTRY);
	assert_int_equal(ASK(w, touch, .path = TEXT(HOME "/d/f"), .modified_us = 77), IPC_DONE);
	assert_int_equal(ASK(w, touch, .path = TEXT(HOME "/d"), .modified_us = 88), IPC_DONE);
	assert_int_equal(at(w, HOME "/d/f").modified_us, 77);
	assert_int_equal(at(w, HOME "/d").modified_us, 88);
	assert_int_equal(count_events(s, EVENT_FILE_TOUCHED), 2);
	REFUSES(w, SP_ERANGE, touch, .path = TEXT(HOME "/d"), .modified_us = INT64_MAX);
	REFUSES(w, SP_ENOTFOUND, touch, .path = TEXT(HOME "/none"), .modified_us = 1);
	REFUSES(bob, SP_ENOTFOUND, touch, .path = TEXT(HOME "/d/f"), .modified_us = 1);
	let(s, (int64_t)at(w, HOME "/d").id, 2, RIGHT_LIST | RIGHT_READ);
	REFUSES(bob, SP_EPERM, touch, .path = TEXT(HOME "/d/f"), .modified_us = 1);
	assert_int_equal(count_events(s, EVENT_DENIED), 1);
	assert_int_equal(at(w, HOME "/d/f").modified_us, 77);
	worker_free(w), worker_free(bob);
}

static struct ipc_space_left
space(struct worker_end *w, const char *path)
{
	struct ipc_space_left m;

	assert_int_equal(ASK(w, space, .path = TEXT(path)), IPC_SPACE_LEFT);
	assert_int_equal(ipc_get_space_left(span_of(w->body, w->len), &m), SP_OK);
	return m;
}

static void
test_space(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	uint64_t total = 0, left = 0, files = 0;
	struct ipc_space_left m;

	make(w, HOME "/d");
	assert_int_equal(put_small(w, HOME "/d/f", 5), IPC_ENTRY);
	assert_int_equal(disk_space(s->b->blob_dir, &total, &left, &files), SP_OK);
	m = space(w, HOME);
	assert_int_equal(m.total, total);
	assert_true(m.free <= total && m.free != 0);
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(1000)), SP_OK);
	m = space(w, HOME "/d/f");
	assert_int_equal(m.total, 1000);
	assert_int_equal(m.free, 995);
	set_quota(s, (int64_t)at(w, HOME "/d").id, 100);
	assert_int_equal(space(w, HOME "/d").free, 95);
	assert_int_equal(space(w, HOME).free, 995);
	/* what is being uploaded counts */
	(void)begin_big(w, HOME "/d/up", 50);
	assert_int_equal(space(w, HOME "/d").free, 45);
	REFUSES(w, SP_ENOTFOUND, space, .path = TEXT("/Home/bob"));
	worker_free(w);
}

static void
test_remove_empty(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *two = login_sftp(s, "alice");

	make(w, HOME "/d"), make(w, HOME "/d/e");
	REFUSES(w, SP_ENOTEMPTY, remove, .path = TEXT(HOME "/d"), .kind = 3);
	assert_int_equal(ASK(w, remove, .path = TEXT(HOME "/d/e"), .kind = 3), IPC_DONE);
	assert_int_equal(put_small(w, HOME "/d/f", 5), IPC_ENTRY);
	REFUSES(w, SP_ENOTEMPTY, remove, .path = TEXT(HOME "/d"), .kind = 3);
	REFUSES(w, SP_ENOTFOLDER, remove, .path = TEXT(HOME "/d/f"), .kind = 3);
	assert_int_equal(ASK(w, remove, .path = TEXT(HOME "/d/f"), .kind = 2), IPC_DONE);
	/* something comes in between */
	s->is_holding = true;
	SEND(w, remove, .path = TEXT(HOME "/d"), .kind = 3);
	SEND(two, folder_make, .path = TEXT(HOME "/d/e"), .inherit = 1);
	s->held[2] = s->held[0];
	s->held[0] = s->held[1], s->held[1] = s->held[2];
	let_go(s);
	assert_int_equal(wait_reply(two), IPC_ENTRY);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_ENOTEMPTY);
	(void)at(w, HOME "/d/e");
	worker_free(w), worker_free(two);
}

/* ---- pages by name ---- */

#define MANY 200000

/* many files at once, all with the one version that is there */
static void
fill_folder(struct stage *s, int64_t folder, int n)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d)"
	    " INSERT INTO file (id, org, folder, name, version, size, created_us, modified_us)"
	    " SELECT 1000000 + x, 1, %lld, printf('f%%06d', x), (SELECT max(id) FROM version), 5,"
	    " 1, 1 FROM c",
	    n, (long long)folder);
	assert_int_equal(sqlite3_exec(db_handle(s->b->db), text, NULL, NULL, NULL), SQLITE_OK);
}

struct reading {
	uint8_t from;
	char after[256];
	unsigned rows, folders;
};

/* one page: in order, each name behind the last; false: the end */
static bool
next_page(struct worker_end *w, const char *path, struct reading *r)
{
	struct ipc_entries page;
	struct ipc_entry_rec row;
	struct rd rd;

	assert_int_equal(ASK(w, list, .path = TEXT(path), .what = 3, .limit = 10000,
			     .from = r->from, .after = TEXT(r->after)),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	rd = rd_of(page.rows);
	for (uint32_t i = 0; i < page.count; i++) {
		char name[256];

		assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
		(void)snprintf(
		    name, sizeof(name), "%.*s", (int)row.name.len, (const char *)row.name.ptr);
		if (row.kind == 1 && r->from == 1) {
			r->from = 2;
			r->after[0] = '\0';
		}
		assert_int_equal(row.kind, r->from - 1);
		assert_true(strcmp(name, r->after) > 0);
		memcpy(r->after, name, sizeof(name));
		r->rows++;
		r->folders += row.kind == 0;
	}
	return page.count != 0;
}

static int64_t
steps(struct stage *s)
{
	return sqlite3_stmt_status(
	    *db_stmt(s->b->db, SQL_FILES_AFTER), SQLITE_STMTSTATUS_VM_STEP, /* reset= */ 1);
}

static void
test_pages(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob = login_sftp(s, "bob");
	struct reading r = {.from = 1};
	int64_t home = (int64_t)at(w, HOME).id, first, last;
	unsigned n = 0;
	char path[64];

	for (unsigned i = 0; i < 450; i++) {
		(void)snprintf(path, sizeof(path), HOME "/d%03u", i);
		make(w, path);
	}
	assert_int_equal(put_small(w, HOME "/z", 5), IPC_ENTRY);
	fill_folder(s, home, MANY);
	while (next_page(w, HOME, &r)) {
		if (++n % 100 != 0)
			continue;
		/* behind and before where the reading is */
		(void)snprintf(path, sizeof(path), HOME "/zz%04u", n);
		assert_int_equal(put_small(w, path, 1), IPC_ENTRY);
		(void)snprintf(path, sizeof(path), HOME "/A%04u", n);
		assert_int_equal(put_small(w, path, 1), IPC_ENTRY);
		(void)snprintf(path, sizeof(path), HOME "/A%04u", n - 100);
		(void)ASK(w, remove, .path = TEXT(path), .kind = 1);
	}
	assert_int_equal(r.folders, 450);
	assert_int_equal(r.rows, 450 + MANY + 1 + n / 100);
	/* what a page costs does not depend on where it is */
	(void)steps(s);
	r = (struct reading){.from = 2};
	(void)next_page(w, HOME, &r);
	first = steps(s);
	(void)snprintf(r.after, sizeof(r.after), "f%06d", MANY - 1000);
	(void)next_page(w, HOME, &r);
	last = steps(s);
	assert_true(first > 0 && last <= first + 10);
	/* what is not seen is not there, as in every listing */
	r = (struct reading){.from = 1};
	while (next_page(bob, "/Home", &r))
		;
	assert_int_equal(r.rows, 1);
	assert_string_equal(r.after, "bob");
	REFUSES(bob, SP_ENOTFOUND, list, .path = TEXT(HOME), .what = 3, .limit = 1, .from = 1);
	let(s, home, 2, RIGHT_READ);
	REFUSES(bob, SP_EPERM, list, .path = TEXT(HOME), .what = 3, .limit = 1, .from = 1);
	/* a limit, one kind only, a name that is not there */
	struct ipc_entries page;
	assert_int_equal(
	    ASK(w, list, .path = TEXT(HOME), .what = 3, .limit = 2, .from = 1), IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.count, 2);
	assert_int_equal(page.total, 0);
	assert_int_equal(ASK(w, list, .path = TEXT(HOME), .what = 1, .limit = 9, .from = 1,
			     .after = TEXT("d449")),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.count, 0);
	assert_int_equal(ASK(w, list, .path = TEXT(HOME), .what = 3, .limit = 9, .from = 2,
			     .after = TEXT("zz9999")),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.count, 0);
	worker_free(w), worker_free(bob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_touch),
	    RING(test_space),
	    RING(test_remove_empty),
	    RING(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
