/* governor_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "rooms/vault/governor.h"

static void
test_counts(void **state)
{
	struct governor *g = governor_new();
	uint32_t retry = 1;

	(void)state;
	assert_non_null(g);
	assert_int_equal(governor_count(g, 1).files, 0);
	assert_int_equal(governor_admit(g, 1, 100, &retry), SP_OK);
	assert_int_equal(retry, 0);
	assert_int_equal(governor_admit(g, 1, 0, &retry), SP_OK);
	assert_int_equal(governor_admit(g, 2, 7, &retry), SP_OK);
	assert_int_equal(governor_count(g, 1).files, 2);
	assert_int_equal(governor_count(g, 1).bytes, 100);
	assert_int_equal(governor_count(g, 2).bytes, 7);
	assert_int_equal(governor_count(g, 3).files, 0);
	governor_free(g);
	governor_free(NULL);
}

static void
test_no_wrap_around(void **state)
{
	struct governor *g = governor_new();
	uint32_t retry;

	(void)state;
	assert_int_equal(governor_admit(g, 0, UINT64_MAX - 1, &retry), SP_OK);
	assert_int_equal(governor_admit(g, 0, 5, &retry), SP_OK);
	assert_true(governor_count(g, 0).bytes == UINT64_MAX);
	assert_int_equal(governor_count(g, 0).files, 2);
	governor_free(g);
}

static void
test_many(void **state)
{
	struct governor *g = governor_new();
	uint32_t retry;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint64_t u = 0; u < 20000; u++)
			assert_int_equal(governor_admit(g, u << 32 | u, u, &retry), SP_OK);
	for (uint64_t u = 0; u < 20000; u++) {
		assert_int_equal(governor_count(g, u << 32 | u).files, 2);
		assert_int_equal(governor_count(g, u << 32 | u).bytes, 2 * u);
	}
	governor_free(g);
}

/* Who cannot be counted is not served, and the count of the others stays right. */
static void
test_no_memory(void **state)
{
	struct governor *g = governor_new();
	uint32_t retry;
	uint64_t u = 0;

	(void)state;
	for (; u < 128; u++)
		assert_int_equal(governor_admit(g, u, 1, &retry), SP_OK);
	mem_fail_at(1);
	assert_int_equal(governor_admit(g, u, 1, &retry), SP_ENOMEM);
	mem_fail_at(0);
	assert_int_equal(governor_count(g, u).files, 0);
	assert_int_equal(governor_count(g, 5).files, 1);
	assert_int_equal(governor_admit(g, u, 1, &retry), SP_OK);
	assert_int_equal(governor_count(g, u).files, 1);
	governor_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_no_wrap_around),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
