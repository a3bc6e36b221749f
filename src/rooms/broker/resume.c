/* resume.c - PROGRESS and RESUME: what is durable of an upload is put on record, and its owner goes
 * on with it over another connection. */
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "sys/fd.h"

/* ---- PROGRESS ---- */

struct progress {
	struct op op;
	int64_t upload, now_us;
	uint64_t acked;
};

static void
progress_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct progress *p = (struct progress *)op;
	struct upload *u = upload_find(b, p->upload);

	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	/* memory follows the row, also when the worker went meanwhile */
	if (u != NULL && u->acked < p->acked) {
		u->acked = p->acked;
		u->touched_us = p->now_us;
	}
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

/* What is staged counts: quotas are asked now, not only at the end. */
static int
progress_check(struct broker *b, const struct upload *u, uint64_t acked)
{
	uint64_t left = 0;
	int err;

	if (u->is_small || acked == 0 || acked < u->acked || acked > u->limit)
		return SP_ERANGE;
	if ((err = upload_left(b, u->user, u->org, u->chain, u->n_chain, u, &left)) != SP_OK)
		return err;
	if (acked > left)
		return SP_EQUOTA;
	/* the worker synced the bytes; that the file has a name at all is ours to make sure */
	return u->acked == 0 ? blobfile_name_sync(b, u->blob) : SP_OK;
}

int
handle_progress(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_progress m;
	struct progress *p;
	struct upload *u;
	int err = ipc_get_progress(body, &m);

	if (err != SP_OK)
		return err;
	if ((u = upload_of(w, m.upload)) == NULL)
		return SP_ENOTFOUND;
	if ((err = progress_check(b, u, m.acked)) != SP_OK)
		return err;
	if (m.acked == u->acked) { /* that is no progress: neither a commit nor more time */
		reply_done(b, w->serial, 0);
		return SP_OK;
	}
	if ((p = op_new(b, w, sizeof(*p))) == NULL)
		return SP_EUNAVAIL;
	p->upload = u->id;
	p->acked = m.acked;
	p->now_us = b->wall_us();
	err = sql_run(b->db, SQL_UPLOAD_PROGRESS, SI(u->id), SI(m.acked), SI(p->now_us));
	if (err != SP_OK) {
		op_end(b, &p->op);
		return err;
	}
	if (u->reserved < m.acked)
		u->reserved = m.acked;
	op_commit(b, &p->op, progress_done);
	return SP_OK;
}

/* ---- RESUME ---- */

struct resuming {
	struct op op;
	struct broker *broker;
	int64_t upload; /* by number: it may be dropped while the key is on its way */
};

static void
resuming_clean(struct op *op)
{
	struct resuming *r = (struct resuming *)op;
	struct upload *u = upload_find(r->broker, r->upload);

	if (u != NULL && u->is_kept)
		u->is_resuming = false;
}

static void
hand_over(struct broker *b, struct worker *w, struct upload *u, int fd)
{
	struct ipc_upload_resumed m = {
	    .upload = (uint64_t)u->id,
	    .limit = u->limit,
	    .segment = b->segment,
	    .acked = u->acked,
	};

	memcpy(m.blob.b, u->blob, sizeof(m.blob.b));
	u->is_kept = u->is_resuming = false;
	b->n_kept--;
	upload_give(w, u);
	REPLY(b, w->serial, UPLOAD_RESUMED, upload_resumed, &m, fd);
}

static void
resume_released(struct broker *b, struct op *op, const struct answer *a)
{
	struct resuming *r = (struct resuming *)op;
	struct worker *w = worker_find(b, op->serial);
	struct upload *u = upload_find(b, r->upload);
	DEFER(close_fd) int fd = -1;
	int err = a->err;

	if (err == SP_OK && (w == NULL || w->is_dead || w->n_uploads >= uploads_most(w)))
		err = SP_ECLOSED;
	if (err == SP_OK && (u == NULL || !u->is_kept))
		err = SP_ENOTFOUND;
	if (err == SP_OK)
		err = blobfile_reopen(b, u->blob, &fd);
	if (err != SP_OK) {
		op_fail(b, op, err, a->retry_after);
		return;
	}
	hand_over(b, w, u, TAKE_FD(fd));
	op_end(b, op);
}

static int
release(struct broker *b, struct resuming *r, const struct upload *u, const char *path)
{
	struct ipc_release m = {
	    .event = EVENT_UPLOAD_RESUMED,
	    .serial = r->op.serial,
	    .org = (uint64_t)u->org,
	    .user = (uint64_t)r->op.actor.user,
	    .wrap = span_of(u->wrap, sizeof(u->wrap)),
	    .user_name = span_str(r->op.actor.name),
	    .org_name = span_str(r->op.actor.org_name),
	    .path = span_str(path),
	};

	memcpy(m.blob.b, u->blob, sizeof(m.blob.b));
	return ledger_release(b, &r->op, &m, resume_released);
}

/* another connection writes it or is about to, or has ended and its process not yet */
static bool
is_busy(struct broker *b, const struct upload *u)
{
	return !u->is_kept || u->is_resuming || blobfile_left(b, u->blob);
}

static int
begin_resume(struct broker *b, struct worker *w, struct upload *u, const char *path)
{
	struct resuming *r;
	int err;

	if (is_busy(b, u))
		return SP_ECONFLICT;
	if ((r = op_new(b, w, sizeof(*r))) == NULL)
		return SP_EUNAVAIL;
	r->broker = b;
	r->upload = u->id;
	r->op.clean = resuming_clean;
	u->is_resuming = true;
	if ((err = release(b, r, u, path)) != SP_OK)
		op_end(b, &r->op);
	return err;
}

int
handle_resume(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_resume m;
	struct upload *u;
	struct place p;
	int err = ipc_get_resume(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = partial_place(b, a, m.by, (int64_t)m.id, m.path, &p)) != SP_OK)
		return err;
	if ((err = may_store(p.rights, p.file != 0)) != SP_OK) {
		denied(b, w, "store", p.path);
		return err;
	}
	if (p.child != 0)
		return SP_EISFOLDER;
	if (w->n_uploads >= uploads_most(w))
		return SP_EFULL;
	if ((u = upload_own(b, w->actor.user, p.folder.id, p.name, m.tag)) == NULL)
		return SP_ENOTFOUND;
	return begin_resume(b, w, u, p.path);
}

/* ---- UPLOAD_DROP ---- */

int
handle_upload_drop(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_upload_drop m;
	struct upload *u = NULL;
	struct place p;
	int err = ipc_get_upload_drop(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = partial_place(b, a, m.by, (int64_t)m.id, m.path, &p)) != SP_OK)
		return err;
	if (m.tag != 0)
		u = upload_own(b, w->actor.user, p.folder.id, p.name, m.tag);
	if (u == NULL)
		return SP_ENOTFOUND;
	if (is_busy(b, u))
		return SP_ECONFLICT;
	upload_drop(b, u, &w->actor, "given up by the client");
	reply_done(b, w->serial, 0);
	return SP_OK;
}
