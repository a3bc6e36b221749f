/* list_page.c - keyset pages of a folder: index ranges that begin behind a name. */
#include "rooms/broker/list.h"

struct found {
	int64_t id;
	bool is_special; /* a folder with rights of its own */
};

/* the next ones behind a name; *ret_n 0: there are none */
static int
next_ids(struct listing *l, enum sql_id order, int64_t folder, struct span after,
    struct found list[NAME_PAGE], size_t *ret_n)
{
	DEFER(sql_end)
	struct sql q = sql_query(l->b->db, order, SI(folder), ST(after), SI(NAME_PAGE));
	int err;

	*ret_n = 0;
	while ((err = sql_step(&q)) == 1) {
		struct found *f = &list[(*ret_n)++];

		f->id = sql_i64(&q);
		f->is_special = order == SQL_FOLDERS_AFTER && sql_i64(&q) != 0;
	}
	return err;
}

/* one folder, when it is seen; its name is where the search goes on */
static int
put_child(struct listing *l, const struct node *at, const struct found *f)
{
	struct item item = {f->id, at->rights};
	int err;

	/* a plain child has what its parent has */
	if (f->is_special &&
	    (err = access_rights(l->b->db, l->access, f->id, &item.rights)) != SP_OK)
		return err;
	if (access_sees(l->access, f->id, item.rights))
		return list_put_folder(l, &item);
	err = folder_get(l->b->db, f->id, &l->node.folder);
	return err == 1 ? SP_OK : err;
}

static int
put_folders_after(struct listing *l, const struct node *at, struct span from)
{
	char after[NAME_MAX_BYTES + 1];
	struct found list[NAME_PAGE];
	size_t n = 1;
	int err = SP_OK;

	memcpy(after, from.ptr, from.len);
	after[from.len] = '\0';
	while (err == SP_OK && n != 0 && l->left != 0 && !l->is_full) {
		err = next_ids(l, SQL_FOLDERS_AFTER, at->folder.id, span_str(after), list, &n);
		for (size_t i = 0; i < n && err == SP_OK && l->left != 0 && !l->is_full; i++)
			err = put_child(l, at, &list[i]);
		memcpy(after, l->node.folder.name, sizeof(after));
	}
	return err;
}

static int
put_files_after(struct listing *l, const struct node *at, struct span from)
{
	char after[NAME_MAX_BYTES + 1];
	struct found list[NAME_PAGE];
	size_t n = 1;
	int err = SP_OK;

	memcpy(after, from.ptr, from.len);
	after[from.len] = '\0';
	l->node.folder = at->folder;
	l->node.rights = at->rights;
	while (err == SP_OK && n != 0 && l->left != 0 && !l->is_full) {
		err = next_ids(l, SQL_FILES_AFTER, at->folder.id, span_str(after), list, &n);
		for (size_t i = 0; i < n && err == SP_OK && l->left != 0 && !l->is_full; i++)
			err = list_put_file(l, at->path, list[i].id);
		memcpy(after, l->node.file.name, sizeof(after));
	}
	return err;
}

int
list_page(struct listing *l, const struct node *at)
{
	const struct ipc_list *m = l->m;
	const struct span none = span_of("", 0);
	bool can_list = (at->rights & RIGHT_LIST) != 0;
	int err = SP_OK;

	/* a folder that only leads somewhere shows the way and nothing else */
	if (!can_list && at->rights != 0)
		return SP_EPERM;
	if (m->from == 1 && (m->what & 1) != 0)
		err = put_folders_after(l, at, m->after);
	if (err == SP_OK && (m->what & 2) != 0 && can_list)
		err = put_files_after(l, at, m->from == 2 ? m->after : none);
	return err;
}
