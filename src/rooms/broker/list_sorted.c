/* list_sorted.c - a whole tree by name, size, time, or by path from its end: gathered, sorted, and
 * one page of it written. */
#include <stdlib.h>

#include "rooms/broker/list.h"

#define ROWS_MAX 50000u
#define KEYS_MAX (32u << 20)

struct row {
	int64_t id, number; /* number: size or time */
	const char *text;   /* name or path, in the arena */
	size_t folder;	    /* of a file: index in `all` */
	bool is_file;
	uint16_t rights;
};
struct gathered {
	struct row *rows; /* owned */
	size_t n, cap;
	struct arena keys;
};

static void
gathered_done(struct gathered *g)
{
	mem_free(g->rows);
	arena_done(&g->keys);
}

static int
add_row(struct gathered *g, const struct row *r, struct span text)
{
	if (g->n == ROWS_MAX)
		return SP_ETOOBIG;
	if (g->n == g->cap) {
		size_t cap = g->cap == 0 ? 256 : g->cap * 2;
		struct row *p = mem_grow(g->rows, g->cap * sizeof(*p), cap * sizeof(*p));

		if (p == NULL)
			return SP_ENOMEM;
		g->rows = p;
		g->cap = cap;
	}
	g->rows[g->n] = *r;
	if ((g->rows[g->n].text = arena_str(&g->keys, text)) == NULL)
		return SP_ETOOBIG;
	g->n++;
	return SP_OK;
}

/* the rest of the order is by text, so that pages never overlap */
static int
ascending(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int by_text;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	by_text = strcmp(a->text, b->text);
	if (by_text != 0)
		return by_text;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int
descending(const void *x, const void *y)
{
	return ascending(y, x);
}

static int64_t
number_of(const struct listing *l, int64_t size, int64_t time_us)
{
	return l->m->sort == SORT_SIZE ? size : l->m->sort == SORT_TIME ? time_us : 0;
}

static int
gather_folders(struct listing *l, const struct items *folders, struct gathered *g)
{
	char path[PATH_MAX_BYTES + 1];
	int err = SP_OK;

	for (size_t i = 0; i < folders->n && err == SP_OK; i++) {
		struct row r = {.id = folders->list[i].id, .rights = folders->list[i].rights};
		struct folder f;

		if ((err = folder_get(l->b->db, r.id, &f)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		r.number = number_of(l, 0, f.modified_us);
		if ((err = folder_path(l->b->db, r.id, path, sizeof(path), NULL)) == SP_OK)
			err = add_row(g, &r, span_str(l->m->sort == SORT_PATH ? path : f.name));
	}
	return err;
}

static int
gather_files(struct listing *l, const struct item *folder, size_t index, struct gathered *g)
{
	char base[PATH_MAX_BYTES + 1], path[PATH_MAX_BYTES + 1];
	int err = folder_path(l->b->db, folder->id, base, sizeof(base), NULL);

	if (err != SP_OK)
		return err;
	DEFER(sql_end)
	struct sql q = sql_query(
	    l->b->db, SQL_FILES_KEYS, SI(folder->id), ST(l->pattern), SI(l->m->newer_than_us));
	while ((err = sql_step(&q)) == 1) {
		struct row r = {
		    .id = sql_i64(&q), .folder = index, .is_file = true, .rights = folder->rights};
		struct span name = sql_text(&q);
		int64_t size = sql_i64(&q);

		r.number = number_of(l, size, sql_i64(&q));
		if (l->m->sort == SORT_PATH) {
			if ((err = path_join(base, name, path, sizeof(path))) != SP_OK)
				return err;
			name = span_str(path);
		}
		if ((err = add_row(g, &r, name)) != SP_OK)
			return err;
	}
	return err;
}

static int
put_one(struct listing *l, const struct items *all, const struct row *r)
{
	char base[PATH_MAX_BYTES + 1];
	const struct item folder = {r->is_file ? all->list[r->folder].id : r->id, r->rights};
	int err;

	if (!r->is_file)
		return list_put_folder(l, &folder);
	if ((err = folder_get(l->b->db, folder.id, &l->node.folder)) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	l->node.rights = r->rights;
	if ((err = folder_path(l->b->db, folder.id, base, sizeof(base), NULL)) != SP_OK)
		return err;
	return list_put_file(l, base, r->id);
}

int
list_sorted(struct listing *l, const struct items *folders, const struct items *all)
{
	DEFER(gathered_done) struct gathered g = {0};
	int err;

	arena_init(&g.keys, KEYS_MAX);
	err = (l->m->what & 1) != 0 ? gather_folders(l, folders, &g) : SP_OK;
	for (size_t i = 0; i < all->n && err == SP_OK && (l->m->what & 2) != 0; i++)
		if ((all->list[i].rights & RIGHT_LIST) != 0)
			err = gather_files(l, &all->list[i], i, &g);
	if (err != SP_OK)
		return err;
	if (g.n != 0)
		qsort(g.rows, g.n, sizeof(*g.rows), l->m->descending ? descending : ascending);
	l->total = g.n;
	for (size_t i = l->skip; i < g.n && l->left != 0 && !l->is_full && err == SP_OK; i++)
		err = put_one(l, all, &g.rows[i]);
	return err;
}
