#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/text.h"
#include "crypto/digest.h"

/* FIPS 180-4 examples: "abc" */
static void
test_known(void **state)
{
	static const struct {
		const char *name, *hex;
	} rows[] = {{"SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	    {"sha-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		       "8086072ba1e7cc2358baeca134c825a7"},
	    {"Sha-512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[DIGEST_BYTES_MAX];
		char hex[2 * DIGEST_BYTES_MAX + 1];
		struct text t = text_of(hex, sizeof(hex));
		struct digest *d = NULL;
		size_t len = 0;

		assert_int_equal(digest_new(span_str(rows[i].name), &d), SP_OK);
		assert_int_equal(digest_add(d, SPAN_LIT("a")), SP_OK);
		assert_int_equal(digest_add(d, SPAN_LIT("bc")), SP_OK);
		assert_int_equal(digest_get(d, out, &len), SP_OK);
		text_hex(&t, span_of(out, len));
		assert_string_equal(hex, rows[i].hex);
		digest_free(d);
	}
}

static void
test_unknown(void **state)
{
	struct digest *d = NULL;

	(void)state;
	assert_int_equal(digest_new(SPAN_LIT("md5"), &d), SP_ENOTIMPL);
	assert_int_equal(digest_new(SPAN_LIT(""), &d), SP_ENOTIMPL);
	assert_null(d);
	digest_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known), cmocka_unit_test(test_unknown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
