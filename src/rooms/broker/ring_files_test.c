/* ring_files_test.c - storing, reading, quotas, folders against the whole broker. */
#include <sqlite3.h>
#include <unistd.h>

#include "rooms/broker/login.h"
#include "rooms/broker/ring_stage.h"

#include "crypto/floe.h"
#include "sys/fd.h"

/* ---- storing and reading ---- */

static void
test_store(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *bob = login(s, "bob", NULL);
	uint64_t up;
	int64_t version;

	assert_int_equal(put_small(w, "/Home/alice/a", 5), IPC_ENTRY);
	version = entry_version(w);
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 1);
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/a")), IPC_FILE_INLINE);
	/* what bob may not see is not there */
	REFUSES(bob, SP_ENOTFOUND, open, .path = TEXT("/Home/alice/a"));
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice"));
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT("/Home/nobody"));
	REFUSES(bob, SP_ENOTFOUND, put, .path = TEXT("/Home/alice/b"), .size = 1, .small = 1);

	up = begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(count_blobs(s), 1);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/big"));
	fill(w, 100000);
	assert_int_equal(ASK(w, commit, .upload = up, .size = 100000), IPC_ENTRY);
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/big")), IPC_FILE_OPEN);
	assert_true(w->fd >= 0);
	assert_int_equal(s->n_releases, 2);
	/* conditions */
	REFUSES(
	    w, SP_EPRECOND, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1, .mode = 1);
	REFUSES(w, SP_EPRECOND, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1,
	    .mode = 2, .match = (uint64_t)version + 1);
	assert_int_equal(ASK(w, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1,
			     .mode = 2, .match = (uint64_t)version),
	    IPC_UPLOAD_SMALL);
	assert_int_equal(put_small(w, "/Home/alice/a", 6), IPC_ENTRY);
	assert_int_equal(count_events(s, EVENT_FILE_REPLACED), 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	REFUSES(w, SP_EPERM, put, .path = TEXT("/Home/alice"), .size = 1, .small = 1);
	worker_free(w), worker_free(bob);
}

static void
test_lies(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	uint64_t up;
	int writer;

	/* more than was asked for */
	up = begin_big(w, "/Home/alice/big", 100000);
	fill(w, 100001);
	REFUSES(w, SP_ETOOBIG, commit, .upload = up, .size = 100001);
	assert_int_equal(count_blobs(s), 0);
	/* another size than the file has */
	up = begin_big(w, "/Home/alice/big", 100000);
	fill(w, 70000);
	REFUSES(w, SP_EDAMAGED, commit, .upload = up, .size = 100000);
	/* a writer is left */
	up = begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(100000, 65536)), SP_OK);
	writer = TAKE_FD(w->fd);
	assert_int_equal(ASK(w, commit, .upload = up, .size = 100000), 0);
	assert_true(w->is_closed);
	(void)close(writer);
	worker_free(w);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	w = login(s, "alice", NULL);
	REFUSES(w, SP_ENOTFOUND, commit, .upload = up, .size = 100000);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/big"));
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 0);
	worker_free(w);
}

static void
test_vanished(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	(void)begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(s->b->n_uploads, 1);
	worker_free(w);
	run_ms(s, 20);
	assert_int_equal(s->b->n_uploads, 0);
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	w = login(s, "alice", NULL);
	uint64_t up = begin_big(w, "/Home/alice/big", 100000);
	close_fd(&w->fd);
	assert_int_equal(ASK(w, abort, .upload = up), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, abort, .upload = up);
	worker_free(w);
}

static void
pages(struct stage *s, int max)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "PRAGMA max_page_count = %d", max);
	assert_int_equal(sqlite3_exec(db_handle(s->b->db), text, NULL, NULL, NULL), SQLITE_OK);
}

/* the database's disk is full: said so, nothing is visible, and the record of the intent is
 * followed by its end */
