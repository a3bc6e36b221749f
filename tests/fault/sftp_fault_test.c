/* sftp_fault_test.c - the SFTP server over a played stream, with each of its allocations and file
 * calls failing in turn.
 *
 * Only the server's own thread is struck, not the store and the client around it.  Whatever fails:
 * every request that is answered is answered once, nothing that CLOSE called stored is missing or
 * wrong, nothing half-made is there, no descriptor stays open and no handle counts as open.
 */
#include "rooms/gate/sftp/server_fix.h"

#include <dirent.h>

#define MOST 500u    /* failing points */
#define SIZE 180000u /* bytes that are stored, in three pieces */
#define OLD 100000u

/* ---- what fails ---- */

enum kind { NOTHING, MEMORY, FILES, THREADS };

static enum kind on;
static unsigned long countdown; /* the nth call of this kind fails */
static _Thread_local bool is_struck;

static bool
fails_now(enum kind kind)
{
	return is_struck && on == kind && countdown != 0 && --countdown == 0;
}

/* WRAP(returns, name, kind, failure, parameters, arguments) - a function that may fail. */
#define WRAP(type, name, kind, failure, params, args)                                              \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return fails_now(kind) ? (failure) : __real_##name args;                           \
	}
WRAP(void *, mem_alloc, MEMORY, NULL, (size_t n), (n))
WRAP(void *, mem_array, MEMORY, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, mem_grow, MEMORY, NULL, (void *p, size_t old, size_t n), (p, old, n))
WRAP(char *, mem_dup, MEMORY, NULL, (struct span s), (s))
WRAP(int, file_pwrite, FILES, SP_EDISKFULL, (int fd, const void *b, size_t n, int64_t at),
    (fd, b, n, at))
WRAP(int64_t, file_pread, FILES, SP_EIO, (int fd, void *b, size_t n, int64_t at), (fd, b, n, at))
WRAP(int, file_sync, FILES, SP_EIO, (int fd), (fd))
WRAP(int, file_truncate, FILES, SP_EIO, (int fd, int64_t size), (fd, size))
WRAP(int, file_size, FILES, SP_EIO, (int fd, int64_t *ret), (fd, ret))
WRAP(int, pthread_create, THREADS, 11,
    (pthread_t * t, const pthread_attr_t *a, void *(*fn)(void *), void *arg), (t, a, fn, arg))

/* STRIKE(name, begins, parameters, arguments) - a function of which the inside is the server's, or
 * is not. */
#define STRIKE(name, inside, params, args)                                                         \
	int __real_##name params;                                                                  \
	int __wrap_##name params;                                                                  \
	int __wrap_##name params                                                                   \
	{                                                                                          \
		bool before = is_struck;                                                           \
		int rc;                                                                            \
                                                                                                   \
		is_struck = (inside);                                                              \
		rc = __real_##name args;                                                           \
		is_struck = before;                                                                \
		return rc;                                                                         \
	}
STRIKE(sftp_serve, true, (const struct sftp_session *s), (s))
STRIKE(stream_need, false, (struct stream * s, size_t n, struct span *ret), (s, n, ret))
STRIKE(stream_some, false, (struct stream * s, size_t n, struct span *ret), (s, n, ret))
STRIKE(stream_send, false, (struct stream * s, struct span head, struct span body), (s, head, body))
STRIKE(stream_flush, false, (struct stream * s), (s))

/* ---- a client that takes what comes ---- */

/* The reply to the last request; false: the server has ended. */
static bool
reply(struct fix *f)
{
	struct rd r;
	size_t n;

	if (!played_get(f->stream, f->buf, 4))
		return false;
	r = rd_of(span_of(f->buf, 4));
	n = (size_t)rd_uint(&r, 4);
	assert_true(n >= 5 && n <= SFTP_PACKET_MAX);
	if (!played_get(f->stream, f->buf, n))
		return false;
	assert_int_equal(sftp_get_packet(span_of(f->buf, n), &f->reply), SP_OK);
	assert_int_equal(f->reply.id, f->id);
	return true;
}

static bool
is_ok(struct fix *f)
{
	struct rd r = rd_of(f->reply.body);

	return f->reply.type == SFTP_STATUS && rd_uint(&r, 4) == SFTP_FX_OK;
}

