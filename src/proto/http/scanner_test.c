#include "base/test.h"

#include <stdio.h>

#include "base/text.h"
#include "proto/http/scanner.h"

/* A request as it would come: target, one more header, body; returns what it is found to be. */
static const char *
found(
    const char *method, const char *target, const char *header, const char *body, struct span file)
{
	static char id[PROBE_ID_MAX + 1];
	static struct probe_request r;
	static struct http_head h;
	static char text[8192];
	struct probe p;
	int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", method,
	    target, header, header[0] != '\0' ? "\r\n" : "");

	assert_int_equal(http_head_parse(span_of(text, (size_t)n), &h), SP_OK);
	probe_request_of(&r, &h, span_str(body));
	if (!probe_scan(&r, file, &p))
		return "";
	(void)snprintf(id, sizeof(id), "%.*s", (int)p.id.len, (const char *)p.id.ptr);
	return id;
}
#define NONE span_of(NULL, 0)

static const struct {
	const char *method, *target, *header, *body, *id;
} published[] = {
    /* as in attacks.md and the modules that it names */
    {"POST", "/moveitisapi/moveitisapi.dll?action=m2", "X-siLock-Transaction: session_setvars", "",
	"moveit-m2"},
    {"GET", "/x", "X-siLock-Test: abcdX-SILOCK-Transaction: folder_add_by_path", "",
	"moveit-smuggled"},
    {"GET", "/x", "X-siLock-SessVar0: MyPkgID: 0", "", "moveit-sessvar"},
    {"POST", "/guestaccess.aspx", "", "transaction=secmsgpost&Arg06=1", "moveit-guest"},
    {"GET", "/human2.aspx", "X-siLock-Step1: -1", "", "moveit-human2"},
    {"POST", "/goanywhere/lic/accept", "", "bundle=x", "goanywhere-licence"},
    {"GET", "/goanywhere/images/..;/wizard/InitialAccountSetup.xhtml", "", "", "goanywhere-setup"},
    {"GET", "/goanywhere/", "", "", "goanywhere"},
    {"POST", "/WebInterface/function/", "",
	"command=zip&path=%3CINCLUDE%3Eusers/MainUsers/groups.XML%3C/INCLUDE%3E",
	"crushftp-function"},
    {"GET", "/WebInterface/function/?command=getUserList&c2f=1111",
	"Authorization: AWS4-HMAC-SHA256 Credential=crushadmin/", "", "crushftp-function"},
    {"POST", "/x", "", "a=<INCLUDE>/etc/x</INCLUDE>", "crushftp-include-b"},
    {"POST", "/Synchronization", "VLSync: Multipart;l=0", "", "cleo-sync"},
    {"POST", "/x", "", "VLSync: ReceivedReceipt;service=\"AS2\"", "cleo-vlsync-body"},
    {"GET", "/?InternalDir=/./../../../&InternalFile=passwd", "", "", "servu-dir"},
    {"GET", "/documentum/upload.aspx?uploadid=x", "", "", "sharefile-upload"},
    {"GET", "/courier/document_root.html", "", "", "accellion-root"},
    {"POST", "/loginok.html", "", "username=anonymous%00]]%0dlocal", "wing-login"},
    {"POST", "/x", "", "username=anonymous%00]]", "wing-nul"},
    {"GET", "/storage/t.dn?s=x", "", "", "gladinet"},
    {"GET", "/OA_HTML/SyncServlet", "", "", "oracle-ebs"},
    {"GET", "/?x=${jndi:ldap://a}", "", "", "jndi-query"},
    {"GET", "/", "X-Api-Version: ${jndi:ldap://a}", "", "jndi-header"},
    {"GET", "/", "User-Agent: () { :; }; id", "", "shellshock"},
    {"GET", "/a/../../etc/passwd", "", "", "traversal"},
    {"GET", "/a/%2e%2e/%2E%2e/x", "", "", "traversal"},
    {"GET", "/a/%252e%252e/x", "", "", "traversal-twice"},
    {"GET", "/index?f=..%5c..%5cwin.ini", "", "", "traversal-back-q"},
    {"GET", "/x?id=1+UNION+SELECT+1", "", "", "union"},
    {"GET", "/x?id=1%20UNION%20ALL%20SELECT%201", "", "", "union-all"},
    {"GET", "/.env", "", "", "dot-env"},
    {"GET", "https://x/.env", "", "", "dot-env"},
    {"GET", "/old/.git/config", "", "", "dot-git"},
    {"GET", "/WP-LOGIN.PHP", "", "", "wordpress-login"},
    {"GET", "/uploads/c99.php", "", "", "php"},
    {"GET", "/cmd.jsp", "", "", "jsp"},
    {"GET", "/", "User-Agent: sqlmap/1.7", "", "sqlmap"},
};

