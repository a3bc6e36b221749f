/* list.c - LIST: one page of a folder, or of all that the caller can see.
 *
 * Folders come before files (after them when sorted by type, descending).  Which folders are seen
 * is decided one by one; files of a folder are seen all or none, so the database pages through
 * them. */
#include "rooms/broker/list.h"

#include "rooms/broker/proof.h"

int
items_add(struct items *l, int64_t id, uint16_t rights)
{
	if (l->n == FOLDERS_MAX)
		return SP_ETOOBIG;
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct item *p = mem_grow(l->list, l->cap * sizeof(*p), cap * sizeof(*p));

		if (p == NULL)
			return SP_ENOMEM;
		l->list = p;
		l->cap = cap;
	}
	l->list[l->n++] = (struct item){id, rights};
	return SP_OK;
}

void
items_done(struct items *l)
{
	mem_free(l->list);
}

/* ---- rows ---- */

static int
put_row(struct listing *l)
{
	struct ipc_entry_rec rec;
	size_t before = l->out.len;
	int err = entry_of(l->b->db, &l->node, &l->entry);

	if (err != SP_OK)
		return err;
	ENTRY_COPY(&rec, &l->entry.m);
	err = ipc_put_entry_rec(&l->out, &rec);
	if (err == SP_ESPACE || l->out.bad) {
		l->out.len = before;
		l->out.bad = false;
		l->is_full = true;
		return SP_OK;
	}
	if (err == SP_OK)
		l->count++, l->left--;
	return err;
}

int
list_put_folder(struct listing *l, const struct item *item)
{
	int err = folder_get(l->b->db, item->id, &l->node.folder);

	if (err != 1)
		return err;
	l->node.is_file = false;
	l->node.rights = item->rights;
	if ((err = folder_path(l->b->db, item->id, l->node.path, sizeof(l->node.path), NULL)) !=
	    SP_OK)
		return err;
	return put_row(l);
}

static int
put_folders(struct listing *l, const struct items *items)
{
	int err = SP_OK;

	l->total += items->n;
	for (size_t i = 0; i < items->n && err == SP_OK && !l->is_full && l->left != 0; i++) {
		if (l->skip != 0)
			l->skip--;
		else
			err = list_put_folder(l, &items->list[i]);
	}
	if (l->left == 0)
		l->skip = 0;
	return err;
}

/* the statement of an order; *ret_plain: it takes folder, limit, offset only */
static enum sql_id
order_of(const struct listing *l, bool *ret_plain)
{
	bool down = l->m->descending != 0;

	*ret_plain = false;
	if (l->m->sort == SORT_SIZE)
		return down ? SQL_FILES_SIZE_DESC : SQL_FILES_SIZE;
	if (l->m->sort == SORT_TIME)
		return down ? SQL_FILES_TIME_DESC : SQL_FILES_TIME;
	if (l->has_mask || l->m->newer_than_us != 0)
		return down ? SQL_FILES_MASK_DESC : SQL_FILES_MASK;
	*ret_plain = true;
	return down ? SQL_FILES_NAME_DESC : SQL_FILES_NAME;
}

static int
page_ids(struct listing *l, int64_t folder, int64_t ids[NAME_PAGE], size_t *ret_n)
{
	struct db *db = l->b->db;
	uint64_t limit = l->left < NAME_PAGE ? l->left : NAME_PAGE;
	bool plain;
	enum sql_id id = order_of(l, &plain);
	DEFER(sql_end)
	struct sql q = plain ? sql_query(db, id, SI(folder), SI(limit), SI(l->skip))
			     : sql_query(db, id, SI(folder), ST(l->pattern),
				   SI(l->m->newer_than_us), SI(limit), SI(l->skip));
	int err;

	*ret_n = 0;
	while ((err = sql_step(&q)) == 1)
		ids[(*ret_n)++] = sql_i64(&q);
	return err;
}

int
list_put_file(struct listing *l, const char *base, int64_t id)
{
	int err = file_get(l->b->db, id, &l->node.file);

	if (err != 1)
		return err;
	l->node.is_file = true;
	if ((err = path_join(
		 base, span_str(l->node.file.name), l->node.path, sizeof(l->node.path))) != SP_OK)
		return err;
	return put_row(l);
}

