/* known.c - what is remembered of principals, addresses and names that failed: bounded tables. */
#include "cli/hunt/hunt.h"

#define WAYS 8u /* places that one hash may be at, in the tables that forget */

uint64_t
hunt_hash(struct span s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.ptr[i]) * UINT64_C(1099511628211);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

uint32_t
hunt_hash32(struct span s)
{
	uint64_t h = hunt_hash(s);

	h = (h >> 32) ^ (h & 0xffffffffu);
	return h != 0 ? (uint32_t)h : 1;
}

/* ---- principals ---- */

static size_t
find_slot(const struct hunt *h, struct span name, uint64_t hash)
{
	size_t at = (size_t)hash & (h->slots - 1);

	while (h->person_slot[at] != 0) {
		const struct person *p = h->person[h->person_slot[at] - 1];

		if (p->hash == hash && span_eq_str(name, p->name))
			break;
		at = (at + 1) & (h->slots - 1);
	}
	return at;
}

struct person *
hunt_person_known(const struct hunt *h, struct span name)
{
	size_t at;

	name = span_cut(name, sizeof(h->person[0]->name) - 1);
	at = find_slot(h, name, hunt_hash(name));
	return h->person_slot[at] != 0 ? h->person[h->person_slot[at] - 1] : NULL;
}

static bool
slots_grow(struct hunt *h)
{
	size_t n = h->slots * 2;
	uint32_t *slot = mem_array(n, sizeof(*slot));

	if (slot == NULL)
		return false;
	mem_free(h->person_slot);
	h->person_slot = slot;
	h->slots = n;
	for (size_t i = 0; i < h->n_people; i++) {
		size_t at = (size_t)h->person[i]->hash & (n - 1);

		while (slot[at] != 0)
			at = (at + 1) & (n - 1);
		slot[at] = (uint32_t)i + 1;
	}
	return true;
}

static bool
people_grow(struct hunt *h)
{
	size_t n = h->people_cap * 2 + 256;
	struct person **p;

	if (h->n_people < h->people_cap)
		return true;
	p = mem_grow(h->person, h->people_cap * sizeof(*p), n * sizeof(*p));
	if (p == NULL)
		return false;
	h->person = p;
	h->people_cap = n;
	return true;
}

static void
copy(char *to, size_t cap, struct span s)
{
	s = span_cut(s, cap - 1);
	memcpy(to, s.ptr, s.len);
	to[s.len] = '\0';
}

struct person *
hunt_person(struct hunt *h, struct span name, struct span org)
{
	struct person *p = hunt_person_known(h, name);

	if (p != NULL)
		return p;
	if (h->n_people == HUNT_PEOPLE_MAX) {
		h->people_left_out++;
		return NULL;
	}
	if (memchr(name.ptr, 0, name.len) != NULL)
		return NULL; /* no name of ours: detectors that need none still see the entry */
	p = mem_alloc(sizeof(*p));
	if (p == NULL || !people_grow(h) || (2 * h->n_people >= h->slots && !slots_grow(h))) {
		mem_free(p);
		h->no_memory = true;
		return NULL;
	}
	copy(p->name, sizeof(p->name), name);
	copy(p->org, sizeof(p->org), org);
	name = span_str(p->name);
	p->hash = hunt_hash(name);
	h->person[h->n_people++] = p;
	h->person_slot[find_slot(h, name, p->hash)] = (uint32_t)h->n_people;
	return p;
}

/* ---- tables that forget whom they have not seen for the longest time ---- */

struct origin *
hunt_origin(struct hunt *h, const struct hunt_entry *e)
{
	uint64_t hash = hunt_hash(span_of(e->ip, e->is_v4 ? 16 : 8));
	struct origin *set = &h->origin[hash % (HUNT_ORIGINS_MAX / WAYS) * WAYS], *old = set;

	for (struct origin *o = set; o < set + WAYS; o++) {
		if (o->hash == hash)
			return o;
		if (o->hash == 0 || (old->hash != 0 && o->seen_us < old->seen_us))
			old = o;
	}
	*old = (struct origin){.hash = hash, .seen_us = e->t_us};
	return old;
}

struct claim *
hunt_claim(struct hunt *h, struct span name, int64_t now_us, bool make)
{
	uint64_t hash = hunt_hash(name);
	struct claim *set = &h->claim[hash % (HUNT_CLAIMS_MAX / WAYS) * WAYS], *old = set;

	for (struct claim *c = set; c < set + WAYS; c++) {
		if (c->hash == hash)
			return c;
		if (c->hash == 0 || (old->hash != 0 && c->seen_us < old->seen_us))
			old = c;
	}
	if (!make)
		return NULL;
	*old = (struct claim){.hash = hash, .seen_us = now_us};
	return old;
}
