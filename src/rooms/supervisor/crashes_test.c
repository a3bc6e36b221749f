/* Workers that break: recorded one by one up to a rate, counted for their address beyond it, and
 * told to the broker each time. */
#include "base/test.h"

#include <stdio.h>

#include "base/mem.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"

static int64_t now_ms = 1000;
static unsigned n_notices, last_event;
static char last_text[513];

/* ---- what crashes.c calls ---- */

int64_t __wrap_clock_mono_ms(void);
int64_t
__wrap_clock_mono_ms(void)
{
	return now_ms;
}

void
notice(struct sup *s, uint16_t event, uint64_t serial, enum room room, const char *text)
{
	(void)s;
	(void)serial;
	(void)room;
	n_notices++;
	last_event = event;
	(void)snprintf(last_text, sizeof(last_text), "%s", text);
}

void
seat_sent(struct seat *seat, int err)
{
	(void)seat;
	assert_int_equal(err, SP_OK);
}

/* ---- the stage ---- */

struct stage {
	struct sup sup;
	struct pool pool;
	struct chan broker; /* its end */
	uint8_t buf[IPC_MAX];
};

static struct stage *
stage(void)
{
	struct stage *s = mem_alloc(sizeof(*s));
	int v[2];

	assert_int_equal(sock_pair(v), SP_OK);
	chan_init(&s->sup.seats[ROOM_BROKER].chan, v[0], ROOM_SUPERVISOR, ROOM_BROKER);
	s->sup.seats[ROOM_BROKER].state = ROOM_UP;
	chan_init(&s->broker, v[1], ROOM_BROKER, ROOM_SUPERVISOR);
	s->pool = (struct pool){.sup = &s->sup, .room = ROOM_WORKER_HTTPS};
	n_notices = 0;
	return s;
}

static void
done(struct stage *s)
{
	chan_close(&s->broker);
	chan_close(&s->sup.seats[ROOM_BROKER].chan);
	mem_free(s->sup.crashes);
	mem_free(s);
}

static void
breaks(struct stage *s, const char *address, unsigned kind)
{
	struct worker w = {.pool = &s->pool, .serial = 7};

	(void)snprintf(w.address, sizeof(w.address), "%s", address);
	worker_broke(&w, EVENT_WORKER_KILLED, kind, "was killed");
}

static unsigned
heard(struct stage *s, struct ipc_worker_broke *last)
{
	struct chan_msg m;
	unsigned n = 0;

	while (chan_recv(&s->broker, PH_ANY, false, s->buf, sizeof(s->buf), &m) == 1) {
		assert_int_equal(m.id, IPC_WORKER_BROKE);
		assert_int_equal(ipc_get_worker_broke(m.body, last), SP_OK);
		n++;
	}
	return n;
}

static void
test_counted(void **state)
{
	struct stage *s = stage();
	struct ipc_worker_broke last;

	(void)state;
	for (int i = 0; i < 50; i++)
		breaks(s, i % 2 == 0 ? "192.0.2.7:1" : "192.0.2.7:2", CONTACT_CRASH);
	assert_int_equal(n_notices, 20);
	assert_string_equal(last_text, "was killed");
	/* the broker counts by itself */
	assert_int_equal(heard(s, &last), 50);
	assert_int_equal(last.kind, CONTACT_CRASH);
	/* another address is not the worse for it */
	breaks(s, "192.0.2.8:1", CONTACT_CRASH);
	assert_int_equal(n_notices, 21);
	crashes_flush(&s->sup);
	assert_int_equal(n_notices, 21);
	now_ms += 60000;
	crashes_flush(&s->sup);
	assert_int_equal(n_notices, 22);
	assert_int_equal(last_event, EVENT_WORKER_KILLED);
	assert_string_equal(last_text, "30 more crashed or broke the rules; peer 192.0.2.7");
	crashes_flush(&s->sup);
	assert_int_equal(n_notices, 22);
	breaks(s, "192.0.2.7:9", CONTACT_CRASH); /* a new minute */
	assert_int_equal(n_notices, 23);
	done(s);
}

/* Many addresses: a bound in all. */
static void
test_bounded(void **state)
{
	struct stage *s = stage();
	struct ipc_worker_broke last;
	char peer[32];

	(void)state;
	for (unsigned i = 0; i < 2136; i++) {
		(void)snprintf(peer, sizeof(peer), "10.0.%u.%u:1", i >> 8, i & 255);
		breaks(s, peer, CONTACT_VIOLATION);
		(void)heard(s, &last);
	}
	assert_int_equal(n_notices, 2048 + 20);
	now_ms += 60000;
	crashes_flush(&s->sup);
	assert_int_equal(n_notices, 2048 + 20 + 1);
	assert_string_equal(last_text, "68 more crashed or broke the rules; peer others");
	done(s);
}

/* Nobody is blamed for what has no address, nor for a process that somebody ended. */
static void
test_not_blamed(void **state)
{
	struct stage *s = stage();
	struct ipc_worker_broke last;

	(void)state;
	breaks(s, "", CONTACT_CRASH);
	breaks(s, "192.0.2.7:1", 0);
	assert_int_equal(n_notices, 2);
	assert_int_equal(heard(s, &last), 0);
	s->sup.seats[ROOM_BROKER].state = ROOM_DOWN;
	breaks(s, "192.0.2.7:1", CONTACT_CRASH);
	assert_int_equal(n_notices, 3);
	done(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counted),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_not_blamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
