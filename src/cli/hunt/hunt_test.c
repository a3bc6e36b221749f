/* hunt_test.c - each detector: what it must find, and the nearest thing that it must not. */
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
next_day(struct world *w)
{
	w->t_us = (w->t_us / HUNT_DAY + 1) * HUNT_DAY + 9 * HUNT_HOUR;
}

/* ---- reads ---- */

static void
test_mass_reads(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 5, 40);
	next_day(&w);
	reads(&w, ALICE READ("/in/b"), 200); /* over 3 x 40 */
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_int_equal(f.files, 200);
	assert_int_equal(f.bytes, 200 * 1000);
	assert_int_equal(f.count, 200);
	assert_string_equal(f.user, "alice");
	assert_string_equal(f.addr, "198.51.100.7");
	assert_int_equal(f.entry[0], 5 * 41);

	w = world_new(NULL); /* exactly three times is normal */
	workdays(&w, 5, 40);
	next_day(&w);
	reads(&w, ALICE READ("/in/b"), 120);
	assert_int_equal(found(&w, DETECT_mass_reads, NULL), 0);

	w = world_new(NULL); /* and so is anything under the floor */
	workdays(&w, 5, 1);
	next_day(&w);
	reads(&w, ALICE READ("/in/b"), HUNT_MASS_FILES);
	assert_int_equal(found(&w, DETECT_mass_reads, NULL), 0);
}

static void
test_mass_goes_on(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 5, 10);
	next_day(&w);
	for (unsigned hour = 0; hour < 5; hour++) { /* one theft, not its own excuse */
		reads(&w, ALICE READ("/in/b"), 100);
		w.t_us += HUNT_HOUR;
	}
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_int_equal(f.files, 500);

	w = world_new(NULL); /* bytes alone are enough */
	workdays(&w, 5, 10);
	next_day(&w);
	say(&w, "file.read",
	    ALICE ",\"path\":\"/big\",\"file\":9,\"version\":9,\"size\":300000000");
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_int_equal(f.bytes, 300000000);
}

/* The first day of a range has no days before it: a busy partner is not accused of it at full
 * weight; a new account, or one at the beginning of the whole log, is. */
static void
test_mass_first_day(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	w.n = 1000;
	reads(&w, ALICE READ("/in/b"), 200);
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_true(f.score < 50);

	w = world_new(NULL);
	w.n = 1000;
	say(&w, "user.added",
	    "\"user\":\"root\",\"detail\":{\"name\":\"alice\",\"level\":\"user\"}");
	reads(&w, ALICE READ("/in/b"), 200);
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_true(f.score >= 70);

	w = world_new(NULL);
	reads(&w, ALICE READ("/in/b"), 200);
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_true(f.score >= 70);

	w = world_new(NULL); /* two days later there is a past, and it is quiet */
	w.n = 1000;
	workdays(&w, 2, 1);
	next_day(&w);
	reads(&w, ALICE READ("/in/b"), 200);
	assert_int_equal(found(&w, DETECT_mass_reads, &f), 1);
	assert_true(f.score >= 70);
}

static void
test_mass_deletes(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	workdays(&w, 3, 100);
	next_day(&w);
	for (unsigned i = 0; i < 60; i++)
		say(&w, "file.deleted", ALICE ",\"path\":\"/in/x\",\"size\":5");
	assert_int_equal(found(&w, DETECT_mass_deletes, NULL), 1);

	w = world_new(NULL);
	workdays(&w, 3, 100);
	for (unsigned i = 0; i < 60; i++) {
		say(&w, "file.deleted", ALICE ",\"path\":\"/in/x\",\"size\":5");
		w.t_us += 2 * HUNT_MINUTE; /* fewer than 50 in an hour */
	}
	assert_int_equal(found(&w, DETECT_mass_deletes, NULL), 0);
}

