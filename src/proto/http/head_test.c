#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "proto/http/head.h"

static int
parse_bytes(struct span in, struct http_head *h)
{
	struct http_scan s = {0};
	int n = http_head_scan(&s, in);

	if (n <= 0)
		return n == 0 ? 1 : n;
	return http_head_parse(span_cut(in, (size_t)n), h);
}

static int
parse(const char *text, struct http_head *h)
{
	return parse_bytes(span_str(text), h);
}

static void
test_good(void **state)
{
	struct http_head h;
	struct span v;

	(void)state;
	assert_int_equal(
	    parse("GET /a?b=c HTTP/1.1\r\nHost: x\r\nX:\t y z \t\r\nEmpty:\r\n\r\n", &h), 0);
	assert_true(span_eq_str(h.method, "GET"));
	assert_true(span_eq_str(h.target, "/a?b=c"));
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.n_fields, 3);
	assert_int_equal(http_single(&h, "x", &v), 1);
	assert_true(span_eq_str(v, "y z"));
	assert_int_equal(http_single(&h, "empty", &v), 1);
	assert_int_equal(v.len, 0);
	assert_int_equal(http_single(&h, "none", &v), 0);
	assert_int_equal(parse("\r\nGET / HTTP/1.0\r\n\r\n", &h), 0);
	assert_int_equal(h.minor, 0);
}

