#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "proto/http/field.h"
#include "proto/http/uri.h"

static void
head_of(const char *fields, char *buf, size_t cap, struct http_head *h)
{
	(void)snprintf(buf, cap, "GET / HTTP/1.1\r\n%s\r\n", fields);
	assert_int_equal(http_head_parse(span_str(buf), h), 0);
}

static void
test_params(void **state)
{
	struct span v;
	uint8_t out[32];

	(void)state;
	assert_int_equal(http_param(SPAN_LIT("a/b; x=1; Y=\"q;\\\"r\" ;z"), "y", &v), SP_ESYNTAX);
	assert_int_equal(http_param(SPAN_LIT("a/b; x=1; Y=\"q;\\\"r\" ;"), "y", &v), 1);
	assert_int_equal(http_unquote(v, out, sizeof(out)), 4);
	assert_memory_equal(out, "q;\"r", 4);
	assert_int_equal(http_param(SPAN_LIT("a/b"), "y", &v), 0);
	assert_int_equal(http_param(SPAN_LIT("a/b; y=1; y=2"), "y", &v), SP_ESYNTAX);
	assert_int_equal(http_param(SPAN_LIT("a/b; y=\"1"), "y", &v), SP_ESYNTAX);
	assert_int_equal(http_param(SPAN_LIT("a/b; y=\"1\"x"), "y", &v), SP_ESYNTAX);
	assert_int_equal(http_unquote(SPAN_LIT("\"abc"), out, sizeof(out)), SP_ESYNTAX);
	assert_int_equal(http_unquote(SPAN_LIT("\"abc\""), out, 2), SP_ESPACE);
	assert_true(
	    http_media_is(SPAN_LIT("Application/JSON ; charset=utf-8"), "application/json"));
	assert_false(http_media_is(SPAN_LIT("application/jsonx"), "application/json"));
}

static void
test_ranges(void **state)
{
	static const struct {
		const char *value;
		uint64_t size;
		int err;
		const char *want;
	} rows[] = {
	    {"bytes=0-0", 10, 0, "0-0 "},
	    {"bytes=0-", 10, 0, "0-9 "},
	    {"bytes=5-99", 10, 0, "5-9 "},
	    {"bytes=-3", 10, 0, "7-9 "},
	    {"bytes=-30", 10, 0, "0-9 "},
	    {"Bytes=-1", 10, 0, "9-9 "},
	    {"bytes=8-9,0-1", 10, 0, "8-9 0-1 "},
	    {"bytes=0-3,2-5", 10, 0, "0-5 "},
	    {"bytes=0-1,2-3", 10, 0, "0-3 "},
	    {"bytes=0-1, 4-5 ,2-3", 10, 0, "0-5 "},
	    {"bytes=10-20,0-1", 10, 0, "0-1 "},
	    {"bytes=9-9,0-0,,3-4", 10, 0, "9-9 0-0 3-4 "},
	    {"bytes=10-", 10, SP_ENORANGE, ""},
	    {"bytes=-0", 10, SP_ENORANGE, ""},
	    {"bytes=0-", 0, SP_ENORANGE, ""},
	    {"bytes=-5", 0, SP_ENORANGE, ""},
	    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-"
	     "28,30-30,32-32",
		99, SP_ENORANGE, ""},
	    {"bytes=5-4", 10, SP_ESYNTAX, ""},
	    {"bytes=", 10, SP_ESYNTAX, ""},
	    {"bytes=-", 10, SP_ESYNTAX, ""},
	    {"bytes=a-b", 10, SP_ESYNTAX, ""},
	    {"bytes=+1-2", 10, SP_ESYNTAX, ""},
	    {"bytes=1-2-3", 10, SP_ESYNTAX, ""},
	    {"bytes 0-1", 10, SP_ESYNTAX, ""},
	    {"items=0-1", 10, SP_ESYNTAX, ""},
	    {"bytes=99999999999999999999-", 10, SP_ESYNTAX, ""},
	    {"bytes=0-18446744073709551615", 10, 0, "0-9 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_range r[HTTP_RANGES_MAX];
		char out[256];
		struct text t = text_of(out, sizeof(out));
		size_t n = 0;
		int rc = http_ranges(span_str(rows[i].value), rows[i].size, r, &n);

		for (size_t k = 0; rc == 0 && k < n; k++)
			text_fmt(&t, "%llu-%llu ", (unsigned long long)r[k].first,
			    (unsigned long long)r[k].last);
		if (rc != rows[i].err || !span_eq_str(text_span(&t), rows[i].want))
			fail_msg("row %zu: %d %s", i, rc, out);
	}
}