static void
published_attacks_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(published); i++)
		assert_string_equal(found(published[i].method, published[i].target,
					published[i].header, published[i].body, NONE),
		    published[i].id);
}

/* What browsers, clients of the API and the curious ask for. */
static void
clients_are_not(void **state)
{
	static const char *const targets[] = {"/", "/favicon.ico", "/robots.txt", "/index.html",
	    "/api/v1/info", "/api/v1/folders?perPage=100&sortField=name", "/api/v1/users",
	    "/api/v2/files", "/.well-known/security.txt", "/.well-known/acme-challenge/x",
	    "/apple-touch-icon.png", "/login", "/files/report%20of%20may.pdf", "/human.aspx",
	    "/api/v1/folders/1?name=a+b&x=100%25"};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_LEN(targets); i++)
		if (strcmp(targets[i], "/human.aspx") != 0) /* an aspx page: the old server's */
			assert_string_equal(
			    found("GET", targets[i], "User-Agent: Mozilla/5.0 (X11)", "a=b", NONE),
			    "");
	assert_string_equal(found("GET", "/human.aspx", "", "", NONE), "aspx");
}

/* Every row is found by what it says, and is within the limits that a file's rows have. */
static void
every_row_matches_itself(void **state)
{
	char row[1024], why[128];
	struct probe p;
	size_t n = 0;

	(void)state;
	for (; probe_at(n, &p); n++) {
		static struct probe_request r;
		struct http_head h = {0};
		struct span text = p.pattern;
		char target[PROBE_PATTERN_MAX + 16];

		text = span_skip(text, text.ptr[0] == '^');
		text = span_cut(text, text.len - (text.ptr[text.len - 1] == '$'));
		if (p.kind == PROBE_HEADER) {
			size_t colon = span_find(text, ':');

			h.fields[0].name = span_cut(text, colon);
			h.fields[0].value = span_trim(span_skip(text, colon + 1));
			h.n_fields = 1;
			text = span_of(NULL, 0);
		}
		(void)snprintf(target, sizeof(target), "%s%.*s", p.kind == PROBE_PATH ? "" : "/?",
		    p.kind == PROBE_BODY ? 0 : (int)text.len, (const char *)text.ptr);
		h.target = span_str(target);
		probe_request_of(&r, &h, p.kind == PROBE_BODY ? text : span_of(NULL, 0));
		assert_true(probe_matches(&p, &r));
		/* and nothing else of the request does */
		h.target = SPAN_LIT("/");
		probe_request_of(&r, &h, span_of(NULL, 0));
		assert_true(p.kind == PROBE_HEADER || !probe_matches(&p, &r));
		/* as a row of a file, under another id */
		(void)snprintf(row, sizeof(row), "PROBE(\"x\", path, \"%.*s\", %u, \"%.*s\")",
		    (int)p.pattern.len, (const char *)p.pattern.ptr, p.score, (int)p.text.len,
		    (const char *)p.text.ptr);
		assert_int_equal(probe_file_check(span_str(row), why, sizeof(why)), SP_OK);
		assert_true(probe_id_valid(p.id));
	}
	assert_true(n > 90);
}

static void
no_id_twice(void **state)
{
	struct probe p, q;

	(void)state;
	for (size_t i = 0; probe_at(i, &p); i++) {
		assert_true(probe_find(p.id, &q));
		assert_ptr_equal(p.id.ptr, q.id.ptr);
	}
}

