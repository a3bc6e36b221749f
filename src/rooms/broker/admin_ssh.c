/* admin_ssh.c - users' SSH keys, authorities of certificates, and the other half of a second factor:
 * taking it away.  (Giving it asks other rooms: admin_otp.c.) */
#include "base/name.h"
#include "base/text.h"
#include "crypto/ssh_key.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/otp.h"
#include "rooms/broker/ssh_policy.h"

#define KEYS_MAX 100 /* of one user */
#define COMMENT_MAX 255u

/* ---- key lines ---- */

struct key {
	uint8_t bytes[SSH_KEY_BLOB_MAX];
	struct span blob, comment;
	const char *type;
	char fingerprint[SSH_FINGERPRINT_TEXT];
};

/* key_arg - the argument "line" as a key. */
static int
key_arg(struct admin_call *a, struct key *ret)
{
	size_t len = 0;
	int rc = ssh_key_line(span_trim(span_str(admin_arg(a, "line"))), ret->bytes,
	    sizeof(ret->bytes), &len, &ret->comment);

	if (rc == SP_OK) {
		ret->blob = span_of(ret->bytes, len);
		rc = ssh_key_check(ret->blob, &ret->type);
	}
	if (rc == SP_ERANGE)
		return admin_no(a, rc,
		    "this key is of a kind or size that is not accepted: ssh-ed25519, "
		    "ecdsa-sha2-nistp256, -nistp384, -nistp521, ssh-rsa of 2048 bits or more");
	if (rc == SP_ESYNTAX || rc == SP_ESPACE)
		return admin_no(a, SP_ESYNTAX,
		    "this is no line of a public key file: type, base64, and perhaps a comment");
	return rc == SP_OK ? ssh_key_fingerprint(ret->blob, ret->fingerprint) : rc;
}

/* comment_arg - what was given, or what the line says; harmless on a terminal. */
static int
comment_arg(struct admin_call *a, struct span *comment)
{
	if (admin_arg(a, "comment") != NULL)
		*comment = span_str(admin_arg(a, "comment"));
	*comment = span_trim(*comment);
	if (!utf8_valid(*comment) || comment->len > COMMENT_MAX)
		return admin_no(a, SP_EUSAGE,
		    "the key's comment is longer than %u bytes or no valid UTF-8: give --comment",
		    COMMENT_MAX);
	for (size_t i = 0; i < comment->len; i++)
		if (comment->ptr[i] < 0x20 || comment->ptr[i] == 0x7f)
			return admin_no(a, SP_EUSAGE, "control characters in the key's comment");
	return SP_OK;
}

/* ---- user key ---- */

static int
key_record(struct admin_call *a, uint16_t event, int64_t org, const char *fingerprint)
{
	admin_detail(a, "name", span_str(admin_arg(a, "name")));
	admin_detail(a, "key", span_str(fingerprint));
	return admin_record(a, event, org);
}

int
admin_key_add(struct admin_call *a)
{
	DEFER(mem_freep) struct key *k = mem_alloc(sizeof(*k));
	int64_t user, org, n = 0;
	int rc = k == NULL ? SP_ENOMEM : admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK)
		rc = key_arg(a, k);
	if (rc == SP_OK)
		rc = comment_arg(a, &k->comment);
	if (rc == SP_OK && (rc = sql_get(a->db, SQL_SSH_KEYS_COUNT, &n, SI(user))) == 1)
		rc = n < KEYS_MAX ? SP_OK
				  : admin_no(a, SP_EFULL, "a user has at most %d keys", KEYS_MAX);
	if (rc != SP_OK)
		return rc;
	rc = sql_run(a->db, SQL_SSH_KEY_ADD, SI(user), ST(span_str(k->fingerprint)), SB(k->blob),
	    ST(k->comment), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(a, rc, "the user has this key already: %s", k->fingerprint);
	if (rc == SP_OK)
		rc = key_record(a, EVENT_SSH_KEY_ADDED, org, k->fingerprint);
	if (rc == SP_OK)
		rc = admin_set(a, "fingerprint", json_string(k->fingerprint));
	if (rc == SP_OK)
		rc = admin_set(a, "type", json_string(k->type));
	return rc == SP_OK ? admin_set(a, "comment", admin_text(k->comment)) : rc;
}

