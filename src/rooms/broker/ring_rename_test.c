/* ring_rename_test.c - RENAME against the whole broker. */
#include <sqlite3.h>

#include "rooms/broker/ring_stage.h"

#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "sys/fd.h"

#define HOME "/Home/alice"

static uint16_t
move_to(struct worker_end *w, const char *from, const char *to)
{
	return ASK(w, rename, .path = TEXT(from), .to = TEXT(to));
}

#define MOVES(w, old, new) assert_int_equal(move_to(w, old, new), IPC_ENTRY)
#define REFUSES_MOVE(w, err, old, new) REFUSES(w, err, rename, .path = TEXT(old), .to = TEXT(new))

/* ---- files ---- */

static void
test_file(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct ipc_entry e;
	uint64_t id;
	int64_t version;

	make(w, HOME "/a"), make(w, HOME "/b");
	assert_int_equal(put_small(w, HOME "/a/f", 5), IPC_ENTRY);
	e = entry(w);
	id = e.id;
	version = (int64_t)e.version;
	MOVES(w, HOME "/a/f", HOME "/a/g");
	assert_span(entry(w).path, HOME "/a/g");
	assert_string_equal(s->path, HOME "/a/f");
	assert_string_equal(s->from, HOME "/a/f");
	assert_string_equal(s->to, HOME "/a/g");
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(HOME "/a/f"));
	assert_int_equal(at(w, HOME "/a").files, 1);
	MOVES(w, HOME "/a/g", HOME "/b/h");
	e = entry(w);
	assert_int_equal(e.id, id);
	assert_int_equal(e.version, version);
	assert_int_equal(e.created, 0);
	assert_int_equal(at(w, HOME "/a").files, 0);
	assert_int_equal(at(w, HOME "/a").used, 0);
	assert_int_equal(at(w, HOME "/b").files, 1);
	assert_int_equal(at(w, HOME "/b").used, 5);
	assert_int_equal(at(w, HOME).used, 5);
	assert_int_equal(ASK(w, open, .path = TEXT(HOME "/b/h")), IPC_FILE_INLINE);
	assert_int_equal(count_events(s, EVENT_FILE_RENAMED), 2);
	/* to itself: nothing is done */
	MOVES(w, HOME "/b/h", HOME "/b/h");
	assert_int_equal(count_events(s, EVENT_FILE_RENAMED), 2);
	/* another name of the same bytes is one: composed or not */
	MOVES(w, HOME "/b/h", HOME "/b/cafe\xcc\x81");
	assert_span(entry(w).path, HOME "/b/caf\xc3\xa9");
	/* refusals */
	REFUSES_MOVE(w, SP_ENOTFOUND, HOME "/b/none", HOME "/b/x");
	REFUSES_MOVE(w, SP_ENOTFOUND, HOME "/b/caf\xc3\xa9", HOME "/none/x");
	REFUSES_MOVE(w, SP_ENOTFOUND, HOME "/b/caf\xc3\xa9", "/Home/bob/x");
	REFUSES_MOVE(w, SP_EPERM, HOME "/b/caf\xc3\xa9", "/x");
	REFUSES_MOVE(w, SP_ENAME, HOME "/b/caf\xc3\xa9", HOME "/b/..");
	REFUSES_MOVE(w, SP_EEXISTS, HOME "/b/caf\xc3\xa9", HOME "/a");
	REFUSES(w, SP_EEXISTS, rename, .path = TEXT(HOME "/b/caf\xc3\xa9"), .to = TEXT(HOME "/a"),
	    .replace = 1);
	REFUSES_MOVE(w, SP_EEXISTS, HOME "/b/caf\xc3\xa9", "/");
	assert_int_equal(count_events(s, EVENT_FILE_RENAMED), 3);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 0);
	worker_free(w);
}

static void
test_replace(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	int64_t held = 0, used = 0;

	make(w, HOME "/a");
	assert_int_equal(put_small(w, HOME "/new", 5), IPC_ENTRY);
	assert_int_equal(put_small(w, HOME "/a/f", 7), IPC_ENTRY);
	REFUSES_MOVE(w, SP_EEXISTS, HOME "/new", HOME "/a/f");
	assert_int_equal(
	    ASK(w, rename, .path = TEXT(HOME "/new"), .to = TEXT(HOME "/a/f"), .replace = 1),
	    IPC_ENTRY);
	assert_int_equal(entry(w).size, 5);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(HOME "/new"));
	assert_int_equal(sql_get(s->b->db, SQL_HELD_COUNT, &held, SI(0)), 1);
	assert_int_equal(held, 1);
	assert_int_equal(at(w, HOME "/a").used, 5);
	assert_int_equal(at(w, HOME "/a").files, 1);
	assert_int_equal(at(w, HOME).used, 5);
	assert_int_equal(at(w, HOME).files, 0);
	DEFER(sql_end) struct sql q = sql_query(s->b->db, SQL_USER_QUOTA, SI(1));
	assert_int_equal(sql_step(&q), 1);
	(void)sql_i64(&q);
	used = sql_i64(&q);
	assert_int_equal(used, 5);
	worker_free(w);
}

