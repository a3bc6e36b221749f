/* principal_test.c - windows that slide, and what is learned of the past. */
#include "base/test.h"
#include "rooms/vault/principal.h"

#define T0 ((int64_t)200 * DAY_S)

static const uint8_t id[PRINCIPAL_ID_BYTES] = {1};

static void
begin(struct principal *p, int64_t now)
{
	principal_init(p, PRINCIPAL_USER, id, now);
}

static void
give(struct principal *p, int64_t now, uint64_t files, uint64_t bytes)
{
	principal_advance(p, now);
	principal_charge(p, files, bytes);
}

static struct spent
in(struct principal *p, int64_t now, enum window w)
{
	principal_advance(p, now);
	return principal_sum(p, w);
}

static void
test_tiny(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 64; shift++) {
		for (uint64_t d = 0; d < 3; d++) {
			uint64_t v = (UINT64_C(1) << shift) + d - 1;
			uint64_t back = tiny_value(tiny_of(v));

			assert_true(back <= v && back >= v - v / 1024);
		}
	}
	assert_true(tiny_value(tiny_of(UINT64_MAX)) > UINT64_MAX / 1025 * 1024);
	assert_true(tiny_of(50000) < tiny_of(50100));	   /* ordered */
	assert_true(tiny_value(UINT16_MAX) == UINT64_MAX); /* never written; harmless */
}

/* The window is never shorter than an hour, and at most five minutes longer. */
static void
test_hour_slides(void **state)
{
	struct principal p;

	(void)state;
	for (int64_t at = 0; at < FIVE_S; at += 37) {
		begin(&p, T0 + at);
		give(&p, T0 + at, 3, 1000);
		assert_int_equal(in(&p, T0 + at + HOUR_S - 1, WINDOW_HOUR).files, 3);
		assert_true(in(&p, T0 + at + HOUR_S - 1, WINDOW_HOUR).bytes == 1000);
		assert_int_equal(in(&p, T0 + at + HOUR_S + FIVE_S, WINDOW_HOUR).files, 0);
	}
	begin(&p, T0);
	for (int64_t t = 0; t < 4 * HOUR_S; t += 60) {
		give(&p, T0 + t, 1, 10);
		assert_true(principal_sum(&p, WINDOW_HOUR).files <= 65);
	}
	assert_true(principal_sum(&p, WINDOW_HOUR).files >= 60);
	assert_int_equal(principal_sum(&p, WINDOW_DAY).files, 240);
}

static void
test_day_slides(void **state)
{
	struct principal p;

	(void)state;
	for (int64_t at = 0; at < HOUR_S; at += 599) {
		begin(&p, T0 + at);
		give(&p, T0 + at, 3, 1000);
		assert_int_equal(in(&p, T0 + at + DAY_S - 1, WINDOW_DAY).files, 3);
		assert_int_equal(in(&p, T0 + at + DAY_S + HOUR_S, WINDOW_DAY).files, 0);
	}
	/* a clock that stands still or is behind changes nothing */
	begin(&p, T0);
	give(&p, T0, 5, 5);
	give(&p, T0 - 3 * DAY_S, 5, 5);
	assert_int_equal(in(&p, T0, WINDOW_DAY).files, 10);
	/* a year later nothing of it is left */
	assert_int_equal(in(&p, T0 + (int64_t)365 * DAY_S, WINDOW_DAY).files, 0);
}

static void
test_counts_stop(void **state)
{
	struct principal p;

	(void)state;
	begin(&p, T0);
	give(&p, T0, UINT64_MAX, UINT64_MAX);
	give(&p, T0, 5, 5);
	assert_true(principal_sum(&p, WINDOW_HOUR).files == UINT32_MAX);
	assert_true(principal_sum(&p, WINDOW_DAY).bytes == UINT64_MAX);
}

