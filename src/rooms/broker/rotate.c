/* rotate.c - see rotate.h. */
#include "rooms/broker/rotate.h"

#include "rooms/broker/admin.h"
#include "rooms/broker/put.h"
#include "sys/log.h"

#define WAIT_UPLOADS_MS 1000
#define WAIT_FAILED_MS 30000
#define KEPT_A_BATCH 32u

struct rotation {
	int64_t org;
	uint32_t epoch;
	char name[65];
	unsigned in_flight;
	bool failed;
	uint64_t timer;
};

struct rewrap {
	struct op op;
	uint8_t blob[16];
	int64_t old_epoch;
	int64_t upload; /* an unfinished one; 0: a stored blob */
	uint8_t wrap[96];
};

static void batch(struct broker *b);

static void
on_timer(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	if (b->rotation == NULL)
		return;
	b->rotation->timer = 0;
	b->rotation->failed = false;
	batch(b);
}

static void
wait_ms(struct broker *b, int64_t ms)
{
	b->rotation->timer = loop_timer(b->loop, ms, on_timer, b);
	if (b->rotation->timer == 0)
		log_error("key rotation stops until the next start: no memory");
}

void
rotate_stop(struct broker *b)
{
	if (b->rotation == NULL)
		return;
	if (b->rotation->timer != 0)
		loop_timer_cancel(b->loop, b->rotation->timer);
	mem_free(b->rotation);
	b->rotation = NULL;
}

/* rewrapped, committed - one key is under the new epoch. */
static void
one_less(struct broker *b)
{
	struct rotation *r = b->rotation;

	if (r == NULL || --r->in_flight != 0)
		return;
	if (r->failed)
		wait_ms(b, WAIT_FAILED_MS);
	else
		batch(b);
}

static void
rewrap_committed(struct broker *b, struct op *op, const struct answer *a)
{
	struct rewrap *w = (struct rewrap *)op;
	struct upload *u = w->upload != 0 ? upload_find(b, w->upload) : NULL;

	if (a->err != SP_OK && b->rotation != NULL)
		b->rotation->failed = true;
	/* by number: it may be another connection's by now, which is the same key */
	if (a->err == SP_OK && u != NULL && b->rotation != NULL) {
		memcpy(u->wrap, w->wrap, sizeof(u->wrap));
		u->epoch = b->rotation->epoch;
	}
	op_end(b, op);
	one_less(b);
}

/* the new wrap into its row */
static int
store_wrap(struct broker *b, struct rewrap *w, struct span wrap)
{
	if (wrap.len != sizeof(w->wrap))
		return SP_EDAMAGED;
	memcpy(w->wrap, wrap.ptr, sizeof(w->wrap));
	if (w->upload != 0)
		return sql_run(b->db, SQL_UPLOAD_REWRAP, SI(w->upload), SB(wrap));
	return sql_run(b->db, SQL_BLOB_REWRAP, SB(span_of(w->blob, 16)), SI(b->rotation->epoch),
	    SB(wrap), SI(w->old_epoch));
}

static void
rewrapped(struct broker *b, struct op *op, const struct answer *a)
{
	struct rewrap *w = (struct rewrap *)op;
	int err = a->err;

	if (err == SP_OK && b->rotation != NULL)
		err = store_wrap(b, w, a->wrap);
	if (err == SP_OK) {
		op_commit(b, op, rewrap_committed);
		return;
	}
	log_warning("key rotation: a file key was not wrapped anew: %s", sp_strerror(err));
	if (b->rotation != NULL)
		b->rotation->failed = true;
	op_end(b, op);
	one_less(b);
}

static void
destroyed_committed(struct broker *b, struct op *op, const struct answer *a)
{
	op_end(b, op);
	if (a->err == SP_OK && b->rotation != NULL) {
		log_info("key rotation of %s is complete: epoch %u", b->rotation->name,
		    b->rotation->epoch);
		rotate_stop(b);
		rotate_next(b);
	} else if (b->rotation != NULL) {
		wait_ms(b, WAIT_FAILED_MS);
	}
}

static void
destroyed(struct broker *b, struct op *op, const struct answer *a)
{
	struct rotation *r = b->rotation;
	int err = a->err;

	if (err == SP_OK && r != NULL)
		err = sql_run(
		    b->db, SQL_ORG_SET_EPOCH, SI(r->org), SI(r->epoch), SI(/* rotating= */ 0));
	if (err == SP_OK) {
		op_commit(b, op, destroyed_committed);
		return;
	}
	log_warning("key rotation: the old keys were not destroyed: %s", sp_strerror(err));
	op_end(b, op);
	if (r != NULL)
		wait_ms(b, WAIT_FAILED_MS);
}

/* destroy_old - nothing is wrapped under an older epoch any more. */
static void
destroy_old(struct broker *b)
{
	struct rotation *r = b->rotation;
	struct ipc_org_key m = {
	    .org = (uint64_t)r->org, .op = 2, .epoch = r->epoch, .org_name = span_str(r->name)};
	struct op *op = op_new(b, NULL, sizeof(*op));

	if (op != NULL && ledger_org_key(b, op, &m, destroyed) == SP_OK)
		return;
	if (op != NULL)
		op_end(b, op);
	wait_ms(b, WAIT_FAILED_MS);
}

/* old_upload - is an upload open whose key is wrapped under an older epoch, or not yet known? */
static bool
old_upload(const struct broker *b, const struct rotation *r)
{
	for (const struct upload *u = b->uploads; u != NULL; u = u->next)
		if (u->org == r->org && u->epoch < r->epoch)
			return true;
	return false;
}

