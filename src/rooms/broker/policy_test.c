/* policy_test.c - who may do what, by table; names and masks. */
#include "base/test.h"
#include "rooms/broker/policy.h"

/* The tree of every case:  / -> a -> b -> c,  / -> Home -> u (of user 1) -> p.  User 1 is in groups
 * 1 and 2; user 2 in none. */
enum node { ROOT, A, B, C, HOME, U, P, NODES };
static const struct {
	enum node parent;
	const char *name;
	int64_t owner;
} tree[NODES] = {
    [A] = {ROOT, "a", 0},
    [B] = {A, "b", 0},
    [C] = {B, "c", 0},
    [HOME] = {ROOT, "Home", 0},
    [U] = {HOME, "u", 1},
    [P] = {U, "p", 0},
};

#define LW (RIGHT_LIST | RIGHT_WRITE)
#define OWN (RIGHT_ALL & ~RIGHT_ADMIN)

struct acl_row {
	enum node at;
	enum subject_kind kind;
	int64_t subject;
	uint16_t rights;
	bool override;
};
struct rule {
	const char *says;
	struct acl_row acl[4]; /* rights 0 and no override: unused */
	enum node closed[2];   /* do not inherit; ROOT: none */
	uint8_t level, listener;
	uint16_t scopes; /* 0: all */
	enum node at;
	uint16_t rights;  /* of user 1 there */
	bool hides, seen; /* hides: no right, and not seen either; seen: no right, but on the way */
};

static const struct rule rules[] = {
    {"nothing granted", .at = A, .hides = true},
    {"an entry counts where it is", .acl = {{A, SUBJECT_USER, 1, RIGHT_READ, false}}, .at = A,
	.rights = RIGHT_READ},
    {"and below", .acl = {{A, SUBJECT_USER, 1, RIGHT_READ, false}}, .at = C, .rights = RIGHT_READ},
    {"not above, where it shows the way", .acl = {{B, SUBJECT_USER, 1, RIGHT_READ, false}}, .at = A,
	.seen = true},
    {"the root is on the way", .acl = {{C, SUBJECT_USER, 1, RIGHT_READ, false}}, .at = ROOT,
	.seen = true},
    {"not beside", .acl = {{B, SUBJECT_USER, 1, RIGHT_READ, false}}, .at = HOME,
	.seen = true /* own home */},
    {"somebody else's entry", .acl = {{A, SUBJECT_USER, 2, RIGHT_ALL, false}}, .at = A,
	.hides = true},
    {"a group's number is no user's", .acl = {{A, SUBJECT_GROUP, 3, RIGHT_ALL, false}}, .at = A,
	.hides = true},
    {"groups add up",
	.acl = {{A, SUBJECT_GROUP, 1, RIGHT_READ, false}, {B, SUBJECT_GROUP, 2, LW, false}},
	.at = C, .rights = RIGHT_READ | LW},
    {"user and group add up",
	.acl = {{A, SUBJECT_GROUP, 1, RIGHT_READ, false}, {A, SUBJECT_USER, 1, LW, false}}, .at = A,
	.rights = RIGHT_READ | LW},
    {"a closed folder inherits nothing", .acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}},
	.closed = {B}, .at = B, .hides = true},
    {"nor does what is in it", .acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}}, .closed = {B},
	.at = C, .hides = true},
    {"its own entries count",
	.acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}, {B, SUBJECT_USER, 1, RIGHT_LIST, false}},
	.closed = {B}, .at = C, .rights = RIGHT_LIST},
    {"the way leads through closed folders", .acl = {{C, SUBJECT_USER, 1, RIGHT_READ, false}},
	.closed = {B, C}, .at = B, .seen = true},
    {"a user's override hides what is inherited",
	.acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}, {B, SUBJECT_USER, 1, RIGHT_READ, true}},
	.at = B, .rights = RIGHT_READ},
    {"also through groups",
	.acl = {{A, SUBJECT_GROUP, 1, RIGHT_ALL, false}, {B, SUBJECT_USER, 1, RIGHT_READ, true}},
	.at = C, .rights = RIGHT_READ},
    {"but not a group's entry of the same folder",
	.acl = {{B, SUBJECT_GROUP, 1, RIGHT_WRITE, false}, {B, SUBJECT_USER, 1, RIGHT_READ, true}},
	.at = B, .rights = RIGHT_READ | RIGHT_WRITE},
    {"and not what is granted below it",
	.acl = {{B, SUBJECT_USER, 1, RIGHT_READ, true}, {C, SUBJECT_GROUP, 1, RIGHT_WRITE, false}},
	.at = C, .rights = RIGHT_READ | RIGHT_WRITE},
    {"a group's override hides the group's",
	.acl = {{A, SUBJECT_GROUP, 1, RIGHT_ALL, false}, {B, SUBJECT_GROUP, 1, RIGHT_READ, true}},
	.at = C, .rights = RIGHT_READ},
    {"not another's",
	.acl = {{A, SUBJECT_GROUP, 2, RIGHT_WRITE, false}, {B, SUBJECT_GROUP, 1, RIGHT_READ, true}},
	.at = C, .rights = RIGHT_READ | RIGHT_WRITE},
    {"an override with nothing takes all away",
	.acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}, {B, SUBJECT_USER, 1, 0, true}}, .at = B,
	.hides = true},
    {"the own home", .at = U, .rights = OWN},
    {"and below it", .at = P, .rights = OWN},
    {"not in what is closed there", .closed = {P}, .at = P, .hides = true},
    {"a home is not what is above it", .at = HOME, .seen = true},
    {"an administrator behind the administration listener", .level = LEVEL_ADMIN, .listener = 1,
	.at = C, .rights = RIGHT_ALL},
    {"also in closed folders", .level = LEVEL_ADMIN, .listener = 1, .closed = {C}, .at = C,
	.rights = RIGHT_ALL},
    {"not in front of it", .level = LEVEL_ADMIN, .listener = 0, .at = C, .hides = true},
    {"a file administrator gives no rights", .level = LEVEL_FILE_ADMIN, .listener = 1, .at = C,
	.rights = OWN},
    {"a system administrator reads nothing", .level = LEVEL_SYSADMIN, .listener = 1, .at = C,
	.hides = true},
    {"unless it was granted", .acl = {{A, SUBJECT_USER, 1, RIGHT_READ, false}},
	.level = LEVEL_SYSADMIN, .listener = 1, .at = C, .rights = RIGHT_READ},
    {"a token's scopes cut", .acl = {{A, SUBJECT_USER, 1, RIGHT_ALL, false}},
	.scopes = RIGHT_READ | RIGHT_LIST, .at = C, .rights = RIGHT_READ | RIGHT_LIST},
    {"an administrator's too", .level = LEVEL_ADMIN, .listener = 1, .scopes = RIGHT_LIST, .at = C,
	.rights = RIGHT_LIST},
    {"and the own home's", .scopes = RIGHT_READ, .at = U, .rights = RIGHT_READ},
};

