/* governor_crash_test.c - what is on the disk: crashes, torn writes, restarts, files that are gone.
 */
#include "rooms/vault/governor_world.h"

/* Neither a clock that goes back, nor a restart of vault or machine, gives anything back. */
static void
test_clock_gives_nothing(void **state)
{
	struct world *w = *state;
	int64_t boot = w->s->boot;

	set(w, PRINCIPAL_USER, 10, 1000, 1 << 20, 1 << 20);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(give(w, 1, 1, 10), SP_OK);
	w->s->boot -= 900;
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	w->s->boot = boot + 600;
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	assert_int_equal(governor_settle(w->g), SP_OK);
	assert_int_equal(open_again(w, true), GOVERNOR_GOES_ON);
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	w->s->boot = 30; /* the machine was restarted: how long it was off is not known */
	assert_int_equal(open_again(w, true), GOVERNOR_GOES_ON);
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	w->s->boot += HOUR_S + FIVE_S;
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
}

/* ---- durable ---- */

/* After a crash at any moment no less is counted than was given, and at most a reservation more. */
static void
test_crash(void **state)
{
	struct world *w = *state;

	set(w, PRINCIPAL_USER, 640, 100000, 1 << 20, 1 << 30);
	for (unsigned given = 1; given < 60; given++) {
		uint32_t counted;

		assert_int_equal(give(w, given, 1, 10), SP_OK);
		for (unsigned i = 1; i < given; i++)
			assert_int_equal(give(w, given, 1, 10), SP_OK);
		(void)open_again(w, true); /* without settling */
		counted = files(w, PRINCIPAL_USER, given);
		assert_true(counted >= given && counted <= given + 640 / GOVERNOR_RESERVE + 1);
	}
	for (unsigned given = 1; given < 60; given++) {
		assert_int_equal(give(w, 1000 + given, 1, 10), SP_OK);
		assert_int_equal(governor_settle(w->g), SP_OK);
		(void)open_again(w, true);
		assert_int_equal(files(w, PRINCIPAL_USER, 1000 + given), 1);
	}
}

/* The limit is never passed by crashing again and again. */
static void
test_crash_loop(void **state)
{
	struct world *w = *state;
	unsigned given = 0;

	set(w, PRINCIPAL_USER, 640, 100000, 1 << 20, 1 << 30);
	for (unsigned i = 0; i < 2000; i++) {
		given += give(w, 1, 1, 10) == SP_OK;
		(void)open_again(w, true);
	}
	assert_true(given >= 50 && given <= 640);
}

/* A write that fails, torn at any byte, or a sync that does: refused, and nothing is lost. */
static void
test_failing_disk(void **state)
{
	struct world *w = *state;
	unsigned given = 0;

	set(w, PRINCIPAL_USER, 100000, 1000000, INT64_C(1) << 40, INT64_C(1) << 44);
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	given++;
	for (int at = 1; at <= 5; at++) {
		for (size_t tear = 0; tear < EGRESS_PLACE; tear += 97) {
			w->s->boot += FIVE_S; /* another bucket: a new reservation for all five */
			w->s->fail_in = at;
			w->s->tear = tear;
			assert_err(give(w, 1, 1, 10), SP_EIO);
			(void)open_again(w, true);
			assert_int_equal(give(w, 1, 1, 10), SP_OK);
			given++;
		}
	}
	w->s->fail_in = 0;
	w->s->boot += FIVE_S;
	w->s->fail_sync = true;
	assert_err(give(w, 1, 1, 10), SP_EIO);
	assert_err(give(w, 1, 1, 10), SP_EIO);
	w->s->fail_sync = false;
	assert_int_equal(open_again(w, true), GOVERNOR_GOES_ON);
	assert_true(row(w, PRINCIPAL_USER, 1).used[WINDOW_DAY].files >= given);
}

/* A busy user costs a sync for every sixty-fourth of its limit, and one for each five minutes. */
static void
test_few_syncs(void **state)
{
	struct world *w = *state;
	const unsigned files = 9000; /* a new user's hour has some more */
	uint64_t most = 4;
	unsigned before;

	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	before = w->s->syncs;
	for (unsigned i = 0; i < files; i++)
		assert_int_equal(give(w, 1, 1, 4096), SP_OK);
	for (int kind = PRINCIPAL_USER; kind <= PRINCIPAL_SERVER; kind++)
		most += (uint64_t)files * GOVERNOR_RESERVE / (uint64_t)w->limits.of[kind].files_floor;
	assert_true(w->s->syncs - before <= most);
}

static void
gone(struct world *w)
{
	uint8_t id[PRINCIPAL_ID_BYTES];

	assert_err(give(w, 77, 3, 1), SP_EBUDGET);
	assert_true(w->no.kind == PRINCIPAL_SERVER && w->no.retry_after > 23 * HOUR_S);
	/* restarting does not help; an operator's raise does, by as much as it says */
	assert_int_equal(open_again(w, true), GOVERNOR_GOES_ON);
	assert_err(give(w, 77, 3, 1), SP_EBUDGET);
	principal_number(0, id);
	assert_int_equal(governor_raise(w->g, PRINCIPAL_SERVER, id, 2, 100, 600), SP_OK);
	assert_int_equal(give(w, 77, 3, 1), SP_OK);
	assert_int_equal(give(w, 77, 3, 1), SP_OK);
	assert_err(give(w, 77, 3, 1), SP_EBUDGET);
	w->s->boot += DAY_S + HOUR_S;
	assert_int_equal(give(w, 77, 3, 1), SP_OK);
}

static void
test_file_taken_away(void **state)
{
	struct world *w = *state;

	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	egress_stage_wipe(w->s);
	assert_int_equal(open_again(w, true), GOVERNOR_LOST);
	gone(w);
}

static void
test_file_damaged(void **state)
{
	struct world *w = *state;

	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	egress_stage_head(w->s, 0)[9] ^= 1;
	egress_stage_head(w->s, 1)[9] ^= 1;
	assert_int_equal(open_again(w, true), GOVERNOR_LOST);
	gone(w);
}

static void
test_place_damaged(void **state)
{
	struct world *w = *state;

	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	egress_stage_place(w->s, 0, 0)[100] ^= 1;
	egress_stage_place(w->s, 1, 0)[100] ^= 1;
	assert_int_equal(open_again(w, true), GOVERNOR_LOST);
	gone(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_clock_gives_nothing),
	    TEST(test_crash),
	    TEST(test_crash_loop),
	    TEST(test_failing_disk),
	    TEST(test_few_syncs),
	    TEST(test_file_taken_away),
	    TEST(test_file_damaged),
	    TEST(test_place_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
