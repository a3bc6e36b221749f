/* lockout_test.c - failures are counted, lock, and are forgotten; the clock is the test's. */
#include "base/test.h"
#include "rooms/broker/lockout.h"

#define MINUTE 60000000ll
#define HERE "10.0.0.1:5555"
#define HERE_AGAIN "10.0.0.1:6666"
#define THERE "10.0.0.2:5555"

static const struct lockout_limits limits = {.failures = 3, .address = 6, .time_us = 15 * MINUTE};

static int
may(struct db *db, const char *peer, const char *account, int64_t now_us)
{
	int64_t wait_us = -1;
	int err = lockout_check(db, peer, span_str(account), now_us, &wait_us);

	assert_true((err == SP_ELOCKOUT) == (wait_us > 0));
	return err;
}

static bool
fails(struct db *db, const char *peer, const char *account, int64_t now_us)
{
	bool locked = false;

	assert_int_equal(
	    lockout_charge(db, peer, span_str(account), &limits, now_us, &locked), SP_OK);
	return locked;
}

static struct db *
fresh(void)
{
	struct db *db = NULL;

	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	return db;
}

static void
test_account(void **state)
{
	struct db *db = fresh();
	int64_t t = 1000 * MINUTE;

	(void)state;
	assert_false(fails(db, HERE, "alice", t));
	assert_false(fails(db, HERE_AGAIN, "Alice", t + 1));
	assert_int_equal(may(db, HERE, "alice", t + 2), SP_OK);
	assert_true(fails(db, HERE, "ALICE", t + 2));
	assert_int_equal(may(db, HERE, "alice", t + 3), SP_ELOCKOUT);
	/* a stranger locks nobody out elsewhere, and nobody else here */
	assert_int_equal(may(db, THERE, "alice", t + 3), SP_OK);
	assert_int_equal(may(db, HERE, "bob", t + 3), SP_OK);
	assert_int_equal(may(db, HERE, "alice", t + 2 + 15 * MINUTE - 1), SP_ELOCKOUT);
	assert_int_equal(may(db, HERE, "alice", t + 2 + 15 * MINUTE), SP_OK);
	/* after it all is as before */
	assert_false(fails(db, HERE, "alice", t + 16 * MINUTE));
	assert_false(fails(db, HERE, "alice", t + 16 * MINUTE));
	assert_true(fails(db, HERE, "alice", t + 16 * MINUTE));
	db_close(db);
}

static void
test_address(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
	struct db *db = fresh();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(may(db, HERE, "x", 1), SP_OK);
		assert_int_equal(fails(db, HERE, names[i], 1), i == 5);
	}
	assert_int_equal(may(db, HERE, "x", 2), SP_ELOCKOUT);
	assert_int_equal(may(db, THERE, "x", 2), SP_OK);
	db_close(db);
}

static void
test_decay(void **state)
{
	struct db *db = fresh();
	int64_t t = 0;

	(void)state;
	/* one typing error in each LockoutTime never locks */
	for (int i = 0; i < 50; i++, t += 15 * MINUTE)
		assert_false(fails(db, HERE, "alice", t));
	/* twice as many do */
	bool locked = false;
	for (int i = 0; i < 10 && !locked; i++, t += 7 * MINUTE)
		locked = fails(db, HERE, "alice", t);
	assert_true(locked);
	db_close(db);
}

static void
test_success(void **state)
{
	struct db *db = fresh();

	(void)state;
	/* in parallel: what is in hand counts, a success takes it back */
	assert_false(fails(db, HERE, "alice", 1));
	assert_false(fails(db, HERE, "alice", 1));
	assert_true(fails(db, HERE, "alice", 1));
	assert_int_equal(may(db, HERE, "alice", 1), SP_ELOCKOUT);
	assert_int_equal(lockout_refund(db, HERE, SPAN_LIT("alice"), true, 2), SP_OK);
	assert_int_equal(may(db, HERE, "alice", 2), SP_OK);
	assert_false(fails(db, HERE, "alice", 3));
	assert_false(fails(db, HERE, "alice", 3));
	/* nobody looked at this one */
	assert_int_equal(lockout_refund(db, HERE, SPAN_LIT("alice"), false, 3), SP_OK);
	assert_false(fails(db, HERE, "alice", 3));
	assert_true(fails(db, HERE, "alice", 3));
	db_close(db);
}

static void
test_clock_step(void **state)
{
	struct db *db = fresh();

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)fails(db, HERE, "alice", 1000 * MINUTE);
	assert_int_equal(may(db, HERE, "alice", 1000 * MINUTE), SP_ELOCKOUT);
	/* set back by an hour: counted anew, not locked for an hour longer */
	assert_int_equal(may(db, HERE, "alice", 940 * MINUTE), SP_OK);
	(void)fails(db, HERE, "alice", 940 * MINUTE);
	assert_int_equal(may(db, HERE, "alice", 941 * MINUTE), SP_OK);
	db_close(db);
}

static void
test_keys(void **state)
{
	static const struct {
		const char *peer, *key;
	} cases[] = {
	    {"10.0.0.1:80", "10.0.0.1"},
	    {"10.0.0.1", "10.0.0.1"},
	    {"[2001:db8:1:2:3:4:5:6]:443", "[2001:db8:1:2"},
	    {"[2001:db8:1:2::6]:443", "[2001:db8:1:2"},
	    {"[2001:db8::6]:443", "[2001:db8"},
	    {"[::1]:443", "["},
	    {"[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.1"},
	    {"", ""},
	};
	char key[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		lockout_key_address(cases[i].peer, key, sizeof(key));
		assert_string_equal(key, cases[i].key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_account),
	    cmocka_unit_test(test_address),
	    cmocka_unit_test(test_decay),
	    cmocka_unit_test(test_success),
	    cmocka_unit_test(test_clock_step),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
