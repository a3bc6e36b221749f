/* ioc_test.c - indicators: lists, STIX patterns and bundles, and what they match. */
#include "cli/hunt/world_test.h"

static struct ioc *
load(const char *content, int want)
{
	struct ioc *c = NULL;
	char why[256];

	assert_err(ioc_new(&c), SP_OK);
	assert_err(ioc_load(c, "iocs.txt", span_str(content), why, sizeof(why)), want);
	return c;
}

static size_t
refused(const struct ioc *c)
{
	size_t shown;

	return ioc_not_understood(c, &shown);
}

static void
count(void *arg, uint32_t group, struct span what)
{
	(void)group;
	assert_int_not_equal(what.len, 0);
	(*(size_t *)arg)++;
}

/* How many indicators one entry hits. */
static size_t
hits(struct ioc *c, const char *event, const char *members)
{
	static struct hunt_entry e;
	struct world w = {.t_us = WORLD_BEGIN};
	char buf[4096];
	size_t n = world_json(&w, buf, sizeof(buf), event, members), found_hits = 0;

	assert_err(hunt_entry_read((uint8_t *)buf, n, &e), SP_OK);
	assert_err(ioc_match(c, &e, count, &found_hits), SP_OK);
	return found_hits;
}

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void
test_plain(void **state)
{
	struct ioc *c = load("# AA23-158A\r\n"
			     "5.252.188.0/22\r\n"
			     "2001:db8:1::/48\n"
			     "  203.0.113.7  \n"
			     "\n" SHA "\n"
			     "SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\n"
			     "human2.aspx\n"
			     "/in/payroll/\n"
			     "agent:evil client\n"
			     "user:Health.Check\n"
			     "address:300.1.1.1\n",
	    SP_OK);

	(void)state;
	assert_int_equal(ioc_count(c, IOC_ADDRESS), 3);
	assert_int_equal(refused(c), 1);
	assert_int_equal(hits(c, "login", "\"addr\":\"5.252.191.255:9\""), 1);
	assert_int_equal(hits(c, "login", "\"addr\":\"5.252.192.0:9\""), 0);
	assert_int_equal(hits(c, "login", "\"addr\":\"203.0.113.7:9\""), 1);
	assert_int_equal(hits(c, "login", "\"addr\":\"203.0.113.70:9\""), 0);
	assert_int_equal(hits(c, "login", "\"addr\":\"[2001:db8:1:ff::5]:9\""), 1);
	assert_int_equal(hits(c, "login", "\"addr\":\"[2001:db8:2::5]:9\""), 0);
	assert_int_equal(hits(c, "login.aggregate", "\"detail\":{\"address\":\"203.0.113.7\"}"), 1);
	assert_int_equal(hits(c, "file.created", "\"path\":\"/x/Human2.ASPX\""), 1);
	assert_int_equal(hits(c, "file.created", "\"path\":\"/x/human2.aspx.txt\""), 0);
	assert_int_equal(hits(c, "scanner", "\"detail\":{\"path\":\"/human2.aspx?a=/b\"}"), 1);
	assert_int_equal(
	    hits(c, "scanner", "\"detail\":{\"request\":\"GET /x/human2.aspx?a=b HTTP/1.1\"}"), 1);
	assert_int_equal(
	    hits(c, "scanner", "\"detail\":{\"request\":\"GET /human2.aspx HTTP/1.1\"}"), 1);
	assert_int_equal(hits(c, "scanner", "\"detail\":{\"request\":\"GET\"}"), 0);
	assert_int_equal(
	    hits(c, "address.banned", "\"detail\":{\"address\":\"203.0.113.7/32\"}"), 1);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/in/payroll\""), 1);
	assert_int_equal(hits(c, "login", "\"detail\":{\"agent\":\"Evil Client\"}"), 1);
	assert_int_equal(hits(c, "login", "\"user\":\"health.check\""), 1);
	assert_int_equal(
	    hits(c, "login",
		"\"detail\":{\"key\":\"SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"}"),
	    1);
	assert_int_equal(
	    hits(c, "login",
		"\"detail\":{\"key\":\"SHA256:ABCdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"}"),
	    0);
	ioc_free(c);
}

/* A file with an indicator's hash is found when it is stored, and whenever it is read. */
static void
test_hash_of_a_read(void **state)
{
	struct ioc *c =
	    load("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", SP_OK);

	(void)state;
	assert_int_equal(hits(c, "file.read", "\"path\":\"/a\",\"file\":3,\"version\":4"), 0);
	assert_int_equal(
	    hits(c, "file.created",
		"\"path\":\"/a\",\"detail\":{\"file\":\"3\",\"version\":\"4\",\"sha256\":\"" SHA
		"\"}"),
	    1);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/b\",\"file\":3,\"version\":4"), 1);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/a\",\"file\":3,\"version\":5"), 0);
	ioc_free(c);
}

static struct ioc *
pattern(const char *text)
{
	struct ioc *c = load("# none", SP_OK);

	assert_err(stix_pattern(c, span_str(text), SPAN_LIT("indicator--1")), SP_OK);
	return c;
}

