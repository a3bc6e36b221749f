/* admin_user.c - users: their accounts, passwords and home folders. */
#include "base/name.h"
#include "base/text.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/otp.h"

static const char *const levels[] = {
    "anonymous", "temporaryuser", "user", "audituser", "fileadmin", "admin", "sysadmin"};
static const char *const statuses[] = {"active", "suspended", "frozen"};

static const char *
word_of(const char *const *words, size_t n, int64_t i)
{
	return i >= 0 && (size_t)i < n ? words[i] : "unknown";
}

static int
level_arg(struct admin_call *a, int64_t *level)
{
	const char *text = admin_arg(a, "level");

	for (size_t i = 1; text != NULL && i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i], text) == 0) {
			*level = (int64_t)i;
			return SP_OK;
		}
	}
	return text == NULL ? SP_OK : admin_no(a, SP_EUSAGE, "%.64s is no level", text);
}

static int
text_arg(struct admin_call *a, const char *key, const char *before, struct span *ret)
{
	const char *v = admin_arg(a, key);
	struct span s = span_str(v != NULL ? v : before);

	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return admin_no(
			    a, SP_EUSAGE, "%s: control characters are not allowed", key);
	if (s.len > 255)
		return admin_no(a, SP_EUSAGE, "%s: longer than 255 bytes", key);
	*ret = s;
	return SP_OK;
}

static int
user_record(struct admin_call *a, uint16_t event, int64_t org, const char *change)
{
	int rc = admin_record(a, event, org);

	admin_detail(a, "name", span_str(admin_arg(a, "name")));
	if (change != NULL)
		admin_detail(a, "change", span_str(change));
	return rc;
}

/* home_make - /Home/NAME: who owns it has all rights in it but RIGHT_ADMIN (policy.h). */
static int
home_make(struct admin_call *a, int64_t user, int64_t org, const char *name)
{
	int64_t root, homes, home;
	int rc = sql_get(a->db, SQL_FOLDER_ROOT, &root, SI(org));

	if (rc == 1)
		rc = sql_get(a->db, SQL_FOLDER_CHILD, &homes, SI(root), ST(SPAN_LIT("Home")));
	if (rc != 1)
		return rc < 0 ? rc
			      : admin_no(a, SP_ENOTFOUND, "the organisation has no folder /Home");
	rc = sql_run(a->db, SQL_FOLDER_ADD, SI(org), SI(homes), ST(span_str(name)),
	    SI(/* inherit= */ 1), SI(/* type= */ 1), SI(/* system= */ 0), SI(user), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc,
		    "there is a folder /Home/%.64s already: remove it, or choose another name",
		    name);
	if (rc != SP_OK)
		return rc;
	home = db_last_id(a->db);
	rc = sql_run(a->db, SQL_FOLDER_COUNT_FOLDERS, SI(homes), SI(1), SI(a->now_us));
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_USER_SET_HOME, SI(user), SI(home));
	return rc;
}

int
admin_user_add(struct admin_call *a)
{
	const char *name = admin_arg(a, "name"), *quota_text = admin_arg(a, "quota");
	int64_t org, user, quota = 0, level = LEVEL_USER;
	struct span full = span_of(NULL, 0), email = full;
	int rc = admin_org(a, &org);

	if (rc == SP_OK && account_check(span_str(name)) != SP_OK)
		rc = admin_no(
		    a, SP_ENAME, "a user's name has 1 to 64 letters, digits and . _ @ + -");
	if (rc == SP_OK)
		rc = level_arg(a, &level);
	if (rc == SP_OK && quota_text != NULL)
		rc = admin_size(a, quota_text, &quota);
	if (rc == SP_OK)
		rc = text_arg(a, "full-name", "", &full);
	if (rc == SP_OK)
		rc = text_arg(a, "email", "", &email);
	if (rc != SP_OK)
		return rc;
	rc = sql_run(a->db, SQL_USER_ADD, SI(org), ST(span_str(name)), ST(full), ST(email),
	    SI(level), SI(quota), ST(span_str(a->phc)), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "there is a user %.64s already", name);
	if (rc != SP_OK)
		return rc;
	user = db_last_id(a->db);
	rc = home_make(a, user, org, name);
	if (rc == SP_OK)
		rc = user_record(a, EVENT_USER_ADDED, org, NULL);
	admin_detail(a, "level", span_str(levels[level]));
	return rc == SP_OK ? admin_set(a, "id", json_integer(user)) : rc;
}

