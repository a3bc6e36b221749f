/* alarm.c - sallyport alarm: do alarms arrive, what waits, which kinds are there. */
#include <stdio.h>

#include "base/conf.h"
#include "base/text.h"
#include "cli/call.h"
#include "cli/print.h"
#include "ipc/alarm.h"
#include "sys/clock.h"

#define TEST_MS 100000 /* a messenger gives up before that */
#define ASK_MS 200

/* ---- test ---- */

static json_t *
way_test(json_t *way, json_int_t entry)
{
	json_t *test = json_object_get(way, "test");

	return json_integer_value(json_object_get(test, "entry")) == entry ? test : NULL;
}

/* Has every way that is configured a result?  One that knows nothing of the test was not given it:
 * AlarmTest is off. */
static bool
all_done(json_t *state, json_int_t entry)
{
	size_t i;
	json_t *way;

	if (json_integer_value(json_object_get(state, "taken")) <= entry)
		return false;
	json_array_foreach(json_object_get(state, "ways"), i, way)
	{
		const char *result =
		    json_string_value(json_object_get(way_test(way, entry), "result"));

		if (json_is_true(json_object_get(way, "configured")) && result != NULL &&
		    strcmp(result, "runs") == 0)
			return false;
	}
	return true;
}

static int
add_row(json_t *rows, const char *way, const char *result, const char *reason)
{
	return json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "way", way, "result",
					       result, "reason", reason)) == 0
		   ? SP_OK
		   : SP_ENOMEM;
}

/* One row for each way; *ret_failed: how many did not deliver, *ret_good: how many did. */
static int
test_rows(json_t *state, json_int_t entry, json_t *rows, size_t *ret_failed, size_t *ret_good)
{
	size_t i;
	json_t *way;
	int rc = SP_OK;

	json_array_foreach(json_object_get(state, "ways"), i, way)
	{
		json_t *test = way_test(way, entry);
		const char *name = json_string_value(json_object_get(way, "way"));
		const char *result = json_string_value(json_object_get(test, "result"));
		const char *reason = json_string_value(json_object_get(test, "reason"));
		bool good = result != NULL && strcmp(result, "delivered") == 0;

		if (rc != SP_OK || name == NULL ||
		    !json_is_true(json_object_get(way, "configured")))
			continue;
		if (result == NULL || strcmp(result, "runs") == 0) {
			reason = result == NULL ? "AlarmTest is off" : "no result in time";
			result = "failed";
		}
		*ret_failed += !good;
		*ret_good += good;
		rc = add_row(rows, name, result, reason != NULL ? reason : "");
	}
	if (rc == SP_OK && json_is_true(json_object_get(state, "journal"))) {
		bool good = json_integer_value(json_object_get(state, "journal_test")) == entry;

		*ret_failed += !good;
		rc = add_row(rows, "journal", good ? "delivered" : "failed", "");
	}
	return rc;
}

static int
wait_for(struct call *k, json_int_t entry, json_t **ret_state)
{
	int64_t end_ms = clock_mono_ms() + TEST_MS;

	for (;;) {
		json_t *state = NULL;
		int rc = call_verb(k, "alarm list", NULL, span_of(NULL, 0), &state);

		if (rc != SP_OK)
			return rc;
		if (all_done(state, entry) || clock_mono_ms() > end_ms) {
			*ret_state = state;
			return SP_OK;
		}
		json_decref(state);
		clock_sleep_ms(ASK_MS);
	}
}

int
cmd_alarm_test(struct cli *c)
{
	DEFER(call_close) struct call k = {.buf = NULL};
	DEFER(json_done) json_t *made = NULL, *state = NULL, *page = json_object();
	json_t *rows = json_array();
	size_t failed = 0, good = 0;
	json_int_t entry;
	struct print p;
	int rc = page != NULL && json_object_set_new(page, "rows", rows) == 0 ? SP_OK : SP_ENOMEM;

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = call_open(c, &k);
	if (rc == SP_OK)
		rc = call_verb(&k, "alarm test", NULL, span_of(NULL, 0), &made);
	if (rc != SP_OK)
		return rc;
	entry = json_integer_value(json_object_get(made, "entry"));
	rc = wait_for(&k, entry, &state);
	if (rc != SP_OK)
		return rc;
	rc = test_rows(state, entry, rows, &failed, &good);
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	print_begin(&p, c->json);
	print_page(&p, page);
	print_end(&p);
	rc = cli_out_done();
	if (rc != SP_OK)
		return rc;
	if (failed != 0)
		return cli_fail(SP_EUNAVAIL,
		    "the test alarm (entry %lld) was not delivered by %zu of %zu ways",
		    (long long)entry, failed, json_array_size(rows));
	if (good == 0)
		return cli_fail(SP_EUNAVAIL, "no way is configured: set AlarmMailTo, AlarmWebhook "
					     "or AlarmSyslog in sallyport.conf");
	return SP_OK;
}