static json_t *
key_json(struct sql *q)
{
	json_t *o = json_object();
	const char *type = "unknown";
	struct span blob;
	int bad = json_object_set_new(o, "fingerprint", admin_text(sql_text(q)));

	blob = sql_blob(q);
	if (ssh_key_check(blob, &type) != SP_OK)
		type = "unknown";
	bad |= json_object_set_new(o, "type", json_string(type));
	bad |= json_object_set_new(o, "comment", admin_text(sql_text(q)));
	bad |= json_object_set_new(o, "added", admin_time(sql_i64(q)));
	bad |= json_object_set_new(o, "used", admin_time(sql_i64(q)));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* keys_of - a user's keys as an array. */
static int
keys_of(struct admin_call *a, int64_t user, json_t *list)
{
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_SSH_KEYS_OF, SI(user));
	int rc;

	while ((rc = sql_step(&q)) == 1)
		if (json_array_append_new(list, key_json(&q)) != 0)
			return SP_ENOMEM;
	return rc;
}

int
admin_key_list(struct admin_call *a)
{
	int64_t user, org;
	json_t *list = json_array();
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK)
		rc = keys_of(a, user, list);
	if (rc == SP_OK)
		return admin_set(a, "rows", list);
	json_decref(list);
	return rc;
}

int
admin_key_remove(struct admin_call *a)
{
	const char *fingerprint = admin_arg(a, "fingerprint");
	int64_t user, org, id = 0;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK) {
		DEFER(sql_end)
		struct sql q =
		    sql_query(a->db, SQL_SSH_KEY_GET, SI(user), ST(span_str(fingerprint)));

		if ((rc = sql_step(&q)) == 0)
			return admin_no(a, SP_ENOTFOUND,
			    "the user has no key %.64s; see: sallyport user key list", fingerprint);
		id = rc == 1 ? sql_i64(&q) : 0;
	}
	if (rc == 1)
		rc = sql_run(a->db, SQL_SSH_KEY_REMOVE, SI(id));
	return rc == SP_OK ? key_record(a, EVENT_SSH_KEY_REMOVED, org, fingerprint) : rc;
}

/* ---- what `user show` and `user set` say of it ---- */

int
admin_user_factors(struct admin_call *a, int64_t user)
{
	json_t *keys = json_array();
	char methods[SSH_METHODS_TEXT_MAX + 1] = "";
	int64_t since_us = 0;
	int rc;
	{
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_METHODS, SI(user));

		if ((rc = sql_step(&q)) == 1)
			sql_text_of(&q, methods, sizeof(methods));
	}
	if (rc >= 0) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_OTP_BLOB, SI(user));

		if ((rc = sql_step(&q)) == 1) {
			(void)sql_blob(&q); /* the seed's blob */
			since_us = sql_i64(&q);
		}
	}
	if (rc >= 0)
		rc = admin_set(a, "auth_methods",
		    methods[0] != '\0' ? json_string(methods) : json_null());
	if (rc == SP_OK)
		rc = admin_set(a, "one_time_codes", admin_time(since_us));
	if (rc == SP_OK)
		rc = keys_of(a, user, keys);
	if (rc == SP_OK)
		return admin_set(a, "ssh_keys", keys);
	json_decref(keys);
	return rc;
}

int
admin_user_methods(struct admin_call *a, int64_t user)
{
	const char *text = admin_arg(a, "auth-methods");
	struct ssh_policy p;

	if (text == NULL)
		return SP_OK;
	if (strcmp(text, "any") == 0)
		text = "";
	if (ssh_policy_init(&p, span_str(text), false) != SP_OK)
		return admin_no(a, SP_EUSAGE,
		    "--auth-methods takes lists of publickey, password and keyboard-interactive "
		    "joined by commas, the lists separated by spaces; or: any");
	return sql_run(a->db, SQL_USER_SET_METHODS, SI(user), ST(span_str(text)));
}

/* ---- user otp remove ---- */

int
admin_otp_remove(struct admin_call *a)
{
	int64_t user, org;
	int rc = admin_user(a, admin_arg(a, "name"), &user, &org);

	if (rc == SP_OK && (rc = otp_remove(a->db, user)) == 0)
		return admin_no(a, SP_ENOTFOUND, "the user has no one-time codes");
	if (rc < 0)
		return rc;
	a->shreds = true;
	admin_detail(a, "name", span_str(admin_arg(a, "name")));
	return admin_record(a, EVENT_OTP_REMOVED, org);
}

/* ---- ca ---- */