static void
test_off_hours(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 15, 20);
	w.t_us += 18 * HUNT_HOUR; /* about 03:00 */
	reads(&w, ALICE READ("/in/b"), 7);
	assert_int_equal(found(&w, DETECT_off_hours, &f), 1);
	assert_int_equal(f.files, 7);
	assert_int_equal(f.count, 7);

	w = world_new(NULL); /* an hour later than usual is not unusual */
	workdays(&w, 15, 20);
	w.t_us += HUNT_HOUR;
	reads(&w, ALICE READ("/in/b"), 7);
	assert_int_equal(found(&w, DETECT_off_hours, NULL), 0);

	w = world_new(NULL); /* without a past nothing is */
	workdays(&w, 5, 20);
	w.t_us += 18 * HUNT_HOUR;
	reads(&w, ALICE READ("/in/b"), 7);
	assert_int_equal(found(&w, DETECT_off_hours, NULL), 0);

	w = world_new(NULL); /* a few reads at night are no visit */
	workdays(&w, 15, 20);
	w.t_us += 18 * HUNT_HOUR;
	reads(&w, ALICE READ("/in/b"), HUNT_OFF_READS - 1);
	assert_int_equal(found(&w, DETECT_off_hours, NULL), 0);
}

static void
test_widened(void **state)
{
	static const char acl[] = "\"user\":\"root\",\"org\":\"acme\",\"detail\":{\"path\":\"/"
				  "secret\",\"for-user\":\"alice\",\"rights\":\"read\"}";
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 2, 5);
	say(&w, "acl.set", acl);
	reads(&w, ALICE READ("/secret/plan"), 3);
	assert_int_equal(found(&w, DETECT_widened, &f), 1);
	assert_int_equal(f.files, 3);
	assert_int_equal(f.entry[0], 12); /* the change itself */
	assert_string_equal(f.user, "alice");

	w = world_new(NULL); /* beside the folder */
	workdays(&w, 2, 5);
	say(&w, "acl.set", acl);
	reads(&w, ALICE READ("/secrets/plan"), 3);
	assert_int_equal(found(&w, DETECT_widened, NULL), 0);

	w = world_new(NULL); /* two days later */
	workdays(&w, 2, 5);
	say(&w, "acl.set", acl);
	w.t_us += 2 * HUNT_DAY;
	reads(&w, ALICE READ("/secret/plan"), 3);
	assert_int_equal(found(&w, DETECT_widened, NULL), 0);

	w = world_new(NULL); /* where alice has read before: nothing was gained */
	workdays(&w, 2, 5);
	reads(&w, ALICE READ("/secret/plan"), 1);
	say(&w, "acl.set", acl);
	reads(&w, ALICE READ("/secret/plan"), 3);
	assert_int_equal(found(&w, DETECT_widened, NULL), 0);

	w = world_new(NULL); /* through a group */
	say(&w, "group.changed",
	    "\"user\":\"root\",\"org\":\"acme\",\"detail\":{\"group\":\"board\",\"added\":"
	    "\"alice\"}");
	reads(&w, ALICE READ("/board/minutes"), 1);
	assert_int_equal(found(&w, DETECT_widened, NULL), 1);
}

/* ---- the server ---- */

static void
test_decoys(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 3, 3);
	say(&w, "decoy.touched",
	    ALICE ",\"path\":\"/payroll/salaries.xlsx\",\"detail\":{\"decoy\":\"file\","
		  "\"by\":\"file.read\",\"entry\":\"11\"}");
	assert_int_equal(found(&w, DETECT_decoys, &f), 1);
	assert_int_equal(f.score >= 98, 1);
	assert_non_null(strstr(f.what, "file /payroll/salaries.xlsx, by file.read"));
	assert_int_equal(f.entry[0], 11); /* the deed */

	w = world_new(NULL);
	say(&w, "file.read", ALICE READ("/payroll/salaries.xlsx"));
	assert_int_equal(found(&w, DETECT_decoys, NULL), 0);
}

static void
test_violations_and_alarms(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	say(&w, "worker.violation",
	    "\"sev\":\"alarm\",\"serial\":7,\"door\":\"https\",\"addr\":\"203.0.113.66:5\","
	    "\"detail\":{\"reason\":\"unknown message\"}");
	hunt_end(w.h);
	assert_int_equal(w.h->n_findings, 1); /* not an alarm of its own too */
	assert_int_equal(w.h->finding[0].detector, DETECT_violations);
	hunt_free(w.h);

	w = world_new(NULL);
	say(&w, "room.died", "\"sev\":\"alarm\"");
	assert_int_equal(found(&w, DETECT_alarms, NULL), 1);

	w = world_new(NULL); /* an event of a later version */
	say(&w, "witness.lost", "\"sev\":\"alarm\"");
	assert_int_equal(found(&w, DETECT_alarms, NULL), 1);

	w = world_new(NULL);
	say(&w, "room.died", "\"sev\":\"warning\"");
	assert_int_equal(found(&w, DETECT_alarms, NULL), 0);
}

