/* Extended requests: each good and refused. */
#include "crypto/digest.h"
#include "rooms/gate/sftp/server_fix.h"

static struct fix *
begin(void)
{
	struct fix *f = fix_new();

	store_add_file(&f->store, "/Home/alice/x", bytes(0, 100000).ptr, 100000);
	store_add_file(&f->store, "/Home/alice/empty", "", 0);
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
check_numbers(struct fix *f, const uint64_t *want, size_t n)
{
	struct rd r = got(f, SFTP_EXTENDED_REPLY);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(rd_uint(&r, 8), want[i]);
	assert_true(rd_done(&r));
}

static void
test_space(void **state)
{
	static const uint64_t vfs[] = {4096, 4096, (1u << 30) / 4096, (1u << 20) / 4096,
	    (1u << 20) / 4096, 1000, 1000, 1000, 0, 2, 255};
	struct fix *f = begin();
	struct name h = open_file(f, "new", W | CREAT | TRUNC), d = open_folder(f, ".");
	struct rd r;

	(void)state;
	ASK(f, statvfs, .path = SPAN_LIT("x"));
	check_numbers(f, vfs, ARRAY_LEN(vfs));
	ASK(f, fstatvfs, .handle = name_span(&h));
	check_numbers(f, vfs, ARRAY_LEN(vfs));
	ASK(f, fstatvfs, .handle = name_span(&d));
	check_numbers(f, vfs, ARRAY_LEN(vfs));
	ASK(f, statvfs, .path = SPAN_LIT("none"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, fstatvfs, .handle = SPAN_LIT("none"));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, space_available, .path = SPAN_LIT("."));
	r = got(f, SFTP_EXTENDED_REPLY);
	assert_int_equal(rd_uint(&r, 8), 1u << 30);
	assert_int_equal(rd_uint(&r, 8), 1u << 20);
	assert_int_equal(rd_uint(&r, 8), 1u << 30);
	assert_int_equal(rd_uint(&r, 8), 1u << 20);
	assert_int_equal(rd_uint(&r, 4), 4096);
	assert_true(rd_done(&r));
	ASK(f, space_available, .path = SPAN_LIT("none"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	end(f);
}

static void
test_limits(void **state)
{
	static const uint64_t want[] = {SFTP_PACKET_MAX, SFTP_READ_MAX, SFTP_READ_MAX, 64};
	struct fix *f = begin();

	(void)state;
	ASK(f, limits, .id = 0);
	check_numbers(f, want, ARRAY_LEN(want));
	end(f);
}

static void
check_name(struct fix *f, const char *want)
{
	struct rd r = got(f, SFTP_NAME);
	struct span name;

	assert_int_equal(rd_uint(&r, 4), 1);
	name = rd_take(&r, rd_uint(&r, 4));
	assert_span(name, want);
}

static void
test_homes(void **state)
{
	struct fix *f = begin();

	(void)state;
	ASK(f, expand_path, .path = SPAN_LIT("~"));
	check_name(f, "/Home/alice");
	ASK(f, expand_path, .path = SPAN_LIT("~/a/../b"));
	check_name(f, "/Home/alice/b");
	ASK(f, expand_path, .path = SPAN_LIT("~alice/b"));
	check_name(f, "/Home/alice/b");
	ASK(f, expand_path, .path = SPAN_LIT("b"));
	check_name(f, "/Home/alice/b");
	ASK(f, expand_path, .path = SPAN_LIT("~bob/b"));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	ASK(f, home_directory, .user = SPAN_LIT(""));
	check_name(f, "/Home/alice");
	ASK(f, home_directory, .user = SPAN_LIT("alice"));
	check_name(f, "/Home/alice");
	ASK(f, home_directory, .user = SPAN_LIT("root"));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	end(f);
}

static void
test_users_groups(void **state)
{
	static const uint8_t ids[] = {0, 0, 0, 0, 0, 0, 3, 232};
	static const uint8_t want[] = "\0\0\0\x0d\0\0\0\5alice\0\0\0\0\0\0\0\x08\0\0\0\4acme";
	static uint8_t many[4100];
	struct fix *f = begin();
	struct rd r;

	(void)state;
	ASK(f, users_groups, .users = span_of(ids, 8), .groups = span_of(ids, 4));
	r = got(f, SFTP_EXTENDED_REPLY);
	assert_int_equal(r.left, sizeof(want) - 1);
	assert_memory_equal(r.ptr, want, sizeof(want) - 1);
	ASK(f, users_groups, .users = span_of(many, 4096));
	(void)got(f, SFTP_EXTENDED_REPLY);
	ASK(f, users_groups, .users = span_of(many, 4100));
	(void)got_status(f, SFTP_FX_FAILURE);
	end(f);
}

static void
test_copy(void **state)
{
	struct fix *f = begin();
	struct name from = open_file(f, "x", R), to = open_file(f, "y", W | CREAT | TRUNC),
		    d = open_folder(f, ".");

	(void)state;
	ASK(f, copy_data, .from = name_span(&from), .to = name_span(&to));
	(void)got_status(f, SFTP_FX_OK);
	close_ok(f, to);
	check_file(f, "/Home/alice/y", 100000);
	/* a piece, and more than there is */
	to = open_file(f, "z", W | CREAT | TRUNC);
	ASK(f, copy_data, .from = name_span(&from), .length = 1000, .to = name_span(&to));
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, copy_data, .from = name_span(&from), .from_offset = 1000, .length = 1u << 30,
	    .to = name_span(&to), .to_offset = 1000);
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, copy_data, .from = name_span(&from), .from_offset = 100000, .to = name_span(&to),
	    .to_offset = 5);
	(void)got_status(f, SFTP_FX_OK); /* nothing */
	close_ok(f, to);
	check_file(f, "/Home/alice/z", 100000);
	to = open_file(f, "z", W | R | CREAT | TRUNC);
	ASK(f, copy_data, .from = name_span(&to), .to = name_span(&to));
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "a file cannot be copied into itself");
	ASK(f, copy_data, .from = name_span(&from), .to = name_span(&from));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	ASK(f, copy_data, .from = name_span(&d), .to = name_span(&to));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, copy_data, .from = name_span(&from), .to = SPAN_LIT("none"));
	(void)got_status(f, SFTP_FX_FAILURE);
	end(f);
}

