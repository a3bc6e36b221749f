/* admin_upload.c - sallyport upload list, upload remove: unfinished uploads of which a part is on
 * record. */
#include "base/text.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/put.h"

struct row {
	int64_t id, org, user, folder, limit, acked, created_us, touched_us;
	char name[NAME_MAX_BYTES + 1];
};

static int
next_row(struct db *db, int64_t last, struct row *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_UPLOAD_KEPT_NEXT, SI(last));
	int rc = sql_step(&q);

	if (rc != 1)
		return rc;
	ret->id = sql_i64(&q);
	ret->org = sql_i64(&q);
	ret->user = sql_i64(&q);
	ret->folder = sql_i64(&q);
	sql_text_of(&q, ret->name, sizeof(ret->name));
	(void)sql_blob(&q), (void)sql_blob(&q);
	ret->limit = sql_i64(&q);
	ret->acked = sql_i64(&q);
	ret->created_us = sql_i64(&q);
	ret->touched_us = sql_i64(&q);
	return 1;
}

static json_t *
row_json(struct admin_call *a, const struct row *r)
{
	char base[PATH_MAX_BYTES + 1], path[PATH_MAX_BYTES + 1] = "", user[65] = "";
	json_t *o = json_object();
	int bad;
	{
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_NAME, SI(r->user));

		if (sql_step(&q) == 1)
			sql_text_of(&q, user, sizeof(user));
	}
	/* one whose folder has just gone is shown without a path */
	if (folder_path(a->db, r->folder, base, sizeof(base), NULL) != SP_OK ||
	    path_join(base, span_str(r->name), path, sizeof(path)) != SP_OK)
		path[0] = '\0';
	bad = json_object_set_new(o, "id", json_integer(r->id)) |
	      json_object_set_new(o, "user", json_string(user));
	bad |= json_object_set_new(o, "path", admin_text(span_str(path)));
	bad |= json_object_set_new(o, "stored", json_integer(r->acked));
	bad |= json_object_set_new(o, "begun", admin_time(r->created_us));
	bad |= json_object_set_new(o, "progress", admin_time(r->touched_us));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

int
admin_upload_list(struct admin_call *a)
{
	const char *user = admin_arg(a, "user");
	int64_t want = 0, org = 0, last;
	struct row r;
	int rc = admin_after(a, &last);

	if (rc == SP_OK && user != NULL)
		rc = admin_user(a, user, &want, &org);
	else if (rc == SP_OK && admin_arg(a, "org") != NULL)
		rc = admin_org(a, &org);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	for (unsigned n = 0; rc == SP_OK && n < ADMIN_SCAN_ROWS; n++) {
		if ((rc = next_row(a->db, last, &r)) != 1)
			return rc;
		if ((want == 0 || want == r.user) && (org == 0 || org == r.org)) {
			rc = admin_row_add(a, row_json(a, &r));
			if (rc <= 0)
				return rc < 0
					   ? rc
					   : admin_next(a, json_sprintf("%lld", (long long)last));
		}
		last = r.id;
		rc = SP_OK;
	}
	return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
}

/* ---- remove ---- */

/* one that is being written belongs to its connection */
static int
find_kept(struct broker *b, struct admin_op *op, struct upload **ret)
{
	const char *text = json_string_value(json_object_get(op->args, "id"));
	struct text why = text_of(op->why, sizeof(op->why));
	struct upload *u;
	uint64_t id;

	if (parse_u64(span_str(text), INT64_MAX, &id) != SP_OK) {
		text_fmt(&why, "%.64s is no number", text);
		return SP_EUSAGE;
	}
	u = upload_find(b, (int64_t)id);
	if (u == NULL || (!u->is_kept && u->acked == 0)) {
		text_fmt(&why, "there is no unfinished upload %lld", (long long)id);
		return SP_ENOTFOUND;
	}
	if (!u->is_kept || u->is_resuming) {
		text_fmt(&why, "upload %lld is being written", (long long)id);
		return SP_ECONFLICT;
	}
	*ret = u;
	return SP_OK;
}

static void
removed(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;

	if (a->err == SP_OK)
		admin_answer(b, op, NULL);
	else
		admin_refuse(b, op, a->err);
}

static void
recorded(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	struct upload *u;
	int rc = a->err;

	if (rc == SP_OK)
		rc = find_kept(b, op, &u);
	if (rc != SP_OK) {
		admin_refuse(b, op, rc);
		return;
	}
	upload_scrap(b, u);
	op_commit(b, base, removed);
}

int
admin_upload_remove(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
	struct upload *u;
	int rc = r != NULL ? find_kept(b, op, &u) : SP_ENOMEM;

	if (rc != SP_OK)
		return rc;
	record_init(r, EVENT_UPLOAD_ABORTED, &op->op.actor, 0);
	r->path = span_str(u->path);
	record_num(r, "upload", u->id);
	record_text(r, "reason", SPAN_LIT("removed by an administrator"));
	return ledger_record(b, &op->op, r, recorded);
}
