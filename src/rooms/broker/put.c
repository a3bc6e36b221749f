/* put.c - PUT and ABORT: a name is judged, a key is asked for, a place to write is handed out. */
#include "crypto/crypto.h"
#include "crypto/wrap.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "store/blob.h"
#include "sys/fd.h"
#include "sys/log.h"

struct putting {
	struct op op;
	struct broker *broker;
	struct upload *upload; /* owned until the worker has it */
	int fd;
};

/* ---- PUT ---- */

static void
putting_clean(struct op *op)
{
	struct putting *p = (struct putting *)op;

	close_fd(&p->fd);
	if (p->upload == NULL)
		return;
	if (!p->upload->is_small)
		blobfile_remove(p->broker, p->upload->blob);
	upload_forget(p->broker, p->upload);
}

static int
store_row(struct broker *b, struct upload *u)
{
	int err = sql_run(b->db, SQL_UPLOAD_ADD, SI(u->id), SI(u->org), SI(u->user), SI(u->folder),
	    ST(span_str(u->name)), ST(span_str(u->path)), SB(span_of(u->blob, 16)),
	    SB(span_of(u->wrap, 96)), SI(u->limit), SI(/* resumable= */ u->tag != 0),
	    SI(u->created_us), SI(u->tag), SI(u->tag != 0 ? u->mode : 0));

	u->has_row = err == SP_OK;
	return err;
}

static void
hand_out(struct broker *b, struct putting *p)
{
	struct upload *u = p->upload;
	uint64_t serial = p->op.serial;

	p->upload = NULL; /* the worker's now */
	if (u->is_small) {
		struct ipc_upload_small m = {.upload = (uint64_t)u->id, .limit = u->limit};

		memcpy(m.blob.b, u->blob, 16);
		REPLY(b, serial, UPLOAD_SMALL, upload_small, &m, -1);
	} else {
		struct ipc_upload m = {
		    .upload = (uint64_t)u->id, .limit = u->limit, .segment = b->segment};

		memcpy(m.blob.b, u->blob, 16);
		REPLY(b, serial, UPLOAD, upload, &m, TAKE_FD(p->fd));
	}
}

unsigned
uploads_most(const struct worker *w)
{
	return w->room == ROOM_WORKER_SFTP ? UPLOADS_PER_WORKER : 1;
}

static void
put_wrapped(struct broker *b, struct op *op, const struct answer *a)
{
	struct putting *p = (struct putting *)op;
	struct upload *u = p->upload;
	struct worker *w = worker_find(b, op->serial);
	struct wrap_info info = {0};
	int err = a->err;

	if (err == SP_OK && (w == NULL || w->is_dead || w->n_uploads >= uploads_most(w)))
		err = SP_ECLOSED;
	if (err == SP_OK && (err = wrap_peek(a->wrap, &info)) == SP_OK && info.length != u->limit)
		err = SP_ERANGE;
	if (err == SP_OK) {
		memcpy(u->wrap, a->wrap.ptr, sizeof(u->wrap));
		u->epoch = info.epoch;
		u->has_wrap = true;
		if (!u->is_small)
			err = store_row(b, u);
		/* kept from now on: its file has to have its name after a power loss, too */
		if (err == SP_OK && u->tag != 0)
			err = blobfile_name_sync(b, u->blob);
	}
	if (err != SP_OK) {
		op_fail(b, op, err == SP_ERANGE ? SP_EUNAVAIL : err, a->retry_after);
		return;
	}
	if (w->room == ROOM_WORKER_SFTP || u->tag != 0)
		kept_drop_named(b, u, &op->actor);
	upload_give(w, u);
	hand_out(b, p);
	op_end(b, op);
}

static int
check_mode(const struct broker *b, const struct place *p, const struct ipc_put *m)
{
	struct file f;
	int err;

	if (p->child != 0)
		return SP_EISFOLDER;
	if (m->mode == 1)
		return p->file != 0 ? SP_EPRECOND : SP_OK;
	if (m->mode != 2)
		return SP_OK;
	if (p->file == 0)
		return SP_EPRECOND;
	if ((err = file_get(b->db, p->file, &f)) != 1)
		return err < 0 ? err : SP_EPRECOND;
	return f.version == (int64_t)m->match ? SP_OK : SP_EPRECOND;
}

/* Overwriting takes away what was there: it needs the right to delete, too. */
int
may_store(uint16_t rights, bool exists)
{
	uint16_t need = RIGHT_WRITE | (exists ? RIGHT_DELETE : 0);

	return (rights & need) == need ? SP_OK : SP_EPERM;
}

