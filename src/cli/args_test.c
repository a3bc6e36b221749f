/* args_test.c - every row of commands.def parses its own usage; wrong arguments are refused with a
 * sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "cli/args.h"

static char why[512];

static int
parse(struct cli *c, const char *usage, int argc, const char **argv)
{
	static struct cli_command row;

	row = (struct cli_command){.words = "x", .usage = usage};
	*c = (struct cli){.command = &row};
	why[0] = '\0';
	return args_parse(c, argc, (char **)(uintptr_t)argv, why, sizeof(why));
}

#define PARSE(c, usage, ...)                                                                       \
	parse((c), (usage), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),         \
	    (const char *[]){__VA_ARGS__})

static const char *
value(const struct cli *c, const char *name)
{
	for (size_t i = 0; i < c->n_values; i++)
		if (span_eq_str(c->values[i].name, name))
			return c->values[i].value;
	return NULL;
}

static void
usage_is_walked(void **state)
{
	static const struct {
		const char *name, *meta;
		bool option, required;
	} want[] = {{"NAME", "", false, true}, {"--rights", "LIST", true, true},
	    {"--user", "WHO", true, false}, {"--group", "WHO", true, false},
	    {"--flag", "", true, false}, {"REST", "", false, false}};
	struct span rest =
	    span_str("NAME --rights LIST [--user WHO | --group WHO] [--flag] [REST]");
	struct args_item item;
	unsigned depth = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(args_next(&rest, &depth, &item));
		assert_true(span_eq_str(item.name, want[i].name));
		assert_true(span_eq_str(item.meta, want[i].meta));
		assert_int_equal(item.option, want[i].option);
		assert_int_equal(item.required, want[i].required);
	}
	assert_false(args_next(&rest, &depth, &item));
	assert_int_equal(depth, 0);
}

static void
arguments_fit(void **state)
{
	struct cli c;

	(void)state;
	assert_int_equal(
	    PARSE(&c, "NAME [--org NAME2] [--json-too]", "alice", "--org", "acme"), SP_OK);
	assert_string_equal(value(&c, "NAME"), "alice");
	assert_string_equal(value(&c, "--org"), "acme");
	assert_null(value(&c, "--json-too"));
	assert_int_equal(PARSE(&c, "NAME [--org NAME2]", "--org=acme", "--", "--alice"), SP_OK);
	assert_string_equal(value(&c, "NAME"), "--alice");
	assert_string_equal(value(&c, "--org"), "acme");
	assert_int_equal(PARSE(&c, "NAME [--org NAME2]", "-", "--org="), SP_OK);
	assert_string_equal(value(&c, "NAME"), "-");
	assert_string_equal(value(&c, "--org"), "");
	assert_int_equal(PARSE(&c, "[--key a|b]", "--key", "b"), SP_OK);
}

static void
wrong_arguments_are_refused(void **state)
{
	struct cli c;

	(void)state;
	assert_int_equal(PARSE(&c, "NAME", "--"), SP_EUSAGE);
	assert_string_equal(why, "NAME is missing");
	assert_int_equal(PARSE(&c, "NAME", "a", "b"), SP_EUSAGE);
	assert_string_equal(why, "too many arguments: b");
	assert_int_equal(PARSE(&c, "[--org NAME]", "--org"), SP_EUSAGE);
	assert_string_equal(why, "--org needs a value");
	assert_int_equal(PARSE(&c, "[--flag]", "--flag=1"), SP_EUSAGE);
	assert_string_equal(why, "--flag takes no value");
	assert_int_equal(PARSE(&c, "[--flag]", "--flag", "--flag"), SP_EUSAGE);
	assert_string_equal(why, "--flag is given twice");
	assert_int_equal(PARSE(&c, "[--ioc FILE...]", "--ioc", "a", "--ioc=b"), SP_OK);
	assert_int_equal(c.n_values, 2);
	assert_string_equal(c.values[1].value, "b");
	assert_int_equal(PARSE(&c, "[--flag]", "-f"), SP_EUSAGE);
	assert_string_equal(why, "unknown option -f");
	assert_int_equal(PARSE(&c, "[--flag]", "--fla"), SP_EUSAGE);
	assert_int_equal(PARSE(&c, "[--key a|b]", "--key", "a|b"), SP_EUSAGE);
	assert_int_equal(PARSE(&c, "[--key a|b]", "--key", ""), SP_EUSAGE);
	assert_int_equal(PARSE(&c, "PATH --rights LIST", "/x"), SP_EUSAGE);
	assert_string_equal(why, "--rights is missing");
}

/* Each row: brackets are balanced, names differ, no more than there is room for. */
static void
rows_are_sound(void **state)
{
	static const char *const usages[] = {
#define CLI(words, fn, usage, text) usage,
#include "cli/commands.def"
#undef CLI
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
		struct span rest = span_str(usages[i]), seen[CLI_ARGS_MAX];
		struct args_item item;
		unsigned depth = 0;
		size_t n = 0;

		while (args_next(&rest, &depth, &item)) {
			for (size_t k = 0; k < n; k++)
				assert_false(span_eq(seen[k], item.name));
			assert_true(n < CLI_ARGS_MAX);
			assert_true(item.name.len > 0);
			seen[n++] = item.name;
		}
		assert_int_equal(depth, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(usage_is_walked),
	    cmocka_unit_test(arguments_fit),
	    cmocka_unit_test(wrong_arguments_are_refused),
	    cmocka_unit_test(rows_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
