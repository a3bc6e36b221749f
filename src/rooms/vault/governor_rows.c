/* governor_rows.c - what an operator sees and changes: reports, raises, freezing and thawing. */
#include "rooms/vault/governor_parts.h"

/* ---- reports ---- */

static void
row_of(struct governor *g, struct principal *p, struct governor_row *ret)
{
	int64_t now = governor_now(g);

	principal_advance(p, now);
	principal_learn(p, &g->limits);
	*ret = (struct governor_row){
	    .kind = (enum principal_kind)p->kind,
	    .used = {principal_sum(p, WINDOW_HOUR), principal_sum(p, WINDOW_DAY)},
	    .allowed = principal_allowance(p, &g->limits, now),
	    .norm_files = p->norm_files,
	    .norm_bytes = p->norm_bytes,
	    .frozen = p->frozen,
	    .overruns = now - p->overrun_since < HOUR_S ? p->overruns : 0,
	};
	memcpy(ret->id, p->id, sizeof(ret->id));
	if (p->raise_until > now) {
		ret->raise_files = p->raise_files;
		ret->raise_bytes = p->raise_bytes;
		ret->raise_left_s = (uint32_t)(p->raise_until - now);
	}
}

bool
governor_next(struct governor *g, uint32_t *place, struct governor_row *ret)
{
	for (; g->is_open && *place < g->book.file.places; ++*place) {
		struct principal *p = book_at(&g->book, *place);

		if (!p->used)
			continue;
		row_of(g, p, ret);
		++*place;
		return true;
	}
	return false;
}

int
governor_find(struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES],
    struct governor_row *ret)
{
	uint32_t place = g->is_open ? book_find(&g->book, kind, id) : BOOK_NONE;

	if (place == BOOK_NONE)
		return SP_ENOTFOUND;
	row_of(g, book_at(&g->book, place), ret);
	return SP_OK;
}

/* ---- changes ---- */

static int
take(struct governor *g, enum principal_kind kind, const uint8_t *id, uint32_t *ret)
{
	int64_t now;
	int err;

	if (!g->is_open)
		return SP_ELOCKED;
	now = governor_now(g);
	err = book_take(&g->book, kind, id, now, ret);
	if (err == SP_OK) {
		principal_advance(book_at(&g->book, *ret), now);
		book_at(&g->book, *ret)->seen = now;
	}
	return err;
}

int
governor_raise(struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES],
    uint64_t files, uint64_t bytes, uint32_t for_s)
{
	struct principal *p, old;
	uint32_t place;
	int err;

	if (for_s > (uint64_t)g->limits.raise_max)
		return SP_ERANGE;
	err = take(g, kind, id, &place);
	if (err != SP_OK)
		return err;
	p = book_at(&g->book, place);
	old = *p;
	p->raise_files = files;
	p->raise_bytes = bytes;
	p->raise_until = files != 0 || bytes != 0 ? governor_now(g) + for_s : 0;
	err = governor_save(g, place);
	if (err != SP_OK) { /* nothing is given that was not written down */
		p->raise_files = old.raise_files;
		p->raise_bytes = old.raise_bytes;
		p->raise_until = old.raise_until;
	}
	return err;
}

int
governor_thaw(struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES])
{
	uint32_t place = g->is_open ? book_find(&g->book, kind, id) : BOOK_NONE;
	struct principal *p;
	int err;

	if (!g->is_open)
		return SP_ELOCKED;
	if (place == BOOK_NONE || !book_at(&g->book, place)->frozen)
		return SP_ENOTFOUND;
	p = book_at(&g->book, place);
	p->frozen = false;
	p->overruns = 0;
	err = governor_save(g, place);
	p->frozen = err != SP_OK;
	return err;
}

int
governor_freeze(struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES])
{
	uint32_t place;
	int err = take(g, kind, id, &place);

	if (err != SP_OK)
		return err;
	book_at(&g->book, place)->frozen = true;
	return governor_save(g, place);
}
