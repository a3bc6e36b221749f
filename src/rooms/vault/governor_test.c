/* governor_test.c - who is given what: limits, windows, freezing, full tables. */
#include "base/mem.h"
#include "rooms/vault/governor_world.h"

/* ---- who is charged ---- */

static void
test_charges_all_five(void **state)
{
	struct world *w = *state;
	uint8_t id[PRINCIPAL_ID_BYTES], address[16];
	struct governor_row r;

	assert_int_equal(give(w, 5, 1, 100), SP_OK);
	assert_int_equal(give(w, 5, 2, 50), SP_OK);
	assert_true(row(w, PRINCIPAL_USER, 5).used[WINDOW_HOUR].bytes == 150);
	assert_true(row(w, PRINCIPAL_ORG, 1).used[WINDOW_DAY].bytes == 150);
	assert_int_equal(files(w, PRINCIPAL_SERVER, 0), 2);
	assert_int_equal(files(w, PRINCIPAL_HELPER, 0), 0);
	assert_int_equal(address_parse(SPAN_LIT("192.0.2.1"), address), SP_OK);
	assert_int_equal(governor_find(w->g, PRINCIPAL_ADDRESS, address, &r), SP_OK);
	assert_int_equal(r.used[WINDOW_HOUR].files, 1);
	principal_network(address, id);
	assert_int_equal(governor_find(w->g, PRINCIPAL_NETWORK, id, &r), SP_OK);
	assert_int_equal(r.used[WINDOW_HOUR].files, 2);
}

static void
test_helper_is_apart(void **state)
{
	struct world *w = *state;
	struct governor_ask a = {.helper = true, .room = 8, .user = 5, .org = 1, .bytes = 1000};

	set(w, PRINCIPAL_HELPER, 3, 10, 1 << 20, 1 << 20);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	assert_err(governor_admit(w->g, &a, &w->no), SP_EBUDGET);
	assert_int_equal(w->no.kind, PRINCIPAL_HELPER);
	assert_int_equal(files(w, PRINCIPAL_HELPER, 8), 3);
	assert_int_equal(files(w, PRINCIPAL_USER, 5) + files(w, PRINCIPAL_SERVER, 0), 0);
}

/* Deleting is counted apart from reading, with all files that one order takes. */
static void
test_deletions(void **state)
{
	struct world *w = *state;
	struct governor_ask a = ask(w, 1, 1, 1000);

	a.deletes = 40;
	set(w, PRINCIPAL_DELETE_USER, 100, 1000, 1 << 20, 1 << 20);
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK); /* the same again is no less */
	assert_int_equal(files(w, PRINCIPAL_DELETE_USER, 1), 80);
	assert_err(governor_admit(w->g, &a, &w->no), SP_EBUDGET);
	assert_true(w->no.kind == PRINCIPAL_DELETE_USER && w->no.budget == BUDGET_FILES_HOUR);
	assert_true(w->no.retry_after > 3000);
	a.deletes = 20;
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	a.deletes = 101; /* more than there may ever be */
	assert_err(governor_admit(w->g, &a, &w->no), SP_EBUDGET);
	assert_int_equal(w->no.retry_after, 0);
	assert_int_equal(files(w, PRINCIPAL_DELETE_ORG, 1), 100);
	assert_int_equal(files(w, PRINCIPAL_DELETE_SERVER, 0), 100);
	assert_int_equal(files(w, PRINCIPAL_USER, 1) + files(w, PRINCIPAL_SERVER, 0), 0);
	(void)open_again(w, true);
	a.deletes = 1;
	assert_err(governor_admit(w->g, &a, &w->no), SP_EBUDGET);
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {{"192.0.2.1", true}, {"192.0.2.1:4711", true}, {"[2001:db8::1]:22", true},
	    {"2001:db8::1", true}, {"", false}, {"x", false}, {"1.2.3", false}, {":", false},
	    {"[]:1", false}, {"1.2.3.4.5:6", false}, {"[1.2.3.4", false}, {"::g", false}};
	uint8_t a[16], b[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(address_parse(span_str(rows[i].text), a) == SP_OK, rows[i].good);
	assert_int_equal(address_parse(SPAN_LIT("192.0.2.1:99"), a), SP_OK);
	assert_int_equal(address_parse(SPAN_LIT("[::ffff:192.0.2.1]:5"), b), SP_OK);
	assert_memory_equal(a, b, 16); /* the same client by whatever socket */
	principal_network(a, a);
	assert_int_equal(a[15], 0);
	assert_int_equal(a[14], 2);
	assert_int_equal(address_parse(SPAN_LIT("2001:db8:1:2:3:4:5:6"), b), SP_OK);
	principal_network(b, b);
	assert_int_equal(b[7], 2);
	assert_int_equal(b[8] | b[9] | b[15], 0);
}

