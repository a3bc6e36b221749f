#include "base/test.h"
#include "base/name.h"
#include "base/defer.h"

static void
names(void **state)
{
	static const char *good[] = {"a", "...", ".hidden", "a b", "r\xc3\xa9sum\xc3\xa9.pdf",
	    "\xf0\x9f\x98\x80", "a\\b", "CON", "x:y", "\xe2\x80\x8b", "-rf", "%2e%2e"};
	static const char *bad[] = {"", ".", "..", "a/b", "/", "a\nb", "\x7f", "\xc2\x85",
	    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x81\xa6",
	    "\xe2\x81\xa9", "\xef\xbf\xbf", "\xef\xbf\xbe", "\xef\xb7\x90", "\xf0\x9f\xbf\xbe",
	    "\xed\xa0\x80", "\xc0\xaf", "\xc0\xae\xc0\xae", "a\xff", "\t", "\x1b[2J"};
	char longest[NAME_MAX_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(name_check(span_str(good[i])), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(name_check(span_str(bad[i])), SP_ENAME);
	assert_err(name_check(span_of("a\0b", 3)), SP_ENAME);
	memset(longest, 'x', sizeof longest);
	assert_int_equal(name_check(span_of(longest, NAME_MAX_BYTES)), 0);
	assert_err(name_check(span_of(longest, NAME_MAX_BYTES + 1)), SP_ENAME);
}

static void
a_path_is_walked_name_by_name(void **state)
{
	struct span p = SPAN_LIT("//Home/alice///x.bin/"), n;

	(void)state;
	assert_int_equal(path_next(&p, &n), 1);
	assert_span(n, "Home");
	assert_int_equal(path_next(&p, &n), 1);
	assert_span(n, "alice");
	assert_int_equal(path_next(&p, &n), 1);
	assert_span(n, "x.bin");
	assert_int_equal(path_next(&p, &n), 0);
	assert_int_equal(path_next(&p, &n), 0);
}

static void
paths(void **state)
{
	static const char *good[] = {"/", "/a", "/a/b/", "//", "/a//b"};
	static const char *bad[] = {"", "a", "a/b", "/a/../b", "/..", "/.", "/a/./b", "/a\n"};
	char deep[2 * (PATH_MAX_DEPTH + 1)], longest[PATH_MAX_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(path_check(span_str(good[i])), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(path_check(span_str(bad[i])), SP_ENAME);
	for (size_t i = 0; i < sizeof deep; i++)
		deep[i] = i % 2 == 0 ? '/' : 'd';
	assert_int_equal(path_check(span_of(deep, 2 * PATH_MAX_DEPTH)), 0);
	assert_err(path_check(span_of(deep, sizeof deep)), SP_EDEPTH);
	memset(longest, '/', sizeof longest);
	assert_int_equal(path_check(span_of(longest, PATH_MAX_BYTES)), 0);
	assert_err(path_check(span_of(longest, sizeof longest)), SP_EDEPTH);
}

static void
accounts(void **state)
{
	static const char *good[] = {"a", "alice", "bob@example.com", "0", "A.b_c-d+e"};
	static const char *bad[] = {
	    "", "-x", ".x", "@", "a b", "a/b", "\xc3\xbc", "a\n", "a:b", "a'b"};
	char longest[65];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(account_check(span_str(good[i])), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(account_check(span_str(bad[i])), SP_ENAME);
	assert_err(account_check(span_of("a\0", 2)), SP_ENAME);
	memset(longest, 'x', sizeof longest);
	assert_int_equal(account_check(span_of(longest, 64)), 0);
	assert_err(account_check(span_of(longest, 65)), SP_ENAME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names),
	    cmocka_unit_test(a_path_is_walked_name_by_name), cmocka_unit_test(paths),
	    cmocka_unit_test(accounts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
