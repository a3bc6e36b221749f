/* alarm_test.c - the tables of alarms, and which settings fit together. */
#include <stdio.h>

#include "base/test.h"
#include "ipc/alarm.h"

static const char *const event_names[] = {
#define EVENT(NAME, number, name, severity, text) name,
#include "ipc/events.def"
#undef EVENT
};

static bool
is_event(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
		if (span_eq_str(name, event_names[i]))
			return true;
	return false;
}

/* Every alarm is raised by events that there are. */
static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		struct span rest = span_str(alarm_rows[i].events), event, when;
		size_t n = 0;

		for (; alarm_event_next(&rest, &event, &when); n++)
			if (!is_event(event))
				fail_msg("%s: there is no event %.*s", alarm_rows[i].name,
				    (int)event.len, (const char *)event.ptr);
		assert_true(n != 0);
		assert_true(strlen(alarm_rows[i].name) <= 32);
		assert_int_equal(alarm_by_name(span_str(alarm_rows[i].name)), i);
	}
	assert_int_equal(alarm_by_name(SPAN_LIT("no-such-alarm")), ALARM_COUNT);
	assert_int_equal(way_by_name(SPAN_LIT("pigeon")), WAY_COUNT);
	assert_true(alarm_may_raise(SPAN_LIT("user.added")));
	assert_false(alarm_may_raise(SPAN_LIT("file.read")));
}

static void
test_switches(void **state)
{
	struct conf c;
	char why[256];

	(void)state;
	assert_err(
	    conf_parse(SPAN_LIT("AlarmNewToken no\nAlarmLoginLockout yes\n"), &c, why, sizeof(why)),
	    SP_OK);
	assert_false(alarm_is_on(ALARM_NEW_TOKEN, &c));
	assert_true(alarm_is_on(ALARM_LOGIN_LOCKOUT, &c));
	assert_true(alarm_is_on(ALARM_NEW_ADMINISTRATOR, &c));
	assert_int_equal(ways_on(&c), 0);
	assert_err(alarm_conf_check(&c, why, sizeof(why)), SP_OK);
}

static const char mail_good[] =
    "AlarmMailTo a@example.org, b@example.org\nAlarmMailFrom s@example.net\n"
    "AlarmMailServer mail.example.net:587\n";
static const struct {
	const char *more, *text; /* more: in the place of mail_good when it begins with ! */
	const char *keyword;	 /* that is wrong; NULL: none */
} settings[] = {
    {"", "a mail", NULL},
    {"AlarmMailUser u\nAlarmMailPassword file:keys/mail\n", "login", NULL},
    {"AlarmMailUser u\n", "no password", "AlarmMailUser"},
    {"AlarmMailUser u\nAlarmMailPassword hunter2\n", "the password itself", "AlarmMailPassword"},
    {"AlarmMailTls none\n", "no TLS over the network", "AlarmMailTls"},
    {"!AlarmMailTo a@b\nAlarmMailFrom c@d\nAlarmMailServer 127.0.0.1:25\nAlarmMailTls none\n",
	"loopback", NULL},
    {"!AlarmMailTo a@b\nAlarmMailServer h:25\n", "no sender", "AlarmMailFrom"},
    {"!AlarmMailTo a@b\nAlarmMailFrom c@d\n", "no server", "AlarmMailServer"},
    {"!AlarmMailTo a@b\nAlarmMailFrom c@d\nAlarmMailServer h\n", "no port", "AlarmMailServer"},
    {"!AlarmMailTo \"a@b>, <c@d\"\nAlarmMailFrom c@d\nAlarmMailServer h:25\n", "brackets",
	"AlarmMailTo"},
    {"!AlarmMailTo a@b,\nAlarmMailFrom c@d\nAlarmMailServer h:25\n", "an empty address",
	"AlarmMailTo"},
    {"!AlarmMailTo nobody\nAlarmMailFrom c@d\nAlarmMailServer h:25\n", "no address", "AlarmMailTo"},
    {"!AlarmMailTo a@b\nAlarmMailFrom c@d,e@f\nAlarmMailServer h:25\n", "two senders",
	"AlarmMailFrom"},
    {"!AlarmWebhook https://h/x\nAlarmWebhookKey file:k\n", "webhook", NULL},
    {"!AlarmWebhook https://h/x\n", "no key", "AlarmWebhookKey"},
    {"!AlarmWebhook http://h/x\nAlarmWebhookKey file:k\n", "http", "AlarmWebhook"},
    {"!AlarmWebhook http://127.0.0.1:80/x\nAlarmWebhookKey file:k\n", "http on the loopback", NULL},
    {"!AlarmWebhook http://[::1]:80/x\nAlarmWebhookKey file:k\n", "http on the loopback", NULL},
    {"!AlarmWebhook http://127.0.0.1@evil/x\nAlarmWebhookKey file:k\n", "a user that looks like it",
	"AlarmWebhook"},
    {"!AlarmWebhook ftp://h/x\nAlarmWebhookKey file:k\n", "another scheme", "AlarmWebhook"},
    {"!AlarmSyslog local\n", "syslog", NULL},
    {"!AlarmSyslog local:/run/x\n", "syslog", NULL},
    {"!AlarmSyslog [2001:db8::1]:6514\n", "syslog", NULL},
    {"!AlarmSyslog h\n", "no port", "AlarmSyslog"},
    {"!AlarmSyslog h:0\n", "port 0", "AlarmSyslog"},
    {"!AlarmSyslog \"h /:1\"\n", "no name", "AlarmSyslog"},
};

static void
test_settings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		bool alone = settings[i].more[0] == '!';
		char file[1024], why[256] = "";
		struct conf c;
		int err;

		(void)snprintf(
		    file, sizeof(file), "%s%s", alone ? "" : mail_good, settings[i].more + alone);
		assert_err(conf_parse(span_str(file), &c, why, sizeof(why)), SP_OK);
		err = alarm_conf_check(&c, why, sizeof(why));
		if (settings[i].keyword == NULL && err != SP_OK)
			fail_msg("%s: %s", settings[i].text, why);
		if (settings[i].keyword == NULL)
			continue;
		if (err != SP_ECONFIG ||
		    strncmp(why, settings[i].keyword, strlen(settings[i].keyword)) != 0)
			fail_msg("%s: %d %s", settings[i].text, err, why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_switches),
	    cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
