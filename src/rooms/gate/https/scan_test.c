/* Who is reported as a scanner: never for a route of ours, whatever its names; and the reply is the
 * same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "rooms/gate/https/door_fix.h"
#include "rooms/gate/https/router.h"
#include "rooms/gate/https/scan.h"

static const struct span no_file = {(const uint8_t *)"", 0};

/* ---- judging ---- */

static struct scan
judge(const char *method, const char *target, const char *header, unsigned listener, int err)
{
	static char text[8192];
	struct conn c = {.listener = listener, .probes = &no_file, .in = (uint8_t *)text};
	int n = snprintf(
	    text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target, header);

	assert_int_equal(http_head_parse(span_of(text, (size_t)n), &c.head), SP_OK);
	c.parsed = true;
	c.head_len = c.at = c.have = (size_t)n;
	return scan_judge(&c, err);
}

/* names that users may give to files and folders, percent-encoded where they must be */
static const char *const names[] = {"shell.php", "human2.aspx", "guestaccess.aspx", "moveitisapi",
    ".env", ".git", "wp-login.php", "cmd.jsp", "passwd", "web.config", "..%5cwin.ini",
    "%24%7Bjndi%3Aldap%7D", "Synchronization", "InitialAccountSetup.xhtml", "..;", "etc%2Fpasswd",
    "%252e%252e", "loginok.html", "a.action", "union%20select"};

/* A pattern with every {part} filled in. */
static void
fill(const char *pattern, const char *name, char *out, size_t cap)
{
	struct text t = text_of(out, cap);

	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p != '{') {
			text_chr(&t, *p);
			continue;
		}
		text_fmt(&t, "%s", name);
		if (strstr(p, "...}") != NULL && strstr(p, "...}") < strchr(p, '}') + 1)
			text_fmt(&t, "/etc/passwd/%s", name);
		p = strchr(p, '}');
	}
	assert_false(t.bad);
}

