/* courier_test.c - entries become alarms, alarms messages; when they are sent, and what survives a
 * crash. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "rooms/courier/compose.h"
#include "rooms/courier/kinds.h"
#include "rooms/courier/queue.h"
#include "sys/fd.h"

#define US INT64_C(1000000)
#define NOW (INT64_C(1800000000) * US)

static struct state s, back;
static uint8_t file[STATE_MAX];

static struct conf
settings(const char *more)
{
	char text[1024], why[256];
	struct conf c;

	(void)snprintf(text, sizeof(text),
	    "AlarmMailTo a@b\nAlarmWebhook https://h/\nAlarmSyslog h:1\nAlarmDigest 10m\n%s", more);
	assert_err(conf_parse(span_str(text), &c, why, sizeof(why)), SP_OK);
	return c;
}

static struct line
line(uint64_t entry)
{
	return (struct line){.entry = entry, .t_us = NOW, .event = "token.added", .user = "alice"};
}

static void
take(const struct conf *c, enum alarm kind, uint64_t entry)
{
	struct line l = line(entry);

	queue_take(&s, c, kind, &l);
}

static int
setup(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	memset(&back, 0, sizeof(back));
	return 0;
}

/* ---- entries ---- */

static const struct {
	const char *entry;
	int kind; /* -1: none */
} entries[] = {
    {"{\"n\":1,\"event\":\"user.added\",\"detail\":{\"level\":\"admin\"}}",
	ALARM_NEW_ADMINISTRATOR},
    {"{\"n\":1,\"event\":\"user.changed\",\"detail\":{\"level\":\"sysadmin\"}}",
	ALARM_NEW_ADMINISTRATOR},
    {"{\"n\":1,\"event\":\"user.added\",\"detail\":{\"level\":\"user\"}}", -1},
    {"{\"n\":1,\"event\":\"user.added\"}", -1},
    {"{\"n\":1,\"event\":\"user.removed\",\"detail\":{\"level\":\"admin\"}}", -1},
    {"{\"n\":1,\"event\":\"acl.set\",\"detail\":{\"widens\":\"yes\"}}", ALARM_PERMISSION_WIDENED},
    {"{\"n\":1,\"event\":\"acl.set\",\"detail\":{\"rights\":\"read\"}}", -1},
    {"{\"n\":1,\"event\":\"token.added\"}", ALARM_NEW_TOKEN},
    {"{\"n\":1,\"event\":\"room.start\",\"detail\":{\"room\":\"vault\",\"text\":\"locked: waits "
     "for the passphrase\"}}",
	ALARM_VAULT_LOCKED},
    {"{\"n\":1,\"event\":\"room.start\",\"detail\":{\"room\":\"vault\",\"text\":\"open\"}}", -1},
    {"{\"n\":1,\"event\":\"room.start\",\"detail\":{\"room\":\"signer\",\"text\":\"locked: waits "
     "for the passphrase\"}}",
	-1},
    {"{\"n\":1,\"event\":\"release.refused\",\"detail\":{\"error\":\"budget\"}}", ALARM_BUDGET_OVERRUN},
    {"{\"n\":1,\"event\":\"release.refused\",\"detail\":{\"error\":\"locked\"}}", ALARM_RELEASE_REFUSED},
    {"{\"n\":1,\"event\":\"release.refused\"}", ALARM_RELEASE_REFUSED},
    {"{\"n\":1,\"event\":\"principal.frozen\"}", ALARM_PRINCIPAL_FROZEN},
    {"{\"n\":1,\"event\":\"file.read\"}", -1},
    {"{\"n\":1,\"detail\":{\"event\":\"token.added\"}}", -1},
    {"", -1},
};

static void
test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		uint64_t set = kinds_of(span_str(entries[i].entry));

		if (set != (entries[i].kind < 0 ? 0 : (uint64_t)1 << entries[i].kind))
			fail_msg("%s: %llx", entries[i].entry, (unsigned long long)set);
	}
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		struct span rest = span_str(alarm_rows[i].events), event, when;

		while (alarm_event_next(&rest, &event, &when))
			assert_true(kinds_condition(when));
	}
	assert_false(kinds_condition(SPAN_LIT("moon")));
}

