/* request_test.c - add-checkpoint as C2SP shows it, and what it does not allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "proto/witness/request.h"

#define PROOF "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
#define NOTE                                                                                       \
	"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"

static struct witness_request r;

static int
get(const char *body)
{
	return witness_request_get(span_str(body), &r);
}

static void
test_good(void **state)
{
	(void)state;
	assert_int_equal(get("old 20852014\n" PROOF PROOF "\n" NOTE), SP_OK);
	assert_int_equal(r.old_size, 20852014);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.proof[1][0], 0x3e);
	assert_true(span_eq_str(r.note, NOTE));
	assert_int_equal(get("old 0\n\n" NOTE), SP_OK);
	assert_int_equal(r.n, 0);
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {"", "old", "old 1", "old 1\n", "old 1\n\n",
	    "old 01\n\n" NOTE, "old -1\n\n" NOTE, "old 1 \n\n" NOTE, "Old 1\n\n" NOTE,
	    "old  1\n\n" NOTE, "old \n\n" NOTE, "old 9223372036854775808\n\n" NOTE,
	    "old 1\r\n\r\n" NOTE, "old 1\nAAAA\n\n" NOTE, "old 1\n" PROOF NOTE,
	    "old 1\n" PROOF "x\n\n" NOTE, "\n" NOTE};
	char many[8192] = "old 1\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (get(bad[i]) != SP_ESYNTAX)
			fail_msg("taken: %s", bad[i]);
	for (size_t i = 0; i < WITNESS_PROOF_MAX; i++)
		(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), PROOF);
	(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "\n" NOTE);
	assert_int_equal(get(many), SP_OK);
	assert_int_equal(r.n, WITNESS_PROOF_MAX);
	(void)snprintf(many + strlen(many) - strlen("\n" NOTE), 200, PROOF "\n" NOTE);
	assert_int_equal(get(many), SP_ESYNTAX);
}

static void
test_answers(void **state)
{
	unsigned status;
	struct span body;

	(void)state;
	assert_int_equal(
	    witness_answer_get(
		SPAN_LIT("HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\n12\n"), &status, &body),
	    SP_OK);
	assert_int_equal(status, 409);
	assert_true(span_eq_str(body, "12\n"));
	assert_int_equal(
	    witness_answer_get(SPAN_LIT("HTTP/1.1 200\r\n"), &status, &body), SP_ESYNTAX);
	assert_int_equal(
	    witness_answer_get(SPAN_LIT("HTTP/2 200 x\r\n\r\n"), &status, &body), SP_ESYNTAX);
	assert_int_equal(
	    witness_answer_get(SPAN_LIT("HTTP/1.1 2x0 x\r\n\r\n"), &status, &body), SP_ESYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
