/* get.c - OPEN and DAMAGED: the key goes round the ring, the ciphertext goes the short way. */
#include "rooms/broker/proof.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "sys/fd.h"
#include "sys/log.h"

#define DOWNLOADS_MAX 1024u

struct extent {
	uint64_t start, length, blob_offset, blob_length;
	uint8_t blob[16], wrap[96];
	uint32_t segment; /* 0: a small file */
	uint32_t epoch;
};

struct reading {
	struct op op;
	int64_t file;
	uint64_t bytes;
};

/* downloads are counted in memory and written with other things: a read must not cost a commit */
struct download_count {
	struct download_count *next;
	int64_t file;
	uint32_t times;
};

static void
count_download(struct broker *b, int64_t file)
{
	struct download_count **slot = &b->downloads[(uint64_t)file % DOWNLOAD_SLOTS], *d = *slot;

	while (d != NULL && d->file != file)
		d = d->next;
	if (d == NULL) {
		if (b->n_downloads >= DOWNLOADS_MAX)
			downloads_flush(b);
		if ((d = mem_alloc(sizeof(*d))) == NULL)
			return;
		d->file = file;
		d->next = *slot;
		*slot = d;
		b->n_downloads++;
	}
	d->times++;
}

static void
write_count(struct broker *b, struct download_count **slot)
{
	struct download_count *d = *slot;

	if (sql_run(b->db, SQL_FILE_DOWNLOADED, SI(d->file), SI(d->times)) != SP_OK)
		log_warning("downloads were not counted");
	*slot = d->next;
	mem_free(d);
}

void
downloads_flush(struct broker *b)
{
	for (size_t i = 0; b->n_downloads != 0 && i < DOWNLOAD_SLOTS; i++)
		while (b->downloads[i] != NULL)
			write_count(b, &b->downloads[i]);
	b->n_downloads = 0;
}

static void
released(struct broker *b, struct op *op, const struct answer *a)
{
	struct reading *r = (struct reading *)op;
	struct worker *w = worker_find(b, op->serial);

	if (w != NULL)
		w->reads--;
	if (a->err != SP_OK) {
		/* the worker has the ciphertext, but waits for a key that will not come */
		op_fail(b, op, a->err, a->retry_after);
		return;
	}
	b->count.door[op->door].bytes_out += r->bytes;
	b->count.door[op->door].files_out++;
	count_download(b, r->file);
	op_end(b, op);
}

static int
extent_at(struct db *db, int64_t version, uint64_t offset, struct extent *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_EXTENT_AT, SI(version), SI(offset));
	struct span blob, wrap;
	int err = sql_step(&q);

	if (err != 1)
		return err < 0 ? err : SP_EDAMAGED;
	ret->start = (uint64_t)sql_i64(&q);
	ret->length = (uint64_t)sql_i64(&q);
	blob = sql_blob(&q);
	ret->blob_offset = (uint64_t)sql_i64(&q);
	ret->blob_length = (uint64_t)sql_i64(&q);
	ret->segment = (uint32_t)sql_i64(&q);
	wrap = sql_blob(&q);
	ret->epoch = (uint32_t)sql_i64(&q);
	if (blob.len != sizeof(ret->blob) || wrap.len != sizeof(ret->wrap))
		return SP_EDAMAGED;
	memcpy(ret->blob, blob.ptr, sizeof(ret->blob));
	memcpy(ret->wrap, wrap.ptr, sizeof(ret->wrap));
	return SP_OK;
}

static int
release(struct broker *b, struct reading *r, const struct node *n, const struct extent *x)
{
	struct ipc_release m = {
	    .event = EVENT_FILE_READ,
	    .serial = r->op.serial,
	    .org = (uint64_t)n->file.org,
	    .user = (uint64_t)r->op.actor.user,
	    .wrap = span_of(x->wrap, sizeof(x->wrap)),
	    .user_name = span_str(r->op.actor.name),
	    .org_name = span_str(r->op.actor.org_name),
	    .path = span_str(n->path),
	    .file = (uint64_t)n->file.id,
	    .version = (uint64_t)n->file.version,
	};

	memcpy(m.blob.b, x->blob, sizeof(m.blob.b));
	return ledger_release(b, &r->op, &m, released);
}

static int
send_inline(
    struct broker *b, uint64_t serial, const struct extent *x, const struct ipc_entry *entry)
{
	struct ipc_file_inline m = {0};
	DEFER(sql_end)
	struct sql q = sql_query(b->db, SQL_CONTENT_GET, SB(span_of(x->blob, sizeof(x->blob))));
	int err = sql_step(&q);

