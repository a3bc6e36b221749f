/* crashes.c - workers that crashed or broke the rules, by the address that they served: recorded
 * one by one up to a rate, then counted, so that whoever can crash a worker cannot fill the log. */
#include <stdio.h>

#include "base/prefix.h"
#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/log.h"

#define CRASH_SLOTS                                                                                \
	2048u /* a minute of workers, each broken from another address: they start faster than     \
		 that */
#define CRASH_WINDOW_MS 60000
#define CRASH_SINGLE 20u /* recorded one by one in a window */

struct crash_slot {
	struct prefix host; /* bits 0: unused */
	int64_t since_ms;
	uint32_t single, counted;
};
struct crashes {
	struct crash_slot slot[CRASH_SLOTS];
	struct crash_slot others; /* when all slots are taken, and for what had no connection yet */
};

static struct crash_slot *
find_slot(struct crashes *c, const char *address, int64_t now_ms)
{
	struct crash_slot *unused = NULL;
	struct prefix host;

	if (prefix_of_peer(address, &host) != SP_OK)
		return &c->others;
	host = prefix_host(&host);
	for (size_t i = 0; i < CRASH_SLOTS; i++) {
		struct crash_slot *s = &c->slot[i];

		if (prefix_eq(&s->host, &host))
			return s;
		if (unused == NULL && s->counted == 0 &&
		    (s->host.bits == 0 || now_ms - s->since_ms >= CRASH_WINDOW_MS))
			unused = s;
	}
	if (unused == NULL)
		return &c->others;
	*unused = (struct crash_slot){.host = host, .since_ms = now_ms};
	return unused;
}

/* May one more be recorded by itself?  If not it is counted. */
static bool
admit(struct sup *s, const char *address)
{
	int64_t now_ms = clock_mono_ms();
	struct crash_slot *slot;

	if (s->crashes == NULL && (s->crashes = mem_alloc(sizeof(*s->crashes))) == NULL)
		return true;
	slot = find_slot(s->crashes, address, now_ms);
	if (slot->counted == 0 && now_ms - slot->since_ms >= CRASH_WINDOW_MS) {
		slot->since_ms = now_ms;
		slot->single = 0;
	}
	if (slot->single < CRASH_SINGLE) {
		slot->single++;
		return true;
	}
	slot->counted++;
	return false;
}

static void
tell_broker(struct worker *w, unsigned kind)
{
	struct seat *broker = &w->pool->sup->seats[ROOM_BROKER];
	struct ipc_worker_broke m = {
	    .serial = w->serial, .kind = (uint8_t)kind, .address = span_str(w->address)};

	if (kind != 0 && w->address[0] != '\0' && broker->state == ROOM_UP)
		seat_sent(broker, chan_send_worker_broke(&broker->chan, &m, -1));
}

void
worker_broke(struct worker *w, enum sup_event event, unsigned kind, const char *text)
{
	if (admit(w->pool->sup, w->address))
		notice(w->pool->sup, (uint16_t)event, w->serial, w->pool->room, text);
	tell_broker(w, kind);
}

static void
flush_slot(struct sup *s, struct crash_slot *slot, int64_t now_ms)
{
	char text[PREFIX_TEXT + 96];
	struct text t = text_of(text, sizeof(text));

	if (slot->counted == 0 || now_ms - slot->since_ms < CRASH_WINDOW_MS)
		return;
	text_fmt(&t, "%u more crashed or broke the rules; peer ", slot->counted);
	if (slot->host.bits != 0)
		prefix_text(&t, &slot->host);
	else
		text_str(&t, "others");
	notice(s, EVENT_WORKER_KILLED, 0, ROOM_SUPERVISOR, text);
	slot->counted = slot->single = 0;
	slot->since_ms = now_ms;
}

void
crashes_flush(struct sup *s)
{
	int64_t now_ms = clock_mono_ms();

	if (s->crashes == NULL)
		return;
	for (size_t i = 0; i < CRASH_SLOTS; i++)
		flush_slot(s, &s->crashes->slot[i], now_ms);
	flush_slot(s, &s->crashes->others, now_ms);
}