static const struct {
	const char *method, *pattern;
	unsigned listener;
} routes[] = {
#define ROUTE(method, pattern, listener, auth, handler, summary)                                   \
	{method, pattern, LISTENER_##listener},
#include "rooms/gate/https/routes.def"
#undef ROUTE
};

static void
test_no_route_is_ever_held_against_anybody(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"};
	char target[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		for (size_t n = 0; n < ARRAY_LEN(names); n++)
			for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
				fill(routes[i].pattern, names[n], target, sizeof(target));
				struct scan s = judge(methods[m], target,
				    "User-Agent: ${jndi:x}\r\nX-siLock-Comment: x\r\n",
				    routes[i].listener, SP_ENOROUTE);
				assert_int_equal(s.kind, 0);
			}
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *method, *target, *header;
		int err;
		uint8_t kind;
		const char *probe;
	} rows[] = {
	    {"GET", "/human2.aspx", "", SP_ENOROUTE, CONTACT_PROBE, "moveit-human2"},
	    {"GET", "/api/v1/human2.aspx", "", SP_ENOROUTE, CONTACT_PROBE, "moveit-human2"},
	    {"GET", "/nothing/here", "", SP_ENOROUTE, CONTACT_UNKNOWN_PATH, ""},
	    {"GET", "/", "", SP_ENOROUTE, 0, ""},
	    {"GET", "/favicon.ico", "", SP_ENOROUTE, 0, ""},
	    {"GET", "/api/v1/packages", "", SP_ENOROUTE, 0, ""},
	    {"GET", "/.well-known/acme-challenge/x", "", SP_ENOROUTE, 0, ""},
	    /* refused for how it is written, and a probe all the same */
	    {"GET", "/x?a=${jndi:ldap://x}", "", SP_ESYNTAX, CONTACT_PROBE, "jndi-query"},
	    {"GET", "/api/v1/files", "Content-Length: x\r\n", SP_ESYNTAX, CONTACT_BAD_REQUEST, ""},
	    /* a page that makes its visitors' browsers ask */
	    {"GET", "/human2.aspx", "Sec-Fetch-Site: cross-site\r\n", SP_ENOROUTE,
		CONTACT_CROSS_SITE, ""},
	    {"GET", "/human2.aspx", "Sec-Fetch-Site: none\r\n", SP_ENOROUTE, CONTACT_PROBE,
		"moveit-human2"},
	    {"GET", "/", "Sec-Fetch-Site: cross-site\r\n", SP_ENOROUTE, 0, ""},
	    {"GET", "/x", "", SP_EAUTH, 0, ""},
	    {"GET", "/x", "", SP_ETIMEOUT, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scan s = judge(
		    rows[i].method, rows[i].target, rows[i].header, LISTENER_PUBLIC, rows[i].err);

		assert_int_equal(s.kind, rows[i].kind);
		assert_int_equal(s.probe.len, strlen(rows[i].probe));
		assert_memory_equal(s.probe.ptr, rows[i].probe, s.probe.len);
	}
}

/* ---- the whole connection ---- */

static void
say_done(struct fix *f)
{
	const struct ipc_done m = {0};

	assert_int_equal(chan_send_done(&f->broker, &m, -1), SP_OK);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nUser-Agent: probe\r\n\r\n"

/* The reply but for its date and for the address, which is the client's own. */
static void
reply_of(const char *request, bool report, char *ret, size_t cap)
{
	struct fix f;
	struct text t = text_of(ret, cap);
	char *date, *own;

	fix_init(&f, span_str(request), 9999);
	if (report) {
		f.conn.probes = &no_file;
		say_done(&f);
	}
	run(&f);
	date = strstr((char *)f.tls.out, "Date: ");
	assert_non_null(date);
	memset(date, '-', 35);
	own = strstr((char *)f.tls.out, "\"instance\":\"");
	assert_non_null(own);
	*own = '\0';
	text_str(&t, out(&f));
	assert_false(t.bad);
	fix_done(&f);
}

static void
test_the_reply_tells_nothing(void **state)
{
	char probe[4096], unknown[4096], off[4096];

	(void)state;
	reply_of(GET("/human2.aspx"), true, probe, sizeof(probe));
	reply_of(GET("/nothing.html"), true, unknown, sizeof(unknown));
	reply_of(GET("/nothing.html"), false, off, sizeof(off));
	/* of addresses that are equally long, so is the reply */
	reply_of(GET("/human2.aspy"), true, off, sizeof(off));
	assert_string_equal(probe, off);
	assert_non_null(strstr(unknown, "404 Not Found"));
}

static void
test_what_is_said(void **state)
{
	static uint8_t buf[IPC_MAX];
	struct ipc_contact m;
	struct chan_msg msg;
	struct fix f;

	(void)state;
	fix_init(&f, SPAN_LIT(GET("/moveitisapi/moveitisapi.dll?action=m2")), 9999);
	f.conn.probes = &no_file;
	say_done(&f);
	run(&f);
	msg = asked(&f, buf);
	assert_int_equal(msg.id, IPC_CONTACT);
	assert_int_equal(ipc_get_contact(msg.body, &m), SP_OK);
	assert_int_equal(m.kind, CONTACT_PROBE);
	assert_true(span_eq_str(m.probe, "moveit-m2"));
	assert_true(span_eq_str(m.request, "/moveitisapi/moveitisapi.dll?action=m2"));
	assert_true(span_eq_str(m.agent, "probe"));
	fix_done(&f);
}

/* CONTACTS_MAX times, then the worker is silent; the client is answered all the same. */
static void
test_so_often(void **state)
{
	static uint8_t buf[IPC_MAX];
	static char in[(CONTACTS_MAX + 5) * 128];
	struct text t = text_of(in, sizeof(in));
	struct fix f;
	struct chan_msg m;
	size_t replies = 0;

	(void)state;
	for (int i = 0; i < CONTACTS_MAX + 5; i++)
		text_str(&t, GET("/.env"));
	fix_init(&f, text_span(&t), 9999);
	f.conn.probes = &no_file;
	for (int i = 0; i < CONTACTS_MAX; i++)
		say_done(&f);
	run(&f);
	for (int i = 0; i < CONTACTS_MAX; i++)
		assert_int_equal(asked(&f, buf).id, IPC_CONTACT);
	assert_int_equal(chan_recv(&f.broker, PH_ANY, false, buf, IPC_MAX, &m), 0);
	for (const char *p = out(&f); (p = strstr(p, "404 Not Found")) != NULL; p++)
		replies++;
	assert_int_equal(replies, CONTACTS_MAX + 5);
	fix_done(&f);
}

/* After a login nobody is reported: the account answers for its user. */
static void
test_not_after_a_login(void **state)
{
	static uint8_t buf[IPC_MAX];
	struct chan_msg m;
	struct fix f;

	(void)state;
	fix_init(&f, SPAN_LIT(GET("/.env")), 9999);
	f.conn.probes = &no_file;
	f.conn.token_len = 5;
	run(&f);
	assert_int_equal(chan_recv(&f.broker, PH_ANY, false, buf, IPC_MAX, &m), 0);
	fix_done(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_route_is_ever_held_against_anybody),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_the_reply_tells_nothing),
	    cmocka_unit_test(test_what_is_said),
	    cmocka_unit_test(test_so_often),
	    cmocka_unit_test(test_not_after_a_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
