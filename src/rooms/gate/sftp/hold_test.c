/* Blocks out of order, and their limits. */
#include "base/test.h"
#include "rooms/gate/sftp/hold.h"

static void
test_order(void **state)
{
	static const uint64_t offsets[] = {300, 100, 200, 0};
	size_t used = 0, i;
	struct hold h;

	(void)state;
	hold_init(&h, &used);
	assert_int_equal(hold_end(&h), 0);
	for (size_t k = 0; k < 4; k++) {
		assert_int_equal(hold_add(&h, offsets[k], 100, &i), SP_OK);
		hold_put(&h, i, SPAN_LIT("a"));
		hold_put(&h, i, SPAN_LIT("bc"));
		assert_int_equal(h.v[i].have, 3);
	}
	assert_int_equal(hold_end(&h), 400);
	assert_int_equal(used, 4 * (100 + HOLD_BLOCK_COST));
	for (size_t k = 0; k < 4; k++) {
		assert_int_equal(h.v[0].offset, 100 * k);
		assert_memory_equal(h.v[0].bytes, "abc", 3);
		hold_drop_first(&h);
	}
	assert_int_equal(used, 0);
	hold_done(&h);
}

static void
test_overlap(void **state)
{
	size_t used = 0, i;
	struct hold h;

	(void)state;
	hold_init(&h, &used);
	assert_int_equal(hold_add(&h, 100, 100, &i), SP_OK);
	assert_err(hold_add(&h, 199, 10, &i), SP_ECONFLICT);
	assert_err(hold_add(&h, 91, 10, &i), SP_ECONFLICT);
	assert_err(hold_add(&h, 100, 100, &i), SP_ECONFLICT);
	assert_err(hold_add(&h, 120, 10, &i), SP_ECONFLICT);
	assert_err(hold_add(&h, 50, 1000, &i), SP_ECONFLICT);
	assert_int_equal(hold_add(&h, 200, 10, &i), SP_OK);
	assert_int_equal(hold_add(&h, 90, 10, &i), SP_OK);
	assert_int_equal(h.n, 3);
	hold_done(&h);
	assert_int_equal(used, 0);
}

/* Two files share what a connection may hold; one has at most so many blocks. */
static void
test_limits(void **state)
{
	size_t used = 0, i;
	struct hold a, b;

	(void)state;
	hold_init(&a, &used);
	hold_init(&b, &used);
	assert_err(hold_add(&a, 1, HOLD_BYTES, &i), SP_EFULL);
	assert_err(hold_add(&a, 1, HOLD_BYTES + 1, &i), SP_EFULL);
	assert_int_equal(hold_add(&a, 1, HOLD_BYTES - HOLD_BLOCK_COST, &i), SP_OK);
	assert_err(hold_add(&b, 1, 1, &i), SP_EFULL);
	hold_drop_first(&a);
	for (size_t k = 0; k < HOLD_BLOCKS; k++)
		assert_int_equal(hold_add(&b, 1 + k, 1, &i), SP_OK);
	assert_err(hold_add(&b, 5000, 1, &i), SP_EFULL);
	hold_done(&a);
	hold_done(&b);
	assert_int_equal(used, 0);
}

static void
test_no_memory(void **state)
{
	size_t used = 0, i;
	struct hold h;

	(void)state;
	hold_init(&h, &used);
	mem_fail_at(1);
	assert_err(hold_add(&h, 1, 10, &i), SP_ENOMEM);
	mem_fail_at(2);
	assert_err(hold_add(&h, 1, 10, &i), SP_ENOMEM);
	mem_fail_at(0);
	assert_int_equal(used, 0);
	hold_done(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_overlap),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
