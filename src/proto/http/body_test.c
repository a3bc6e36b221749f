#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "proto/http/body.h"
#include "proto/http/field.h"

/* Decode `in` given in pieces of `step` bytes; content into out, the rest's length into *ret_rest.
 */
static int
dechunk(struct span in, size_t step, char *out, size_t *ret_out, size_t *ret_rest)
{
	struct http_chunked c = {0};
	size_t have = 0, from = 0, n = 0;

	for (;;) {
		struct span s = span_of(in.ptr + from, have - from), data;
		int rc = http_chunked_next(&c, &s, &data);

		from = have - s.len;
		if (rc == HTTP_DATA) {
			memcpy(out + n, data.ptr, data.len);
			n += data.len;
			continue;
		}
		*ret_out = n;
		*ret_rest = in.len - from;
		if (rc != HTTP_MORE || have == in.len)
			return rc;
		have = have + step < in.len ? have + step : in.len;
	}
}

static void
test_chunked_good(void **state)
{
	static const struct {
		const char *in, *out;
		size_t rest;
	} rows[] = {
	    {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
	    {"5\r\nhello\r\n0\r\n\r\nGET /", "hello", 5},
	    {"1\r\na\r\n000A\r\n0123456789\r\n0\r\n\r\n", "a0123456789", 0},
	    {"5;x=y;z=\"q\"\r\nhello\r\n0;end\r\nX-Sum: 1\r\nY:\r\n\r\n!", "hello", 1},
	    {"0\r\n\r\n", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step < 12; step++) {
			char out[64];
			size_t n, rest;

			assert_int_equal(
			    dechunk(span_str(rows[i].in), step, out, &n, &rest), HTTP_END);
			assert_true(span_eq_str(span_of(out, n), rows[i].out));
			assert_int_equal(rest <= rows[i].rest, 1);
			if (step == 11)
				assert_int_equal(
				    dechunk(span_str(rows[i].in), 1000, out, &n, &rest), HTTP_END);
		}
}

static void
test_chunked_refused(void **state)
{
	static const struct {
		int err;
		const char *in;
	} rows[] = {
	    {SP_ESYNTAX, "\r\n"},
	    {SP_ESYNTAX, "+5\r\nhello\r\n0\r\n\r\n"},
	    {SP_ESYNTAX, "-5\r\nhello\r\n"},
	    {SP_ESYNTAX, "0x5\r\nhello\r\n"},
	    {SP_ESYNTAX, " 5\r\nhello\r\n"},
	    {SP_ESYNTAX, "5 \r\nhello\r\n"},
	    {SP_ESYNTAX, "5\nhello\r\n"},
	    {SP_ESYNTAX, "5\rhello\r\n"},
	    {SP_ESYNTAX, "5\r\nhelloX\r\n"},
	    {SP_ESYNTAX, "5\r\nhello\n0\r\n\r\n"},
	    {SP_ESYNTAX, "5\r\nhello\r0\r\n\r\n"},
	    {SP_ESYNTAX, "5;a\nb\r\nhello\r\n"},
	    {SP_ESYNTAX, "5;a\x01\r\nhello\r\n"},
	    {SP_ESYNTAX, "G\r\n"},
	    {SP_ETOOBIG, "8000000000000000\r\n"},
	    {SP_ETOOBIG, "ffffffffffffffff\r\n"},
	    {SP_ETOOBIG, "00000000000000005\r\n"},
	    {SP_ETOOBIG, "10000000000000005\r\n"},
	    {SP_ESYNTAX, "0\r\nContent-Length: 5\r\n\r\n"},
	    {SP_ESYNTAX, "0\r\ntransfer-encoding: chunked\r\n\r\n"},
	    {SP_ESYNTAX, "0\r\nHost: a\r\n\r\n"},
	    {SP_ESYNTAX, "0\r\n folded\r\n\r\n"},
	    {SP_ESYNTAX, "0\r\nGET / HTTP/1.1\r\n\r\n"},
	    {SP_ESYNTAX, "0\r\nA: b\n\r\n"},
	    {SP_ESYNTAX, "0\r\n\n"},
	};
	char out[64], big[HTTP_TRAILER_MAX + 600];
	size_t n, rest, len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = dechunk(span_str(rows[i].in), 1, out, &n, &rest);

		if (rc != rows[i].err)
			fail_msg("row %zu: %d", i, rc);
		assert_int_equal(dechunk(span_str(rows[i].in), 100, out, &n, &rest), rc);
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "5;", 2);
	assert_int_equal(dechunk(span_of(big, sizeof(big)), 1000, out, &n, &rest), SP_EHDRLONG);
	memcpy(big, "0\r\nA: ", 6);
	assert_int_equal(dechunk(span_of(big, sizeof(big)), 1000, out, &n, &rest), SP_EHDRLONG);
	len = (size_t)snprintf(big, sizeof(big), "0\r\n");
	for (size_t i = 0; i <= HTTP_TRAILER_FIELDS_MAX; i++)
		len += (size_t)snprintf(big + len, sizeof(big) - len, "A: b\r\n");
	len += (size_t)snprintf(big + len, sizeof(big) - len, "\r\n");
	assert_int_equal(dechunk(span_of(big, len), 1000, out, &n, &rest), SP_EHDRLONG);
}

static void
test_chunked_direct(void **state)
{
	struct http_chunked c = {0};
	struct span in = SPAN_LIT("10\r\nab"), data;

	(void)state;
	assert_int_equal(http_chunked_next(&c, &in, &data), HTTP_DATA);
	assert_int_equal(c.left, 14);
	http_chunked_took(&c, 14);
	in = SPAN_LIT("\r\n0\r\n\r\n");
	assert_int_equal(http_chunked_next(&c, &in, &data), HTTP_END);
	assert_int_equal(in.len, 0);
}

/* All parts as "name[/filename]=content|" into out. */
static int
demultipart(struct span in, size_t step, const char *boundary, char *out, size_t cap)
{
	struct http_multipart m;
	struct text t = text_of(out, cap);
	size_t have = 0, from = 0;
	int rc = http_multipart_init(&m, span_str(boundary));

	if (rc < 0)
		return rc;
	for (;;) {
		struct span s = span_of(in.ptr + from, have - from), data;
		struct http_part p;
		uint8_t name[64];
		int n;

		rc = http_multipart_next(&m, &s, &p, &data);
		from = have - s.len;
		if (rc == HTTP_PART) {
			n = http_unquote(p.name, name, sizeof(name));
			assert_true(n >= 0);
			text_chr(&t, '|');
			text_add(&t, span_of(name, (size_t)n));
			if (p.has_filename) {
				n = http_unquote(p.filename, name, sizeof(name));
				assert_true(n >= 0);
				text_chr(&t, '/');
				text_add(&t, span_of(name, (size_t)n));
			}
			text_chr(&t, '=');
			continue;
		}
		if (rc == HTTP_DATA) {
			text_add(&t, data);
			continue;
		}
		if (rc != HTTP_MORE || have == in.len)
			return rc;
		have = have + step < in.len ? have + step : in.len;
	}
}

#define CD "Content-Disposition: form-data; "
static void
test_multipart_good(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"--b\r\n" CD "name=\"f\"; filename=\"a b.txt\"\r\nContent-Type: "
	     "text/plain\r\n\r\nhello\r\n--b--\r\n",
		"|f/a b.txt=hello"},
	    {"--b\r\n" CD "name=hash\r\n\r\nX\r\n--b\r\n" CD
	     "name=f; filename=q\r\n\r\n\r\n--bX\r\n-\r\n--b--",
		"|hash=X|f/q=\r\n--bX\r\n-"},
	    {"preamble\r\n--b \t\r\n" CD
	     "filename=\"C:\\x\\\"y\\\\\"; name=\"f\"\r\n\r\n\r\n--b--epilogue",
		"|f/C:\\x\"y\\="},
	    {"\r\n--b\r\ncontent-disposition:form-data;name=a\r\n\r\n1\r\n2\r\n\r\n\r\n--b--",
		"|a=1\r\n2\r\n\r\n"},
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step < 40; step++) {
			int rc = demultipart(span_str(rows[i].in), step, "b", out, sizeof(out));

			if (i == 1) { /* "--bX" is no delimiter line: what follows must be CRLF or
					 "--" */
				assert_int_equal(rc, SP_ESYNTAX);
				continue;
			}
			assert_int_equal(rc, HTTP_END);
			assert_string_equal(out, rows[i].out);
		}
}

