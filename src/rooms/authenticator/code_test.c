/* code_test.c - one-time codes against RFC 6238's vectors, and seeds from the making to the check.
 */
#include "base/test.h"

#include "rooms/authenticator/code.h"

#include <stdio.h>

/* RFC 6238 appendix B, SHA-1; it lists 8 digits, of which 6-digit codes are the last ones */
static const uint8_t seed[CODE_SEED_BYTES + 1] = "12345678901234567890";
static const struct {
	uint64_t time_s;
	const char *code;
} vectors[] = {
    {59, "94287082"},
    {1111111109, "07081804"},
    {1111111111, "14050471"},
    {1234567890, "89005924"},
    {2000000000, "69279037"},
    {20000000000, "65353130"},
};

static int
check(const char *code, uint64_t now_s, uint64_t last_step, uint64_t *ret_step)
{
	return code_check(seed, span_str(code), now_s, last_step, ret_step);
}

static void
test_vectors(void **state)
{
	(void)state;
	assert_int_equal(code_ready(), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const char *code = vectors[i].code + 2;
		uint64_t t = vectors[i].time_s, step = 0;

		assert_int_equal(check(code, t, 0, &step), SP_OK);
		assert_int_equal(step, t / 30);
		/* a step early and a step late, and no more */
		assert_int_equal(check(code, t + 30, 0, &step), SP_OK);
		assert_int_equal(step, t / 30);
		if (t >= 60) {
			assert_int_equal(check(code, t - 30, 0, &step), SP_OK);
			assert_int_equal(step, t / 30);
			assert_err(check(code, t - 60, 0, &step), SP_EAUTH);
		}
		assert_err(check(code, t + 60, 0, &step), SP_EAUTH);
		/* used up, itself or by a later one */
		assert_int_equal(check(code, t, t / 30 - 1, &step), SP_OK);
		assert_err(check(code, t, t / 30, &step), SP_EAUTH);
		assert_err(check(code, t, t / 30 + 1, &step), SP_EAUTH);
	}
}

static void
test_typing(void **state)
{
	uint64_t t = 1234567890, step = 0;

	(void)state;
	assert_int_equal(check(" 005 924 ", t, 0, &step), SP_OK);
	assert_err(check("", t, 0, &step), SP_EAUTH);
	assert_err(check("      ", t, 0, &step), SP_EAUTH);
	assert_err(check("00592", t, 0, &step), SP_EAUTH);
	assert_err(check("0059245", t, 0, &step), SP_EAUTH);
	assert_err(check("89005924", t, 0, &step), SP_EAUTH);
	assert_err(check("5924", t, 0, &step), SP_EAUTH);
	assert_err(check("00592a", t, 0, &step), SP_EAUTH);
	assert_err(check("-05924", t, 0, &step), SP_EAUTH);
	assert_err(check("005925", t, 0, &step), SP_EAUTH);
	assert_err(check("005924", 29, 0, &step), SP_ERANGE);
	assert_err(check("005924", UINT64_MAX, 0, &step), SP_ERANGE);
}

static void
test_text(void **state)
{
	char text[CODE_SEED_TEXT];

	(void)state;
	assert_int_equal(code_seed_text(seed, text), SP_OK);
	assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

/* As it is stored: opened with its own key and blob only, and of its own length only. */
static void
test_sealed(void **state)
{
	static const uint8_t key[KEY_BYTES] = {1}, other[KEY_BYTES] = {2};
	static const uint8_t blob[BLOB_ID_BYTES] = {3}, elsewhere[BLOB_ID_BYTES] = {4};
	uint8_t ct[CODE_SEALED_MAX], again[CODE_SEALED_MAX];
	char text[CODE_SEED_TEXT], more[CODE_SEED_TEXT];
	struct span code = SPAN_LIT("005924");
	uint64_t t = 1234567890, step = 0;
	size_t n = 0, m = 0;

	(void)state;
	assert_int_equal(
	    blob_inline_seal(key, blob, span_of(seed, CODE_SEED_BYTES), ct, sizeof(ct), &n), SP_OK);
	assert_int_equal(code_check_sealed(key, blob, span_of(ct, n), code, t, 0, &step), SP_OK);
	assert_int_equal(step, t / 30);
	assert_int_not_equal(
	    code_check_sealed(other, blob, span_of(ct, n), code, t, 0, &step), SP_OK);
	assert_int_not_equal(
	    code_check_sealed(key, elsewhere, span_of(ct, n), code, t, 0, &step), SP_OK);
	assert_int_not_equal(
	    code_check_sealed(key, blob, span_of(ct, n - 1), code, t, 0, &step), SP_OK);
	for (size_t i = 0; i < n; i++) {
		ct[i] ^= 1;
		assert_int_not_equal(
		    code_check_sealed(key, blob, span_of(ct, n), code, t, 0, &step), SP_OK);
		ct[i] ^= 1;
	}
	assert_int_equal(
	    blob_inline_seal(key, blob, span_of(seed, CODE_SEED_BYTES - 1), ct, sizeof(ct), &n),
	    SP_OK);
	assert_err(code_check_sealed(key, blob, span_of(ct, n), code, t, 0, &step), SP_EDAMAGED);
	/* fresh ones differ, and are what their text says */
	assert_int_equal(code_make(key, blob, ct, sizeof(ct), &n, text), SP_OK);
	assert_int_equal(code_make(key, blob, again, sizeof(again), &m, more), SP_OK);
	assert_int_equal(n, m);
	assert_string_not_equal(text, more);
	{
		uint8_t plain[CODE_SEALED_MAX];
		char said[CODE_SEED_TEXT];

		assert_int_equal(
		    blob_inline_open(key, blob, span_of(ct, n), plain, sizeof(plain), &m), SP_OK);
		assert_int_equal(m, CODE_SEED_BYTES);
		assert_int_equal(code_seed_text(plain, said), SP_OK);
		assert_string_equal(said, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_typing),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