static const struct {
	const char *text;
	size_t taken, refused; /* values; AND lists that are not used */
} patterns[] = {
    {"[ipv4-addr:value = '203.0.113.7']", 1, 0},
    {"[ipv4-addr:value='203.0.113.7']", 1, 0},
    {"[ipv4-addr:value ISSUBSET '203.0.113.0/24']", 1, 0},
    {"[ipv6-addr:value = '2001:db8::1']", 1, 0},
    {"[network-traffic:src_ref.value = '203.0.113.7']", 1, 0},
    {"[file:name = 'human2.aspx']", 1, 0},
    {"[file:hashes.'SHA-256' = '" SHA "']", 1, 0},
    {"[file:hashes.\"SHA-256\" = '" SHA "']", 1, 0},
    {"[file:hashes.SHA256 = '" SHA "']", 1, 0},
    {"[url:value = 'https://evil.example/human2.aspx?x=1']", 1, 0},
    {"[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = "
     "'evil/1.0']",
	1, 0},
    {"[user-account:account_login = 'Health Check Service']", 1, 0},
    {"[file:name = 'a' OR file:name = 'b' OR file:name = 'c']", 3, 0},
    {"[file:name IN ('a', 'b','c')]", 3, 0},
    {"[file:name = 'a'] OR [file:name = 'b']", 2, 0},
    {"[file:name = 'a' AND file:hashes.'SHA-256' = '" SHA "']", 2, 0},
    {"[file:name = 'a'] AND [ipv4-addr:value = '1.2.3.4']", 2, 0},
    {"[file:name = 'a'] FOLLOWEDBY [ipv4-addr:value = '1.2.3.4']", 2, 0},
    {"([file:name = 'a'] OR [file:name = 'b']) AND [ipv4-addr:value = '1.2.3.4']", 4, 0},
    {"[(file:name = 'a' OR file:name = 'b') AND ipv4-addr:value = '1.2.3.4']", 4, 0},
    {"[file:name = 'it\\'s' ]", 1, 0},
    /* in part */
    {"[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e' OR file:hashes.'SHA-256' = "
     "'" SHA "']",
	1, 1},
    {"[file:hashes.MD5 = 'x' OR file:hashes.'SHA-1' = 'y' OR file:name = 'a']", 1, 2},
    /* not at all */
    {"[file:name = 'a' AND file:hashes.MD5 = 'x']", 0, 1},
    {"[domain-name:value = 'evil.example']", 0, 1},
    {"[url:value = 'https://evil.example/']", 0, 1},
    {"[file:size = 1234]", 0, 1},
    {"[file:name LIKE 'a%']", 0, 1},
    {"[file:name MATCHES '^a']", 0, 1},
    {"[file:name != 'a']", 0, 1},
    {"[file:name NOT = 'a']", 0, 1},
    {"[file:name NOT IN ('a','b')]", 0, 2},
    {"[ipv4-addr:value = 'not an address']", 0, 1},
    {"[file:name = 'a'] WITHIN 5 SECONDS", 0, 1},
    {"[file:created = t'2023-05-27T00:00:00Z']", 0, 1},
    {"[file:name = 'a'", 0, 1},
    {"[file:name = 'a", 0, 1},
    {"[file:name = ]", 0, 1},
    {"[]", 0, 1},
    {"", 0, 1},
    {"file:name = 'a'", 0, 1},
    {"[file:name 'a']", 0, 1},
};

static void
test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct ioc *c = pattern(patterns[i].text);
		size_t n = 0;

		for (int type = 0; type < IOC_TYPES; type++)
			n += ioc_count(c, (enum ioc_type)type);
		if (n != patterns[i].taken || refused(c) != patterns[i].refused)
			fail_msg("%s: %zu values, %zu refused", patterns[i].text, n, refused(c));
		ioc_free(c);
	}
}

/* All of an AND list, in whatever order and entries. */
static void
test_and(void **state)
{
	struct ioc *c = pattern("[file:name = 'a.txt' AND ipv4-addr:value = '203.0.113.7']");

	(void)state;
	assert_int_equal(
	    hits(c, "file.created", "\"path\":\"/x/a.txt\",\"addr\":\"198.51.100.1:9\""), 0);
	assert_int_equal(hits(c, "login", "\"addr\":\"203.0.113.8:9\""), 0);
	assert_int_equal(hits(c, "login", "\"addr\":\"203.0.113.7:9\""), 1);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/y/a.txt\""), 1);
	ioc_free(c);
	c = pattern("[file:name = 'a.txt' OR ipv4-addr:value = '203.0.113.7']");
	assert_int_equal(
	    hits(c, "file.created", "\"path\":\"/x/a.txt\",\"addr\":\"198.51.100.1:9\""), 1);
	ioc_free(c);
}

