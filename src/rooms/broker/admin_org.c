/* admin_org.c - organisations and their key epochs, groups and their members. */
#include "base/name.h"
#include "rooms/broker/admin.h"

/* ---- organisations ---- */

static int
org_by_name(struct admin_call *a, int64_t *ret)
{
	const char *name = admin_arg(a, "name");
	int rc = sql_get(a->db, SQL_ORG_BY_NAME, ret, ST(span_str(name)));

	if (rc == 0)
		return admin_no(a, SP_ENOORG, "%.64s: no such organisation", name);
	return rc < 0 ? rc : SP_OK;
}

/* org_json - the current row of ORG_BY_ID or ORG_NEXT. */
static json_t *
org_json(struct sql *q, int64_t *ret_id)
{
	json_t *o = json_object();
	int64_t rotating;
	int bad = 0;

	*ret_id = sql_i64(q);
	bad |= json_object_set_new(o, "id", json_integer(*ret_id));
	bad |= json_object_set_new(o, "name", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "key_epoch", json_integer(sql_i64(q)));
	rotating = sql_i64(q);
	bad |= json_object_set_new(o, "rotating", json_boolean(rotating != 0));
	bad |= json_object_set_new(o, "quota", admin_limit(sql_i64(q)));
	bad |= json_object_set_new(o, "used", json_integer(sql_i64(q)));
	bad |= json_object_set_new(o, "created", admin_time(sql_i64(q)));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int
org_set_quota(struct admin_call *a, int64_t org)
{
	const char *text = admin_arg(a, "quota");
	int64_t quota;
	int rc;

	if (text == NULL)
		return SP_OK;
	rc = admin_size(a, text, &quota);
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_ORG_SET_QUOTA, SI(org), SI(quota));
	if (rc == SP_OK)
		rc = rows_touch(a->db, ROWS_ORG, org);
	admin_detail(a, "quota", span_str(text));
	return rc;
}

int
admin_org_add(struct admin_call *a)
{
	const char *name = admin_arg(a, "name");
	int64_t org = 0;
	int rc;

	if (account_check(span_str(name)) != SP_OK)
		return admin_no(a, SP_ENAME,
		    "an organisation's name has 1 to 64 letters, digits and . _ @ + -");
	rc = db_org_add(a->db, span_str(name), a->now_us, &org);
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "there is an organisation %.64s already", name);
	if (rc == SP_OK)
		rc = admin_record(a, EVENT_ORG_ADDED, org);
	if (rc == SP_OK)
		rc = org_set_quota(a, org);
	return rc == SP_OK ? admin_set(a, "id", json_integer(org)) : rc;
}

int
admin_org_list(struct admin_call *a)
{
	int64_t last;
	int rc = admin_after(a, &last);

	while (rc == SP_OK) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ORG_NEXT, SI(last));
		int64_t id;
		int added;

		rc = sql_step(&q);
		if (rc != 1)
			break;
		added = admin_row_add(a, org_json(&q, &id));
		if (added <= 0)
			return added < 0 ? added
					 : admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
		rc = SP_OK;
	}
	return rc < 0 || json_object_get(a->result, "rows") != NULL
		   ? rc
		   : admin_set(a, "rows", json_array());
}

int
admin_org_show(struct admin_call *a)
{
	int64_t org;
	json_t *o;
	int rc = org_by_name(a, &org);

	if (rc != SP_OK)
		return rc;
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ORG_BY_ID, SI(org));
	rc = sql_step(&q);
	if (rc != 1)
		return rc == 0 ? SP_ENOORG : rc;
	o = org_json(&q, &org);
	rc = o != NULL && json_object_update(a->result, o) == 0 ? SP_OK : SP_ENOMEM;
	json_decref(o);
	return rc;
}

int
admin_org_set(struct admin_call *a)
{
	int64_t org;
	int rc = org_by_name(a, &org);

	if (rc == SP_OK && admin_arg(a, "quota") == NULL)
		rc = admin_no(a, SP_EUSAGE, "nothing to set; give --quota");
	if (rc == SP_OK)
		rc = admin_record(a, EVENT_ORG_CHANGED, org);
	return rc == SP_OK ? org_set_quota(a, org) : rc;
}

/* admin_key_status - key epochs, and how much of a rotation is left. */
int
admin_key_status(struct admin_call *a)
{
	int64_t last;
	int rc = admin_after(a, &last);

	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	while (rc == SP_OK) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ORG_NEXT, SI(last));
		int64_t id, epoch, rotating, left = 0;
		char name[65];

		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		id = sql_i64(&q);
		sql_text_of(&q, name, sizeof(name));
		epoch = sql_i64(&q);
		rotating = sql_i64(&q);
		sql_end(&q);
		if (rotating != 0 &&
		    (rc = sql_get(a->db, SQL_BLOBS_LEFT, &left, SI(id), SI(rotating))) < 0)
			return rc;
		rc = admin_row_add(
		    a, json_pack("{s:s, s:I, s:b, s:I}", "org", name, "epoch", (json_int_t)epoch,
			   "rotating", rotating != 0, "keys_left", (json_int_t)left));
		if (rc <= 0)
			return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
		rc = SP_OK;
	}
	return rc;
}

/* ---- groups ---- */

