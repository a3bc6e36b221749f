/* admin_fsck.c - steps of `sallyport fsck`: what the database says, for the caller to compare with
 * blobs and audit log. */
#include "base/text.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/put.h"
#include "rooms/broker/scrub.h"
#include "rooms/broker/tree.h"

#define VERSIONS_A_PAGE 64u
#define EXTENTS_MAX 64u /* of one version in an answer; more are counted only */
#define SCRUBBER_WAIT_MS 100
#define SCRUBBER_TRIES 600u

/* ---- fsck database: SQLite's own check, on record ---- */

static void
database_recorded(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	char why[512] = "";
	json_t *result;
	int err = a->err != SP_OK ? a->err : db_check(b->db, why, sizeof(why));

	if (err != SP_OK && err != SP_EDAMAGED) {
		admin_refuse(b, op, err);
		return;
	}
	result = json_pack("{s:b, s:s, s:I}", "sound", err == SP_OK, "detail", why, "segment",
	    (json_int_t)b->segment);
	if (result != NULL)
		admin_answer(b, op, result);
	else
		admin_refuse(b, op, SP_ENOMEM);
	json_decref(result);
}

int
admin_fsck_database(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));

	if (r == NULL)
		return SP_ENOMEM;
	record_init(r, EVENT_FSCK, &op->op.actor, 0);
	return ledger_record(b, &op->op, r, database_recorded);
}

/* ---- fsck versions: a page of them with their blobs ---- */

static json_t *
blob_json(struct db *db, struct sql *q, int64_t *ret_length)
{
	char hex[33];
	struct text t = text_of(hex, sizeof(hex));
	int64_t start, stored = -1, segment, length;
	struct span id;

	start = sql_i64(q);
	*ret_length = sql_i64(q);
	id = sql_blob(q);
	text_hex(&t, id);
	(void)sql_i64(q); /* offset in the blob */
	length = sql_i64(q);
	segment = sql_i64(q);
	if (segment == 0 && sql_get(db, SQL_CONTENT_LENGTH, &stored, SB(id)) != 1)
		stored = -1;
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "id", hex, "start", (json_int_t)start,
	    "length", (json_int_t)length, "segment", (json_int_t)segment, "stored",
	    (json_int_t)stored);
}

/* extents - the version's blobs; their lengths must add up to its size. */
static int
extents(struct db *db, const struct version *v, json_t *list, int64_t *ret_sum)
{
	int64_t after = -1, length;
	int rc;

	*ret_sum = 0;
	for (;;) {
		DEFER(sql_end) struct sql q = sql_query(db, SQL_EXTENT_NEXT, SI(v->id), SI(after));
		json_t *blob;

		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		blob = blob_json(db, &q, &length);
		after = json_integer_value(json_object_get(blob, "start"));
		*ret_sum += length;
		if (json_array_size(list) >= EXTENTS_MAX)
			json_decref(blob);
		else if (json_array_append_new(list, blob) != 0)
			return SP_ENOMEM;
	}
}

static json_t *
version_json(struct db *db, const struct version *v, int *ret_err)
{
	DEFER(mem_freep) char *path = mem_alloc(PATH_MAX_BYTES + 1);
	json_t *blobs = json_array();
	int64_t sum = 0;

	*ret_err = path != NULL ? version_path(db, v, path, PATH_MAX_BYTES + 1) : SP_ENOMEM;
	if (*ret_err == SP_OK)
		*ret_err = extents(db, v, blobs, &sum);
	if (*ret_err != SP_OK) {
		json_decref(blobs);
		return NULL;
	}
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "id", (json_int_t)v->id,
	    "path", path, "org", (json_int_t)v->org, "size", (json_int_t)v->size, "sum",
	    (json_int_t)sum, "entry", (json_int_t)v->entry, "damaged", (json_int_t)v->damaged,
	    "blobs", blobs);
}

int
admin_fsck_versions(struct admin_call *a)
{
	DEFER(mem_freep) struct version *v = mem_alloc(sizeof(*v));
	int64_t last;
	int rc = v != NULL ? admin_after(a, &last) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	for (unsigned n = 0; rc == SP_OK && n <= VERSIONS_A_PAGE; n++) {
		int64_t id;
		json_t *row;

		rc = sql_get(a->db, SQL_VERSION_NEXT, &id, SI(last));
		if (rc != 1)
			return rc;
		if (n == VERSIONS_A_PAGE)
			return admin_next(a, json_sprintf("%lld", (long long)last));
		rc = version_get(a->db, id, v);
		if (rc != 1)
			return rc;
		row = version_json(a->db, v, &rc);
		if (rc != SP_OK)
			return rc;
		rc = admin_row_add(a, row);
		if (rc <= 0)
			return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
		rc = SP_OK;
	}
	return rc;
}