static void
test_file_rights(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob = login_sftp(s, "bob");
	int64_t in, out;

	make(w, HOME "/in"), make(w, HOME "/out");
	in = (int64_t)at(w, HOME "/in").id;
	out = (int64_t)at(w, HOME "/out").id;
	assert_int_equal(put_small(w, HOME "/in/f", 5), IPC_ENTRY);
	assert_int_equal(put_small(w, HOME "/out/g", 5), IPC_ENTRY);
	/* what cannot be seen is not there; what can be seen and not taken is refused, on record */
	REFUSES_MOVE(bob, SP_ENOTFOUND, HOME "/in/f", "/Home/bob/f");
	let(s, in, 2, RIGHT_LIST | RIGHT_READ);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/in/f", "/Home/bob/f");
	/* a file is not read by moving it to where one may read */
	let(s, in, 2, RIGHT_LIST | RIGHT_DELETE);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/in/f", "/Home/bob/f");
	assert_int_equal(count_events(s, EVENT_DENIED), 2);
	/* in one folder that is needed not */
	REFUSES_MOVE(bob, SP_EPERM, HOME "/in/f", HOME "/in/g");
	let(s, in, 2, RIGHT_LIST | RIGHT_DELETE | RIGHT_WRITE);
	MOVES(bob, HOME "/in/f", HOME "/in/g");
	/* a folder that one may only write to: the mover is told what was moved */
	let(s, in, 2, RIGHT_LIST | RIGHT_DELETE | RIGHT_READ);
	let(s, out, 2, RIGHT_WRITE);
	MOVES(bob, HOME "/in/g", HOME "/out/h");
	assert_span(entry(bob).path, HOME "/out/h");
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT(HOME "/out/h"));
	/* replacing takes away what is there */
	assert_int_equal(put_small(w, HOME "/in/f", 5), IPC_ENTRY);
	REFUSES(bob, SP_EPERM, rename, .path = TEXT(HOME "/in/f"), .to = TEXT(HOME "/out/g"),
	    .replace = 1);
	let(s, out, 2, RIGHT_WRITE | RIGHT_DELETE);
	assert_int_equal(
	    ASK(bob, rename, .path = TEXT(HOME "/in/f"), .to = TEXT(HOME "/out/g"), .replace = 1),
	    IPC_ENTRY);
	worker_free(w), worker_free(bob);
}

/* ---- folders ---- */

static void
test_folder(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	uint64_t gen;

	make(w, HOME "/a"), make(w, HOME "/a/b"), make(w, HOME "/a/b/c"), make(w, HOME "/x");
	assert_int_equal(put_small(w, HOME "/a/b/c/f", 5), IPC_ENTRY);
	gen = s->b->policy_gen;
	MOVES(w, HOME "/a/b", HOME "/x/y");
	assert_true(s->b->policy_gen > gen);
	assert_int_equal(count_events(s, EVENT_FOLDER_RENAMED), 1);
	assert_string_equal(s->to, HOME "/x/y");
	assert_int_equal(at(w, HOME "/x/y/c/f").size, 5);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(HOME "/a/b/c/f"));
	assert_int_equal(at(w, HOME "/a").used, 0);
	assert_int_equal(at(w, HOME "/a").folders, 0);
	assert_int_equal(at(w, HOME "/x").used, 5);
	assert_int_equal(at(w, HOME "/x").folders, 1);
	assert_int_equal(at(w, HOME).used, 5);
	/* into itself, below itself, onto what is there, with or without `replace` */
	REFUSES_MOVE(w, SP_ENAME, HOME "/x", HOME "/x/x");
	REFUSES_MOVE(w, SP_ENAME, HOME "/x", HOME "/x/y/c/x");
	REFUSES_MOVE(w, SP_EEXISTS, HOME "/x", HOME "/a");
	REFUSES(
	    w, SP_EEXISTS, rename, .path = TEXT(HOME "/x"), .to = TEXT(HOME "/a"), .replace = 1);
	assert_int_equal(put_small(w, HOME "/file", 5), IPC_ENTRY);
	REFUSES(
	    w, SP_EEXISTS, rename, .path = TEXT(HOME "/x"), .to = TEXT(HOME "/file"), .replace = 1);
	MOVES(w, HOME "/x", HOME "/x/");
	assert_int_equal(count_events(s, EVENT_FOLDER_RENAMED), 1);
	/* what is not anybody's to move */
	REFUSES_MOVE(w, SP_EPROTECTED, HOME, HOME "/a/home");
	REFUSES_MOVE(w, SP_EPROTECTED, "/Home", HOME "/a/home");
	REFUSES_MOVE(w, SP_EPROTECTED, "/", HOME "/a/root");
	/* nor what holds a home folder */
	assert_int_equal(
	    sql_run(s->b->db, SQL_FOLDER_SET_OWNER, SI(at(w, HOME "/x/y/c").id), SI(3)), SP_OK);
	REFUSES_MOVE(w, SP_EPROTECTED, HOME "/x", HOME "/z");
	worker_free(w);
}

