/* Writing new files: small and big, out of order, with gaps, refused. */
#include "rooms/gate/sftp/server_fix.h"

#define BIG 700000u

static struct fix *
begin(void)
{
	struct fix *f = fix_new();

	fix_begin(f);
	return f;
}

static void
end(struct fix *f)
{
	fix_end(f);
	assert_int_equal(f->rc, SP_OK);
	for (size_t i = 0; i < PLAYED_UPLOADS; i++)
		assert_false(f->store.uploads[i].is_used);
	fix_free(f);
}

/* The pattern's n bytes in blocks of so many, each waited for. */
static void
put(struct fix *f, struct name h, size_t from, size_t n, size_t block)
{
	for (size_t at = from; at < n; at += block)
		write_ok(f, h, at, bytes(at, block < n - at ? block : n - at));
}

static const char *
close_fails(struct fix *f, struct name h)
{
	ASK(f, close, .handle = name_span(&h));
	return got_status(f, SFTP_FX_FAILURE);
}

/* ---- whole files ---- */

static void
test_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131000, BIG};
	static const size_t steps[] = {1000, 40000, 1u << 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			struct fix *f = begin();
			struct name h;

			played_step(f->stream, steps[k]);
			h = open_file(f, "x", W | CREAT | TRUNC);
			assert_null(store_find(
			    &f->store, "/Home/alice/x")); /* not to be seen before CLOSE */
			put(f, h, 0, sizes[i], 32768);
			assert_null(store_find(&f->store, "/Home/alice/x"));
			assert_int_equal(stat_size(f, "x"), sizes[i]);
			close_ok(f, h);
			check_file(f, "/Home/alice/x", sizes[i]);
			assert_true(store_find(&f->store, "/Home/alice/x")->has_sha256);
			assert_string_equal(
			    store_find(&f->store, "/Home/alice/x")->agent, "SSH-2.0-Test");
			assert_int_equal(
			    store_asked(&f->store, IPC_PUT), sizes[i] > INLINE_MAX ? 2 : 1);
			assert_int_equal(
			    store_asked(&f->store, IPC_ABORT), sizes[i] > INLINE_MAX ? 1 : 0);
			end(f);
		}
}

/* The largest packet there is; and the largest data that is told of. */
static void
test_largest_writes(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	size_t n = SFTP_PACKET_MAX - 25;

	(void)state;
	write_ok(f, h, 0, bytes(0, n));
	write_ok(f, h, n, bytes(n, SFTP_READ_MAX));
	write_ok(f, h, n + SFTP_READ_MAX, bytes(0, 0));
	close_ok(f, h);
	check_file(f, "/Home/alice/x", n + SFTP_READ_MAX);
	end(f);
}

/* A client that sends ahead: many writes on their way, none lost. */
static void
test_pipelined(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	uint32_t first = f->id + 1, last;

	(void)state;
	for (size_t at = 0; at < BIG; at += 10000)
		write_at(f, h, at, bytes(at, 10000));
	last = f->id;
	for (f->id = first; f->id <= last; f->id++)
		(void)got_status(f, SFTP_FX_OK);
	f->id = last;
	close_ok(f, h);
	check_file(f, "/Home/alice/x", BIG);
	end(f);
}

/* What is behind the data in a packet is no data. */
static void
test_trail(void **state)
{
	static const size_t trails[] = {1, 7, 28672};
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	static uint8_t buf[40000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trails); i++) {
		struct wr w = wr_of(buf, sizeof(buf));
		struct sftp_write m = {
		    .id = ++f->id, .handle = name_span(&h), .offset = i * 4096, .length = 4096};

		sftp_put_write(&w, &m);
		wr_bytes(&w, bytes(i * 4096, 4096));
		wr_bytes(&w, bytes(7, trails[i]));
		sftp_end(&w, 0);
		sent(f, &w);
		(void)got_status(f, SFTP_FX_OK);
	}
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 3 * 4096);
	end(f);
}

