#include "base/test.h"

#include <stdio.h>

#include "base/mem.h"
#include "rooms/broker/reputation.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const struct rep_limits limits = {
    .slow = 30, .ban = 100, .half_life_us = 30 * MINUTE, .ban_us = HOUR, .ban_max_us = 5 * HOUR};

struct said {
	unsigned n[REP_FORGOTTEN + 1];
	enum rep_change last;
};

static void
changed(void *arg, struct rep_entry *e, enum rep_change change)
{
	struct said *s = arg;

	assert_true(e->used);
	s->n[change]++;
	s->last = change;
}

static struct prefix
net(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(span_str(text), &p), SP_OK);
	return p;
}

static void
score(struct reputation *r, const char *host, int64_t points, int64_t now_us)
{
	struct prefix p = net(host);

	p = prefix_host(&p);
	rep_score(r, &p, points, REP_STRONG, "probe", &limits, now_us);
}

static enum address_state
state(struct reputation *r, const char *host, int64_t now_us)
{
	struct prefix p = net(host);

	return rep_state(r, &p, now_us);
}

static int64_t
points(struct reputation *r, const char *host, int64_t now_us)
{
	struct prefix p = net(host);
	struct rep_entry *e = rep_find(r, &p);

	return e != NULL ? rep_points(e, &limits, now_us) : -1;
}

static void
ready(struct reputation *r)
{
	for (size_t i = 0; i < REP_MAX; i++)
		if (rep_at(r, i) != NULL)
			rep_at(r, i)->pending = 0;
	rep_settled(r);
}

static void
test_thresholds(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);

	(void)unused;
	score(r, "192.0.2.7", 29, 0);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_OK);
	assert_false(rep_is_pending(r));
	score(r, "192.0.2.7", 1, 0);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_SLOW);
	assert_true(rep_is_pending(r));
	assert_int_equal(state(r, "192.0.2.8", 0), ADDRESS_OK);
	score(r, "192.0.2.7", 69, 0);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_SLOW);
	score(r, "192.0.2.7", 1, 0);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_REFUSE);
	assert_int_equal(s.n[REP_SLOWED], 1);
	assert_int_equal(s.n[REP_BANNED], 1);
	/* IPv6: 64 bits are one */
	score(r, "2001:db8:1:2::1", 50, 0);
	score(r, "2001:db8:1:2:ffff::1", 50, 0);
	assert_int_equal(state(r, "2001:db8:1:2:3::4", 0), ADDRESS_REFUSE);
	assert_int_equal(state(r, "2001:db8:1:3::4", 0), ADDRESS_OK);
	rep_free(r);
}

static void
test_decay(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);

	(void)unused;
	score(r, "192.0.2.7", 80, 0);
	assert_int_equal(points(r, "192.0.2.7", 30 * MINUTE), 40000);
	assert_int_equal(points(r, "192.0.2.7", 15 * MINUTE), 60000);
	assert_int_equal(points(r, "192.0.2.7", 2 * HOUR), 5000);
	assert_int_equal(points(r, "192.0.2.7", 9000 * HOUR), 0);
	/* a clock does not go back; if it does nothing is gained */
	assert_int_equal(points(r, "192.0.2.7", -HOUR), 80000);
	/* slowed until half of what slows it is left */
	rep_tick(r, &limits, 60 * MINUTE);
	assert_int_equal(state(r, "192.0.2.7", 60 * MINUTE), ADDRESS_SLOW);
	rep_tick(r, &limits, 80 * MINUTE);
	assert_int_equal(state(r, "192.0.2.7", 80 * MINUTE), ADDRESS_OK);
	assert_int_equal(s.n[REP_CALM], 1);
	/* and forgotten, once the gates know */
	rep_tick(r, &limits, 10 * HOUR);
	assert_int_not_equal(points(r, "192.0.2.7", 10 * HOUR), -1);
	ready(r);
	rep_tick(r, &limits, 10 * HOUR);
	assert_int_equal(points(r, "192.0.2.7", 10 * HOUR), -1);
	assert_int_equal(s.n[REP_FORGOTTEN], 0);
	rep_free(r);
}

