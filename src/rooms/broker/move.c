/* move.c - see move.h.
 *
 * A move must not give anybody more than they have.  Who takes a file into another folder could
 * copy and delete it: reading and deleting here, writing there.  Who takes a folder takes all below
 * it, and what it inherits changes: the same is asked in every folder below. */
#include "rooms/broker/move.h"

#include "rooms/broker/put.h"
#include "rooms/broker/store.h"

/* ---- room at the destination ---- */

static bool
is_in(const int64_t *chain, size_t n, int64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (chain[i] == id)
			return true;
	return false;
}

/* Folders that are above both have it already. */
static int
fits(struct broker *b, int64_t from, int64_t to, int64_t size, int64_t freed)
{
	int64_t old[PATH_MAX_DEPTH + 2], chain[PATH_MAX_DEPTH + 2];
	struct room_left left = {UINT64_MAX, UINT64_MAX};
	size_t n_old = 0, n = 0;
	int err;

	if ((err = folder_chain(b->db, from, old, &n_old)) != SP_OK ||
	    (err = folder_chain(b->db, to, chain, &n)) != SP_OK)
		return err;
	for (size_t i = 0; i < n; i++)
		if (is_in(old, n_old, chain[i]))
			n = i; /* all above it, too */
	if ((err = folders_left(b, chain, n, NULL, &left)) != SP_OK)
		return err;
	return size > freed && (uint64_t)(size - freed) > left.free ? SP_EQUOTA : SP_OK;
}

/* ---- a file ---- */

static int
judge_file(struct broker *b, bool replace, struct move *m)
{
	const struct place *p = &m->place;
	const struct node *n = &m->node;
	bool leaves = n->folder.id != p->folder.id;
	uint16_t need = RIGHT_DELETE | (leaves ? RIGHT_READ : 0);
	int err;

	if ((n->rights & need) != need || (p->rights & RIGHT_WRITE) == 0)
		return SP_EPERM;
	if (p->file == n->file.id) {
		m->is_noop = true;
		return SP_OK;
	}
	if (p->child != 0 || (p->file != 0 && !replace))
		return SP_EEXISTS;
	if (p->file != 0 && (p->rights & RIGHT_DELETE) == 0)
		return SP_EPERM;
	if (p->file != 0 && (err = file_get(b->db, p->file, &m->victim)) != 1)
		return err < 0 ? err : SP_ECONFLICT;
	return leaves ? fits(b, n->folder.id, p->folder.id, n->file.size, m->victim.size) : SP_OK;
}

/* ---- a folder with all below it ---- */

struct stop {
	int64_t id, last; /* last: child that was looked at */
	size_t len;	  /* of the path from the top to here */
};

struct walk {
	struct broker *b;
	const struct access *a;
	bool leaves, grows;
	unsigned depth;	 /* of the new path of the top */
	size_t path_len; /* of it */
	struct stop stops[PATH_MAX_DEPTH + 2];
	size_t n;
};

/* A name that becomes free is as good as deleted: somebody could put a folder of his own there. */
static int
may_move(const struct walk *w, const struct folder *f)
{
	uint16_t rights = 0, need = 0;
	int err = access_rights(w->b->db, w->a, f->id, &rights);

	if (f->files != 0)
		need |= RIGHT_DELETE | (w->leaves ? RIGHT_READ : 0);
	if (f->folders != 0)
		need |= RIGHT_SUBFOLDERS;
	return err != SP_OK ? err : (rights & need) == need ? SP_OK : SP_EPERM;
}

/* the longest path right here must not be too long, nor too deep */
static int
check_length(const struct walk *w, const struct folder *f, size_t len)
{
	int64_t longest = -1;
	size_t deep = w->depth + w->n + (f->files != 0);
	int err;

	if (f->files != 0 && (err = sql_get(w->b->db, SQL_FILES_LONGEST, &longest, SI(f->id))) != 1)
		return err < 0 ? err : SP_EDAMAGED;
	return w->path_len + len + (size_t)(longest + 1) > PATH_MAX_BYTES || deep > PATH_MAX_DEPTH
		   ? SP_EDEPTH
		   : SP_OK;
}

static int
enter(struct walk *w, int64_t id)
{
	size_t len = 0;
	struct folder f;
	int err = folder_get(w->b->db, id, &f);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if (folder_is_protected(&f))
		return SP_EPROTECTED;
	if ((err = may_move(w, &f)) != SP_OK)
		return err;
	if (w->n != 0)
		len = w->stops[w->n - 1].len + 1 + strlen(f.name);
	if (w->grows && (err = check_length(w, &f, len)) != SP_OK)
		return err;
	if (w->n == ARRAY_LEN(w->stops))
		return SP_EDEPTH;
	w->stops[w->n++] = (struct stop){id, 0, len};
	return SP_OK;
}

