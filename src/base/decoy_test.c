/* decoy_test.c - lines of the list of decoys, there and back, and whatever is none. */
#include "base/test.h"
#include "base/decoy.h"

static void
lines_round_trip(void **state)
{
	struct decoy in[] = {
	    {.kind = DECOY_FILE,
		.planted_us = 1795670517123000,
		.org = SPAN_LIT("acme"),
		.name = SPAN_LIT("/in/2026 salaries.xlsx"),
		.blob = {1, 2, 255}},
	    {.kind = DECOY_USER, .org = SPAN_LIT("acme"), .name = SPAN_LIT("svc-archive")},
	    {.kind = DECOY_TOKEN,
		.org = SPAN_LIT("other org"),
		.name = SPAN_LIT("bob"),
		.token = 17},
	};
	char buf[3 * DECOY_LINE_MAX];
	struct text t = text_of(buf, sizeof(buf));
	struct span list;
	struct decoy got = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		assert_err(decoy_put(&t, &in[i]), SP_OK);
	list = text_span(&t);
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		assert_int_equal(decoy_next(&list, &got), 1);
		assert_int_equal(got.kind, in[i].kind);
		assert_int_equal(got.planted_us, in[i].planted_us);
		assert_true(span_eq(got.org, in[i].org) && span_eq(got.name, in[i].name));
		assert_memory_equal(got.blob, in[i].blob, sizeof(got.blob));
		assert_int_equal(got.token, in[i].token);
	}
	assert_int_equal(decoy_next(&list, &got), 0);
}

#define TIME "\t2026-11-26T05:21:57.000Z\t"
#define HEX "00112233445566778899aabbccddeeff"

static void
other_lines_are_refused(void **state)
{
	static const char *const bad[] = {"\n", "file", "file" TIME "o\t/a\t" HEX,
	    "file" TIME "o\t/a\t" HEX "0\n", "file" TIME "o\t/a\t-\n",
	    "user" TIME "o\ta\t" HEX "\n", "user" TIME "o\ta\n", "user" TIME "o\ta\t-\t\n",
	    "user" TIME "\ta\t-\n", "user" TIME "o\t\t-\n", "dog" TIME "o\ta\t-\n",
	    "user\tyesterday\to\ta\t-\n", "token" TIME "o\ta\t-1\n", "user" TIME "o\ta\001\t-\n",
	    "user" TIME "o\t\xff\t-\n"};
	struct decoy d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct span list = span_str(bad[i]), before = list;

		assert_err(decoy_next(&list, &d), SP_ESYNTAX);
		assert_ptr_equal(list.ptr, before.ptr);
	}
}

static void
names_that_would_break_a_line_are_not_written(void **state)
{
	static char longer[DECOY_NAME_MAX + 2];
	struct span bad[] = {SPAN_LIT(""), SPAN_LIT("a\tb"), SPAN_LIT("a\nb"), SPAN_LIT("\x7f")};
	char buf[DECOY_LINE_MAX];

	(void)state;
	memset(longer, 'a', DECOY_NAME_MAX + 1);
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		struct text t = text_of(buf, sizeof(buf));
		struct decoy d = {.kind = DECOY_USER,
		    .org = SPAN_LIT("o"),
		    .name = i < ARRAY_LEN(bad) ? bad[i] : span_str(longer)};

		assert_err(decoy_put(&t, &d), SP_ERANGE);
		assert_int_equal(t.len, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_round_trip),
	    cmocka_unit_test(other_lines_are_refused),
	    cmocka_unit_test(names_that_would_break_a_line_are_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
