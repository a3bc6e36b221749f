/* rename.c - RENAME: judged, recorded, judged again and done.
 *
 * Between the two judgements only the names are held; whatever else changed meanwhile, the second
 * one sees.  What was recorded and then cannot be done is followed by a record of that. */
#include "rooms/broker/move.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "rooms/broker/trial.h"

struct renaming {
	struct op op;
	struct broker *broker;
	struct name_lock from_lock, to_lock;
	bool is_file, replace;
	int64_t id, version,
	    victim; /* what the record says; victim: the version that is replaced */
	uint64_t entry;
	char from[PATH_MAX_BYTES + 1], to[PATH_MAX_BYTES + 1];
	char rows[ROWS_DETAIL_MAX]; /* of a folder, as they are on record */
};

static void
renaming_clean(struct op *op)
{
	struct renaming *r = (struct renaming *)op;

	unlock_name(r->broker, &r->from_lock);
	unlock_name(r->broker, &r->to_lock);
}

/* what the caller has done is shown, also where the caller may only write */
static int
reply_node(struct broker *b, uint64_t serial, const struct actor *actor, bool is_file, int64_t id)
{
	struct access access = {0};
	struct node n = {.is_file = is_file};
	char base[PATH_MAX_BYTES + 1];
	int err = 1;

	if (is_file)
		err = file_get(b->db, id, &n.file);
	if (err == 1)
		err = folder_get(b->db, is_file ? n.file.folder : id, &n.folder);
	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if ((err = access_load(b->db, actor, &access)) == SP_OK)
		err = access_rights(b->db, &access, n.folder.id, &n.rights);
	access_done(&access);
	if (err == SP_OK)
		err = folder_path(b->db, n.folder.id, is_file ? base : n.path, sizeof(base), NULL);
	if (err == SP_OK && is_file)
		err = path_join(base, span_str(n.file.name), n.path, sizeof(n.path));
	return err == SP_OK ? entry_reply(b, serial, &n, false) : err;
}

static void
rename_undone(struct broker *b, struct renaming *r, int err)
{
	struct record rec;

	record_init(&rec, EVENT_RECONCILED, &r->op.actor, r->op.serial);
	rec.path = span_str(r->from);
	record_num(&rec, "intent", (int64_t)r->entry);
	record_text(&rec, "reason", span_str(sp_strerror(err)));
	ledger_note(b, &rec);
	op_fail(b, &r->op, err, 0);
}

static void
rename_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct renaming *r = (struct renaming *)op;
	int err = a->err;

	if (err != SP_OK) {
		rename_undone(b, r, err);
		return;
	}
	if (!r->is_file)
		uploads_folder_moved(b, r->id);
	if ((err = reply_node(b, op->serial, &op->actor, r->is_file, r->id)) != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_end(b, op);
}

/* Is it still what the record says? */
static bool
is_as_recorded(const struct renaming *r, const struct move *m)
{
	return !m->is_noop && strcmp(m->node.path, r->from) == 0 &&
	       strcmp(m->place.path, r->to) == 0 &&
	       (!r->is_file || m->node.file.version == r->version) &&
	       (m->victim.id != 0 ? m->victim.version : 0) == r->victim;
}

static int
carry_out(struct broker *b, struct renaming *r)
{
	DEFER(mem_freep) struct move *m = mem_alloc(sizeof(*m));
	struct access access = {0};
	const struct ipc_rename target = {
	    .by = r->is_file ? BY_FILE : BY_FOLDER,
	    .id = (uint64_t)r->id,
	    .to = span_str(r->to),
	    .replace = r->replace,
	};
	int err = m != NULL ? access_load(b->db, &r->op.actor, &access) : SP_ENOMEM;

	if (err == SP_OK)
		err = move_judge(b, &access, &target, m);
	access_done(&access);
	if (err != SP_OK)
		return err;
	if (!is_as_recorded(r, m))
		return SP_ECONFLICT;
	err = move_apply(b, m);
	return err == SP_OK ? trial_done(b, &r->op, r->entry, r->rows) : err;
}

static void
rename_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct renaming *r = (struct renaming *)op;
	int err;

	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	r->entry = a->entry;
	if ((err = carry_out(b, r)) != SP_OK)
		rename_undone(b, r, err);
	else
		op_commit(b, op, rename_done);
}

static int
try_move(struct broker *b, void *arg)
{
	return move_apply(b, arg);
}

static int
record_rename(struct broker *b, struct renaming *r, struct move *m)
{
	struct record rec;
	int err;

	record_init(&rec, r->is_file ? EVENT_FILE_RENAMED : EVENT_FOLDER_RENAMED, &r->op.actor,
	    r->op.serial);
	rec.path = span_str(r->from);
	rec.size = r->is_file ? m->node.file.size : m->node.folder.bytes;
	record_text(&rec, "from", span_str(r->from));
	ipc_pair_put(&rec.detail, "to", span_str(r->to)); /* whole: it is nowhere else */
	record_num(&rec, r->is_file ? "file" : "folder", r->id);
	record_num(&rec, "into", m->place.folder.id);
	if (r->is_file)
		record_num(&rec, "version", r->version);
	if (r->victim != 0) {
		record_num(&rec, "replaced", r->victim);
		record_num(&rec, "replaced-file", m->victim.id);
		record_takes(&rec, r->op.actor.user, m->victim.org, 1, m->victim.size);
	}
	if (!r->is_file && (err = trial_run(b, try_move, m, r->rows, &rec)) != SP_OK)
		return err;
	return ledger_record(b, &r->op, &rec, rename_recorded);
}

static int
begin_rename(struct broker *b, struct worker *w, struct move *m, bool replace)
{
	struct renaming *r = op_new(b, w, sizeof(*r));
	int err;

	if (r == NULL)
		return SP_EUNAVAIL;
	r->broker = b;
	r->op.clean = renaming_clean;
	r->is_file = m->node.is_file;
	r->replace = replace;
	r->id = r->is_file ? m->node.file.id : m->node.folder.id;
	r->version = r->is_file ? m->node.file.version : 0;
	r->victim = m->victim.id != 0 ? m->victim.version : 0;
	memcpy(r->from, m->node.path, sizeof(r->from));
	memcpy(r->to, m->place.path, sizeof(r->to));
	err = lock_name(b, &r->from_lock, r->is_file ? m->node.folder.id : m->node.folder.parent,
	    span_str(r->is_file ? m->node.file.name : m->node.folder.name));
	if (err == SP_OK)
		err = lock_name(b, &r->to_lock, m->place.folder.id, span_str(m->place.name));
	if (err == SP_OK)
		err = record_rename(b, r, m);
	if (err != SP_OK)
		op_end(b, &r->op);
	return err;
}

int
handle_rename(struct broker *b, struct worker *w, struct span body)
{
	DEFER(mem_freep) struct move *move = mem_alloc(sizeof(*move));
	const struct access *a;
	struct ipc_rename m;
	int err = ipc_get_rename(body, &m);

	if (err != SP_OK)
		return err;
	if (move == NULL)
		return SP_ENOMEM;
	if ((err = worker_access(b, w, &a)) != SP_OK)
		return err;
	if ((err = move_judge(b, a, &m, move)) == SP_EPERM)
		denied(b, w, "rename", move->node.path);
	if (err != SP_OK)
		return err;
	if (move->is_noop)
		return reply_node(b, w->serial, &w->actor, move->node.is_file,
		    move->node.is_file ? move->node.file.id : move->node.folder.id);
	return begin_rename(b, w, move, m.replace != 0);
}