static bool
take_handle(struct fix *f, struct name *ret)
{
	struct rd r;

	if (!reply(f) || f->reply.type != SFTP_HANDLE)
		return false;
	r = rd_of(f->reply.body);
	assert_int_equal(rd_uint(&r, 4), SFTP_HANDLE_BYTES);
	rd_copy(&r, ret->b, 4);
	return rd_done(&r);
}

/* true: CLOSE said that it is stored */
static bool
store_new(struct fix *f)
{
	struct name h;

	ASK(f, open, .path = SPAN_LIT("new"), .flags = W | CREAT | TRUNC);
	if (!take_handle(f, &h))
		return false;
	for (size_t at = 0; at < SIZE; at += SIZE / 3) {
		write_at(f, h, at, bytes(at, SIZE / 3));
		if (!reply(f))
			return false;
	}
	ASK(f, fsync, .handle = name_span(&h));
	if (!reply(f))
		return false;
	ASK(f, close, .handle = name_span(&h));
	return reply(f) && is_ok(f);
}

static void
read_old(struct fix *f)
{
	struct name h;
	struct rd r;
	size_t n;

	ASK(f, open, .path = SPAN_LIT("old"), .flags = R);
	if (!take_handle(f, &h))
		return;
	ASK(f, read, .handle = name_span(&h), .offset = 66000, .length = 1000);
	if (!reply(f))
		return;
	if (f->reply.type == SFTP_DATA) {
		r = rd_of(f->reply.body);
		n = (size_t)rd_uint(&r, 4);
		assert_int_equal(n, 1000);
		assert_true(span_eq(rd_take(&r, n), bytes(66000, 1000)));
	}
	ASK(f, close, .handle = name_span(&h));
	(void)reply(f); /* it may have ended */
}

static void
look_around(struct fix *f)
{
	struct name h;

	ASK(f, stat, .path = SPAN_LIT("old"));
	if (!reply(f))
		return;
	ASK(f, opendir, .path = SPAN_LIT("."));
	if (!take_handle(f, &h))
		return;
	ASK(f, readdir, .handle = name_span(&h));
	if (!reply(f))
		return;
	ASK(f, close, .handle = name_span(&h));
	(void)reply(f); /* it may have ended */
}

/* ---- all of it ---- */

static unsigned
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* true: all of it went well */
static bool
session(void)
{
	struct fix *f = fix_new();
	bool is_stored = false, is_moved = false;
	struct node *new;

	store_add_file(&f->store, "/Home/alice/old", bytes(0, OLD).ptr, OLD);
	fix_start(f);
	played_put(f->stream, SPAN_LIT("\0\0\0\5\1\0\0\0\3"));
	f->id = 3; /* where VERSION has its number */
	if (reply(f)) {
		is_stored = store_new(f);
		read_old(f);
		look_around(f);
		ASK(f, posix_rename, .from = SPAN_LIT("old"), .to = SPAN_LIT("moved"));
		is_moved = reply(f) && is_ok(f);
	}
	fix_end(f); /* no handle counts as open then */
	new = store_find(&f->store, "/Home/alice/new");
	assert_true(new != NULL || !is_stored);
	if (new != NULL)
		check_file(f, "/Home/alice/new", SIZE);
	assert_true((store_find(&f->store, "/Home/alice/old") == NULL) ==
		    (store_find(&f->store, "/Home/alice/moved") != NULL));
	check_file(f,
	    store_find(&f->store, "/Home/alice/old") != NULL ? "/Home/alice/old"
							     : "/Home/alice/moved",
	    OLD);
	fix_free(f);
	return is_stored && is_moved;
}

/* With the nth failing until one run is not hit; how many did not end well. */
static unsigned
every_failure(enum kind kind)
{
	unsigned bad = 0, fds;

	on = NOTHING;
	assert_true(session());
	fds = open_descriptors();
	for (unsigned n = 1; n < MOST; n++) {
		bool good;

		on = kind;
		countdown = n;
		good = session();
		on = NOTHING;
		assert_int_equal(open_descriptors(), fds);
		if (countdown != 0) {
			assert_true(good);
			return bad;
		}
		bad += !good;
	}
	fail_msg("never without a failure");
	return 0;
}

static void
test_memory(void **state)
{
	(void)state;
	assert_true(every_failure(MEMORY) >= 10);
}

static void
test_files(void **state)
{
	(void)state;
	assert_true(every_failure(FILES) >= 5);
}

static void
test_no_thread(void **state)
{
	(void)state;
	assert_int_equal(every_failure(THREADS), 0); /* without one it goes on alone */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
