/* retire.c - workers that shall get no connection any more, and those that are ended by what they
 * serve. */
#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/log.h"

#define RETIRE_MS 5000

static void
retire(struct worker *w)
{
	struct seat *gate = &w->pool->sup->seats[ipc_gate(w->pool->room)];
	struct ipc_worker_gone m = {.serial = w->serial};

	if (w->state != WORKER_IDLE || (w->told & R_GATES) == 0) {
		worker_kill(w);
		return;
	}
	/* The gate closes its end.  A worker without a connection then ends by itself; one that was
	 * just given a connection serves it. */
	seat_sent(gate, chan_send_worker_gone(&gate->chan, &m, -1));
	w->told &= ~(unsigned)R_GATES;
	w->state = WORKER_RETIRED;
	w->retired_ms = clock_mono_ms();
	w->pool->idle--;
}

static void
retired_check(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)fd;
	(void)events;
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next)
			if (w->state == WORKER_RETIRED &&
			    clock_mono_ms() - w->retired_ms >= RETIRE_MS)
				worker_kill(w);
}

static void
retired_end_later(struct sup *s)
{
	if (loop_timer(s->loop, RETIRE_MS, retired_check, s) == 0)
		log_error("%s", sp_strerror(SP_ENOMEM));
}

void
workers_retire_copies(struct pool *p, uint64_t number)
{
	for (struct worker *w = p->workers; w != NULL; w = w->next)
		if (w->template == number &&
		    (w->state == WORKER_STARTING || w->state == WORKER_IDLE))
			retire(w);
	retired_end_later(p->sup);
}

void
workers_retire(struct sup *s)
{
	templates_drop(s);
	for (size_t i = 0; i < POOL_COUNT; i++) {
		struct pool *p = &s->pools[i];

		/* Authenticators and the scrubber may have a job, and take their next settings with
		 * the next process. */
		for (struct worker *w = p->workers; w != NULL && ipc_is_worker(p->room);
		     w = w->next)
			if (w->state == WORKER_STARTING || w->state == WORKER_IDLE)
				retire(w);
	}
	retired_end_later(s);
}

void
workers_lock(struct sup *s, enum room gate)
{
	for (size_t i = 0; i < POOL_COUNT; i++) {
		struct pool *p = &s->pools[i];

		if (!ipc_is_worker(p->room) || ipc_gate(p->room) != gate)
			continue;
		for (struct worker *w = p->workers; w != NULL; w = w->next)
			worker_kill(w);
	}
}

/* The host of "ADDRESS:PORT". */
static struct span
host_of(struct span address)
{
	size_t n = address.len;

	while (n > 0 && address.ptr[n - 1] != ':')
		n--;
	return span_cut(address, n > 0 ? n - 1 : address.len);
}

void
workers_end_address(struct sup *s, uint64_t serial, struct span address)
{
	struct span host = host_of(address);

	for (size_t i = 0; i < POOL_COUNT; i++)
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next)
			if (w->serial == serial ||
			    (host.len != 0 && span_eq(host, host_of(span_str(w->address)))))
				worker_kill(w);
}
