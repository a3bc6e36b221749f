/* The loop, handles, attributes, folders and names: each request good and refused. */
#include "rooms/gate/sftp/server_fix.h"

static struct fix *
begin(void)
{
	struct fix *f = fix_new();

	store_add_file(&f->store, "/Home/alice/x", "hello", 5);
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

/* ---- the loop ---- */

static void
test_starts(void **state)
{
	const struct {
		struct span in;
		int rc;
	} rows[] = {
	    {SPAN_LIT(""), SP_OK},
	    {SPAN_LIT("\0\0\0\5\1\0\0\0\3"), SP_OK},
	    {SPAN_LIT("\0\0\0\5\1\0\0\0\6"), SP_OK},
	    {SPAN_LIT("\0\0\0\5\1\0\0\0\2"), SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\5\2\0\0\0\3"), SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x09\x11\0\0\0\1\0\0\0\0"), SP_ESYNTAX}, /* STAT before INIT */
	    {SPAN_LIT("\0\0\0\x19\x06\0\0\0\1\0\0\0\4abcd\0\0\0\0\0\0\0\0\0\0\0\0"), SP_ESYNTAX},
	    {SPAN_LIT("\0\5\0\0\x06\0\0\0\1\0\0\0\4abcd\0\0\0\0\0\0\0\0\0\0\0\0"), SP_ETOOBIG},
	    {SPAN_LIT("\0\0\0\0\1"), SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\4\1\0\0\0\3"), SP_ESYNTAX},
	    {SPAN_LIT("\xff\xff\xff\xff\1\0\0\0\3"), SP_ETOOBIG},
	    {SPAN_LIT("\0\1\0\1\1\0\0\0\3"), SP_ETOOBIG},
	    {SPAN_LIT("\0\0\0\5\1\0\0\0"), SP_ECLOSED},
	    {SPAN_LIT("\0\0\0"), SP_ECLOSED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fix *f = fix_new();

		fix_start(f);
		played_put(f->stream, rows[i].in);
		fix_end(f);
		if (f->rc != rows[i].rc)
			fail_msg("row %zu: %d", i, f->rc);
		fix_free(f);
	}
}

/* A packet that is none: BAD_MESSAGE where it has an identifier, and the end. */
static void
test_malformed(void **state)
{
	const struct {
		struct span in;
		bool is_told;
		int rc;
	} rows[] = {
	    {SPAN_LIT("\0\0\0\x09\x11\0\0\0\1\0\0\0\1"), true, SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x0a\x11\0\0\0\1\0\0\0\0x"), true, SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x0d\xc8\0\0\0\1\0\0\0\x09limi"), true, SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x19\x06\0\0\0\1\0\0\0\4abcd\0\0\0\0\0\0\0\0\0\0\0\1"), true,
		SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x19\x06\0\0\0\1\0\0\1\1abcd\0\0\0\0\0\0\0\0\0\0\0\0"), false,
		SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x19\x06\0\0\0\1\0\0\0\5abcd\0\0\0\0\0\0\0\0\0\0\0\0"), false,
		SP_ESYNTAX},
	    {SPAN_LIT("\0\0\0\x08\x06\0\0\0\1\0\0\0"), false, SP_ESYNTAX},
	    {SPAN_LIT("\0\1\0\1\x11\0\0\0\1"), false, SP_ETOOBIG},
	    {SPAN_LIT("\0\5\0\1\x06\0\0\0\1\0\0\0\4abcd"), false, SP_ETOOBIG},
	    {SPAN_LIT("\0\0\0\x04\x11\0\0\0"), false, SP_ESYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fix *f = begin();

		f->id = 1;
		played_put(f->stream, rows[i].in);
		if (rows[i].is_told)
			(void)got_status(f, SFTP_FX_BAD_MESSAGE);
		assert_false(played_get(f->stream, f->buf, 1));
		fix_end(f);
		if (f->rc != rows[i].rc)
			fail_msg("row %zu: %d", i, f->rc);
		fix_free(f);
	}
}

static void
test_unknown_requests(void **state)
{
	struct fix *f = begin();

	(void)state;
	f->id = 9;
	for (unsigned type = 0; type < 256; type++) {
		uint8_t packet[9] = {0, 0, 0, 5, (uint8_t)type, 0, 0, 0, 9};

		if ((type >= 3 && type <= 20) || type == 200)
			continue;
		played_put(f->stream, span_of(packet, sizeof(packet)));
		(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	}
	played_put(f->stream, SPAN_LIT("\0\0\0\x0d\xc8\0\0\0\x09\0\0\0\4nope"));
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	end(f);
}

static void
test_room_gone(void **state)
{
	struct fix *f = begin();

	(void)state;
	f->store.fail_id = IPC_STAT;
	f->store.fail_err = SP_ESESSION;
	ASK(f, stat, .path = SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	assert_false(played_get(f->stream, f->buf, 1));
	fix_end(f);
	assert_err(f->rc, SP_ESESSION);
	fix_free(f);
}

/* ---- attributes ---- */

static struct sftp_attrs
stat_of(struct fix *f, const char *path)
{
	struct sftp_attrs a;
	struct rd r;

	ASK(f, lstat, .path = span_str(path));
	r = got(f, SFTP_ATTRS);
	assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
	return a;
}

static void
test_stat(void **state)
{
	struct fix *f = begin();
	struct sftp_attrs a;

	(void)state;
	store_find(&f->store, "/Home/alice")->rights = RIGHT_LIST;
	a = stat_of(f, "x");
	assert_int_equal(a.flags, 15);
	assert_int_equal(a.permissions, 0100644);
	assert_int_equal(a.size, 5);
	assert_int_equal(a.uid, 0);
	assert_int_equal(a.mtime, PLAYED_TIME_US / 1000000);
	assert_int_equal(a.atime, a.mtime);
	assert_int_equal(stat_of(f, "..").permissions, 0040755);
	assert_int_equal(stat_of(f, ".").permissions, 0040555);
	store_find(&f->store, "/Home/alice/x")->rights = RIGHT_READ;
	assert_int_equal(stat_of(f, "/Home/../Home//alice/x").permissions, 0100444);
	ASK(f, stat, .path = SPAN_LIT("none"));
	assert_string_equal(got_status(f, SFTP_FX_NO_SUCH_FILE), "no such file or folder");
	ASK(f, stat, .path = SPAN_LIT("a\0b"));
	(void)got_status(f, SFTP_FX_FAILURE);
	end(f);
}

static void
test_setstat(void **state)
{
	struct sftp_attrs time = {.flags = SFTP_ATTR_TIMES, .mtime = 1600000000},
			  mode = {.flags = SFTP_ATTR_PERMISSIONS, .permissions = 0600},
			  owner = {.flags = SFTP_ATTR_UIDGID, .uid = 1},
			  same = {.flags = SFTP_ATTR_UIDGID}, nothing = {.flags = SFTP_ATTR_SIZE},
			  five = {.flags = SFTP_ATTR_SIZE, .size = 5},
			  three = {.flags = SFTP_ATTR_SIZE, .size = 3};
	struct fix *f = begin();

	(void)state;
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = time);
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->modified_us, 1600000000000000);
	ASK(f, lsetstat, .path = SPAN_LIT("x"), .attrs = mode);
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, setstat, .path = SPAN_LIT("none"), .attrs = mode);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, setstat, .path = SPAN_LIT("none"), .attrs = time);
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = owner);
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = same);
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = five);
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = three);
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	ASK(f, setstat, .path = SPAN_LIT(".."), .attrs = nothing);
	(void)got_status(f, SFTP_FX_FAILURE);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->size, 5);
	ASK(f, setstat, .path = SPAN_LIT("x"), .attrs = nothing);
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->size, 0);
	end(f);
}

