/* admin_backup.c - steps of `sallyport backup`: a snapshot of the database, while shredding waits.
 *
 * The caller copies the files; until it says "backup end", or its connection ends, nothing that the
 * snapshot needs is shredded and no old key epoch is destroyed.
 */
#include "rooms/broker/admin.h"
#include "rooms/broker/backup.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>

#define COPY_PAGES 256
#define COPY_PAUSE_MS 1

struct backup {
	struct admin_op *op; /* that waits for the snapshot; NULL: it is complete */
	struct admin_conn *conn;
	struct db_copy *copy;
	uint64_t timer;
};

static void
drop_snapshot(struct broker *b)
{
	char path[4200];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", db_path(b->db), BACKUP_SNAPSHOT) >=
	    sizeof(path))
		return;
	if (file_remove_at(AT_FDCWD, path) == SP_EIO)
		log_warning("backup: %s could not be removed", BACKUP_SNAPSHOT);
}

void
backup_end(struct broker *b, const struct admin_conn *conn)
{
	struct backup *k = b->backup;
	struct admin_op *waiting = NULL;

	if (k == NULL || (conn != NULL && k->conn != conn))
		return;
	b->backup = NULL;
	b->hold_shredding = false;
	if (k->timer != 0) {
		loop_timer_cancel(b->loop, k->timer);
		waiting = k->op; /* else it waits behind a commit, and copy_pages ends it */
	}
	if (k->copy != NULL && db_copy_end(k->copy) != SP_OK)
		log_warning("backup: the snapshot was not completed");
	drop_snapshot(b);
	if (waiting != NULL)
		admin_refuse(b, waiting, SP_ECLOSED);
	mem_free(k);
}

static void
head_known(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	json_t *result;

	if (a->err != SP_OK || a->head == NULL) {
		if (op->conn != NULL) /* else its end was the backup's end */
			backup_end(b, op->conn);
		admin_refuse(b, op, a->err != SP_OK ? a->err : SP_EUNAVAIL);
		return;
	}
	result = json_pack(
	    "{s:s, s:I}", "snapshot", BACKUP_SNAPSHOT, "audit_size", (json_int_t)a->head->size);
	if (result != NULL)
		admin_answer(b, op, result);
	else
		admin_refuse(b, op, SP_ENOMEM);
	json_decref(result);
}

static void copy_pages(struct broker *b, struct op *base, const struct answer *a);

/* copy_soon - after a pause, and then behind a commit: SQLite copies nothing while we have a
 * transaction open. */
static void
copy_soon(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	b->backup->timer = 0;
	op_commit(b, &b->backup->op->op, copy_pages);
}

static void
copy_pages(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	struct backup *k = b->backup;
	int rc;

	if (k == NULL || k->op != op) { /* the caller has gone meanwhile */
		admin_refuse(b, op, SP_ECLOSED);
		return;
	}
	rc = a->err != SP_OK || db_is_open(b->db) ? 1 : db_copy_step(k->copy, COPY_PAGES);
	if (rc == 1 && (k->timer = loop_timer(b->loop, COPY_PAUSE_MS, copy_soon, b)) != 0)
		return;
	if (rc == 0) {
		struct db_copy *copy = TAKE_PTR(k->copy);

		rc = db_copy_end(copy);
	} else if (rc == 1) {
		rc = SP_ENOMEM;
	}
	k->op = NULL;
	/* how long the log is now: the copy of it must reach as far as the snapshot */
	if (rc == SP_OK)
		rc = ledger_head(b, &op->op, head_known);
	if (rc != SP_OK) {
		backup_end(b, op->conn);
		admin_refuse(b, op, rc);
	}
}

static void
backup_recorded(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	struct backup *k = b->backup;
	int err = a->err;

	if (k == NULL || op->conn == NULL) { /* the caller has gone meanwhile */
		admin_refuse(b, op, SP_ECLOSED);
		return;
	}
	if (err == SP_OK)
		err = db_copy_begin(b->db, BACKUP_SNAPSHOT, &k->copy);
	if (err == SP_OK && (k->timer = loop_timer(b->loop, COPY_PAUSE_MS, copy_soon, b)) == 0)
		err = SP_ENOMEM;
	if (err == SP_OK) {
		k->op = op;
		return;
	}
	backup_end(b, op->conn);
	admin_refuse(b, op, err);
}

int
admin_backup_begin(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
	struct backup *k;
	int err;

	if (b->backup != NULL) {
		(void)snprintf(op->why, sizeof(op->why), "a backup is being taken already");
		return SP_ECONFLICT;
	}
	k = mem_alloc(sizeof(*k));
	if (k == NULL || r == NULL) {
		mem_free(k);
		return SP_ENOMEM;
	}
	k->conn = op->conn;
	record_init(r, EVENT_BACKUP, &op->op.actor, 0);
	err = ledger_record(b, &op->op, r, backup_recorded);
	if (err != SP_OK) {
		mem_free(k);
		return err;
	}
	b->backup = k;
	b->hold_shredding = true;
	return SP_OK;
}

int
admin_backup_end(struct broker *b, struct admin_op *op)
{
	backup_end(b, op->conn);
	admin_answer(b, op, NULL);
	return SP_OK;
}
