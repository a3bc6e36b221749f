/* put.c - PUT and ABORT: a name is judged, a key is asked for, a place to write is handed out. */
#include "crypto/crypto.h"
#include "crypto/floe.h"
#include "crypto/wrap.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "store/blob.h"
#include "sys/fd.h"
#include "sys/log.h"

#define UPLOAD_SPARE (1u << 20) /* tail slots */

struct putting {
	struct op op;
	struct broker *broker;
	struct upload *upload; /* owned until the worker has it */
	int fd;
};

/* ---- names that are about to change ---- */

int
lock_name(struct broker *b, struct name_lock *l, int64_t folder, struct span name)
{
	for (const struct name_lock *o = b->locks; o != NULL; o = o->next)
		if (o->folder == folder && span_eq_str(name, o->name))
			return SP_ECONFLICT;
	VERIFY(name.len < sizeof(l->name));
	l->folder = folder;
	memcpy(l->name, name.ptr, name.len);
	l->name[name.len] = '\0';
	l->next = b->locks;
	b->locks = l;
	return SP_OK;
}

void
unlock_name(struct broker *b, struct name_lock *l)
{
	for (struct name_lock **p = &b->locks; *p != NULL; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

/* ---- quotas ---- */

static uint64_t
reserved_by(
    const struct broker *b, const struct upload *except, int64_t user, int64_t org, int64_t folder)
{
	uint64_t sum = 0;

	for (const struct upload *u = b->uploads; u != NULL; u = u->next) {
		bool hit = (user != 0 && u->user == user) || (org != 0 && u->org == org);

		for (size_t i = 0; i < u->n_chain && folder != 0 && !hit; i++)
			hit = u->chain[i] == folder;
		if (hit && u != except)
			sum += u->reserved;
	}
	return sum;
}

static void
cap_by(uint64_t *left, int64_t quota, int64_t used, uint64_t reserved)
{
	uint64_t taken = (uint64_t)used + reserved;

	if (quota == 0)
		return;
	if ((uint64_t)quota <= taken)
		*left = 0;
	else if ((uint64_t)quota - taken < *left)
		*left = (uint64_t)quota - taken;
}

int
upload_left(struct broker *b, int64_t user, int64_t org, const int64_t *chain, size_t n_chain,
    const struct upload *except, uint64_t *ret)
{
	uint64_t left = (uint64_t)b->start.conf.body_max;
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_USER_QUOTA, SI(user));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ESESSION;
		int64_t quota = sql_i64(&q), used = sql_i64(&q);
		cap_by(&left, quota, used, reserved_by(b, except, user, 0, 0));
	}
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_ORG_BY_ID, SI(org));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ENOORG;
		(void)sql_i64(&q), (void)sql_text(&q), (void)sql_i64(&q), (void)sql_i64(&q);
		int64_t quota = sql_i64(&q), used = sql_i64(&q);
		cap_by(&left, quota, used, reserved_by(b, except, 0, org, 0));
	}
	for (size_t i = 0; i < n_chain; i++) {
		struct folder f;

		if ((err = folder_get(b->db, chain[i], &f)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		cap_by(
		    &left, f.quota, f.bytes, f.quota != 0 ? reserved_by(b, except, 0, 0, f.id) : 0);
	}
	*ret = left;
	return SP_OK;
}

/* ---- the list of uploads ---- */

static void
unlink_upload(struct broker *b, struct upload *u)
{
	if (u->prev != NULL)
		u->prev->next = u->next;
	else if (b->uploads == u)
		b->uploads = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
	b->n_uploads--;
	mem_wipe(u, sizeof(*u));
	mem_free(u);
}

void
upload_forget(struct broker *b, struct upload *u)
{
	struct worker *w = worker_find(b, u->serial);

	if (w != NULL && w->upload == u)
		w->upload = NULL;
	unlink_upload(b, u);
}

void
upload_drop(struct broker *b, struct upload *u, const struct actor *actor, const char *why)
{
	struct worker *w = worker_find(b, u->serial);
	bool is_left = !u->is_small && blobfile_left(b, u->blob);
	struct record rec;

	if (!u->is_small)
		blobfile_remove(b, u->blob);
	if (u->has_row && sql_run(b->db, SQL_UPLOAD_REMOVE, SI(u->id)) != SP_OK)
		log_warning("the row of an upload could not be removed");
	record_init(&rec, EVENT_UPLOAD_ABORTED, actor, u->serial);
	rec.path = span_str(u->path);
	record_num(&rec, "upload", u->id);
	record_text(&rec, "reason", span_str(why));
	ledger_note(b, &rec);
	b->count.aborted++;
	upload_forget(b, u);
	/* it kept a descriptor, and with it the disk that no name counts any more */
	if (is_left && w != NULL)
		worker_violation(b, w, IPC_UPLOAD, SP_ECONFLICT);
}

void
upload_lost(struct broker *b, struct worker *w)
{
	struct upload *u = w->upload;

	if (u == NULL)
		return;
	w->upload = NULL;
	/* one that is on its way into the log and the database is finished there */
	if (!u->is_committing)
		upload_drop(b, u, &w->actor, "the connection ended");
}

void
uploads_watch(struct broker *b)
{
	for (const struct upload *u = b->uploads; u != NULL; u = u->next) {
		struct worker *w = worker_find(b, u->serial);
		uint64_t most = floe_ciphertext_len(u->limit, b->segment) + UPLOAD_SPARE;

		if (u->is_small || w == NULL || w->is_dead || blobfile_size(b, u->blob) <= most)
			continue;
		worker_violation(b, w, IPC_UPLOAD, SP_ETOOBIG); /* takes u away */
		return;
	}
}

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
	    SB(span_of(u->wrap, 96)), SI(u->limit), SI(/* resumable= */ 0), SI(u->created_us));

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

