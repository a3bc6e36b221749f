/* wrap_test.c - wraps open for what they were made for and for nothing else. */
#include "crypto/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t kek[32] = {1, 2, 3}, key[32] = {9, 8, 7}, blob[16] = {4, 5, 6};

static void
test_round_trip(void **state)
{
	static const enum wrap_state states[] = {WRAP_STAGED, WRAP_SEALED, WRAP_ORG};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct wrap_info in = {states[i], 0xFFFFFFFF, UINT64_MAX}, out, peek;
		uint8_t wrap[WRAP_BYTES], again[WRAP_BYTES], got[32];

		assert_int_equal(key_wrap(kek, 42, blob, &in, key, wrap), SP_OK);
		assert_int_equal(key_wrap(kek, 42, blob, &in, key, again), SP_OK);
		assert_memory_not_equal(wrap, again, WRAP_BYTES); /* a fresh salt each time */
		assert_int_equal(
		    key_unwrap(kek, 42, blob, span_of(wrap, WRAP_BYTES), &out, got), SP_OK);
		assert_memory_equal(got, key, 32);
		assert_int_equal(out.state, states[i]);
		assert_int_equal(out.epoch, 0xFFFFFFFF);
		assert_int_equal(out.length, UINT64_MAX);
		assert_int_equal(wrap_peek(span_of(wrap, WRAP_BYTES), &peek), SP_OK);
		assert_int_equal(peek.state, states[i]);
		assert_int_equal(peek.epoch, 0xFFFFFFFF);
		assert_int_equal(peek.length, UINT64_MAX);
	}
}

static void
test_refusals(void **state)
{
	struct wrap_info in = {WRAP_SEALED, 7, 1000}, out = {WRAP_ORG, 1, 1};
	uint8_t wrap[WRAP_BYTES + 1] = {0}, got[32], none[32] = {0}, kek2[32], blob2[16];

	(void)state;
	memset(got, 0, sizeof(got));
	assert_int_equal(key_wrap(kek, 42, blob, &in, key, wrap), SP_OK);
	for (size_t bit = 0; bit < WRAP_BYTES * 8; bit++) {
		wrap[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int r = key_unwrap(kek, 42, blob, span_of(wrap, WRAP_BYTES), &out, got);

		assert_true(r == SP_EBADTAG || r == SP_ERANGE);
		wrap[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t n = 0; n <= WRAP_BYTES + 1; n++) {
		if (n == WRAP_BYTES)
			continue;
		assert_int_equal(key_unwrap(kek, 42, blob, span_of(wrap, n), &out, got), SP_ERANGE);
		assert_int_equal(wrap_peek(span_of(wrap, n), &out), SP_ERANGE);
	}
	struct span good = span_of(wrap, WRAP_BYTES);

	assert_int_equal(key_unwrap(kek, 43, blob, good, &out, got), SP_EBADTAG);
	memcpy(kek2, kek, 32);
	kek2[31] ^= 0x80;
	assert_int_equal(key_unwrap(kek2, 42, blob, good, &out, got), SP_EBADTAG);
	memcpy(blob2, blob, 16);
	blob2[15] ^= 1;
	assert_int_equal(key_unwrap(kek, 42, blob2, good, &out, got), SP_EBADTAG);
	assert_memory_equal(got, none, 32); /* outputs untouched by all of that */
	assert_int_equal(out.state, WRAP_ORG);
	in.state = (enum wrap_state)0;
	assert_int_equal(key_wrap(kek, 42, blob, &in, key, wrap), SP_ERANGE);
	in.state = (enum wrap_state)4;
	assert_int_equal(key_wrap(kek, 42, blob, &in, key, wrap), SP_ERANGE);
}

static void
test_seal_proof(void **state)
{
	uint8_t a[32], b[32], key2[32] = {0}, blob2[16] = {0};

	(void)state;
	assert_int_equal(seal_proof(key, blob, 1000, a), SP_OK);
	assert_int_equal(seal_proof(key, blob, 1000, b), SP_OK);
	assert_memory_equal(a, b, 32);
	assert_int_equal(seal_proof(key, blob, 999, b), SP_OK);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(seal_proof(key, blob, 1000 + (1ull << 32), b), SP_OK);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(seal_proof(key2, blob, 1000, b), SP_OK);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(seal_proof(key, blob2, 1000, b), SP_OK);
	assert_memory_not_equal(a, b, 32);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_seal_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