/* ---- list ---- */

static const char *
text_of_member(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static int
add_message(json_t *rows, const char *way, json_t *m, const char *state, const char *error)
{
	json_int_t first = json_integer_value(json_object_get(m, "first_entry"));
	json_int_t last = json_integer_value(json_object_get(m, "last_entry"));
	json_t *row =
	    json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "way", way, "state", state, "kind",
		text_of_member(m, "kind"), "count", json_integer_value(json_object_get(m, "count")),
		"first", first, "last", last, "error", error);

	return json_array_append_new(rows, row) == 0 ? SP_OK : SP_ENOMEM;
}

static int
add_way(json_t *rows, json_t *way)
{
	const char *name = text_of_member(way, "way");
	json_t *last = json_object_get(way, "last_entry"), *m;
	size_t i;
	int rc = SP_OK;

	if (last != NULL) {
		json_t *row = json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:s}", "way", name, "state",
		    "delivered", "kind", text_of_member(way, "last_delivered"), "count",
		    json_object_get(way, "delivered"), "first", last, "last", last, "error", "");

		rc = json_array_append_new(rows, row) == 0 ? SP_OK : SP_ENOMEM;
	}
	json_array_foreach(json_object_get(way, "messages"), i, m)
	{
		const char *state = text_of_member(m, "state");

		if (rc == SP_OK)
			rc = add_message(rows, name, m, state,
			    strcmp(state, "sending") == 0 ? text_of_member(way, "error") : "");
	}
	return rc;
}

/* For people one table: what was delivered last, what waits, what was given up. */
static int
list_rows(json_t *state, json_t *rows)
{
	size_t i;
	json_t *o;
	int rc = SP_OK;

	json_array_foreach(json_object_get(state, "ways"), i, o)
	{
		if (rc == SP_OK)
			rc = add_way(rows, o);
	}
	json_array_foreach(json_object_get(state, "undelivered"), i, o)
	{
		if (rc == SP_OK)
			rc = add_message(rows, text_of_member(o, "way"), o, "given up",
			    text_of_member(o, "given_up"));
	}
	return rc;
}

int
cmd_alarm_list(struct cli *c)
{
	DEFER(call_close) struct call k = {.buf = NULL};
	DEFER(json_done) json_t *state = NULL, *page = json_object();
	json_t *rows = json_array();
	struct print p;
	int rc = page != NULL && json_object_set_new(page, "rows", rows) == 0 ? SP_OK : SP_ENOMEM;

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = call_open(c, &k);
	if (rc == SP_OK)
		rc = call_verb(&k, "alarm list", NULL, span_of(NULL, 0), &state);
	if (rc != SP_OK)
		return rc;
	rc = c->json ? SP_OK : list_rows(state, rows);
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	print_begin(&p, c->json);
	print_page(&p, c->json ? state : page);
	print_end(&p);
	return cli_out_done();
}

/* ---- kinds ---- */

int
cmd_alarm_kinds(struct cli *c)
{
	DEFER(json_done) json_t *page = json_object();
	json_t *rows = json_array();
	struct conf conf;
	struct print p;
	int rc = cli_conf(c, &conf);

	if (page == NULL || json_object_set_new(page, "rows", rows) != 0)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	if (rc != SP_OK)
		return rc;
	for (size_t i = 0; i < ALARM_COUNT; i++)
		if (json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:s}", "kind", alarm_rows[i].name, "switch",
			    alarm_is_on((enum alarm)i, &conf) ? "on" : "off", "setting",
			    alarm_rows[i].keyword, "text", alarm_rows[i].text)) != 0)
			return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	print_begin(&p, c->json);
	print_page(&p, page);
	print_end(&p);
	return cli_out_done();
}