static void
test_disk_full(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *other = login(s, "bob", NULL);
	unsigned stored = 0;

	pages(s, 160);
	while (put_small(w, stored % 2 ? "/Home/alice/a" : "/Home/alice/b", 60000) == IPC_ENTRY)
		assert_true(++stored < 50);
	assert_err(failure(w), SP_EDISKFULL);
	assert_int_equal(s->b->n_uploads, 0);
	run_ms(s, 20);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	assert_int_equal(
	    count_events(s, EVENT_FILE_CREATED) + count_events(s, EVENT_FILE_REPLACED), stored + 1);
	/* reading goes on, also when the session's last use should be written down */
	assert_true(s->b->is_full);
	for (int i = 0; i < 3; i++) {
		now_us += 31 * 1000000ll;
		assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/b")), IPC_FILE_INLINE);
		run_ms(s, 5);
	}
	pages(s, 100000);
	s->b->ticks = 4; /* the next tick writes the counts */
	run_ms(s, 1200);
	assert_false(s->b->is_full);
	assert_int_equal(put_small(other, "/Home/bob/a", 60000), IPC_ENTRY);
	assert_int_equal(put_small(w, "/Home/alice/c", 60000), IPC_ENTRY);
	worker_free(w), worker_free(other);
}

/* a transfer may take longer than a session lasts, but not outlive its revocation */
static void
test_long_upload(void **state)
{
	struct stage *s = *state;
	struct tokens t;
	struct worker_end *w = login(s, "alice", &t), *other = connect_worker(s, 0);
	uint64_t up = begin_big(w, "/Home/alice/big", 100000);

	now_us += 3 * 86400 * 1000000ll;
	s->b->ticks = 29; /* the next tick is the one that removes sessions */
	run_ms(s, 1200);
	fill(w, 100000);
	assert_int_equal(ASK(w, commit, .upload = up, .size = 100000), IPC_ENTRY);
	REFUSES(w, SP_ESESSION, self, 0);
	s->b->ticks = 29;
	run_ms(s, 1200);
	REFUSES(w, SP_ESESSION, commit, .upload = up, .size = 100000);
	worker_free(w);

	w = login(s, "alice", &t);
	up = begin_big(w, "/Home/alice/two", 100000);
	fill(w, 100000);
	assert_int_equal(ASK(other, token_revoke, .token = TEXT(t.access)), IPC_DONE);
	REFUSES(w, SP_ESESSION, commit, .upload = up, .size = 100000);
	worker_free(w), worker_free(other);
	w = login(s, "alice", NULL);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/two"));
	worker_free(w);
}

static void
test_quota(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *two = login(s, "alice", NULL);
	struct ipc_upload up;

	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(1000000)), SP_OK);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/a"), .size = 1000001);
	(void)begin_big(w, "/Home/alice/a", 600000);
	/* what is being uploaded counts already */
	REFUSES(two, SP_EQUOTA, put, .path = TEXT("/Home/alice/b"), .size = 600000);
	assert_int_equal(
	    ASK(two, put, .path = TEXT("/Home/alice/b"), .size = UINT64_MAX), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(two->body, two->len), &up), SP_OK);
	assert_int_equal(up.limit, 400000);
	worker_free(w);
	worker_free(two);
	/* of a folder, for all below it */
	w = login(s, "alice", NULL);
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(0)), SP_OK);
	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/sub"), .inherit = 1), IPC_ENTRY);
	int64_t home = 0;
	assert_int_equal(sql_get(s->b->db, SQL_FOLDER_OF_OWNER, &home, SI(1)), 1);
	assert_int_equal(sql_run(s->b->db, SQL_FOLDER_SET_QUOTA, SI(home), SI(10)), SP_OK);
	assert_int_equal(put_small(w, "/Home/alice/sub/a", 6), IPC_ENTRY);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/sub/b"), .size = 5, .small = 1);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/sub"), .kind = 0), IPC_DONE);
	assert_int_equal(put_small(w, "/Home/alice/b", 10), IPC_ENTRY);
	worker_free(w);
}