static void
test_lines(void **state)
{
	struct line l;
	char buf[24];
	struct text t = text_of(buf, sizeof(buf));

	(void)state;
	assert_err(line_of(SPAN_LIT("{\"n\":7,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":"
				    "\"token.added\",\"addr\":\"1.2.3.4:5\","
				    "\"user\":\"a\\r\\nBcc: "
				    "x\",\"org\":\"\\u202eo\",\"path\":\"/"
				    "p\\u001b[2J\",\"detail\":{\"k\":\"v\\n\",\"z\":\"\\u2028\"}}"),
		       &l),
	    SP_OK);
	assert_int_equal(l.entry, 7);
	assert_string_equal(l.user, "a\\u{000D}\\u{000A}Bcc: x");
	assert_string_equal(l.org, "\\u{202E}o");
	assert_string_equal(l.path, "/p\\u{001B}[2J");
	assert_string_equal(l.detail, "k=v\\u{000A}; z=\\u{2028}");
	assert_string_equal(l.addr, "1.2.3.4:5");
	assert_true(l.t_us / US == 1795468181);
	assert_err(line_of(SPAN_LIT("{\"event\":\"x\"}"), &l), SP_ESYNTAX);
	assert_err(line_of(SPAN_LIT("[]"), &l), SP_ESYNTAX);
	/* what does not fit is cut between characters and never in an escape */
	clean_put(&t, SPAN_LIT("abc\xc3\xa4\r\n\r\n\xff"));
	assert_string_equal(buf, "abc\xc3\xa4\\u{000D}\\u{000A}");
	assert_false(t.bad);
}

/* ---- messages ---- */

static void
test_messages(void **state)
{
	struct conf c = settings("");
	char buf[MESSAGE_JSON_MAX + 1];
	struct text t = text_of(buf, sizeof(buf));
	struct batch *b = &s.way[WAY_MAIL].lane[ALARM_NEW_TOKEN].waiting;

	(void)state;
	for (uint64_t i = 0; i < 9; i++)
		take(&c, ALARM_NEW_TOKEN, 100 + i);
	assert_int_equal(b->count, 9);
	assert_int_equal(b->n_lines, LINES_MAX);
	compose_id(&t, "n", ALARM_NEW_TOKEN, b);
	assert_string_equal(buf, "n-new-token-100-108");
	t = text_of(buf, sizeof(buf));
	compose_subject(&t, "n", ALARM_NEW_TOKEN, b);
	assert_string_equal(buf, "[Sallyport n] an API token was made (9 times)");
	t = text_of(buf, sizeof(buf));
	compose_text(&t, "n", ALARM_NEW_TOKEN, b);
	assert_non_null(
	    strstr(buf, "2027-01-15 08:00:00 UTC  entry 100  token.added\n    who      alice\n"));
	assert_non_null(strstr(buf, "... and 5 more, until 2027-01-15 08:00:00 UTC, entry 108."));
	assert_non_null(strstr(
	    buf, "sallyport audit list --since 2027-01-15T08:00:00.000Z --event token.added"));
	t = text_of(buf, sizeof(buf));
	compose_json(&t, "n", ALARM_NEW_TOKEN, b);
	assert_non_null(strstr(
	    buf, "\"count\":9,\"first_entry\":100,\"last_entry\":108,\"alarms\":[{\"entry\":100,"));
	assert_false(t.bad);
}