static void
test_folder_rights(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob = login_sftp(s, "bob");
	int64_t top, below;
	const int64_t all = RIGHT_LIST | RIGHT_READ | RIGHT_DELETE | RIGHT_SUBFOLDERS;

	make(w, HOME "/t"), make(w, HOME "/t/d"), make(w, HOME "/t/d/e");
	assert_int_equal(put_small(w, HOME "/t/d/e/f", 5), IPC_ENTRY);
	top = (int64_t)at(w, HOME "/t").id;
	below = (int64_t)at(w, HOME "/t/d/e").id;
	REFUSES_MOVE(bob, SP_ENOTFOUND, HOME "/t/d", "/Home/bob/d");
	let(s, top, 2, all & ~RIGHT_SUBFOLDERS);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/d", "/Home/bob/d");
	let(s, top, 2, RIGHT_LIST | RIGHT_SUBFOLDERS);
	/* who may not read what is below does not take it home and read it there */
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/d", "/Home/bob/d");
	/* nor does who may not delete it free its name, and put a folder of his own in its place:
	 * what others then send there would be his */
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/d", HOME "/t/n");
	REFUSES(bob, SP_EPERM, remove, .path = TEXT(HOME "/t/d"));
	let(s, top, 2, RIGHT_LIST | RIGHT_SUBFOLDERS | RIGHT_DELETE);
	MOVES(bob, HOME "/t/d", HOME "/t/n");
	let(s, top, 2, all & ~RIGHT_READ);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/n", "/Home/bob/d");
	let(s, top, 2, all & ~RIGHT_DELETE);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/n", "/Home/bob/d");
	let(s, top, 2, all);
	assert_int_equal(sql_run(s->b->db, SQL_ACL_SET, SI(below), SI(SUBJECT_USER), SI(2),
			     SI(RIGHT_LIST), SI(/* override= */ 1)),
	    SP_OK);
	broker_policy_changed(s->b);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/n", "/Home/bob/d");
	assert_int_equal(
	    sql_run(s->b->db, SQL_ACL_REMOVE, SI(below), SI(SUBJECT_USER), SI(2)), SP_OK);
	broker_policy_changed(s->b);
	REFUSES_MOVE(bob, SP_EPERM, HOME "/t/n", "/d");
	MOVES(bob, HOME "/t/n", "/Home/bob/d");
	assert_int_equal(at(bob, "/Home/bob/d/e/f").size, 5);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/bob/d/e/f"));
	worker_free(w), worker_free(bob);
}

/* to the end of a path */
static void
add(char *path, const char *more)
{
	size_t len = strlen(path);

	(void)snprintf(path + len, PATH_MAX_BYTES + 1 - len, "%s", more);
}

