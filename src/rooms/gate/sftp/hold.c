/* hold.c - a short list by offset. */
#include "rooms/gate/sftp/hold.h"

static size_t
cost(const struct hold_block *b)
{
	return b->len + HOLD_BLOCK_COST;
}

static void
drop(struct hold *h, struct hold_block *b)
{
	*h->used -= cost(b);
	mem_wipe(b->bytes, b->len);
	mem_freep(&b->bytes);
}

void
hold_done(struct hold *h)
{
	for (size_t i = 0; i < h->n; i++)
		drop(h, &h->v[i]);
	mem_freep(&h->v);
	h->n = h->cap = 0;
}

static int
make_room(struct hold *h)
{
	size_t cap = h->cap != 0 ? 2 * h->cap : 16;
	struct hold_block *v;

	if (h->n == HOLD_BLOCKS)
		return SP_EFULL;
	if (h->n < h->cap)
		return SP_OK;
	v = mem_grow(h->v, h->cap * sizeof(*v), cap * sizeof(*v));
	if (v == NULL)
		return SP_ENOMEM;
	h->v = v;
	h->cap = cap;
	return SP_OK;
}

int
hold_add(struct hold *h, uint64_t offset, size_t len, size_t *ret)
{
	struct hold_block b = {.offset = offset, .len = len};
	size_t i = h->n;
	int rc;

	if (len > HOLD_BYTES || cost(&b) > HOLD_BYTES - *h->used)
		return SP_EFULL;
	while (i > 0 && h->v[i - 1].offset > offset) /* most come at the end */
		i--;
	if ((i > 0 && offset - h->v[i - 1].offset < h->v[i - 1].len) ||
	    (i < h->n && h->v[i].offset - offset < len))
		return SP_ECONFLICT;
	rc = make_room(h);
	if (rc < 0)
		return rc;
	b.bytes = mem_alloc(len);
	if (b.bytes == NULL)
		return SP_ENOMEM;
	*h->used += cost(&b);
	memmove(h->v + i + 1, h->v + i, (h->n - i) * sizeof(*h->v));
	h->v[i] = b;
	h->n++;
	*ret = i;
	return SP_OK;
}

void
hold_put(struct hold *h, size_t i, struct span s)
{
	struct hold_block *b = &h->v[i];

	PRECOND(i < h->n && s.len <= b->len - b->have);
	memcpy(b->bytes + b->have, s.ptr, s.len);
	b->have += s.len;
}

void
hold_drop_first(struct hold *h)
{
	PRECOND(h->n != 0);
	drop(h, &h->v[0]);
	h->n--;
	memmove(h->v, h->v + 1, h->n * sizeof(*h->v));
}

uint64_t
hold_end(const struct hold *h)
{
	return h->n != 0 ? h->v[h->n - 1].offset + h->v[h->n - 1].len : 0;
}