/* user_json - the row of USER_BY_ID; brief: what a list shows. */
static json_t *
user_json(struct sql *q, bool brief)
{
	json_t *o = json_object();
	int64_t level, status, home;
	int bad = 0;

	bad |= json_object_set_new(o, "id", json_integer(sql_i64(q)));
	(void)sql_i64(q); /* the organisation's number; its name comes last */
	bad |= json_object_set_new(o, "name", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "full_name", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "email", admin_text(sql_text(q)));
	level = sql_i64(q);
	status = sql_i64(q);
	home = sql_i64(q);
	bad |=
	    json_object_set_new(o, "level", json_string(word_of(levels, ARRAY_LEN(levels), level)));
	bad |= json_object_set_new(
	    o, "status", json_string(word_of(statuses, ARRAY_LEN(statuses), status)));
	bad |= json_object_set_new(o, "home_folder", admin_limit(home));
	bad |= json_object_set_new(o, "quota", admin_limit(sql_i64(q)));
	bad |= json_object_set_new(o, "used", json_integer(sql_i64(q)));
	bad |= json_object_set_new(o, "last_login", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "password_set", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "language", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "notes", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "created", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "org", admin_text(sql_text(q)));
	if (brief) {
		static const char *const hidden[] = {
		    "email", "home_folder", "language", "notes", "password_set", "created"};

		for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
			bad |= json_object_del(o, hidden[i]);
	}
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* user_list_next - the user that follows: by name in one organisation, by number in all. */
static int
user_list_next(struct admin_call *a, int64_t org, char *after_name, size_t cap, int64_t *id)
{
	int rc;

	if (org == 0)
		return sql_get(a->db, SQL_USER_NEXT, id, SI(*id));
	DEFER(sql_end)
	struct sql q = sql_query(a->db, SQL_USER_NEXT_IN_ORG, SI(org), ST(span_str(after_name)));
	rc = sql_step(&q);
	if (rc == 1) {
		*id = sql_i64(&q);
		sql_text_of(&q, after_name, cap);
	}
	return rc;
}

int
admin_user_list(struct admin_call *a)
{
	const char *after = admin_arg(a, "after");
	int64_t org = 0, id = 0;
	char name[65] = "";
	struct text t = text_of(name, sizeof(name));
	int rc = admin_arg(a, "org") != NULL ? admin_org(a, &org) : SP_OK;

	if (rc == SP_OK && org == 0)
		rc = admin_after(a, &id);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	text_str(&t, org != 0 && after != NULL ? after : "");
	while (rc == SP_OK) {
		char before[65];
		int64_t last = id;
		int added;

		memcpy(before, name, sizeof(before));
		rc = user_list_next(a, org, name, sizeof(name), &id);
		if (rc != 1)
			return rc;
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_BY_ID, SI(id));
		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		added = admin_row_add(a, user_json(&q, /* brief= */ true));
		if (added < 0)
			return added;
		if (added == 0)
			return admin_next(a,
			    org != 0 ? json_string(before) : json_sprintf("%lld", (long long)last));
		rc = SP_OK;
	}
	return rc;
}

int
admin_user_show(struct admin_call *a)
{
	int64_t user, org;
	json_t *o, *groups = json_array();
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_BY_ID, SI(user));

		rc = sql_step(&q);
		o = rc == 1 ? user_json(&q, /* brief= */ false) : NULL;
		rc = rc < 0						  ? rc
		     : o != NULL && json_object_update(a->result, o) == 0 ? SP_OK
									  : SP_ENOMEM;
		json_decref(o);
	}
	if (rc == SP_OK) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_GROUPS_OF, SI(user));

		while ((rc = sql_step(&q)) == 1 && json_array_size(groups) < ADMIN_PAGE_ROWS) {
			(void)sql_i64(&q); /* the number */
			if (json_array_append_new(groups, admin_text(sql_text(&q))) != 0)
				rc = SP_ENOMEM;
		}
		rc = rc < 0 ? rc : SP_OK;
	}
	if (rc == SP_OK)
		rc = admin_set(a, "groups", groups);
	else
		json_decref(groups);
	return rc == SP_OK ? admin_user_factors(a, user) : rc;
}

