/* cosign_test.c - cosignatures: made, checked, and everything that is not one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "crypto/cosign.h"

static const uint8_t seed[32] = {1, 2, 3}, log_seed[32] = {9};

static struct cosigner
witness(const char *name)
{
	struct cosigner c;
	uint8_t key[32];

	assert_int_equal(ed25519_public(seed, key), SP_OK);
	assert_int_equal(cosigner_of(span_str(name), key, &c), SP_OK);
	return c;
}

static struct span
cosigned(char *buf, size_t cap, const struct cosigner *c)
{
	struct text t = text_of(buf, cap);
	const struct hash root = {{7}};
	struct span body, sigs;

	assert_int_equal(checkpoint_sign(&t, "log", 5, &root, log_seed), SP_OK);
	assert_int_equal(note_split(text_span(&t), &body, &sigs), SP_OK);
	assert_int_equal(cosign_put(&t, body, c, seed, 1679315147), SP_OK);
	return text_span(&t);
}

static void
test_good(void **state)
{
	struct cosigner c = witness("witness.example.com/w1"), other = witness("other");
	char buf[1024];
	struct span note = cosigned(buf, sizeof(buf), &c);
	uint64_t time_s = 0;

	(void)state;
	assert_int_equal(cosign_check(note, &c, &time_s), SP_OK);
	assert_int_equal(time_s, 1679315147);
	assert_int_equal(cosign_check(note, &other, &time_s), SP_EVERIFY);
	for (size_t i = 0; i < 4; i++) { /* origin, size, root: what was signed */
		static const size_t at[] = {0, 4, 8, 20};

		buf[at[i]] ^= 1;
		assert_int_not_equal(cosign_check(note, &c, &time_s), SP_OK);
		buf[at[i]] ^= 1;
	}
	buf[note.len - 20] ^= 1; /* and the signature itself */
	assert_int_not_equal(cosign_check(note, &c, &time_s), SP_OK);
}

static void
test_keys(void **state)
{
	struct cosigner c = witness("w"), back;
	char line[256];
	struct text t = text_of(line, sizeof(line));
	struct span s;

	(void)state;
	cosigner_put(&t, &c);
	s = text_span(&t);
	assert_int_equal(cosigner_parse(s, &back), SP_OK);
	assert_string_equal(back.name, "w");
	assert_int_equal(back.id, c.id);
	assert_memory_equal(back.public_key, c.public_key, 32);
	for (size_t n = 0; n < s.len; n++)
		assert_int_not_equal(cosigner_parse(span_cut(s, n), &back), SP_OK);
	line[0] = 'v';
	assert_int_equal(cosigner_parse(s, &back), SP_EVERIFY);
	assert_int_equal(cosigner_of(SPAN_LIT("a b"), c.public_key, &back), SP_ESYNTAX);
	assert_int_equal(cosigner_of(SPAN_LIT(""), c.public_key, &back), SP_ESYNTAX);
}

/* The log's own signature on its checkpoint is no statement of a witness, whatever its name. */
static void
test_no_signature_of_a_log_counts(void **state)
{
	struct cosigner c;
	uint8_t key[32];
	char buf[1024];
	struct text t = text_of(buf, sizeof(buf));
	const struct hash root = {{7}};
	uint64_t time_s;

	(void)state;
	assert_int_equal(ed25519_public(log_seed, key), SP_OK);
	assert_int_equal(cosigner_of(SPAN_LIT("log"), key, &c), SP_OK);
	assert_int_equal(checkpoint_sign(&t, "log", 5, &root, log_seed), SP_OK);
	assert_int_equal(cosign_check(text_span(&t), &c, &time_s), SP_EVERIFY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_no_signature_of_a_log_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
