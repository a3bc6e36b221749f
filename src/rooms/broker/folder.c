/* folder.c - FOLDER_MAKE and REMOVE. */
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "rooms/broker/trial.h"

/* record that an action was refused for lack of rights; the answer does not wait for it */
void
denied(struct broker *b, struct worker *w, const char *action, const char *path)
{
	struct record rec;

	if (!flood_admit(b, w->actor.address))
		return;
	record_init(&rec, EVENT_DENIED, &w->actor, w->serial);
	rec.path = span_str(path);
	record_text(&rec, "action", span_str(action));
	ledger_note(b, &rec);
}

/* ---- FOLDER_MAKE ---- */

struct make {
	struct op op;
	struct name_lock lock;
	struct broker *broker;
	int64_t parent, id;
	bool inherit;
	uint64_t entry;
	char name[NAME_MAX_BYTES + 1], path[PATH_MAX_BYTES + 1];
	char rows[ROWS_DETAIL_MAX]; /* as they are on record */
};

static void
make_clean(struct op *op)
{
	struct make *m = (struct make *)op;

	unlock_name(m->broker, &m->lock);
}

static void
make_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct make *m = (struct make *)op;
	struct access access = {0};
	struct node n;
	int err = a->err;

	if (err != SP_OK)
		ledger_undone(b, op, m->entry, sp_strerror(err));
	if (err == SP_OK && (err = access_load(b->db, &op->actor, &access)) == SP_OK &&
	    (err = node_find(b->db, &access, BY_FOLDER, m->id, span_of(NULL, 0), &n)) == SP_OK)
		err = entry_reply(b, op->serial, &n, true);
	access_done(&access);
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_end(b, op);
}

static int
make(struct broker *b, void *arg)
{
	struct make *m = arg;
	const struct actor *who = &m->op.actor;

	return folder_add(
	    b, who->org, m->parent, span_str(m->name), m->inherit, 0, who->user, &m->id);
}

static void
make_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct make *m = (struct make *)op;
	int err = a->err;

	m->entry = a->entry;
	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = make(b, m)) == SP_OK &&
		    (err = trial_done(b, op, m->entry, m->rows)) == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
		if (err != SP_OK)
			ledger_undone(b, op, m->entry, sp_strerror(err));
	}
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, make_done);
}

static int
make_check(struct broker *b, struct worker *w, const struct place *p)
{
	if ((p->rights & RIGHT_SUBFOLDERS) == 0) {
		denied(b, w, "make folder", p->path);
		return SP_EPERM;
	}
	return p->file != 0 || p->child != 0 ? SP_EEXISTS : SP_OK;
}

int
handle_folder_make(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_folder_make m;
	struct place p;
	struct make *op;
	struct record rec;
	int err = ipc_get_folder_make(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = place_find(b->db, a, m.by, (int64_t)m.id, m.path, m.name, &p)) != SP_OK ||
	    (err = make_check(b, w, &p)) != SP_OK)
		return err;
	if ((op = op_new(b, w, sizeof(*op))) == NULL)
		return SP_EUNAVAIL;
	op->broker = b;
	op->parent = p.folder.id;
	op->inherit = m.inherit != 0;
	memcpy(op->name, p.name, sizeof(op->name));
	memcpy(op->path, p.path, sizeof(op->path));
	record_init(&rec, EVENT_FOLDER_CREATED, &op->op.actor, w->serial);
	rec.path = span_str(op->path);
	if ((err = lock_name(b, &op->lock, op->parent, span_str(op->name))) == SP_OK) {
		op->op.clean = make_clean;
		err = trial_run(b, make, op, op->rows, &rec);
	}
	if (err == SP_OK)
		err = ledger_record(b, &op->op, &rec, make_recorded);
	if (err != SP_OK)
		op_end(b, &op->op);
	return err;
}

/* ---- REMOVE ---- */

struct removal {
	struct op op;
	struct name_lock lock;
	struct broker *broker;
	bool is_file, only_empty;
	int64_t id, version;
	uint64_t entry;
	char path[PATH_MAX_BYTES + 1];
};

static void
removal_clean(struct op *op)
{
	struct removal *r = (struct removal *)op;

	unlock_name(r->broker, &r->lock);
}

static void
removal_done(struct broker *b, struct op *op, const struct answer *a)
{
	const struct removal *r = (const struct removal *)op;

	if (a->err != SP_OK) {
		ledger_undone(b, op, r->entry, sp_strerror(a->err));
		op_fail(b, op, a->err, 0);
		return;
	}
	if (!r->is_file)
		kept_folder_gone(b, &op->actor);
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static int
remove_folder(struct broker *b, const struct removal *r)
{
	int64_t files, bytes;
	struct folder f;
	int err = folder_get(b->db, r->id, &f);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if (r->only_empty && f.files + f.folders != 0)
		return SP_ENOTEMPTY;
	return folder_remove(b, r->id, &files, &bytes);
}

static int
remove_file(struct broker *b, struct removal *r)
{
	struct file f;
	int err = file_get(b->db, r->id, &f);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if (f.version != r->version)
		return SP_ECONFLICT;
	return file_remove(b, &f, r->path);
}

static void
removal_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct removal *r = (struct removal *)op;
	int err = a->err;

	r->entry = a->entry;
	if (err == SP_OK) {
		err = r->is_file ? remove_file(b, r) : remove_folder(b, r);
		if (err != SP_OK)
			ledger_undone(b, op, r->entry, sp_strerror(err));
	}
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, removal_done);
}

