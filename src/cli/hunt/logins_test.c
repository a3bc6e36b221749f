/* logins_test.c - the detectors of logins: what each must find, and the nearest thing that it must
 * not. */
#include "cli/hunt/world_test.h"

#define READ(path)                                                                                 \
	",\"path\":\"" path                                                                        \
	"\",\"blob\":\"00000000000000000000000000000002\",\"file\":2,\"version\":2,\"size\":1000"

static void
reads(struct world *w, const char *members, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		say(w, "file.read", members);
}

static void
test_new_network(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 12, 1);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_new_network, &f), 1);
	assert_string_equal(f.addr, "203.0.113.66");

	w = world_new(NULL); /* another address of the same /24 */
	workdays(&w, 12, 1);
	say(&w, "login", "\"addr\":\"198.51.100.200:1\",\"user\":\"alice\",\"org\":\"acme\"" PROOF);
	assert_int_equal(found(&w, DETECT_new_network, NULL), 0);

	w = world_new(NULL); /* too little of a past */
	workdays(&w, 2, 1);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_new_network, NULL), 0);
}

static void
test_new_agent(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	workdays(&w, 12, 1);
	say(&w, "login", ALICE ",\"detail\":{\"agent\":\"rclone/1.60\",\"proof\":\"password\"}");
	assert_int_equal(found(&w, DETECT_new_agent, NULL), 1);

	w = world_new(NULL);
	workdays(&w, 12, 1);
	say(&w, "login", ALICE PROOF);
	say(&w, "login", ALICE); /* one that does not say what it is */
	assert_int_equal(found(&w, DETECT_new_agent, NULL), 0);
}

static void
test_dormant(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	workdays(&w, 2, 1);
	w.t_us += (HUNT_DORMANT_DAYS + 1) * HUNT_DAY;
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_dormant, NULL), 1);

	w = world_new(NULL);
	workdays(&w, 2, 1);
	w.t_us += (HUNT_DORMANT_DAYS - 1) * HUNT_DAY;
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_dormant, NULL), 0);

	w = world_new(NULL); /* somebody else's guesses are no sign of life */
	workdays(&w, 2, 1);
	w.t_us += 20 * HUNT_DAY;
	say(&w, "login.failed", ELSEWHERE);
	w.t_us += 20 * HUNT_DAY;
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_dormant, NULL), 1);
}

static void
test_guessed(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	for (unsigned i = 0; i < HUNT_GUESSES; i++)
		say(&w, "login.failed", ELSEWHERE);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_guessed, &f), 1);
	assert_int_equal(f.entry[0], 0);

	w = world_new(NULL); /* one fewer */
	for (unsigned i = 0; i < HUNT_GUESSES - 1; i++)
		say(&w, "login.failed", ELSEWHERE);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_guessed, NULL), 0);

	w = world_new(NULL); /* it never succeeded */
	for (unsigned i = 0; i < 50; i++)
		say(&w, "login.failed", ELSEWHERE);
	say(&w, "login", "\"addr\":\"203.0.113.66:1\",\"user\":\"bob\"" PROOF);
	assert_int_equal(found(&w, DETECT_guessed, NULL), 0);

	w = world_new(NULL); /* the next day */
	for (unsigned i = 0; i < 50; i++)
		say(&w, "login.failed", ELSEWHERE);
	w.t_us += HUNT_DAY;
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_guessed, NULL), 0);
}

static void
fail_names(struct world *w, unsigned names)
{
	for (unsigned i = 0; i < names; i++) {
		char members[128];

		(void)snprintf(
		    members, sizeof(members), "\"addr\":\"203.0.113.66:9\",\"user\":\"name%u\"", i);
		say(w, "login.failed", members);
	}
}

static void
test_spray(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	fail_names(&w, HUNT_SPRAY_NAMES);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_spray, NULL), 1);

	w = world_new(NULL);
	fail_names(&w, HUNT_SPRAY_NAMES - 1);
	fail_names(&w, HUNT_SPRAY_NAMES - 1); /* the same ones again */
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_spray, NULL), 0);

	w = world_new(NULL); /* another address succeeds */
	fail_names(&w, HUNT_SPRAY_NAMES);
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_spray, NULL), 0);
}

static void
test_scanner_login(void **state)
{
	static const char scan[] = "\"addr\":\"203.0.113.66:5\",\"detail\":{\"kind\":\"moveit\","
				   "\"path\":\"/human2.aspx\"}";
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	say(&w, "scanner", scan);
	w.t_us += 10 * HUNT_DAY;
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_scanner_login, &f), 1);
	assert_int_equal(f.count, 2);

	w = world_new(NULL);
	say(&w, "scanner", scan);
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_scanner_login, NULL), 0);

	w = world_new(NULL);
	say(&w, "scanner", scan);
	w.t_us += (HUNT_SCAN_DAYS + 1) * HUNT_DAY;
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_scanner_login, NULL), 0);
}

static void
test_unused_logins(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	for (unsigned i = 0; i < HUNT_UNUSED_LOGINS + 1; i++)
		say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_unused_logins, &f), 1);

	w = world_new(NULL); /* one of them was used */
	for (unsigned i = 0; i < HUNT_UNUSED_LOGINS + 1; i++) {
		say(&w, "login", ALICE PROOF);
		if (i == 3)
			reads(&w, ALICE READ("/in/a"), 1);
	}
	assert_int_equal(found(&w, DETECT_unused_logins, NULL), 0);

	w = world_new(NULL); /* one, but from a network never seen */
	workdays(&w, 12, 1);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_unused_logins, &f), 1);
	assert_string_equal(f.addr, "203.0.113.66");
}

static void
test_stolen_session(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	say(&w, "session.revoked",
	    ALICE ",\"detail\":{\"session\":\"3\",\"reason\":\"a refresh token was used twice\"}");
	assert_int_equal(found(&w, DETECT_stolen_session, NULL), 1);

	w = world_new(NULL);
	say(&w, "session.revoked", ALICE ",\"detail\":{\"session\":\"3\"}");
	assert_int_equal(found(&w, DETECT_stolen_session, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new_network),
	    cmocka_unit_test(test_new_agent),
	    cmocka_unit_test(test_dormant),
	    cmocka_unit_test(test_guessed),
	    cmocka_unit_test(test_spray),
	    cmocka_unit_test(test_scanner_login),
	    cmocka_unit_test(test_unused_logins),
	    cmocka_unit_test(test_stolen_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
