#include "base/test.h"
#include "base/limits.h"
#include "base/text.h"

static void
fails_with(const char *file, const char *sentence)
{
	struct limits l;
	char why[160] = "";

	memset(&l, 0x5a, sizeof(l));
	assert_err(limits_parse(span_str(file), &l, why, sizeof(why)), SP_ECONFIG);
	assert_string_equal(why, sentence);
	assert_int_equal(((uint8_t *)&l)[0], 0x5a); /* untouched */
}

static void
defaults_hold(void **state)
{
	struct limits l, m;
	char why[160];

	(void)state;
	limits_defaults(&l);
	/* a new partner: 50,000 files or 2 TiB in its first hour */
	assert_true(l.of[PRINCIPAL_USER].files_floor == 10000);
	assert_true(l.of[PRINCIPAL_USER].bytes_floor == INT64_C(2) << 40);
	assert_true(l.of[PRINCIPAL_HELPER].bytes_day == INT64_C(4) << 50);
	assert_true(l.raise_confirm == 0 && l.raise_max == 7 * 86400);
	assert_int_equal(limits_parse(SPAN_LIT(""), &m, why, sizeof(why)), SP_OK);
	assert_memory_equal(&l, &m, sizeof(l));
}

/* No kind may begin above its own ceiling, nor a day end before its hour. */
static void
defaults_make_sense(void **state)
{
	struct limits l;

	(void)state;
	limits_defaults(&l);
	for (size_t i = 0; i < PRINCIPAL_KINDS; i++) {
		const struct limit_set *s = &l.of[i];

		assert_true(s->files_floor <= s->files_hour && s->files_hour <= s->files_day);
		assert_true(s->bytes_floor <= s->bytes_hour && s->bytes_hour <= s->bytes_day);
	}
	assert_string_equal(principal_word(PRINCIPAL_USER), "user");
	assert_string_equal(principal_word(PRINCIPAL_HELPER), "helper");
	assert_true(principal_freezes(PRINCIPAL_USER) && principal_freezes(PRINCIPAL_ADDRESS));
	assert_false(principal_freezes(PRINCIPAL_ORG) || principal_freezes(PRINCIPAL_SERVER));
}

static void
a_file_is_read(void **state)
{
	struct limits l;
	char why[160];

	(void)state;
	assert_int_equal(limits_parse(SPAN_LIT("# ours\nUserFilesPerHour 10\nuserbytesperday 3P\n"
					       "RaiseConfirm yes\nFreezeOverruns 0\n"),
			     &l, why, sizeof(why)),
	    SP_OK);
	assert_true(l.of[PRINCIPAL_USER].files_hour == 10);
	assert_true(l.of[PRINCIPAL_USER].bytes_day == INT64_C(3) << 50);
	assert_true(l.of[PRINCIPAL_ORG].files_hour == 10000000);
	assert_true(l.raise_confirm == 1 && l.freeze_overruns == 0);
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	fails_with("UserFilesPerHour 0\n", "line 1: UserFilesPerHour: 0 is under 1");
	fails_with("Name x\n", "line 1: Name: there is no such setting");
	fails_with("RaiseMax 5s\n", "line 1: RaiseMax: 5s is under 60");
	fails_with("\nOrgBytesPerDay much\n",
	    "line 2: OrgBytesPerDay: this is not a number of bytes (with K, M, G, T or P)");
	fails_with("RaiseConfirm no\nRaiseConfirm no\n", "line 2: RaiseConfirm: this is set twice");
}

/* What is printed is what is parsed. */
static void
prints_and_parses_back(void **state)
{
	const struct conf_table *t = limits_table();
	char file[8192], line[200], why[160];
	struct text w = text_of(file, sizeof(file));
	struct limits l, m;

	(void)state;
	assert_int_equal(
	    limits_parse(SPAN_LIT("NetworkFloorBytes 123456789\nRaiseMax 90m\n"), &l, why, sizeof(why)),
	    SP_OK);
	for (size_t i = 0; i < t->n; i++) {
		conf_table_print(t, &l, i, line, sizeof(line));
		text_fmt(&w, "%s\n", line);
	}
	assert_false(w.bad);
	assert_int_equal(limits_parse(text_span(&w), &m, why, sizeof(why)), SP_OK);
	assert_memory_equal(&l, &m, sizeof(l));
}

static void
addresses_print(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::"};
	uint8_t address[16];
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(address_parse(span_str(texts[i]), address), SP_OK);
		address_print(address, buf, sizeof(buf));
		assert_string_equal(buf, texts[i]);
	}
}

static void
budgets_are_said(void **state)
{
	char buf[64];

	(void)state;
	budget_say(PRINCIPAL_ORG, BUDGET_BYTES_DAY, buf, sizeof(buf));
	assert_string_equal(buf, "organisation: bytes per day");
	budget_say(PRINCIPAL_KINDS, BUDGET_BYTES_DAY, buf, sizeof(buf));
	assert_string_equal(buf, "");
	budget_say(PRINCIPAL_USER, BUDGET_NONE, buf, sizeof(buf));
	assert_string_equal(buf, "");
	budget_say(PRINCIPAL_USER, 15, buf, sizeof(buf));
	assert_string_equal(buf, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_hold),
	    cmocka_unit_test(defaults_make_sense),
	    cmocka_unit_test(a_file_is_read),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(prints_and_parses_back),
	    cmocka_unit_test(addresses_print),
	    cmocka_unit_test(budgets_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