/* What is copied lies in readers that the old content of the target must not take away, however
 * many there are. */
static void
test_copy_many_readers(void **state)
{
	struct fix *f = begin();
	struct name from, to, other[8];
	char name[] = "0";

	(void)state;
	store_add_file(&f->store, "/Home/alice/big", bytes(0, 900000).ptr, 900000);
	store_add_file(&f->store, "/Home/alice/old", bytes(0, 300000).ptr, 300000);
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		char path[] = "/Home/alice/0";

		path[sizeof(path) - 2] = name[0] = (char)('0' + i);
		store_add_file(&f->store, path, bytes(0, 400000).ptr, 400000);
		other[i] = open_file(f, name, R);
	}
	from = open_file(f, "big", R);
	to = open_file(f, "old", W);
	/* all 32 readers are in use once the old content is opened: 5, 6 times 4, 2, and its first
	 */
	(void)read_at(f, from, 300000, SFTP_READ_MAX);
	for (size_t i = 0; i < 6; i++)
		(void)read_at(f, other[i], 0, SFTP_READ_MAX);
	ASK(f, copy_data, .from = name_span(&from), .from_offset = 300000, .to = name_span(&to),
	    .to_offset = 300000);
	(void)got_status(f, SFTP_FX_OK);
	assert_true(played_heard(f->stream) >= 900000 / SFTP_READ_MAX);
	close_ok(f, to);
	check_file(f, "/Home/alice/old", 900000);
	end(f);
}

/* A copy that stopped in the middle is no file: what was there stays. */
static void
test_copy_damage(void **state)
{
	struct fix *f = begin();
	struct name from, to;

	(void)state;
	store_add_file(&f->store, "/Home/alice/big", bytes(0, 900000).ptr, 900000);
	store_add_file(&f->store, "/Home/alice/good", bytes(0, 5000).ptr, 5000);
	store_spoil(store_find(&f->store, "/Home/alice/big"), 600000);
	from = open_file(f, "big", R);
	to = open_file(f, "good", W | CREAT | TRUNC);
	ASK(f, copy_data, .from = name_span(&from), .to = name_span(&to));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, close, .handle = name_span(&to));
	(void)got_status(f, SFTP_FX_FAILURE);
	check_file(f, "/Home/alice/good", 5000);
	end(f);
}

/* ---- check-file ---- */

/* The reply holds these hashes: of blocks of the pattern. */
static void
check_hashes(struct fix *f, const char *algorithm, size_t at, size_t n, size_t block)
{
	struct rd r = got(f, SFTP_EXTENDED_REPLY);
	struct span s;

	s = rd_take(&r, rd_uint(&r, 4));
	assert_span(s, "check-file");
	s = rd_take(&r, rd_uint(&r, 4));
	assert_span(s, algorithm);
	do {
		size_t part = block < n ? block : n, len;
		uint8_t want[DIGEST_BYTES_MAX];
		struct digest *d = NULL;

		assert_int_equal(digest_new(span_str(algorithm), &d), SP_OK);
		assert_int_equal(digest_add(d, bytes(at, part)), SP_OK);
		assert_int_equal(digest_get(d, want, &len), SP_OK);
		digest_free(d);
		s = rd_take(&r, len);
		assert_int_equal(s.len, len);
		assert_memory_equal(s.ptr, want, len);
		at += part;
		n -= part;
	} while (n != 0);
	assert_true(rd_done(&r));
}

