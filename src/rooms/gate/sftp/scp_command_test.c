/* Commands as clients send them, and everything that is none. */
#include "base/test.h"
#include "rooms/gate/sftp/scp_command.h"

static struct scp_command c;

static void
test_wanted(void **state)
{
	static const struct {
		const char *command, *flags, *path; /* flags: t f r p d, and * ~ of the path */
	} rows[] = {
	    {"scp -t .", "t", "."},
	    {"scp -f x", "f", "x"},
	    {"scp -r -p -d -t -- -x", "trpd", "-x"},
	    {"scp -v -r -t /in/", "tr", "/in/"},
	    {"scp -qrpt 'my file'", "trp", "my file"},
	    {"scp -f '/a'\"'\"'b'", "f", "/a'b"},
	    {"scp -t a\\ b", "t", "a b"},
	    {"scp -t \"a\\\"b \\\\ \\x\"", "t", "a\"b \\ \\x"},
	    {"scp -f ~/x", "f~", "x"},
	    {"scp -f ~", "f~", ""},
	    {"scp -f *.txt", "f*", "*.txt"},
	    {"scp -f '*.txt'", "f", "*.txt"},
	    {"scp -f in/a?c", "f*", "in/a?c"},
	    {"scp  -f  x ", "f", "x"},
	    {"scp -f \xc3\xa4", "f", "\xc3\xa4"},
	    {"scp -f a{b}!", "f", "a{b}!"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *f = rows[i].flags;

		if (scp_parse(span_str(rows[i].command), &c) != SP_OK)
			fail_msg("%s", rows[i].command);
		assert_true(scp_wanted(span_str(rows[i].command)));
		assert_int_equal(c.n_paths, 1);
		assert_span(c.paths[0].text, rows[i].path);
		assert_int_equal(c.takes, strchr(f, 't') != NULL);
		assert_int_equal(c.recursive, strchr(f, 'r') != NULL);
		assert_int_equal(c.preserves, strchr(f, 'p') != NULL);
		assert_int_equal(c.folder, strchr(f, 'd') != NULL);
		assert_int_equal(c.paths[0].is_pattern, strchr(f, '*') != NULL);
		assert_int_equal(c.paths[0].is_home, strchr(f, '~') != NULL);
	}
	assert_int_equal(scp_parse(SPAN_LIT("scp -f a 'b c' d"), &c), SP_OK);
	assert_int_equal(c.n_paths, 3);
	assert_span(c.paths[1].text, "b c");
}

static void
test_refused(void **state)
{
	static const char *const rows[] = {"", "scp", "scp -t", "scp -f", "scp -t -f x", "scp x",
	    "scp -t a b", "scp -x -t a", "scpx -t a", "/usr/bin/scp -t a", "scp -t 'a",
	    "scp -t \"a", "scp -t a\\", "scp -t a;id", "scp -t `id`", "scp -t $(id)",
	    "scp -t $HOME", "scp -t \"$HOME\"", "scp -t \"`id`\"", "scp -t a|b", "scp -t a&",
	    "scp -t a>b", "scp -t a\nid", "scp -t ~bob/x", "scp -t ''", "scp -S prog -t x",
	    "sftp-server", "sh -c 'scp -t x'", "ls", "scp -t a#b", "scp -t (a)",
	    "scp -oProxyCommand=x -t a", "rsync --server"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (scp_wanted(span_str(rows[i])))
			fail_msg("%s", rows[i]);
	assert_false(scp_wanted(SPAN_LIT("scp -t a\0b")));
	assert_false(scp_wanted(SPAN_LIT("scp -t 'a\0b'")));
}

static void
test_limits(void **state)
{
	static char s[SCP_COMMAND_MAX + 1];

	(void)state;
	memset(s, 'x', sizeof(s));
	memcpy(s, "scp -t ", 7);
	assert_true(scp_wanted(span_of(s, SCP_COMMAND_MAX)));
	assert_false(scp_wanted(span_of(s, SCP_COMMAND_MAX + 1)));
	memset(s, 'x', sizeof(s));
	memcpy(s, "scp -f ", 7);
	for (size_t i = 8; i < 400; i += 2)
		s[i] = ' ';
	assert_true(scp_wanted(span_of(s, 7 + 2 * SCP_PATHS_MAX - 1)));
	assert_false(scp_wanted(span_of(s, 7 + 2 * SCP_PATHS_MAX + 1)));
}

static void
test_lines(void **state)
{
	static const char *const bad[] = {"C", "C0644", "C0644 1", "C0644 1 ", "C644 1 x",
	    "C00644 1 x", "C0648 1 x", "C0644 -1 x", "C0644 01 x", "C0644 9223372036854775808 x",
	    "C0644  1 x"};
	static const char *const names[] = {
	    "C0644 1 .", "C0644 1 ..", "C0644 1 a/b", "D0755 0 /", "C0644 1 a\x01", "C0644 1 \xff"};
	struct scp_entry e;
	uint64_t t = 0;

	(void)state;
	assert_int_equal(scp_entry_parse(SPAN_LIT("C0644 9223372036854775807 a b"), &e), SP_OK);
	assert_false(e.is_folder);
	assert_true(e.size == INT64_MAX);
	assert_span(e.name, "a b");
	assert_int_equal(scp_entry_parse(SPAN_LIT("D0755 0 d"), &e), SP_OK);
	assert_true(e.is_folder);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (scp_entry_parse(span_str(bad[i]), &e) == SP_OK)
			fail_msg("%s", bad[i]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_err(scp_entry_parse(span_str(names[i]), &e), SP_ENAME);
	assert_int_equal(scp_times_parse(SPAN_LIT("T1700000000 0 1 999999"), &t), SP_OK);
	assert_int_equal(t, 1700000000);
	assert_err(scp_times_parse(SPAN_LIT("T1 0 1"), &t), SP_ESYNTAX);
	assert_err(scp_times_parse(SPAN_LIT("T1 0 1 0 0"), &t), SP_ESYNTAX);
	assert_err(scp_times_parse(SPAN_LIT("T4294967296 0 1 0"), &t), SP_ESYNTAX);
	assert_err(scp_times_parse(SPAN_LIT("T"), &t), SP_ESYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wanted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
