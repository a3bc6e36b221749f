/* admin_test.c - the verbs of the command line against a real database in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "crypto/wrap.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/otp.h"

/* LONG verbs need a running broker; tests/e2e has them. */
#define LONG_VERB(fn)                                                                              \
	int fn(struct broker *b, struct admin_op *op)                                              \
	{                                                                                          \
		(void)b;                                                                           \
		(void)op;                                                                          \
		return SP_EUNAVAIL;                                                                \
	}
LONG_VERB(admin_status)
LONG_VERB(admin_key_rotate)
LONG_VERB(admin_folder_remove)
LONG_VERB(admin_otp_add)
LONG_VERB(admin_fsck_database)
LONG_VERB(admin_fsck_known)
LONG_VERB(admin_fsck_content)
LONG_VERB(admin_upload_remove)
LONG_VERB(admin_address_list)
LONG_VERB(admin_address_show)
LONG_VERB(admin_address_ban)
LONG_VERB(admin_address_unban)
LONG_VERB(admin_backup_begin)
LONG_VERB(admin_backup_end)
LONG_VERB(admin_alarm_test)
LONG_VERB(admin_alarm_list)

/* rows that are made of the tree (tree.c); tests/e2e has them too */
#define TREE_VERB(fn)                                                                              \
	int fn(struct admin_call *a)                                                               \
	{                                                                                          \
		(void)a;                                                                           \
		return SP_EUNAVAIL;                                                                \
	}
TREE_VERB(admin_fsck_versions)
TREE_VERB(admin_upload_list)

static struct db *db;
static struct conf conf;
static struct admin_call call; /* of the last run */

static int
setup(void **state)
{
	(void)state;
	conf_defaults(&conf);
	if (db_open(":memory:", true, &db) != SP_OK)
		return -1;
	return db_init(db, 131072, SPAN_LIT("main"), 1);
}

static int
teardown(void **state)
{
	(void)state;
	admin_end(&call);
	db_close(db);
	return 0;
}

/* run - a verb with arguments written as JSON with ' for "; the result stays in call. */
static int
run(const char *verb, const char *args_text)
{
	const struct admin_row *row = admin_find(span_str(verb));
	char text[4096];
	json_t *args;
	int rc;

	assert_non_null(row);
	assert_non_null(row->fn);
	(void)snprintf(text, sizeof(text), "%s", args_text);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	args = json_loads(text, 0, NULL);
	assert_non_null(args);
	admin_end(&call);
	call.db = db;
	call.conf = &conf;
	call.now_us = INT64_C(1800000000000000);
	call.args = args;
	call.phc = "$argon2id$test";
	assert_int_equal(crypto_random(call.random, sizeof(call.random)), SP_OK);
	assert_int_equal(admin_begin(&call), SP_OK);
	rc = admin_check_args(row, args, call.why, sizeof(call.why));
	if (rc == SP_OK) {
		assert_int_equal(db_mark(db), SP_OK);
		rc = row->fn(&call);
		if (rc == SP_OK)
			assert_int_equal(db_keep(db), SP_OK);
		else
			db_undo(db);
	}
	json_decref(args);
	call.args = NULL;
	return rc;
}

static size_t
n_rows(void)
{
	return json_array_size(json_object_get(call.result, "rows"));
}

static const char *
cell(size_t row, const char *key)
{
	return json_string_value(
	    json_object_get(json_array_get(json_object_get(call.result, "rows"), row), key));
}

static void
arguments_are_checked(void **state)
{
	(void)state;
	assert_null(admin_find(SPAN_LIT("user")));
	assert_null(admin_find(SPAN_LIT("user add ")));
	assert_int_equal(run("user add", "{}"), SP_EUSAGE);
	assert_string_equal(call.why, "user add: argument name is missing");
	assert_int_equal(run("user add", "{'name':'a','shoe':'9'}"), SP_EUSAGE);
	assert_int_equal(run("user add", "{'name':7}"), SP_EUSAGE);
	assert_int_equal(run("user add", "[]"), SP_EUSAGE);
}

