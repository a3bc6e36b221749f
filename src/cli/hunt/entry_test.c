/* entry_test.c - the reader of entries against what the ledger writes, and against what it does
 * not. */
#include "base/test.h"
#include "cli/hunt/entry.h"

static struct hunt_entry e;
static char buf[70000];

static int
read_text(const char *json)
{
	size_t n = strlen(json);

	memcpy(buf, json, n);
	return hunt_entry_read((uint8_t *)buf, n, &e);
}

static void
test_whole(void **state)
{
	(void)state;
	assert_err(
	    read_text(
		"{\"n\":48113,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"file.read\","
		"\"sev\":\"info\","
		"\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"serial\":7,\"door\":\"https\",\"listener\":"
		"\"public\","
		"\"addr\":\"203.0.113.7:4711\",\"user\":\"alice\",\"org\":\"acme\",\"path\":\"/in/"
		"q3\","
		"\"blob\":\"ab010000000000000000000000000000\",\"file\":3,\"version\":4,\"size\":0,"
		"\"detail\":{\"agent\":\"curl/8\",\"count\":\"12\"}}"),
	    SP_OK);
	assert_int_equal(e.n, 48113);
	assert_int_equal(e.t_us, INT64_C(1795468181123456));
	assert_int_equal(e.kind, KIND_FILE_READ);
	assert_span(e.user, "alice");
	assert_span(e.org, "acme");
	assert_span(e.path, "/in/q3");
	assert_span(e.addr, "203.0.113.7:4711");
	assert_span(hunt_address(&e), "203.0.113.7");
	assert_int_equal(e.serial, 7);
	assert_int_equal(e.file, 3);
	assert_int_equal(e.version, 4);
	assert_true(e.has_size);
	assert_int_equal(e.size, 0);
	assert_true(e.is_v4);
	assert_int_not_equal(e.network, 0);
	assert_span(hunt_detail(&e, "agent"), "curl/8");
	assert_int_equal(hunt_detail_u64(&e, "count"), 12);
	assert_span(hunt_detail(&e, "none"), "");
}

static void
test_escapes(void **state)
{
	(void)state;
	assert_err(read_text("{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\","
			     "\"path\":\"/a\\\"b\\\\c\\n\\u001b[31m\\u202e\\u00e9\\ud83d\\ude00x\","
			     "\"user\":\"\\u0000\"}"),
	    SP_OK);
	assert_span(e.path, "/a\"b\\c\n\x1b[31m\xe2\x80\xae\xc3\xa9\xf0\x9f\x98\x80x");
	assert_int_equal(e.user.len, 1);
	assert_int_equal(e.user.ptr[0], 0);
	assert_err(read_text("{\"n\":1,\"t\":\"2026-11-23T21:09:41Z\",\"event\":\"login\",\"path\":"
			     "\"\\ud83d\"}"),
	    SP_OK);
	assert_span(e.path, "\xef\xbf\xbd");
}

static void
test_refused(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "{",
	    "{}",
	    "[]",
	    "{\"n\":1}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\"}", /* no event */
	    "{\"n\":1,\"event\":\"login\"}",		       /* no time */
	    "{\"n\":01,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":-1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":1.5,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":99999999999999999999,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":"
	    "\"login\"}",
	    "{\"n\":1,\"t\":\"2026-11-23 21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":1,\"t\":\"2026-13-23T21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.12345Z\",\"event\":\"login\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"} ",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"}{",
	    "{ \"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"log\nin\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"path\":\"\\x\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"path\":"
	    "\"\\u12\"}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"path\":\"a",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"path\":\"a\\",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"path\":3}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"detail\":{\"a\":{"
	    "}}}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"detail\":[]}",
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"more\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (read_text(wrong[i]) == SP_OK)
			fail_msg("taken: %s", wrong[i]);
}

/* Members of a later version are passed over. */
static void
test_later(void **state)
{
	(void)state;
	assert_err(
	    read_text("{\"n\":1,\"new\":\"x\",\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":"
		      "\"later.event\",\"many\":12,\"is\":true,\"user\":\"alice\"}"),
	    SP_OK);
	assert_int_equal(e.kind, KIND_OTHER);
	assert_span(e.user, "alice");
}

static void
test_every_cut(void **state)
{
	static const char whole[] =
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\",\"addr\":\"[2001:"
	    "db8::1]:9\",\"path\":\"\\ud83d\\ude00\",\"detail\":{\"a\":\"b\"}}";

	(void)state;
	assert_err(read_text(whole), SP_OK);
	assert_false(e.is_v4);
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(buf, whole, n);
		assert_int_not_equal(hunt_entry_read((uint8_t *)buf, n, &e), SP_OK);
	}
}

static void
test_many_details(void **state)
{
	static char json[8192];
	struct text t = text_of(json, sizeof(json));

	(void)state;
	text_str(&t, "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"login\","
		     "\"detail\":{\"k\":\"v\"");
	for (unsigned i = 1; i < HUNT_PAIRS_MAX; i++)
		text_fmt(&t, ",\"k%u\":\"v\"", i);
	text_str(&t, "}}");
	assert_err(read_text(json), SP_OK);
	assert_int_equal(e.n_pairs, HUNT_PAIRS_MAX);
	t.len -= 2;
	text_str(&t, ",\"one\":\"more\"}}");
	assert_err(read_text(json), SP_ERANGE);
}

static void
test_time(void **state)
{
	int64_t us = 0;

	(void)state;
	assert_err(hunt_time_read(SPAN_LIT("1970-01-01T00:00:00.000001Z"), &us), SP_OK);
	assert_int_equal(us, 1);
	assert_err(hunt_time_read(SPAN_LIT("2000-02-29T12:00:00Z"), &us), SP_OK);
	assert_int_equal(us, INT64_C(951825600000000));
	assert_err(hunt_time_read(SPAN_LIT("1969-12-31T23:59:59Z"), &us), SP_ERANGE);
}

static void
test_addresses(void **state)
{
	static const char *const wrong[] = {
	    "", "others", "1.2.3", "1.2.3.4.5", "::g", "[::1", "300.1.1.1:9", "1.2.3.4:5:6"};
	uint8_t a[16], b[16];
	bool v4;

	(void)state;
	assert_err(hunt_ip_read(SPAN_LIT("203.0.113.7:4711"), a, &v4), SP_OK);
	assert_true(v4);
	assert_err(hunt_ip_read(SPAN_LIT("[::ffff:203.0.113.7]:1"), b, &v4), SP_OK);
	assert_true(v4);
	assert_memory_equal(a, b, 16);
	assert_err(hunt_ip_read(SPAN_LIT("2001:db8::1"), a, &v4), SP_OK);
	assert_err(hunt_ip_read(SPAN_LIT("[2001:db8::1]:22"), b, &v4), SP_OK);
	assert_false(v4);
	assert_memory_equal(a, b, 16);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (i != 5 && hunt_ip_read(span_str(wrong[i]), a, &v4) == SP_OK)
			fail_msg("taken: %s", wrong[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_later),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_many_details),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