/* what lies below must not get too deep, nor its path too long */
static void
test_limits(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	char deep[PATH_MAX_BYTES + 1] = HOME, name[256], path[PATH_MAX_BYTES + 16],
				   to[PATH_MAX_BYTES + 8];

	/* two names above, 64 at most */
	make(w, HOME "/t"), make(w, HOME "/t/u");
	assert_int_equal(put_small(w, HOME "/t/u/f", 1), IPC_ENTRY);
	for (int i = 0; i < 59; i++) {
		add(deep, "/d");
		make(w, deep);
	}
	(void)snprintf(to, sizeof(to), "%s/t", deep); /* t is the 62nd, u the 63rd, f the 64th */
	MOVES(w, HOME "/t", to);
	(void)snprintf(path, sizeof(path), "%s/u/f", to);
	assert_int_equal(at(w, path).size, 1);
	MOVES(w, to, HOME "/t");
	add(deep, "/d");
	make(w, deep);
	(void)snprintf(to, sizeof(to), "%s/t", deep);
	REFUSES_MOVE(w, SP_EDEPTH, HOME "/t", to);
	assert_int_equal(ASK(w, remove, .path = TEXT(HOME "/t/u/f"), .kind = 1), IPC_DONE);
	MOVES(w, HOME "/t", to);
	MOVES(w, to, HOME "/t");
	add(deep, "/d");
	make(w, deep);
	(void)snprintf(to, sizeof(to), "%s/t", deep);
	REFUSES_MOVE(w, SP_EDEPTH, HOME "/t", to);
	/* length: 15 long names are on the way, then one name more or less decides */
	memset(name, 'n', 250);
	name[250] = '\0';
	(void)snprintf(deep, sizeof(deep), "%s", HOME "/l");
	make(w, deep);
	for (int i = 0; i < 15; i++) {
		add(deep, "/");
		add(deep, name);
		make(w, deep);
	}
	size_t len = strlen(deep), left = PATH_MAX_BYTES - len - strlen("/t/") - strlen("f");
	assert_int_equal(len, 13 + 15 * 251);
	assert_true(left >= 250);
	(void)snprintf(path, sizeof(path), HOME "/t/%s", name);
	make(w, path);
	add(path, "/f");
	assert_int_equal(put_small(w, path, 1), IPC_ENTRY);
	add(deep, "/t");
	/* 13 + 3765 + 2 + 251 + 2 bytes: it fits; with a name of 66 bytes for "t" it does not */
	MOVES(w, HOME "/t", deep);
	MOVES(w, deep, HOME "/t");
	for (int i = 0; i < 63; i++)
		add(deep, "t");
	assert_int_equal(strlen(deep) + 251 + 2, 4096);
	MOVES(w, HOME "/t", deep);
	MOVES(w, deep, HOME "/t");
	add(deep, "t");
	REFUSES_MOVE(w, SP_EDEPTH, HOME "/t", deep);
	worker_free(w);
}

static void
test_move_quota(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	int64_t q, home = (int64_t)at(w, HOME).id;

	make(w, HOME "/q"), make(w, HOME "/q/in"), make(w, HOME "/d");
	q = (int64_t)at(w, HOME "/q").id;
	assert_int_equal(put_small(w, HOME "/f", 6), IPC_ENTRY);
	assert_int_equal(put_small(w, HOME "/d/g", 6), IPC_ENTRY);
	set_quota(s, q, 10);
	MOVES(w, HOME "/f", HOME "/q/in/f");
	REFUSES_MOVE(w, SP_EQUOTA, HOME "/d/g", HOME "/q/g");
	REFUSES_MOVE(w, SP_EQUOTA, HOME "/d", HOME "/q/d");
	/* what is replaced makes room */
	assert_int_equal(
	    ASK(w, rename, .path = TEXT(HOME "/d/g"), .to = TEXT(HOME "/q/in/f"), .replace = 1),
	    IPC_ENTRY);
	/* a folder above both has it already */
	set_quota(s, home, 6);
	MOVES(w, HOME "/q/in/f", HOME "/q/f");
	MOVES(w, HOME "/q", HOME "/p");
	/* what is being uploaded there counts */
	set_quota(s, home, 0);
	set_quota(s, q, 20);
	assert_int_equal(put_small(w, HOME "/h", 6), IPC_ENTRY);
	struct worker_end *two = login_sftp(s, "alice");
	(void)begin_big(two, HOME "/p/up", 10);
	REFUSES_MOVE(w, SP_EQUOTA, HOME "/h", HOME "/p/h");
	worker_free(two);
	MOVES(w, HOME "/h", HOME "/p/h");
	worker_free(w);
}

/* ---- others at the same time ---- */