static void
put_wrapped(struct broker *b, struct op *op, const struct answer *a)
{
	struct putting *p = (struct putting *)op;
	struct upload *u = p->upload;
	struct worker *w = worker_find(b, op->serial);
	struct wrap_info info = {0};
	int err = a->err;

	if (err == SP_OK && (w == NULL || w->is_dead || w->upload != NULL))
		err = SP_ECLOSED;
	if (err == SP_OK && (err = wrap_peek(a->wrap, &info)) == SP_OK && info.length != u->limit)
		err = SP_ERANGE;
	if (err == SP_OK) {
		memcpy(u->wrap, a->wrap.ptr, sizeof(u->wrap));
		u->epoch = info.epoch;
		u->has_wrap = true;
		if (!u->is_small)
			err = store_row(b, u);
	}
	if (err != SP_OK) {
		op_fail(b, op, err == SP_ERANGE ? SP_EUNAVAIL : err, a->retry_after);
		return;
	}
	w->upload = u;
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
	uint64_t left = 0;
	int err;

	u->serial = w->serial;
	u->org = p->folder.org;
	u->user = w->actor.user;
	u->folder = p->folder.id;
	u->mode = m->mode;
	u->match = (int64_t)m->match;
	u->created_us = b->wall_us();
	memcpy(u->name, p->name, sizeof(u->name));
	memcpy(u->path, p->path, sizeof(u->path));
	if ((err = folder_chain(b->db, u->folder, u->chain, &u->n_chain)) != SP_OK ||
	    (err = upload_left(b, u->user, u->org, u->chain, u->n_chain, NULL, &left)) != SP_OK)
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

static struct upload *
add_upload(struct broker *b)
{
	struct upload *u = mem_alloc(sizeof(*u));

	if (u == NULL)
		return NULL;
	if ((u->next = b->uploads) != NULL)
		b->uploads->prev = u;
	b->uploads = u;
	b->n_uploads++;
	return u;
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
	if ((p->upload = add_upload(b)) == NULL)
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
	/* one at a time: a request that was given up without ABORT is given up here */
	if (w->upload != NULL && !w->upload->is_committing)
		upload_drop(b, w->upload, &w->actor, "another upload began");
	if (w->is_dead)
		return SP_OK;
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
	int err = ipc_get_abort(body, &m);

	if (err != SP_OK)
		return err;
	if (w->upload == NULL || w->upload->id != (int64_t)m.upload || w->upload->is_committing)
		return SP_ENOTFOUND;
	upload_drop(b, w->upload, &w->actor, "given up by the client");
	reply_done(b, w->serial, 0);
	return SP_OK;
}