/* the files of one folder; node.folder and node.rights are set by the caller */
static int
put_files(struct listing *l, int64_t folder)
{
	char base[PATH_MAX_BYTES + 1];
	int64_t ids[NAME_PAGE], here = 0;
	size_t n = 1;
	int err;

	if (l->has_mask || l->m->newer_than_us != 0)
		err = sql_get(l->b->db, SQL_FILES_COUNT, &here, SI(folder), ST(l->pattern),
		    SI(l->m->newer_than_us));
	else
		err = sql_get(l->b->db, SQL_FOLDER_CHILD_COUNT, &here, SI(folder));
	if (err < 0)
		return err;
	l->total += (uint64_t)here;
	if (l->skip >= (uint64_t)here) {
		l->skip -= (uint64_t)here;
		return SP_OK;
	}
	if ((err = folder_path(l->b->db, folder, base, sizeof(base), NULL)) != SP_OK)
		return err;
	while (l->left != 0 && !l->is_full && n != 0) {
		if ((err = page_ids(l, folder, ids, &n)) != SP_OK)
			return err;
		for (size_t i = 0; i < n && !l->is_full && err == SP_OK; i++)
			err = list_put_file(l, base, ids[i]);
		if (err != SP_OK)
			return err;
		l->skip += n;
	}
	l->skip = 0;
	return SP_OK;
}

/* ---- which folders ---- */

static enum sql_id
child_order(const struct ipc_list *m)
{
	if (m->sort == SORT_TIME)
		return m->descending ? SQL_FOLDER_CHILDREN_TIME_DESC : SQL_FOLDER_CHILDREN_TIME;
	return m->descending && m->sort != SORT_TYPE ? SQL_FOLDER_CHILDREN_DESC
						     : SQL_FOLDER_CHILDREN;
}

struct child {
	int64_t id;
	bool is_special; /* has entries, an owner, or does not inherit */
};

/* Children first, then their rights: a statement must end before it is used again. */
static int
visible_children(struct listing *l, enum sql_id order, struct span pattern, int64_t folder,
    uint16_t rights, struct items *ret)
{
	DEFER(items_done) struct items all = {0};
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(l->b->db, order, SI(folder), ST(pattern));

		while ((err = sql_step(&q)) == 1) {
			int64_t id = sql_i64(&q);

			(void)sql_text(&q);
			if ((err = items_add(&all, id, sql_i64(&q) != 0)) != SP_OK)
				return err;
		}
	}
	for (size_t i = 0; i < all.n && err == SP_OK; i++) {
		/* a plain child has what its parent has */
		uint16_t has = rights;

		if (all.list[i].rights != 0)
			err = access_rights(l->b->db, l->access, all.list[i].id, &has);
		if (err == SP_OK && access_sees(l->access, all.list[i].id, has))
			err = items_add(ret, all.list[i].id, has);
	}
	return err;
}

static int
list_folder(struct listing *l, const struct node *at)
{
	DEFER(items_done) struct items folders = {0};
	const struct ipc_list *m = l->m;
	bool files_first = m->sort == SORT_TYPE && m->descending;
	bool can_list = (at->rights & RIGHT_LIST) != 0;
	int err = SP_OK;

	/* a folder that only leads somewhere shows the way and nothing else */
	if (!can_list && at->rights != 0)
		return SP_EPERM;
	if ((m->what & 1) != 0)
		err = visible_children(
		    l, child_order(m), l->pattern, at->folder.id, at->rights, &folders);
	if (err == SP_OK && !files_first)
		err = put_folders(l, &folders);
	l->node.folder = at->folder;
	l->node.rights = at->rights;
	if (err == SP_OK && (m->what & 2) != 0 && can_list)
		err = put_files(l, at->folder.id);
	if (err == SP_OK && files_first)
		err = put_folders(l, &folders);
	return err;
}

/* ---- the whole tree, in the order of paths ---- */