int
admin_user_set(struct admin_call *a)
{
	static const char *const keys[] = {"full-name", "email", "level", "quota", "auth-methods"};
	char before[4][256] = {"", "", "", ""}; /* full name, email, language, notes */
	char notes[1025] = "";
	struct span full, email;
	int64_t user, org, level = 0, quota;
	bool any = false;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc != SP_OK)
		return rc;
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_BY_ID, SI(user));
	rc = sql_step(&q);
	if (rc != 1)
		return rc == 0 ? SP_ENOUSER : rc;
	(void)sql_i64(&q);  /* number */
	(void)sql_i64(&q);  /* organisation */
	(void)sql_text(&q); /* name */
	sql_text_of(&q, before[0], sizeof(before[0]));
	sql_text_of(&q, before[1], sizeof(before[1]));
	level = sql_i64(&q);
	for (int i = 0; i < 6; i++)
		(void)sql_i64(&q); /* status, home, quota, used, last login, password */
	sql_text_of(&q, before[2], sizeof(before[2]));
	sql_text_of(&q, notes, sizeof(notes));
	sql_end(&q);
	rc = text_arg(a, "full-name", before[0], &full);
	if (rc == SP_OK)
		rc = text_arg(a, "email", before[1], &email);
	if (rc == SP_OK)
		rc = level_arg(a, &level);
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_USER_SET_PROFILE, SI(user), ST(full), ST(email),
		    ST(span_str(before[2])), ST(span_str(notes)));
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_USER_SET_LEVEL, SI(user), SI(level));
	if (rc == SP_OK && admin_arg(a, "quota") != NULL &&
	    (rc = admin_size(a, admin_arg(a, "quota"), &quota)) == SP_OK)
		rc = sql_run(a->db, SQL_USER_SET_QUOTA, SI(user), SI(quota));
	if (rc == SP_OK)
		rc = admin_user_methods(a, user);
	if (rc == SP_OK)
		rc = user_record(a, EVENT_USER_CHANGED, org, NULL);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *v = admin_arg(a, keys[i]);

		any = any || v != NULL;
		if (v != NULL)
			admin_detail(a, keys[i], span_str(v));
	}
	return rc == SP_OK && !any
		   ? admin_no(a, SP_EUSAGE, "nothing to set; see: sallyport user set --help")
		   : rc;
}

int
admin_user_passwd(struct admin_call *a)
{
	int64_t user, org;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK)
		rc =
		    sql_run(a->db, SQL_USER_SET_PHC, SI(user), ST(span_str(a->phc)), SI(a->now_us));
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_SESSIONS_REMOVE_USER, SI(user));
	a->ends_user = user;
	return rc == SP_OK ? user_record(a, EVENT_USER_CHANGED, org, "password") : rc;
}

static int
set_status(struct admin_call *a, int64_t status)
{
	int64_t user, org;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_USER_SET_STATUS, SI(user), SI(status));
	if (rc == SP_OK && status != 0) {
		a->ends_user = user;
		rc = sql_run(a->db, SQL_SESSIONS_REMOVE_USER, SI(user));
	}
	return rc == SP_OK ? user_record(a, EVENT_USER_CHANGED, org, statuses[status]) : rc;
}

int
admin_user_suspend(struct admin_call *a)
{
	return set_status(a, 1);
}

int
admin_user_activate(struct admin_call *a)
{
	return set_status(a, 0);
}

int
admin_user_remove(struct admin_call *a)
{
	int64_t user, org, home;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc != SP_OK)
		return rc;
	while ((rc = sql_get(a->db, SQL_FOLDER_OF_OWNER, &home, SI(user))) == 1) {
		rc = sql_run(a->db, SQL_FOLDER_SET_OWNER, SI(home), SI(0));
		if (rc != SP_OK)
			return rc;
	}
	if (rc == 0 && (rc = otp_remove(a->db, user)) >= 0) {
		a->shreds = rc == 1;
		rc = SP_OK;
	}
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_ACL_REMOVE_SUBJECT, SI(/* kind= */ 0), SI(user));
	if (rc == SP_OK)
		rc = sql_run(
		    a->db, SQL_USER_REMOVE, SI(user)); /* sessions, tokens, keys, memberships go along */
	a->ends_user = user;
	return rc == SP_OK ? user_record(a, EVENT_USER_REMOVED, org, NULL) : rc;
}
