#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "rooms/gate/gate.h"
#include "sys/fd.h"

static struct gate_table *
table(void)
{
	struct gate_table *t = mem_alloc(sizeof(*t));

	assert_non_null(t);
	t->self = ROOM_GATE_HTTPS;
	t->worker = ROOM_WORKER_HTTPS;
	return t;
}

static int
socket_fd(void)
{
	int v[2];

	assert_int_equal(sock_pair(v), SP_OK);
	close_fd(&v[1]);
	return v[0];
}

static void
done(struct gate_table *t)
{
	gate_done(t);
	for (size_t i = 0; i < GATE_BUCKETS; i++)
		assert_null(t->addresses[i]);
	assert_null(t->idle[0].first);
	assert_null(t->idle[1].last);
	mem_free(t);
}

static void
test_first_in_first_out(void **state)
{
	struct gate_table *t = table();

	(void)state;
	assert_null(gate_idle(t, 0));
	assert_int_equal(gate_add(t, 5, 0, socket_fd()), SP_OK);
	assert_int_equal(gate_add(t, 6, 0, socket_fd()), SP_OK);
	assert_int_equal(gate_add(t, 7, 1, socket_fd()), SP_OK);
	assert_int_equal(gate_idle(t, 0)->serial, 5);
	assert_int_equal(gate_idle(t, 1)->serial, 7);
	gate_take(t, gate_idle(t, 0), gate_admit(t, "10.0.0.1:1", 9));
	assert_int_equal(gate_idle(t, 0)->serial, 6);
	gate_remove(t, 6);
	assert_null(gate_idle(t, 0));
	gate_remove(t, 6);
	gate_remove(t, 99);
	assert_int_equal(gate_idle(t, 1)->serial, 7);
	done(t);
}

static void
test_refusals(void **state)
{
	struct gate_table *t = table();
	int fd = socket_fd();

	(void)state;
	assert_int_equal(gate_add(t, 5, 0, fd), SP_OK);
	assert_int_equal(gate_add(t, 5, 0, fd), SP_EEXISTS);
	assert_int_equal(gate_add(t, 6, 2, fd), SP_ERANGE);
	mem_fail_at(1);
	assert_int_equal(gate_add(t, 6, 0, fd), SP_ENOMEM);
	mem_fail_at(1);
	assert_null(gate_admit(t, "10.0.0.1:1", 9));
	mem_fail_at(0);
	done(t);
}

/* The limit counts hosts, not ports; ended workers give their place back. */
static void
test_limit_per_address(void **state)
{
	struct gate_table *t = table();
	char peer[32];

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		(void)snprintf(peer, sizeof(peer), "10.0.0.1:%u", (unsigned)(1000 + i));
		assert_int_equal(gate_add(t, i, 0, socket_fd()), SP_OK);
		gate_take(t, gate_idle(t, 0), gate_admit(t, peer, 3));
	}
	assert_null(gate_admit(t, "10.0.0.1:2000", 3));
	/* others are not concerned */
	gate_release(t, gate_admit(t, "10.0.0.2:2000", 3));
	gate_release(t, gate_admit(t, "[::1]:2000", 3));
	gate_remove(t, 1);
	gate_release(t, gate_admit(t, "10.0.0.1:2001", 3));
	done(t);
}

/* Who has one IPv6 address has 2^64 of them: they count together. */
static void
test_limit_per_network(void **state)
{
	struct gate_table *t = table();
	struct gate_address *a, *b, *c, *d, *e;

	(void)state;
	a = gate_admit(t, "[2001:db8:1:2::5]:1000", 2);
	b = gate_admit(t, "[2001:db8:1:2:aaaa:bbbb:cccc:dddd]:1000", 2);
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_null(gate_admit(t, "[2001:db8:1:2:1::7]:1", 2));
	/* the neighbours' */
	c = gate_admit(t, "[2001:db8:1:3::5]:1000", 2);
	assert_non_null(c);
	assert_ptr_not_equal(a, c);
	/* IPv4 stays what it is */
	d = gate_admit(t, "[::ffff:10.0.0.1]:1", 1);
	e = gate_admit(t, "[::ffff:10.0.0.2]:1", 1);
	assert_non_null(d);
	assert_non_null(e);
	assert_null(gate_admit(t, "[::ffff:10.0.0.1]:2", 1));
	gate_release(t, a), gate_release(t, b), gate_release(t, c);
	gate_release(t, d), gate_release(t, e);
	done(t);
}

static void
test_many(void **state)
{
	struct gate_table *t = table();
	char peer[32];

	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		(void)snprintf(peer, sizeof(peer), "10.%u.0.1:5", (unsigned)(i % 97));
		assert_int_equal(gate_add(t, i * GATE_BUCKETS, 0, socket_fd()), SP_OK);
		gate_take(t, gate_idle(t, 0), gate_admit(t, peer, 100));
	}
	for (uint64_t i = 0; i < 300; i += 3)
		gate_remove(t, i * GATE_BUCKETS);
	done(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_limit_per_address),
	    cmocka_unit_test(test_limit_per_network),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