static void
test_check_file(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", R);

	(void)state;
	ASK(f, check_file_name, .path = SPAN_LIT("x"), .algorithms = SPAN_LIT("md5,sha256,sha512"));
	check_hashes(f, "sha256", 0, 100000, 100000);
	assert_int_equal(store_asked(&f->store, IPC_OPEN), 1); /* h: the stored hash needs no key */
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha512"));
	check_hashes(f, "sha512", 0, 100000, 100000);
	ASK(f, check_file_handle, .handle = name_span(&h), .algorithms = SPAN_LIT("sha384"),
	    .offset = 5000, .length = 70000, .block = 30000);
	check_hashes(f, "sha384", 5000, 70000, 30000);
	ASK(f, check_file_name, .path = SPAN_LIT("x"), .algorithms = SPAN_LIT("sha256"),
	    .offset = 99000, .length = 5000, .block = 256);
	check_hashes(f, "sha256", 99000, 1000, 256);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha256"),
	    .length = 100000, .block = 100000);
	check_hashes(f, "sha256", 0, 100000, 100000);
	ASK(f, check_file_name, .path = SPAN_LIT("empty"), .algorithms = SPAN_LIT("sha512"));
	check_hashes(f, "sha512", 0, 0, 1);
	store_find(&f->store, "/Home/alice/x")->has_sha256 = false; /* not hashed yet */
	ASK(f, check_file_name, .path = SPAN_LIT("x"), .algorithms = SPAN_LIT("sha256"));
	check_hashes(f, "sha256", 0, 100000, 100000);
	end(f);
}

static void
test_check_file_refused(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", R), w = open_file(f, "w", W | CREAT | TRUNC),
		    rw = open_file(f, "rw", R | W | CREAT);

	(void)state;
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("md5,sha1,crc32"));
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT(""));
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha256"), .block = 255);
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha256"),
	    .offset = 100001);
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, check_file, .handle = name_span(&w), .algorithms = SPAN_LIT("sha256"));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	ASK(f, check_file, .handle = name_span(&rw), .algorithms = SPAN_LIT("sha256"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, check_file_name, .path = SPAN_LIT("none"), .algorithms = SPAN_LIT("sha256"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, check_file_name, .path = SPAN_LIT("."), .algorithms = SPAN_LIT("sha256"));
	(void)got_status(f, SFTP_FX_FAILURE);
	/* whoever may not read gets no hash, stored or not */
	store_find(&f->store, "/Home/alice/x")->rights = RIGHT_LIST;
	ASK(f, check_file_name, .path = SPAN_LIT("x"), .algorithms = SPAN_LIT("sha256"));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	end(f);
}

/* As many blocks as fit into a reply, and one more. */
static void
test_check_file_blocks(void **state)
{
	struct fix *f = fix_new();
	struct name h;

	(void)state;
	store_add_file(&f->store, "/Home/alice/x", bytes(0, 300000).ptr, 300000);
	fix_begin(f);
	h = open_file(f, "x", R);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha512"),
	    .length = 256 * 1023 + 255, .block = 256);
	check_hashes(f, "sha512", 0, 256 * 1023 + 255, 256);
	assert_true(played_heard(f->stream) >= 1024);
	ASK(f, check_file, .handle = name_span(&h), .algorithms = SPAN_LIT("sha512"),
	    .length = 256 * 1024, .block = 256);
	(void)got_status(f, SFTP_FX_FAILURE);
	end(f);
}

static void
test_check_file_damage(void **state)
{
	struct fix *f = begin();
	struct node *n = store_find(&f->store, "/Home/alice/x");

	(void)state;
	store_spoil(n, 70000);
	ASK(f, check_file_name, .path = SPAN_LIT("x"), .algorithms = SPAN_LIT("sha512"));
	(void)got_status(f, SFTP_FX_FAILURE);
	assert_int_equal(store_asked(&f->store, IPC_DAMAGED), 1);
	end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_space),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_homes),
	    cmocka_unit_test(test_users_groups),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_copy_many_readers),
	    cmocka_unit_test(test_copy_damage),
	    cmocka_unit_test(test_check_file),
	    cmocka_unit_test(test_check_file_refused),
	    cmocka_unit_test(test_check_file_blocks),
	    cmocka_unit_test(test_check_file_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