/* The longest texts that there can be fit. */
static void
test_longest(void **state)
{
	static char buf[MESSAGE_JSON_MAX + 1];
	static struct batch b;
	struct text t;

	(void)state;
	b = (struct batch){.count = UINT64_MAX, .last = UINT64_MAX, .n_lines = LINES_MAX};
	for (size_t i = 0; i < LINES_MAX; i++) {
		struct line *l = &b.lines[i];

		l->entry = UINT64_MAX;
		memset(l->event, '"', sizeof(l->event) - 1);
		memset(l->user, '"', sizeof(l->user) - 1);
		memset(l->org, '"', sizeof(l->org) - 1);
		memset(l->addr, '"', sizeof(l->addr) - 1);
		memset(l->path, '"', sizeof(l->path) - 1);
		memset(l->detail, '"', sizeof(l->detail) - 1);
	}
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		t = text_of(buf, MESSAGE_JSON_MAX + 1);
		compose_json(&t, "n", (enum alarm)i, &b);
		assert_false(t.bad);
		t = text_of(buf, MESSAGE_TEXT_MAX + 1);
		compose_text(&t, "n", (enum alarm)i, &b);
		assert_false(t.bad);
		t = text_of(buf, 256);
		compose_subject(&t,
		    "0123456789012345678901234567890123456789012345678901234567890123",
		    (enum alarm)i, &b);
		assert_false(t.bad);
		t = text_of(buf, 129);
		compose_id(
		    &t, "012345678901234567890123456789012345678901234567", (enum alarm)i, &b);
		assert_false(t.bad);
		t = text_of(buf, 2048);
		compose_log(&t, (enum alarm)i, &b.lines[0]);
		assert_false(t.bad);
	}
}

/* ---- when ---- */

static bool
pick(const struct conf *c, enum way way, int64_t now_us)
{
	return queue_pick(&s, c, way, now_us);
}

static void
test_digest(void **state)
{
	struct conf c = settings("");
	struct way_state *w = &s.way[WAY_MAIL];

	(void)state;
	assert_false(pick(&c, WAY_MAIL, NOW));
	take(&c, ALARM_NEW_TOKEN, 1);
	assert_true(pick(&c, WAY_MAIL, NOW));
	assert_true(queue_due(w, NOW));
	take(&c, ALARM_NEW_TOKEN, 2); /* while the first is on its way: that one does not change */
	assert_int_equal(w->flying.count, 1);
	queue_done(&s, &c, WAY_MAIL, NOW);
	assert_false(pick(&c, WAY_MAIL, NOW + 599 * US));
	take(&c, ALARM_NEW_TOKEN, 3);
	take(&c, ALARM_ROOM_DIED, 4); /* another kind does not wait */
	assert_true(pick(&c, WAY_MAIL, NOW + 599 * US));
	assert_int_equal(w->flying_kind, ALARM_ROOM_DIED);
	queue_done(&s, &c, WAY_MAIL, NOW + 599 * US);
	assert_true(pick(&c, WAY_MAIL, NOW + 600 * US));
	assert_int_equal(w->flying.count, 2);
	assert_int_equal(w->flying.first, 2);
	assert_int_equal(w->flying.last, 3);
	queue_done(&s, &c, WAY_MAIL, NOW + 600 * US);
	assert_false(queue_waits(w));
	assert_int_equal(w->delivered, 3);
	/* syslog holds nothing back */
	assert_true(pick(&c, WAY_SYSLOG, NOW));
	queue_done(&s, &c, WAY_SYSLOG, NOW);
	take(&c, ALARM_ROOM_DIED, 5);
	assert_true(pick(&c, WAY_SYSLOG, NOW));
}

/* A clock that was stepped back by years does not hold alarms back for years. */
static void
test_clock(void **state)
{
	struct conf c = settings("");
	struct way_state *w = &s.way[WAY_MAIL];

	(void)state;
	take(&c, ALARM_NEW_TOKEN, 1);
	assert_true(pick(&c, WAY_MAIL, NOW));
	queue_done(&s, &c, WAY_MAIL, NOW);
	take(&c, ALARM_NEW_TOKEN, 2);
	assert_true(pick(&c, WAY_MAIL, NOW - 86400 * 365 * US));
	assert_int_equal(queue_failed(&s, WAY_MAIL, "x", NOW), QUEUE_SAY_NOTHING);
	assert_false(queue_due(w, NOW));
	assert_true(queue_due(w, NOW - 86400 * US));
}