static void
test_wait(void **state)
{
	struct allowance a = {.files = {10, 100}, .bytes = {1000, 10000}};
	struct principal p;
	uint32_t wait;

	(void)state;
	begin(&p, T0);
	give(&p, T0 + 10, 4, 100);
	give(&p, T0 + 700, 6, 100);
	/* one more fits when the first four leave */
	wait = principal_wait(&p, WINDOW_HOUR, T0 + 700, 1, 1, &a);
	assert_true(in(&p, T0 + 700 + wait - 1, WINDOW_HOUR).files == 10);
	assert_true(in(&p, T0 + 700 + wait, WINDOW_HOUR).files == 6);
	begin(&p, T0);
	give(&p, T0, 10, 100);
	/* five when all have left; more than there may ever be: never */
	wait = principal_wait(&p, WINDOW_HOUR, T0, 5, 1, &a);
	assert_true(wait >= HOUR_S && wait <= HOUR_S + FIVE_S);
	assert_int_equal(principal_wait(&p, WINDOW_HOUR, T0, 11, 1, &a), 0);
	assert_int_equal(principal_wait(&p, WINDOW_HOUR, T0, 1, 1001, &a), 0);
	wait = principal_wait(&p, WINDOW_DAY, T0, 91, 1, &a);
	assert_true(wait >= DAY_S && wait <= DAY_S + HOUR_S);
}

/* ---- learning ---- */

static struct limits
small(void)
{
	struct limits l;

	limits_defaults(&l);
	l.of[PRINCIPAL_USER] = (struct limit_set){.files_hour = 100000,
	    .bytes_hour = INT64_C(1) << 40,
	    .files_day = 1000000,
	    .bytes_day = INT64_C(1) << 43,
	    .files_floor = 1000,
	    .bytes_floor = 1000000};
	return l;
}

static uint64_t
normal_files(struct principal *p, const struct limits *l, int64_t now)
{
	principal_advance(p, now);
	principal_learn(p, l);
	return principal_allowance(p, l, now).files[WINDOW_HOUR];
}

static void
test_floor_and_days(void **state)
{
	struct limits l = small();
	struct principal p;
	struct allowance a;

	(void)state;
	begin(&p, T0);
	assert_int_equal(normal_files(&p, &l, T0), 1000);
	a = principal_allowance(&p, &l, T0);
	assert_int_equal(a.files[WINDOW_DAY], 8000);
	assert_true(a.bytes[WINDOW_DAY] == 8000000);
	l.of[PRINCIPAL_USER].files_day = 5000;
	assert_int_equal(principal_allowance(&p, &l, T0).files[WINDOW_DAY], 5000);
	l.of[PRINCIPAL_USER].files_hour = 10; /* a ceiling under the floor wins */
	assert_int_equal(principal_allowance(&p, &l, T0).files[WINDOW_HOUR], 10);
	p.raise_files = 7;
	p.raise_until = T0 + 100;
	assert_int_equal(principal_allowance(&p, &l, T0 + 99).files[WINDOW_HOUR], 17);
	assert_int_equal(principal_allowance(&p, &l, T0 + 100).files[WINDOW_HOUR], 10);
}

/* A busy hour does not count for three days, then lifts the normal by a quarter a week, to three
 * times itself, and is forgotten after ninety days. */
static void
test_learns(void **state)
{
	struct limits l = small();
	struct principal p;
	int64_t day;

	(void)state;
	begin(&p, T0);
	give(&p, T0, 900, 1);
	for (day = 0; day < 7; day++)
		assert_int_equal(normal_files(&p, &l, T0 + day * DAY_S + 1), 1000);
	assert_int_equal(normal_files(&p, &l, T0 + 7 * DAY_S + 1), 1250);
	assert_int_equal(normal_files(&p, &l, T0 + 13 * DAY_S + 1), 1250);
	assert_int_equal(normal_files(&p, &l, T0 + 14 * DAY_S + 1), 1562);
	assert_int_equal(
	    normal_files(&p, &l, T0 + 60 * DAY_S + 1), 1952); /* a step, not all missed */
	for (day = 61; day < 92; day++)
		(void)normal_files(&p, &l, T0 + day * DAY_S + 1);
	assert_true(normal_files(&p, &l, T0 + 92 * DAY_S + 1) <= 2700);
	assert_int_equal(normal_files(&p, &l, T0 + 93 * DAY_S + 1), 1000);
}

