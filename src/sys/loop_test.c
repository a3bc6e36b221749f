#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <unistd.h>

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/loop.h"

/* What happened, in order, one letter an event. */
struct log {
	struct loop *loop;
	char text[64];
	size_t len;
	struct loop_watch *other;
	int pipes[4][2];
	int idles;
};

static void
add(struct log *l, char c)
{
	assert_true(l->len + 1 < sizeof(l->text));
	l->text[l->len++] = c;
}

static void
begin(struct log *l)
{
	*l = (struct log){.loop = loop_new()};
	assert_non_null(l->loop);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pipe(l->pipes[i]), 0);
}

static void
end(struct log *l)
{
	loop_free(l->loop);
	for (size_t i = 0; i < 4; i++) {
		close_fd(&l->pipes[i][0]);
		close_fd(&l->pipes[i][1]);
	}
}

static void
stop(void *arg, int fd, unsigned events)
{
	struct log *l = arg;

	(void)fd;
	(void)events;
	loop_stop(l->loop);
}

static void
put(struct log *l, size_t i)
{
	assert_int_equal(sock_write_all(l->pipes[i][1], "x", 1), SP_OK);
}

static char
take(int fd)
{
	char c = 0;

	assert_int_equal(sock_read(fd, &c, 1), 1);
	return c;
}

static void
on_plain(void *arg, int fd, unsigned events)
{
	assert_int_equal(events & LOOP_IN, LOOP_IN);
	(void)take(fd);
	add(arg, 'p');
}

static void
on_first(void *arg, int fd, unsigned events)
{
	(void)events;
	(void)take(fd);
	add(arg, '1');
}

static void
test_priority(void **state)
{
	struct log l;
	struct loop_watch *w;

	(void)state;
	begin(&l);
	assert_non_null(loop_watch(l.loop, l.pipes[0][0], LOOP_IN, on_plain, &l));
	assert_non_null(loop_watch(l.loop, l.pipes[1][0], LOOP_IN, on_plain, &l));
	w = loop_watch(l.loop, l.pipes[2][0], LOOP_IN, on_first, &l);
	assert_non_null(w);
	loop_priority(w);
	put(&l, 0);
	put(&l, 1);
	put(&l, 2);
	assert_true(loop_timer(l.loop, 20, stop, &l) != 0);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "1pp");
	end(&l);
}

/* A callback ends another watch whose event is pending: it is not called any more. */
static void
on_unwatch_other(void *arg, int fd, unsigned events)
{
	struct log *l = arg;

	(void)events;
	(void)take(fd);
	add(l, 'u');
	loop_unwatch(l->loop, l->other);
	l->other = NULL;
}

static void
test_unwatch_pending(void **state)
{
	struct log l;
	struct loop_watch *w;

	(void)state;
	begin(&l);
	l.other = loop_watch(l.loop, l.pipes[0][0], LOOP_IN, on_plain, &l);
	w = loop_watch(l.loop, l.pipes[1][0], LOOP_IN, on_unwatch_other, &l);
	assert_non_null(w);
	loop_priority(w);
	put(&l, 0);
	put(&l, 1);
	assert_true(loop_timer(l.loop, 20, stop, &l) != 0);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "u");
	end(&l);
}

static void
on_hangup(void *arg, int fd, unsigned events)
{
	struct log *l = arg;

	(void)fd;
	if ((events & LOOP_HUP) != 0)
		add(l, 'h');
	loop_stop(l->loop);
}

static void
test_hangup(void **state)
{
	struct log l;

	(void)state;
	begin(&l);
	assert_non_null(loop_watch(l.loop, l.pipes[0][0], LOOP_IN, on_hangup, &l));
	close_fd(&l.pipes[0][1]);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "h");
	end(&l);
}

static void
test_change(void **state)
{
	struct log l;
	struct loop_watch *w;

	(void)state;
	begin(&l);
	w = loop_watch(l.loop, l.pipes[0][0], LOOP_IN, on_plain, &l);
	assert_int_equal(loop_change(l.loop, w, 0), SP_OK);
	put(&l, 0);
	assert_true(loop_timer(l.loop, 10, stop, &l) != 0);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "");
	assert_int_equal(loop_change(l.loop, w, LOOP_IN), SP_OK);
	assert_true(loop_timer(l.loop, 10, stop, &l) != 0);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "p");
	end(&l);
}