static void
test_retry(void **state)
{
	struct conf c = settings("");
	struct way_state *w = &s.way[WAY_WEBHOOK];
	int64_t now = NOW, wait = RETRY_FIRST_US;
	unsigned failing = 0;

	(void)state;
	take(&c, ALARM_NEW_TOKEN, 1);
	assert_true(pick(&c, WAY_WEBHOOK, now));
	for (;;) {
		enum queue_say say = queue_failed(&s, WAY_WEBHOOK, "no route", now);

		if (say == QUEUE_SAY_LOST)
			break;
		failing += say == QUEUE_SAY_FAILING;
		assert_int_equal(w->retry_us - now, wait);
		assert_false(queue_due(w, now + wait - 1));
		assert_true(queue_due(w, now + wait));
		now += wait;
		wait = wait * 2 < RETRY_MOST_US ? wait * 2 : RETRY_MOST_US;
	}
	assert_int_equal(failing, 1);
	assert_true(now - NOW >= GIVE_UP_US && now - NOW < GIVE_UP_US + RETRY_MOST_US);
	assert_int_equal(s.n_lost, 1);
	assert_int_equal(s.lost[0].first, 1);
	assert_int_equal(s.lost[0].way, WAY_WEBHOOK);
	assert_false(queue_waits(w));
	/* the next has its own week, and tells of a success when it comes */
	take(&c, ALARM_NEW_TOKEN, 2);
	assert_true(pick(&c, WAY_WEBHOOK, now));
	queue_done(&s, &c, WAY_WEBHOOK, now);
	assert_int_equal(w->failing_us, 0);
	assert_string_equal(w->error, "");
}

static void
test_lost_is_bounded(void **state)
{
	struct conf c = settings("");

	(void)state;
	for (uint64_t i = 0; i < LOST_MAX + 3; i++) {
		take(&c, ALARM_NEW_TOKEN, i);
		assert_true(pick(&c, WAY_MAIL, NOW));
		s.way[WAY_MAIL].attempts = GIVE_UP_ATTEMPTS;
		assert_int_equal(queue_failed(&s, WAY_MAIL, "x", NOW + GIVE_UP_US), QUEUE_SAY_LOST);
	}
	assert_int_equal(s.n_lost, LOST_MAX);
	assert_int_equal(s.lost[LOST_MAX - 1].first, LOST_MAX + 2);
	assert_int_equal(s.lost[0].first, 3);
}

static void
test_tests(void **state)
{
	struct conf c = settings("");
	struct way_state *w = &s.way[WAY_MAIL];

	(void)state;
	/* a test goes first, and is not held back */
	take(&c, ALARM_ROOM_DIED, 1);
	take(&c, ALARM_TEST, 2);
	assert_true(pick(&c, WAY_MAIL, NOW));
	assert_int_equal(w->flying_kind, ALARM_TEST);
	queue_done(&s, &c, WAY_MAIL, NOW);
	assert_int_equal(w->test_result, TEST_GOOD);
	take(&c, ALARM_TEST, 3);
	assert_int_equal(w->test_result, TEST_RUNS);
	assert_true(pick(&c, WAY_MAIL, NOW));
	assert_int_equal(w->flying_kind, ALARM_TEST);
	/* it fails once, with the reason, and is not repeated */
	assert_int_equal(queue_failed(&s, WAY_MAIL, "no route", NOW), QUEUE_SAY_NOTHING);
	assert_int_equal(w->test_result, TEST_FAILED);
	assert_string_equal(w->test_text, "no route");
	/* behind a message that waits for its next try, it has that tried now */
	assert_true(pick(&c, WAY_MAIL, NOW));
	assert_int_equal(w->flying_kind, ALARM_ROOM_DIED);
	assert_int_equal(queue_failed(&s, WAY_MAIL, "still none", NOW), QUEUE_SAY_NOTHING);
	assert_false(queue_due(w, NOW));
	take(&c, ALARM_TEST, 4);
	assert_true(queue_due(w, NOW));
	assert_int_equal(queue_failed(&s, WAY_MAIL, "still none", NOW), QUEUE_SAY_NOTHING);
	assert_int_equal(w->test_result, TEST_FAILED);
	assert_int_equal(w->flying.count, 1); /* the alarm is kept */
	assert_int_equal(w->lane[ALARM_TEST].waiting.count, 0);
}

