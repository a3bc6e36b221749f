/* gate_links.c - the broker's side of the gates: which addresses are slowed or refused.  A gate has
 * nothing to say here. */
#include "rooms/broker/addresses.h"

#include "sys/fd.h"
#include "sys/log.h"

#define SLOW_HALVES 4 /* half-lives that a gate keeps one that is slowed without a further word */

static void
gate_lost(struct addresses *a, enum room gate)
{
	if (a->gate[gate].fd < 0)
		return;
	loop_unwatch(a->broker->loop, a->gate_watch[gate]);
	a->gate_watch[gate] = NULL;
	chan_close(&a->gate[gate]);
}

/* All that can come is its end. */
static void
on_gate(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct addresses *a = b->addresses;
	struct chan_msg m;

	(void)events;
	for (size_t i = 0; i < ROOM_COUNT; i++) {
		int rc;

		if (a->gate[i].fd != fd)
			continue;
		rc = chan_recv(&a->gate[i], PH_ANY, false, b->out, sizeof(b->out), &m);
		if (rc == 0)
			return;
		if (rc != SP_ECLOSED)
			log_error(
			    "%s said something: it is not heard any more", room_table[i].name);
		gate_lost(a, (enum room)i);
		return;
	}
}

int
addresses_gate(struct broker *b, enum room gate, int fd)
{
	const struct ipc_address_reset none = {0};
	struct addresses *a = b->addresses;

	gate_lost(a, gate);
	chan_init(&a->gate[gate], fd, ROOM_BROKER, gate);
	a->gate_watch[gate] = loop_watch(b->loop, fd, LOOP_IN, on_gate, b);
	if (a->gate_watch[gate] == NULL ||
	    chan_send_address_reset(&a->gate[gate], &none, -1) != SP_OK) {
		gate_lost(a, gate);
		return SP_ENOMEM;
	}
	rep_resend(a->book, 1u << gate);
	return SP_OK;
}

static int
send_entry(struct broker *b, enum room gate, const struct rep_entry *e)
{
	int64_t left_us = e->state == ADDRESS_REFUSE
			      ? e->until_us - addresses_now(b)
			      : SLOW_HALVES * b->start.conf.score_half_life * 1000000;
	struct ipc_address m = {.bits = e->key.bits, .state = e->state};

	if (left_us < 1000000)
		left_us = 1000000;
	m.left_s = left_us / 1000000 < 31536000 ? (uint32_t)(left_us / 1000000) : 31536000;
	memcpy(m.prefix.b, e->key.b, sizeof(m.prefix.b));
	return chan_send_address(&b->addresses->gate[gate], &m, -1);
}

/* One that does not read hears the rest when it does; a gate that is not there hears all when it
 * comes. */
static bool
tell_gate(struct broker *b, enum room gate)
{
	struct addresses *a = b->addresses;
	uint32_t bit = 1u << gate;

	for (size_t i = 0; i < REP_MAX; i++) {
		struct rep_entry *e = rep_at(a->book, i);
		int err;

		if (e == NULL || (e->pending & bit) == 0)
			continue;
		err = a->gate[gate].fd >= 0 ? send_entry(b, gate, e) : SP_OK;
		if (err == SP_EFULL)
			return false;
		if (err != SP_OK)
			gate_lost(a, gate);
		e->pending &= ~bit;
		e->told_us = addresses_now(b);
	}
	return true;
}

void
addresses_tell(struct broker *b)
{
	bool all = true;

	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (ipc_is_gate((enum room)i))
			all = tell_gate(b, (enum room)i) && all;
	if (all)
		rep_settled(b->addresses->book);
}

void
addresses_gates_end(struct broker *b)
{
	for (size_t i = 0; i < ROOM_COUNT; i++)
		gate_lost(b->addresses, (enum room)i);
}
