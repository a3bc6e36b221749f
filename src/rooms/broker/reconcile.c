/* reconcile.c - at the start, and when the ledger comes back: what the log says was meant, against
 * what the database knows. */
#include "base/text.h"
#include "rooms/broker/control.h"
#include "rooms/broker/put.h"
#include "sys/log.h"

#define AGAIN_MS 1000

static void
again(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	if (!b->is_reconciling && b->ledger.fd >= 0)
		reconcile_start(b);
}

/* only failures are answered to the operation; its end is reconcile_end */
static void
failed(struct broker *b, struct op *op, const struct answer *a)
{
	log_warning("the audit log could not be compared: %s", sp_strerror(a->err));
	b->is_reconciling = false;
	op_end(b, op);
	if (b->ledger.fd >= 0 && loop_timer(b->loop, AGAIN_MS, again, b) == 0)
		log_error("the audit log is not compared again: no memory");
}

void
reconcile_start(struct broker *b)
{
	struct op *op = op_new(b, NULL, sizeof(*op));
	int err = op != NULL ? SP_OK : SP_ENOMEM;

	b->is_reconciling = true;
	b->reconcile_from = b->max_entry;
	if (err == SP_OK) {
		err = ledger_intents(b, op, (uint64_t)db_meta(b->db, "last_entry") + 1, failed);
		b->reconcile_ref = op->ref;
	}
	if (err != SP_OK) {
		const struct answer a = {.err = err};

		if (op != NULL)
			failed(b, op, &a);
	}
}

static bool
is_in_hand(const struct broker *b, struct span number)
{
	uint64_t id = 0;

	if (parse_u64(number, INT64_MAX, &id) != SP_OK)
		return false;
	/* one that is kept may have failed to be finished before: that is over */
	for (const struct upload *u = b->uploads; u != NULL; u = u->next)
		if (u->id == (int64_t)id && u->is_committing)
			return true;
	return false;
}

void
reconcile_intent(struct broker *b, const struct ipc_intent *m)
{
	struct actor nobody = {0};
	struct record rec;
	int64_t version;
	int err;

	if (m->ref != b->reconcile_ref || !b->is_reconciling)
		return;
	if (m->event != EVENT_FILE_CREATED && m->event != EVENT_FILE_REPLACED)
		/* answers come in order and are acted upon at once */
		err = m->entry <= b->reconcile_from;
	else
		err = is_in_hand(b, m->upload)
			  ? 1
			  : sql_get(b->db, SQL_VERSION_BY_ENTRY, &version, SI(m->entry));
	if (err != 0)
		return;
	log_warning(
	    "entry %llu of the audit log was not carried out", (unsigned long long)m->entry);
	record_init(&rec, EVENT_RECONCILED, &nobody, 0);
	rec.path = m->path;
	record_num(&rec, "intent", (int64_t)m->entry);
	if (m->upload.len != 0)
		record_text(&rec, "upload", m->upload);
	ledger_note(b, &rec);
}

/* uploads of workers that ended with the last broker */
static void
drop_stale(struct broker *b)
{
	int64_t last = 0, before_us = b->wall_us() - b->start.conf.upload_expiry * 1000000;

	for (;;) {
		struct actor nobody = {0};
		struct record rec;
		uint8_t blob[16];
		char path[PATH_MAX_BYTES + 1];
		{
			DEFER(sql_end)
			struct sql q = sql_query(b->db, SQL_UPLOAD_STALE, SI(before_us), SI(last));
			struct span id;

			if (sql_step(&q) != 1)
				return;
			last = sql_i64(&q), (void)sql_i64(&q), (void)sql_i64(&q);
			sql_text_of(&q, path, sizeof(path));
			id = sql_blob(&q);
			memcpy(blob, id.ptr, id.len < sizeof(blob) ? id.len : sizeof(blob));
		}
		if (sql_run(b->db, SQL_UPLOAD_REMOVE, SI(last)) != SP_OK)
			return;
		blobfile_remove(b, blob);
		record_init(&rec, EVENT_UPLOAD_ABORTED, &nobody, 0);
		rec.path = span_str(path);
		record_num(&rec, "upload", last);
		record_text(&rec, "reason", SPAN_LIT("the server ended before it was finished"));
		ledger_note(b, &rec);
	}
}

static void
begin_serving(struct broker *b)
{
	int fd = TAKE_FD(b->start.file[FILE_CONTROL_SOCKET]);

	drop_stale(b);
	kept_load(b);
	b->is_serving = true;
	worker_watch_all(b);
	if (fd >= 0 && control_start(b, fd) != SP_OK)
		log_error("the command line cannot be served");
	reap_start(b);
	org_keys_make(b);
	log_info("serving");
}

void
reconcile_end(struct broker *b, const struct ipc_intents_end *m)
{
	struct op *op = m->ref == b->reconcile_ref ? op_take(b, m->ref) : NULL;

	if (op == NULL)
		return;
	op_end(b, op);
	if (m->size <= (uint64_t)db_meta(b->db, "last_entry"))
		log_error("the audit log has %llu entries, fewer than the database has seen: it "
			  "was cut, or "
			  "belongs to another copy",
		    (unsigned long long)m->size);
	b->is_reconciling = false;
	/* at the start nothing is in flight: all entries so far are accounted for */
	if (!b->is_serving && m->size != 0 && m->size - 1 > b->max_entry)
		b->max_entry = m->size - 1;
	if (!b->is_serving)
		begin_serving(b);
	else
		org_keys_make(b);
}
