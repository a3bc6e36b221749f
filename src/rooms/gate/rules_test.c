#include "base/test.h"

#include <stdio.h>

#include "base/mem.h"
#include "rooms/gate/rules.h"

static struct prefix
net(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(span_str(s), &p), SP_OK);
	return p;
}

static enum address_state
state(struct rules *r, const char *peer, int64_t now_ms)
{
	struct prefix p;

	assert_int_equal(prefix_of_peer(peer, &p), SP_OK);
	return rules_state(r, &p, now_ms);
}

static void
set(struct rules *r, const char *prefix, enum address_state s, int64_t until_ms)
{
	struct prefix p = net(prefix);

	assert_int_equal(rules_set(r, &p, s, until_ms, 0), SP_OK);
}

static void
test_the_strictest_counts(void **unused)
{
	struct rules *r = rules_new();

	(void)unused;
	assert_int_equal(state(r, "192.0.2.7:1", 0), ADDRESS_OK);
	set(r, "192.0.2.0/24", ADDRESS_SLOW, 100);
	set(r, "192.0.2.7", ADDRESS_REFUSE, 50);
	assert_int_equal(state(r, "192.0.2.7:1", 0), ADDRESS_REFUSE);
	assert_int_equal(state(r, "[::ffff:192.0.2.7]:1", 0), ADDRESS_REFUSE);
	assert_int_equal(state(r, "192.0.2.8:1", 0), ADDRESS_SLOW);
	assert_int_equal(state(r, "192.0.3.7:1", 0), ADDRESS_OK);
	/* each ends by itself */
	assert_int_equal(state(r, "192.0.2.7:1", 50), ADDRESS_SLOW);
	assert_int_equal(state(r, "192.0.2.7:1", 100), ADDRESS_OK);
	/* an end that is moved, and one that is told */
	set(r, "192.0.2.7", ADDRESS_REFUSE, 500);
	assert_int_equal(state(r, "192.0.2.7:1", 400), ADDRESS_REFUSE);
	set(r, "192.0.2.7", ADDRESS_OK, 0);
	assert_int_equal(state(r, "192.0.2.7:1", 99), ADDRESS_SLOW);
	set(r, "2001:db8:1:2::/64", ADDRESS_REFUSE, 100);
	assert_int_equal(state(r, "[2001:db8:1:2:3::4]:9", 0), ADDRESS_REFUSE);
	assert_int_equal(state(r, "[2001:db8:1:3::4]:9", 0), ADDRESS_OK);
	rules_reset(r);
	assert_int_equal(rules_count(r), 0);
	assert_int_equal(state(r, "192.0.2.8:1", 0), ADDRESS_OK);
	rules_free(r);
}

/* A broker that says too much is not believed any further; what has expired makes room. */
static void
test_bounds(void **unused)
{
	struct rules *r = rules_new();
	char name[32];

	(void)unused;
	for (unsigned i = 0; i < RULES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		set(r, name, ADDRESS_REFUSE, i < 10 ? 5 : 1000);
	}
	struct prefix p = net("11.0.0.1");
	assert_err(rules_set(r, &p, ADDRESS_SLOW, 9, 4), SP_EFULL);
	assert_int_equal(rules_set(r, &p, ADDRESS_SLOW, 900, 5), SP_OK);
	assert_int_equal(rules_count(r), RULES_MAX - 9);
	assert_int_equal(state(r, "11.0.0.1:1", 6), ADDRESS_SLOW);
	for (unsigned i = 0; i < RULES_MAX; i += 7) {
		(void)snprintf(name, sizeof(name), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		set(r, name, ADDRESS_OK, 0);
		assert_int_equal(state(r, name, 6), ADDRESS_OK);
	}
	(void)snprintf(name, sizeof(name), "10.0.0.%u", 15);
	assert_int_equal(state(r, name, 6), ADDRESS_REFUSE);
	rules_free(r);
}

static void
test_held(void **unused)
{
	struct held *h = mem_alloc(sizeof(*h));

	(void)unused;
	assert_null(held_head(h));
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < HELD_MAX; i++)
			assert_int_equal(held_push(h, (int)i, "a", NULL, (int64_t)i), SP_OK);
		assert_err(held_push(h, 9, "a", NULL, 9), SP_EFULL);
		for (size_t i = 0; i < HELD_MAX; i++) {
			assert_int_equal(held_head(h)->fd, i);
			held_pop(h);
			if (i == HELD_MAX / 2) { /* goes round */
				assert_int_equal(held_push(h, (int)HELD_MAX, "b", NULL, 0), SP_OK);
			}
		}
		assert_string_equal(held_head(h)->peer, "b");
		held_pop(h);
		assert_null(held_head(h));
	}
	mem_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_strictest_counts),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
