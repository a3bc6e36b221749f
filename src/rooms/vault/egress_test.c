/* egress_test.c - the file of the counters: torn, damaged, of another key, grown. */
#include "rooms/vault/egress_stage.h"

static const uint8_t key[KEY_BYTES] = {1}, other[KEY_BYTES] = {2};
static const uint8_t id[PRINCIPAL_ID_BYTES] = {9};

static int
setup(void **state)
{
	*state = egress_stage_new();
	return 0;
}

static int
teardown(void **state)
{
	egress_stage_free(*state);
	return 0;
}

static enum egress_state
state_of(struct egress_stage *s, const uint8_t *k, struct egress *e)
{
	enum egress_state st = EGRESS_EMPTY;
	int64_t time, boot;

	assert_int_equal(egress_open(e, &s->disk, k, &st, &time, &boot), SP_OK);
	return st;
}

static void
test_begin_and_open(void **state)
{
	struct egress_stage *s = *state;
	enum egress_state st;
	struct egress e;
	int64_t time, boot;

	assert_int_equal(state_of(s, key, &e), EGRESS_EMPTY);
	assert_int_equal(egress_begin(&e, 777), SP_OK);
	assert_int_equal(state_of(s, other, &e), EGRESS_DAMAGED);
	assert_int_equal(egress_open(&e, &s->disk, key, &st, &time, &boot), SP_OK);
	assert_int_equal(st, EGRESS_GOOD);
	assert_true(time == 777 && boot == 1000 && e.places == 0);
	assert_int_equal(egress_grow(&e, 888), SP_OK);
	/* either head will do */
	for (unsigned copy = 0; copy < 2; copy++) {
		egress_stage_head(s, copy)[20] ^= 1;
		assert_int_equal(state_of(s, key, &e), EGRESS_GOOD);
		assert_int_equal(e.places, EGRESS_GROW);
		egress_stage_head(s, copy)[20] ^= 1;
	}
	egress_stage_head(s, 0)[20] ^= 1;
	memset(egress_stage_head(s, 1), 0, 100);
	assert_int_equal(state_of(s, key, &e), EGRESS_DAMAGED);
}

static void
test_grow(void **state)
{
	struct egress_stage *s = *state;
	struct principal p;
	struct egress e;
	int64_t boot;
	bool doubt;

	(void)state_of(s, key, &e);
	assert_int_equal(egress_begin(&e, 1), SP_OK);
	for (uint32_t n = EGRESS_GROW; n <= EGRESS_PLACES; n += EGRESS_GROW) {
		assert_int_equal(egress_grow(&e, 1), SP_OK);
		assert_int_equal(e.places, n);
	}
	assert_err(egress_grow(&e, 1), SP_EFULL);
	assert_int_equal(egress_read(&e, EGRESS_PLACES - 1, &p, &boot, &doubt), SP_OK);
	assert_true(!p.used && !doubt && p.writes == EGRESS_NEW_WRITES);
}

/* A failure at any write of growing leaves the file as it was. */
static void
test_grow_fails(void **state)
{
	struct egress_stage *s = *state;
	struct egress e;

	(void)state_of(s, key, &e);
	assert_int_equal(egress_begin(&e, 1), SP_OK);
	for (int at = 1; at <= 2 * (int)EGRESS_GROW + 2; at += at < 500 ? 83 : 1) {
		s->fail_in = at;
		assert_err(egress_grow(&e, 1), SP_EIO);
		assert_int_equal(e.places, 0);
	}
	s->fail_in = 0;
	assert_int_equal(egress_grow(&e, 1), SP_OK);
	assert_int_equal(state_of(s, key, &e), EGRESS_GOOD);
	assert_int_equal(e.places, EGRESS_GROW);
}

/* A write that tears at any byte leaves what was there before, and says that there is doubt. */
static void
test_torn(void **state)
{
	struct egress_stage *s = *state;
	struct principal p, q;
	struct egress e;
	int64_t boot;
	bool doubt;

	(void)state_of(s, key, &e);
	assert_int_equal(egress_begin(&e, 1), SP_OK);
	assert_int_equal(egress_grow(&e, 1), SP_OK);
	principal_init(&p, PRINCIPAL_USER, id, ((int64_t)100 * DAY_S));
	p.writes = EGRESS_NEW_WRITES;
	for (size_t tear = 0; tear < EGRESS_PLACE; tear += 61) {
		principal_charge(&p, 1, 1);
		assert_int_equal(egress_write(&e, 3, &p, 10, 100), SP_OK);
		assert_int_equal(egress_read(&e, 3, &q, &boot, &doubt), SP_OK);
		assert_false(doubt);
		assert_true(boot == 1000 && q.writes == p.writes);
		assert_int_equal(principal_sum(&q, WINDOW_HOUR).files,
		    principal_sum(&p, WINDOW_HOUR).files + 10);
		s->fail_in = 1;
		s->tear = tear;
		assert_err(egress_write(&e, 3, &p, 50, 50), SP_EIO);
		assert_int_equal(egress_read(&e, 3, &q, &boot, &doubt), SP_OK);
		assert_true(doubt == (tear != 0));
		assert_int_equal(principal_sum(&q, WINDOW_HOUR).files,
		    principal_sum(&p, WINDOW_HOUR).files + 10);
		/* the next one goes over the torn one, never over the good one */
		s->fail_in = 1;
		assert_err(egress_write(&e, 3, &p, 50, 50), SP_EIO);
		assert_int_equal(egress_read(&e, 3, &q, &boot, &doubt), SP_OK);
		assert_int_equal(egress_write(&e, 3, &p, 10, 100), SP_OK);
	}
}

/* A place moved to another's, or turned in any byte, is not believed. */
static void
test_changed(void **state)
{
	struct egress_stage *s = *state;
	struct principal p, q;
	struct egress e;
	int64_t boot;
	bool doubt;

	(void)state_of(s, key, &e);
	assert_int_equal(egress_begin(&e, 1), SP_OK);
	assert_int_equal(egress_grow(&e, 1), SP_OK);
	principal_init(&p, PRINCIPAL_USER, id, ((int64_t)100 * DAY_S));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(egress_write(&e, 5, &p, 0, 0), SP_OK);
	for (unsigned copy = 0; copy < 2; copy++)
		memcpy(
		    egress_stage_place(s, copy, 6), egress_stage_place(s, copy, 5), EGRESS_PLACE);
	assert_err(egress_read(&e, 6, &q, &boot, &doubt), SP_EDAMAGED);
	assert_int_equal(egress_read(&e, 5, &q, &boot, &doubt), SP_OK);
	for (size_t at = 0; at < 999; at += 37) {
		for (unsigned copy = 0; copy < 2; copy++)
			egress_stage_place(s, copy, 5)[at] ^= 4;
		assert_err(egress_read(&e, 5, &q, &boot, &doubt), SP_EDAMAGED);
		for (unsigned copy = 0; copy < 2; copy++)
			egress_stage_place(s, copy, 5)[at] ^= 4;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_begin_and_open, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_grow, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_grow_fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
