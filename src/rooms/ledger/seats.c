#include "rooms/ledger/seats.h"

#include "base/mem.h"
#include "base/text.h"

#define BUCKETS 8192u /* serials count up: they spread by themselves */

int
seats_init(struct seats *s)
{
	*s = (struct seats){0};
	s->bucket = mem_array(BUCKETS, sizeof(struct seat *));
	return s->bucket != NULL ? SP_OK : SP_ENOMEM;
}

void
seats_done(struct seats *s)
{
	for (size_t i = 0; s->bucket != NULL && i < BUCKETS; i++) {
		while (s->bucket[i] != NULL) {
			struct seat *seat = s->bucket[i];

			s->bucket[i] = seat->next;
			mem_free(seat);
		}
	}
	mem_free(s->bucket);
	*s = (struct seats){0};
}

struct seat *
seats_find(const struct seats *s, uint64_t serial)
{
	struct seat *seat = s->bucket[serial % BUCKETS];

	while (seat != NULL && seat->serial != serial)
		seat = seat->next;
	return seat;
}

int
seats_add(struct seats *s, uint64_t serial, enum room room, uint8_t listener)
{
	struct seat *seat;

	if (serial == 0 || seats_find(s, serial) != NULL)
		return SP_EEXISTS;
	if (s->n - s->n_gone >= SEATS_MAX)
		return SP_EFULL;
	seat = mem_alloc(sizeof(*seat));
	if (seat == NULL)
		return SP_ENOMEM;
	seat->serial = serial;
	seat->room = room;
	seat->listener = listener;
	seat->next = s->bucket[serial % BUCKETS];
	s->bucket[serial % BUCKETS] = seat;
	s->n++;
	return SP_OK;
}

void
seats_peer(struct seats *s, uint64_t serial, struct span addr)
{
	struct seat *seat = seats_find(s, serial);
	struct text t;

	if (seat == NULL)
		return;
	t = text_of(seat->addr, sizeof(seat->addr));
	text_add(&t, span_cut(addr, sizeof(seat->addr) - 1));
}

static void
forget_oldest(struct seats *s)
{
	struct seat *seat = s->gone_first, **p = &s->bucket[seat->serial % BUCKETS];

	while (*p != seat)
		p = &(*p)->next;
	*p = seat->next;
	s->gone_first = seat->gone_next;
	if (s->gone_first == NULL)
		s->gone_last = NULL;
	s->n--;
	s->n_gone--;
	mem_free(seat);
}

void
seats_gone(struct seats *s, uint64_t serial)
{
	struct seat *seat = seats_find(s, serial);

	if (seat == NULL || seat->gone)
		return;
	seat->gone = true;
	if (s->gone_last != NULL)
		s->gone_last->gone_next = seat;
	else
		s->gone_first = seat;
	s->gone_last = seat;
	if (++s->n_gone > SEATS_GONE)
		forget_oldest(s);
}

const char *
seat_door(const struct seat *seat)
{
	switch (seat->room) {
	case ROOM_WORKER_HTTPS:
		return "https";
	case ROOM_WORKER_SFTP:
		return "sftp";
	case ROOM_SCRUBBER:
		return "scrubber";
	case ROOM_AUTHENTICATOR:
		return "authenticator";
	default:
		return NULL;
	}
}

const char *
seat_listener(const struct seat *seat)
{
	return seat->listener == 0 ? "public" : seat->listener == 1 ? "admin" : NULL;
}