static void
plant(struct db *db, int64_t ids[NODES])
{
	int64_t id = 0;

	assert_int_equal(sql_get(db, SQL_FOLDER_ROOT, &ids[ROOT], SI(1)), 1);
	assert_int_equal(
	    sql_get(db, SQL_FOLDER_CHILD, &ids[HOME], SI(ids[ROOT]), ST(SPAN_LIT("Home"))), 1);
	for (int i = 1; i < NODES; i++) {
		if (i == HOME)
			continue;
		assert_int_equal(sql_run(db, SQL_FOLDER_ADD, SI(1), SI(ids[tree[i].parent]),
				     ST(span_str(tree[i].name)), SI(1), SI(FOLDER_NORMAL), SI(0),
				     SI(tree[i].owner), SI(1)),
		    SP_OK);
		ids[i] = db_last_id(db);
	}
	for (int i = 1; i <= 3; i++) {
		char name[2] = {(char)('0' + i), '\0'};

		assert_int_equal(
		    sql_run(db, SQL_GROUP_ADD, SI(1), ST(span_str(name)), ST(SPAN_LIT("")), SI(1)),
		    SP_OK);
		id = db_last_id(db);
		assert_int_equal(id, i);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    sql_run(db, SQL_USER_ADD, SI(1), ST(i == 0 ? SPAN_LIT("one") : SPAN_LIT("two")),
			ST(SPAN_LIT("")), ST(SPAN_LIT("")), SI(2), SI(0), ST(SPAN_LIT("")), SI(1)),
		    SP_OK);
	assert_int_equal(sql_run(db, SQL_MEMBER_ADD, SI(1), SI(1)), SP_OK);
	assert_int_equal(sql_run(db, SQL_MEMBER_ADD, SI(2), SI(1)), SP_OK);
}

