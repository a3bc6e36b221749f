/* seats.c - the workers, each with its socket. */
#include "rooms/signer/signer.h"
#include "sys/log.h"

static struct seat **
find_at(struct signer *s, uint64_t serial)
{
	struct seat **at = &s->bucket[serial % ARRAY_LEN(s->bucket)];

	while (*at != NULL && (*at)->serial != serial)
		at = &(*at)->next;
	return at;
}

struct seat *
seat_find(struct signer *s, uint64_t serial)
{
	return *find_at(s, serial);
}

void
seat_close(struct seat *t)
{
	loop_unwatch(t->signer->loop, t->watch);
	t->watch = NULL;
	chan_close(&t->chan);
}

void
seat_remove(struct signer *s, uint64_t serial)
{
	struct seat **at = find_at(s, serial), *t = *at;

	if (t == NULL)
		return;
	*at = t->next;
	seat_close(t);
	held_drop(&t->held);
	hosts_drop(&t->hosts);
	mem_free(t);
	s->n_seats--;
}

/* ---- requests ---- */

static void
violation(struct seat *t, uint16_t message, int err)
{
	struct ipc_violation m = {t->serial, message, (uint16_t)-err};
	struct signer *s = t->signer;

	log_error("violation: serial=%llu message=%u: %s", (unsigned long long)t->serial, message,
	    sp_strerror(err));
	seat_close(t);
	if (chan_send_violation(&s->room.supervisor, &m, -1) != SP_OK)
		s->stopping = true;
}

void
seat_answered(struct seat *t, uint16_t id, int err)
{
	if (err == SP_ECLOSED)
		seat_close(t);
	else if (err != SP_OK)
		violation(t, id, err);
}

static void
worker_ready(void *arg, int fd, unsigned events)
{
	struct seat *t = arg;
	struct signer *s = t->signer;
	struct chan_msg m;
	int err = chan_recv(&t->chan, PH_ANY, false, s->requests, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 1) {
		/* which of the two it may send was looked up in the table by who it is */
		err = t->room == ROOM_WORKER_SFTP ? ssh_request(t, &m) : tls_request(t, &m);
		if (err != SP_OK)
			violation(t, m.id, err);
		mem_wipe(s->requests, m.body.len + sizeof(m.id)); /* a shared secret, perhaps */
		chan_msg_done(&m);
	} else if (err == SP_ECLOSED) {
		seat_close(t);
	} else if (err < 0) {
		violation(t, m.id, err);
	}
	if (s->stopping)
		loop_stop(s->loop);
}

/* ---- coming ---- */

static int
seat_watch(struct seat *t)
{
	t->watch = loop_watch(t->signer->loop, t->chan.fd, LOOP_IN, worker_ready, t);
	return t->watch != NULL ? SP_OK : SP_ENOMEM;
}

/* The keys of now are its keys. */
static void
seat_keys(struct seat *t)
{
	if (t->room == ROOM_WORKER_SFTP)
		t->hosts = hosts_take(t->signer->hosts);
	else
		t->held = held_take(t->signer->held);
}

int
seat_add(struct signer *s, uint64_t serial, enum room room, int fd)
{
	struct seat **at = find_at(s, serial), *t;

	if (*at != NULL)
		return SP_EEXISTS;
	if (s->n_seats >= SEATS_MAX)
		return SP_EFULL;
	t = mem_alloc(sizeof(*t));
	if (t == NULL)
		return SP_ENOMEM;
	t->signer = s;
	t->serial = serial;
	t->room = room;
	chan_init(&t->chan, fd, ROOM_SIGNER, room);
	if (s->started && seat_watch(t) != SP_OK) {
		mem_free(t);
		return SP_ENOMEM;
	}
	if (s->started)
		seat_keys(t);
	*at = t;
	s->n_seats++;
	return SP_OK;
}

int
seats_watch(struct signer *s)
{
	int err = SP_OK;

	s->started = true;
	for (size_t i = 0; i < ARRAY_LEN(s->bucket); i++)
		for (struct seat *t = s->bucket[i]; t != NULL && err == SP_OK; t = t->next) {
			seat_keys(t);
			err = seat_watch(t);
		}
	return err;
}

void
seats_done(struct signer *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->bucket); i++)
		while (s->bucket[i] != NULL)
			seat_remove(s, s->bucket[i]->serial);
}
