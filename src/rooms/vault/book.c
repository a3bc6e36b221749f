/* book.c - see book.h. */
#include "rooms/vault/book.h"

#include "base/mem.h"

int
book_init(struct book *b)
{
	*b = (struct book){.seed = 0};
	b->head = mem_array(BOOK_HEADS, sizeof(*b->head));
	b->next = mem_array(EGRESS_PLACES, sizeof(*b->next));
	if (b->head == NULL || b->next == NULL)
		return SP_ENOMEM;
	memset(b->head, 0xff, BOOK_HEADS * sizeof(*b->head)); /* BOOK_NONE */
	return crypto_random(&b->seed, sizeof(b->seed));
}

void
book_clear(struct book *b)
{
	for (size_t i = 0; i < ARRAY_LEN(b->chunk); i++)
		mem_freep(&b->chunk[i]);
	if (b->head != NULL)
		memset(b->head, 0xff, BOOK_HEADS * sizeof(*b->head));
	b->file = (struct egress){.places = 0};
	b->first_free = 0;
}

void
book_done(struct book *b)
{
	book_clear(b);
	mem_freep(&b->head);
	mem_freep(&b->next);
}

struct principal *
book_at(const struct book *b, uint32_t place)
{
	PRECOND(place < EGRESS_PLACES && b->chunk[place / EGRESS_GROW] != NULL);
	return &b->chunk[place / EGRESS_GROW][place % EGRESS_GROW];
}

/* ---- finding ---- */

static uint32_t *
head_of(const struct book *b, enum principal_kind kind, const uint8_t *id)
{
	uint64_t h = b->seed ^ kind;

	for (size_t i = 0; i < PRINCIPAL_ID_BYTES; i++)
		h = (h ^ id[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return &b->head[(h ^ h >> 32) % BOOK_HEADS];
}

uint32_t
book_find(const struct book *b, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES])
{
	uint32_t place = *head_of(b, kind, id);

	while (place != BOOK_NONE) {
		const struct principal *p = book_at(b, place);

		if (p->kind == kind && memcmp(p->id, id, PRINCIPAL_ID_BYTES) == 0)
			break;
		place = b->next[place];
	}
	return place;
}

static void
chain(struct book *b, uint32_t place)
{
	const struct principal *p = book_at(b, place);
	uint32_t *head = head_of(b, p->kind, p->id);

	b->next[place] = *head;
	*head = place;
}

static void
unchain(struct book *b, uint32_t place)
{
	const struct principal *p = book_at(b, place);
	uint32_t *at = head_of(b, p->kind, p->id);

	while (*at != place)
		at = &b->next[*at];
	*at = b->next[place];
}

/* ---- loading ---- */

int64_t
book_elapsed(int64_t then, int64_t now)
{
	return now >= then ? now - then : now;
}

static int
chunk_for(struct book *b, uint32_t place)
{
	struct principal **c = &b->chunk[place / EGRESS_GROW];

	if (*c == NULL)
		*c = mem_array(EGRESS_GROW, sizeof(**c));
	return *c != NULL ? SP_OK : SP_ENOMEM;
}

/* doubt - its last write may be lost, and with it one reservation: it counts as spent. */
static void
doubt(struct principal *p, const struct limits *l)
{
	struct allowance a = principal_allowance(p, l, p->seen);

	principal_charge(p, a.files[WINDOW_HOUR] / 64 + 1, a.bytes[WINDOW_HOUR] / 64 + 1);
}

static int
load_place(struct book *b, uint32_t place, const struct book_opening *o, int64_t *now, bool *lost)
{
	struct principal *p;
	int64_t boot = 0, then;
	bool is_doubtful = false;
	int err = chunk_for(b, place);

	if (err != SP_OK)
		return err;
	p = book_at(b, place);
	err = egress_read(&b->file, place, p, &boot, &is_doubtful);
	if (err == SP_EDAMAGED) {
		*p = (struct principal){.used = false};
		*lost = true;
		err = egress_write(&b->file, place, p, 0, 0);
		return err == SP_OK ? egress_write(&b->file, place, p, 0, 0) : err;
	}
	if (err != SP_OK || !p->used)
		return err;
	then = p->seen + book_elapsed(boot, o->boot);
	if (then > *now)
		*now = then;
	if (is_doubtful)
		doubt(p, o->limits);
	if (book_find(b, p->kind, p->id) == BOOK_NONE)
		chain(b, place);
	else
		p->used = false; /* twice: cannot be, and the first is as good */
	return SP_OK;
}

int
book_load(struct book *b, const struct book_opening *o, int64_t *ret_now, bool *ret_lost)
{
	int64_t now = 0;
	bool lost = false;
	int err = SP_OK;

	for (uint32_t i = 0; err == SP_OK && i < b->file.places; i++)
		err = load_place(b, i, o, &now, &lost);
	if (err == SP_OK) {
		*ret_now = now;
		*ret_lost = lost;
	}
	return err;
}

/* ---- new ones ---- */

/* evict - the one that was idle longest. */
static int
evict(struct book *b, int64_t now, uint32_t *ret)
{
	uint32_t oldest = BOOK_NONE;

	for (uint32_t i = 0; i < b->file.places; i++) {
		const struct principal *p = book_at(b, i);

		if (principal_is_idle(p, now) &&
		    (oldest == BOOK_NONE || p->seen < book_at(b, oldest)->seen))
			oldest = i;
	}
	if (oldest == BOOK_NONE)
		return SP_EFULL;
	unchain(b, oldest);
	*ret = oldest;
	return SP_OK;
}

static int
grow(struct book *b, int64_t now)
{
	uint32_t from = b->file.places;
	int err = egress_grow(&b->file, now);

	for (uint32_t i = 0; err == SP_OK && i < EGRESS_GROW; i++)
		book_at(b, from + i)->writes = EGRESS_NEW_WRITES;
	return err;
}

static int
free_place(struct book *b, int64_t now, uint32_t *ret)
{
	int err;

	while (b->first_free < b->file.places && book_at(b, b->first_free)->used)
		b->first_free++;
	if (b->first_free == EGRESS_PLACES)
		return evict(b, now, ret);
	err = chunk_for(b, b->first_free);
	if (err == SP_OK && b->first_free == b->file.places)
		err = grow(b, now);
	if (err == SP_OK)
		*ret = b->first_free;
	return err;
}

int
book_take(struct book *b, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES],
    int64_t now, uint32_t *ret)
{
	uint32_t place = book_find(b, kind, id);
	struct principal *p;
	uint64_t writes;
	int err = SP_OK;

	if (place == BOOK_NONE) {
		err = free_place(b, now, &place);
		if (err != SP_OK)
			return err;
		p = book_at(b, place);
		writes = p->writes; /* of the place, whoever has it */
		principal_init(p, kind, id, now);
		p->writes = writes;
		chain(b, place);
	}
	*ret = place;
	return SP_OK;
}
