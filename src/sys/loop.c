#include "sys/loop.h"

#include <errno.h>
#include <unistd.h>
#include <sys/epoll.h>

#include "sys/clock.h"
#include "sys/fail.h"
#include "sys/fd.h"

enum { IDLE_MAX = 4, EVENTS_MIN = 64 };

struct loop_watch {
	int fd;
	unsigned events;
	loop_fn fn;
	void *arg;
	bool priority, dead;
	struct loop_watch *next, *prev; /* of loop.watches, or of loop.dead by next alone */
};

struct timer {
	int64_t due_ms;
	uint64_t id;
	loop_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	bool stopped;
	struct loop_watch *watches, *dead;
	size_t n_watches;
	struct epoll_event
	    *events; /* room for every watch: then priority holds for a whole wake-up */
	size_t events_cap;
	struct timer *timers; /* a binary heap, soonest first */
	size_t n_timers, timers_cap;
	uint64_t last_id;
	struct {
		loop_idle_fn fn;
		void *arg;
	} idle[IDLE_MAX];
	size_t n_idle;
};

struct loop *
loop_new(void)
{
	struct loop *l = mem_alloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	/* made by the first watch: a room may have its loop before room_enter closes all stray
	 * descriptors */
	l->epoll = -1;
	l->events = mem_array(EVENTS_MIN, sizeof(*l->events));
	l->events_cap = EVENTS_MIN;
	if (l->events == NULL) {
		loop_free(l);
		return NULL;
	}
	return l;
}

static void
free_dead(struct loop *l)
{
	while (l->dead != NULL) {
		struct loop_watch *w = l->dead;

		l->dead = w->next;
		mem_free(w);
	}
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (l->watches != NULL)
		loop_unwatch(l, l->watches);
	free_dead(l);
	close_fd(&l->epoll);
	mem_free(l->events);
	mem_free(l->timers);
	mem_free(l);
}

static uint32_t
to_epoll(unsigned events)
{
	return ((events & LOOP_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
	       ((events & LOOP_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
}

static unsigned
from_epoll(uint32_t events)
{
	return ((events & EPOLLIN) != 0 ? (unsigned)LOOP_IN : 0) |
	       ((events & EPOLLOUT) != 0 ? (unsigned)LOOP_OUT : 0) |
	       ((events & (EPOLLHUP | EPOLLERR)) != 0 ? (unsigned)LOOP_HUP : 0);
}

static int
grow_events(struct loop *l)
{
	struct epoll_event *more;

	if (l->n_watches < l->events_cap)
		return SP_OK;
	more =
	    mem_grow(l->events, l->events_cap * sizeof(*more), l->events_cap * 2 * sizeof(*more));
	if (more == NULL)
		return SP_ENOMEM;
	l->events = more;
	l->events_cap *= 2;
	return SP_OK;
}

static int
open_epoll(struct loop *l)
{
	if (l->epoll == -1)
		l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll >= 0 ? SP_OK : sys_fail("epoll_create1");
}

struct loop_watch *
loop_watch(struct loop *l, int fd, unsigned events, loop_fn fn, void *arg)
{
	struct epoll_event e = {.events = to_epoll(events)};
	struct loop_watch *w;

	if (grow_events(l) != SP_OK || open_epoll(l) != SP_OK)
		return NULL;
	w = mem_alloc(sizeof(*w));
	if (w == NULL)
		return NULL;
	*w = (struct loop_watch){.fd = fd, .events = events, .fn = fn, .arg = arg};
	e.data.ptr = w;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) == -1) {
		(void)sys_fail("epoll_ctl");
		mem_free(w);
		return NULL;
	}
	w->next = l->watches;
	if (w->next != NULL)
		w->next->prev = w;
	l->watches = w;
	l->n_watches++;
	return w;
}

void
loop_unwatch(struct loop *l, struct loop_watch *w)
{
	if (w == NULL || w->dead)
		return;
	/* fails when the descriptor is closed already: then epoll has forgotten it */
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		l->watches = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	l->n_watches--;
	/* An event of it may be pending in this batch: the memory stays until the batch is done. */
	w->dead = true;
	w->prev = NULL;
	w->next = l->dead;
	l->dead = w;
}

int
loop_change(struct loop *l, struct loop_watch *w, unsigned events)
{
	struct epoll_event e = {.events = to_epoll(events), .data.ptr = w};

	if (w->events == events)
		return SP_OK;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e) == -1)
		return sys_fail("epoll_ctl");
	w->events = events;
	return SP_OK;
}