static void
test_ways_that_are_off(void **state)
{
	struct conf c;
	char why[256];

	(void)state;
	assert_err(conf_parse(SPAN_LIT("AlarmSyslog local\n"), &c, why, sizeof(why)), SP_OK);
	take(&c, ALARM_NEW_TOKEN, 1);
	assert_false(queue_waits(&s.way[WAY_MAIL]));
	assert_true(queue_waits(&s.way[WAY_SYSLOG]));
}

/* ---- the file ---- */

static size_t
filled(void)
{
	struct conf c = settings("");
	size_t len = 0;

	s.next = 4711;
	s.floor_us = 12;
	for (uint64_t i = 0; i < 6; i++)
		take(&c, ALARM_NEW_TOKEN, i);
	take(&c, ALARM_ROOM_DIED, 7);
	take(&c, ALARM_TEST, 8);
	assert_true(pick(&c, WAY_MAIL, NOW));
	queue_done(&s, &c, WAY_MAIL, NOW);
	assert_true(pick(&c, WAY_MAIL, NOW));
	assert_int_equal(queue_failed(&s, WAY_MAIL, "no route", NOW), QUEUE_SAY_NOTHING);
	assert_true(pick(&c, WAY_WEBHOOK, NOW));
	assert_int_equal(queue_failed(&s, WAY_WEBHOOK, "x", NOW), QUEUE_SAY_NOTHING);
	assert_true(pick(&c, WAY_WEBHOOK, NOW));
	s.way[WAY_WEBHOOK].attempts = GIVE_UP_ATTEMPTS;
	assert_int_equal(queue_failed(&s, WAY_WEBHOOK, "x", NOW + GIVE_UP_US), QUEUE_SAY_LOST);
	assert_err(state_put(&s, file, sizeof(file), &len), SP_OK);
	return len;
}

static void
test_file(void **state)
{
	size_t len = filled();

	(void)state;
	assert_err(state_get(span_of(file, len), &back), SP_OK);
	assert_memory_equal(&s, &back, sizeof(s));
	assert_err(state_put(&s, file, 100, &len), SP_ESPACE);
}

/* Cut anywhere, changed anywhere: damaged, and nothing worse. */
static void
test_torn(void **state)
{
	size_t len = filled();

	(void)state;
	for (size_t i = 0; i < len; i++)
		assert_err(state_get(span_of(file, i), &back), SP_EDAMAGED);
	for (size_t i = 0; i < len; i += 7) {
		file[i] ^= 0x20;
		assert_err(state_get(span_of(file, len), &back), SP_EDAMAGED);
		file[i] ^= 0x20;
	}
}

static void
test_load(void **state)
{
	char dir[] = "/tmp/courier-test-XXXXXX", path[64], aside[64];
	DEFER(close_fd) int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(state_load(fd, &back), 0);
	(void)filled();
	assert_err(state_save(fd, &s), SP_OK);
	assert_int_equal(state_load(fd, &back), 1);
	assert_memory_equal(&s, &back, sizeof(s));
	/* half of it was written: put aside, and the log tells it again */
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	(void)snprintf(aside, sizeof(aside), "%s/state.damaged", dir);
	assert_int_equal(truncate(path, 200), 0);
	assert_int_equal(state_load(fd, &back), 0);
	assert_int_equal(back.next, 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(aside, F_OK), 0);
	assert_err(state_save(fd, &s), SP_OK);
	assert_int_equal(state_load(fd, &back), 1);
	assert_int_equal(unlink(path) | unlink(aside) | rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test_setup(test_messages, setup),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test_setup(test_digest, setup),
	    cmocka_unit_test_setup(test_clock, setup),
	    cmocka_unit_test_setup(test_retry, setup),
	    cmocka_unit_test_setup(test_lost_is_bounded, setup),
	    cmocka_unit_test_setup(test_tests, setup),
	    cmocka_unit_test_setup(test_ways_that_are_off, setup),
	    cmocka_unit_test_setup(test_file, setup),
	    cmocka_unit_test_setup(test_torn, setup),
	    cmocka_unit_test_setup(test_load, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