/* Each ban is twice as long, up to the most; then probation; forgotten in the end. */
static void
test_bans_grow(void **unused)
{
	static const int64_t hours[] = {1, 2, 4, 5, 5};
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	int64_t now = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(hours); i++) {
		score(r, "192.0.2.7", 100, now);
		assert_int_equal(state(r, "192.0.2.7", now), ADDRESS_REFUSE);
		now += hours[i] * HOUR - SECOND;
		rep_tick(r, &limits, now);
		assert_int_equal(state(r, "192.0.2.7", now), ADDRESS_REFUSE);
		now += SECOND;
		assert_int_equal(
		    state(r, "192.0.2.7", now), ADDRESS_OK); /* nobody is kept longer */
		rep_tick(r, &limits, now);
		assert_int_equal(state(r, "192.0.2.7", now), ADDRESS_SLOW);
		assert_int_equal(s.n[REP_UNBANNED], i + 1);
	}
	ready(r);
	for (int i = 0; i < 2; i++, ready(r))
		rep_tick(r, &limits, now + 4 * HOUR);
	assert_int_not_equal(points(r, "192.0.2.7", now), -1);
	rep_tick(r, &limits, now + 5 * HOUR);
	assert_int_equal(points(r, "192.0.2.7", now), -1);
	assert_int_equal(s.n[REP_FORGOTTEN], 1);
	rep_free(r);
}

/* Many hosts of a network that each stay below: the network is slowed, and never refused. */
static void
test_networks(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	char host[32];

	(void)unused;
	for (int i = 1; i <= 20; i++) {
		(void)snprintf(host, sizeof(host), "192.0.2.%d", i);
		score(r, host, 20, 0);
		assert_int_equal(state(r, "192.0.2.200", 0), i < 20 ? ADDRESS_OK : ADDRESS_SLOW);
	}
	for (int i = 1; i <= 200; i++) {
		(void)snprintf(host, sizeof(host), "192.0.2.%d", i);
		score(r, host, 20, 0);
	}
	assert_int_equal(state(r, "192.0.2.250", 0), ADDRESS_SLOW);
	assert_int_equal(state(r, "192.0.3.1", 0), ADDRESS_OK);
	assert_int_equal(s.n[REP_BANNED], 0);
	rep_free(r);
}

/* Guesses do not ban an address from which somebody logs in, nor its network; probes do. */
static void
test_guesses(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	struct prefix nat = net("192.0.2.7"), bot = net("192.0.2.9");

	(void)unused;
	rep_good(r, &nat, SECOND);
	for (int i = 0; i < 100; i++) {
		rep_score(r, &nat, 4, REP_WEAK, "unknown user", &limits, 2 * SECOND);
		rep_score(r, &bot, 4, REP_WEAK, "unknown user", &limits, 2 * SECOND);
	}
	assert_int_equal(state(r, "192.0.2.7", 2 * SECOND), ADDRESS_SLOW);
	assert_int_equal(state(r, "192.0.2.9", 2 * SECOND), ADDRESS_REFUSE);
	assert_int_equal(state(r, "192.0.2.100", 2 * SECOND), ADDRESS_OK);
	/* a good login does not undo what is known */
	rep_good(r, &bot, 3 * SECOND);
	assert_int_equal(state(r, "192.0.2.9", 3 * SECOND), ADDRESS_REFUSE);
	score(r, "192.0.2.7", 50, 3 * SECOND);
	assert_int_equal(state(r, "192.0.2.7", 3 * SECOND), ADDRESS_REFUSE);
	rep_free(r);
	/* it speaks for a day */
	r = rep_new(changed, &s);
	rep_good(r, &nat, SECOND);
	for (int i = 0; i < 30; i++)
		rep_score(r, &nat, 4, REP_WEAK, "unknown user", &limits, REP_GOOD_US + 2 * SECOND);
	assert_int_equal(state(r, "192.0.2.7", REP_GOOD_US + 2 * SECOND), ADDRESS_REFUSE);
	rep_free(r);
}

static void
test_switched_off(void **unused)
{
	const struct rep_limits off = {.half_life_us = MINUTE, .ban_us = HOUR, .ban_max_us = HOUR};
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	struct prefix p = net("192.0.2.7");

	(void)unused;
	for (int i = 0; i < 100; i++)
		rep_score(r, &p, 100, i % 2 == 0 ? REP_WEAK : REP_STRONG, "probe", &off, 0);
	rep_tick(r, &off, SECOND);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_OK);
	assert_int_equal(s.n[REP_SLOWED] + s.n[REP_BANNED], 0);
	rep_free(r);
}

