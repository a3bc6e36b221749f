/* Writing over what is there: appended, patched, cut; and unfinished uploads that are continued. */
#include "rooms/gate/sftp/server_fix.h"

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

static int
set_size(struct fix *f, struct name h, uint64_t size)
{
	struct sftp_attrs a = {.flags = SFTP_ATTR_SIZE, .size = size};
	struct rd r;

	ASK(f, fsetstat, .handle = name_span(&h), .attrs = a);
	r = got(f, SFTP_STATUS);
	return (int)rd_uint(&r, 4);
}

/* ---- over what is there ---- */

static void
add_old(struct fix *f, size_t n)
{
	store_add_file(&f->store, "/Home/alice/x", bytes(0, n).ptr, n);
}

static void
test_append(void **state)
{
	static const size_t sizes[] = {0, 10, 60000, 65536, 300000};
	static const uint32_t flags[] = {W, W | APPEND, W | CREAT | APPEND, W | R};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
			struct fix *f = begin();
			struct name h;

			add_old(f, sizes[i]);
			h = open_file(f, "x", flags[k]);
			assert_int_equal(stat_size(f, "x"), sizes[i]);
			put(f, h, sizes[i], sizes[i] + 50000, 20000);
			close_ok(f, h);
			check_file(f, "/Home/alice/x", sizes[i] + 50000);
			end(f);
		}
}

/* A client that appends without knowing where: it counts from 0. */
static void
test_append_from_zero(void **state)
{
	struct fix *f = begin();
	struct name h;

	(void)state;
	add_old(f, 1000);
	h = open_file(f, "x", W | APPEND);
	write_ok(f, h, 0, bytes(1000, 500));
	write_ok(f, h, 500, bytes(1500, 500));
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 2000);
	h = open_file(f, "x", W | APPEND);
	write_at(f, h, 1999, bytes(1999, 1));
	assert_string_equal(
	    got_status(f, SFTP_FX_FAILURE), "appending begins at byte 2000, where the file ends");
	(void)close_fails(f, h);
	check_file(f, "/Home/alice/x", 2000);
	end(f);
}

/* Pieces of an old file are replaced, forward; the rest stays. */
static void
test_patch(void **state)
{
	static const size_t sizes[] = {50000, 300000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fix *f = begin();
		struct node *n;
		struct name h;
		size_t end_at = sizes[i];

		add_old(f, end_at);
		h = open_file(f, "x", W);
		write_ok(f, h, 10000, SPAN_LIT("first"));
		write_ok(f, h, 40000, SPAN_LIT("second"));
		write_ok(f, h, 30000, SPAN_LIT("third")); /* a little late */
		close_ok(f, h);
		n = store_find(&f->store, "/Home/alice/x");
		assert_int_equal(n->size, end_at);
		assert_memory_equal(n->plain + 10000, "first", 5);
		assert_memory_equal(n->plain + 40000, "second", 6);
		assert_memory_equal(n->plain + 30000, "third", 5);
		memcpy(n->plain + 10000, bytes(10000, 5).ptr, 5);
		memcpy(n->plain + 40000, bytes(40000, 6).ptr, 6);
		memcpy(n->plain + 30000, bytes(30000, 5).ptr, 5);
		check_file(f, "/Home/alice/x", end_at);
		end(f);
	}
}

/* More held than may be: then what is missing is what was there. */
static void
test_patch_far(void **state)
{
	struct fix *f = begin();
	struct name h;

	(void)state;
	add_old(f, 2000000);
	h = open_file(f, "x", W);
	for (unsigned i = 0; i < 1200; i++)
		write_ok(f, h, 1000 + i * 1000, bytes(1000 + i * 1000, 1));
	write_ok(f, h, 1900000, bytes(1900000, 100000));
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 2000000);
	end(f);
}

