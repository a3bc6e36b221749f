/* admin_folder.c - folders and the rights on them. */
#include "base/name.h"
#include "base/text.h"
#include "rooms/broker/admin.h"

struct place {
	int64_t org, folder, parent;
	char name[NAME_MAX_BYTES + 1]; /* of the last component, normalised; "" for the root */
	char path[PATH_MAX_BYTES + 1]; /* as it is recorded */
};

/* walk - the folder of a path.
 *   leave_last  do not look up the last name: folder is where it would be, name is filled
 *   errors      SP_ENAME, SP_EDEPTH, SP_ENOTFOUND with a sentence */
static int
walk(struct admin_call *a, const char *path, bool leave_last, struct place *ret)
{
	struct span rest = span_str(path), name;
	struct text t = text_of(ret->path, sizeof(ret->path));
	int rc = admin_org(a, &ret->org);

	if (rc == SP_OK && path_check(rest) != SP_OK)
		rc = admin_no(a, SP_ENAME,
		    "a path begins with / and its names hold no control characters, . or ..");
	if (rc == SP_OK && (rc = sql_get(a->db, SQL_FOLDER_ROOT, &ret->folder, SI(ret->org))) == 1)
		rc = SP_OK;
	ret->parent = 0;
	ret->name[0] = '\0';
	while (rc == SP_OK && (rc = path_next(&rest, &name)) == 1) {
		struct span normal;

		if (ret->name[0] !=
		    '\0') { /* one more follows: the name before has to be a folder */
			ret->parent = ret->folder;
			rc = sql_get(a->db, SQL_FOLDER_CHILD, &ret->folder, SI(ret->parent),
			    ST(span_str(ret->name)));
			if (rc != 1)
				return rc < 0 ? rc
					      : admin_no(a, SP_ENOTFOUND, "%.256s: no such folder",
						    ret->path);
		}
		rc = name_normal(name, ret->name, sizeof(ret->name), &normal);
		text_chr(&t, '/');
		text_str(&t, ret->name);
	}
	if (rc != SP_OK || leave_last || ret->name[0] == '\0')
		return rc;
	ret->parent = ret->folder;
	rc = sql_get(
	    a->db, SQL_FOLDER_CHILD, &ret->folder, SI(ret->parent), ST(span_str(ret->name)));
	if (rc == 0)
		return admin_no(a, SP_ENOTFOUND, "%.256s: no such folder", ret->path);
	return rc < 0 ? rc : SP_OK;
}

static int
place_record(struct admin_call *a, enum event event, const struct place *p)
{
	struct text t = text_of(a->path, sizeof(a->path));

	text_str(&t, p->path[0] != '\0' ? p->path : "/");
	return admin_record(a, (uint16_t)event, p->org);
}

/* ---- folders ---- */

int
admin_folder_add(struct admin_call *a)
{
	const char *quota_text = admin_arg(a, "quota");
	struct place p;
	int64_t quota = 0, id;
	int rc = walk(a, admin_arg(a, "path"), /* leave_last= */ true, &p);

	if (rc == SP_OK && p.name[0] == '\0')
		rc = admin_no(a, SP_EEXISTS, "/ is there already");
	if (rc == SP_OK && quota_text != NULL)
		rc = admin_size(a, quota_text, &quota);
	if (rc != SP_OK)
		return rc;
	rc = sql_run(a->db, SQL_FOLDER_ADD, SI(p.org), SI(p.folder), ST(span_str(p.name)),
	    SI(admin_arg(a, "no-inherit") == NULL), SI(FOLDER_NORMAL), SI(/* system= */ 0),
	    SI(/* owner= */ 0), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "%.256s is there already", p.path);
	id = db_last_id(a->db);
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_FOLDER_COUNT_FOLDERS, SI(p.folder), SI(1), SI(a->now_us));
	if (rc == SP_OK && quota != 0)
		rc = sql_run(a->db, SQL_FOLDER_SET_QUOTA, SI(id), SI(quota));
	if (rc == SP_OK)
		rc = place_record(a, EVENT_FOLDER_CREATED, &p);
	return rc == SP_OK ? admin_set(a, "id", json_integer(id)) : rc;
}

