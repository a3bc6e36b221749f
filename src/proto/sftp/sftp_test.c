/* Every request whole, cut anywhere and with a byte too many; limits; replies byte by byte; lines
 * of `ls -l`. */
#include "base/test.h"
#include "base/mem.h"
#include "proto/sftp/sftp.h"

#define HALF_YEAR_S INT64_C(15768000)

/* ---- a value for every field ---- */

static const uint8_t ids[8] = {0, 0, 0, 0, 0, 0, 3, 232};

static void
fill_u32(uint32_t *v)
{
	*v = 0x01020304;
}

static void
fill_u64(uint64_t *v)
{
	*v = 0x0102030405060708;
}

static void
fill_str(struct span *s)
{
	*s = SPAN_LIT("/in/\xc3\xa4");
}

static void
fill_handle(struct span *s)
{
	*s = SPAN_LIT("hndl");
}

static void
fill_ids(struct span *s)
{
	*s = span_of(ids, sizeof(ids));
}

static void
fill_attrs(struct sftp_attrs *a)
{
	*a = (struct sftp_attrs){
	    .flags = SFTP_ATTR_SIZE | SFTP_ATTR_UIDGID | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES,
	    .size = UINT64_MAX,
	    .uid = 1,
	    .gid = 2,
	    .permissions = 0100644,
	    .atime = 3,
	    .mtime = UINT32_MAX};
}
#define EQUAL_u32(a, b) assert_int_equal(a, b)
#define EQUAL_u64(a, b) assert_true((a) == (b))
#define EQUAL_str(a, b) assert_true(span_eq(a, b))
#define EQUAL_handle EQUAL_str
#define EQUAL_ids EQUAL_str
#define EQUAL_attrs(a, b) assert_memory_equal(&(a), &(b), sizeof(a))

/* ---- requests ---- */

