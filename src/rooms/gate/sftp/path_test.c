/* Paths as clients write them. */
#include "base/test.h"
#include "rooms/gate/sftp/path.h"

static void
test_resolve(void **state)
{
	static const struct {
		const char *base, *in, *want;
	} rows[] = {
	    {"/Home/alice", "", "/Home/alice"},
	    {"/Home/alice", ".", "/Home/alice"},
	    {"/Home/alice", "x", "/Home/alice/x"},
	    {"/Home/alice", "./x//y/", "/Home/alice/x/y"},
	    {"/Home/alice", "..", "/Home"},
	    {"/Home/alice", "../..", "/"},
	    {"/Home/alice", "../../../../etc/passwd", "/etc/passwd"},
	    {"/Home/alice", "/", "/"},
	    {"/Home/alice", "//", "/"},
	    {"/Home/alice", "/..", "/"},
	    {"/Home/alice", "/a/b/../c", "/a/c"},
	    {"/Home/alice", "/a/./b/..", "/a"},
	    {"/Home/alice", "/a/..b/...", "/a/..b/..."},
	    {"/Home/alice", "x/../../bob", "/Home/bob"},
	    {"/", "x", "/x"},
	    {"/", "..", "/"},
	    {"/", "a b\\*", "/a b\\*"},
	};
	struct path p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    path_resolve(span_str(rows[i].base), span_str(rows[i].in), &p), SP_OK);
		assert_string_equal(p.text, rows[i].want);
		assert_int_equal(p.len, strlen(p.text));
	}
	assert_err(path_resolve(SPAN_LIT("/"), SPAN_LIT("a\0b"), &p), SP_ENAME);
}

/* A folder in its own place: the base may be what is made. */
static void
test_in_place(void **state)
{
	struct path p = {.len = 2, .text = "/a"};

	(void)state;
	assert_int_equal(path_resolve(path_span(&p), SPAN_LIT("b"), &p), SP_OK);
	assert_string_equal(p.text, "/a/b");
}

static void
test_lengths(void **state)
{
	static char in[3 * PATH_MAX_BYTES];
	struct path p = {.len = 1, .text = "/"};

	(void)state;
	memset(in, 'n', sizeof(in));
	in[0] = '/';
	assert_int_equal(path_resolve(SPAN_LIT("/"), span_of(in, PATH_MAX_BYTES), &p), SP_OK);
	assert_int_equal(p.len, PATH_MAX_BYTES);
	assert_err(path_resolve(SPAN_LIT("/"), span_of(in, PATH_MAX_BYTES + 1), &p), SP_EDEPTH);
	assert_int_equal(p.len, PATH_MAX_BYTES); /* as it was */
	/* long on the wire and short in truth */
	for (size_t i = 0; i + 3 <= sizeof(in); i += 3)
		memcpy(in + i, "/..", 3);
	assert_int_equal(path_resolve(SPAN_LIT("/"), span_of(in, sizeof(in) / 3 * 3), &p), SP_OK);
	assert_string_equal(p.text, "/");
	p = (struct path){.len = 1, .text = "/"};
	memset(in, 'n', sizeof(in));
	assert_int_equal(path_join(&p, span_of(in, PATH_MAX_BYTES - 1)), SP_OK);
	assert_err(path_join(&p, SPAN_LIT("x")), SP_EDEPTH);
	assert_int_equal(p.len, PATH_MAX_BYTES);
}

static void
test_name(void **state)
{
	struct path p = {.len = 4, .text = "/a/b"}, root = {.len = 1, .text = "/"};

	(void)state;
	assert_span(path_name(&p), "b");
	assert_span(path_name(&root), "");
}

static void
test_matches(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool does;
	} rows[] = {{"*", "", true}, {"*", "abc", true}, {"a*c", "abc", true}, {"a*c", "ac", true},
	    {"a*c", "abd", false}, {"*.txt", "x.txt", true}, {"*.txt", "x.txt.gz", false},
	    {"?", "", false}, {"?", "a", true}, {"?", "ab", false}, {"a?*", "a", false},
	    {"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"", "", true},
	    {"", "a", false}, {"abc", "abc", true}, {"abc", "ab", false}, {"**", "a", true},
	    {"*ab", "aab", true}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (path_matches(span_str(rows[i].pattern), span_str(rows[i].name)) != rows[i].does)
			fail_msg("%s %s", rows[i].pattern, rows[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_in_place),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