static void
test_bundle(void **state)
{
	struct ioc *c = load(
	    " {\"type\": \"bundle\", \"id\": \"bundle--1\", \"objects\": [\n"
	    "{\"type\": \"identity\", \"name\": \"x\"},\n"
	    "{\"type\": \"indicator\", \"id\": \"indicator--1\", \"pattern_type\": \"stix\", "
	    "\"pattern\": \"[ipv4-addr:value = '203.0.113.7']\"},\n"
	    "{\"type\": \"indicator\", \"id\": \"indicator--2\", \"pattern_type\": \"yara\", "
	    "\"pattern\": \"rule x {}\"},\n"
	    "{\"type\": \"indicator\", \"id\": \"indicator--3\", \"pattern_type\": \"stix\", "
	    "\"revoked\": true, \"pattern\": \"[file:name = 'a']\"},\n"
	    "{\"type\": \"indicator\", \"id\": \"indicator--4\", \"pattern_type\": \"stix\"},\n"
	    "{\"type\": \"indicator\", \"id\": \"indicator--5\", \"pattern\": \"[file:name = "
	    "'\\u0062']\"}\n"
	    "]}\n",
	    SP_OK);
	const char *file;
	struct span what, why;

	(void)state;
	assert_int_equal(refused(c), 3);
	ioc_refused(c, 0, &file, &what, &why);
	assert_string_equal(file, "iocs.txt");
	assert_span(what, "indicator--2");
	assert_int_equal(hits(c, "login", "\"addr\":\"203.0.113.7:9\""), 1);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/a\""), 0);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/b\""), 1);
	ioc_free(c);
	ioc_free(load("{\"type\":\"report\"}", SP_ESYNTAX));
	ioc_free(load("{\"type\":\"bundle\"}", SP_ESYNTAX));
	ioc_free(load("{\"type\":\"bundle\",\"objects\":{}}", SP_ESYNTAX));
	ioc_free(load("{\"type\":\"bundle\",\"objects\":[", SP_ESYNTAX));
	ioc_free(load("{\"type\":\"bundle\",\"objects\":[1,}", SP_ESYNTAX));
	ioc_free(load("{\"type\":\"bundle\",\"objects\":[]}", SP_OK));
}

/* What an enemy's feed would send: deep, long, endless. */
static void
test_hostile(void **state)
{
	static char text[400000];
	struct text t;
	struct ioc *c;

	(void)state;
	memset(text, '(', sizeof(text) - 1); /* deep: a pattern */
	c = pattern(text);
	assert_int_equal(refused(c), 1);
	ioc_free(c);
	memset(text, '[', sizeof(text) - 1); /* deep: a bundle */
	memcpy(text, "{\"type\":\"bundle\",\"objects\":", 27);
	ioc_free(load(text, SP_ESYNTAX));
	/* 20 times 20 times 20 ... alternatives */
	t = text_of(text, sizeof(text));
	for (unsigned i = 0; i < 8; i++) {
		text_str(&t, i != 0 ? " AND (" : "[(");
		for (unsigned k = 0; k < 20; k++)
			text_str(&t, k != 0 ? " OR file:name = 'a'" : "file:name = 'a'");
		text_str(&t, ")");
	}
	text_str(&t, "]");
	c = pattern(text);
	assert_int_equal(refused(c), 1);
	assert_int_equal(ioc_count(c, IOC_NAME), 0);
	ioc_free(c);
	/* the same name many times: all are found, none twice in an entry */
	c = load("a\na\na\n", SP_OK);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/a\""), 3);
	ioc_free(c);
	c = load("", SP_OK);
	assert_int_equal(hits(c, "file.read", "\"path\":\"/a\""), 0);
	ioc_free(c);
}

static void
test_detector(void **state)
{
	struct ioc *c = load("203.0.113.66\n", SP_OK);
	struct world w = world_new(c);
	struct finding f;

	(void)state;
	workdays(&w, 3, 3);
	say(&w, "login", ELSEWHERE PROOF);
	say(&w, "file.read", ELSEWHERE ",\"path\":\"/in/a\",\"size\":77");
	assert_int_equal(found(&w, DETECT_ioc, &f), 1);
	assert_int_equal(f.count, 2);
	assert_int_equal(f.files, 1);
	assert_int_equal(f.bytes, 77);
	assert_string_equal(f.user, "alice");
	assert_false(f.others);
	assert_non_null(strstr(f.what, "203.0.113.66 (iocs.txt, line 1)"));
	ioc_free(c);

	c = load("203.0.113.66\n", SP_OK);
	w = world_new(c);
	say(&w, "key.seal", "\"addr\":\"203.0.113.66:1\"");
	say(&w, "login", ELSEWHERE PROOF);
	say(&w, "login", "\"addr\":\"203.0.113.66:1\",\"user\":\"bob\"" PROOF);
	assert_int_equal(found(&w, DETECT_ioc, &f), 1);
	assert_string_equal(f.user, "alice"); /* the first who has a name */
	assert_true(f.others);
	ioc_free(c);

	c = load("203.0.113.67\n", SP_OK);
	w = world_new(c);
	say(&w, "login", ELSEWHERE PROOF);
	assert_int_equal(found(&w, DETECT_ioc, NULL), 0);
	ioc_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_hash_of_a_read),
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_and),
	    cmocka_unit_test(test_bundle),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_detector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