/* Somebody else stored a newer one meanwhile: it is not lost. */
static void
test_patch_conflict(void **state)
{
	struct fix *f = begin();
	struct name h;

	(void)state;
	add_old(f, 1000);
	h = open_file(f, "x", W);
	write_ok(f, h, 0, SPAN_LIT("mine"));
	store_find(&f->store, "/Home/alice/x")->version += 100;
	f->store.fail_id = IPC_OPEN; /* the older one is gone, too */
	f->store.fail_err = SP_ENOTFOUND;
	ASK(f, close, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	h = open_file(f, "x", W);
	write_ok(f, h, 0, bytes(0, 1000));
	store_find(&f->store, "/Home/alice/x")->version += 100;
	assert_string_equal(close_fails(f, h), "the file is not in the state that was asked for");
	end(f);
}

static void
test_untouched(void **state)
{
	struct fix *f = begin();
	struct sftp_attrs a = {.flags = SFTP_ATTR_TIMES, .mtime = 77};
	struct name h;
	uint64_t version;

	(void)state;
	add_old(f, 1000);
	version = store_find(&f->store, "/Home/alice/x")->version;
	close_ok(f, open_file(f, "x", W | CREAT));
	h = open_file(f, "x", W | R);
	ASK(f, fsetstat, .handle = name_span(&h), .attrs = a);
	(void)got_status(f, SFTP_FX_OK);
	close_ok(f, h);
	assert_true(store_find(&f->store, "/Home/alice/x")->version == version);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->modified_us, 77000000);
	assert_int_equal(store_asked(&f->store, IPC_OPEN), 0); /* and nothing was released */
	end(f);
}

/* A handle is its file's, whatever has the name now. */
static void
test_renamed(void **state)
{
	struct fix *f = begin();
	struct sftp_attrs a = {.flags = SFTP_ATTR_TIMES, .mtime = 77};
	struct name r, w;

	(void)state;
	add_old(f, 0);
	r = open_file(f, "x", R);
	w = open_file(f, "x", W);
	ASK(f, rename, .from = SPAN_LIT("x"), .to = SPAN_LIT("y"));
	(void)got_status(f, SFTP_FX_OK);
	add_old(f, 1000);
	ASK(f, fsetstat, .handle = name_span(&r), .attrs = a);
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_find(&f->store, "/Home/alice/y")->modified_us, 77000000);
	a.mtime = 78;
	ASK(f, fsetstat, .handle = name_span(&w), .attrs = a);
	(void)got_status(f, SFTP_FX_OK);
	close_ok(f, w);
	assert_int_equal(store_find(&f->store, "/Home/alice/y")->modified_us, 78000000);
	/* nor is what has it emptied through a handle that only reads */
	a = (struct sftp_attrs){.flags = SFTP_ATTR_SIZE};
	ASK(f, fsetstat, .handle = name_span(&r), .attrs = a);
	(void)got_status(f, SFTP_FX_OK); /* its own size */
	check_file(f, "/Home/alice/x", 1000);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->modified_us, PLAYED_TIME_US);
	end(f);
}

/* Cut to a length in the middle of the old content. */
static void
test_cut_old(void **state)
{
	struct fix *f = begin();
	struct name h;

	(void)state;
	add_old(f, 200000);
	h = open_file(f, "x", W);
	assert_int_equal(set_size(f, h, 70000), SFTP_FX_OK);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 70000);
	h = open_file(f, "x", W);
	assert_int_equal(set_size(f, h, 0), SFTP_FX_OK);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 0);
	end(f);
}

/* A handle that reads and writes reads what was there before. */
static void
test_read_and_write(void **state)
{
	struct fix *f = begin();
	struct name h, other;
	struct span s;

	(void)state;
	add_old(f, 100000);
	h = open_file(f, "x", R | W | TRUNC | CREAT);
	write_ok(f, h, 0, SPAN_LIT("something new"));
	s = read_at(f, h, 99000, 5000);
	assert_true(span_eq(s, bytes(99000, 1000)));
	other = open_file(f, "x", R);
	assert_int_equal(read_at(f, other, 0, 200000).len, 100000);
	close_ok(f, h);
	assert_int_equal(read_at(f, other, 0, 200000).len, 100000); /* what it opened */
	h = open_file(f, "new", R | W | CREAT);
	assert_int_equal(read_at(f, h, 0, 10).len, 0);
	close_ok(f, h);
	end(f);
}

/* ---- unfinished uploads ---- */

/* The first n bytes arrive, and the connection breaks. */
static struct fix *
broken(size_t n)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);

	put(f, h, 0, n, 30000);
	fix_break(f);
	assert_err(f->rc, SP_ECLOSED);
	assert_null(store_find(&f->store, "/Home/alice/x"));
	fix_again(f);
	return f;
}

