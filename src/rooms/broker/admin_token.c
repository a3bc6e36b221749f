/* admin_token.c - API tokens and sessions. */
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/admin.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define TOKEN_DAYS 90
#define TOKEN_PREFIX "spt_" /* secret scanners can know it */

/* expiry - "90d", a date, or "never" (0). */
static int
expiry(struct admin_call *a, int64_t *ret_us)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
	const char *text = admin_arg(a, "expires");
	struct span s = span_str(text);
	uint64_t v;

	*ret_us = a->now_us + TOKEN_DAYS * DAY_US;
	if (text == NULL)
		return SP_OK;
	if (span_eq_str(s, "never")) {
		*ret_us = 0;
		return SP_OK;
	}
	for (size_t i = 0; s.len > 1 && i < ARRAY_LEN(seconds); i++) {
		if (s.ptr[s.len - 1] != (uint8_t)units[i])
			continue;
		if (parse_u64(span_cut(s, s.len - 1), 100000000u, &v) != SP_OK || v == 0)
			return admin_no(
			    a, SP_EUSAGE, "%.64s is no time: 90d, 12h, a date, or never", text);
		*ret_us = a->now_us + (int64_t)v * seconds[i] * 1000000;
		return SP_OK;
	}
	if (time_parse(s, a->now_us, ret_us) != SP_OK)
		return admin_no(a, SP_EUSAGE, "%.64s is no time: 90d, 12h, a date, or never", text);
	return *ret_us > a->now_us ? SP_OK : admin_no(a, SP_EUSAGE, "%.64s is past", text);
}

/* token_name - as given, or the date and a number that makes it unique. */
static int
token_name(struct admin_call *a, struct text *t)
{
	struct span name = span_str(admin_arg(a, "name"));

	if (name.len != 0) {
		if (name.len > 64 || !utf8_valid(name) || span_find(name, '\n') != name.len)
			return admin_no(a, SP_EUSAGE, "a token's name has at most 64 bytes");
		text_add(t, name);
		return SP_OK;
	}
	text_str(t, "token ");
	time_plain(t, a->now_us);
	return SP_OK;
}

int
admin_token_add(struct admin_call *a)
{
	uint8_t hash[SHA256_BYTES];
	char token[64], name[80], rights_text[128];
	struct text t = text_of(token, sizeof(token)), n = text_of(name, sizeof(name));
	const char *scope = admin_arg(a, "scope"), *user_name = admin_arg(a, "user");
	int64_t user, org, rights = RIGHT_ALL, end_us = 0, id;
	int rc = admin_user(a, user_name, &user, &org);

	if (rc == SP_OK && scope != NULL)
		rc = admin_rights(a, scope, &rights);
	if (rc == SP_OK)
		rc = expiry(a, &end_us);
	if (rc == SP_OK)
		rc = token_name(a, &n);
	if (rc != SP_OK)
		return rc;
	text_str(&t, TOKEN_PREFIX);
	base64url_put(&t, span_of(a->random, sizeof(a->random)));
	rc = sha256(text_span(&t), hash);
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_TOKEN_ADD, SI(user), ST(text_span(&n)),
		    SB(span_of(hash, sizeof(hash))), SI(rights), SI(a->now_us), SI(end_us));
	id = db_last_id(a->db);
	if (rc == SP_EEXISTS)
		rc = admin_no(a, rc, "%.64s has a token of the name %s already", user_name, name);
	admin_rights_text(rights, rights_text, sizeof(rights_text));
	if (rc == SP_OK)
		rc = admin_record(a, EVENT_TOKEN_ADDED, org);
	admin_detail(a, "name", span_str(user_name));
	admin_detail(a, "token", text_span(&n));
	admin_detail(a, "scope", span_str(rights_text));
	if (rc == SP_OK)
		rc = admin_set(a, "id", json_integer(id));
	if (rc == SP_OK)
		rc = admin_set(a, "name", admin_text(text_span(&n)));
	if (rc == SP_OK)
		rc = admin_set(a, "scope", json_string(rights_text));
	if (rc == SP_OK)
		rc = admin_set(a, "expires", admin_time(end_us));
	if (rc == SP_OK)
		rc = admin_set(a, "token", admin_text(text_span(&t)));
	mem_wipe(token, sizeof(token));
	return rc;
}