static void
test_two_at_once(void **state)
{
	struct fix *f = begin();
	struct name a = open_file(f, "a", W | CREAT | TRUNC),
		    b = open_file(f, "b", W | CREAT | TRUNC);

	(void)state;
	for (size_t at = 0; at < 300000; at += 30000) {
		write_ok(f, a, at, bytes(at, 30000));
		write_ok(f, b, at, bytes(at, 30000));
	}
	close_ok(f, b);
	close_ok(f, a);
	check_file(f, "/Home/alice/a", 300000);
	check_file(f, "/Home/alice/b", 300000);
	end(f);
}

static void
test_times(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	struct sftp_attrs a = {.flags = SFTP_ATTR_TIMES | SFTP_ATTR_PERMISSIONS,
	    .mtime = 1500000000,
	    .permissions = 0644};

	(void)state;
	put(f, h, 0, 100, 100);
	ASK(f, fsetstat, .handle = name_span(&h), .attrs = a);
	(void)got_status(f, SFTP_FX_OK);
	close_ok(f, h);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->modified_us, 1500000000000000);
	assert_int_equal(store_asked(&f->store, IPC_TOUCH), 0); /* it went with COMMIT */
	end(f);
}

/* ---- refused ---- */

static void
test_open_refused(void **state)
{
	struct fix *f = begin();

	(void)state;
	store_add_file(&f->store, "/Home/alice/old", "old", 3);
	store_add_folder(&f->store, "/ro")->rights = RIGHT_READ | RIGHT_LIST;
	ASK(f, open, .path = SPAN_LIT("old"), .flags = W | CREAT | EXCL);
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "the name exists already");
	ASK(f, open, .path = SPAN_LIT("none"), .flags = W);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, open, .path = SPAN_LIT("none"), .flags = W | TRUNC);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, open, .path = SPAN_LIT("none"), .flags = R);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, open, .path = SPAN_LIT("/Home"), .flags = W | CREAT | TRUNC);
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, open, .path = SPAN_LIT("/Home"), .flags = W);
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, open, .path = SPAN_LIT("/ro/x"), .flags = W | CREAT | TRUNC);
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	ASK(f, open, .path = SPAN_LIT("nofolder/x"), .flags = W | CREAT | TRUNC);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, open, .path = SPAN_LIT("old"), .flags = 0);
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	ASK(f, open, .path = SPAN_LIT("old"), .flags = R | TRUNC);
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	f->store.fail_id = IPC_PUT;
	f->store.fail_err = SP_EQUOTA;
	ASK(f, open, .path = SPAN_LIT("new"), .flags = W | CREAT | TRUNC);
	assert_string_equal(
	    got_status(f, SFTP_FX_FAILURE), "the quota is used up: as the test wants");
	close_ok(f, open_file(f, "new", W | CREAT | EXCL));
	check_file(f, "/Home/alice/new", 0);
	end(f);
}

/* What does not fit is refused when it comes, and is no file. */
static void
test_quota(void **state)
{
	static const uint64_t quotas[] = {50000, 65536, 200000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quotas); i++) {
		struct fix *f = begin();
		struct name h;

		f->store.quota = quotas[i];
		h = open_file(f, "x", W | CREAT | TRUNC);
		for (size_t at = 0; at + 20000 <= quotas[i]; at += 20000)
			write_ok(f, h, at, bytes(at, 20000));
		write_at(f, h, quotas[i] / 20000 * 20000, bytes(0, 20000));
		assert_string_equal(got_status(f, SFTP_FX_FAILURE), "the quota is used up");
		write_at(f, h, 0, bytes(0, 1));
		(void)got_status(f, SFTP_FX_FAILURE);
		assert_string_equal(close_fails(f, h), "the quota is used up");
		assert_null(store_find(&f->store, "/Home/alice/x"));
		end(f);
	}
}