/* Round trip, and every prefix is short: of the packet's fields, of its name, of its identifier. */
#define FILL(type, name) fill_##type(&m.name);
#define SAME(type, name) EQUAL_##type(m.name, got.name);
#define SFTP_REQ(number, NAME, name)                                                               \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		uint8_t buf[1024];                                                                 \
		struct wr w = wr_of(buf, sizeof(buf));                                             \
		struct sftp_##name m, got;                                                         \
		struct sftp_packet p;                                                              \
		struct span s;                                                                     \
                                                                                                   \
		(void)state;                                                                       \
		memset(&m, 0, sizeof(m));                                                          \
		memset(&got, 0, sizeof(got));                                                      \
		m.id = 77;                                                                         \
		SFTP_FIELDS_##name(FILL) sftp_put_##name(&w, &m);                                  \
		assert_false(w.bad);                                                               \
		assert_int_equal(buf[3] + 256 * buf[2], w.len - 4);                                \
		s = span_skip(wr_span(&w), 4);                                                     \
		assert_int_equal(sftp_get_packet(s, &p), SP_OK);                                   \
		assert_int_equal(p.id, 77);                                                        \
		assert_int_equal(p.type, (number) != 0 ? (number) : SFTP_EXTENDED);                \
		assert_int_equal(sftp_get_##name(&p, &got), SP_OK);                                \
		assert_int_equal(got.id, 77);                                                      \
		SFTP_FIELDS_##name(SAME) for (size_t n = 0; n < s.len; n++)                        \
		{                                                                                  \
			int rc = sftp_get_packet(span_cut(s, n), &p);                              \
                                                                                                   \
			if (rc == SP_OK)                                                           \
				rc = sftp_get_##name(&p, &got);                                    \
			if (rc != SP_ESHORT && rc != SP_ERANGE)                                    \
				fail_msg("cut to %zu of %zu: %d", n, s.len, rc);                   \
		}                                                                                  \
		wr_uint(&w, 0, 1);                                                                 \
		assert_int_equal(sftp_get_packet(span_skip(wr_span(&w), 4), &p), SP_OK);           \
		if ((number) == SFTP_WRITE)                                                        \
			assert_int_equal(sftp_get_##name(&p, &got), SP_OK);                        \
		else                                                                               \
			assert_err(sftp_get_##name(&p, &got), SP_ETRAIL);                          \
	}
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT

/* A length that says more than there is, up to the greatest: short, and nothing is read behind the
 * end. */
static void
test_lengths(void **state)
{
	static const uint32_t lengths[] = {2, 255, 65536, INT32_MAX, UINT32_MAX - 3, UINT32_MAX};
	uint8_t buf[6] = {0, 0, 0, 1, 'a', 0};
	struct sftp_packet p = {.type = SFTP_STAT, .id = 1, .body = {buf, 5}};
	struct sftp_stat m;

	(void)state;
	assert_int_equal(sftp_get_stat(&p, &m), SP_OK);
	assert_span(m.path, "a");
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct wr w = wr_of(buf, 4);

		wr_uint(&w, lengths[i], 4);
		assert_err(sftp_get_stat(&p, &m), SP_ESHORT);
	}
}

static void
test_packets(void **state)
{
	struct sftp_packet p;

	(void)state;
	assert_err(sftp_get_packet(SPAN_LIT(""), &p), SP_ESHORT);
	assert_int_equal(p.type, 0);
	assert_err(sftp_get_packet(SPAN_LIT("\x11\0\0\0"), &p), SP_ESHORT);
	assert_int_equal(p.type, SFTP_STAT);
	assert_int_equal(p.id, 0);
	/* an extended request without a whole name still has its identifier */
	assert_err(sftp_get_packet(SPAN_LIT("\xc8\0\0\0\x09\0\0\0\x05home"), &p), SP_ESHORT);
	assert_int_equal(p.id, 9);
	assert_int_equal(sftp_get_packet(SPAN_LIT("\x01\0\0\0\x03"), &p), SP_OK);
	assert_int_equal(p.id, 3);
	assert_int_equal(p.body.len, 0);
}

static void
test_write_head(void **state)
{
	uint8_t buf[13] = {0};
	struct wr w = wr_of(buf, sizeof(buf));
	size_t n = 0;

	(void)state;
	wr_uint(&w, 1000, 4);
	wr_uint(&w, SFTP_WRITE, 1);
	wr_uint(&w, 5, 4);
	wr_uint(&w, SFTP_HANDLE_MAX, 4);
	assert_int_equal(sftp_write_head_bytes(wr_span(&w), &n), SP_OK);
	assert_int_equal(n, SFTP_WRITE_HEAD_MAX);
	assert_err(sftp_write_head_bytes(span_cut(wr_span(&w), 12), &n), SP_ERANGE);
	buf[12] = 1; /* 257 */
	assert_err(sftp_write_head_bytes(wr_span(&w), &n), SP_ERANGE);
	memset(buf + 9, 255, 4);
	assert_err(sftp_write_head_bytes(wr_span(&w), &n), SP_ERANGE);
	memset(buf + 9, 0, 4);
	assert_int_equal(sftp_write_head_bytes(wr_span(&w), &n), SP_OK);
	assert_int_equal(n, 25);
}

static void
test_attrs(void **state)
{
	uint8_t buf[64];
	struct wr w;
	struct rd r;
	struct sftp_attrs a;

	(void)state;
	/* each flag alone, and all the others absent */
	for (uint32_t flags = 0; flags < 16; flags++) {
		struct sftp_attrs m;

		fill_attrs(&m);
		m.flags = flags;
		w = wr_of(buf, sizeof(buf));
		sftp_attrs_put(&w, &m);
		r = rd_of(wr_span(&w));
		assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
		assert_true(rd_done(&r));
		assert_int_equal(a.flags, flags);
		assert_int_equal(a.mtime, (flags & SFTP_ATTR_TIMES) ? UINT32_MAX : 0);
		assert_true(a.size == ((flags & SFTP_ATTR_SIZE) ? UINT64_MAX : 0));
	}
	for (uint32_t bit = 4; bit < 31; bit++) {
		w = wr_of(buf, sizeof(buf));
		wr_uint(&w, 1u << bit, 4);
		r = rd_of(wr_span(&w));
		assert_err(sftp_attrs_take(&r, &a), SP_ERANGE);
	}
}

static void
test_attrs_pairs(void **state)
{
	struct sftp_attrs a;
	struct rd r =
	    rd_of(SPAN_LIT("\x80\0\0\0\0\0\0\x02\0\0\0\x01n\0\0\0\x01v\0\0\0\0\0\0\0\x02vv"));

	(void)state;
	assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
	assert_true(rd_done(&r));
	assert_int_equal(a.flags, 0);
	/* four thousand million of them, in nothing */
	r = rd_of(SPAN_LIT("\x80\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0"));
	assert_err(sftp_attrs_take(&r, &a), SP_ESHORT);
}

static void
test_ids(void **state)
{
	struct sftp_packet p = {.type = SFTP_EXTENDED,
	    .body = SPAN_LIT("\0\0\0\x03"
			     "abc\0\0\0\0")};
	struct sftp_users_groups m;
	struct span s = span_of(ids, sizeof(ids));
	uint32_t id = 9;

	(void)state;
	assert_err(sftp_get_users_groups(&p, &m), SP_ERANGE);
	assert_true(sftp_ids_next(&s, &id));
	assert_int_equal(id, 0);
	assert_true(sftp_ids_next(&s, &id));
	assert_int_equal(id, 1000);
	assert_false(sftp_ids_next(&s, &id));
}

static void
test_extension(void **state)
{
	(void)state;
	assert_int_equal(sftp_extension(SPAN_LIT("copy-data")), SFTP_EXT_COPY_DATA);
	assert_int_equal(sftp_extension(SPAN_LIT("check-file")), SFTP_EXT_CHECK_FILE);
	assert_int_equal(sftp_extension(SPAN_LIT("check-file-name")), SFTP_EXT_CHECK_FILE_NAME);
	assert_int_equal(sftp_extension(SPAN_LIT("check-file-nam")), SFTP_EXT_NONE);
	assert_int_equal(sftp_extension(SPAN_LIT("COPY-DATA")), SFTP_EXT_NONE);
	assert_int_equal(sftp_extension(SPAN_LIT("")), SFTP_EXT_NONE);
}

/* ---- replies ---- */

static void
test_replies(void **state)
{
	static const uint8_t status[] = "\0\0\0\x13"
					"e\0\0\0\x07\0\0\0\x04\0\0\0\x02no\0\0\0\0";
	static const uint8_t handle[] = "\0\0\0\x0d"
					"f\0\0\0\x07\0\0\0\x04"
					"abcd";
	static const uint8_t data[] = "\0\0\0\x0e"
				      "g\0\0\0\x07\0\0\0\x05";
	static const uint8_t attrs[] = "\0\0\0\x11"
				       "i\0\0\0\x07\0\0\0\x01\0\0\0\0\0\0\0\x2a";
	struct sftp_attrs a = {.flags = SFTP_ATTR_SIZE, .size = 42};
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	sftp_put_status(&w, 7, SFTP_FX_FAILURE, SPAN_LIT("no"));
	assert_int_equal(w.len, sizeof(status) - 1);
	assert_memory_equal(buf, status, sizeof(status) - 1);
	w = wr_of(buf, sizeof(buf));
	sftp_put_handle(&w, 7, SPAN_LIT("abcd"));
	assert_int_equal(w.len, sizeof(handle) - 1);
	assert_memory_equal(buf, handle, sizeof(handle) - 1);
	w = wr_of(buf, sizeof(buf));
	sftp_put_data_head(&w, 7, 5);
	assert_int_equal(w.len, sizeof(data) - 1);
	assert_memory_equal(buf, data, sizeof(data) - 1);
	w = wr_of(buf, sizeof(buf));
	sftp_put_attrs(&w, 7, &a);
	assert_int_equal(w.len, sizeof(attrs) - 1);
	assert_memory_equal(buf, attrs, sizeof(attrs) - 1);
}

/* The version says the number of the protocol and what may be asked, nothing of the product. */
static void
test_version(void **state)
{
	uint8_t buf[1024];
	struct wr w = wr_of(buf, sizeof(buf));
	struct sftp_packet p;
	struct rd r;
	unsigned n = 0;

	(void)state;
	sftp_put_version(&w);
	assert_false(w.bad);
	assert_int_equal(sftp_get_packet(span_skip(wr_span(&w), 4), &p), SP_OK);
	assert_int_equal(p.type, SFTP_VERSION_REPLY);
	assert_int_equal(p.id, 3);
	for (r = rd_of(p.body); r.left != 0; n++) {
		struct span name = rd_take(&r, (size_t)rd_uint(&r, 4)),
			    v = rd_take(&r, (size_t)rd_uint(&r, 4));

		assert_false(r.bad);
		assert_true(sftp_extension(name) != SFTP_EXT_NONE);
		assert_int_not_equal(sftp_extension(name), SFTP_EXT_HARDLINK);
		assert_int_equal(v.len, 1);
		assert_int_equal(v.ptr[0],
		    span_starts(span_skip(name, name.ptr[0] == 'f'), SPAN_LIT("statvfs")) ? '2'
											  : '1');
	}
	assert_int_equal(n, 14);
}

static void
test_names(void **state)
{
	uint8_t buf[80];
	struct wr w = wr_of(buf, sizeof(buf)), before;
	struct sftp_attrs a = {.flags = SFTP_ATTR_PERMISSIONS, .permissions = 0040755};
	struct sftp_names n = sftp_names_begin(&w, 7);

	(void)state;
	assert_true(sftp_names_add(&n, SPAN_LIT("a"), SPAN_LIT("drwx a"), &a));
	assert_true(sftp_names_add(&n, SPAN_LIT("b"), SPAN_LIT("drwx b"), &a));
	before = w;
	assert_false(
	    sftp_names_add(&n, SPAN_LIT("ccccccccccc"), SPAN_LIT("drwx cccccccccccc"), &a));
	assert_memory_equal(&w, &before, sizeof(w));
	sftp_names_end(&n);
	assert_memory_equal(buf,
	    "\0\0\0\x37"
	    "h\0\0\0\x07\0\0\0\x02\0\0\0\x01"
	    "a\0\0\0\x06"
	    "drwx a\0\0\0\x04\0\0\x41\xed",
	    36);
	assert_int_equal(w.len, 59);
}

static void
check_longname(const struct sftp_attrs *a, const char *name, int64_t now_s, const char *want)
{
	char buf[SFTP_LONGNAME_MAX];
	struct text t = text_of(buf, sizeof(buf));

	sftp_longname(&t, span_str(name), a, SPAN_LIT("alice"), SPAN_LIT("0"), now_s);
	assert_false(t.bad);
	assert_string_equal(buf, want);
}

static void
test_longname(void **state)
{
	struct sftp_attrs a = {.permissions = 0100644, .size = 1234, .mtime = 1795468181};
	char long_name[256], buf[SFTP_LONGNAME_MAX];
	struct text t = text_of(buf, sizeof(buf));

	(void)state;
	check_longname(&a, "x.bin", 1795468181,
	    "-rw-r--r--   1 alice    0            1234 Nov 23 21:09 x.bin");
	check_longname(&a, "x.bin", 1795468181 + HALF_YEAR_S,
	    "-rw-r--r--   1 alice    0            1234 Nov 23 21:09 x.bin");
	check_longname(&a, "x.bin", 1795468182 + HALF_YEAR_S,
	    "-rw-r--r--   1 alice    0            1234 Nov 23  2026 x.bin");
	check_longname(&a, "x.bin", 1795468180,
	    "-rw-r--r--   1 alice    0            1234 Nov 23  2026 x.bin");
	a.permissions = 0040555;
	a.size = 0;
	a.mtime = 86400;
	check_longname(
	    &a, "a b", 86400, "dr-xr-xr-x   1 alice    0               0 Jan  2 00:00 a b");
	/* the longest name, the greatest numbers */
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	a.size = UINT64_MAX;
	a.mtime = UINT32_MAX;
	sftp_longname(
	    &t, span_str(long_name), &a, span_cut(span_str(long_name), 64), SPAN_LIT("0"), 0);
	assert_false(t.bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define SFTP_REQ(number, NAME, name) cmocka_unit_test(test_##name),
#define SFTP_EXT(wire, data, NAME, name, told) cmocka_unit_test(test_##name),
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_packets),
	    cmocka_unit_test(test_write_head),
	    cmocka_unit_test(test_attrs),
	    cmocka_unit_test(test_attrs_pairs),
	    cmocka_unit_test(test_ids),
	    cmocka_unit_test(test_extension),
	    cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_version),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_longname),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
