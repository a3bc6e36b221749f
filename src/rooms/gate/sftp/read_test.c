/* Reading: small, in segments, in extents, at the end, damaged, by several handles, and by a client
 * that does not listen. */
#include "rooms/gate/sftp/server_fix.h"

#define BIG 1000000u
#define FULL (PLAYED_SEGMENT - FLOE_OVERHEAD) /* plaintext bytes of a segment */

static struct fix *
begin(size_t n)
{
	struct fix *f = fix_new();

	store_add_file(&f->store, "/Home/alice/x", bytes(0, n).ptr, n);
	fix_begin(f);
	return f;
}

static void
end(struct fix *f)
{
	fix_end(f);
	assert_int_equal(f->rc, SP_OK);
	fix_free(f);
}

static void
check_read(struct fix *f, struct name h, size_t at, uint32_t ask, size_t want)
{
	struct span s = read_at(f, h, at, ask);

	if (s.len != want || !span_eq(s, bytes(at, want)))
		fail_msg("%zu bytes at %zu instead of %zu", s.len, at, want);
}

static void
test_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131008, BIG};
	static const uint32_t blocks[] = {1000, 32768, SFTP_READ_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(blocks); k++) {
			struct fix *f = begin(sizes[i]);
			struct name h = open_file(f, "x", R);
			size_t at = 0, n;

			for (; at < sizes[i]; at += n) {
				n = blocks[k] < sizes[i] - at ? blocks[k] : sizes[i] - at;
				check_read(f, h, at, blocks[k], n);
			}
			assert_int_equal(read_at(f, h, at, blocks[k]).len, 0);
			assert_int_equal(store_asked(&f->store, IPC_OPEN), 1); /* released once */
			close_ok(f, h);
			end(f);
		}
}

static void
test_edges(void **state)
{
	struct fix *f = begin(BIG);
	struct name h = open_file(f, "x", R);

	(void)state;
	check_read(f, h, FULL - 1, 1, 1);
	check_read(f, h, FULL - 1, 2, 2);
	check_read(f, h, 0, UINT32_MAX, SFTP_READ_MAX);
	check_read(f, h, BIG - 1, 100, 1);
	check_read(f, h, FULL - 1, SFTP_READ_MAX, SFTP_READ_MAX);
	ASK(f, read, .handle = name_span(&h), .offset = 0, .length = 0);
	assert_int_equal(rd_uint(&(struct rd){got(f, SFTP_DATA).ptr, 4, false}, 4), 0);
	assert_int_equal(read_at(f, h, BIG, 1).len, 0);
	assert_int_equal(read_at(f, h, UINT64_MAX, UINT32_MAX).len, 0);
	assert_int_equal(read_at(f, h, (uint64_t)INT64_MAX + 1, 1).len, 0);
	end(f);
}

/* Two extents of one file: in each, across both, and back. */
static void
test_extents(void **state)
{
	struct fix *f = begin(BIG);
	size_t half = BIG / 2 + 1000;
	struct name h;

	(void)state;
	store_find(&f->store, "/Home/alice/x")->is_split = true;
	h = open_file(f, "x", R);
	check_read(f, h, 0, 1000, 1000);
	check_read(f, h, half - 1000, 1000, 1000);
	assert_int_equal(store_asked(&f->store, IPC_OPEN), 1);
	check_read(f, h, half - 100000, SFTP_READ_MAX, SFTP_READ_MAX);
	assert_int_equal(store_asked(&f->store, IPC_OPEN), 2);
	check_read(f, h, half - 1, 2, 2);
	check_read(f, h, half, 500, 500);
	check_read(f, h, BIG - 10, 500, 10);
	end(f);
}

/* Random access by many handles: more readers than a connection keeps. */
static void
test_many_handles(void **state)
{
	struct fix *f = begin(BIG);
	struct name h[16];
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		h[i] = open_file(f, "x", R);
	for (unsigned k = 0; k < 300; k++) {
		size_t at, n;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (size_t)(seed >> 33) % (BIG - 1);
		n = 1 + (size_t)(seed >> 13) % 200000;
		check_read(f, h[k % ARRAY_LEN(h)], at, (uint32_t)n, n < BIG - at ? n : BIG - at);
	}
	end(f);
}