static void
test_resume(void **state)
{
	static const uint32_t flags[] = {W | CREAT, W | CREAT | APPEND, W};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
		struct fix *f = broken(170000);
		struct name h;

		assert_int_equal(stat_size(f, "x"), 170000);
		ASK(f, open, .path = SPAN_LIT("x"), .flags = R);
		(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
		h = open_file(f, "x", flags[k]);
		put(f, h, 170000, 400000, 30000);
		close_ok(f, h);
		check_file(f, "/Home/alice/x", 400000);
		assert_false(
		    store_find(&f->store, "/Home/alice/x")->has_sha256); /* the scrubber's */
		assert_int_equal(store_asked(&f->store, IPC_RESUME), 1);
		end(f);
	}
}

/* Broken in the middle of a packet: what came of it counts. */
static void
test_break_in_a_packet(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC);
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));
	struct sftp_write m = {.id = 99, .handle = name_span(&h), .offset = 90000, .length = 30000};

	(void)state;
	put(f, h, 0, 90000, 30000);
	sftp_put_write(&w, &m);
	wr_bytes(&w, bytes(90000, 10));
	buf[2] = 30025 / 256;
	buf[3] = 30025 % 256;
	sent(f, &w);
	fix_end(f); /* closed, not broken: cut all the same */
	assert_err(f->rc, SP_ECLOSED);
	fix_again(f);
	assert_int_equal(stat_size(f, "x"), 90010);
	h = open_file(f, "x", W | CREAT);
	put(f, h, 90010, 100000, 30000);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 100000);
	end(f);
}

/* A client that begins again, with TRUNC or without, and one that goes on at the wrong place. */
static void
test_resume_otherwise(void **state)
{
	struct fix *f = broken(170000);
	struct name h;

	(void)state;
	h = open_file(f, "x", W | CREAT);
	put(f, h, 0, 1000, 1000);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 1000);
	end(f);
	f = broken(170000);
	h = open_file(f, "x", W | CREAT);
	write_at(f, h, 160000, bytes(160000, 10));
	assert_string_equal(got_status(f, SFTP_FX_FAILURE),
	    "a file is written from its beginning to its end: byte 160000 is behind 170000");
	(void)close_fails(f, h);
	assert_int_equal(stat_size(f, "x"), 170000); /* it is still there */
	h = open_file(f, "x", W | CREAT);
	write_ok(f, h, 180000, bytes(180000, 10));
	assert_string_equal(
	    close_fails(f, h), "bytes 170000 to 180000 of the file were never written");
	assert_int_equal(stat_size(f, "x"), 170000);
	/* removed */
	ASK(f, remove, .path = SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, stat, .path = SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	end(f);
}

/* Little is not worth it; and of a patch nothing is kept. */
static void
test_not_kept(void **state)
{
	struct fix *f = broken(60000);
	struct name h;

	(void)state;
	ASK(f, stat, .path = SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	add_old(f, 300000);
	h = open_file(f, "x", W);
	put(f, h, 0, 200000, 30000);
	fix_break(f);
	check_file(f, "/Home/alice/x", 300000);
	assert_int_equal(store_asked(&f->store, IPC_PROGRESS), 0);
	fix_free(f);
}

static void
test_fsync(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", W | CREAT | TRUNC), r;

	(void)state;
	put(f, h, 0, 1000, 1000);
	ASK(f, fsync, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_upload(&f->store, "/Home/alice/x")->acked, 1000);
	put(f, h, 1000, 100000, 33000);
	ASK(f, fsync, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_upload(&f->store, "/Home/alice/x")->acked, 100000);
	write_ok(f, h, 200000, bytes(200000, 10));
	ASK(f, fsync, .handle = name_span(&h));
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "bytes from 100000 on are missing");
	put(f, h, 100000, 200000, 50000);
	close_ok(f, h);
	check_file(f, "/Home/alice/x", 200010);
	r = open_file(f, "x", R);
	ASK(f, fsync, .handle = name_span(&r));
	(void)got_status(f, SFTP_FX_OK);
	end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_append),
	    cmocka_unit_test(test_append_from_zero),
	    cmocka_unit_test(test_patch),
	    cmocka_unit_test(test_patch_far),
	    cmocka_unit_test(test_patch_conflict),
	    cmocka_unit_test(test_untouched),
	    cmocka_unit_test(test_renamed),
	    cmocka_unit_test(test_cut_old),
	    cmocka_unit_test(test_read_and_write),
	    cmocka_unit_test(test_resume),
	    cmocka_unit_test(test_break_in_a_packet),
	    cmocka_unit_test(test_resume_otherwise),
	    cmocka_unit_test(test_not_kept),
	    cmocka_unit_test(test_fsync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