static int
collect_tree(struct listing *l, const struct node *root, struct items *ret)
{
	DEFER(items_done) struct items stack = {0};
	int err = items_add(&stack, root->folder.id, root->rights);

	while (err == SP_OK && stack.n != 0) {
		DEFER(items_done) struct items children = {0};
		struct item at = stack.list[--stack.n];

		if ((err = items_add(ret, at.id, at.rights)) != SP_OK)
			break;
		err = visible_children(
		    l, SQL_FOLDER_CHILDREN_DESC, SPAN_LIT("%"), at.id, at.rights, &children);
		for (size_t i = 0; i < children.n && err == SP_OK; i++)
			err = items_add(&stack, children.list[i].id, children.list[i].rights);
	}
	return err;
}

static int
matching(struct listing *l, const struct items *all, struct items *ret)
{
	int err = SP_OK;

	for (size_t i = 0; i < all->n && err == SP_OK; i++) {
		struct folder f;
		int64_t hit = 0;

		if (l->has_mask) {
			if ((err = folder_get(l->b->db, all->list[i].id, &f)) != 1)
				return err;
			err = sql_get(
			    l->b->db, SQL_NAME_LIKE, &hit, ST(span_str(f.name)), ST(l->pattern));
			if (err < 0)
				return err;
			err = SP_OK;
		}
		if (!l->has_mask || hit != 0)
			err = items_add(ret, all->list[i].id, all->list[i].rights);
	}
	return err;
}

/* the order of the tree itself: by path, folder for folder */
static int
list_in_order(struct listing *l, const struct items *folders, const struct items *all)
{
	int err = (l->m->what & 1) != 0 ? put_folders(l, folders) : SP_OK;

	for (size_t i = 0; i < all->n && err == SP_OK && (l->m->what & 2) != 0; i++) {
		if ((all->list[i].rights & RIGHT_LIST) == 0)
			continue;
		if ((err = folder_get(l->b->db, all->list[i].id, &l->node.folder)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		l->node.rights = all->list[i].rights;
		err = put_files(l, all->list[i].id);
	}
	return err;
}

static int
list_tree(struct listing *l, const struct node *root)
{
	DEFER(items_done) struct items all = {0};
	DEFER(items_done) struct items folders = {0};
	int err = collect_tree(l, root, &all);

	if (err == SP_OK && (l->m->what & 1) != 0)
		err = matching(l, &all, &folders);
	if (err != SP_OK)
		return err;
	err = SP_ETOOBIG;
	if (l->m->sort != SORT_PATH || l->m->descending)
		err = list_sorted(l, &folders, &all);
	return err == SP_ETOOBIG ? list_in_order(l, &folders, &all) : err;
}

int
handle_list(struct broker *b, struct worker *w, struct span body)
{
	DEFER(mem_freep) struct listing *l = mem_alloc(sizeof(*l));
	DEFER(mem_freep) uint8_t *rows = mem_alloc(61440);
	struct ipc_entries reply_m;
	struct ipc_list m;
	struct node at;
	int err = ipc_get_list(body, &m);

	if (err != SP_OK)
		return err;
	if (l == NULL || rows == NULL)
		return SP_ENOMEM;
	l->b = b;
	l->m = &m;
	l->skip = m.offset;
	l->left = m.limit;
	l->has_mask = m.mask.len != 0;
	l->out = wr_of(rows, 61440);
	if ((err = worker_access(b, w, &l->access)) != SP_OK ||
	    (err = mask_like(m.mask, l->like, sizeof(l->like), &l->pattern)) != SP_OK ||
	    (err = node_find(b->db, l->access, m.by, (int64_t)m.id, m.path, &at)) != SP_OK)
		return err;
	if ((err = pass_covers(b, w->only, &at)) != SP_OK)
		return err;
	if (at.is_file)
		return SP_ENOTFOLDER;
	if ((m.what & 4) != 0)
		err = list_tree(l, &at);
	else
		err = m.from != 0 ? list_page(l, &at) : list_folder(l, &at);
	if (err != SP_OK)
		return err;
	reply_m =
	    (struct ipc_entries){.total = l->total, .count = l->count, .rows = wr_span(&l->out)};
	REPLY(b, w->serial, ENTRIES, entries, &reply_m, -1);
	return SP_OK;
}