static void
test_fstat(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", R), d = open_folder(f, "/Home");
	struct sftp_attrs a, mode = {.flags = SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES, .mtime = 5},
			     cut = {.flags = SFTP_ATTR_SIZE};
	struct rd r;

	(void)state;
	ASK(f, fstat, .handle = name_span(&h));
	r = got(f, SFTP_ATTRS);
	assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
	assert_int_equal(a.size, 5);
	assert_int_equal(a.permissions, 0100644);
	ASK(f, fstat, .handle = name_span(&d));
	r = got(f, SFTP_ATTRS);
	assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
	assert_int_equal(a.permissions, 0040755);
	ASK(f, fsetstat, .handle = name_span(&h), .attrs = mode);
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_find(&f->store, "/Home/alice/x")->modified_us, 5000000);
	ASK(f, fsetstat, .handle = name_span(&h), .attrs = cut);
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	end(f);
}

/* ---- handles ---- */

static void
test_handles(void **state)
{
	struct fix *f = begin();
	struct name h = open_file(f, "x", R), again, d;
	static const uint8_t strange[][8] = {
	    {0}, {0, 0, 1, 1}, {0, 0, 0, 0}, {255, 255, 255, 255}, {0, 0, 1, 200}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		ASK(f, fstat, .handle = span_of(strange[i], 4));
		assert_string_equal(got_status(f, SFTP_FX_FAILURE), "there is no such handle");
	}
	for (size_t n = 0; n < 8; n++) {
		uint8_t longer[8] = {0};

		memcpy(longer, h.b, 4);
		ASK(f, close, .handle = span_of(longer, n == 4 ? 8 : n));
		(void)got_status(f, SFTP_FX_FAILURE);
	}
	close_ok(f, h);
	ASK(f, close, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_FAILURE);
	again = open_file(f, "x", R);
	assert_int_equal(again.b[3], h.b[3]); /* the same place, and yet: */
	ASK(f, fstat, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_FAILURE);
	/* of the wrong kind */
	d = open_folder(f, ".");
	ASK(f, read, .handle = name_span(&d), .length = 1);
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, readdir, .handle = name_span(&again));
	(void)got_status(f, SFTP_FX_FAILURE);
	write_at(f, again, 0, SPAN_LIT("x"));
	assert_string_equal(
	    got_status(f, SFTP_FX_PERMISSION_DENIED), "the file is not open for writing");
	write_at(f, d, 0, SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_FAILURE);
	end(f);
}

