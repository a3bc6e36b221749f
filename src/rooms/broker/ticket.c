/* ticket.c - see ticket.h. */
#include "rooms/broker/ticket.h"

#include "crypto/crypto.h"

struct tickets {
	uint64_t last; /* number */
	struct ticket list[TICKETS_MAX];
};

static void
clear(struct ticket *t)
{
	mem_wipe(t, sizeof(*t));
}

/* a place for a new one: free, run out, or the oldest */
static struct ticket *
room_for(struct broker *b)
{
	struct ticket *oldest = &b->tickets->list[0];

	for (size_t i = 0; i < TICKETS_MAX; i++) {
		struct ticket *t = &b->tickets->list[i];

		if (t->number == 0 || b->wall_us() >= t->until_us)
			return t;
		if (t->number < oldest->number)
			oldest = t;
	}
	return oldest;
}

static struct ticket *
find(struct broker *b, uint64_t number)
{
	for (size_t i = 0; b->tickets != NULL && number != 0 && i < TICKETS_MAX; i++)
		if (b->tickets->list[i].number == number)
			return &b->tickets->list[i];
	return NULL;
}

void
ticket_earn(struct broker *b, uint64_t serial, const struct attempt *a)
{
	struct worker *w = worker_find(b, serial);
	struct ticket *t;

	/* without memory the client has to send the password again */
	if (w == NULL ||
	    (b->tickets == NULL && (b->tickets = mem_alloc(sizeof(*b->tickets))) == NULL))
		return;
	t = room_for(b);
	clear(t);
	t->number = w->ticket = ++b->tickets->last;
	t->user = a->account.id;
	t->until_us = b->wall_us() + TICKET_US;
	memcpy(t->phc, a->account.phc, sizeof(t->phc));
	memcpy(t->name, a->name, sizeof(t->name));
	lockout_key_address(a->op.actor.address, t->address, sizeof(t->address));
}

void
ticket_spend(struct broker *b, uint64_t number)
{
	struct ticket *t = find(b, number);

	if (t != NULL)
		clear(t);
}

void
tickets_clear(struct broker *b)
{
	for (size_t i = 0; b->tickets != NULL && i < TICKETS_MAX; i++)
		clear(&b->tickets->list[i]);
}

void
tickets_free(struct broker *b)
{
	if (b->tickets != NULL)
		mem_wipe(b->tickets, sizeof(*b->tickets));
	mem_free(b->tickets);
	b->tickets = NULL;
}

int
handle_ticket_get(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_ticket_get m;
	struct ipc_ticket out;
	struct ticket *t = find(b, w->ticket);
	char text[TOKEN_TEXT];
	int err = ipc_get_ticket_get(body, &m);

	w->ticket = 0; /* asked for once */
	if (err != SP_OK)
		return err;
	if (t == NULL || t->is_given)
		return SP_EAUTH;
	if ((err = token_make("spm_", text, t->hash)) != SP_OK)
		return err;
	t->is_given = true;
	out.ticket = span_str(text);
	REPLY(b, w->serial, TICKET, ticket, &out, -1);
	mem_wipe(b->out, sizeof(text) * 2);
	mem_wipe(text, sizeof(text));
	return SP_OK;
}

/* which ticket is it?  NULL: none that is good here and now */
static struct ticket *
shown(struct broker *b, const struct worker *w, const uint8_t hash[32])
{
	char here[64];

	lockout_key_address(w->actor.address, here, sizeof(here));
	for (size_t i = 0; b->tickets != NULL && i < TICKETS_MAX; i++) {
		struct ticket *t = &b->tickets->list[i];

		if (t->number != 0 && t->is_given &&
		    secret_eq(span_of(t->hash, 32), span_of(hash, 32)))
			return b->wall_us() < t->until_us && strcmp(t->address, here) == 0 ? t
											   : NULL;
	}
	return NULL;
}

int
handle_login_ticket(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_login_ticket m;
	struct ticket *t;
	uint8_t hash[32];
	struct op *op;
	int err = ipc_get_login_ticket(body, &m);

	if (err != SP_OK || (err = sha256(m.ticket, hash)) != SP_OK)
		return err;
	if ((t = shown(b, w, hash)) != NULL)
		return login_by_ticket(b, w, t, &m);
	if ((op = op_new(b, w, sizeof(*op))) == NULL)
		return SP_EUNAVAIL;
	agent_take(&op->actor, m.agent);
	login_failed(b, op, span_of(NULL, 0), "ticket of a password", SP_EAUTH, 0);
	return SP_OK;
}