static void
test_multipart_refused(void **state)
{
	static const char *const bad[] = {
	    "--b\r\n\r\nx\r\n--b--",
	    "--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--",
	    "--b\r\nContent-Disposition: attachment; name=x\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "filename=x\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=x; name=y\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=\"x\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=x\r\n" CD "name=x\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=x\r\n folded\r\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=x\n\r\nx\r\n--b--",
	    "--b\r\n" CD "name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b--",
	    "--b\n" CD "name=x\r\n\r\nx\r\n--b--",
	    "--b!\r\n",
	};
	static char big[HTTP_PART_HEAD_MAX + 2000];
	char out[8192], longb[72];
	struct http_multipart m;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int rc = demultipart(span_str(bad[i]), 7, "b", out, sizeof(out));

		if (rc != SP_ESYNTAX)
			fail_msg("row %zu: %d", i, rc);
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "--b\r\nX: ", 8);
	assert_int_equal(
	    demultipart(span_of(big, sizeof(big)), 9999, "b", out, sizeof(out)), SP_EHDRLONG);
	memset(big, 'a', sizeof(big));
	assert_int_equal(
	    demultipart(span_of(big, sizeof(big)), 100, "b", out, sizeof(out)), SP_ESYNTAX);
	for (size_t i = 0; i <= HTTP_PARTS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "%s--b\r\n" CD "name=x\r\n\r\n",
		    i != 0 ? "\r\n" : "");
	assert_int_equal(demultipart(span_of(big, n), 9999, "b", out, sizeof(out)), SP_ETOOBIG);
	assert_int_equal(http_multipart_init(&m, SPAN_LIT("")), SP_ESYNTAX);
	assert_int_equal(http_multipart_init(&m, SPAN_LIT("a\r\n")), SP_ESYNTAX);
	assert_int_equal(http_multipart_init(&m, SPAN_LIT("a ")), SP_ESYNTAX);
	assert_int_equal(http_multipart_init(&m, SPAN_LIT("a\"")), SP_ESYNTAX);
	memset(longb, 'x', sizeof(longb));
	assert_int_equal(http_multipart_init(&m, span_of(longb, 71)), SP_ESYNTAX);
	assert_int_equal(http_multipart_init(&m, span_of(longb, 70)), SP_OK);
	/* unfinished is not finished */
	assert_int_equal(
	    demultipart(SPAN_LIT("--b\r\n" CD "name=x\r\n\r\nabc"), 3, "b", out, sizeof(out)),
	    HTTP_MORE);
}