static void
test_conditions(void **state)
{
	static const struct {
		const char *fields;
		bool exists, reading;
		int want; /* enum http_cond, or an error */
	} rows[] = {
	    {"", true, true, HTTP_COND_GO},
	    {"If-Match: \"t\"\r\n", true, false, HTTP_COND_GO},
	    {"If-Match: \"x\", \"t\"\r\n", true, false, HTTP_COND_GO},
	    {"If-Match: W/\"t\"\r\n", true, false, HTTP_COND_FAILED},
	    {"If-Match: \"x\"\r\n", true, false, HTTP_COND_FAILED},
	    {"If-Match: *\r\n", true, false, HTTP_COND_GO},
	    {"If-Match: *\r\n", false, false, HTTP_COND_FAILED},
	    {"If-None-Match: *\r\n", false, false, HTTP_COND_GO},
	    {"If-None-Match: *\r\n", true, false, HTTP_COND_FAILED},
	    {"If-None-Match: *\r\n", true, true, HTTP_COND_NOT_MODIFIED},
	    {"If-None-Match: W/\"t\"\r\n", true, true, HTTP_COND_NOT_MODIFIED},
	    {"If-None-Match: \"x\"\r\n", true, true, HTTP_COND_GO},
	    {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", true, true,
		HTTP_COND_NOT_MODIFIED},
	    {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", true, true, HTTP_COND_GO},
	    {"If-Modified-Since: nonsense\r\n", true, true, HTTP_COND_GO},
	    {"If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", true,
		true, HTTP_COND_GO},
	    {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", true, false,
		HTTP_COND_FAILED},
	    {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", true, false, HTTP_COND_GO},
	    {"If-Match: t\r\n", true, false, SP_ESYNTAX},
	    {"If-Match:\r\n", true, false, SP_ESYNTAX},
	    {"If-Match: *, \"t\"\r\n", true, false, SP_ESYNTAX},
	    {"If-None-Match: \"t\r\n", true, true, SP_ESYNTAX},
	};
	char buf[512];
	struct http_head h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_now now = {
		    rows[i].exists, SPAN_LIT("t"), 784111777, 1800000000, rows[i].reading};
		enum http_cond c = HTTP_COND_GO;
		int rc;

		head_of(rows[i].fields, buf, sizeof(buf), &h);
		rc = http_conditions(&h, &now, &c);
		if ((rc < 0 ? rc : (int)c) != rows[i].want)
			fail_msg("row %zu: %d %d", i, rc, (int)c);
	}
}

static void
test_if_range(void **state)
{
	struct http_now now = {true, SPAN_LIT("t"), 784111777, 1800000000, true};
	char buf[512];
	struct http_head h;

	(void)state;
	head_of("", buf, sizeof(buf), &h);
	assert_true(http_if_range(&h, &now));
	head_of("If-Range: \"t\"\r\n", buf, sizeof(buf), &h);
	assert_true(http_if_range(&h, &now));
	head_of("If-Range: W/\"t\"\r\n", buf, sizeof(buf), &h);
	assert_false(http_if_range(&h, &now));
	head_of("If-Range: \"x\"\r\n", buf, sizeof(buf), &h);
	assert_false(http_if_range(&h, &now));
	head_of("If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", buf, sizeof(buf), &h);
	assert_true(http_if_range(&h, &now));
	now.now_s = 784111777 + 30;
	assert_false(http_if_range(&h, &now));
	head_of("If-Range: \"t\"\r\nIf-Range: \"t\"\r\n", buf, sizeof(buf), &h);
	assert_false(http_if_range(&h, &now));
}

static void
test_dates(void **state)
{
	static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	static const char *const bad[] = {"", "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
	    "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
	    "Sun, 6 Nov 1994 08:49:37 GMT ", "1994-11-06T08:49:37Z",
	    "Sun, 00 Nov 1994 08:49:37 GMT"};
	int64_t s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(http_date(span_str(good[i]), 1800000000, &s), 0);
		assert_int_equal(s, 784111777);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(http_date(span_str(bad[i]), 1800000000, &s), SP_ESYNTAX);
	assert_int_equal(http_date(SPAN_LIT("Thu, 29 Feb 2024 00:00:00 GMT"), 0, &s), 0);
	assert_int_equal(s, 1709164800);
}

static void
test_digests(void **state)
{
	static const struct {
		int want;
		const char *fields;
	} rows[] = {
	    {0, ""},
	    {0, "Repr-Digest: sha-512=:AAAA:\r\n"},
	    {1, "Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"},
	    {1, "Repr-Digest: md5=:AAAA:, "
		"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:;a=1\r\n"},
	    {1, "Repr-Digest: a\r\nRepr-Digest: "
		"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"},
	    {SP_ESYNTAX, "Repr-Digest: sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"},
	    {SP_ESYNTAX, "Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==:\r\n"},
	    {SP_ESYNTAX, "Repr-Digest: sha-256=:AAAA:\r\n"},
	    {SP_ESYNTAX, "Repr-Digest: sha-256\r\n"},
	    {SP_ESYNTAX, "Repr-Digest: SHA-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"},
	};
	char buf[512], out[80];
	struct text t = text_of(out, sizeof(out));
	struct http_head h;
	uint8_t hash[32] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc;

		head_of(rows[i].fields, buf, sizeof(buf), &h);
		rc = http_sha256_field(&h, "repr-digest", hash);
		if (rc != rows[i].want)
			fail_msg("row %zu: %d", i, rc);
	}
	assert_int_equal(hash[0], 0xe3);
	http_sha256_put(&t, hash);
	assert_string_equal(out, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
	head_of("Want-Repr-Digest: sha-512=3, sha-256=0\r\n", buf, sizeof(buf), &h);
	assert_false(http_wants_sha256(&h, "Want-Repr-Digest"));
	head_of("Want-Repr-Digest: sha-256=10\r\n", buf, sizeof(buf), &h);
	assert_true(http_wants_sha256(&h, "Want-Repr-Digest"));
	head_of("", buf, sizeof(buf), &h);
	assert_true(http_wants_sha256(&h, "Want-Repr-Digest"));
}

static void
test_paths(void **state)
{
	static const struct {
		const char *in;
		int want;
	} rows[] = {
	    {"/a%20b", 4},
	    {"/%C3%9C", 3},
	    {"/a+b", 4},
	    {"/a%2Fb", SP_ENAME},
	    {"/a%2fb", SP_ENAME},
	    {"/a%00b", SP_ENAME},
	    {"/a%0Ab", SP_ENAME},
	    {"/a%7F", SP_ENAME},
	    {"/%FF", SP_ENAME},
	    {"/%C0%AF", SP_ENAME},
	    {"/%ED%A0%80", SP_ENAME},
	    {"/a%", SP_ESYNTAX},
	    {"/a%4", SP_ESYNTAX},
	    {"/a%4g", SP_ESYNTAX},
	    {"/aaaaaaaaaaaaaaaa", SP_EDEPTH},
	    {"/%252F", 4},
	};
	uint8_t out[10];
	char text[64];
	struct text t = text_of(text, sizeof(text));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    http_path_decode(span_str(rows[i].in), out, sizeof(out)), rows[i].want);
	http_path_encode(&t, SPAN_LIT("/a b/\xc3\x9c%.txt"));
	assert_string_equal(text, "/a%20b/%C3%9C%25.txt");
}