static void
test_by_hand(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	struct prefix p = net("198.51.0.0/16"), none = net("10.0.0.1");

	(void)unused;
	assert_int_equal(rep_ban(r, &p, HOUR, 1, true, "administrator", 0), SP_OK);
	assert_int_equal(state(r, "198.51.100.7", 0), ADDRESS_REFUSE);
	assert_int_equal(state(r, "198.52.100.7", 0), ADDRESS_OK);
	assert_int_equal(rep_pardon(r, &p), SP_OK);
	assert_int_equal(state(r, "198.51.100.7", 0), ADDRESS_OK);
	assert_int_equal(s.n[REP_UNBANNED], 1);
	assert_err(rep_pardon(r, &none), SP_ENOTFOUND);
	/* all is forgotten: the next ban is a first one */
	score(r, "192.0.2.7", 100, 0);
	p = net("192.0.2.7");
	assert_int_equal(rep_pardon(r, &p), SP_OK);
	score(r, "192.0.2.7", 99, 0);
	assert_int_equal(state(r, "192.0.2.7", 0), ADDRESS_SLOW);
	score(r, "192.0.2.7", 1, 0);
	assert_int_equal(rep_find(r, &p)->bans, 1);
	/* what a restart remembers makes the next longer, and refuses nobody */
	p = net("192.0.2.99");
	rep_remember(r, &p, 3, "probe", 0);
	assert_int_equal(state(r, "192.0.2.99", 0), ADDRESS_OK);
	score(r, "192.0.2.99", 100, 0);
	assert_int_equal(rep_find(r, &p)->until_us, 5 * HOUR);
	rep_free(r);
}

/* Full: the lowest score makes room; a ban only for one that lasts longer. */
static void
test_full(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	size_t known, slowed, refused;
	struct prefix p;
	char host[40];

	(void)unused;
	for (unsigned i = 0; i < REP_MAX; i++) {
		(void)snprintf(host, sizeof(host), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		p = net(host);
		rep_score(r, &p, i == 77 ? 1 : 5, REP_WEAK, "failed login", &limits, 0);
	}
	rep_counts(r, &known, &slowed, &refused);
	assert_int_equal(known, REP_MAX);
	p = net("192.0.2.1");
	rep_score(r, &p, 2, REP_WEAK, "failed login", &limits, 0);
	assert_int_equal(points(r, "10.0.0.77", 0), -1);
	assert_int_equal(points(r, "192.0.2.1", 0), 2000);
	assert_int_equal(points(r, "10.0.0.78", 0), 5000);
	/* now all are bans, of different length */
	for (size_t i = 0; i < REP_MAX; i++) {
		p = rep_at(r, i)->key;
		assert_int_equal(
		    rep_ban(r, &p, HOUR + (int64_t)i * SECOND, 1, false, "probe", 0), SP_OK);
	}
	p = net("192.0.2.2");
	assert_err(rep_ban(r, &p, HOUR, 1, true, "administrator", 0), SP_EFULL);
	rep_score(r, &p, 50, REP_STRONG, "probe", &limits, 0);
	assert_int_equal(points(r, "192.0.2.2", 0), -1);
	assert_int_equal(s.n[REP_FORGOTTEN], 0);
	assert_int_equal(rep_ban(r, &p, 2 * HOUR, 1, true, "administrator", 0), SP_OK);
	assert_int_equal(s.n[REP_FORGOTTEN], 1);
	rep_counts(r, &known, &slowed, &refused);
	assert_int_equal(refused, REP_MAX);
	/* time empties it */
	rep_tick(r, &limits, 10 * HOUR);
	rep_counts(r, &known, &slowed, &refused);
	assert_int_equal(refused, 0);
	rep_free(r);
}

static void
test_gates(void **unused)
{
	struct said s = {0};
	struct reputation *r = rep_new(changed, &s);
	struct prefix bad = net("192.0.2.7"), fair = net("192.0.2.8");

	(void)unused;
	score(r, "192.0.2.7", 100, 0);
	score(r, "192.0.2.8", 10, 0);
	ready(r);
	/* a gate that comes hears of those that are not OK */
	rep_resend(r, R_GATE_SFTP);
	assert_true(rep_is_pending(r));
	assert_int_equal(rep_find(r, &bad)->pending, R_GATE_SFTP);
	assert_int_equal(rep_find(r, &fair)->pending, 0);
	rep_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_thresholds),
	    cmocka_unit_test(test_decay),
	    cmocka_unit_test(test_bans_grow),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_guesses),
	    cmocka_unit_test(test_switched_off),
	    cmocka_unit_test(test_by_hand),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_gates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