/* ---- limits ---- */

static void
test_each_limit(void **state)
{
	struct world *w = *state;
	uint32_t wait;

	set(w, PRINCIPAL_USER, 3, 5, 1000, 2000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(give(w, 1, 1, 10), SP_OK);
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	assert_true(w->no.kind == PRINCIPAL_USER && w->no.budget == BUDGET_FILES_HOUR);
	wait = w->no.retry_after;
	assert_true(wait >= HOUR_S && wait <= HOUR_S + FIVE_S);
	assert_int_equal(give(w, 2, 1, 10), SP_OK); /* another user */
	w->s->boot += wait - 1;
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	w->s->boot++;
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	assert_true(w->no.budget == BUDGET_FILES_DAY && w->no.retry_after > 20 * HOUR_S);
	assert_err(give(w, 3, 1, 1001), SP_EBUDGET);
	assert_true(w->no.budget == BUDGET_BYTES_HOUR && w->no.retry_after == 0); /* never */
	assert_int_equal(give(w, 3, 1, 1000), SP_OK);
	w->s->boot += HOUR_S + FIVE_S;
	assert_int_equal(give(w, 3, 1, 1000), SP_OK);
	w->s->boot += HOUR_S + FIVE_S;
	assert_err(give(w, 3, 1, 1), SP_EBUDGET);
	assert_int_equal(w->no.budget, BUDGET_BYTES_DAY);
}

static void
test_huge_lengths(void **state)
{
	struct world *w = *state;

	assert_err(give(w, 1, 1, UINT64_MAX), SP_EBUDGET);
	assert_err(give(w, 1, 1, INT64_MAX), SP_EBUDGET);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	assert_err(give(w, 1, 1, UINT64_MAX), SP_EBUDGET);
	assert_true(row(w, PRINCIPAL_USER, 1).used[WINDOW_HOUR].bytes == 1);
}

/* A refusal by the last of the five charges none of the others. */
static void
test_all_or_nothing(void **state)
{
	struct world *w = *state;

	set(w, PRINCIPAL_SERVER, 2, 1000, 1 << 20, 1 << 20);
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	assert_int_equal(give(w, 1, 1, 10), SP_OK);
	for (unsigned i = 0; i < 20; i++)
		assert_err(give(w, 1, 1, 10), SP_EBUDGET);
	assert_int_equal(w->no.kind, PRINCIPAL_SERVER);
	assert_int_equal(files(w, PRINCIPAL_USER, 1), 2);
	assert_int_equal(files(w, PRINCIPAL_ORG, 1), 2);
	assert_int_equal(row(w, PRINCIPAL_SERVER, 0).overruns, 20);
	assert_int_equal(row(w, PRINCIPAL_USER, 1).overruns, 0);
	assert_false(row(w, PRINCIPAL_SERVER, 0).frozen);
}

/* Who invents a user for every release is held by address, organisation and server, and does not
 * fill the table with those that were refused. */
static void
test_invented_users(void **state)
{
	struct world *w = *state;
	struct governor_row r;
	uint32_t place = 0, n = 0;

	set(w, PRINCIPAL_ORG, 100, 1000, INT64_C(1) << 40, INT64_C(1) << 40);
	for (uint64_t u = 1; u <= 40000; u++)
		assert_int_equal(give(w, u, 1, 10), u <= 100 ? SP_OK : SP_EBUDGET);
	while (governor_next(w->g, &place, &r))
		n++;
	assert_int_equal(n, 100 + 4);
}

/* ---- the clock ---- */

static void
test_sliding(void **state)
{
	struct world *w = *state;
	uint32_t given = 0;

	/* whatever the pace of asking, no hour has more than the limit */
	set(w, PRINCIPAL_USER, 100, 1000000, 1 << 20, 1 << 30);
	w->limits.freeze_overruns = 0;
	governor_limits(w->g, &w->limits);
	for (int64_t t = 0; t < 10 * HOUR_S; t += 20, w->s->boot += 20)
		given += give(w, 1, 1, 10) == SP_OK;
	assert_true(given <= 10 * 100 + 100 && given >= 900);
	assert_true(files(w, PRINCIPAL_USER, 1) <= 100);
}

/* ---- reading again ---- */

static void
test_rereads(void **state)
{
	struct world *w = *state;
	struct governor_ask a = ask(w, 1, 1, 100), b;

	set(w, PRINCIPAL_USER, 10, 1000, 1000, 1 << 30);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	assert_int_equal(files(w, PRINCIPAL_USER, 1), 1);
	b = a;
	b.bytes = 101; /* the same key opens more than was paid for */
	assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	assert_int_equal(files(w, PRINCIPAL_USER, 1), 2);
	b = a;
	b.user = 2; /* another user, another address: not theirs */
	assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	b = a;
	b.address[15] ^= 3;
	assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	b = a;
	b.key[5] ^= 1;
	assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	b = a;
	b.has_address = false;
	assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	assert_int_equal(files(w, PRINCIPAL_SERVER, 0), 6);
	w->s->boot += DAY_S; /* the day is over */
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	assert_int_equal(files(w, PRINCIPAL_SERVER, 0), 1);
}

/* What falls out of the table is charged again; nothing more is free than what was charged. */
static void
test_rereads_fall_out(void **state)
{
	struct world *w = *state;
	struct governor_ask a = ask(w, 1, 1, 1);
	uint32_t before;

	limits_defaults(&w->limits);
	w->limits.of[PRINCIPAL_USER].files_floor = w->limits.of[PRINCIPAL_ADDRESS].files_floor =
	    1000000;
	governor_limits(w->g, &w->limits);
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	for (unsigned i = 0; i < 6; i++) { /* its set is full of others */
		struct governor_ask b = a;

		b.key[9] = (uint8_t)(i + 1);
		w->s->boot++;
		assert_int_equal(governor_admit(w->g, &b, &w->no), SP_OK);
	}
	before = files(w, PRINCIPAL_USER, 1);
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	assert_int_equal(files(w, PRINCIPAL_USER, 1), before + 1);
}

/* ---- freezing ---- */

static void
test_freezes(void **state)
{
	struct world *w = *state;
	uint8_t id[PRINCIPAL_ID_BYTES];
	struct governor_ask paid = ask(w, 1, 1, 1);

	set(w, PRINCIPAL_USER, 2, 1000, 1 << 20, 1 << 20);
	w->limits.freeze_overruns = 5;
	governor_limits(w->g, &w->limits);
	assert_int_equal(governor_admit(w->g, &paid, &w->no), SP_OK);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	for (unsigned i = 1; i <= 5; i++) {
		assert_err(give(w, 1, 1, 1), SP_EBUDGET);
		assert_int_equal(w->no.froze, i == 5);
	}
	assert_err(give(w, 1, 1, 1), SP_EFROZEN);
	assert_true(w->no.kind == PRINCIPAL_USER && w->no.budget == BUDGET_FROZEN && !w->no.froze);
	assert_err(governor_admit(w->g, &paid, &w->no), SP_EFROZEN); /* nor what was paid for */
	assert_int_equal(give(w, 2, 1, 1), SP_OK); /* the address is not to blame */
	(void)open_again(w, true);
	w->s->boot += (int64_t)400 * DAY_S; /* it does not thaw by itself */
	assert_err(give(w, 1, 1, 1), SP_EFROZEN);
	principal_number(1, id);
	assert_int_equal(governor_thaw(w->g, PRINCIPAL_USER, id), SP_OK);
	assert_err(governor_thaw(w->g, PRINCIPAL_USER, id), SP_ENOTFOUND);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	assert_int_equal(governor_freeze(w->g, PRINCIPAL_USER, id), SP_OK);
	(void)open_again(w, true);
	assert_err(give(w, 1, 1, 1), SP_EFROZEN);
}

/* A client that comes back when it was told to is never frozen, however long it goes on. */
static void
test_polite_client(void **state)
{
	struct world *w = *state;
	unsigned given = 0;

	set(w, PRINCIPAL_USER, 10, 1000000, 1 << 20, 1 << 30);
	w->limits.freeze_overruns = 20;
	governor_limits(w->g, &w->limits);
	for (unsigned i = 0; i < 3000; i++) {
		int err = give(w, 1, 1, 1);

		assert_true(err == SP_OK || err == SP_EBUDGET);
		given += err == SP_OK;
		w->s->boot += err == SP_EBUDGET ? w->no.retry_after : 1;
	}
	assert_true(given > 1000);
}

static void
test_freezing_is_for_some(void **state)
{
	struct world *w = *state;
	struct governor_ask a = {.user = 1, .org = 1, .bytes = 1};

	set(w, PRINCIPAL_ADDRESS, 1, 1000, 1 << 20, 1 << 20);
	w->limits.freeze_overruns = 2;
	governor_limits(w->g, &w->limits);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	assert_err(give(w, 2, 1, 1), SP_EBUDGET);
	assert_err(give(w, 3, 1, 1), SP_EBUDGET);
	assert_true(w->no.froze && w->no.kind == PRINCIPAL_ADDRESS);
	assert_err(give(w, 4, 1, 1), SP_EFROZEN);
	/* all whose address is not known share one budget, which nobody can freeze for the others
	 */
	assert_int_equal(governor_admit(w->g, &a, &w->no), SP_OK);
	for (unsigned i = 0; i < 10; i++) {
		a.key[0]++;
		assert_err(governor_admit(w->g, &a, &w->no), SP_EBUDGET);
	}
	w->limits.freeze_overruns = 0;
	governor_limits(w->g, &w->limits);
	assert_int_equal(give(w, 1, 5, 1), SP_OK);
	for (unsigned i = 0; i < 1000; i++)
		assert_err(give(w, 1, 5, 1), SP_EBUDGET);
}

/* ---- raises ---- */

static void
test_raise(void **state)
{
	struct world *w = *state;
	uint8_t id[PRINCIPAL_ID_BYTES];

	set(w, PRINCIPAL_USER, 2, 1000, 1000, 1 << 20);
	principal_number(1, id);
	assert_err(governor_raise(w->g, PRINCIPAL_USER, id, 5, 0, 8 * DAY_S), SP_ERANGE);
	assert_int_equal(governor_raise(w->g, PRINCIPAL_USER, id, 1, 500, 600), SP_OK);
	(void)open_again(w, true); /* durable */
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	assert_int_equal(give(w, 1, 1, 1400), SP_OK);
	assert_err(give(w, 1, 1, 1), SP_EBUDGET);
	assert_int_equal(row(w, PRINCIPAL_USER, 1).raise_files, 1);
	w->s->boot += 600;
	assert_int_equal(row(w, PRINCIPAL_USER, 1).raise_left_s, 0);
	assert_int_equal(row(w, PRINCIPAL_USER, 1).allowed.files[WINDOW_HOUR], 2);
	/* one that cannot be written down is not in force */
	w->s->fail_sync = true;
	assert_err(governor_raise(w->g, PRINCIPAL_USER, id, 100, 0, 600), SP_EIO);
	w->s->fail_sync = false;
	assert_err(give(w, 1, 1, 1), SP_EBUDGET);
}

/* ---- full ---- */

static void
test_full_table(void **state)
{
	struct world *w = *state;
	uint8_t id[PRINCIPAL_ID_BYTES];
	uint64_t u = 1;

	for (size_t k = 0; k < PRINCIPAL_KINDS; k++)
		set(w, (enum principal_kind)k, 1000000, 10000000, INT64_C(1) << 40,
		    INT64_C(1) << 40);
	principal_number(1, id);
	assert_int_equal(governor_freeze(w->g, PRINCIPAL_USER, id), SP_OK);
	for (u = 2; give(w, u, 1, 1) == SP_OK; u++)
		assert_true(u < GOVERNOR_PRINCIPALS + 10);
	assert_err(give(w, u, 1, 1), SP_EFULL);
	assert_int_equal(u, GOVERNOR_PRINCIPALS - 4 + 1);
	assert_int_equal(files(w, PRINCIPAL_SERVER, 0), u - 2); /* none was charged for it */
	assert_int_equal(give(w, 2, 1, 1), SP_OK);		/* those that are known go on */
	w->s->boot += DAY_S - HOUR_S;
	assert_err(give(w, u, 1, 1), SP_EFULL);
	w->s->boot += 4 * HOUR_S; /* nothing of them is in any window */
	assert_int_equal(give(w, u, 1, 1), SP_OK);
	assert_int_equal(give(w, u + 1, 1, 1), SP_OK);
	assert_err(give(w, 1, 1, 1), SP_EFROZEN); /* who is frozen is not forgotten */
	(void)open_again(w, true);
	assert_true(files(w, PRINCIPAL_USER, u) >= 1); /* and what was reserved */
	assert_err(give(w, 1, 1, 1), SP_EFROZEN);
}

static void
test_no_memory(void **state)
{
	struct world *w = *state;

	mem_fail_at(1);
	assert_err(give(w, 1, 1, 1), SP_ENOMEM);
	mem_fail_at(0);
	assert_int_equal(files(w, PRINCIPAL_SERVER, 0), 0);
	assert_int_equal(give(w, 1, 1, 1), SP_OK);
	for (unsigned nth = 1; nth < 5; nth++) {
		mem_fail_at(nth);
		governor_free(governor_new()); /* what it had until then, and no more */
	}
	mem_fail_at(0);
	governor_close(w->g);
	assert_err(give(w, 1, 1, 1), SP_ELOCKED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_charges_all_five),
	    TEST(test_helper_is_apart),
	    TEST(test_deletions),
	    TEST(test_addresses),
	    TEST(test_each_limit),
	    TEST(test_huge_lengths),
	    TEST(test_all_or_nothing),
	    TEST(test_invented_users),
	    TEST(test_sliding),
	    TEST(test_rereads),
	    TEST(test_rereads_fall_out),
	    TEST(test_freezes),
	    TEST(test_polite_client),
	    TEST(test_freezing_is_for_some),
	    TEST(test_raise),
	    TEST(test_full_table),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