static int
order_rewrap(
    struct broker *b, const uint8_t blob[16], struct span wrap, int64_t old_epoch, int64_t upload)
{
	struct rotation *r = b->rotation;
	struct rewrap *w = op_new(b, NULL, sizeof(*w));
	struct ipc_rewrap m = {.org = (uint64_t)r->org, .wrap = wrap};
	int err;

	if (w == NULL)
		return SP_ENOMEM;
	memcpy(w->blob, blob, sizeof(w->blob));
	memcpy(m.blob.b, blob, sizeof(m.blob.b));
	w->old_epoch = old_epoch;
	w->upload = upload;
	if ((err = ledger_rewrap(b, &w->op, &m, rewrapped)) == SP_OK)
		r->in_flight++;
	else
		op_end(b, &w->op);
	return err;
}

static int
batch_blobs(struct broker *b)
{
	DEFER(sql_end)
	struct sql q =
	    sql_query(b->db, SQL_BLOBS_OF_EPOCH, SI(b->rotation->org), SI(b->rotation->epoch));
	int rc;

	while ((rc = sql_step(&q)) == 1) {
		struct span id = sql_blob(&q), wrap = sql_blob(&q);

		if (id.len != 16)
			return SP_EDAMAGED;
		if ((rc = order_rewrap(b, id.ptr, wrap, sql_i64(&q), 0)) != SP_OK)
			return rc;
	}
	return rc;
}

/* Unfinished uploads may wait for their owners longer than a rotation should. */
static int
batch_kept(struct broker *b)
{
	const struct rotation *r = b->rotation;
	int rc = SP_OK;

	for (struct upload *u = b->uploads; u != NULL && rc == SP_OK; u = u->next)
		if (u->is_kept && u->org == r->org && u->epoch < r->epoch &&
		    r->in_flight <= KEPT_A_BATCH)
			rc = order_rewrap(
			    b, u->blob, span_of(u->wrap, sizeof(u->wrap)), u->epoch, u->id);
	return rc;
}

static void
batch(struct broker *b)
{
	struct rotation *r = b->rotation;

	r->in_flight = 1; /* this function: the batch is not over before it ends */
	if (batch_blobs(b) != SP_OK || (r->in_flight == 1 && batch_kept(b) != SP_OK))
		r->failed = true;
	if (r->in_flight > 1 || r->failed) {
		one_less(b);
		return;
	}
	r->in_flight = 0;
	if (old_upload(b, r) || b->hold_shredding) /* a backup needs its keys as they are */
		wait_ms(b, WAIT_UPLOADS_MS);
	else
		destroy_old(b);
}

void
rotate_next(struct broker *b)
{
	int64_t last = 0;

	while (b->rotation == NULL) {
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_ORG_NEXT, SI(last));
		struct rotation *r;
		int64_t rotating;
		char name[65];

		if (sql_step(&q) != 1)
			return;
		last = sql_i64(&q);
		sql_text_of(&q, name, sizeof(name));
		(void)sql_i64(&q); /* epoch: the same as rotating */
		rotating = sql_i64(&q);
		if (rotating == 0)
			continue;
		r = mem_alloc(sizeof(*r));
		if (r == NULL) {
			log_error("key rotation waits for the next start: no memory");
			return;
		}
		r->org = last;
		r->epoch = (uint32_t)rotating;
		memcpy(r->name, name, sizeof(r->name));
		b->rotation = r;
		sql_end(&q);
		batch(b);
		return;
	}
}

/* ---- key rotate ---- */

static void
rotate_committed(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;

	if (a->err != SP_OK) {
		admin_refuse(b, op, a->err);
		return;
	}
	admin_answer(b, op, op->result);
	rotate_next(b);
}

static void
new_epoch(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	int64_t org = json_integer_value(json_object_get(op->result, "id"));
	int err = a->err;

	if (err == SP_OK)
		err = sql_run(
		    b->db, SQL_ORG_SET_EPOCH, SI(org), SI(a->epoch), SI(/* rotating= */ a->epoch));
	if (err == SP_OK && json_object_set_new(op->result, "epoch", json_integer(a->epoch)) != 0)
		err = SP_ENOMEM;
	if (err == SP_OK)
		op_commit(b, base, rotate_committed);
	else
		admin_refuse(b, op, err);
}

int
admin_key_rotate(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct admin_call *c = mem_alloc(sizeof(*c));
	struct ipc_org_key m = {.op = 1, .user = span_str(op->op.actor.name)};
	int64_t org = 0;
	int err;

	if (c == NULL)
		return SP_ENOMEM;
	admin_call_of(b, op, c);
	err = admin_org(c, &org);
	if (err != SP_OK) {
		memcpy(op->why, c->why, sizeof(op->why));
		return err;
	}
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_ORG_BY_ID, SI(org));
	err = sql_step(&q);
	if (err != 1)
		return err == 0 ? SP_ENOORG : err;
	m.org = (uint64_t)sql_i64(&q);
	m.org_name = sql_text(&q);
	op->result =
	    json_pack("{s:I, s:s%}", "id", (json_int_t)org, "org", m.org_name.ptr, m.org_name.len);
	if (sql_i64(&q) == 0)
		return SP_ELOCKED; /* it has no key yet: the vault has not been open since */
	if (sql_i64(&q) != 0)
		return SP_ECONFLICT;
	return op->result != NULL ? ledger_org_key(b, &op->op, &m, new_epoch) : SP_ENOMEM;
}
