#include "base/test.h"
#include "base/wire.h"

static void
integers_round_trip(void **state)
{
	uint8_t buf[36];
	struct wr w = wr_of(buf, sizeof buf);
	struct rd r;

	(void)state;
	for (size_t width = 1; width <= 8; width++)
		wr_uint(&w, UINT64_C(0x0102030405060708) >> (8 * (8 - width)), width);
	assert_false(w.bad);
	assert_int_equal(w.len, 36);
	r = rd_of(wr_span(&w));
	for (size_t width = 1; width <= 8; width++)
		assert_true(
		    rd_uint(&r, width) == UINT64_C(0x0102030405060708) >> (8 * (8 - width)));
	assert_true(rd_done(&r));
	assert_int_equal(buf[1], 1); /* big-endian */
	assert_int_equal(buf[2], 2);
}

static void
a_short_reader_stays_bad(void **state)
{
	struct rd r = rd_of(SPAN_LIT("abc"));
	uint8_t out[4] = {1, 1, 1, 1};

	(void)state;
	assert_true(rd_uint(&r, 4) == 0);
	assert_true(r.bad);
	assert_true(rd_uint(&r, 1) == 0); /* although a byte would be there */
	rd_copy(&r, out, 4);
	assert_memory_equal(out, "\0\0\0\0", 4);
	assert_int_equal(rd_take(&r, 1).len, 0);
	assert_false(rd_done(&r));
}

static void
a_full_writer_stays_bad(void **state)
{
	uint8_t buf[3];
	struct wr w = wr_of(buf, sizeof buf);

	(void)state;
	wr_bytes(&w, SPAN_LIT("ab"));
	wr_uint(&w, 7, 2);
	assert_true(w.bad);
	assert_int_equal(w.len, 2);
	wr_uint(&w, 7, 1);
	assert_int_equal(w.len, 2);
}

static void
spans_cut_and_compare(void **state)
{
	struct span s = SPAN_LIT("  key: Value\t");

	(void)state;
	assert_span(span_trim(s), "key: Value");
	assert_int_equal(span_find(s, ':'), 5);
	assert_int_equal(span_find(s, '!'), s.len);
	assert_int_equal(span_skip(s, 1000).len, 0);
	assert_int_equal(span_cut(s, 1000).len, s.len);
	assert_true(span_ieq_str(SPAN_LIT("HoSt"), "hOsT"));
	assert_false(span_ieq_str(SPAN_LIT("host"), "hos"));
	assert_false(span_ieq_str(SPAN_LIT("@"), "`")); /* differ by 0x20, are no letters */
	assert_true(span_starts(SPAN_LIT("abc"), SPAN_LIT("ab")));
	assert_false(span_starts(SPAN_LIT("a"), SPAN_LIT("ab")));
	assert_true(span_eq(span_of(NULL, 0), span_str("")));
	assert_int_equal(span_trim(SPAN_LIT(" \t ")).len, 0);
}

static void
every_error_has_its_row(void **state)
{
	(void)state;
	assert_string_equal(sp_err_row(SP_ENOTFOUND)->name, "notfound");
	assert_string_equal(sp_err_row(61)->name, "notfound"); /* as it travels */
	assert_int_equal(sp_err_row(SP_ENOTFOUND)->http, 404);
	assert_int_equal(sp_err_row(SP_ENOTFOUND)->sftp, 2);
	assert_string_equal(sp_err_row(SP_EMISDIRECT)->name, "misdirect");
	assert_string_equal(sp_err_row(999)->name, "sys");
	assert_string_equal(sp_err_row(INT32_MIN)->name, "sys");
	assert_string_equal(sp_strerror(SP_EBUDGET), "the egress budget is used up");
#define ERR(NAME, n, http_, sftp_, ftp_, moveit_, exit_, text_)                                    \
	assert_int_equal(sp_err_row(SP_E##NAME)->number, n);                                       \
	assert_string_equal(sp_strerror(-(n)), text_);
#include "base/err.def"
#undef ERR
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(integers_round_trip),
	    cmocka_unit_test(a_short_reader_stays_bad), cmocka_unit_test(a_full_writer_stays_bad),
	    cmocka_unit_test(spans_cut_and_compare), cmocka_unit_test(every_error_has_its_row)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