static int
ca_record(struct admin_call *a, uint16_t event, int64_t org, const char *fingerprint)
{
	admin_detail(a, "name", span_str(admin_arg(a, "name")));
	admin_detail(a, "ca", span_str(fingerprint));
	return admin_record(a, event, org);
}

int
admin_ca_add(struct admin_call *a)
{
	DEFER(mem_freep) struct key *k = mem_alloc(sizeof(*k));
	struct span name = span_str(admin_arg(a, "name"));
	int64_t org;
	int rc = k == NULL ? SP_ENOMEM : admin_org(a, &org);

	if (rc == SP_OK && account_check(name) != SP_OK)
		rc = admin_no(
		    a, SP_ENAME, "an authority's name has 1 to 64 letters, digits and . _ @ + -");
	if (rc == SP_OK)
		rc = key_arg(a, k);
	if (rc != SP_OK)
		return rc;
	rc = sql_run(a->db, SQL_SSH_CA_ADD, SI(org), ST(name), ST(span_str(k->fingerprint)),
	    SB(k->blob), SI(a->now_us));
	if (rc == SP_EEXISTS)
		return admin_no(
		    a, rc, "the organisation has an authority of this name or key already");
	if (rc == SP_OK)
		rc = ca_record(a, EVENT_CA_ADDED, org, k->fingerprint);
	if (rc == SP_OK)
		rc = admin_set(a, "fingerprint", json_string(k->fingerprint));
	return rc == SP_OK ? admin_set(a, "type", json_string(k->type)) : rc;
}

static json_t *
ca_json(struct admin_call *a, struct sql *q, int64_t org)
{
	json_t *o = json_object();
	const char *type = "unknown";
	int bad = json_object_set_new(o, "name", admin_text(sql_text(q)));

	bad |= json_object_set_new(o, "fingerprint", admin_text(sql_text(q)));
	if (ssh_key_check(sql_blob(q), &type) != SP_OK)
		type = "unknown";
	bad |= json_object_set_new(o, "type", json_string(type));
	bad |= json_object_set_new(o, "added", admin_time(sql_i64(q)));
	DEFER(sql_end) struct sql row = sql_query(a->db, SQL_ORG_BY_ID, SI(org));
	if (sql_step(&row) == 1) {
		(void)sql_i64(&row); /* the number, known */
		bad |= json_object_set_new(o, "org", admin_text(sql_text(&row)));
	}
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

int
admin_ca_list(struct admin_call *a)
{
	int64_t want = 0, last;
	int rc = admin_arg(a, "org") != NULL ? admin_org(a, &want) : SP_OK;

	if (rc == SP_OK)
		rc = admin_after(a, &last);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	for (unsigned n = 0; rc == SP_OK && n < ADMIN_SCAN_ROWS; n++) {
		DEFER(sql_end) struct sql q = sql_query(a->db, SQL_SSH_CA_NEXT, SI(last));
		int64_t id, org;

		if ((rc = sql_step(&q)) != 1)
			return rc;
		id = sql_i64(&q);
		org = sql_i64(&q);
		if (want == 0 || want == org)
			rc = admin_row_add(a, ca_json(a, &q, org));
		if (rc == 0)
			return admin_next(a, json_sprintf("%lld", (long long)last));
		last = id;
		rc = rc < 0 ? rc : SP_OK;
	}
	return rc < 0 ? rc : admin_next(a, json_sprintf("%lld", (long long)last));
}

int
admin_ca_remove(struct admin_call *a)
{
	const char *name = admin_arg(a, "name");
	char fingerprint[SSH_FINGERPRINT_TEXT] = "";
	int64_t org, id = 0;
	int rc = admin_org(a, &org);

	if (rc == SP_OK) {
		DEFER(sql_end)
		struct sql q = sql_query(a->db, SQL_SSH_CA_BY_NAME, SI(org), ST(span_str(name)));

		if ((rc = sql_step(&q)) == 0)
			return admin_no(a, SP_ENOTFOUND, "there is no authority %.64s", name);
		if (rc == 1) {
			id = sql_i64(&q);
			sql_text_of(&q, fingerprint, sizeof(fingerprint));
			rc = SP_OK;
		}
	}
	if (rc == SP_OK)
		rc = sql_run(a->db, SQL_SSH_CA_REMOVE, SI(id));
	return rc == SP_OK ? ca_record(a, EVENT_CA_REMOVED, org, fingerprint) : rc;
}
