/* safe_test.c - strangers' text: nothing that a terminal or a page would act on. */
#include "base/test.h"
#include "cli/safe.h"

static void
test_text(void **state)
{
	static const struct {
		const char *in, *out, *html;
	} rows[] = {
	    {"plain", "plain", "plain"},
	    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
	    {"\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"},
	    {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f", "a\\x0ab\\x09c\\x7f"},
	    {"\xc2\x85", "\\xc2\\x85", "\\xc2\\x85"}, /* C1 */
	    {"\xff\xfe", "\\xff\\xfe", "\\xff\\xfe"}, /* no UTF-8 */
	    {"\xe2\x80", "\\xe2\\x80", "\\xe2\\x80"}, /* cut */
	    {"a\xe2\x80\xaetxt.exe", "a\\u{202e}txt.exe", "a\\u{202e}txt.exe"},
	    {"a\xe2\x80\x8b"
	     "b\xef\xbb\xbf",
		"a\\u{200b}b\\u{feff}", "a\\u{200b}b\\u{feff}"},
	    {"\xf3\xa0\x81\x81", "\\u{e0041}", "\\u{e0041}"},
	    {"<a href=\"x\">&'", "<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text t = text_of(buf, sizeof(buf));

		safe_text(&t, span_str(rows[i].in));
		assert_string_equal(buf, rows[i].out);
		t = text_of(buf, sizeof(buf));
		safe_html(&t, span_str(rows[i].in));
		assert_string_equal(buf, rows[i].html);
	}
}

static void
test_step(void **state)
{
	char buf[SAFE_FORM_MAX];
	struct text t = text_of(buf, sizeof(buf));
	bool as_it_is = true;

	(void)state;
	assert_int_equal(safe_next(span_of(NULL, 0), 0, &t, &as_it_is), 0);
	assert_int_equal(safe_next(SPAN_LIT("a"), 'a', &t, &as_it_is), 1);
	assert_false(as_it_is);
	assert_string_equal(buf, "\\x61");
	t = text_of(buf, sizeof(buf));
	assert_int_equal(safe_next(SPAN_LIT("\xf0\x9f\x98\x80"), 0, &t, &as_it_is), 4);
	assert_true(as_it_is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
