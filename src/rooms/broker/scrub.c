/* scrub.c - content is read on the server by a scrubber only, and only on record. */
#include "rooms/broker/scrub.h"

#include "rooms/broker/put.h"
#include "rooms/broker/tree.h"
#include "sys/fd.h"
#include "sys/log.h"

/* the order for the key, beside the job */
struct check {
	struct op op;
	uint64_t helper;
};

static struct worker *
idle_scrubber(struct broker *b)
{
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (w->room == ROOM_SCRUBBER && w->watch != NULL && w->op == NULL && !w->is_busy)
			return w;
	return NULL;
}

bool
scrub_idle(const struct broker *b)
{
	for (const struct worker *w = b->all; w != NULL; w = w->next)
		if (w->room == ROOM_SCRUBBER && w->watch != NULL && w->op == NULL && !w->is_busy)
			return true;
	return false;
}

/* Refused: the scrubber waits for a key that does not come; it is ended, and helper_lost answers
 * the job. */
static void
key_ordered(struct broker *b, struct op *op, const struct answer *a)
{
	struct check *c = (struct check *)op;
	struct worker *w = worker_find(b, c->helper);

	if (a->err != SP_OK && w != NULL)
		worker_end(b, w);
	op_end(b, op);
}

struct job {
	uint8_t blob[16], wrap[96];
	int64_t length, segment, file, org;
};

static int
load_job(struct broker *b, int64_t version, struct job *j)
{
	struct version v;
	struct span blob, wrap;
	int err = version_get(b->db, version, &v);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	j->file = v.file;
	j->org = v.org;
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_EXTENT_AT, SI(version), SI(0));
	if ((err = sql_step(&q)) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	(void)sql_i64(&q), (void)sql_i64(&q);
	blob = sql_blob(&q);
	(void)sql_i64(&q);
	j->length = sql_i64(&q);
	j->segment = sql_i64(&q);
	wrap = sql_blob(&q);
	if (blob.len != sizeof(j->blob) || wrap.len != sizeof(j->wrap))
		return SP_EDAMAGED;
	memcpy(j->blob, blob.ptr, sizeof(j->blob));
	memcpy(j->wrap, wrap.ptr, sizeof(j->wrap));
	return SP_OK;
}

static int
order_key(struct broker *b, struct worker *w, const struct op *op, const struct job *j,
    int64_t version, const char *path)
{
	struct check *c = op_new(b, NULL, sizeof(*c));
	struct ipc_release m = {
	    .event = EVENT_FILE_CHECKED,
	    .serial = w->serial,
	    .org = (uint64_t)j->org,
	    .user = (uint64_t)op->actor.user,
	    .wrap = span_of(j->wrap, sizeof(j->wrap)),
	    .user_name = span_str(op->actor.name),
	    .org_name = span_str(op->actor.org_name),
	    .path = span_str(path),
	    .file = (uint64_t)j->file,
	    .version = (uint64_t)version,
	};
	int err;

	if (c == NULL)
		return SP_ENOMEM;
	c->helper = w->serial;
	memcpy(m.blob.b, j->blob, sizeof(m.blob.b));
	if ((err = ledger_release(b, &c->op, &m, key_ordered)) != SP_OK)
		op_end(b, &c->op);
	return err;
}

static int
send_blob(struct broker *b, struct worker *w, uint64_t job, const struct job *j)
{
	DEFER(close_fd) int fd = -1;
	struct ipc_scrub m = {
	    .job = job, .length = (uint64_t)j->length, .segment = (uint32_t)j->segment};
	int err;

	memcpy(m.blob.b, j->blob, sizeof(m.blob.b));
	if ((err = blobfile_open(b, j->blob, &fd)) != SP_OK)
		return err;
	return chan_send_scrub(&w->chan, &m, fd);
}

static int
send_content(struct broker *b, struct worker *w, uint64_t job, const struct job *j)
{
	struct ipc_scrub_inline m = {.job = job};
	DEFER(sql_end)
	struct sql q = sql_query(b->db, SQL_CONTENT_GET, SB(span_of(j->blob, sizeof(j->blob))));
	int err = sql_step(&q);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	memcpy(m.blob.b, j->blob, sizeof(m.blob.b));
	m.content = sql_blob(&q);
	return chan_send_scrub_inline(&w->chan, &m, -1);
}

int
scrub_blob(struct broker *b, struct op *op, int64_t version, const char *path, op_fn next)
{
	struct worker *w = idle_scrubber(b);
	struct job j;
	int err;

	if (w == NULL)
		return SP_EFULL;
	if ((err = load_job(b, version, &j)) != SP_OK)
		return err;
	op->helper = w->serial;
	op_wait(b, op, next);
	err = j.segment != 0 ? send_blob(b, w, op->ref, &j) : send_content(b, w, op->ref, &j);
	if (err == SP_OK) {
		w->is_busy = true;
		w->op = op;
		w->scrubs = version;
		err = order_key(b, w, op, &j, version, path);
	}
	if (err == SP_OK)
		return SP_OK;
	(void)op_take(b, op->ref);
	op->helper = 0;
	if (w->op == op) {
		w->op = NULL;
		worker_end(b, w);
	}
	return err;
}

/* what does not authenticate is shown by fsck and told in the log; a hash that was not known is now
 */
void
scrub_note(struct broker *b, struct worker *w, const struct ipc_scrubbed *m)
{
	int err = -(int)m->err;
	struct actor nobody = {0};
	struct version v;
	struct record rec;

	if (w->scrubs == 0)
		return;
	if (err == SP_OK && version_get(b->db, w->scrubs, &v) == 1 &&
	    v.size == (int64_t)m->length &&
	    sql_run(b->db, SQL_VERSION_SET_HASH, SI(w->scrubs), SB(span_of(m->sha256.b, 32)),
		SI(m->crc32)) != SP_OK)
		log_warning("the hash of version %lld was not kept", (long long)w->scrubs);
	if (err != SP_EDAMAGED && err != SP_EBADTAG)
		return;
	record_init(&rec, EVENT_FILE_DAMAGED, &nobody, w->serial);
	record_num(&rec, "version", w->scrubs);
	record_num(&rec, "offset", (int64_t)m->offset);
	ledger_note(b, &rec);
	if (sql_run(b->db, SQL_VERSION_DAMAGED, SI(w->scrubs), SI(m->offset + 1)) != SP_OK)
		log_warning(
		    "version %lld is damaged, and could not be marked so", (long long)w->scrubs);
}