static void
test_names_held(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *two = login_sftp(s, "alice");
	uint64_t up;

	make(w, HOME "/a");
	assert_int_equal(put_small(w, HOME "/f", 5), IPC_ENTRY);
	up = begin_big(two, HOME "/a/g", 100000);
	fill(two, 100000);
	s->is_holding = true;
	SEND(w, rename, .path = TEXT(HOME "/f"), .to = TEXT(HOME "/a/g"));
	assert_false(w->has);
	/* neither name is anybody else's meanwhile */
	REFUSES(two, SP_ECONFLICT, commit, .upload = up, .size = 100000);
	REFUSES(two, SP_ECONFLICT, remove, .path = TEXT(HOME "/f"), .kind = 1);
	REFUSES_MOVE(two, SP_ECONFLICT, HOME "/f", HOME "/h");
	REFUSES(two, SP_ECONFLICT, folder_make, .path = TEXT(HOME "/a/g"), .inherit = 1);
	s->n_held = 1; /* the notes of what was dropped */
	let_go(s);
	assert_int_equal(wait_reply(w), IPC_ENTRY);
	assert_int_equal(at(two, HOME "/a/g").size, 5);
	/* and freed */
	MOVES(two, HOME "/a/g", HOME "/f");
	worker_free(w), worker_free(two);
}

/* Each was right when it was recorded; the second is not any more. */
static void
test_judged_again(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *two = login_sftp(s, "alice");

	make(w, HOME "/a"), make(w, HOME "/b");
	s->is_holding = true;
	SEND(w, rename, .path = TEXT(HOME "/a"), .to = TEXT(HOME "/b/a"));
	SEND(two, rename, .path = TEXT(HOME "/b"), .to = TEXT(HOME "/a/b"));
	let_go(s);
	assert_int_equal(wait_reply(w), IPC_ENTRY);
	assert_int_equal(wait_reply(two), IPC_FAILED);
	assert_err(failure(two), SP_ENOTFOUND);
	run_ms(s, 20);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
	(void)at(w, HOME "/b/a");
	/* rights that are taken away in between */
	int64_t home = (int64_t)at(w, HOME).id;
	assert_int_equal(put_small(w, HOME "/f", 5), IPC_ENTRY);
	s->is_holding = true;
	SEND(w, rename, .path = TEXT(HOME "/f"), .to = TEXT(HOME "/g"));
	assert_int_equal(sql_run(s->b->db, SQL_FOLDER_SET_OWNER, SI(home), SI(0)), SP_OK);
	let(s, home, 1, RIGHT_LIST);
	let_go(s);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EPERM);
	let(s, home, 1, RIGHT_ALL);
	(void)at(w, HOME "/f");
	/* a folder above has another name: the record would be wrong */
	s->is_holding = true;
	SEND(w, rename, .path = TEXT(HOME "/b/a"), .to = TEXT(HOME "/c"));
	SEND(two, rename, .path = TEXT(HOME "/b"), .to = TEXT(HOME "/n"));
	s->held[2] = s->held[0]; /* the other way round */
	s->held[0] = s->held[1], s->held[1] = s->held[2];
	let_go(s);
	assert_int_equal(wait_reply(two), IPC_ENTRY);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_ECONFLICT);
	run_ms(s, 20);
	(void)at(w, HOME "/n/a");
	assert_int_equal(count_events(s, EVENT_RECONCILED), 3);
	/* the log does not answer: nothing is done */
	s->is_mute = true;
	SEND(w, rename, .path = TEXT(HOME "/f"), .to = TEXT(HOME "/g"));
	s->is_mute = false;
	link_ledger(s, false);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EUNAVAIL);
	(void)at(w, HOME "/f");
	worker_free(w), worker_free(two);
}

/* the database does not take it: nothing has changed, and that is on record */
static void
test_rolled_back(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");

	make(w, HOME "/a");
	assert_int_equal(put_small(w, HOME "/f", 5), IPC_ENTRY);
	assert_int_equal(put_small(w, HOME "/a/f", 5), IPC_ENTRY);
	run_ms(s, 20);
	/* a trigger stands in for a disk that fails in the middle */
	assert_int_equal(sqlite3_exec(db_handle(s->b->db),
			     "CREATE TEMP TRIGGER broken BEFORE UPDATE OF folder ON file BEGIN"
			     " SELECT RAISE(ABORT, 'broken'); END",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(
	    ASK(w, rename, .path = TEXT(HOME "/f"), .to = TEXT(HOME "/a/f"), .replace = 1),
	    IPC_FAILED);
	run_ms(s, 20);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
	assert_int_equal(at(w, HOME).used, 10);
	assert_int_equal(at(w, HOME).files, 1);
	assert_int_equal(at(w, HOME "/a").used, 5);
	assert_int_equal(at(w, HOME "/a").files, 1);
	(void)at(w, HOME "/f"), (void)at(w, HOME "/a/f");
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_file),
	    RING(test_replace),
	    RING(test_file_rights),
	    RING(test_folder),
	    RING(test_folder_rights),
	    RING(test_limits),
	    RING(test_move_quota),
	    RING(test_names_held),
	    RING(test_judged_again),
	    RING(test_rolled_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