static void
test_commit_refused(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);

	(void)state;
	put(f, h, 0, 100000, 50000);
	f->store.fail_id = IPC_COMMIT;
	f->store.fail_err = SP_EDISKFULL;
	assert_string_equal(close_fails(f, h), "the disk is full: as the test wants");
	assert_null(store_find(&f->store, "/Home/alice/x"));
	f->store.uploads[0].is_used = false; /* the broker's, which had refused it */
	h = open_file(f, "x", W | CREAT | TRUNC);
	close_ok(f, h);
	end(f);
}

/* ---- out of order ---- */

/* Blocks of 30000 in a strange order; each is answered at once. */
static void
test_reordered(void **state)
{
	static const unsigned orders[][8] = {{1, 0, 3, 2, 5, 4, 7, 6}, {7, 6, 5, 4, 3, 2, 1, 0},
	    {0, 2, 1, 4, 3, 6, 7, 5}, {3, 0, 1, 2, 7, 4, 5, 6}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct fix *f = begin();
		struct name h = open_file(f, "x", W | CREAT | TRUNC);

		for (size_t k = 0; k < 8; k++)
			write_ok(f, h, orders[i][k] * 30000, bytes(orders[i][k] * 30000, 30000));
		assert_int_equal(stat_size(f, "x"), 240000);
		close_ok(f, h);
		check_file(f, "/Home/alice/x", 240000);
		end(f);
	}
}

static void
test_gaps(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);

	(void)state;
	write_ok(f, h, 0, bytes(0, 100));
	write_ok(f, h, 200, bytes(200, 100));
	assert_string_equal(close_fails(f, h), "bytes 100 to 200 of the file were never written");
	assert_null(store_find(&f->store, "/Home/alice/x"));
	/* and far ahead */
	h = open_file(f, "x", W | CREAT | TRUNC);
	for (size_t i = 0; i < 16; i++)
		write_ok(f, h, 1000000 + i * 250000, bytes(0, 250000));
	write_at(f, h, 10000000, bytes(0, 250000));
	assert_string_equal(
	    got_status(f, SFTP_FX_FAILURE), "this is too far ahead: bytes from 0 on are missing");
	(void)close_fails(f, h);
	write_at(f, h, 10000000, bytes(0, 250000));
	(void)got_status(f, SFTP_FX_FAILURE);
	/* what was held is free again */
	h = open_file(f, "x", W | CREAT | TRUNC);
	write_ok(f, h, 1000, bytes(1000, 250000));
	write_ok(f, h, 0, bytes(0, 1000));
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 251000);
	end(f);
}

