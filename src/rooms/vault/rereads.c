/* rereads.c - see rereads.h. */
#include "rooms/vault/rereads.h"

#include "base/mem.h"

struct rereads {
	struct reread row[REREADS_SETS][REREADS_WAYS];
};

struct rereads *
rereads_new(void)
{
	return mem_alloc(sizeof(struct rereads));
}

void
rereads_free(struct rereads *t)
{
	if (t != NULL)
		mem_wipe(t, sizeof(*t));
	mem_free(t);
}

/* The key is a keyed hash: nobody can aim at a set. */
static size_t
set_of(const struct reread *x)
{
	return ((size_t)x->key[0] << 8 | x->key[1]) % REREADS_SETS;
}

static bool
same(const struct reread *a, const struct reread *b)
{
	return a->at != 0 && a->user == b->user && memcmp(a->key, b->key, sizeof(a->key)) == 0 &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool
rereads_has(const struct rereads *t, const struct reread *x)
{
	const struct reread *row = t->row[set_of(x)];

	for (size_t i = 0; i < REREADS_WAYS; i++)
		if (same(&row[i], x))
			return x->at - row[i].at < REREADS_S && x->bytes <= row[i].bytes;
	return false;
}

void
rereads_add(struct rereads *t, const struct reread *x)
{
	struct reread *row = t->row[set_of(x)], *to = &row[0];

	for (size_t i = 0; i < REREADS_WAYS; i++) {
		if (same(&row[i], x)) {
			to = &row[i];
			break;
		}
		if (row[i].at < to->at)
			to = &row[i];
	}
	*to = *x;
}