static void
test_refused_release(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	assert_int_equal(put_small(w, "/Home/alice/a", 5), IPC_ENTRY);
	s->refuses = true;
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/a")), IPC_FILE_INLINE);
	w->has = false;
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EBUDGET);
	worker_free(w);
}

static void
test_versions(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *bob = login(s, "bob", NULL);
	struct ipc_entries page;
	struct ipc_entry_rec row;
	uint64_t id, first, second;
	struct rd rd;

	assert_int_equal(put_small(w, "/Home/alice/v", 5), IPC_ENTRY);
	first = (uint64_t)entry_version(w);
	assert_int_equal(put_small(w, "/Home/alice/v", 7), IPC_ENTRY);
	second = (uint64_t)entry_version(w);
	assert_int_equal(ASK(w, stat, .path = TEXT("/Home/alice/v")), IPC_ENTRY);
	id = entry(w).id;
	assert_int_equal(ASK(w, versions, .by = BY_FILE, .id = id, .limit = 9), IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 2);
	assert_int_equal(page.count, 2);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_int_equal(row.version, second);
	assert_int_equal(row.size, 7);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_int_equal(row.version, first);
	assert_int_equal(row.size, 5);
	assert_span(row.owner_name, "alice");
	assert_int_equal(
	    ASK(w, versions, .by = BY_FILE, .id = id, .limit = 9, .offset = 1), IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 2);
	assert_int_equal(page.count, 1);
	/* the content of the old one is not for workers; what is not seen is not there */
	REFUSES(w, SP_EPRECOND, open, .by = BY_FILE, .id = id, .version = first);
	REFUSES(w, SP_EISFOLDER, versions, .path = TEXT("/Home/alice"), .limit = 9);
	REFUSES(bob, SP_ENOTFOUND, versions, .by = BY_FILE, .id = id, .limit = 9);
	worker_free(w);
	worker_free(bob);
}

/* ---- folders ---- */

static void
test_folders(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	struct ipc_entries page;
	struct ipc_entry_rec row;
	struct rd rd;

	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/s"), .inherit = 1), IPC_ENTRY);
	REFUSES(w, SP_EEXISTS, folder_make, .path = TEXT("/Home/alice/s"), .inherit = 1);
	REFUSES(w, SP_EPERM, folder_make, .path = TEXT("/new"), .inherit = 1);
	REFUSES(w, SP_ENAME, folder_make, .path = TEXT("/Home/alice/.."), .inherit = 1);
	/* one name, composed or not */
	assert_int_equal(put_small(w, "/Home/alice/s/caf\xc3\xa9", 1), IPC_ENTRY);
	assert_int_equal(ASK(w, stat, .path = TEXT("/Home/alice/s/cafe\xcc\x81")), IPC_ENTRY);
	for (int i = 0; i < 5; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/Home/alice/f%d_x", i);
		assert_int_equal(put_small(w, path, (uint64_t)(10 - i)), IPC_ENTRY);
	}
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/Home/alice"), .what = 3, .limit = 3, .sort = SORT_NAME),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 6);
	assert_int_equal(page.count, 3);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_int_equal(row.kind, 0);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.path, "/Home/alice/f0_x");
	assert_int_equal(ASK(w, list, .path = TEXT("/Home/alice"), .what = 2, .offset = 1,
			     .limit = 9, .sort = SORT_SIZE, .mask = TEXT("F?_*")),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 5);
	assert_int_equal(page.count, 4);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.name, "f3_x");
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/"), .what = 7, .limit = 100, .sort = SORT_PATH),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 4 + 6);
	/* the whole tree in another order */
	assert_int_equal(ASK(w, list, .path = TEXT("/"), .what = 6, .limit = 2, .offset = 1,
			     .sort = SORT_SIZE, .descending = 1),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 6);
	assert_int_equal(page.count, 2);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.path, "/Home/alice/f1_x");
	assert_int_equal(ASK(w, list, .path = TEXT("/"), .what = 7, .limit = 1, .sort = SORT_PATH,
			     .descending = 1),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 4 + 6);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.path, "/Home/alice/s/caf\xc3\xa9");
	REFUSES(w, SP_ENOTFOLDER, list, .path = TEXT("/Home/alice/f0_x"), .what = 3, .limit = 1);
	/* deleting */
	REFUSES(w, SP_EPROTECTED, remove, .path = TEXT("/Home/alice"), .kind = 0);
	REFUSES(w, SP_EISFOLDER, remove, .path = TEXT("/Home/alice/s"), .kind = 1);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/s"), .kind = 0), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/s/caf\xc3\xa9"));
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/f0_x"), .kind = 1), IPC_DONE);
	int64_t held = 0;
	assert_int_equal(sql_get(s->b->db, SQL_HELD_COUNT, &held, SI(0)), 1);
	assert_int_equal(held, 2);
	worker_free(w);
}