static void
test_refused_and_denied(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		say(&w, "release.refused",
		    ALICE ",\"path\":\"/in/x\",\"detail\":{\"entry\":\"3\",\"reason\":\"the egress "
			  "budget is used up\"}");
	assert_int_equal(found(&w, DETECT_refused, &f), 1);
	assert_int_equal(f.count, 30);
	assert_non_null(strstr(f.what, "egress budget"));

	w = world_new(NULL);
	for (unsigned i = 0; i < HUNT_DENIED; i++)
		say(&w, "denied", ALICE ",\"path\":\"/x\",\"detail\":{\"action\":\"read\"}");
	assert_int_equal(found(&w, DETECT_denied, &f), 1);
	assert_int_equal(f.count, HUNT_DENIED);

	w = world_new(NULL);
	for (unsigned i = 0; i < HUNT_DENIED - 1; i++)
		say(&w, "denied", ALICE ",\"path\":\"/x\",\"detail\":{\"action\":\"read\"}");
	assert_int_equal(found(&w, DETECT_denied, NULL), 0);
}

static void
test_accounts(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	say(&w, "user.added",
	    "\"user\":\"root\",\"detail\":{\"name\":\"Health.Check\",\"level\":\"user\"}");
	say(&w, "login", "\"user\":\"Health.Check\"" PROOF);
	w.t_us += HUNT_DAY;
	say(&w, "user.removed", "\"user\":\"root\",\"detail\":{\"name\":\"Health.Check\"}");
	assert_int_equal(found(&w, DETECT_short_lived, &f), 1);
	assert_int_equal(f.entry[0], 0);
	assert_int_equal(f.entry[1], 2);

	w = world_new(NULL);
	say(&w, "user.added",
	    "\"user\":\"root\",\"detail\":{\"name\":\"temp\",\"level\":\"user\"}");
	w.t_us += (HUNT_SHORT_LIFE_DAYS + 1) * HUNT_DAY;
	say(&w, "user.removed", "\"user\":\"root\",\"detail\":{\"name\":\"temp\"}");
	assert_int_equal(found(&w, DETECT_short_lived, NULL), 0);

	w = world_new(NULL);
	say(&w, "user.added",
	    "\"user\":\"root\",\"detail\":{\"name\":\"eve\",\"level\":\"sysadmin\"}");
	assert_int_equal(found(&w, DETECT_new_admin, NULL), 1);

	w = world_new(NULL);
	say(&w, "user.added", "\"user\":\"root\",\"detail\":{\"name\":\"eve\",\"level\":\"user\"}");
	assert_int_equal(found(&w, DETECT_new_admin, NULL), 0);
}

static void
test_governor(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	say(&w, "principal.frozen", ALICE ",\"detail\":{\"reason\":\"budget overrun\"}");
	say(&w, "limits.raised", "\"user\":\"root\",\"detail\":{\"name\":\"alice\"}");
	assert_int_equal(found(&w, DETECT_governor, NULL), 2);

	w = world_new(NULL);
	say(&w, "address.slowed", "\"addr\":\"203.0.113.66:1\"");
	assert_int_equal(found(&w, DETECT_governor, NULL), 0);
}

static void
test_gaps(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	say(&w, "log.created", "");
	say(&w, "server.start", "");
	workdays(&w, 1, 1);
	say(&w, "server.stop", "");
	w.t_us += 2 * HUNT_HOUR;
	say(&w, "server.start", "");
	assert_int_equal(found(&w, DETECT_gaps, &f), 1);
	assert_int_equal(f.n_entries, 2);

	w = world_new(NULL); /* a restart */
	say(&w, "log.created", "");
	say(&w, "server.start", "");
	say(&w, "server.stop", "");
	say(&w, "server.start", "");
	assert_int_equal(found(&w, DETECT_gaps, NULL), 0);

	w = world_new(NULL); /* killed */
	say(&w, "log.created", "");
	say(&w, "server.start", "");
	say(&w, "login", ALICE PROOF);
	w.t_us += HUNT_MINUTE;
	say(&w, "log.recovered", "\"detail\":{\"dropped-entries\":\"2\"}");
	say(&w, "server.start", "");
	assert_int_equal(found(&w, DETECT_gaps, NULL), 2);

	w = world_new(NULL);
	say(&w, "clock.step",
	    "\"detail\":{\"expected\":\"2026-05-28T20:00:00Z\",\"was\":\"2026-05-28T19:00:00Z\"}");
	w.t_us -= HUNT_HOUR; /* which is on record */
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_gaps, &f), 1);
	assert_non_null(strstr(f.what, "back by 60 min"));

	w = world_new(NULL);
	say(&w, "login", ALICE PROOF);
	w.t_us -= HUNT_HOUR; /* which is not */
	say(&w, "login", ALICE PROOF);
	assert_int_equal(found(&w, DETECT_gaps, &f), 1);
	assert_non_null(strstr(f.what, "time goes back"));
}