static int
fill_upload(struct broker *b, struct worker *w, const struct place *p, const struct ipc_put *m,
    struct upload *u)
{
	const struct upload *old;
	uint64_t left = 0;
	int err;

	u->serial = w->serial;
	u->org = p->folder.org;
	u->user = w->actor.user;
	u->folder = p->folder.id;
	u->mode = m->mode;
	u->match = (int64_t)m->match;
	u->tag = m->tag;
	u->created_us = u->touched_us = b->wall_us();
	memcpy(u->name, p->name, sizeof(u->name));
	memcpy(u->path, p->path, sizeof(u->path));
	/* what is kept of an earlier attempt goes when this one begins */
	old = w->room == ROOM_WORKER_SFTP || u->tag != 0 ? kept_find(b, u->user, u->folder, u->name)
							 : NULL;
	if ((err = folder_chain(b->db, u->folder, u->chain, &u->n_chain)) != SP_OK ||
	    (err = upload_left(b, u->user, u->org, u->chain, u->n_chain, old, &left)) != SP_OK)
		return err;
	if (m->size != UINT64_MAX && m->size > (uint64_t)b->start.conf.body_max)
		return SP_ETOOBIG;
	if (m->size != UINT64_MAX && m->size > left)
		return SP_EQUOTA;
	if (m->size == UINT64_MAX && left == 0)
		return SP_EQUOTA;
	u->is_small = m->small != 0;
	u->limit = m->size != UINT64_MAX ? m->size : left;
	if (u->is_small && m->size == UINT64_MAX && u->limit > INLINE_MAX)
		u->limit = INLINE_MAX;
	if (u->is_small && u->limit > INLINE_MAX)
		return SP_ERANGE;
	u->reserved = m->size != UINT64_MAX ? m->size : 0;
	u->id = broker_id(b);
	return crypto_random(u->blob, sizeof(u->blob));
}

static int
begin_upload(struct broker *b, struct worker *w, const struct place *place, const struct ipc_put *m)
{
	struct putting *p = op_new(b, w, sizeof(*p));
	struct ipc_key_new order = {.serial = w->serial};
	int err;

	if (p == NULL)
		return SP_EUNAVAIL;
	p->broker = b;
	p->fd = -1;
	p->op.clean = putting_clean;
	if ((p->upload = upload_new(b)) == NULL)
		err = SP_ENOMEM;
	else if ((err = fill_upload(b, w, place, m, p->upload)) != SP_OK)
		p->upload->is_small = true; /* no file was made yet */
	else if (!p->upload->is_small)
		err = blobfile_make(b, p->upload->blob, &p->fd);
	if (err == SP_OK) {
		order.org = (uint64_t)p->upload->org;
		order.limit = p->upload->limit;
		memcpy(order.blob.b, p->upload->blob, 16);
		err = ledger_key_new(b, &p->op, &order, put_wrapped);
	}
	if (err != SP_OK)
		op_end(b, &p->op);
	return err;
}

int
handle_put(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_put m;
	struct place p;
	int err = ipc_get_put(body, &m);

	if (err != SP_OK)
		return err;
	/* HTTPS, one at a time: a request that was given up without ABORT is given up here */
	while (w->room != ROOM_WORKER_SFTP && w->uploads != NULL)
		upload_drop(b, w->uploads, &w->actor, "another upload began");
	if (w->is_dead)
		return SP_OK;
	if (w->n_uploads >= uploads_most(w))
		return SP_EFULL;
	if ((err = worker_access(b, w, &a)) != SP_OK ||
	    (err = place_find(b->db, a, m.by, (int64_t)m.id, m.path, m.name, &p)) != SP_OK)
		return err;
	if ((err = may_store(p.rights, p.file != 0)) != SP_OK) {
		denied(b, w, "store", p.path);
		return err;
	}
	if ((err = check_mode(b, &p, &m)) != SP_OK)
		return err;
	return begin_upload(b, w, &p, &m);
}

int
handle_abort(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_abort m;
	struct upload *u;
	int err = ipc_get_abort(body, &m);

	if (err != SP_OK)
		return err;
	if ((u = upload_of(w, m.upload)) == NULL)
		return SP_ENOTFOUND;
	upload_drop(b, u, &w->actor, "given up by the client");
	reply_done(b, w->serial, 0);
	return SP_OK;
}