static void
test_forms(void **state)
{
	struct span form =
	    SPAN_LIT("grant_type=password&USERname=a%2Bb+c&&empty=&x=1&x=2&bad=%zz&nul=%00");
	uint8_t out[16];

	(void)state;
	assert_int_equal(http_form_get(form, "username", out, sizeof(out)), 5);
	assert_memory_equal(out, "a+b c", 5);
	assert_int_equal(http_form_get(form, "empty", out, sizeof(out)), 0);
	assert_int_equal(http_form_get(form, "none", out, sizeof(out)), HTTP_FORM_NONE);
	assert_int_equal(http_form_get(form, "x", out, sizeof(out)), SP_ESYNTAX);
	assert_int_equal(http_form_get(form, "bad", out, sizeof(out)), SP_ESYNTAX);
	assert_int_equal(http_form_get(form, "nul", out, sizeof(out)), SP_ESYNTAX);
	assert_int_equal(http_form_get(form, "grant_type", out, 3), SP_ETOOBIG);
}

static void
test_disposition(void **state)
{
	char out[256];
	struct text t = text_of(out, sizeof(out));

	(void)state;
	http_disposition_put(&t, SPAN_LIT("plain name.txt"));
	assert_string_equal(out, "attachment; filename=\"plain name.txt\"");
	t = text_of(out, sizeof(out));
	http_disposition_put(&t, SPAN_LIT("\xc3\x9c\"x\\%.txt"));
	assert_string_equal(
	    out, "attachment; filename=\"__x__.txt\"; filename*=UTF-8''%C3%9C%22x%5C%25.txt");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_params),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_if_range),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_digests),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_disposition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