static json_t *
folder_json(struct sql *q)
{
	json_t *o = json_object();
	int64_t inherit;
	int bad = json_object_set_new(o, "id", json_integer(sql_i64(q)));

	(void)sql_i64(q); /* organisation */
	(void)sql_i64(q); /* parent */
	bad |= json_object_set_new(o, "name", admin_text(sql_text(q)));
	inherit = sql_i64(q);
	(void)sql_i64(q); /* type */
	(void)sql_i64(q); /* system */
	(void)sql_i64(q); /* owner */
	bad |= json_object_set_new(o, "inherits", json_boolean(inherit != 0));
	bad |= json_object_set_new(o, "quota", admin_limit(sql_i64(q)));
	bad |= json_object_set_new(o, "files", json_integer(sql_i64(q)));
	bad |= json_object_set_new(o, "folders", json_integer(sql_i64(q)));
	bad |= json_object_set_new(o, "bytes", json_integer(sql_i64(q)));
	bad |= json_object_set_new(o, "created", admin_time(sql_i64(q)));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

int
admin_folder_list(struct admin_call *a)
{
	const char *path = admin_arg(a, "path");
	struct place p;
	int64_t last;
	int rc = walk(a, path != NULL ? path : "/", /* leave_last= */ false, &p);

	if (rc == SP_OK)
		rc = admin_after(a, &last);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	while (rc == SP_OK) {
		int64_t before = last;
		int added;

		rc = sql_get(a->db, SQL_FOLDER_NEXT_CHILD, &last, SI(p.folder), SI(before));
		if (rc != 1)
			return rc;
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_FOLDER_BY_ID, SI(last));
		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		added = admin_row_add(a, folder_json(&q));
		if (added <= 0)
			return added < 0 ? added
					 : admin_next(a, json_sprintf("%lld", (long long)before));
		rc = SP_OK;
	}
	return rc;
}

int
admin_folder_find(struct admin_call *a, const char *path, int64_t *ret_org, int64_t *ret_folder)
{
	struct place p;
	struct text t = text_of(a->path, sizeof(a->path));
	int rc = walk(a, path, /* leave_last= */ false, &p);

	if (rc != SP_OK)
		return rc;
	text_str(&t, p.path[0] != '\0' ? p.path : "/");
	*ret_org = p.org;
	*ret_folder = p.folder;
	return SP_OK;
}

/* ---- rights ---- */

/* subject - --user or --group, exactly one. */
static int
subject(struct admin_call *a, int64_t org, int64_t *ret_kind, int64_t *ret_id)
{
	const char *user = admin_arg(a, "user"), *group = admin_arg(a, "group");
	int64_t of;
	int rc;

	if ((user != NULL) == (group != NULL))
		return admin_no(a, SP_EUSAGE, "give either --user NAME or --group NAME");
	admin_detail(
	    a, user != NULL ? "for-user" : "for-group", span_str(user != NULL ? user : group));
	*ret_kind = user != NULL ? SUBJECT_USER : SUBJECT_GROUP;
	if (group != NULL) {
		rc = sql_get(a->db, SQL_GROUP_BY_NAME, ret_id, SI(org), ST(span_str(group)));
		return rc == 0	? admin_no(a, SP_ENOUSER, "%.64s: no such group", group)
		       : rc < 0 ? rc
				: SP_OK;
	}
	rc = admin_user(a, user, ret_id, &of);
	return rc == SP_OK && of != org
		   ? admin_no(a, SP_ENOUSER, "%.64s is in another organisation", user)
		   : rc;
}

int
admin_acl_set(struct admin_call *a)
{
	struct place p;
	char text[128];
	int64_t kind, id, rights, before = 0;
	bool override = admin_arg(a, "override") != NULL;
	int rc = walk(a, admin_arg(a, "path"), /* leave_last= */ false, &p);

	if (rc == SP_OK)
		rc = subject(a, p.org, &kind, &id);
	if (rc == SP_OK)
		rc = admin_rights(a, admin_arg(a, "rights"), &rights);
	if (rc == SP_OK &&
	    (rc = sql_get(a->db, SQL_ACL_GET, &before, SI(p.folder), SI(kind), SI(id))) >= 0)
		rc = SP_OK;
	if (rc == SP_OK)
		rc = sql_run(
		    a->db, SQL_ACL_SET, SI(p.folder), SI(kind), SI(id), SI(rights), SI(override));
	if (rc != SP_OK)
		return rc;
	admin_rights_text(rights, text, sizeof(text));
	admin_detail(a, "rights", span_str(text));
	if ((rights & ~before) != 0) /* than what stood here: it may have been inherited before */
		admin_detail(a, "widens", SPAN_LIT("yes"));
	if (override)
		admin_detail(a, "override", SPAN_LIT("yes"));
	return place_record(a, EVENT_ACL_SET, &p);
}