static void
test_unreadable(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	say(&w, "login", ALICE PROOF);
	assert_err(hunt_unreadable(w.h, 1), SP_OK);
	assert_int_equal(found(&w, DETECT_unreadable, NULL), 1);

	w = world_new(NULL);
	say(&w, "some.event.of.tomorrow", "\"more\":\"x\"");
	assert_int_equal(found(&w, DETECT_unreadable, NULL), 0);
}

/* ---- the whole ---- */

static void
test_order_and_company(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	workdays(&w, 12, 2);
	say(&w, "login", ELSEWHERE PROOF);
	reads(&w, ELSEWHERE READ("/in/b"), 100);
	say(&w, "denied", "\"user\":\"bob\"");
	hunt_end(w.h);
	assert_true(w.h->n_findings >= 2);
	assert_int_equal(w.h->finding[0].detector, DETECT_mass_reads);
	for (size_t i = 1; i < w.h->n_findings; i++)
		assert_true(w.h->finding[i - 1].score >= w.h->finding[i].score);
	assert_true(w.h->finding[0].score > detector_row(DETECT_mass_reads)->weight);
	hunt_free(w.h);
}

/* Work as usual: nothing to report. */
static void
test_quiet(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	say(&w, "log.created", "");
	say(&w, "server.start", "");
	workdays(&w, 60, 30);
	hunt_end(w.h);
	assert_int_equal(w.h->n_findings, 0);
	hunt_free(w.h);
}

/* Names without end, as a sprayer makes them: the tables stay as large as they are, and alice is
 * not forgotten. */
static void
test_bounded(void **state)
{
	struct world w = world_new(NULL);
	struct finding f;

	(void)state;
	workdays(&w, 12, 2);
	for (unsigned i = 0; i < 200000; i++) {
		char members[128];

		(void)snprintf(members, sizeof(members),
		    "\"addr\":\"[2001:db8:%x:%x::1]:9\",\"user\":\"n%u\"", i >> 16, i & 0xffff, i);
		say(&w, "login.failed", members);
	}
	assert_int_equal(w.h->n_people, 1);
	next_day(&w);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_new_network, &f), 1);
}

static void
test_many_findings(void **state)
{
	struct world w = world_new(NULL);

	(void)state;
	for (unsigned i = 0; i < 3 * HUNT_FINDINGS_MAX; i++) {
		char members[128];

		(void)snprintf(members, sizeof(members),
		    "\"user\":\"root\",\"detail\":{\"name\":\"a%u\",\"level\":\"admin\"}", i);
		say(&w, "user.added", members);
	}
	say(&w, "decoy.touched", ALICE);
	hunt_end(w.h);
	assert_int_equal(w.h->n_findings, HUNT_FINDINGS_MAX);
	assert_int_equal(w.h->finding[0].detector, DETECT_decoys);
	assert_int_equal(w.h->left_out[DETECT_new_admin], 2 * HUNT_FINDINGS_MAX + 1);
	hunt_free(w.h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mass_reads),
	    cmocka_unit_test(test_mass_goes_on),
	    cmocka_unit_test(test_mass_first_day),
	    cmocka_unit_test(test_mass_deletes),
	    cmocka_unit_test(test_off_hours),
	    cmocka_unit_test(test_widened),
	    cmocka_unit_test(test_decoys),
	    cmocka_unit_test(test_violations_and_alarms),
	    cmocka_unit_test(test_refused_and_denied),
	    cmocka_unit_test(test_accounts),
	    cmocka_unit_test(test_governor),
	    cmocka_unit_test(test_gaps),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_order_and_company),
	    cmocka_unit_test(test_quiet),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_many_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