static void
test_too_many_handles(void **state)
{
	struct fix *f = fix_new();
	struct name h = {{0}};

	(void)state;
	f->conf.sftp_handles = 4;
	store_add_file(&f->store, "/Home/alice/x", "hello", 5);
	fix_begin(f);
	for (unsigned i = 0; i < 4; i++)
		h = open_file(f, "x", R);
	ASK(f, open, .path = SPAN_LIT("x"), .flags = R);
	assert_string_equal(
	    got_status(f, SFTP_FX_FAILURE), "too many open files and folders: at most 4");
	ASK(f, opendir, .path = SPAN_LIT("."));
	(void)got_status(f, SFTP_FX_FAILURE);
	close_ok(f, h);
	(void)open_folder(f, ".");
	end(f);
}

/* ---- folders ---- */

/* One READDIR: names into buf, separated by spaces; false at the end. */
static bool
read_names(struct fix *f, struct name d, struct text *t, unsigned *ret_n)
{
	uint8_t head[9];
	struct rd r;
	uint64_t n;

	ASK(f, readdir, .handle = name_span(&d));
	assert_true(played_get(f->stream, head, 9));
	r = rd_of(span_of(head, 9));
	n = rd_uint(&r, 4) - 5;
	assert_true(n <= SFTP_PACKET_MAX);
	assert_true(played_get(f->stream, f->buf, n));
	r = rd_of(span_of(f->buf, n));
	if (head[4] == SFTP_STATUS) {
		assert_int_equal(rd_uint(&r, 4), SFTP_FX_EOF);
		return false;
	}
	assert_int_equal(head[4], SFTP_NAME);
	*ret_n = (unsigned)rd_uint(&r, 4);
	assert_true(*ret_n > 0 && *ret_n <= 102);
	for (unsigned i = 0; i < *ret_n; i++) {
		struct span name = rd_take(&r, rd_uint(&r, 4)), line = rd_take(&r, rd_uint(&r, 4));
		struct sftp_attrs a;

		assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
		assert_true(
		    line.len > name.len && span_eq(span_skip(line, line.len - name.len), name));
		assert_int_equal(line.ptr[0], a.permissions & 0040000 ? 'd' : '-');
		if (t == NULL)
			continue;
		text_add(t, name);
		text_chr(t, ' ');
	}
	assert_true(rd_done(&r));
	return true;
}

static void
test_readdir(void **state)
{
	struct fix *f = begin();
	char buf[1000];
	struct text t = text_of(buf, sizeof(buf));
	struct name d;
	unsigned n;

	(void)state;
	store_add_folder(&f->store, "/Home/alice/z");
	store_add_folder(&f->store, "/Home/alice/y");
	store_add_file(&f->store, "/Home/alice/a b", "", 0);
	store_add_file(&f->store, "/Home/alice/y/not", "", 0);
	d = open_folder(f, ".");
	while (read_names(f, d, &t, &n))
		continue;
	assert_string_equal(buf, ". .. y z a b x ");
	assert_false(read_names(f, d, &t, &n));
	close_ok(f, d);
	/* an empty one */
	t = text_of(buf, sizeof(buf));
	d = open_folder(f, "z");
	while (read_names(f, d, &t, &n))
		continue;
	assert_string_equal(buf, ". .. ");
	ASK(f, opendir, .path = SPAN_LIT("x"));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, opendir, .path = SPAN_LIT("none"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	store_find(&f->store, "/Home/alice/z")->rights = RIGHT_READ;
	d = open_folder(f, "z");
	ASK(f, readdir, .handle = name_span(&d));
	(void)got_status(f, SFTP_FX_PERMISSION_DENIED);
	end(f);
}

/* 200,000 names: a hundred at a time, nothing twice, nothing kept. */
static void
test_huge_folder(void **state)
{
	struct fix *f = fix_new();
	unsigned n = 0, total = 0, replies = 0;
	struct name d;

	(void)state;
	store_add_folder(&f->store, "/huge");
	f->store.huge = 200000;
	fix_begin(f);
	d = open_folder(f, "/huge");
	for (; read_names(f, d, NULL, &n); replies++) {
		total += n;
		f->store.n_asked = 0;
	}
	assert_int_equal(total, 200002);
	assert_int_equal(replies, 2000);
	end(f);
}

/* The longest names there are still come a page at a time. */
static void
test_long_names(void **state)
{
	struct fix *f = fix_new();
	char path[300] = "/Home/alice/";
	unsigned n = 0, total = 0;
	struct name d;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		memset(path + 12, 'a' + (int)i, 255);
		store_add_file(&f->store, path, "", 0);
	}
	fix_begin(f);
	d = open_folder(f, ".");
	while (read_names(f, d, NULL, &n))
		total += n;
	assert_int_equal(total, 22);
	end(f);
}