void
loop_priority(struct loop_watch *w)
{
	w->priority = true;
}

void
loop_idle(struct loop *l, loop_idle_fn fn, void *arg)
{
	PRECOND(l->n_idle < IDLE_MAX);
	l->idle[l->n_idle].fn = fn;
	l->idle[l->n_idle].arg = arg;
	l->n_idle++;
}

static void
heap_swap(struct timer *h, size_t a, size_t b)
{
	struct timer t = h[a];

	h[a] = h[b];
	h[b] = t;
}

static void
heap_up(struct timer *h, size_t i)
{
	while (i > 0 && h[i].due_ms < h[(i - 1) / 2].due_ms) {
		heap_swap(h, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void
heap_down(struct timer *h, size_t n, size_t i)
{
	for (;;) {
		size_t least = i, left = 2 * i + 1, right = left + 1;

		if (left < n && h[left].due_ms < h[least].due_ms)
			least = left;
		if (right < n && h[right].due_ms < h[least].due_ms)
			least = right;
		if (least == i)
			return;
		heap_swap(h, i, least);
		i = least;
	}
}

static void
heap_remove(struct loop *l, size_t i)
{
	l->n_timers--;
	if (i == l->n_timers)
		return;
	l->timers[i] = l->timers[l->n_timers];
	heap_up(l->timers, i);
	heap_down(l->timers, l->n_timers, i);
}

uint64_t
loop_timer(struct loop *l, int64_t delay_ms, loop_fn fn, void *arg)
{
	if (l->n_timers == l->timers_cap) {
		size_t cap = l->timers_cap == 0 ? 16 : l->timers_cap * 2;
		struct timer *more =
		    mem_grow(l->timers, l->timers_cap * sizeof(*more), cap * sizeof(*more));

		if (more == NULL)
			return 0;
		l->timers = more;
		l->timers_cap = cap;
	}
	l->timers[l->n_timers] = (struct timer){
	    .due_ms = clock_mono_ms() + delay_ms, .id = ++l->last_id, .fn = fn, .arg = arg};
	heap_up(l->timers, l->n_timers++);
	return l->last_id;
}

void
loop_timer_cancel(struct loop *l, uint64_t id)
{
	for (size_t i = 0; i < l->n_timers; i++) {
		if (l->timers[i].id == id) {
			heap_remove(l, i);
			return;
		}
	}
}

static int
next_timeout(const struct loop *l)
{
	int64_t left;

	if (l->n_timers == 0)
		return -1;
	left = l->timers[0].due_ms - clock_mono_ms();
	if (left < 0)
		left = 0;
	return left > 60000 ? 60000 : (int)left;
}

static void
serve_timers(struct loop *l)
{
	int64_t now = clock_mono_ms();

	while (!l->stopped && l->n_timers != 0 && l->timers[0].due_ms <= now) {
		struct timer t = l->timers[0];

		heap_remove(l, 0);
		t.fn(t.arg, -1, 0);
	}
}

static void
serve_events(struct loop *l, size_t n, bool priority)
{
	for (size_t i = 0; i < n && !l->stopped; i++) {
		struct loop_watch *w = l->events[i].data.ptr;
		unsigned got = from_epoll(l->events[i].events);

		if (w->dead || w->priority != priority)
			continue;
		w->fn(w->arg, w->fd, got);
	}
}

int
loop_run(struct loop *l)
{
	int err = open_epoll(l);

	if (err != SP_OK)
		return err;
	l->stopped = false;
	while (!l->stopped) {
		int n = epoll_wait(l->epoll, l->events, (int)l->events_cap, next_timeout(l));

		if (n == -1 && errno != EINTR)
			return sys_fail("epoll_wait");
		if (n > 0) {
			serve_events(l, (size_t)n, true);
			serve_events(l, (size_t)n, false);
		}
		serve_timers(l);
		for (size_t i = 0; i < l->n_idle && !l->stopped; i++)
			l->idle[i].fn(l->idle[i].arg);
		free_dead(l);
	}
	return SP_OK;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}
