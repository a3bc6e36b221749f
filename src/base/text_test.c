#include "base/test.h"
#include "base/mem.h"
#include "base/text.h"

static void
a_builder_never_overflows(void **state)
{
	char buf[8];
	struct text t = text_of(buf, sizeof buf);

	(void)state;
	text_str(&t, "abc");
	text_fmt(&t, "%d", 12);
	assert_string_equal(buf, "abc12");
	text_fmt(&t, "%s", "toolong");
	assert_true(t.bad);
	assert_string_equal(buf, "abc12");
	text_chr(&t, 'x'); /* sticky */
	assert_string_equal(buf, "abc12");
	t = text_of(buf, sizeof buf);
	text_str(&t, "1234567"); /* exactly full */
	assert_false(t.bad);
	text_chr(&t, '8');
	assert_true(t.bad);
}

static void
numbers_as_text(void **state)
{
	char buf[64];
	struct text t = text_of(buf, sizeof buf);

	(void)state;
	text_u64(&t, 0);
	text_chr(&t, ' ');
	text_u64(&t, UINT64_MAX);
	text_chr(&t, ' ');
	text_hex(&t, SPAN_LIT("\x00\xaf"));
	assert_string_equal(buf, "0 18446744073709551615 00af");
}

static void
numbers_from_text(void **state)
{
	static const char *bad[] = {"", "-1", "+1", " 1", "1 ", "00", "01", "0x1", "1e3", "1,000"};
	uint64_t v = 77;

	(void)state;
	assert_int_equal(parse_u64(SPAN_LIT("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64(SPAN_LIT("0"), 0, &v), 0);
	assert_true(v == 0);
	assert_err(parse_u64(SPAN_LIT("18446744073709551616"), UINT64_MAX, &v), SP_ERANGE);
	assert_err(parse_u64(SPAN_LIT("99999999999999999999999999"), UINT64_MAX, &v), SP_ERANGE);
	assert_err(parse_u64(SPAN_LIT("11"), 10, &v), SP_ERANGE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(parse_u64(span_str(bad[i]), UINT64_MAX, &v), SP_ESYNTAX);
	assert_true(v == 0); /* untouched by failures */
}

static void
hex_from_text(void **state)
{
	uint8_t out[2] = {9, 9};

	(void)state;
	assert_err(parse_hex(SPAN_LIT("0g00"), out, 2), SP_ESYNTAX);
	assert_err(parse_hex(SPAN_LIT("000"), out, 2), SP_ESYNTAX);
	assert_err(parse_hex(SPAN_LIT("00000"), out, 2), SP_ESYNTAX);
	assert_err(parse_hex(SPAN_LIT("000000"), out, 2), SP_ESYNTAX);
	assert_int_equal(out[0], 9);
	assert_int_equal(parse_hex(SPAN_LIT("aBf0"), out, 2), 0);
	assert_memory_equal(out, "\xab\xf0", 2);
}

/* RFC 4648 section 10 */
static void
base64_vectors(void **state)
{
	static const char *v[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *bad[] = {"Z", "Zg", "Zg=", "Zg===", "=",
	    "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", "Zm 9v", "Zm-v", "Zm9v===="};
	char buf[64];
	uint8_t out[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct text t = text_of(buf, sizeof buf);

		base64_put(&t, span_str(v[i][0]));
		assert_string_equal(buf, v[i][1]);
		assert_int_equal(base64_get(span_str(v[i][1]), out, sizeof out, &n), 0);
		assert_span(span_of(out, n), v[i][0]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(base64_get(span_str(bad[i]), out, sizeof out, &n), SP_ESYNTAX);
	assert_err(base64_get(SPAN_LIT("Zm9v"), out, 2, &n), SP_ESPACE);
	assert_err(base64_get(span_of("Zm9\0", 4), out, sizeof out, &n), SP_ESYNTAX);
}

static void
base64url_has_no_padding(void **state)
{
	char buf[64];
	struct text t = text_of(buf, sizeof buf);
	uint8_t out[8];
	size_t n;

	(void)state;
	base64url_put(&t, SPAN_LIT("\xfb\xff\xfe\x01"));
	assert_string_equal(buf, "-__-AQ");
	assert_int_equal(base64url_get(text_span(&t), out, sizeof out, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(out, "\xfb\xff\xfe\x01", 4);
	assert_err(base64url_get(SPAN_LIT("-__-AQ=="), out, sizeof out, &n), SP_ESYNTAX);
	assert_err(base64url_get(SPAN_LIT("-__-AR"), out, sizeof out, &n), SP_ESYNTAX);
	assert_err(base64url_get(SPAN_LIT("+//+"), out, sizeof out, &n), SP_ESYNTAX);
}

static void
utf8_is_strict(void **state)
{
	static const char *good[] = {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	    "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	    "\xc3\xbc.z"};
	static const char *bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x80\x80",
	    "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", "\xff", "\xfe", "\xe2\x82", "\xf0\x9f\x98", "a\xc3"};
	uint32_t cp = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_valid(span_str(bad[i])));
	assert_int_equal(utf8_next(SPAN_LIT("\xf0\x9f\x98\x80"), &cp), 4);
	assert_int_equal(cp, 0x1f600);
	assert_int_equal(utf8_next(span_of("\0", 1), &cp), 1);
	assert_int_equal(cp, 0);
	assert_int_equal(utf8_next(span_of(NULL, 0), &cp), 0);
}

static void
json_is_always_valid(void **state)
{
	char buf[512];
	struct text t = text_of(buf, sizeof buf);
	struct json j = json_of(&t);

	(void)state;
	json_open(&j, '{');
	json_kstr(
	    &j, "a\"b", SPAN_LIT("tab\t nl\n quote\" back\\ bell\x07 del\x7f bad\xff end\xe2\x82"));
	json_ku64(&j, "n", UINT64_MAX);
	json_ki64(&j, "i", INT64_MIN);
	json_kbool(&j, "t", true);
	json_key(&j, "list");
	json_open(&j, '[');
	json_none(&j);
	json_open(&j, '{');
	json_close(&j, '}');
	json_raw(&j, SPAN_LIT("[1]"));
	json_str(&j, SPAN_LIT(""));
	json_close(&j, ']');
	json_kstr(&j, "z", SPAN_LIT("\xe2\x80\xa8\xc3\xbc"));
	json_close(&j, '}');
	assert_false(t.bad);
	assert_string_equal(buf, "{\"a\\\"b\":\"tab\\t nl\\n quote\\\" back\\\\ bell\\u0007 "
				 "del\\u007f bad\xef\xbf\xbd end"
				 "\xef\xbf\xbd\xef\xbf\xbd\",\"n\":18446744073709551615,\"i\":-"
				 "9223372036854775808,\"t\":true,"
				 "\"list\":[null,{},[1],\"\"],\"z\":\"\\u2028\xc3\xbc\"}");
	assert_true(utf8_valid(text_span(&t)));
}

static const char *
show(void (*f)(struct text *, int64_t), int64_t us, char *buf)
{
	struct text t = text_of(buf, 64);

	f(&t, us);
	return buf;
}

static void
dates_as_text(void **state)
{
	char b[64];

	(void)state;
	assert_string_equal(show(time_rfc3339, 0, b), "1970-01-01T00:00:00.000Z");
	assert_string_equal(
	    show(time_http, INT64_C(1795468181123456), b), "Mon, 23 Nov 2026 21:09:41 GMT");
	assert_string_equal(
	    show(time_rfc3339, INT64_C(1795468181123456), b), "2026-11-23T21:09:41.123Z");
	assert_string_equal(show(time_plain, INT64_C(1795468181123456), b), "2026-11-23T21:09:41");
	assert_string_equal(
	    show(time_rfc3339, INT64_C(951782400000000), b), "2000-02-29T00:00:00.000Z");
	assert_string_equal(show(time_rfc3339, -1, b), "1969-12-31T23:59:59.999Z");
	assert_string_equal(show(time_plain, INT64_C(4107542399000000), b), "2100-02-28T23:59:59");
	assert_string_equal(show(time_plain, INT64_C(4107542400000000), b), "2100-03-01T00:00:00");
	show(time_rfc3339, INT64_MAX, b); /* year 294247: no overflow */
	show(time_rfc3339, INT64_MIN, b);
}

static void
dates_from_text(void **state)
{
	static const char *bad[] = {"", "2026", "2026-11", "2026-13-01", "2026-02-29", "2026-00-10",
	    "2026-01-00", "2026-11-23T21:09:41", "2026-11-23T24:00:00Z", "2026-11-23T21:60:00Z",
	    "2026-11-23T21:09:41.Z", "2026-11-23T21:09:41+25:00", "2026-11-23T21:09:41Zx",
	    "2026-11-23X", "0000-01-01", "h", "-1h", "1y", "99999999999w", "1000000000w2",
	    "2100-02-29"};
	int64_t us = 5, now = INT64_C(1795468181123456);

	(void)state;
	assert_int_equal(time_parse(SPAN_LIT("2026-11-23T21:09:41.123456Z"), now, &us), 0);
	assert_true(us == now);
	assert_int_equal(time_parse(SPAN_LIT("2026-11-23t23:09:41.123456789+02:00"), now, &us), 0);
	assert_true(us == now);
	assert_int_equal(time_parse(SPAN_LIT("2026-11-23 19:39:41.123456-01:30"), now, &us), 0);
	assert_true(us == now);
	assert_int_equal(time_parse(SPAN_LIT("2000-02-29"), now, &us), 0);
	assert_true(us == INT64_C(951782400000000));
	assert_int_equal(time_parse(SPAN_LIT("90m"), now, &us), 0);
	assert_true(us == now - INT64_C(5400000000));
	assert_int_equal(time_parse(SPAN_LIT("2w"), now, &us), 0);
	assert_true(us == now - INT64_C(1209600000000));
	us = 5;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(time_parse(span_str(bad[i]), now, &us) < 0);
	assert_true(us == 5);
	/* the largest that passes its digit check must not overflow either */
	assert_err(time_parse(SPAN_LIT("1000000000w"), now, &us), SP_ERANGE);
	assert_int_equal(time_parse(SPAN_LIT("1000000000s"), now, &us), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_builder_never_overflows),
	    cmocka_unit_test(numbers_as_text), cmocka_unit_test(numbers_from_text),
	    cmocka_unit_test(hex_from_text), cmocka_unit_test(base64_vectors),
	    cmocka_unit_test(base64url_has_no_padding), cmocka_unit_test(utf8_is_strict),
	    cmocka_unit_test(json_is_always_valid), cmocka_unit_test(dates_as_text),
	    cmocka_unit_test(dates_from_text)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
