#include "rooms/ledger/link.h"

#include "base/mem.h"

struct link_out {
	struct link_out *next;
	uint16_t id;
	size_t len;
	uint8_t body[];
};

void
link_init(struct link *k, struct loop *loop, enum room peer, loop_fn ready, void *arg)
{
	*k = (struct link){.loop = loop, .ready = ready, .arg = arg};
	chan_init(&k->chan, -1, ROOM_LEDGER, peer);
}

void
link_drop(struct link *k)
{
	if (k->watch != NULL)
		loop_unwatch(k->loop, k->watch);
	k->watch = NULL;
	chan_close(&k->chan);
	while (k->first != NULL) {
		struct link_out *o = k->first;

		k->first = o->next;
		mem_free(o);
	}
	k->last = NULL;
	k->waiting = 0;
}

int
link_take(struct link *k, int fd)
{
	link_drop(k);
	chan_init(&k->chan, fd, k->chan.self, k->chan.peer);
	k->generation++;
	k->watch = loop_watch(k->loop, fd, LOOP_IN, k->ready, k->arg);
	return k->watch != NULL ? SP_OK : SP_ENOMEM;
}

static int
wait_out(struct link *k, uint16_t id, struct span body)
{
	struct link_out *o;

	if (k->waiting >= LINK_WAITING_MAX)
		return SP_EFULL;
	o = mem_alloc(sizeof(*o) + body.len);
	if (o == NULL)
		return SP_ENOMEM;
	o->id = id;
	o->len = body.len;
	if (body.len != 0)
		memcpy(o->body, body.ptr, body.len);
	if (k->last != NULL)
		k->last->next = o;
	else
		k->first = o;
	k->last = o;
	return k->waiting++ == 0 ? loop_change(k->loop, k->watch, LOOP_IN | LOOP_OUT) : SP_OK;
}

int
link_send(struct link *k, uint16_t id, const struct wr *body)
{
	int err = SP_EFULL;

	VERIFY(!body->bad);
	if (!link_is_up(k))
		return SP_OK;
	if (k->first == NULL)
		err = chan_send(&k->chan, id, wr_span(body), -1);
	if (err == SP_EFULL)
		return wait_out(k, id, wr_span(body));
	return err == SP_ECLOSED ? SP_OK : err; /* reading tells that it is gone */
}

int
link_push(struct link *k)
{
	while (k->first != NULL) {
		struct link_out *o = k->first;
		int err = chan_send(&k->chan, o->id, span_of(o->body, o->len), -1);

		if (err == SP_EFULL)
			return SP_OK;
		if (err != SP_OK)
			return err == SP_ECLOSED ? SP_OK : err;
		k->first = o->next;
		if (k->first == NULL)
			k->last = NULL;
		k->waiting--;
		mem_free(o);
	}
	return link_is_up(k) ? loop_change(k->loop, k->watch, LOOP_IN) : SP_OK;
}
