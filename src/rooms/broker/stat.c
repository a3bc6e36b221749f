/* stat.c - STAT, TOUCH and SPACE. */
#include "rooms/broker/proof.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "sys/fd.h"

int
handle_stat(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_stat m;
	struct node n;
	int err = ipc_get_stat(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK)
		return err;
	if (w->only.id != 0)
		m.partial = 0;
	if (m.partial != 0 && m.tag != 0 && (err = stat_partial(b, w, a, &m)) != SP_ENOTFOUND)
		return err;
	err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n);
	if (err == SP_ENOTFOUND && m.partial != 0)
		return stat_partial(b, w, a, &m);
	if (err == SP_OK)
		err = pass_covers(b, w->only, &n);
	return err == SP_OK ? entry_reply(b, w->serial, &n, false) : err;
}

/* ---- TOUCH ---- */

struct touch {
	struct op op;
	bool is_file;
	int64_t id, modified_us;
};

static void
touch_done(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static void
touch_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct touch *t = (struct touch *)op;
	int err = a->err;

	if (err == SP_OK)
		err = sql_run(b->db, t->is_file ? SQL_FILE_TOUCH : SQL_FOLDER_TOUCH, SI(t->id),
		    SI(t->modified_us));
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, touch_done);
}

static int
touch_node(struct broker *b, struct worker *w, const struct node *n, int64_t modified_us)
{
	struct touch *t = op_new(b, w, sizeof(*t));
	struct record rec;
	int err;

	if (t == NULL)
		return SP_EUNAVAIL;
	t->is_file = n->is_file;
	t->id = n->is_file ? n->file.id : n->folder.id;
	t->modified_us = modified_us;
	record_init(&rec, EVENT_FILE_TOUCHED, &w->actor, w->serial);
	rec.path = span_str(n->path);
	record_num(&rec, n->is_file ? "file" : "folder", t->id);
	record_num(&rec, "modified_us", modified_us);
	if ((err = ledger_record(b, &t->op, &rec, touch_recorded)) != SP_OK)
		op_end(b, &t->op);
	return err;
}

int
handle_touch(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_touch m;
	struct node n;
	int err = ipc_get_touch(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n)) != SP_OK)
		return err;
	if (m.modified_us > (uint64_t)TIME_MAX_US)
		return SP_ERANGE;
	if ((n.rights & RIGHT_WRITE) == 0) {
		denied(b, w, "set time", n.path);
		return SP_EPERM;
	}
	return touch_node(b, w, &n, (int64_t)m.modified_us);
}

/* ---- SPACE ---- */

int
handle_space(struct broker *b, struct worker *w, struct span body)
{
	int64_t chain[PATH_MAX_DEPTH + 2];
	const struct access *a;
	struct room_left left;
	struct ipc_space m;
	uint64_t files = 0;
	struct node n;
	size_t n_chain = 0;
	int err = ipc_get_space(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n)) != SP_OK ||
	    (err = disk_space(b->blob_dir, &left.total, &left.free, &files)) != SP_OK ||
	    (err = folder_chain(b->db, n.folder.id, chain, &n_chain)) != SP_OK ||
	    (err = quota_left(b, w->actor.user, w->actor.org, chain, n_chain, NULL, &left)) !=
		SP_OK)
		return err;
	struct ipc_space_left reply_m = {
	    .total = left.total < INT64_MAX ? left.total : INT64_MAX,
	    .free = left.free < INT64_MAX ? left.free : INT64_MAX,
	    .files = files < INT64_MAX ? files : INT64_MAX,
	};
	REPLY(b, w->serial, SPACE_LEFT, space_left, &reply_m, -1);
	return SP_OK;
}