static void
anchors(void **state)
{
	struct span file = SPAN_LIT("PROBE(\"first\", path, \"^/abc\", 10, \"t\")\n"
				    "PROBE(\"last\", path, \"xyz$\", 10, \"t\")\n"
				    "PROBE(\"both\", path, \"^/whole$\", 20, \"t\")\n"
				    "PROBE(\"any\", header, \"X-A: v1\", 10, \"t\")\n");

	(void)state;
	assert_string_equal(found("GET", "/abcd", "", "", file), "first");
	assert_string_equal(found("GET", "/d/abc", "", "", file), "");
	assert_string_equal(found("GET", "/d/xyz", "", "", file), "last");
	assert_string_equal(found("GET", "/d/xyz/", "", "", file), "");
	assert_string_equal(found("GET", "/whole", "", "", file), "both");
	assert_string_equal(found("GET", "/whole/x", "", "", file), "");
	assert_string_equal(found("GET", "/wh", "", "", file), "");
	assert_string_equal(found("GET", "/", "x-a: my V1!", "", file), "any");
	assert_string_equal(found("GET", "/", "x-ab: v1", "", file), "");
}

static void
a_file_says_where_it_is_wrong(void **state)
{
	static const struct {
		const char *file, *why;
	} bad[] = {
	    {"PROBE(\"a\", path, \"/ab\", 1, \"t\")\nPROBE(\"a\", path, \"/cd\", 1, \"t\")\n",
		"line 2: there is a row"},
	    {"# x\n\nPROBE(\"php\", path, \"/ab\", 1, \"t\")", "line 3: there is a row"},
	    {"PROBE(\"a\", path, \"/ab\", 0, \"t\")", "line 1: a score is"},
	    {"PROBE(\"a\", path, \"/ab\", 1001, \"t\")", "line 1: a score is"},
	    {"PROBE(\"a\", path, \"/a\", 1, \"t\")", "line 1: a pattern has"},
	    {"PROBE(\"A\", path, \"/ab\", 1, \"t\")", "line 1: an id is"},
	    {"PROBE(\"a\", header, \"abc\", 1, \"t\")", "line 1: a pattern of a header"},
	    {"PROBE(\"a\", cookie, \"abc\", 1, \"t\")", "line 1: this is not"},
	    {"PROBE(\"a\", path, \"abc\", 1, \"t\") x", "line 1: this is not"},
	    {"PROBE(\"a\", path, \"abc, 1, t)", "line 1: this is not"},
	    {"PROBE(\"a\", path, \"abc\", -1, \"t\")", "line 1: this is not"},
	    {"nonsense", "line 1: this is not"},
	};
	char why[160];

	(void)state;
	assert_int_equal(probe_file_check(SPAN_LIT("\r\n# nothing\r\n"), why, sizeof(why)), SP_OK);
	assert_int_equal(
	    probe_file_check(
		SPAN_LIT("  PROBE( \"a\" ,path, \"/ab\" , 7 , \"t\" )\r\n"), why, sizeof(why)),
	    SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_err(probe_file_check(span_str(bad[i].file), why, sizeof(why)), SP_ECONFIG);
		why[strlen(bad[i].why)] = '\0';
		assert_string_equal(why, bad[i].why);
	}
}

/* The heaviest row counts, of the table or the file. */
static void
the_heaviest_counts(void **state)
{
	struct span file = SPAN_LIT("PROBE(\"mine\", path, \"/shell.php\", 70, \"t\")\n");

	(void)state;
	assert_string_equal(found("GET", "/shell.php", "", "", file), "mine");
	assert_string_equal(found("GET", "/other.php", "", "", file), "php");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_attacks_are_seen),
	    cmocka_unit_test(clients_are_not),
	    cmocka_unit_test(every_row_matches_itself),
	    cmocka_unit_test(no_id_twice),
	    cmocka_unit_test(anchors),
	    cmocka_unit_test(a_file_says_where_it_is_wrong),
	    cmocka_unit_test(the_heaviest_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