static void
apply(struct db *db, const struct rule *r, const int64_t ids[NODES])
{
	for (size_t i = 0; i < ARRAY_LEN(r->acl); i++) {
		const struct acl_row *a = &r->acl[i];

		if (a->rights != 0 || a->override)
			assert_int_equal(sql_run(db, SQL_ACL_SET, SI(ids[a->at]), SI(a->kind),
					     SI(a->subject), SI(a->rights), SI(a->override)),
			    SP_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(r->closed); i++)
		if (r->closed[i] != ROOT)
			assert_int_equal(
			    sql_run(db, SQL_FOLDER_SET_INHERIT, SI(ids[r->closed[i]]), SI(0)),
			    SP_OK);
}

static void
test_rules(void **state)
{
	struct db *db = NULL;
	int64_t ids[NODES];

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	assert_int_equal(db_init(db, 65536, SPAN_LIT("Acme"), 1), SP_OK);
	plant(db, ids);
	assert_int_equal(db_commit(db), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *r = &rules[i];
		struct actor who = {.user = 1,
		    .org = 1,
		    .level = r->level != 0 ? r->level : LEVEL_USER,
		    .listener = r->listener,
		    .scopes = r->scopes != 0 ? r->scopes : RIGHT_ALL};
		struct access a = {0};
		uint16_t rights = 0xffff;
		int seen;

		apply(db, r, ids);
		assert_int_equal(access_load(db, &who, &a), SP_OK);
		assert_int_equal(access_rights(db, &a, ids[r->at], &rights), SP_OK);
		seen = access_sees(&a, ids[r->at], rights);
		if (rights != r->rights || seen != !r->hides || (r->seen && rights != 0))
			fail_msg("%s: rights %u, seen %d", r->says, (unsigned)rights, seen);
		/* of another organisation nothing is there, whatever the entries say */
		who.org = 2;
		assert_int_equal(access_load(db, &who, &a), SP_OK);
		assert_int_equal(access_rights(db, &a, ids[r->at], &rights), SP_OK);
		assert_int_equal(rights, 0);
		access_done(&a);
		db_rollback(db);
	}
	db_close(db);
}

static void
test_names(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
	    {"a", "a"},
	    {"q3 report.txt", "q3 report.txt"},
	    {"cafe\xcc\x81", "caf\xc3\xa9"},			      /* composed */
	    {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"}, /* Hangul */
	    {"\xef\xac\x81", "\xef\xac\x81"}, /* the fi ligature stays: NFC, not NFKC */
	    {"...", "..."},
	};
	static const char *const bad[] = {"", ".", "..", "a/b", "a\nb", "\x7f", "\xc2\x85", "\xff",
	    "\xed\xa0\x80", "a\xe2\x80\xaez"};
	char buf[256], longest[1024];
	struct span out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(name_normal(span_str(good[i].in), buf, sizeof(buf), &out), SP_OK);
		assert_span(out, good[i].out);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(name_normal(span_str(bad[i]), buf, sizeof(buf), &out), SP_ENAME);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(name_normal(span_of(longest, 255), buf, sizeof(buf), &out), SP_OK);
	assert_int_equal(out.len, 255);
	assert_err(name_normal(span_of(longest, 256), buf, sizeof(buf), &out), SP_ENAME);
	/* characters that take more room when normalised: U+0958 becomes two code points */
	for (size_t i = 0; i + 3 <= 255; i += 3)
		memcpy(longest + i, "\xe0\xa5\x98", 3);
	assert_err(name_normal(span_of(longest, 255), buf, sizeof(buf), &out), SP_ENAME);
	assert_int_equal(name_normal(span_of(longest, 120), buf, sizeof(buf), &out), SP_OK);
	assert_int_equal(out.len, 240);
}

static void
test_masks(void **state)
{
	static const struct {
		const char *mask, *name;
		bool hit;
	} cases[] = {
	    {"", "x", true},
	    {"*", "x", true},
	    {"*.txt", "A.TXT", true},
	    {"*.txt", "a.txt2", false},
	    {"a?c", "abc", true},
	    {"a?c", "ac", false},
	    {"100%", "100%", true},
	    {"100%", "1000", false},
	    {"a_c", "abc", false},
	    {"a_c", "a_c", true},
	    {"a\\*", "a\\b", true},
	    {"**a**", "bab", true},
	    {"[ab]", "a", false},
	    {"[ab]", "[AB]", true},
	    {"*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		false},
	};
	struct db *db = NULL;
	char buf[600];
	struct span like;

	(void)state;
	assert_int_equal(db_open(":memory:", true, &db), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t hit = 0;

		assert_int_equal(
		    mask_like(span_str(cases[i].mask), buf, sizeof(buf), &like), SP_OK);
		assert_int_equal(
		    sql_get(db, SQL_NAME_LIKE, &hit, ST(span_str(cases[i].name)), ST(like)), 1);
		if ((hit != 0) != cases[i].hit)
			fail_msg("%s and %s", cases[i].mask, cases[i].name);
	}
	assert_err(mask_like(SPAN_LIT("%%%%"), buf, 7, &like), SP_ETOOBIG);
	db_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