/* What is good in front of the damage is sent, the damage is told, and what is behind it can be
 * read. */
static void
test_damage(void **state)
{
	struct fix *f = begin(BIG);
	struct node *n = store_find(&f->store, "/Home/alice/x");
	struct name h;

	(void)state;
	store_spoil(n, 2 * FULL + 5);
	h = open_file(f, "x", R);
	check_read(f, h, FULL, SFTP_READ_MAX, FULL); /* short: up to the damage */
	ASK(f, read, .handle = name_span(&h), .offset = 2 * FULL, .length = 100);
	assert_string_equal(got_status(f, SFTP_FX_FAILURE),
	    "stored data is damaged: x (file 4) is damaged near byte 131008");
	assert_int_equal(f->store.damaged.file, n->id);
	assert_int_equal(f->store.damaged.version, n->version);
	assert_int_equal(f->store.damaged.offset, 2 * FULL);
	assert_int_equal(store_asked(&f->store, IPC_DAMAGED), 1);
	check_read(f, h, 3 * FULL, 1000, 1000);
	check_read(f, h, 0, 1000, 1000);
	ASK(f, read, .handle = name_span(&h), .offset = 3 * FULL - 1, .length = 100);
	(void)got_status(f, SFTP_FX_FAILURE);
	close_ok(f, h);
	end(f);
}

/* A blob that is too short, and a small file's ciphertext. */
static void
test_damage_at_open(void **state)
{
	struct fix *f = begin(BIG);
	struct node *n = store_find(&f->store, "/Home/alice/x");
	struct name h;

	(void)state;
	h = open_file(f, "x", R);
	n->size =
	    BIG - 1; /* the broker says another length than the vault's wrap and the blob have */
	ASK(f, open, .path = SPAN_LIT("x"), .flags = R);
	(void)got_status(f, SFTP_FX_FAILURE);
	n->size = BIG;
	check_read(f, h, 0, 10, 10);
	end(f);
}

/* A small file's key comes after OPEN's answer: what is wrong with its content, READ says, each
 * time and in the same words, and the ledger hears of it once. */
static void
test_damage_of_small(void **state)
{
	struct fix *f = begin(1000);
	struct node *n = store_find(&f->store, "/Home/alice/x");
	struct name h;

	(void)state;
	store_add_file(&f->store, "/Home/alice/y", bytes(0, 10).ptr, 10);
	h = open_file(f, "x", R);
	check_read(f, h, 0, 1000, 1000);
	close_ok(f, h);
	n->is_lied = true;
	h = open_file(f, "x", R);
	assert_int_equal(stat_size(f, "y"), 10); /* takes the key up, and is not concerned */
	for (int i = 0; i < 2; i++) {
		ASK(f, read, .handle = name_span(&h), .offset = 0, .length = 10);
		assert_string_equal(got_status(f, SFTP_FX_FAILURE),
		    "stored data is damaged: x (file 4) is damaged near byte 0");
	}
	assert_int_equal(store_asked(&f->store, IPC_DAMAGED), 1);
	close_ok(f, h);
	end(f);
}

/* Several at once, in any order, looked at and not, read and not. */
static void
test_small_in_any_order(void **state)
{
	struct fix *f = begin(1000);
	struct name a, b, c;

	(void)state;
	store_add_file(&f->store, "/Home/alice/y", bytes(5, 60000).ptr, 60000);
	a = open_file(f, "x", R);
	b = open_file(f, "y", R);
	ASK(f, fstat, .handle = name_span(&a));
	(void)got(f, SFTP_ATTRS);
	c = open_file(f, "x", R);
	close_ok(f, c);
	assert_true(span_eq(read_at(f, b, 100, 50000), bytes(105, 50000)));
	check_read(f, a, 0, 2000, 1000);
	close_ok(f, b);
	c = open_file(f, "y", R);
	check_read(f, a, 500, 10, 10);
	close_ok(f, a);
	assert_int_equal(store_asked(&f->store, IPC_OPEN), 4);
	end(f); /* c is still open, its key never asked for */
	(void)c;
}