/* ---- names ---- */

static void
test_folders_and_names(void **state)
{
	struct fix *f = begin();

	(void)state;
	ASK(f, mkdir, .path = SPAN_LIT("d"));
	(void)got_status(f, SFTP_FX_OK);
	assert_true(store_find(&f->store, "/Home/alice/d")->is_folder);
	ASK(f, mkdir, .path = SPAN_LIT("d/"));
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "the name exists already");
	ASK(f, mkdir, .path = SPAN_LIT("none/d"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, rename, .from = SPAN_LIT("x"), .to = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_OK);
	assert_non_null(store_find(&f->store, "/Home/alice/d/x"));
	ASK(f, rmdir, .path = SPAN_LIT("d"));
	assert_string_equal(got_status(f, SFTP_FX_FAILURE), "the folder is not empty");
	ASK(f, rmdir, .path = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, remove, .path = SPAN_LIT("d"));
	(void)got_status(f, SFTP_FX_FAILURE);
	store_add_file(&f->store, "/Home/alice/y", "new", 3);
	ASK(f, rename, .from = SPAN_LIT("y"), .to = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_FAILURE);
	ASK(f, posix_rename, .from = SPAN_LIT("y"), .to = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_OK);
	assert_int_equal(store_find(&f->store, "/Home/alice/d/x")->size, 3);
	ASK(f, posix_rename, .from = SPAN_LIT("y"), .to = SPAN_LIT("z"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, remove, .path = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_OK);
	ASK(f, remove, .path = SPAN_LIT("d/x"));
	(void)got_status(f, SFTP_FX_NO_SUCH_FILE);
	ASK(f, rmdir, .path = SPAN_LIT("d"));
	(void)got_status(f, SFTP_FX_OK);
	assert_null(store_find(&f->store, "/Home/alice/d"));
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
test_realpath(void **state)
{
	struct fix *f = begin();

	(void)state;
	ASK(f, realpath, .path = SPAN_LIT("."));
	check_name(f, "/Home/alice");
	ASK(f, realpath, .path = SPAN_LIT(""));
	check_name(f, "/Home/alice");
	ASK(f, realpath, .path = SPAN_LIT("../../../none/../nor/this"));
	check_name(f, "/nor/this");
	ASK(f, realpath, .path = SPAN_LIT("/"));
	check_name(f, "/");
	end(f);
}

/* Without a home folder one stands at the root. */
static void
test_no_home(void **state)
{
	struct fix *f = fix_new();

	(void)state;
	f->store.fail_id = IPC_STAT;
	f->store.fail_err = SP_EPERM;
	fix_begin(f);
	ASK(f, realpath, .path = SPAN_LIT("."));
	check_name(f, "/");
	end(f);
}

static void
test_links(void **state)
{
	struct fix *f = begin();

	(void)state;
	ASK(f, readlink, .path = SPAN_LIT("x"));
	assert_string_equal(
	    got_status(f, SFTP_FX_OP_UNSUPPORTED), "there are no links in this store");
	ASK(f, symlink, .from = SPAN_LIT("x"), .to = SPAN_LIT("y"));
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	ASK(f, hardlink, .from = SPAN_LIT("x"), .to = SPAN_LIT("y"));
	(void)got_status(f, SFTP_FX_OP_UNSUPPORTED);
	end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_starts),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_unknown_requests),
	    cmocka_unit_test(test_room_gone),
	    cmocka_unit_test(test_stat),
	    cmocka_unit_test(test_setstat),
	    cmocka_unit_test(test_fstat),
	    cmocka_unit_test(test_handles),
	    cmocka_unit_test(test_too_many_handles),
	    cmocka_unit_test(test_readdir),
	    cmocka_unit_test(test_huge_folder),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_folders_and_names),
	    cmocka_unit_test(test_realpath),
	    cmocka_unit_test(test_no_home),
	    cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