static void
test_last_days_do_not_count(void **state)
{
	struct limits l = small();
	struct principal p;

	(void)state;
	begin(&p, T0);
	(void)normal_files(&p, &l, T0 + 50 * DAY_S);
	give(&p, T0 + 50 * DAY_S, 1000, 1);
	assert_int_equal(normal_files(&p, &l, T0 + 51 * DAY_S), 1000);
	assert_int_equal(normal_files(&p, &l, T0 + 52 * DAY_S), 1000);
	assert_int_equal(normal_files(&p, &l, T0 + 53 * DAY_S), 1250);
}

/* Who always takes all that is allowed, for a year, gets no further than a quarter a week, and
 * never over the ceiling. */
static void
test_cannot_be_walked_up(void **state)
{
	struct limits l = small();
	struct principal p;
	uint64_t before[7] = {0}, now = 0;
	double most = 1000;

	(void)state;
	begin(&p, T0);
	for (int64_t hour = 0; hour < 24 * 365; hour++) {
		now = normal_files(&p, &l, T0 + hour * HOUR_S);
		give(&p, T0 + hour * HOUR_S, now, 0);
		if (hour % 24 != 0)
			continue;
		if (before[6] != 0)
			assert_true(now <= before[6] + before[6] / 4);
		memmove(&before[1], before, 6 * sizeof(before[0]));
		before[0] = now;
		assert_true(now <= 100000);
		if (hour % (24 * 7) == 0)
			most *= 1.25;
		assert_true((double)now <= most);
	}
	assert_true(now == 100000); /* the ceiling, after about twenty weeks */
	/* and a quiet quarter later it is nobody any more */
	assert_int_equal(normal_files(&p, &l, T0 + (int64_t)(365 + 95) * DAY_S), 1000);
}

static void
test_put_and_get(void **state)
{
	uint8_t buf[PRINCIPAL_BYTES];
	struct wr w = wr_of(buf, sizeof(buf));
	struct principal p, q;
	struct rd r;

	(void)state;
	begin(&p, T0);
	give(&p, T0, 7, 77);
	give(&p, T0 + 5 * HOUR_S, 8, 88);
	p.frozen = true;
	p.raise_files = 3;
	p.raise_until = T0 + 9;
	p.overruns = 4;
	principal_put(&w, &p);
	assert_true(!w.bad && w.len == PRINCIPAL_BYTES);
	r = rd_of(wr_span(&w));
	assert_int_equal(principal_get(&r, &q), SP_OK);
	assert_true(rd_done(&r));
	assert_memory_equal(q.five, p.five, sizeof(p.five));
	assert_memory_equal(q.hour, p.hour, sizeof(p.hour));
	assert_memory_equal(q.busy_files, p.busy_files, sizeof(p.busy_files));
	assert_true(q.frozen && q.raise_files == 3 && q.raise_until == T0 + 9 && q.overruns == 4);
	assert_true(q.five_no == p.five_no && q.hour_no == p.hour_no && q.day_no == p.day_no);
	r = rd_of(span_cut(wr_span(&w), PRINCIPAL_BYTES - 1));
	assert_err(principal_get(&r, &q), SP_ERANGE);
	buf[1] = PRINCIPAL_KINDS;
	r = rd_of(wr_span(&w));
	assert_err(principal_get(&r, &q), SP_ERANGE);
	buf[1] = 0;
	memset(buf + 18, 0xff, 8); /* a time that never was */
	r = rd_of(wr_span(&w));
	assert_err(principal_get(&r, &q), SP_ERANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tiny),
	    cmocka_unit_test(test_hour_slides),
	    cmocka_unit_test(test_day_slides),
	    cmocka_unit_test(test_counts_stop),
	    cmocka_unit_test(test_wait),
	    cmocka_unit_test(test_floor_and_days),
	    cmocka_unit_test(test_learns),
	    cmocka_unit_test(test_last_days_do_not_count),
	    cmocka_unit_test(test_cannot_be_walked_up),
	    cmocka_unit_test(test_put_and_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
