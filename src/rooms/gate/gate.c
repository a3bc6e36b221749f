#include "rooms/gate/gate.h"

#include "base/mem.h"
#include "base/text.h"

static size_t
hash(const char *s)
{
	uint64_t h =
	    14695981039346656037u; /* FNV-1a; an attacker's collisions cost a walk of one list */

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return (size_t)(h % GATE_BUCKETS);
}

/* ---- workers ---- */

static struct gate_worker **
worker_place(struct gate_table *t, uint64_t serial)
{
	struct gate_worker **p = &t->workers[serial % GATE_BUCKETS];

	while (*p != NULL && (*p)->serial != serial)
		p = &(*p)->next;
	return p;
}

static void
idle_unlink(struct gate_table *t, struct gate_worker *w)
{
	if (w->idle_prev != NULL)
		w->idle_prev->idle_next = w->idle_next;
	else
		t->idle[w->listener].first = w->idle_next;
	if (w->idle_next != NULL)
		w->idle_next->idle_prev = w->idle_prev;
	else
		t->idle[w->listener].last = w->idle_prev;
	w->idle_next = w->idle_prev = NULL;
}

int
gate_add(struct gate_table *t, uint64_t serial, uint8_t listener, int fd)
{
	struct gate_worker **place = worker_place(t, serial), *w;

	if (*place != NULL)
		return SP_EEXISTS;
	if (listener >= GATE_LISTENERS)
		return SP_ERANGE;
	w = mem_alloc(sizeof(*w));
	if (w == NULL)
		return SP_ENOMEM;
	w->serial = serial;
	w->listener = listener;
	chan_init(&w->chan, fd, t->self, t->worker);
	w->idle_prev = t->idle[listener].last;
	if (w->idle_prev != NULL)
		w->idle_prev->idle_next = w;
	else
		t->idle[listener].first = w;
	t->idle[listener].last = w;
	*place = w;
	return SP_OK;
}

void
gate_remove(struct gate_table *t, uint64_t serial)
{
	struct gate_worker **place = worker_place(t, serial), *w = *place;

	if (w == NULL)
		return;
	if (w->address != NULL)
		gate_release(t, w->address);
	else
		idle_unlink(t, w);
	chan_close(&w->chan);
	*place = w->next;
	mem_free(w);
}

struct gate_worker *
gate_idle(struct gate_table *t, uint8_t listener)
{
	return t->idle[listener].first;
}

void
gate_take(struct gate_table *t, struct gate_worker *w, struct gate_address *a)
{
	PRECOND(w->address == NULL && a != NULL);
	idle_unlink(t, w);
	w->address = a;
	chan_close(&w->chan);
}

/* ---- addresses ---- */

/* Where the network of "[IPV6]:PORT" ends: behind four groups, 64 bits, all of which one customer
 * has.  "::" before that ends it, too, which only widens it.  IPv4 in IPv6's clothes counts whole.
 */
static size_t
network_end(struct span s)
{
	unsigned groups = 0;

	if (span_starts(s, SPAN_LIT("[::ffff:")))
		return span_find(s, ']');
	for (size_t i = 1; i < s.len && s.ptr[i] != ']'; i++)
		if (s.ptr[i] == ':' && (++groups == 4 || (i + 1 < s.len && s.ptr[i + 1] == ':')))
			return i;
	return span_find(s, ']');
}

/* The host of "ADDRESS:PORT"; of IPv6 the network. */
static void
host_of(const char *peer, char host[GATE_ADDRESS_MAX])
{
	struct span s = span_str(peer);
	struct text t = text_of(host, GATE_ADDRESS_MAX);
	size_t n = s.len;

	if (span_starts(s, SPAN_LIT("["))) {
		text_add(&t, span_cut(s, network_end(s)));
		return;
	}
	while (n > 0 && s.ptr[n - 1] != ':')
		n--;
	text_add(&t, span_cut(s, n > 0 ? n - 1 : s.len));
}

static struct gate_address **
address_place(struct gate_table *t, const char *host)
{
	struct gate_address **p = &t->addresses[hash(host)];

	while (*p != NULL && strcmp((*p)->host, host) != 0)
		p = &(*p)->next;
	return p;
}

struct gate_address *
gate_admit(struct gate_table *t, const char *peer, uint32_t most)
{
	char host[GATE_ADDRESS_MAX];
	struct gate_address **place, *a;

	host_of(peer, host);
	place = address_place(t, host);
	a = *place;
	if (a != NULL && a->connections >= most)
		return NULL;
	if (a == NULL) {
		struct text name;

		a = mem_alloc(sizeof(*a));
		if (a == NULL)
			return NULL;
		name = text_of(a->host, sizeof(a->host));
		text_str(&name, host);
		*place = a;
	}
	a->connections++;
	return a;
}

void
gate_release(struct gate_table *t, struct gate_address *a)
{
	struct gate_address **place = address_place(t, a->host);

	VERIFY(*place == a && a->connections > 0);
	a->connections--;
	if (a->connections != 0)
		return;
	*place = a->next;
	mem_free(a);
}

void
gate_done(struct gate_table *t)
{
	for (size_t i = 0; i < GATE_BUCKETS; i++)
		while (t->workers[i] != NULL)
			gate_remove(t, t->workers[i]->serial);
}
