/* rules.c - see rules.h. */
#include "rooms/gate/rules.h"

#include "base/mem.h"

#define BUCKETS 8192u

struct rule {
	struct prefix key;
	uint8_t state; /* ADDRESS_OK: free */
	uint32_t next; /* of the same bucket, or of the free ones, as index + 1 */
	int64_t until_ms;
};
struct rules {
	uint32_t bucket[BUCKETS], free, used, n;
	uint32_t of_bits[129]; /* rules, by the length of their prefix */
	struct rule rule[RULES_MAX];
};

struct rules *
rules_new(void)
{
	return mem_alloc(sizeof(struct rules));
}

void
rules_free(struct rules *r)
{
	mem_free(r);
}

void
rules_reset(struct rules *r)
{
	memset(r, 0, sizeof(*r));
}

size_t
rules_count(const struct rules *r)
{
	return r->n;
}

static uint32_t *
place(struct rules *r, const struct prefix *p)
{
	uint32_t *at = &r->bucket[prefix_hash(p) % BUCKETS];

	while (*at != 0 && !prefix_eq(&r->rule[*at - 1].key, p))
		at = &r->rule[*at - 1].next;
	return at;
}

static void
drop(struct rules *r, uint32_t *at)
{
	uint32_t i = *at;
	struct rule *u = &r->rule[i - 1];

	*at = u->next;
	r->of_bits[u->key.bits]--;
	r->n--;
	*u = (struct rule){.next = r->free};
	r->free = i;
}

static void
drop_expired(struct rules *r, int64_t now_ms)
{
	for (size_t i = 0; i < RULES_MAX; i++)
		if (r->rule[i].state != ADDRESS_OK && now_ms >= r->rule[i].until_ms)
			drop(r, place(r, &r->rule[i].key));
}

static uint32_t
fresh(struct rules *r)
{
	uint32_t i = r->free;

	if (i != 0)
		r->free = r->rule[i - 1].next;
	else if (r->used < RULES_MAX)
		i = ++r->used;
	return i;
}

int
rules_set(struct rules *r, const struct prefix *p, enum address_state state, int64_t until_ms,
    int64_t now_ms)
{
	uint32_t *at = place(r, p), i = *at;

	if (state == ADDRESS_OK) {
		if (i != 0)
			drop(r, at);
		return SP_OK;
	}
	if (i == 0) {
		if (r->n == RULES_MAX)
			drop_expired(r, now_ms);
		i = fresh(r);
		if (i == 0)
			return SP_EFULL;
		at = place(r, p); /* what expired may have been on the way */
		r->rule[i - 1] = (struct rule){.key = *p};
		*at = i;
		r->of_bits[p->bits]++;
		r->n++;
	}
	r->rule[i - 1].state = (uint8_t)state;
	r->rule[i - 1].until_ms = until_ms;
	return SP_OK;
}

enum address_state
rules_state(const struct rules *r, const struct prefix *p, int64_t now_ms)
{
	enum address_state found = ADDRESS_OK;

	for (unsigned bits = 0; r->n != 0 && bits <= p->bits; bits++) {
		struct prefix cut;
		uint32_t i;

		if (r->of_bits[bits] == 0)
			continue;
		cut = prefix_cut(p, bits);
		i = r->bucket[prefix_hash(&cut) % BUCKETS];
		while (i != 0 && !prefix_eq(&r->rule[i - 1].key, &cut))
			i = r->rule[i - 1].next;
		if (i != 0 && now_ms < r->rule[i - 1].until_ms && r->rule[i - 1].state > found)
			found = (enum address_state)r->rule[i - 1].state;
	}
	return found;
}

/* ---- waiting ---- */

int
held_push(struct held *h, int fd, const char *peer, struct gate_address *address, int64_t due_ms)
{
	struct held_one *o = &h->one[(h->first + h->n) % HELD_MAX];
	struct text t;

	if (h->n == HELD_MAX)
		return SP_EFULL;
	*o = (struct held_one){.fd = fd, .due_ms = due_ms, .address = address};
	t = text_of(o->peer, sizeof(o->peer));
	text_str(&t, peer);
	h->n++;
	return SP_OK;
}

struct held_one *
held_head(struct held *h)
{
	return h->n != 0 ? &h->one[h->first] : NULL;
}

void
held_pop(struct held *h)
{
	PRECOND(h->n != 0);
	h->first = (h->first + 1) % HELD_MAX;
	h->n--;
}