/* A version that was replaced while it was read is read to its end. */
static void
test_replaced_meanwhile(void **state)
{
	struct fix *f = begin(BIG);
	struct name h, w;

	(void)state;
	h = open_file(f, "x", R);
	check_read(f, h, 0, 100, 100);
	w = open_file(f, "x", W | CREAT | TRUNC);
	write_ok(f, w, 0, SPAN_LIT("new"));
	check_read(f, h, 500000, 100, 100); /* an upload that is open changes nothing */
	close_ok(f, w);
	ASK(f, fstat, .handle = name_span(&h));
	(void)got(f, SFTP_ATTRS);
	end(f);
}

static void
test_refused(void **state)
{
	struct fix *f = begin(10);
	struct name w;

	(void)state;
	store_find(&f->store, "/Home/alice/x")->rights = RIGHT_LIST;
	ASK(f, open, .path = SPAN_LIT("x"), .flags = R);
	assert_string_equal(got_status(f, SFTP_FX_PERMISSION_DENIED),
	    "permission denied: you may not read in this folder");
	ASK(f, open, .path = SPAN_LIT("/Home"), .flags = R);
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "this is a folder");
	f->store.fail_id = IPC_OPEN;
	f->store.fail_err = SP_EBUDGET;
	ASK(f, open, .path = SPAN_LIT("x"), .flags = R);
	(void)got_status(f, SFTP_FX_FAILURE);
	w = open_file(f, "y", W | CREAT | TRUNC);
	ASK(f, read, .handle = name_span(&w), .length = 10);
	assert_string_equal(
	    got_status(f, SFTP_FX_PERMISSION_DENIED), "the file is not open for reading");
	/* no refused OPEN has kept a handle */
	for (unsigned i = 0; i < 200; i++) {
		ASK(f, open, .path = SPAN_LIT("none"), .flags = R);
		(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	}
	end(f);
}

/* Requests of 2 GiB of data by a client that takes none: the server waits, and holds no more than
 * what was not taken. */
static void
test_flood(void **state)
{
	struct fix *f = begin(BIG);
	struct name h = open_file(f, "x", R);
	uint32_t first = f->id + 1, last;

	(void)state;
	for (unsigned i = 0; i < 8000; i++)
		ASK(f, read, .handle = name_span(&h), .offset = 0, .length = SFTP_READ_MAX);
	last = f->id;
	for (f->id = first; f->id <= last; f->id++) {
		struct rd r;

		assert_true(played_left(f->stream) <= PLAYED_OUT_MAX + 2 * SFTP_PACKET_MAX);
		r = got(f, SFTP_DATA);
		assert_int_equal(rd_uint(&r, 4), SFTP_READ_MAX);
		if (f->id % 100 == 0)
			assert_true(span_eq(rd_take(&r, SFTP_READ_MAX), bytes(0, SFTP_READ_MAX)));
	}
	f->id = last;
	end(f);
}

/* An extent whose lengths contradict each other is not believed the second time either. */
static void
test_contradiction(void **state)
{
	struct fix *f = fix_new();
	struct node *n = store_add_file(&f->store, "/Home/alice/x", bytes(0, 300000).ptr, 300000);
	struct name h;

	(void)state;
	n->is_split = n->is_lied = true;
	fix_begin(f);
	h = open_file(f, "x", R);
	assert_true(span_eq(read_at(f, h, 0, 1000), bytes(0, 1000)));
	for (int i = 0; i < 2; i++) {
		ASK(f, read, .handle = name_span(&h), .offset = 200000, .length = 1000);
		(void)got_status(f, SFTP_FX_FAILURE);
	}
	assert_true(span_eq(read_at(f, h, 0, 1000), bytes(0, 1000)));
	fix_end(f);
	assert_int_equal(f->rc, SP_OK);
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_extents),
	    cmocka_unit_test(test_many_handles),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_damage_at_open),
	    cmocka_unit_test(test_damage_of_small),
	    cmocka_unit_test(test_small_in_any_order),
	    cmocka_unit_test(test_replaced_meanwhile),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_contradiction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