#define TIMER(name, letter)                                                                        \
	static void name(void *arg, int fd, unsigned events)                                       \
	{                                                                                          \
		assert_int_equal(fd, -1);                                                          \
		assert_int_equal(events, 0);                                                       \
		add(arg, letter);                                                                  \
	}
TIMER(timer_a, 'a')
TIMER(timer_b, 'b')
TIMER(timer_c, 'c')

static void
test_timers_in_order(void **state)
{
	struct log l;
	uint64_t cancelled;
	int64_t before = clock_mono_ms();

	(void)state;
	begin(&l);
	assert_true(loop_timer(l.loop, 30, timer_c, &l) != 0);
	assert_true(loop_timer(l.loop, 10, timer_a, &l) != 0);
	cancelled = loop_timer(l.loop, 15, timer_a, &l);
	assert_true(loop_timer(l.loop, 20, timer_b, &l) != 0);
	assert_true(loop_timer(l.loop, 40, stop, &l) != 0);
	loop_timer_cancel(l.loop, cancelled);
	loop_timer_cancel(l.loop, cancelled);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "abc");
	assert_true(clock_mono_ms() - before >= 39);
	end(&l);
}

/* Many timers, put in without order, half of them cancelled: the rest come in order. */
static void
on_ordered(void *arg, int fd, unsigned events)
{
	int64_t *last = arg;
	int64_t now = clock_mono_ms();

	(void)fd;
	(void)events;
	assert_true(now >= last[0]);
	last[0] = now;
	last[1]++;
}

static void
test_many_timers(void **state)
{
	struct log l;
	int64_t last[2] = {0, 0};
	uint64_t id[200];

	(void)state;
	begin(&l);
	for (size_t i = 0; i < ARRAY_LEN(id); i++) {
		id[i] = loop_timer(l.loop, (int64_t)(i * 7919 % 40), on_ordered, last);
		assert_true(id[i] != 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(id); i += 2)
		loop_timer_cancel(l.loop, id[i]);
	assert_true(loop_timer(l.loop, 60, stop, &l) != 0);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_int_equal(last[1], 100);
	end(&l);
}

static void
on_idle(void *arg)
{
	struct log *l = arg;

	add(l, 'i');
	if (++l->idles == 1)
		loop_stop(l->loop);
}

/* The batch's end comes once after all its events. */
static void
test_idle(void **state)
{
	struct log l;

	(void)state;
	begin(&l);
	assert_non_null(loop_watch(l.loop, l.pipes[0][0], LOOP_IN, on_plain, &l));
	assert_non_null(loop_watch(l.loop, l.pipes[1][0], LOOP_IN, on_plain, &l));
	loop_idle(l.loop, on_idle, &l);
	put(&l, 0);
	put(&l, 1);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "ppi");
	end(&l);
}

/* More watches than the first array of events: all of one wake-up are seen together. */
static void
test_many_watches(void **state)
{
	enum { MANY = 200 };
	struct log l;
	int pairs[MANY][2];

	(void)state;
	begin(&l);
	l.len = 0;
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(sock_pair(pairs[i]), SP_OK);
		assert_non_null(loop_watch(l.loop, pairs[i][0], LOOP_IN, on_hangup, &l));
	}
	close_fd(&pairs[MANY - 1][1]);
	assert_int_equal(loop_run(l.loop), SP_OK);
	assert_string_equal(l.text, "h");
	loop_free(l.loop);
	l.loop = NULL;
	for (size_t i = 0; i < MANY; i++) {
		close_fd(&pairs[i][0]);
		close_fd(&pairs[i][1]);
	}
	end(&l);
}

static void
test_no_memory(void **state)
{
	struct loop *l;

	(void)state;
	for (unsigned long n = 1; n <= 2; n++) {
		mem_fail_at(n);
		assert_null(loop_new());
	}
	mem_fail_at(0);
	l = loop_new();
	mem_fail_at(1);
	assert_null(loop_watch(l, 0, LOOP_IN, stop, NULL));
	mem_fail_at(1);
	assert_int_equal(loop_timer(l, 1, stop, NULL), 0);
	mem_fail_at(0);
	loop_free(l);
	loop_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_priority),
	    cmocka_unit_test(test_unwatch_pending),
	    cmocka_unit_test(test_hangup),
	    cmocka_unit_test(test_change),
	    cmocka_unit_test(test_timers_in_order),
	    cmocka_unit_test(test_many_timers),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_many_watches),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
