/* tls_input_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/wire.h"
#include "proto/tls/tls_input.h"

#define CONTEXT "TLS 1.3, server CertificateVerify"

static size_t
make_13(uint8_t *buf, const char *context, size_t hash_bytes)
{
	struct wr w = wr_of(buf, 256);

	memset(buf, 0x20, 64);
	w.len = 64;
	wr_bytes(&w, span_of(context, strlen(context) + 1));
	for (size_t i = 0; i < hash_bytes; i++)
		wr_uint(&w, i * 7 & 0xff, 1);
	return w.len;
}

static size_t
make_12(uint8_t *buf, unsigned curve_type, unsigned group, size_t point_bytes, unsigned form)
{
	struct wr w = wr_of(buf, 256);

	for (size_t i = 0; i < 64; i++)
		wr_uint(&w, 0x20, 1); /* randoms may be anything, even this */
	wr_uint(&w, curve_type, 1);
	wr_uint(&w, group, 2);
	wr_uint(&w, point_bytes, 1);
	wr_uint(&w, form, 1);
	for (size_t i = 1; i < point_bytes; i++)
		wr_uint(&w, 0xab, 1);
	return w.len;
}

static void
test_13(void **state)
{
	static const size_t bad[] = {0, 1, 16, 20, 31, 33, 47, 49, 64};
	uint8_t buf[256] = {0};
	enum tls_input kind;
	size_t n;

	(void)state;
	for (size_t hash = 32; hash <= 48; hash += 16) {
		n = make_13(buf, CONTEXT, hash);
		assert_int_equal(n, 98 + hash);
		assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_OK);
		assert_int_equal(kind, TLS_INPUT_13);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		n = make_13(buf, CONTEXT, bad[i]);
		assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
	}
	n = make_13(buf, "TLS 1.3, client CertificateVerify", 32);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
	n = make_13(buf, "TLS 1.3, server CertificateVerif", 33);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
	n = make_13(buf, "TLS 1.3, server CertificateVerify ", 31);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
}

static void
test_13_damage(void **state)
{
	uint8_t buf[256] = {0};
	enum tls_input kind;
	size_t n = make_13(buf, CONTEXT, 48);

	(void)state;
	for (size_t bit = 0; bit < 98 * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i <= n + 1; i++)
		assert_int_equal(tls_input_check(span_of(buf, i), &kind),
		    i == 130 || i == 146 ? SP_OK : SP_ESYNTAX);
}

static void
test_12(void **state)
{
	uint8_t buf[256] = {0};
	enum tls_input kind;
	size_t n;

	(void)state;
	n = make_12(buf, 3, 23, 65, 4);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_OK);
	assert_int_equal(kind, TLS_INPUT_12);
	n = make_12(buf, 3, 24, 97, 4);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_OK);
	n = make_12(buf, 3, 29, 32, 0x99);
	assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_OK);
	assert_int_equal(kind, TLS_INPUT_12);
}

static void
test_12_refused(void **state)
{
	static const struct {
		unsigned curve_type, group;
		size_t point_bytes;
		unsigned form;
	} bad[] = {
	    {1, 23, 65, 4},
	    {2, 23, 65, 4},
	    {0, 29, 32, 0}, /* not named */
	    {3, 25, 133, 4},
	    {3, 30, 56, 0},
	    {3, 22, 65, 4},
	    {3, 256, 32, 0}, /* other groups */
	    {3, 23, 33, 2},
	    {3, 23, 65, 2},
	    {3, 23, 65, 6},
	    {3, 24, 49, 3}, /* compressed, hybrid */
	    {3, 23, 97, 4},
	    {3, 24, 65, 4},
	    {3, 29, 65, 4},
	    {3, 23, 64, 4},
	    {3, 29, 33, 0},
	    {3, 29, 31, 0},
	};
	uint8_t buf[256] = {0};
	enum tls_input kind;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t n =
		    make_12(buf, bad[i].curve_type, bad[i].group, bad[i].point_bytes, bad[i].form);

		assert_int_equal(tls_input_check(span_of(buf, n), &kind), SP_ESYNTAX);
	}
}

/* The randoms and the point are free, all the rest is not; no truncation, no extension. */
static void
test_12_damage(void **state)
{
	uint8_t buf[256] = {0};
	enum tls_input kind;
	size_t n = make_12(buf, 3, 29, 32, 1);

	(void)state;
	for (size_t i = 0; i < n + 2; i++)
		assert_int_equal(
		    tls_input_check(span_of(buf, i), &kind), i == n ? SP_OK : SP_ESYNTAX);
	for (size_t bit = 0; bit < n * 8; bit++) {
		bool is_free = bit / 8 < 64 || bit / 8 >= 68;

		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    tls_input_check(span_of(buf, n), &kind), is_free ? SP_OK : SP_ESYNTAX);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_13),
	    cmocka_unit_test(test_13_damage),
	    cmocka_unit_test(test_12),
	    cmocka_unit_test(test_12_refused),
	    cmocka_unit_test(test_12_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