/* named_user - filter of a list: --user, or 0. */
static int
user_filter(struct admin_call *a, int64_t *ret_user, int64_t *ret_org)
{
	const char *name = admin_arg(a, "user");

	*ret_user = 0;
	*ret_org = 0;
	if (name != NULL)
		return admin_user(a, name, ret_user, ret_org);
	return admin_arg(a, "org") != NULL ? admin_org(a, ret_org) : SP_OK;
}

/* user_of - name of a user, and whether the user is in org (0: any). */
static int
user_of(struct admin_call *a, int64_t user, int64_t org, char *name, size_t cap)
{
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_ACTOR, SI(user));
	int rc = sql_step(&q);

	if (rc != 1)
		return rc < 0 ? rc : SP_ENOUSER;
	(void)sql_i64(&q); /* the number */
	if (sql_i64(&q) != org && org != 0)
		return 0;
	sql_text_of(&q, name, cap);
	return 1;
}

static json_t *
token_json(struct sql *q, int64_t id, const char *user)
{
	json_t *o = json_object();
	char rights[128];
	int bad = json_object_set_new(o, "id", json_integer(id)) |
		  json_object_set_new(o, "user", json_string(user));

	admin_rights_text(sql_i64(q), rights, sizeof(rights));
	bad |= json_object_set_new(o, "name", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "scope", json_string(rights));
	bad |= json_object_set_new(o, "created", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "expires", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "used", admin_time(sql_i64(q)));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *
session_json(struct sql *q, int64_t id, const char *user)
{
	static const char *const listeners[] = {"public", "administration"};
	json_t *o = json_object();
	int64_t listener = sql_i64(q);
	int bad = json_object_set_new(o, "id", json_integer(id)) |
		  json_object_set_new(o, "user", json_string(user));

	bad |= json_object_set_new(o, "listener", json_string(listeners[listener == 1]));
	bad |= json_object_set_new(o, "created", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "used", admin_time(sql_i64(q)));
	(void)sql_i64(q); /* end of the access token */
	bad |= json_object_set_new(o, "ends", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "address", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "agent", admin_text(sql_text(q)));
	bad |= json_object_set_new(
	    o, "door", json_string(door_name(sql_i64(q) == DOOR_SFTP ? DOOR_SFTP : DOOR_HTTPS)));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* list - tokens or sessions by number; both statements begin with number and user. */
static int
list(struct admin_call *a, enum sql_id id, json_t *(*make)(struct sql *, int64_t, const char *))
{
	int64_t want, org, last;
	int rc = user_filter(a, &want, &org);

	if (rc == SP_OK)
		rc = admin_after(a, &last);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	for (unsigned n = 0; rc == SP_OK && n < ADMIN_SCAN_ROWS; n++) {
		DEFER(sql_end) struct sql q = sql_query(a->db, id, SI(last));
		int64_t number, user;
		char name[65];

		rc = sql_step(&q);
		if (rc != 1)
			return rc;
		number = sql_i64(&q);
		user = sql_i64(&q);
		rc = user_of(a, user, org, name, sizeof(name));
		if (rc == 1 && (want == 0 || want == user)) {
			rc = admin_row_add(a, make(&q, number, name));
			if (rc == 0)
				return admin_next(a, json_sprintf("%lld", (long long)last));
		}
		if (rc < 0)
			return rc;
		last = number;
		rc = SP_OK;
	}
	return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
}

int
admin_token_list(struct admin_call *a)
{
	return list(a, SQL_TOKEN_NEXT, token_json);
}

int
admin_session_list(struct admin_call *a)
{
	return list(a, SQL_SESSION_NEXT, session_json);
}

/* number_arg - --id as a number. */
static int
number_arg(struct admin_call *a, const char *text, int64_t *ret)
{
	uint64_t v;

	if (parse_u64(span_str(text), INT64_MAX, &v) != SP_OK)
		return admin_no(a, SP_EUSAGE, "%.64s is no number", text);
	*ret = (int64_t)v;
	return SP_OK;
}

/* record_of_user - a record about one user. */
static int
record_of_user(struct admin_call *a, uint16_t event, int64_t user)
{
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_ACTOR, SI(user));
	int rc = sql_step(&q);
	int64_t org;

	if (rc != 1)
		return rc < 0 ? rc : SP_ENOUSER;
	(void)sql_i64(&q); /* the number */
	org = sql_i64(&q);
	admin_detail(a, "name", sql_text(&q));
	return admin_record(a, event, org);
}

int
admin_token_remove(struct admin_call *a)
{
	int64_t id, user = 0;
	int rc = number_arg(a, admin_arg(a, "id"), &id);

	if (rc != SP_OK)
		return rc;
	{
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_TOKEN_BY_ID, SI(id));

		rc = sql_step(&q);
		if (rc != 1)
			return rc < 0 ? rc
				      : admin_no(a, SP_ENOTFOUND, "there is no token %lld",
					    (long long)id);
		(void)sql_i64(&q); /* the number */
		user = sql_i64(&q);
		(void)sql_i64(&q); /* scopes */
		admin_detail(a, "token", sql_text(&q));
	}
	rc = record_of_user(a, EVENT_TOKEN_REMOVED, user);
	return rc == SP_OK ? sql_run(a->db, SQL_TOKEN_REMOVE, SI(id)) : rc;
}

