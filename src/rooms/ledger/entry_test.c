/* entry_test.c - entries as JSON whatever is in them; the clock; who is who. */
#include "base/test.h"
#include "ipc/ipc.h"
#include "rooms/ledger/entry.h"
#include "rooms/ledger/seats.h"
#include "rooms/ledger/watch.h"

#include <jansson.h>

static char buf[ENTRY_MAX + 1];

static json_t *
put(const struct entry *e)
{
	struct text t = text_of(buf, sizeof(buf));
	json_error_t error;
	json_t *j;

	entry_put(&t, e);
	assert_false(t.bad);
	assert_true(t.len <= ENTRY_MAX);
	assert_true(utf8_valid(text_span(&t)));
	j = json_loadb(buf, t.len, JSON_REJECT_DUPLICATES, &error);
	if (j == NULL)
		fail_msg("%s: %s", error.text, buf);
	return j;
}

static const char *
member(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "";
}

static void
test_whole(void **state)
{
	static const uint8_t blob[16] = {0xab, 1};
	uint8_t pairs[128];
	struct wr w = wr_of(pairs, sizeof(pairs));
	struct entry e = {.n = 48113,
	    .t_us = 1795468181123456,
	    .event = event_row(EVENT_FILE_READ),
	    .serial = 7,
	    .door = "https",
	    .listener = "public",
	    .addr = SPAN_LIT("203.0.113.7:4711"),
	    .user = SPAN_LIT("alice"),
	    .org = SPAN_LIT("acme"),
	    .path = SPAN_LIT("/in/q3"),
	    .blob = blob,
	    .file = 3,
	    .version = 4,
	    .has_size = true};
	json_t *j;

	(void)state;
	ipc_pair_put(&w, "agent", SPAN_LIT("curl/8"));
	ipc_pair_put(&w, "bad \"key", SPAN_LIT("x"));
	e.detail = wr_span(&w);
	j = put(&e);
	assert_string_equal(buf,
	    "{\"n\":48113,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"file.read\",\"sev\":"
	    "\"info\","
	    "\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"serial\":7,\"door\":\"https\",\"listener\":"
	    "\"public\","
	    "\"addr\":\"203.0.113.7:4711\",\"user\":\"alice\",\"org\":\"acme\",\"path\":\"/in/q3\","
	    "\"blob\":\"ab010000000000000000000000000000\",\"file\":3,\"version\":4,\"size\":0,"
	    "\"detail\":{\"agent\":\"curl/8\",\"bad__key\":\"x\"}}");
	json_decref(j);
}

static void
test_least(void **state)
{
	struct entry e = {.event = event_row(EVENT_SERVER_START)};
	json_t *j;

	(void)state;
	j = put(&e);
	assert_int_equal(json_object_size(j), 5); /* n, t, event, sev, salt */
	json_decref(j);
}

/* Everything at its greatest, and made of what takes most room in JSON. */
static void
test_greatest(void **state)
{
	static char path[4096], name[64];
	static uint8_t pairs[8192];
	struct wr w = wr_of(pairs, sizeof(pairs));
	struct entry e = {
	    .event = event_row(EVENT_FILE_CREATED), .has_size = true, .size = INT64_MAX};
	json_t *j;

	(void)state;
	memset(path, 1, sizeof(path));
	memset(name, 1, sizeof(name));
	e.path = span_of(path, sizeof(path));
	e.user = e.org = e.addr = span_of(name, sizeof(name));
	for (int i = 0; i < 2; i++)
		ipc_pair_put(&w, "k", span_of(path, 4000));
	assert_false(w.bad);
	e.detail = wr_span(&w);
	j = put(&e);
	assert_int_equal(strlen(member(j, "path")), 4096);
	assert_string_equal(member(json_object_get(j, "detail"), "ledger"),
	    "the details were malformed or too long");
	json_decref(j);
	/* every truncation of the pairs: an entry all the same */
	w = wr_of(pairs, sizeof(pairs));
	ipc_pair_put(&w, "a", SPAN_LIT("one"));
	ipc_pair_put(&w, "b", SPAN_LIT("two"));
	e.path = span_of(NULL, 0);
	for (size_t n = 0; n <= w.len; n++) {
		e.detail = span_of(pairs, n);
		j = put(&e);
		if (n == w.len)
			assert_string_equal(member(json_object_get(j, "detail"), "b"), "two");
		json_decref(j);
	}
}

/* Any two bytes as a path: valid JSON and UTF-8, the same text where it was valid. */
static void
test_bytes(void **state)
{
	struct entry e = {.event = event_row(EVENT_DENIED)};

	(void)state;
	for (unsigned v = 0; v < 65536; v += 7) {
		uint8_t two[2] = {(uint8_t)(v >> 8), (uint8_t)v};
		json_t *j;

		if (two[0] == 0 || two[1] == 0)
			continue; /* no NUL in a str: the codec refuses it */
		e.path = span_of(two, 2);
		j = put(&e);
		if (utf8_valid(e.path))
			assert_memory_equal(member(j, "path"), two, 2);
		json_decref(j);
	}
}

