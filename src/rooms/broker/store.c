/* store.c - changes of the tree. */
#include "rooms/broker/store.h"
#include "rooms/broker/rows.h"

int
folder_add(struct broker *b, int64_t org, int64_t parent, struct span name, bool inherit,
    int64_t owner, int64_t creator, int64_t *ret)
{
	int64_t now_us = b->wall_us(), parent_files = 0;
	int err;

	if ((err = sql_get(b->db, SQL_FOLDER_CHILD_COUNT, &parent_files, SI(parent))) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if ((err = db_mark(b->db)) != SP_OK)
		return err;
	err = sql_run(b->db, SQL_FOLDER_ADD, SI(org), SI(parent), ST(name), SI(inherit),
	    SI(FOLDER_NORMAL), SI(/* system= */ 0), SI(owner), SI(now_us));
	*ret = db_last_id(b->db);
	if (err == SP_OK)
		err = sql_run(b->db, SQL_FOLDER_COUNT_FOLDERS, SI(parent), SI(1), SI(now_us));
	if (err == SP_OK && !inherit && creator != 0 && owner == 0)
		err = sql_run(b->db, SQL_ACL_SET, SI(*ret), SI(SUBJECT_USER), SI(creator),
		    SI(RIGHT_ALL & ~RIGHT_ADMIN), SI(0));
	if (err != SP_OK) {
		db_undo(b->db);
		return err;
	}
	broker_policy_changed(b);
	return db_keep(b->db);
}

bool
folder_is_protected(const struct folder *f)
{
	return f->parent == 0 || f->system || f->owner != 0;
}

int
version_hold(struct broker *b, int64_t version, const char *path)
{
	struct version v;
	int err = version_get(b->db, version, &v);

	if (err != 1)
		return err < 0 ? err : SP_EDAMAGED;
	err = sql_run(b->db, SQL_HELD_ADD, SI(v.id), SI(v.org), ST(span_str(path)), SI(v.size),
	    SI(b->wall_us()));
	if (err == SP_OK)
		err = sql_run(b->db, SQL_USER_USE, SI(v.uploader), SI(-v.size));
	return err;
}

/* without the accounts of the folders above: folder_remove settles those once */
static int
take_file(struct broker *b, int64_t file, int64_t version, const char *path)
{
	int err = version_hold(b, version, path);

	return err == SP_OK ? sql_run(b->db, SQL_FILE_REMOVE, SI(file)) : err;
}

int
file_remove(struct broker *b, const struct file *f, const char *path)
{
	int err = db_mark(b->db);

	if (err != SP_OK)
		return err;
	if ((err = take_file(b, f->id, f->version, path)) == SP_OK &&
	    (err = sql_run(
		 b->db, SQL_FOLDER_COUNT_FILES, SI(f->folder), SI(-1), SI(b->wall_us()))) == SP_OK)
		err = folder_account(b->db, f->folder, -f->size);
	if (err == SP_OK)
		return db_keep(b->db);
	db_undo(b->db);
	return err;
}

static int
empty_folder(struct broker *b, int64_t folder, int64_t *files, int64_t *bytes)
{
	char base[PATH_MAX_BYTES + 1], path[PATH_MAX_BYTES + 1];
	int err = folder_path(b->db, folder, base, sizeof(base), NULL);

	while (err == SP_OK) {
		int64_t id, version, size;
		{
			DEFER(sql_end)
			struct sql q = sql_query(b->db, SQL_FILE_IN_FOLDER, SI(folder), SI(0));

			if ((err = sql_step(&q)) != 1)
				return err;
			id = sql_i64(&q);
			err = path_join(base, sql_text(&q), path, sizeof(path));
			version = sql_i64(&q), size = sql_i64(&q);
		}
		if (err == SP_OK)
			err = take_file(b, id, version, path);
		*files += 1;
		*bytes += size;
	}
	return err;
}

/* deepest first: the first child's first child, and so on, is empty before it goes */
static int
remove_tree(struct broker *b, int64_t top, int64_t *files, int64_t *bytes)
{
	int64_t at = top, next = 0;
	int err;

	for (;;) {
		struct folder f;

		if ((err = sql_get(b->db, SQL_FOLDER_NEXT_CHILD, &next, SI(at), SI(0))) < 0)
			return err;
		if (err == 1) {
			at = next;
			continue;
		}
		if ((err = folder_get(b->db, at, &f)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		if ((err = empty_folder(b, at, files, bytes)) != SP_OK ||
		    (err = sql_run(b->db, SQL_FOLDER_REMOVE, SI(at))) != SP_OK)
			return err;
		if (at == top)
			return SP_OK;
		at = f.parent;
	}
}

int
folder_remove(struct broker *b, int64_t folder, int64_t *ret_files, int64_t *ret_bytes)
{
	struct folder f;
	int err = folder_get(b->db, folder, &f);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	*ret_files = *ret_bytes = 0;
	if ((err = db_mark(b->db)) != SP_OK)
		return err;
	if ((err = remove_tree(b, folder, ret_files, ret_bytes)) == SP_OK && f.parent != 0 &&
	    (err = sql_run(
		 b->db, SQL_FOLDER_COUNT_FOLDERS, SI(f.parent), SI(-1), SI(b->wall_us()))) == SP_OK)
		err = folder_account(b->db, f.parent, -*ret_bytes);
	if (err == SP_OK)
		err = rows_forget(b->db); /* the record names the folder: all below goes with it */
	broker_policy_changed(b);
	if (err == SP_OK)
		return db_keep(b->db);
	db_undo(b->db);
	return err;
}