	if (err != 1)
		return err < 0 ? err : SP_EDAMAGED;
	memcpy(m.blob.b, x->blob, sizeof(m.blob.b));
	m.content = sql_blob(&q);
	ENTRY_COPY(&m, entry);
	REPLY(b, serial, FILE_INLINE, file_inline, &m, -1);
	return SP_OK;
}

static void
send_open(struct broker *b, uint64_t serial, const struct extent *x, const struct ipc_entry *entry,
    int fd)
{
	struct ipc_file_open m = {
	    .start = x->start,
	    .length = x->length,
	    .blob_offset = x->blob_offset,
	    .blob_length = x->blob_length,
	    .segment = x->segment,
	};

	memcpy(m.blob.b, x->blob, sizeof(m.blob.b));
	ENTRY_COPY(&m, entry);
	REPLY(b, serial, FILE_OPEN, file_open, &m, fd);
}

static int
open_node(struct broker *b, struct worker *w, const struct node *n, uint64_t offset)
{
	DEFER(close_fd) int fd = -1;
	struct reading *r;
	struct entry e;
	struct extent x = {0};
	int err = extent_at(b->db, n->file.version, offset, &x);

	if (err == SP_OK && x.segment != 0)
		err = blobfile_open(b, x.blob, &fd);
	if (err == SP_ENOTFOUND)
		log_error("the blob of version %lld is missing", (long long)n->file.version);
	if (err == SP_ENOTFOUND)
		err = SP_EDAMAGED;
	if (err != SP_OK || (err = entry_of(b->db, n, &e)) != SP_OK)
		return err;
	if ((r = op_new(b, w, sizeof(*r))) == NULL)
		return SP_EUNAVAIL;
	r->file = n->file.id;
	r->bytes = x.length;
	if ((err = release(b, r, n, &x)) != SP_OK) {
		op_end(b, &r->op);
		return err;
	}
	w->reads++;
	if (x.segment == 0)
		return send_inline(b, w->serial, &x, &e.m);
	send_open(b, w->serial, &x, &e.m, TAKE_FD(fd));
	return SP_OK;
}

int
handle_open(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_open m;
	struct node n;
	int err = ipc_get_open(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n)) != SP_OK)
		return err;
	if (!n.is_file)
		return SP_EISFOLDER;
	if ((err = pass_covers(b, w->only, &n)) != SP_OK)
		return err;
	/* one that does not wait for its keys would fill the ledger's queue, which is everybody's
	 */
	if (w->reads >= READS_MAX)
		return SP_EFULL;
	if ((n.rights & RIGHT_READ) == 0) {
		denied(b, w, "read", n.path);
		return SP_EPERM;
	}
	/* older versions are held for an administrator, not for workers */
	if (m.version != 0 && (int64_t)m.version != n.file.version)
		return SP_EPRECOND;
	return open_node(b, w, &n, m.offset);
}

/* ---- DAMAGED ---- */

struct damage {
	struct op op;
	int64_t version, offset;
};

static void
damage_done(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static void
damage_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct damage *d = (struct damage *)op;
	int err = a->err;

	if (err == SP_OK)
		err = sql_run(b->db, SQL_VERSION_DAMAGED, SI(d->version), SI(d->offset + 1));
	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, damage_done);
}

int
handle_damaged(struct broker *b, struct worker *w, struct span body)
{
	const struct access *a;
	struct ipc_damaged m;
	struct record rec;
	struct damage *d;
	struct node n;
	int err = ipc_get_damaged(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, BY_FILE, (int64_t)m.file, span_of(NULL, 0), &n)) != SP_OK ||
	    (err = pass_covers(b, w->only, &n)) != SP_OK)
		return err;
	if ((n.rights & RIGHT_READ) == 0)
		return SP_EPERM;
	if ((int64_t)m.version != n.file.version || m.offset > (uint64_t)n.file.size)
		return SP_EPRECOND;
	if ((d = op_new(b, w, sizeof(*d))) == NULL)
		return SP_EUNAVAIL;
	d->version = n.file.version;
	d->offset = (int64_t)m.offset;
	record_init(&rec, EVENT_FILE_DAMAGED, &w->actor, w->serial);
	rec.path = span_str(n.path);
	rec.size = n.file.size;
	record_num(&rec, "file", n.file.id);
	record_num(&rec, "version", n.file.version);
	record_num(&rec, "offset", d->offset);
	if ((err = ledger_record(b, &d->op, &rec, damage_recorded)) != SP_OK)
		op_end(b, &d->op);
	return err;
}
