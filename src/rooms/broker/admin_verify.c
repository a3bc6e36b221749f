/* admin_verify.c - a step of `sallyport verify`: the rows of a table, page by page, as the audit
 * log should know them. */
#include "base/text.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/db.h"

/* Who changes the file by other means may have used any number. */
static int
number(struct admin_call *a, const char *name, int64_t *ret)
{
	struct span s = span_str(admin_arg(a, name));
	bool negative = s.len != 0 && s.ptr[0] == '-';
	uint64_t v = 0;

	if (s.len == 0)
		return SP_OK;
	if (parse_u64(span_skip(s, negative), (uint64_t)INT64_MAX + negative, &v) != SP_OK)
		return admin_no(a, SP_EUSAGE, "%s is no number", name);
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return SP_OK;
}

static int
first_key(struct admin_call *a, enum rows_kind kind, struct rows_key *ret)
{
	bool given = admin_arg(a, "a") != NULL;
	int rc;

	*ret = rows_first();
	rc = number(a, "a", &ret->a);
	if (rc == SP_OK)
		rc = number(a, "b", &ret->b);
	if (rc == SP_OK)
		rc = number(a, "c", &ret->c);
	if (rc != SP_OK || !given)
		return rc == SP_OK ? 1 : rc;
	return rows_after(kind, ret);
}

/* row_json - a text that is no UTF-8 is none of ours; JSON cannot hold it. */
static json_t *
row_json(const struct rows_key *k, struct span text)
{
	json_t *row = json_pack("[I, I, I, s%]", (json_int_t)k->a, (json_int_t)k->b,
	    (json_int_t)k->c, (const char *)text.ptr, text.len);

	return row != NULL ? row
			   : json_pack("[I, I, I, s]", (json_int_t)k->a, (json_int_t)k->b,
				 (json_int_t)k->c, "(text that is not UTF-8)");
}

/* schema - with the first table; a trigger can do what no row shows. */
static int
schema(struct admin_call *a, enum rows_kind kind)
{
	char why[256] = "";
	int rc = kind == ROWS_ORG ? db_schema_check(a->db, why, sizeof(why)) : SP_OK;

	return rc == SP_EDAMAGED ? admin_set(a, "schema", json_string(why)) : rc;
}

/* "table" and, to go on, "a", "b", "c" of the last row.  entry: what the database has seen of the
 * log. */
int
admin_verify_rows(struct admin_call *a)
{
	enum rows_kind kind = rows_kind_of(span_str(admin_arg(a, "table")));
	struct rows_key key;
	int rc = kind == ROWS_COUNT ? admin_no(a, SP_EUSAGE, "no such table") : SP_OK;
	bool more;

	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	if (rc == SP_OK)
		rc = admin_set(a, "entry", json_integer(db_meta(a->db, "last_entry")));
	if (rc == SP_OK)
		rc = schema(a, kind);
	if (rc == SP_OK)
		rc = first_key(a, kind, &key);
	for (more = rc == 1; more; more = rows_after(kind, &key)) {
		char buf[ROWS_LINE_MAX];
		struct text t = text_of(buf, sizeof(buf));
		int added;

		rc = rows_next(a->db, kind, &key, &t);
		if (rc != 1)
			return rc;
		added = admin_row_add(a, row_json(&key, text_span(&t)));
		if (added <= 0)
			return added < 0 ? added : admin_set(a, "more", json_true());
	}
	return rc < 0 ? rc : SP_OK;
}