static void
users_come_and_go(void **state)
{
	(void)state;
	assert_int_equal(run("user add", "{'name':'alice','quota':'10G','email':'a@b'}"), SP_OK);
	assert_int_equal(call.event, EVENT_USER_ADDED);
	assert_string_equal(call.org, "main");
	assert_int_equal(run("user add", "{'name':'ALICE'}"), SP_EEXISTS);
	assert_int_equal(run("user add", "{'name':'../x'}"), SP_ENAME);
	assert_int_equal(run("user add", "{'name':'bob','level':'root'}"), SP_EUSAGE);
	assert_int_equal(run("user add", "{'name':'bob','quota':'lots'}"), SP_EUSAGE);
	assert_int_equal(run("user add", "{'name':'bob','quota':'9999999T'}"), SP_EUSAGE);
	assert_int_equal(run("user add", "{'name':'bob','full-name':'a\\u0007b'}"), SP_EUSAGE);
	assert_int_equal(run("user add", "{'name':'bob','org':'other'}"), SP_ENOORG);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_int_equal(
	    json_integer_value(json_object_get(call.result, "quota")), INT64_C(10737418240));
	assert_string_equal(json_string_value(json_object_get(call.result, "level")), "user");
	assert_int_equal(call.event, 0);
	assert_int_equal(run("user set", "{'name':'alice'}"), SP_EUSAGE);
	assert_int_equal(
	    run("user set", "{'name':'alice','full-name':'Alice','level':'admin'}"), SP_OK);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_string_equal(json_string_value(json_object_get(call.result, "full_name")), "Alice");
	assert_string_equal(json_string_value(json_object_get(call.result, "email")), "a@b");
	assert_string_equal(json_string_value(json_object_get(call.result, "level")), "admin");
	assert_int_equal(run("user suspend", "{'name':'alice'}"), SP_OK);
	assert_true(call.ends_user != 0);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_string_equal(json_string_value(json_object_get(call.result, "status")), "suspended");
	assert_int_equal(run("user activate", "{'name':'alice'}"), SP_OK);
	assert_int_equal(run("user passwd", "{'name':'nobody'}"), SP_ENOUSER);
	assert_int_equal(run("user remove", "{'name':'alice'}"), SP_OK);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_ENOUSER);
	/* the home folder stays, and is nobody's */
	assert_int_equal(run("acl show", "{'path':'/Home/alice'}"), SP_OK);
	assert_int_equal(n_rows(), 0);
	assert_int_equal(run("user add", "{'name':'alice'}"), SP_EEXISTS);
}