static int
walk_tree(struct walk *w, int64_t top)
{
	int err = enter(w, top);

	while (err == SP_OK && w->n != 0) {
		struct stop *at = &w->stops[w->n - 1];
		int64_t child = 0;

		err = sql_get(w->b->db, SQL_FOLDER_NEXT_CHILD, &child, SI(at->id), SI(at->last));
		if (err == 0) {
			w->n--;
		} else if (err == 1) {
			at->last = child;
			err = enter(w, child);
		}
	}
	return err;
}

static unsigned
names_in(const char *path)
{
	unsigned n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static int
judge_folder(struct broker *b, const struct access *a, struct move *m)
{
	const struct place *p = &m->place;
	const struct folder *f = &m->node.folder;
	int64_t chain[PATH_MAX_DEPTH + 2];
	struct walk w = {.b = b, .a = a, .leaves = f->parent != p->folder.id};
	uint16_t above = 0;
	size_t n = 0;
	int err;

	if (folder_is_protected(f))
		return SP_EPROTECTED;
	if ((err = access_rights(b->db, a, f->parent, &above)) != SP_OK)
		return err;
	if ((above & RIGHT_SUBFOLDERS) == 0 || (p->rights & RIGHT_SUBFOLDERS) == 0)
		return SP_EPERM;
	if (p->child == f->id) {
		m->is_noop = true;
		return SP_OK;
	}
	if ((err = folder_chain(b->db, p->folder.id, chain, &n)) != SP_OK)
		return err;
	if (is_in(chain, n, f->id))
		return SP_ENAME; /* into itself, or below */
	if (p->child != 0 || p->file != 0)
		return SP_EEXISTS;
	w.depth = p->depth;
	w.path_len = strlen(p->path);
	w.grows = w.path_len > strlen(m->node.path) || w.depth > names_in(m->node.path);
	if ((err = walk_tree(&w, f->id)) != SP_OK)
		return err;
	return w.leaves ? fits(b, f->parent, p->folder.id, f->bytes, 0) : SP_OK;
}

int
move_judge(struct broker *b, const struct access *a, const struct ipc_rename *m, struct move *ret)
{
	int err;

	ret->is_noop = false;
	ret->victim.id = ret->victim.size = 0;
	ret->node.path[0] = '\0';
	if ((err = node_find(b->db, a, m->by, (int64_t)m->id, m->path, &ret->node)) != SP_OK) {
		ret->node.path[0] = '\0';
		return err;
	}
	if ((err = place_find(b->db, a, BY_PATH, 0, m->to, span_of(NULL, 0), &ret->place)) != SP_OK)
		return err;
	return ret->node.is_file ? judge_file(b, m->replace != 0, ret) : judge_folder(b, a, ret);
}

/* ---- the change ---- */

static int
apply_file(struct broker *b, const struct move *m)
{
	int64_t id = m->node.file.id, from = m->node.folder.id, to = m->place.folder.id;
	int64_t now_us = b->wall_us(), leaves = from != to;
	int err = SP_OK;

	if (m->victim.id != 0)
		err = file_remove(b, &m->victim, m->place.path);
	if (err != SP_OK ||
	    (err = sql_run(b->db, SQL_FILE_MOVE, SI(id), SI(to), ST(span_str(m->place.name)))) !=
		SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_COUNT_FILES, SI(from), SI(-leaves), SI(now_us))) !=
		SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_COUNT_FILES, SI(to), SI(leaves), SI(now_us))) !=
		SP_OK ||
	    (err = folder_account(b->db, from, -m->node.file.size)) != SP_OK)
		return err;
	return folder_account(b->db, to, m->node.file.size);
}

static int
apply_folder(struct broker *b, const struct move *m)
{
	int64_t id = m->node.folder.id, from = m->node.folder.parent, to = m->place.folder.id;
	int64_t now_us = b->wall_us(), leaves = from != to, bytes = m->node.folder.bytes;
	int err;

	if ((err = folder_account(b->db, from, -bytes)) != SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_MOVE, SI(id), SI(to), ST(span_str(m->place.name)))) !=
		SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_COUNT_FOLDERS, SI(from), SI(-leaves), SI(now_us))) !=
		SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_COUNT_FOLDERS, SI(to), SI(leaves), SI(now_us))) !=
		SP_OK)
		return err;
	return folder_account(b->db, to, bytes);
}

int
move_apply(struct broker *b, const struct move *m)
{
	int err = db_mark(b->db);

	if (err != SP_OK)
		return err;
	err = m->node.is_file ? apply_file(b, m) : apply_folder(b, m);
	if (err == SP_OK)
		err = db_keep(b->db);
	else
		db_undo(b->db);
	if (!m->node.is_file)
		broker_policy_changed(b);
	return err;
}