static void
test_refused_heads(void **state)
{
	static const struct {
		int err;
		const char *text;
	} rows[] = {
	    {SP_ESYNTAX, "GET / HTTP/1.1\nHost: x\n\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: x\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\rHost: x\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: x\r\n\tfolded\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\n: x\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nA\x01: x\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nA: x\x01\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nA: x\x7f\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nA\xc3\xa9: x\r\n\r\n"},
	    {SP_ESYNTAX, "GET  / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET /  HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.1 \r\n\r\n"},
	    {SP_ESYNTAX, " GET / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET\t/ HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET /\r\n\r\n"},
	    {SP_ESYNTAX, "GET /a\xc3\xa9 HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "G(T / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET / http/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/11\r\n\r\n"},
	    {SP_ESYNTAX, "GET / HTTP/1.10\r\n\r\n"},
	    {SP_EVERSION, "GET / HTTP/1.2\r\n\r\n"},
	    {SP_EVERSION, "PRI * HTTP/2.0\r\n\r\n"},
	    {SP_EVERSION, "GET / HTTP/0.9\r\n\r\n"},
	    {SP_ESYNTAX, "\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "\x16\x03\x01\x02"},
	};
	struct http_head h;
	static const char nul[] = "GET / HTTP/1.1\r\nA: \0x\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = parse(rows[i].text, &h);

		if (rc != rows[i].err)
			fail_msg("row %zu: %d", i, rc);
	}
	assert_int_equal(parse_bytes(span_of(nul, sizeof(nul) - 1), &h), SP_ESYNTAX);
}

static void
test_limits(void **state)
{
	static char big[HTTP_HEAD_MAX + 100];
	struct http_head h;
	struct http_scan s = {0};
	size_t n;

	(void)state;
	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	assert_int_equal(http_head_scan(&s, span_of(big, sizeof(big))), SP_EURILONG);
	s = (struct http_scan){0};
	assert_int_equal(http_head_scan(&s, span_of(big, 8000)), 0);
	memcpy(big, "GET / HTTP/1.1\r\nA: ", 19);
	s = (struct http_scan){0};
	assert_int_equal(http_head_scan(&s, span_of(big, sizeof(big))), SP_EHDRLONG);
	n = (size_t)snprintf(big, sizeof(big), "GET / HTTP/1.1\r\n");
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "A: b\r\n");
	(void)snprintf(big + n, sizeof(big) - n, "\r\n");
	assert_int_equal(parse(big, &h), 0);
	assert_int_equal(h.n_fields, HTTP_FIELDS_MAX);
	(void)snprintf(big + n, sizeof(big) - n, "A: b\r\n\r\n");
	assert_int_equal(parse(big, &h), SP_EHDRLONG);
}

/* Whatever the pieces, the scan says the same. */
static void
test_pieces(void **state)
{
	struct span all = SPAN_LIT("\r\nPUT /x HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\nrest");

	(void)state;
	for (size_t cut = 0; cut < all.len; cut++) {
		struct http_scan s = {0};
		int n = http_head_scan(&s, span_cut(all, cut));

		if (n == 0)
			n = http_head_scan(&s, all);
		assert_int_equal(n, (int)all.len - 4);
	}
}

static int
framing(const char *fields, enum http_framing *f, uint64_t *len)
{
	char text[512];
	struct http_head h;

	(void)snprintf(text, sizeof(text), "PUT /x HTTP/1.1\r\n%s\r\n", fields);
	assert_int_equal(parse(text, &h), 0);
	return http_framing(&h, f, len);
}

static void
test_framing(void **state)
{
	static const struct {
		int err;
		enum http_framing f;
		uint64_t len;
		const char *fields;
	} rows[] = {
	    {0, HTTP_NO_BODY, 0, ""},
	    {0, HTTP_NO_BODY, 0, "Content-Length: 0\r\n"},
	    {0, HTTP_LENGTH, 5, "content-length:5\r\n"},
	    {0, HTTP_LENGTH, 9223372036854775807u, "Content-Length: 9223372036854775807\r\n"},
	    {0, HTTP_CHUNKED, 0, "Transfer-Encoding: chunked\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 9223372036854775808\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 18446744073709551621\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: +5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: -5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5 5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5, 5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 0x5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5a\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5_0\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length:\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5\r\nContent-Length: 5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5\r\ncontent-length: 6\r\n"},
	    {SP_ESYNTAX, 0, 0, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
	    {SP_ESYNTAX, 0, 0, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"},
	    {SP_ESYNTAX, 0, 0, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
	    {SP_ESYNTAX, 0, 0, "Transfer-Encoding:\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: gzip, chunked\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: identity\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: xchunked\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: chunked;q=1\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: \"chunked\"\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: chunked, chunked\r\n"},
	    {SP_ENOTIMPL, 0, 0, "Transfer-Encoding: cHunked\r\n"},
	};
	struct http_head h;
	enum http_framing f;
	uint64_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = framing(rows[i].fields, &f, &len);

		if (rc != rows[i].err || (rc == 0 && (f != rows[i].f || len != rows[i].len)))
			fail_msg("row %zu: %d", i, rc);
	}
	assert_int_equal(parse("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", &h), 0);
	assert_int_equal(http_framing(&h, &f, &len), SP_ESYNTAX);
}

static void
test_target(void **state)
{
	static const struct {
		int err;
		const char *text, *path, *query;
	} rows[] = {
	    {0, "GET /a%20b?x=1?2 HTTP/1.1\r\nHost: h:8443\r\n\r\n", "/a%20b", "x=1?2"},
	    {0, "GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", "/", ""},
	    {0, "GET / HTTP/1.0\r\n\r\n", "/", ""},
	    {0, "GET https://H:1/x HTTP/1.1\r\nHost: h:1\r\n\r\n", "/x", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET https://other/x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET /a%2 HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	    {SP_ESYNTAX, "GET /{a} HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	};
	struct http_head h;
	struct span path, query;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc;

		assert_int_equal(parse(rows[i].text, &h), 0);
		rc = http_target(&h, &path, &query);
		if (rc != rows[i].err)
			fail_msg("row %zu: %d", i, rc);
		if (rc == 0) {
			assert_true(span_eq_str(path, rows[i].path));
			assert_true(span_eq_str(query, rows[i].query));
		}
	}
}

static void
test_lists(void **state)
{
	struct http_head h;
	struct http_list at = {0};
	struct span m;
	static const char *const want[] = {"a", "\"b,c\"", "d"};

	(void)state;
	assert_int_equal(
	    parse("GET / HTTP/1.1\r\nL: a, \"b,c\",,\r\nM: x\r\nL:\r\nl:,d\r\n\r\n", &h), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_true(http_list_next(&h, "L", &at, &m));
		assert_true(span_eq_str(m, want[i]));
	}
	assert_false(http_list_next(&h, "L", &at, &m));
	assert_int_equal(http_single(&h, "L", &m), SP_ESYNTAX);
	assert_int_equal(parse("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n", &h), 0);
	assert_false(http_keep_alive(&h));
	assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n", &h), 0);
	assert_true(http_keep_alive(&h));
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &h), 0);
	assert_false(http_keep_alive(&h));
	assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &h), 0);
	assert_true(http_keep_alive(&h));
}

/* Every truncation and every flipped bit of a real request: no crash, and never a longer head. */
static void
test_mutations(void **state)
{
	static const char seed[] = "PUT /api/v1/files/by-path/a HTTP/1.1\r\nHost: h:1\r\n"
				   "Content-Length: 12\r\nRange: bytes=0-1\r\n\r\n";
	uint8_t buf[sizeof(seed)];
	struct http_head h;
	struct span p, q;
	enum http_framing f;
	uint64_t len;

	(void)state;
	for (size_t n = 0; n + 1 < sizeof(seed) - 1; n++)
		assert_int_equal(parse_bytes(span_of(seed, n), &h), 1);
	for (size_t bit = 0; bit < (sizeof(seed) - 1) * 8; bit++) {
		memcpy(buf, seed, sizeof(seed));
		buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (parse_bytes(span_of(buf, sizeof(seed) - 1), &h) == 0) {
			assert_in_range(h.n_fields, 2, 4);
			if (http_target(&h, &p, &q) == 0)
				assert_int_equal(p.ptr[0], '/');
			if (http_framing(&h, &f, &len) == 0 && f == HTTP_LENGTH)
				assert_true(len < 100);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_refused_heads),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_target),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