static void
test_mutations(void **state)
{
	static const char chunks[] = "a;x=1\r\n0123456789\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n";
	static const char parts[] =
	    "--b\r\n" CD "name=\"f\"; filename=\"x\"\r\n\r\nhel\r\nlo\r\n--b--\r\n";
	uint8_t buf[256];
	char out[512];
	size_t n, rest;

	(void)state;
	for (size_t k = 0; k < sizeof(chunks) - 1; k++)
		assert_int_equal(dechunk(span_of(chunks, k), 3, out, &n, &rest), HTTP_MORE);
	for (size_t bit = 0; bit < (sizeof(chunks) - 1) * 8; bit++) {
		memcpy(buf, chunks, sizeof(chunks));
		buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		(void)dechunk(span_of(buf, sizeof(chunks) - 1), 5, out, &n, &rest);
		assert_true(n <= sizeof(chunks));
	}
	for (size_t k = 0; k + 6 < sizeof(parts); k++)
		assert_int_equal(
		    demultipart(span_of(parts, k), 3, "b", out, sizeof(out)), HTTP_MORE);
	for (size_t bit = 0; bit < (sizeof(parts) - 1) * 8; bit++) {
		struct http_multipart m;
		struct span in, data;
		struct http_part p;
		int rc;

		memcpy(buf, parts, sizeof(parts));
		buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		in = span_of(buf, sizeof(parts) - 1);
		assert_int_equal(http_multipart_init(&m, SPAN_LIT("b")), 0);
		do
			rc = http_multipart_next(&m, &in, &p, &data);
		while (rc == HTTP_PART || rc == HTTP_DATA);
		assert_true(in.len <= sizeof(parts));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chunked_good),
	    cmocka_unit_test(test_chunked_refused),
	    cmocka_unit_test(test_chunked_direct),
	    cmocka_unit_test(test_multipart_good),
	    cmocka_unit_test(test_multipart_refused),
	    cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