static void
test_written_twice(void **state)
{
	static const struct {
		uint64_t first, second;
		const char *text;
	} rows[] = {
	    {0, 0, "a file is written from its beginning to its end: byte 0 is behind 100"},
	    {0, 50, "a file is written from its beginning to its end: byte 50 is behind 100"},
	    {200, 200, "the same bytes are written twice"},
	    {200, 250, "the same bytes are written twice"},
	    {200, 150, "the same bytes are written twice"},
	    {50, 0, "the same bytes are written twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fix *f = begin();
		struct name h = open_file(f, "x", W | CREAT | TRUNC);

		write_ok(f, h, rows[i].first, bytes(0, 100));
		write_at(f, h, rows[i].second, bytes(0, 100));
		assert_string_equal(got_status(f, SFTP_FX_FAILURE), rows[i].text);
		assert_string_equal(close_fails(f, h), rows[i].text);
		assert_null(store_find(&f->store, "/Home/alice/x"));
		end(f);
	}
}

static void
test_offsets_that_overflow(void **state)
{
	static const uint64_t offsets[] = {
	    UINT64_MAX, UINT64_MAX - 99, INT64_MAX, (uint64_t)INT64_MAX + 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		struct fix *f = begin();
		struct name h = open_file(f, "x", W | CREAT | TRUNC);

		write_at(f, h, offsets[i], bytes(0, 100));
		(void)got_status(f, SFTP_FX_FAILURE); /* out of range */
		(void)close_fails(f, h);
		end(f);
	}
}

/* ---- sizes that are set ---- */

static int
set_size(struct fix *f, struct name h, uint64_t size)
{
	struct sftp_attrs a = {.flags = SFTP_ATTR_SIZE, .size = size};
	struct rd r;

	ASK(f, fsetstat, .handle = name_span(&h), .attrs = a);
	r = got(f, SFTP_STATUS);
	return (int)rd_uint(&r, 4);
}

static void
test_set_size(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	struct node *n;

	(void)state;
	assert_int_equal(set_size(f, h, 0), SFTP_FX_OK);
	put(f, h, 0, 1000, 1000);
	assert_int_equal(set_size(f, h, 1000), SFTP_FX_OK);
	assert_int_equal(set_size(f, h, 999), SFTP_FX_OP_UNSUPPORTED);
	assert_int_equal(set_size(f, h, 3000), SFTP_FX_OK); /* longer, and zeros */
	write_ok(f, h, 2000, bytes(2000, 500));
	close_ok(f, h);
	n = store_find(&f->store, "/Home/alice/x");
	assert_int_equal(n->size, 3000);
	assert_true(span_eq(span_of(n->plain, 1000), bytes(0, 1000)));
	assert_true(span_eq(span_of(n->plain + 2000, 500), bytes(2000, 500)));
	for (size_t i = 0; i < 500; i++)
		assert_true(
		    n->plain[1000 + i] == 0 && n->plain[1500 + i] == 0 && n->plain[2500 + i] == 0);
	/* to nothing in the middle: from the beginning */
	h = open_file(f, "x", W | CREAT | TRUNC);
	write_ok(f, h, 0, bytes(500, 100000));
	write_ok(f, h, 200000, bytes(500, 100));
	assert_int_equal(set_size(f, h, 0), SFTP_FX_OK);
	put(f, h, 0, 1000, 1000);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 1000);
	end(f);
}

/* Nobody makes the server write more zeros than its limit, by one request. */
static void
test_endless_zeros(void **state)
{
	struct fix *f = begin();
	struct name h;

	(void)state;
	f->store.quota = 1000000;
	h = open_file(f, "x", W | CREAT | TRUNC);
	assert_int_equal(set_size(f, h, INT64_MAX), SFTP_FX_OK);
	assert_string_equal(close_fails(f, h), "the quota is used up");
	assert_int_equal(set_size(f, h, 0), SFTP_FX_FAILURE);
	h = open_file(f, "x", W | CREAT | TRUNC);
	assert_int_equal(set_size(f, h, UINT64_MAX), SFTP_FX_FAILURE);
	close_ok(f, h);
	end(f);
}

/* sshfs: open without TRUNC, cut by path, write. */
static void
test_cut_by_path(void **state)
{
	struct fix *f = begin();
	struct sftp_attrs a = {.flags = SFTP_ATTR_SIZE};
	struct name h;

	(void)state;
	store_add_file(&f->store, "/Home/alice/x", "an older text that is longer", 28);
	h = open_file(f, "x", W);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = a);
	(void)got_status(f, SFTP_FX_OK);
	put(f, h, 0, 10, 10);
	assert_int_equal(stat_size(f, "x"), 10);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 10);
	end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_largest_writes),
	    cmocka_unit_test(test_pipelined),
	    cmocka_unit_test(test_trail),
	    cmocka_unit_test(test_two_at_once),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_open_refused),
	    cmocka_unit_test(test_quota),
	    cmocka_unit_test(test_commit_refused),
	    cmocka_unit_test(test_reordered),
	    cmocka_unit_test(test_gaps),
	    cmocka_unit_test(test_written_twice),
	    cmocka_unit_test(test_offsets_that_overflow),
	    cmocka_unit_test(test_set_size),
	    cmocka_unit_test(test_endless_zeros),
	    cmocka_unit_test(test_cut_by_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