int
admin_session_revoke(struct admin_call *a)
{
	const char *text = admin_arg(a, "id"), *name = admin_arg(a, "user");
	int64_t id = 0, user = 0, org;
	int rc;

	if ((text != NULL) == (name != NULL))
		return admin_no(a, SP_EUSAGE, "give either a session's number or --user NAME");
	if (name != NULL) {
		rc = admin_user(a, name, &user, &org);
		if (rc == SP_OK)
			rc = record_of_user(a, EVENT_SESSION_REVOKED, user);
		if (rc == SP_OK)
			rc = sql_run(a->db, SQL_SESSIONS_REMOVE_USER, SI(user));
		a->ends_user = user;
		return rc == SP_OK ? admin_set(a, "ended", json_integer(db_changes(a->db))) : rc;
	}
	rc = number_arg(a, text, &id);
	if (rc == SP_OK) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_SESSION_BY_ID, SI(id));

		rc = sql_step(&q);
		if (rc == 0)
			return admin_no(a, SP_ENOTFOUND, "there is no session %lld", (long long)id);
		user = rc == 1 ? sql_i64(&q) : 0;
		rc = rc < 0 ? rc : SP_OK;
	}
	if (rc == SP_OK)
		rc = record_of_user(a, EVENT_SESSION_REVOKED, user);
	admin_detail(a, "session", span_str(text));
	a->ends_session = id;
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_SESSION_REMOVE, SI(id));
	return rc == SP_OK ? admin_set(a, "ended", json_integer(1)) : rc;
}

/* remove_counted - run a statement that removes rows; how many, into the result. */
static int
remove_counted(struct admin_call *a, enum sql_id id, int64_t bind, const char *key)
{
	char number[24];
	struct text t = text_of(number, sizeof(number));
	int rc = sql_run(a->db, id, SI(bind));
	int64_t n = db_changes(a->db);

	if (rc != SP_OK)
		return rc;
	text_u64(&t, (uint64_t)n);
	admin_detail(a, key, text_span(&t));
	return admin_set(a, key, json_integer(n));
}

int
admin_revoke(struct admin_call *a)
{
	const char *name = admin_arg(a, "user");
	bool all = admin_arg(a, "all") != NULL;
	char whose[24];
	struct text of = text_of(whose, sizeof(whose));
	int64_t user = 0, org;
	int rc;

	if (all == (name != NULL))
		return admin_no(a, SP_EUSAGE, "give either --all or --user NAME");
	if (all) {
		a->ends_all = true;
		rc = admin_record(a, EVENT_REVOKED, 0);
	} else {
		rc = admin_user(a, name, &user, &org);
		a->ends_user = user;
		if (rc == SP_OK)
			rc = record_of_user(a, EVENT_REVOKED, user);
	}
	if (rc == SP_OK)
		rc = remove_counted(
		    a, all ? SQL_SESSIONS_REMOVE_ALL : SQL_SESSIONS_REMOVE_USER, user, "sessions");
	if (rc == SP_OK)
		rc = remove_counted(
		    a, all ? SQL_TOKENS_REMOVE_ALL : SQL_TOKENS_REMOVE_USER, user, "tokens");
	/* there may be any number of them: the record does not name each (rows.h) */
	if (all)
		text_str(&of, "all");
	else
		text_u64(&of, (uint64_t)user);
	admin_detail(a, "tokens-of", text_span(&of));
	return rc == SP_OK ? rows_forget(a->db) : rc;
}