static void
test_events(void **state)
{
	(void)state;
	assert_null(event_row(0));
	assert_null(event_row(9999));
	assert_true(event_by_broker(EVENT_LOGIN));
	assert_true(event_by_broker(EVENT_FILE_CREATED));
	assert_false(event_by_broker(EVENT_FILE_READ));
	assert_false(event_by_broker(EVENT_OTP_CHECKED));
	assert_false(event_by_broker(EVENT_UPLOAD_RESUMED));
	assert_false(event_by_broker(EVENT_LOG_CREATED));
	assert_false(event_by_broker(EVENT_WORKER_VIOLATION));
	/* a stolen broker does not say that all is well */
	assert_false(event_by_broker(EVENT_VERIFY_OK));
	assert_false(event_by_broker(EVENT_VERIFY_FAILED));
	assert_false(event_by_broker(EVENT_SETTINGS));
	assert_false(event_by_broker(9999));
	assert_true(event_is_kept(EVENT_FILE_READ));
	assert_true(event_is_kept(EVENT_RELEASE_REFUSED));
	assert_false(event_is_kept(EVENT_LOGIN_FAILED));
}

static void
test_watch(void **state)
{
	const int64_t s = 1000000;
	struct watch w;
	int64_t t = 0, expected = 0;

	(void)state;
	watch_start(&w, 0, 1000 * s, 50 * s);
	assert_false(watch_take(&w, 1000 * s + 5, 50 * s + 5, &t, &expected));
	assert_int_equal(t, 1000 * s + 5);
	/* jitter is held */
	assert_false(watch_take(&w, 1000 * s - s / 2, 50 * s + 10, &t, &expected));
	assert_int_equal(t, 1000 * s + 5);
	/* an hour back */
	assert_true(watch_take(&w, 1000 * s - 3600 * s, 51 * s, &t, &expected));
	assert_int_equal(t, 1000 * s - 3600 * s);
	assert_int_equal(expected / s, 1000);
	/* and counted from there */
	assert_false(watch_take(&w, 1000 * s - 3599 * s, 52 * s, &t, &expected));
	assert_int_equal(t, 1000 * s - 3599 * s);
	/* forth */
	assert_true(watch_take(&w, 9000 * s, 53 * s, &t, &expected));
	/* a day of slewing at 500 ppm is no step */
	assert_false(
	    watch_take(&w, 9000 * s + 86400 * s + 43 * s, 53 * s + 86400 * s, &t, &expected));
	/* the machine's clock was set back while nothing ran */
	watch_start(&w, 5000 * s, 4000 * s, 10 * s);
	assert_true(watch_take(&w, 4000 * s, 10 * s, &t, &expected));
	assert_int_equal(t, 4000 * s);
	assert_int_equal(expected, 5000 * s);
	watch_start(&w, 5000 * s, 6000 * s, 10 * s);
	assert_false(watch_take(&w, 6000 * s, 10 * s, &t, &expected));
}

static void
test_seats(void **state)
{
	struct seats s;
	struct seat *seat;

	(void)state;
	assert_err(seats_init(&s), SP_OK);
	assert_err(seats_add(&s, 0, ROOM_WORKER_HTTPS, 0), SP_EEXISTS);
	for (uint64_t i = 1; i <= 10000; i++)
		assert_err(seats_add(&s, i, ROOM_WORKER_HTTPS, i % 2), SP_OK);
	assert_err(seats_add(&s, 77, ROOM_SCRUBBER, 2), SP_EEXISTS);
	seats_peer(&s, 77, SPAN_LIT("192.0.2.7:1"));
	seats_peer(&s, 99999, SPAN_LIT("nobody"));
	seat = seats_find(&s, 77);
	assert_non_null(seat);
	assert_string_equal(seat->addr, "192.0.2.7:1");
	assert_string_equal(seat_door(seat), "https");
	assert_string_equal(seat_listener(seat), "admin");
	seats_gone(&s, 77);
	seats_gone(&s, 77);
	assert_true(seats_find(&s, 77)->gone);
	for (uint64_t i = 100; i <= 100 + SEATS_GONE; i++)
		seats_gone(&s, i);
	assert_null(seats_find(&s, 77)); /* the oldest was forgotten */
	assert_non_null(seats_find(&s, 100 + SEATS_GONE));
	seats_done(&s);
	assert_err(seats_init(&s), SP_OK);
	for (uint64_t i = 1; i <= SEATS_MAX; i++)
		assert_err(seats_add(&s, i, ROOM_SCRUBBER, 2), SP_OK);
	assert_err(seats_add(&s, SEATS_MAX + 1, ROOM_SCRUBBER, 2), SP_EFULL);
	seats_gone(&s, 5);
	assert_err(seats_add(&s, SEATS_MAX + 1, ROOM_SCRUBBER, 2), SP_OK);
	assert_null(seat_listener(seats_find(&s, 9)));
	seats_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_least),
	    cmocka_unit_test(test_greatest),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_seats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