int
admin_acl_remove(struct admin_call *a)
{
	struct place p;
	int64_t kind, id;
	int rc = walk(a, admin_arg(a, "path"), /* leave_last= */ false, &p);

	if (rc == SP_OK)
		rc = subject(a, p.org, &kind, &id);
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_ACL_REMOVE, SI(p.folder), SI(kind), SI(id));
	if (rc == SP_OK && db_changes(a->db) == 0)
		rc = admin_no(a, SP_ENOTFOUND, "no rights are set there");
	return rc == SP_OK ? place_record(a, EVENT_ACL_REMOVED, &p) : rc;
}

/* subject_name - of a user or group. */
static int
subject_name(struct admin_call *a, int64_t kind, int64_t id, char *buf, size_t cap)
{
	DEFER(sql_end)
	struct sql q =
	    sql_query(a->db, kind == SUBJECT_USER ? SQL_USER_NAME : SQL_GROUP_BY_ID, SI(id));
	int rc = sql_step(&q);

	if (rc != 1)
		return rc < 0 ? rc : SP_ENOUSER;
	if (kind == SUBJECT_GROUP) {
		(void)sql_i64(&q); /* number */
		(void)sql_i64(&q); /* organisation */
	}
	sql_text_of(&q, buf, cap);
	return SP_OK;
}

/* owner_row - whose home folder it is: that gives rights too. */
static int
owner_row(struct admin_call *a, int64_t folder)
{
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_FOLDER_WALK, SI(folder));
	int64_t owner;
	char name[65], rights[128];
	int rc = sql_step(&q);

	if (rc != 1)
		return rc;
	for (int i = 0; i < 3; i++)
		(void)sql_i64(&q); /* organisation, parent, inherit */
	owner = sql_i64(&q);
	if (owner == 0)
		return SP_OK;
	rc = subject_name(a, SUBJECT_USER, owner, name, sizeof(name));
	admin_rights_text(RIGHT_ALL & ~RIGHT_ADMIN, rights, sizeof(rights));
	if (rc == SP_OK)
		rc = admin_row_add(a, json_pack("{s:s, s:s, s:s, s:b}", "kind", "owner", "name",
					  name, "rights", rights, "override", 0));
	return rc < 0 ? rc : SP_OK;
}

int
admin_acl_show(struct admin_call *a)
{
	struct place p;
	int64_t after, n = 0;
	int rc = walk(a, admin_arg(a, "path"), /* leave_last= */ false, &p);

	if (rc == SP_OK)
		rc = admin_after(a, &after);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	if (rc == SP_OK && after == 0)
		rc = owner_row(a, p.folder);
	if (rc != SP_OK)
		return rc;
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ACL_OF_FOLDER, SI(p.folder));
	while ((rc = sql_step(&q)) == 1) {
		int64_t kind = sql_i64(&q), id = sql_i64(&q), rights = sql_i64(&q),
			override = sql_i64(&q);
		char name[65], text[128];

		if (++n <= after)
			continue;
		rc = subject_name(a, kind, id, name, sizeof(name));
		admin_rights_text(rights, text, sizeof(text));
		if (rc == SP_OK)
			rc = admin_row_add(a, json_pack("{s:s, s:s, s:s, s:b}", "kind",
						  kind == SUBJECT_USER ? "user" : "group", "name",
						  name, "rights", text, "override", override != 0));
		if (rc <= 0)
			return rc < 0 ? rc
				      : admin_next(a, json_sprintf("%lld", (long long)(n - 1)));
	}
	return rc;
}
