/* workers.c - see workers.h. */
#include "rooms/vault/workers.h"

#include "base/mem.h"

void
vault_workers_init(struct vault_workers *t, struct loop *loop,
    void (*spoke)(void *arg, uint64_t serial), void *arg)
{
	*t = (struct vault_workers){.loop = loop, .spoke = spoke, .arg = arg};
}

void
vault_seat_close(struct vault_seat *s)
{
	if (s->watch != NULL)
		loop_unwatch(s->table->loop, s->watch);
	s->watch = NULL;
	chan_close(&s->chan);
}

/* Its socket is ready: it spoke, or it has ended. */
static void
seat_ready(void *arg, int fd, unsigned events)
{
	struct vault_seat *s = arg;

	(void)fd;
	vault_seat_close(s);
	if ((events & LOOP_HUP) == 0)
		s->table->spoke(s->table->arg, s->worker.serial);
}

static struct vault_seat **
bucket_of(struct vault_workers *t, uint64_t serial)
{
	return &t->bucket[serial % ARRAY_LEN(t->bucket)];
}

struct vault_seat *
vault_workers_find(struct vault_workers *t, uint64_t serial)
{
	struct vault_seat *s = *bucket_of(t, serial);

	while (s != NULL && s->worker.serial != serial)
		s = s->next;
	return s;
}

int
vault_workers_add(struct vault_workers *t, uint64_t serial, enum room room, int fd)
{
	struct vault_seat **bucket = bucket_of(t, serial), *s;

	if (vault_workers_find(t, serial) != NULL)
		return SP_EEXISTS;
	if (t->n >= VAULT_WORKERS_MAX)
		return SP_EFULL;
	s = mem_alloc(sizeof(*s));
	if (s == NULL)
		return SP_ENOMEM;
	if (t->loop != NULL &&
	    (s->watch = loop_watch(t->loop, fd, LOOP_IN, seat_ready, s)) == NULL) {
		mem_free(s);
		return SP_ENOMEM;
	}
	s->table = t;
	s->worker.serial = serial;
	s->worker.room = room;
	chan_init(&s->chan, fd, ROOM_VAULT, room);
	s->next = *bucket;
	*bucket = s;
	t->n++;
	return SP_OK;
}

void
vault_workers_remove(struct vault_workers *t, uint64_t serial)
{
	struct vault_seat **at = bucket_of(t, serial), *s;

	while (*at != NULL && (*at)->worker.serial != serial)
		at = &(*at)->next;
	s = *at;
	if (s == NULL)
		return;
	*at = s->next;
	vault_seat_close(s);
	mem_free(s);
	t->n--;
}

void
vault_workers_done(struct vault_workers *t)
{
	for (size_t i = 0; i < ARRAY_LEN(t->bucket); i++)
		while (t->bucket[i] != NULL)
			vault_workers_remove(t, t->bucket[i]->worker.serial);
}