/* Every folder below must be the caller's to empty: files need RIGHT_DELETE, folders
 * RIGHT_SUBFOLDERS where they lie; home folders are not removed with what is above them. */
static int
may_remove_tree(
    struct broker *b, const struct access *a, int64_t top, int64_t *ret_files, int64_t *ret_bytes)
{
	int64_t at = top, last = 0, id = 0;
	int err;

	for (;;) {
		struct folder f;
		uint16_t rights = 0;

		if ((err = sql_get(b->db, SQL_FOLDER_NEXT_CHILD, &id, SI(at), SI(last))) < 0)
			return err;
		if (err == 1) {
			at = id;
			last = 0;
			continue;
		}
		if ((err = folder_get(b->db, at, &f)) != 1 ||
		    (err = access_rights(b->db, a, at, &rights)) != SP_OK)
			return err < 0 ? err : SP_ENOTFOUND;
		if (folder_is_protected(&f))
			return SP_EPROTECTED;
		if ((f.files != 0 && (rights & RIGHT_DELETE) == 0) ||
		    (f.folders != 0 && (rights & RIGHT_SUBFOLDERS) == 0))
			return SP_EPERM;
		*ret_files += f.files;
		if (at == top) {
			*ret_bytes = f.bytes;
			return SP_OK;
		}
		last = at;
		at = f.parent;
	}
}

static int
removal_check(struct broker *b, const struct access *a, const struct node *n,
    const struct ipc_remove *m, struct record *rec)
{
	int64_t files = 0, bytes = 0;
	uint16_t above = 0;
	int err;

	if (n->is_file ? m->kind == REMOVE_FOLDER || m->kind == REMOVE_EMPTY
		       : m->kind == REMOVE_FILE)
		return n->is_file ? SP_ENOTFOLDER : SP_EISFOLDER;
	if (n->is_file) {
		if ((n->rights & RIGHT_DELETE) == 0)
			return SP_EPERM;
		record_num(rec, "file", n->file.id);
		record_num(rec, "version", n->file.version);
		rec->size = n->file.size;
		record_takes(rec, a->user, n->file.org, 1, n->file.size);
		return m->match != 0 && (int64_t)m->match != n->file.version ? SP_EPRECOND : SP_OK;
	}
	if (folder_is_protected(&n->folder))
		return SP_EPROTECTED;
	if ((err = access_rights(b->db, a, n->folder.parent, &above)) != SP_OK)
		return err;
	if ((above & RIGHT_SUBFOLDERS) == 0)
		return SP_EPERM;
	if (m->kind == REMOVE_EMPTY && n->folder.files + n->folder.folders != 0)
		return SP_ENOTEMPTY;
	err = may_remove_tree(b, a, n->folder.id, &files, &bytes);
	record_num(rec, "folder", n->folder.id);
	record_num(rec, "files", files);
	rec->size = bytes;
	record_takes(rec, a->user, n->folder.org, files, bytes);
	return err;
}

int
handle_remove(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_remove m;
	struct node n;
	struct removal *op;
	struct record rec;
	int err = ipc_get_remove(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n)) != SP_OK)
		return err;
	record_init(
	    &rec, n.is_file ? EVENT_FILE_DELETED : EVENT_FOLDER_DELETED, &w->actor, w->serial);
	rec.path = span_str(n.path);
	if ((err = removal_check(b, a, &n, &m, &rec)) == SP_EPERM)
		denied(b, w, "delete", n.path);
	if (err != SP_OK)
		return err;
	if ((op = op_new(b, w, sizeof(*op))) == NULL)
		return SP_EUNAVAIL;
	op->broker = b;
	op->is_file = n.is_file;
	op->only_empty = m.kind == REMOVE_EMPTY;
	op->id = n.is_file ? n.file.id : n.folder.id;
	op->version = n.is_file ? n.file.version : 0;
	memcpy(op->path, n.path, sizeof(op->path));
	err = lock_name(b, &op->lock, n.is_file ? n.folder.id : n.folder.parent,
	    span_str(n.is_file ? n.file.name : n.folder.name));
	if (err == SP_OK) {
		op->op.clean = removal_clean;
		err = ledger_record(b, &op->op, &rec, removal_recorded);
	}
	if (err != SP_OK)
		op_end(b, &op->op);
	return err;
}