static int
group_by_name(struct admin_call *a, int64_t *ret_group, int64_t *ret_org)
{
	const char *name = admin_arg(a, "name");
	int rc = admin_org(a, ret_org);

	if (rc != SP_OK)
		return rc;
	rc = sql_get(a->db, SQL_GROUP_BY_NAME, ret_group, SI(*ret_org), ST(span_str(name)));
	if (rc == 0)
		return admin_no(a, SP_ENOUSER, "%.64s: no such group", name);
	return rc < 0 ? rc : SP_OK;
}

static int
group_record(struct admin_call *a, uint16_t event, int64_t org)
{
	int rc = admin_record(a, event, org);

	admin_detail(a, "group", span_str(admin_arg(a, "name")));
	return rc;
}

int
admin_group_add(struct admin_call *a)
{
	const char *name = admin_arg(a, "name");
	int64_t org;
	int rc = admin_org(a, &org);

	if (rc != SP_OK)
		return rc;
	if (account_check(span_str(name)) != SP_OK)
		return admin_no(
		    a, SP_ENAME, "a group's name has 1 to 64 letters, digits and . _ @ + -");
	rc = sql_run(
	    a->db, SQL_GROUP_ADD, SI(org), ST(span_str(name)), ST(SPAN_LIT("")), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "there is a group %.64s already", name);
	if (rc == SP_OK)
		rc = admin_set(a, "id", json_integer(db_last_id(a->db)));
	return rc == SP_OK ? group_record(a, EVENT_GROUP_ADDED, org) : rc;
}

/* group_row - the current row of GROUP_NEXT with its organisation's name. */
static json_t *
group_row(struct admin_call *a, struct sql *q, int64_t id, int64_t org)
{
	DEFER(sql_end) struct sql o = sql_query(a->db, SQL_ORG_BY_ID, SI(org));
	struct span name = sql_text(q), org_name = span_of(NULL, 0);

	if (sql_step(&o) == 1) {
		(void)sql_i64(&o); /* its number */
		org_name = sql_text(&o);
	}
	return json_pack("{s:I, s:s%, s:s%}", "id", (json_int_t)id, "name", name.ptr, name.len,
	    "org", org_name.ptr, org_name.len);
}

int
admin_group_list(struct admin_call *a)
{
	int64_t org = 0, last;
	int rc = admin_arg(a, "org") != NULL ? admin_org(a, &org) : SP_OK;

	if (rc == SP_OK)
		rc = admin_after(a, &last);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	for (unsigned n = 0; rc == SP_OK && n < ADMIN_SCAN_ROWS; n++) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_GROUP_NEXT, SI(last));
		int64_t id, of;

		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		id = sql_i64(&q);
		of = sql_i64(&q);
		rc = org != 0 && of != org ? 1 : admin_row_add(a, group_row(a, &q, id, of));
		if (rc <= 0)
			return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
		rc = SP_OK;
	}
	return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
}

int
admin_group_show(struct admin_call *a)
{
	int64_t group, org, after, last = 0;
	int rc = group_by_name(a, &group, &org);

	if (rc == SP_OK)
		rc = admin_after(a, &after);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	if (rc != SP_OK)
		return rc;
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_MEMBERS_OF, SI(group));
	while ((rc = sql_step(&q)) == 1) {
		int64_t id = sql_i64(&q);
		struct span name = sql_text(&q);
		int added;

		if (id <= after)
			continue;
		added = admin_row_add(
		    a, json_pack("{s:I, s:s%}", "id", (json_int_t)id, "name", name.ptr, name.len));
		if (added <= 0)
			return added < 0 ? added
					 : admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
	}
	return rc;
}

int
admin_group_remove(struct admin_call *a)
{
	int64_t group, org;
	int rc = group_by_name(a, &group, &org);

	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_ACL_REMOVE_SUBJECT, SI(/* kind= */ 1), SI(group));
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_GROUP_REMOVE, SI(group));
	return rc == SP_OK ? group_record(a, EVENT_GROUP_REMOVED, org) : rc;
}

static int
member(struct admin_call *a, bool add)
{
	const char *name = admin_arg(a, "user");
	int64_t group, org, user, of;
	int rc = group_by_name(a, &group, &org);

	if (rc == SP_OK)
		rc = admin_user(a, name, &user, &of);
	if (rc == SP_OK && of != org)
		rc = admin_no(a, SP_ENOUSER, "%.64s is in another organisation", name);
	if (rc == SP_OK)
		rc = sql_run(a->db, add ? SQL_MEMBER_ADD : SQL_MEMBER_REMOVE, SI(group), SI(user));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "%.64s is in the group already", name);
	if (rc == SP_OK && !add && db_changes(a->db) == 0)
		return admin_no(a, SP_ENOUSER, "%.64s is not in the group", name);
	if (rc == SP_OK)
		rc = group_record(a, EVENT_GROUP_CHANGED, org);
	admin_detail(a, add ? "added" : "removed", span_str(name));
	if (add)
		admin_detail(a, "widens", SPAN_LIT("yes"));
	return rc;
}

int
admin_member_add(struct admin_call *a)
{
	return member(a, true);
}

int
admin_member_remove(struct admin_call *a)
{
	return member(a, false);
}
