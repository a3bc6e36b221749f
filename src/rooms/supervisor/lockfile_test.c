/* lockfile_test.c - the file of a lockdown: what is written is read; what is not understood locks
 * everything. */
#include "base/test.h"
#include "rooms/supervisor/lockfile.h"

#define GOOD "sallyport lockdown 1\nlocked https keys\nsince 2026-11-26T05:21:57.000Z\nby 7\n"

static void
every_state_comes_back(void **state)
{
	(void)state;
	for (unsigned doors = 0; doors <= LOCK_ALL; doors++) {
		for (int keys = 0; keys < 2; keys++) {
			struct lockdown l = {.doors = (uint8_t)doors,
					    .keys = keys != 0,
					    .since_us = 1795670517123000,
					    .by = keys != 0 ? LOCKDOWN_ALARM : 0},
					got = {0};
			char buf[LOCKFILE_MAX];
			struct text t = text_of(buf, sizeof(buf));

			if (!lockdown_any(&l))
				continue;
			lockfile_put(&t, &l);
			assert_false(t.bad);
			assert_int_equal(lockfile_parse(text_span(&t), &got), SP_OK);
			assert_int_equal(got.doors, l.doors);
			assert_int_equal(got.keys, l.keys);
			assert_int_equal(got.since_us, l.since_us);
			assert_int_equal(got.by, l.by);
			assert_false(got.damaged);
		}
	}
}

static void
locks_everything(struct span file)
{
	struct lockdown l = {0};

	assert_int_equal(lockfile_parse(file, &l), SP_ESYNTAX);
	assert_int_equal(l.doors, LOCK_ALL);
	assert_true(l.keys && l.damaged);
}

static void
what_is_cut_or_changed_locks_everything(void **state)
{
	struct span good = SPAN_LIT(GOOD);
	struct lockdown l;

	(void)state;
	assert_int_equal(lockfile_parse(good, &l), SP_OK);
	assert_int_equal(l.doors, LOCK_HTTPS);
	for (size_t n = 0; n < good.len; n++)
		locks_everything(span_cut(good, n));
	/* of a changed byte of the words nothing may be less locked */
	for (size_t at = 0; at < good.len; at++) {
		char copy[sizeof(GOOD)];

		memcpy(copy, GOOD, sizeof(GOOD));
		copy[at] ^= 1;
		assert_true(lockfile_parse(span_of(copy, good.len), &l) == SP_OK || l.damaged);
		assert_true((l.doors & LOCK_HTTPS) != 0 && l.keys);
	}
}

static void
other_forms_lock_everything(void **state)
{
	static const char *const bad[] = {
	    "sallyport lockdown 2\nlocked https\nsince 2026-11-26T05:21:57.000Z\nby 0\n",
	    "sallyport lockdown 1\nlocked \nsince 2026-11-26T05:21:57.000Z\nby 0\n",
	    "sallyport lockdown 1\nlocked https https\nsince 2026-11-26T05:21:57.000Z\nby 0\n",
	    "sallyport lockdown 1\nlocked gopher\nsince 2026-11-26T05:21:57.000Z\nby 0\n",
	    "sallyport lockdown 1\nlocked https\nsince yesterday\nby 0\n",
	    "sallyport lockdown 1\nlocked https\nsince 2026-11-26T05:21:57.000Z\nby 4294967296\n",
	    "sallyport lockdown 1\nlocked https\nsince 2026-11-26T05:21:57.000Z\nby 0\nmore\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		locks_everything(span_str(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state_comes_back),
	    cmocka_unit_test(what_is_cut_or_changed_locks_everything),
	    cmocka_unit_test(other_forms_lock_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