/* ---- fsck known: which of these blob files belong to nothing? ---- */

int
admin_fsck_known(struct broker *b, struct admin_op *op)
{
	struct span rest = span_str(json_string_value(json_object_get(op->args, "ids")));
	json_t *unknown = json_array();
	json_t *result = json_pack("{s:o}", "unknown", unknown);

	if (result == NULL)
		return SP_ENOMEM;
	while (rest.len != 0) {
		struct span hex = span_cut(rest, span_find(rest, ','));
		uint8_t id[16];
		int64_t one;
		bool is_id = parse_hex(hex, id, sizeof(id)) == SP_OK;
		int rc = is_id ? sql_get(b->db, SQL_BLOB_KNOWN, &one, SB(span_of(id, 16))) : 0;
		/* what a crash left behind goes when the sweep after the start comes to its folder
		 * (reap.c) */
		bool is_waiting = is_id && id[0] >= b->swept;

		if (rc == 0 && !is_waiting && !(is_id && upload_has_blob(b, id)) &&
		    json_array_append_new(unknown, admin_text(hex)) != 0)
			rc = SP_ENOMEM;
		if (rc < 0) {
			json_decref(result);
			return rc;
		}
		rest = span_skip(rest, hex.len + 1);
	}
	admin_answer(b, op, result);
	json_decref(result);
	return SP_OK;
}

/* ---- fsck content: a scrubber reads one version, on record ---- */

struct wait {
	struct broker *b;
	struct admin_op *op;
	unsigned tries;
};

/* scrubbed - what it found is in the log and with the version already (scrub_note). */
static void
scrubbed(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	json_t *result;

	if (a->err != SP_OK || a->scrubbed == NULL) {
		admin_refuse(b, op, a->err != SP_OK ? a->err : SP_EUNAVAIL);
		return;
	}
	result = json_pack("{s:b, s:I}", "sound", a->scrubbed->err == 0, "offset",
	    (json_int_t)a->scrubbed->offset);
	if (result != NULL)
		admin_answer(b, op, result);
	else
		admin_refuse(b, op, SP_ENOMEM);
	json_decref(result);
}

/* scrub - now, or when a scrubber is idle; the operation is answered in the end. */
static int
scrub(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct version *v = mem_alloc(sizeof(*v));
	DEFER(mem_freep) char *path = mem_alloc(PATH_MAX_BYTES + 1);
	uint64_t id;
	int rc;

	if (v == NULL || path == NULL)
		return SP_ENOMEM;
	if (parse_u64(span_str(json_string_value(json_object_get(op->args, "version"))), INT64_MAX,
		&id) != SP_OK)
		return SP_EUSAGE;
	rc = version_get(b->db, (int64_t)id, v);
	if (rc != 1)
		return rc < 0 ? rc : SP_ENOTFOUND;
	rc = version_path(b->db, v, path, PATH_MAX_BYTES + 1);
	return rc == SP_OK ? scrub_blob(b, &op->op, (int64_t)id, path, scrubbed) : rc;
}

static void
scrub_again(void *arg, int fd, unsigned events)
{
	struct wait *w = arg;
	struct broker *b = w->b;
	struct admin_op *op = w->op;
	int rc = scrub(b, op);

	(void)fd;
	(void)events;
	if (rc == SP_EFULL && ++w->tries < SCRUBBER_TRIES &&
	    loop_timer(b->loop, SCRUBBER_WAIT_MS, scrub_again, w) != 0)
		return;
	mem_free(w);
	if (rc != SP_OK)
		admin_refuse(b, op, rc == SP_EFULL ? SP_EUNAVAIL : rc);
}

int
admin_fsck_content(struct broker *b, struct admin_op *op)
{
	int rc = scrub(b, op);
	struct wait *w;

	if (rc != SP_EFULL)
		return rc;
	backfill_yield(b);
	w = mem_alloc(sizeof(*w));
	if (w == NULL)
		return SP_ENOMEM;
	w->b = b;
	w->op = op;
	if (loop_timer(b->loop, SCRUBBER_WAIT_MS, scrub_again, w) != 0)
		return SP_OK;
	mem_free(w);
	return SP_ENOMEM;
}
