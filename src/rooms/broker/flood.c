/* flood.c - events before login: recorded one by one up to a rate, then counted, so that a stranger
 * cannot fill the log. */
#include "base/text.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/lockout.h"

#define FLOOD_SLOTS 512u
#define FLOOD_WINDOW_US (60 * 1000000ll)
#define FLOOD_SINGLE 20u /* recorded one by one in a window */

struct flood_slot {
	char address[64];
	int64_t since_us;
	uint32_t single, counted;
};
struct flood {
	struct flood_slot slot[FLOOD_SLOTS];
	struct flood_slot others; /* when all slots are taken */
};

static struct flood_slot *
find_slot(struct flood *f, const char *key, int64_t now_us)
{
	struct flood_slot *unused = NULL;

	for (size_t i = 0; i < FLOOD_SLOTS; i++) {
		struct flood_slot *s = &f->slot[i];

		if (s->address[0] != '\0' && strcmp(s->address, key) == 0)
			return s;
		if (unused == NULL && s->counted == 0 &&
		    (s->address[0] == '\0' || now_us - s->since_us >= FLOOD_WINDOW_US))
			unused = s;
	}
	if (unused == NULL)
		return &f->others;
	*unused = (struct flood_slot){.since_us = now_us};
	memcpy(unused->address, key, strlen(key) + 1);
	return unused;
}

bool
flood_admit(struct broker *b, const char *address)
{
	char key[64];
	struct flood_slot *s;
	int64_t now_us = b->wall_us();

	if (b->flood == NULL && (b->flood = mem_alloc(sizeof(*b->flood))) == NULL)
		return true;
	lockout_key_address(address, key, sizeof(key));
	s = find_slot(b->flood, key, now_us);
	if (s->counted == 0 && (now_us - s->since_us >= FLOOD_WINDOW_US || now_us < s->since_us)) {
		s->since_us = now_us;
		s->single = 0;
	}
	if (s->single < FLOOD_SINGLE) {
		s->single++;
		return true;
	}
	s->counted++;
	return false;
}

static void
flush_slot(struct broker *b, struct flood_slot *s, const char *address)
{
	struct record rec;
	struct actor nobody = {0};

	if (s->counted == 0)
		return;
	(void)memccpy(nobody.address, address, '\0', sizeof(nobody.address) - 1);
	record_init(&rec, EVENT_LOGIN_EVENTS, &nobody, 0);
	record_num(&rec, "count", s->counted);
	ledger_note(b, &rec);
	s->counted = s->single = 0;
	s->since_us = b->wall_us();
}

void
flood_flush(struct broker *b)
{
	if (b->flood == NULL)
		return;
	for (size_t i = 0; i < FLOOD_SLOTS; i++)
		flush_slot(b, &b->flood->slot[i], b->flood->slot[i].address);
	flush_slot(b, &b->flood->others, "others");
}
