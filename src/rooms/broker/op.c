/* op.c - operations, their refs, and the group commit. */
#include "rooms/broker/addresses.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/outbox.h"
#include "sys/fd.h"
#include "sys/log.h"

#define ID_BLOCK 1000

void *
op_new(struct broker *b, struct worker *w, size_t bytes)
{
	struct op *op;

	PRECOND(bytes >= sizeof(*op));
	if (b->n_ops >= OPS_MAX || (op = mem_alloc(bytes)) == NULL)
		return NULL;
	op->bytes = bytes;
	if (w != NULL) {
		op->serial = w->serial;
		op->actor = w->actor;
		op->door = door_of(w->room);
	}
	b->n_ops++;
	return op;
}

void
op_end(struct broker *b, struct op *op)
{
	if (op->clean != NULL)
		op->clean(op);
	auth_job_free(op->job);
	VERIFY(b->n_ops > 0);
	b->n_ops--;
	mem_wipe(op, op->bytes);
	mem_free(op);
}

void
op_fail(struct broker *b, struct op *op, int err, uint32_t retry_after)
{
	if (retry_after == 0 && op->budget != 0)
		retry_after = op->retry_after;
	if (op->fail != NULL)
		op->fail(b, op, err, retry_after);
	else if (op->serial != 0)
		reply_limit(b, op, err, retry_after);
	op_end(b, op);
}

void
op_wait(struct broker *b, struct op *op, op_fn next)
{
	struct op **slot;

	op->ref = ++b->next_ref;
	op->next = next;
	slot = &b->ops[op->ref % HASH_SLOTS];
	op->hash_next = *slot;
	*slot = op;
}

struct op *
op_take(struct broker *b, uint64_t ref)
{
	for (struct op **p = &b->ops[ref % HASH_SLOTS]; *p != NULL; p = &(*p)->hash_next)
		if ((*p)->ref == ref) {
			struct op *op = *p;

			*p = op->hash_next;
			op->hash_next = NULL;
			op->ref = 0;
			return op;
		}
	return NULL;
}

void
op_commit(struct broker *b, struct op *op, op_fn next)
{
	op->next = next;
	op->list_next = NULL;
	*b->committing_end = op;
	b->committing_end = &op->list_next;
}

int64_t
broker_id(struct broker *b)
{
	if (b->next_id >= b->ids_end) {
		b->ids_end = b->next_id + ID_BLOCK;
		if (db_meta_set(b->db, "ids", b->ids_end) != SP_OK)
			log_error("the number of the next file could not be written");
	}
	return b->next_id++;
}

void
broker_policy_changed(struct broker *b)
{
	b->policy_gen++;
}

/* ---- the group commit ---- */

static void
send_replies(struct broker *b, int err)
{
	struct outbox *list = b->replies;

	b->replies = NULL;
	b->replies_end = &b->replies;
	while (list != NULL) {
		struct outbox *o = list;

		list = o->next;
		if (err != SP_OK)
			reply_failed(b, o->serial, err, 0);
		else {
			int fd = TAKE_FD(o->fd);

			reply(b, o->serial, o->id, span_of(o->body, o->len), fd);
		}
		outbox_free(o);
	}
}

static void
run_committed(struct broker *b, int err)
{
	struct op *list = b->committing;
	const struct answer a = {.err = err};

	b->committing = NULL;
	b->committing_end = &b->committing;
	while (list != NULL) {
		struct op *op = list;

		list = op->list_next;
		op->list_next = NULL;
		op->next(b, op, &a);
	}
}

static int
commit(struct broker *b)
{
	int err = SP_OK;

	if (!db_is_open(b->db))
		return SP_OK;
	if (!b->is_full)
		downloads_flush(b);
	if (b->max_entry > (uint64_t)db_meta(b->db, "last_entry"))
		err = db_meta_set(b->db, "last_entry", (int64_t)b->max_entry);
	if (err == SP_OK)
		err = db_commit(b->db);
	else
		db_rollback(b->db);
	b->is_full = err == SP_EDISKFULL;
	if (err != SP_OK) {
		log_error("commit: %s", sp_strerror(err));
		broker_policy_changed(b); /* caches may have seen what is gone */
		b->ids_end = b->next_id;  /* and the numbers that were set aside are not */
	} else
		b->count.commits++;
	return err;
}

void
broker_idle(void *arg)
{
	struct broker *b = arg;

	addresses_idle(b);
	/* what runs after a commit may write again: until there is nothing left */
	for (unsigned i = 0; i < 64; i++) {
		int err = commit(b);

		send_replies(b, err);
		run_committed(b, err);
		if (!db_is_open(b->db) && b->committing == NULL && b->replies == NULL)
			break;
	}
	if (b->is_stopping && b->n_ops == 0 && !db_is_open(b->db))
		loop_stop(b->loop);
}

/* ---- messages that wait ---- */

struct outbox *
outbox_new(uint64_t serial, uint16_t id, struct span body, int fd)
{
	struct outbox *o = mem_alloc(sizeof(*o) + body.len);

	if (o == NULL)
		return NULL;
	o->serial = serial;
	o->id = id;
	o->fd = fd;
	o->len = body.len;
	if (body.len != 0)
		memcpy(o->body, body.ptr, body.len);
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	close_fd(&o->fd);
	mem_wipe(o->body, o->len);
	mem_free(o);
}