static void
folders_and_rights(void **state)
{
	(void)state;
	assert_int_equal(run("user add", "{'name':'carol'}"), SP_OK);
	assert_int_equal(run("group add", "{'name':'staff'}"), SP_OK);
	assert_int_equal(run("group add", "{'name':'staff'}"), SP_EEXISTS);
	assert_int_equal(run("folder add", "{'path':'/in'}"), SP_OK);
	assert_int_equal(run("folder add", "{'path':'/in'}"), SP_EEXISTS);
	assert_int_equal(run("folder add", "{'path':'/'}"), SP_EEXISTS);
	assert_int_equal(run("folder add", "{'path':'in'}"), SP_ENAME);
	assert_int_equal(run("folder add", "{'path':'/in/../out'}"), SP_ENAME);
	assert_int_equal(run("folder add", "{'path':'/no/such/parent'}"), SP_ENOTFOUND);
	assert_int_equal(run("folder add", "{'path':'/in/e\\u0301t\\u00e9','quota':'1M'}"), SP_OK);
	assert_string_equal(call.path, "/in/\xc3\xa9t\xc3\xa9"); /* NFC */
	assert_int_equal(run("folder add", "{'path':'/in/\\u00e9t\\u00e9'}"), SP_EEXISTS);
	assert_int_equal(run("folder list", "{'path':'/in'}"), SP_OK);
	assert_int_equal(n_rows(), 1);
	assert_int_equal(run("folder list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 2);
	assert_int_equal(
	    run("acl set", "{'path':'/in','rights':'read,list','user':'carol'}"), SP_OK);
	assert_int_equal(
	    run("acl set", "{'path':'/in','rights':'all','group':'staff','override':''}"), SP_OK);
	assert_int_equal(run("acl set", "{'path':'/in','rights':'fly','user':'carol'}"), SP_EUSAGE);
	assert_int_equal(run("acl set", "{'path':'/in','rights':'','user':'carol'}"), SP_EUSAGE);
	assert_int_equal(run("acl set", "{'path':'/in','rights':'read'}"), SP_EUSAGE);
	assert_int_equal(
	    run("acl set", "{'path':'/in','rights':'read','user':'carol','group':'staff'}"),
	    SP_EUSAGE);
	assert_int_equal(
	    run("acl set", "{'path':'/out','rights':'read','user':'carol'}"), SP_ENOTFOUND);
	assert_int_equal(run("acl show", "{'path':'/in'}"), SP_OK);
	assert_int_equal(n_rows(), 2);
	assert_string_equal(cell(0, "name"), "carol");
	assert_string_equal(cell(0, "rights"), "read,list");
	assert_string_equal(cell(1, "kind"), "group");
	assert_int_equal(run("acl show", "{'path':'/in','after':'1'}"), SP_OK);
	assert_int_equal(n_rows(), 1);
	assert_int_equal(run("acl show", "{'path':'/Home/carol'}"), SP_OK);
	assert_string_equal(cell(0, "kind"), "owner");
	assert_int_equal(run("acl remove", "{'path':'/in','user':'carol'}"), SP_OK);
	assert_int_equal(run("acl remove", "{'path':'/in','user':'carol'}"), SP_ENOTFOUND);
	assert_int_equal(run("group member-add", "{'name':'staff','user':'carol'}"), SP_OK);
	assert_int_equal(run("group member-add", "{'name':'staff','user':'carol'}"), SP_EEXISTS);
	assert_int_equal(run("group show", "{'name':'staff'}"), SP_OK);
	assert_string_equal(cell(0, "name"), "carol");
	assert_int_equal(run("group member-remove", "{'name':'staff','user':'carol'}"), SP_OK);
	assert_int_equal(run("group member-remove", "{'name':'staff','user':'carol'}"), SP_ENOUSER);
	assert_int_equal(run("group remove", "{'name':'staff'}"), SP_OK);
	assert_int_equal(run("acl show", "{'path':'/in'}"), SP_OK);
	assert_int_equal(n_rows(), 0);
}

static void
tokens(void **state)
{
	const char *token;
	char args[64];

	(void)state;
	assert_int_equal(run("user add", "{'name':'dave'}"), SP_OK);
	assert_int_equal(run("token add", "{'user':'nobody'}"), SP_ENOUSER);
	assert_int_equal(run("token add", "{'user':'dave','expires':'soon'}"), SP_EUSAGE);
	assert_int_equal(run("token add", "{'user':'dave','expires':'2001-01-01'}"), SP_EUSAGE);
	assert_int_equal(run("token add", "{'user':'dave','expires':'0d'}"), SP_EUSAGE);
	assert_int_equal(
	    run("token add", "{'user':'dave','name':'ci','scope':'read,list','expires':'1d'}"),
	    SP_OK);
	token = json_string_value(json_object_get(call.result, "token"));
	assert_non_null(token);
	assert_int_equal(strlen(token), 47);
	/* the record does not hold it */
	assert_null(memmem(call.detail_buf, call.detail.len, token + 4, 16));
	assert_int_equal(run("token add", "{'user':'dave','name':'ci'}"), SP_EEXISTS);
	assert_int_equal(run("token list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 1);
	assert_string_equal(cell(0, "scope"), "read,list");
	assert_null(
	    json_object_get(json_array_get(json_object_get(call.result, "rows"), 0), "hash"));
	assert_int_equal(run("token list", "{'user':'nobody'}"), SP_ENOUSER);
	(void)snprintf(args, sizeof(args), "{'id':'%lld'}", 1LL);
	assert_int_equal(run("token remove", args), SP_OK);
	assert_int_equal(run("token remove", args), SP_ENOTFOUND);
	assert_int_equal(run("token remove", "{'id':'x'}"), SP_EUSAGE);
	assert_int_equal(run("session list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 0);
	assert_int_equal(run("session revoke", "{'id':'5'}"), SP_ENOTFOUND);
	assert_int_equal(run("session revoke", "{}"), SP_EUSAGE);
	assert_int_equal(run("session revoke", "{'user':'dave'}"), SP_OK);
	assert_int_equal(call.event, EVENT_SESSION_REVOKED);
	assert_int_equal(run("token add", "{'user':'dave','name':'one'}"), SP_OK);
	assert_int_equal(run("revoke", "{}"), SP_EUSAGE);
	assert_int_equal(run("revoke", "{'all':'','user':'dave'}"), SP_EUSAGE);
	assert_int_equal(run("revoke", "{'user':'nobody'}"), SP_ENOUSER);
	assert_int_equal(run("revoke", "{'user':'dave'}"), SP_OK);
	assert_true(call.event == EVENT_REVOKED && call.ends_user != 0 && !call.ends_all);
	assert_int_equal(json_integer_value(json_object_get(call.result, "tokens")), 1);
	assert_int_equal(run("token add", "{'user':'dave','name':'two'}"), SP_OK);
	assert_int_equal(run("revoke", "{'all':''}"), SP_OK);
	assert_true(call.ends_all && call.ends_user == 0);
	assert_int_equal(json_integer_value(json_object_get(call.result, "tokens")), 1);
}

#define KEY_LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEMGbRR92ABNGVnqrcWTrplDNPAUeKlHxnPUAaiJtQG3"
#define KEY_PRINT "SHA256:kufPxrXE4HnbyiIjx5MdLkn2yqV5xRbEHjewnmBhXW4"
#define OTHER_LINE                                                                                 \
	"ecdsa-sha2-nistp256 "                                                                     \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGNzWVo4KkBy3g5lie2R2tHkTbLfcfe1LhVp" \
	"mZmniRJr18dG5J0LmobGofFJSa4ovM1uRjNm8AEWfMNn8hu35VU="

static void
ssh_keys(void **state)
{
	(void)state;
	assert_int_equal(run("user add", "{'name':'alice'}"), SP_OK);
	assert_int_equal(
	    run("user key add", "{'name':'nobody','line':'" KEY_LINE "'}"), SP_ENOUSER);
	assert_int_equal(run("user key add", "{'name':'alice'}"), SP_EUSAGE);
	assert_int_equal(
	    run("user key add", "{'name':'alice','line':'/root/.ssh/id_rsa'}"), SP_ESYNTAX);
	assert_int_equal(
	    run("user key add", "{'name':'alice','line':'command=\\'sh\\' " KEY_LINE "'}"),
	    SP_ESYNTAX);
	assert_int_equal(
	    run("user key add", "{'name':'alice','line':' " KEY_LINE " a key '}"), SP_OK);
	assert_int_equal(call.event, EVENT_SSH_KEY_ADDED);
	assert_non_null(memmem(call.detail_buf, call.detail.len, KEY_PRINT, strlen(KEY_PRINT)));
	assert_string_equal(
	    json_string_value(json_object_get(call.result, "fingerprint")), KEY_PRINT);
	assert_string_equal(json_string_value(json_object_get(call.result, "comment")), "a key");
	assert_int_equal(run("user key add", "{'name':'alice','line':'" KEY_LINE "'}"), SP_EEXISTS);
	assert_int_equal(
	    run("user key add", "{'name':'alice','line':'" OTHER_LINE "','comment':'a\\u0007'}"),
	    SP_EUSAGE);
	assert_int_equal(
	    run("user key add", "{'name':'alice','line':'" OTHER_LINE "','comment':'token'}"),
	    SP_OK);
	assert_int_equal(run("user key list", "{'name':'alice'}"), SP_OK);
	assert_int_equal(n_rows(), 2);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_int_equal(json_array_size(json_object_get(call.result, "ssh_keys")), 2);
	assert_true(json_is_null(json_object_get(call.result, "one_time_codes")));
	assert_int_equal(
	    run("user key remove", "{'name':'alice','fingerprint':'SHA256:x'}"), SP_ENOTFOUND);
	assert_int_equal(
	    run("user key remove", "{'name':'alice','fingerprint':'" KEY_PRINT "'}"), SP_OK);
	assert_int_equal(call.event, EVENT_SSH_KEY_REMOVED);
	assert_int_equal(
	    run("user key remove", "{'name':'alice','fingerprint':'" KEY_PRINT "'}"), SP_ENOTFOUND);
	/* the keys go with their user */
	assert_int_equal(run("user remove", "{'name':'alice'}"), SP_OK);
	assert_int_equal(run("user key list", "{'name':'alice'}"), SP_ENOUSER);
}

static void
ssh_methods(void **state)
{
	(void)state;
	assert_int_equal(run("user add", "{'name':'alice'}"), SP_OK);
	assert_int_equal(
	    run("user set", "{'name':'alice','auth-methods':'publickey,telepathy'}"), SP_EUSAGE);
	assert_int_equal(run("user set", "{'name':'alice','auth-methods':' '}"), SP_EUSAGE);
	assert_int_equal(
	    run("user set", "{'name':'alice','auth-methods':'publickey,keyboard-interactive "
			    "publickey,password'}"),
	    SP_OK);
	assert_int_equal(call.event, EVENT_USER_CHANGED);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_string_equal(json_string_value(json_object_get(call.result, "auth_methods")),
	    "publickey,keyboard-interactive publickey,password");
	assert_int_equal(run("user set", "{'name':'alice','auth-methods':'any'}"), SP_OK);
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_true(json_is_null(json_object_get(call.result, "auth_methods")));
}

static void
authorities(void **state)
{
	(void)state;
	assert_int_equal(run("org add", "{'name':'second'}"), SP_OK);
	assert_int_equal(run("ca add", "{'name':'a b','line':'" KEY_LINE "'}"), SP_ENAME);
	assert_int_equal(run("ca add", "{'name':'hr','line':'hr'}"), SP_ESYNTAX);
	assert_int_equal(run("ca add", "{'name':'hr','line':'" KEY_LINE "'}"), SP_OK);
	assert_int_equal(call.event, EVENT_CA_ADDED);
	assert_string_equal(call.org, "main");
	assert_int_equal(run("ca add", "{'name':'HR','line':'" OTHER_LINE "'}"), SP_EEXISTS);
	assert_int_equal(run("ca add", "{'name':'it','line':'" KEY_LINE "'}"), SP_EEXISTS);
	assert_int_equal(
	    run("ca add", "{'name':'hr','line':'" KEY_LINE "','org':'second'}"), SP_OK);
	assert_int_equal(run("ca list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 2);
	assert_int_equal(run("ca list", "{'org':'second'}"), SP_OK);
	assert_int_equal(n_rows(), 1);
	assert_string_equal(cell(0, "fingerprint"), KEY_PRINT);
	assert_string_equal(cell(0, "org"), "second");
	assert_int_equal(run("ca remove", "{'name':'hr','org':'second'}"), SP_OK);
	assert_int_equal(call.event, EVENT_CA_REMOVED);
	assert_int_equal(run("ca remove", "{'name':'hr','org':'second'}"), SP_ENOTFOUND);
	assert_int_equal(run("ca list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 1);
}

/* A seed is shredded with its second factor, and with its user. */
static void
one_time_codes(void **state)
{
	struct wrap_info info = {.state = WRAP_STAGED, .epoch = 1, .length = OTP_SEED_BYTES};
	struct otp o = {.org = 1, .content_len = 126};
	uint8_t kek[32] = {1}, key[32] = {2};
	int64_t one = 0;

	(void)state;
	for (uint8_t i = 0; i < 2; i++) {
		assert_int_equal(
		    run("user add", i == 0 ? "{'name':'alice'}" : "{'name':'bob'}"), SP_OK);
		o.user = json_integer_value(json_object_get(call.result, "id"));
		o.blob[0] = (uint8_t)(i + 1);
		assert_int_equal(key_wrap(kek, 1, o.blob, &info, key, o.wrap), SP_OK);
		assert_int_equal(otp_add(db, &o, 1800000000000000), SP_OK);
		assert_int_equal(otp_add(db, &o, 1800000000000000), SP_EEXISTS);
		assert_int_equal(otp_burn(db, o.user, 5), SP_OK);
		assert_int_equal(otp_burn(db, o.user, 5), SP_EAUTH);
		assert_int_equal(otp_burn(db, o.user, 4), SP_EAUTH);
		assert_int_equal(otp_burn(db, o.user, 6), SP_OK);
	}
	assert_int_equal(run("user show", "{'name':'alice'}"), SP_OK);
	assert_true(json_is_string(json_object_get(call.result, "one_time_codes")));
	assert_int_equal(run("user otp remove", "{'name':'alice'}"), SP_OK);
	assert_int_equal(call.event, EVENT_OTP_REMOVED);
	assert_true(call.shreds);
	assert_int_equal(run("user otp remove", "{'name':'alice'}"), SP_ENOTFOUND);
	assert_int_equal(run("user remove", "{'name':'bob'}"), SP_OK);
	assert_true(call.shreds);
	for (uint8_t i = 0; i < 2; i++) {
		o.blob[0] = (uint8_t)(i + 1);
		assert_int_equal(sql_get(db, SQL_BLOB_KNOWN, &one, SB(span_of(o.blob, 16))), 0);
		assert_int_equal(sql_get(db, SQL_CONTENT_LENGTH, &one, SB(span_of(o.blob, 16))), 0);
	}
}

static void
long_lists_come_in_pages(void **state)
{
	size_t seen = 0, pages = 0;
	char args[256] = "{}";

	(void)state;
	for (int i = 0; i < 450; i++) {
		(void)snprintf(args, sizeof(args), "{'name':'u%d'}", i);
		assert_int_equal(run("user add", args), SP_OK);
	}
	for (int by_name = 0; by_name < 2; by_name++) {
		const char *org = by_name ? "'org':'main'" : "";

		seen = pages = 0;
		(void)snprintf(args, sizeof(args), "{%s}", org);
		for (;;) {
			const char *next;

			assert_int_equal(run("user list", args), SP_OK);
			seen += n_rows();
			pages++;
			next = json_string_value(json_object_get(call.result, "next"));
			if (next == NULL)
				break;
			assert_true(n_rows() <= ADMIN_PAGE_ROWS);
			(void)snprintf(args, sizeof(args), "{%s%s'after':'%s'}", org,
			    by_name ? "," : "", next);
		}
		assert_int_equal(seen, 450);
		assert_true(pages >= 3);
	}
}

static void
several_organisations(void **state)
{
	(void)state;
	assert_int_equal(run("org add", "{'name':'second','quota':'5M'}"), SP_OK);
	assert_int_equal(run("org add", "{'name':'second'}"), SP_EEXISTS);
	assert_int_equal(run("org add", "{'name':'a b'}"), SP_ENAME);
	assert_int_equal(run("user add", "{'name':'gina'}"), SP_OK); /* into the first */
	assert_int_equal(run("user show", "{'name':'gina','org':'main'}"), SP_OK);
	assert_int_equal(run("user add", "{'name':'erin','org':'second'}"), SP_OK);
	assert_int_equal(run("user add", "{'name':'frank','org':'main'}"), SP_OK);
	assert_int_equal(run("user show", "{'name':'erin','org':'main'}"), SP_ENOUSER);
	assert_int_equal(run("user show", "{'name':'erin','org':'second'}"), SP_OK);
	assert_int_equal(run("group add", "{'name':'g','org':'main'}"), SP_OK);
	assert_int_equal(
	    run("group member-add", "{'name':'g','user':'erin','org':'main'}"), SP_ENOUSER);
	assert_int_equal(
	    run("acl set", "{'path':'/','user':'erin','rights':'read','org':'main'}"), SP_ENOUSER);
	assert_int_equal(run("org list", "{}"), SP_OK);
	assert_int_equal(n_rows(), 2);
	assert_int_equal(run("org show", "{'name':'second'}"), SP_OK);
	assert_int_equal(
	    json_integer_value(json_object_get(call.result, "quota")), 5 * 1024 * 1024);
	assert_int_equal(run("org set", "{'name':'second'}"), SP_EUSAGE);
	assert_int_equal(run("org set", "{'name':'second','quota':'none'}"), SP_OK);
	assert_int_equal(run("org show", "{'name':'second'}"), SP_OK);
	assert_true(json_is_null(json_object_get(call.result, "quota")));
	assert_int_equal(run("key status", "{}"), SP_OK);
	assert_int_equal(n_rows(), 2);
}

/* odd_call - all arguments of a verb are the same text, where it can be JSON at all. */
static void
odd_call(const struct admin_row *row, const char *text)
{
	struct span rest = span_str(row->args);
	json_t *args = json_object();

	while ((rest = span_trim(rest)).len != 0) {
		struct span word = span_cut(rest, span_find(rest, ' '));
		char key[64];

		rest = span_skip(rest, word.len);
		(void)snprintf(key, sizeof(key), "%.*s",
		    (int)(word.ptr[word.len - 1] == '?' ? word.len - 1 : word.len),
		    (const char *)word.ptr);
		(void)json_object_set_new(
		    args, key, json_string(text)); /* text that is not UTF-8 is left out */
	}
	admin_end(&call);
	call.args = args;
	assert_int_equal(admin_begin(&call), SP_OK);
	if (admin_check_args(row, args, call.why, sizeof(call.why)) == SP_OK) {
		assert_int_equal(db_mark(db), SP_OK);
		if (row->fn(&call) == SP_OK)
			assert_int_equal(db_keep(db), SP_OK);
		else
			db_undo(db);
	}
	json_decref(args);
	call.args = NULL;
}

/* Every verb with odd text in every argument: refused or done, never a crash, and the database
 * stays sound. */
static void
odd_arguments_do_no_harm(void **state)
{
	static const char *const odd[] = {"", "/", "//", "/.", "/..", "/Home", "/Home/alice",
	    "/\xff", "\xc3\xa9", "-1", "0", "1", "18446744073709551615", "9223372036854775807",
	    "1T", "9007199254740993K", ",", ",,", "read,", "all", "never", "0s", "99999999999d",
	    "2026-02-30", "%s%n", "'; DROP TABLE user; --", "alice", "main", "\x7f", "a\nb"};
	static const char *const verbs[] = {
#define ADMIN(verb, fn, kind, args) verb,
#include "rooms/broker/admin.def"
#undef ADMIN
	};
	char why[512];

	(void)state;
	assert_int_equal(run("user add", "{'name':'alice'}"), SP_OK);
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		const struct admin_row *row = admin_find(span_str(verbs[v]));

		for (size_t i = 0; i < ARRAY_LEN(odd) && row->fn != NULL; i++)
			odd_call(row, odd[i]);
	}
	assert_int_equal(db_check(db, why, sizeof(why)), SP_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(arguments_are_checked, setup, teardown),
	    cmocka_unit_test_setup_teardown(users_come_and_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(folders_and_rights, setup, teardown),
	    cmocka_unit_test_setup_teardown(tokens, setup, teardown),
	    cmocka_unit_test_setup_teardown(ssh_keys, setup, teardown),
	    cmocka_unit_test_setup_teardown(ssh_methods, setup, teardown),
	    cmocka_unit_test_setup_teardown(authorities, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_time_codes, setup, teardown),
	    cmocka_unit_test_setup_teardown(long_lists_come_in_pages, setup, teardown),
	    cmocka_unit_test_setup_teardown(several_organisations, setup, teardown),
	    cmocka_unit_test_setup_teardown(odd_arguments_do_no_harm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