/* ---- budgets ---- */

/* What is deleted or overwritten is named to the ledger, and stays when the vault says no. */
static void
test_taking(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	struct ipc_failed f;

	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/s"), .inherit = 1), IPC_ENTRY);
	assert_int_equal(put_small(w, "/Home/alice/s/a", 6), IPC_ENTRY);
	assert_int_equal(put_small(w, "/Home/alice/s/b", 7), IPC_ENTRY);
	assert_int_equal(s->taken_files, 0); /* nothing was there before */
	assert_int_equal(put_small(w, "/Home/alice/s/b", 5), IPC_ENTRY);
	assert_true(s->taken_files == 1 && s->taken_bytes == 7);
	s->refuses = true;
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/s"), .kind = 0), IPC_FAILED);
	assert_int_equal(ipc_get_failed(span_of(w->body, w->len), &f), SP_OK);
	assert_true(f.err == (uint16_t)-SP_EBUDGET && f.retry_after == 7);
	assert_span(f.detail, "the egress budget is used up: user: files per hour");
	assert_true(s->taken_files == 2 && s->taken_bytes == 11);
	REFUSES(w, SP_EBUDGET, remove, .path = TEXT("/Home/alice/s/a"), .kind = 1);
	assert_true(s->taken_files == 1 && s->taken_bytes == 6);
	assert_int_equal(put_small(w, "/Home/alice/s/a", 9), IPC_FAILED);
	assert_int_equal(ipc_get_failed(span_of(w->body, w->len), &f), SP_OK);
	assert_int_equal(f.retry_after, 7);
	assert_int_equal(put_small(w, "/Home/alice/s/new", 9), IPC_ENTRY);
	s->refuses = false;
	assert_int_equal(at(w, "/Home/alice/s/a").size, 6);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/s"), .kind = 0), IPC_DONE);
	worker_free(w);
}

/* Whom the vault froze has no connection, session or login any more. */
static void
test_frozen(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *x;
	struct account account;

	assert_int_equal(put_small(w, "/Home/alice/a", 6), IPC_ENTRY);
	s->refuses = s->freezes = true;
	REFUSES(w, SP_EBUDGET, remove, .path = TEXT("/Home/alice/a"), .kind = 1);
	for (unsigned i = 0; i < 10 && count_events(s, EVENT_USER_CHANGED) == 0; i++)
		run_ms(s, 20); /* each reply stops the loop once */
	read_supervisor(s);
	assert_true(s->n_kills >= 1);
	assert_int_equal(account_by_id(s->b->db, 1, &account), 1);
	assert_int_equal(account.status, STATUS_FROZEN);
	assert_int_equal(count_events(s, EVENT_USER_CHANGED), 1);
	s->auth_says = true;
	x = connect_worker(s, 0);
	REFUSES(x, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("right"));
	worker_free(x);
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_store),
	    RING(test_lies),
	    RING(test_vanished),
	    RING(test_disk_full),
	    RING(test_long_upload),
	    RING(test_quota),
	    RING(test_refused_release),
	    RING(test_versions),
	    RING(test_folders),
	    RING(test_taking),
	    RING(test_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
