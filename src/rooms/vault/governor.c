/* governor.c - counters in an open-addressed table that doubles; see governor.h. */
#include "rooms/vault/governor.h"

#include "base/mem.h"

#define FIRST_CELLS 256u

struct cell {
	uint64_t user;
	struct governor_count count;
	bool used;
};

struct governor {
	struct cell *cells; /* owned; a power of two of them */
	size_t n_cells, n_used;
};

static size_t
hash_user(uint64_t user)
{
	uint64_t h = user * UINT64_C(0x9E3779B97F4A7C15);

	return (size_t)(h ^ h >> 29);
}

/* find_cell - the cell of a user, or the free one where it belongs. */
static struct cell *
find_cell(struct cell *cells, size_t n, uint64_t user)
{
	size_t i = hash_user(user) & (n - 1);

	while (cells[i].used && cells[i].user != user)
		i = (i + 1) & (n - 1);
	return &cells[i];
}

static int
double_cells(struct governor *g)
{
	size_t n = g->n_cells * 2;
	struct cell *cells = mem_array(n, sizeof(*cells));

	if (cells == NULL)
		return SP_ENOMEM;
	for (size_t i = 0; i < g->n_cells; i++)
		if (g->cells[i].used)
			*find_cell(cells, n, g->cells[i].user) = g->cells[i];
	mem_free(g->cells);
	g->cells = cells;
	g->n_cells = n;
	return SP_OK;
}

struct governor *
governor_new(void)
{
	struct governor *g = mem_alloc(sizeof(*g));

	if (g == NULL)
		return NULL;
	g->n_cells = FIRST_CELLS;
	g->cells = mem_array(g->n_cells, sizeof(*g->cells));
	if (g->cells == NULL) {
		mem_free(g);
		return NULL;
	}
	return g;
}

void
governor_free(struct governor *g)
{
	if (g == NULL)
		return;
	mem_free(g->cells);
	mem_free(g);
}

static uint64_t
add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

int
governor_admit(struct governor *g, uint64_t user, uint64_t bytes, uint32_t *ret_retry_after)
{
	struct cell *c = find_cell(g->cells, g->n_cells, user);

	*ret_retry_after = 0;
	if (!c->used) {
		if (g->n_used >= GOVERNOR_PRINCIPALS)
			return SP_EFULL;
		if (g->n_used >= g->n_cells / 2) {
			int err = double_cells(g);

			if (err != SP_OK)
				return err;
			c = find_cell(g->cells, g->n_cells, user);
		}
		*c = (struct cell){.user = user, .used = true};
		g->n_used++;
	}
	c->count.files = add_capped(c->count.files, 1);
	c->count.bytes = add_capped(c->count.bytes, bytes);
	return SP_OK;
}

struct governor_count
governor_count(const struct governor *g, uint64_t user)
{
	const struct cell *c = find_cell(g->cells, g->n_cells, user);

	return c->used ? c->count : (struct governor_count){0, 0};
}
