/* judge_test.c - every message number in every phase, strict and not, against
 * tests/conform/ssh/phases.txt. */
#include "base/test.h"
#include "proto/ssh/ssh.h"

#include <stdio.h>
#include <stdlib.h>

#define PHASES 7
#define STRICT 3

static const char letters[] = {
    [SSH_TAKE] = 'T', [SSH_DROP] = 'D', [SSH_UNKNOWN] = 'U', [SSH_FORBIDDEN] = 'F'};

static void
judge_line(uint8_t number, const char *plain, const char *strict)
{
	assert_int_equal(strlen(plain), PHASES);
	assert_int_equal(strlen(strict), STRICT);
	for (unsigned i = 0; i < PHASES; i++) {
		enum ssh_phase phase = (enum ssh_phase)(1u << i);
		char want_strict = i < STRICT ? strict[i] : plain[i];

		if (letters[ssh_judge(number, phase, false)] != plain[i] ||
		    letters[ssh_judge(number, phase, true)] != want_strict)
			fail_msg("message %u in phase %u", number, i);
	}
}

/* The lines name 0 to 255, each once, in order. */
static void
test_phases(void **state)
{
	const char *folder = getenv("CONFORM");
	char path[512], line[256];
	unsigned next = 0;
	FILE *f;

	(void)state;
	assert_non_null(folder);
	(void)snprintf(path, sizeof(path), "%s/ssh/phases.txt", folder);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char plain[16], strict[16];
		unsigned first, last;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%3u-%3u %15s %15s", &first, &last, plain, strict) != 4) {
			assert_int_equal(sscanf(line, "%3u %15s %15s", &first, plain, strict), 3);
			last = first;
		}
		assert_int_equal(first, next);
		assert_true(last >= first && last <= 255);
		for (; next <= last; next++)
			judge_line((uint8_t)next, plain, strict);
	}
	(void)fclose(f);
	assert_int_equal(next, 256);
}

/* The attacks that this table is for, said once more by name. */
static void
test_attacks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PHASES; i++) {
		enum ssh_phase phase = (enum ssh_phase)(1u << i);

		/* CVE-2018-10933: a client says that it is logged in */
		assert_int_equal(ssh_judge(SSH_MSG_USERAUTH_SUCCESS, phase, false), SSH_FORBIDDEN);
		/* CVE-2023-48795 (Terrapin) hides the EXT_INFO, or puts an IGNORE into the first
		 * exchange */
		if (phase < SSH_PHASE_SERVICE)
			assert_int_equal(ssh_judge(SSH_MSG_IGNORE, phase, true), SSH_FORBIDDEN);
		/* CVE-2025-32433: channels before the login */
		if (phase != SSH_PHASE_OPEN)
			for (unsigned number = 80; number < 256; number++)
				assert_int_equal(
				    ssh_judge((uint8_t)number, phase, false), SSH_FORBIDDEN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_phases),
	    cmocka_unit_test(test_attacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
