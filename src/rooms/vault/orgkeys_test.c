/* orgkeys_test.c - the table of organisation keys and its file form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rooms/vault/orgkeys.h"

static const uint8_t mac_key[KEY_BYTES] = {1, 2, 3};

static void
add(struct orgkeys *t, uint64_t org, uint32_t epoch)
{
	struct orgkey row = {.org = org, .epoch = epoch};

	memset(row.wrap, (int)(org * 16 + epoch), sizeof(row.wrap));
	assert_int_equal(orgkeys_add(t, &row), SP_OK);
	assert_int_equal(orgkeys_add(t, &row), SP_EEXISTS);
}

static struct orgkeys
some(void)
{
	struct orgkeys t = {.rows = NULL};

	add(&t, 5, 2);
	add(&t, 3, 1);
	add(&t, 5, 1);
	add(&t, INT64_MAX, 1);
	add(&t, 5, 3);
	add(&t, 1, UINT32_MAX);
	return t;
}

static void
test_find(void **state)
{
	struct orgkeys t = some();

	(void)state;
	assert_int_equal(orgkeys_find(&t, 5, 0)->epoch, 3);
	assert_int_equal(orgkeys_find(&t, 5, 1)->wrap[0], 81);
	assert_int_equal(orgkeys_find(&t, 1, 0)->epoch, UINT32_MAX);
	assert_int_equal(orgkeys_find(&t, INT64_MAX, 0)->epoch, 1);
	assert_null(orgkeys_find(&t, 4, 0));
	assert_null(orgkeys_find(&t, 5, 4));
	assert_null(orgkeys_find(&t, 0, 0));
	assert_int_equal(orgkeys_drop_below(&t, 5, 3), 2);
	assert_int_equal(orgkeys_drop_below(&t, 5, 3), 0);
	assert_null(orgkeys_find(&t, 5, 2));
	assert_int_equal(orgkeys_find(&t, 5, 0)->epoch, 3);
	assert_int_equal(orgkeys_find(&t, 3, 1)->epoch, 1);
	assert_int_equal(t.n, 4);
	orgkeys_done(&t);
	assert_null(orgkeys_find(&t, 5, 0));
}

static void
test_round_trip(void **state)
{
	struct orgkeys t = some(), got;
	uint8_t *buf;
	size_t len;
	uint64_t generation;

	(void)state;
	assert_int_equal(orgkeys_encode(&t, 77, mac_key, &buf, &len), SP_OK);
	assert_int_equal(orgkeys_decode(span_of(buf, len), mac_key, &generation, &got), SP_OK);
	assert_int_equal(generation, 77);
	assert_int_equal(got.n, t.n);
	for (size_t i = 0; i < t.n; i++) {
		assert_true(
		    got.rows[i].org == t.rows[i].org && got.rows[i].epoch == t.rows[i].epoch);
		assert_memory_equal(got.rows[i].wrap, t.rows[i].wrap, WRAP_BYTES);
	}
	orgkeys_done(&got);
	orgkeys_done(&t);
	mem_free(buf);
}

static void
test_damage(void **state)
{
	struct orgkeys t = some(), got;
	uint8_t other_key[KEY_BYTES] = {9}, *buf;
	size_t len;
	uint64_t generation;

	(void)state;
	assert_int_equal(orgkeys_encode(&t, 77, mac_key, &buf, &len), SP_OK);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(
		    orgkeys_decode(span_of(buf, n), mac_key, &generation, &got), SP_EDAMAGED);
	for (size_t bit = 0; bit < len * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    orgkeys_decode(span_of(buf, len), mac_key, &generation, &got), SP_EDAMAGED);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(
	    orgkeys_decode(span_of(buf, len), other_key, &generation, &got), SP_EDAMAGED);
	assert_int_equal(orgkeys_decode(span_of(buf, len), mac_key, &generation, &got), SP_OK);
	orgkeys_done(&got);
	mem_free(buf);
	orgkeys_done(&t);
}

/* Rows out of order, though authentic, are not taken: the search would miss them. */
static void
test_order(void **state)
{
	struct orgkeys t = some(), got;
	uint8_t *buf;
	size_t len;
	uint64_t generation;
	struct orgkey row = t.rows[0];

	(void)state;
	t.rows[0] = t.rows[1];
	t.rows[1] = row;
	assert_int_equal(orgkeys_encode(&t, 1, mac_key, &buf, &len), SP_OK);
	assert_int_equal(
	    orgkeys_decode(span_of(buf, len), mac_key, &generation, &got), SP_EDAMAGED);
	mem_free(buf);
	orgkeys_done(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
