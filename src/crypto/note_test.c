/* note_test.c - signed notes and checkpoints: a public log's, our own, and every damage. */
#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NAME "example.com/log"

static const uint8_t seed[32] = {7}, other_seed[32] = {8};

static struct span
sign(char *buf, size_t cap, const char *name, uint64_t size, const struct hash *root,
    const uint8_t *with)
{
	struct text t = text_of(buf, cap);

	assert_int_equal(checkpoint_sign(&t, name, size, root, with), SP_OK);
	return text_span(&t);
}

/* The signed tree head behind the example of C2SP tlog-checkpoint: sum.golang.org's, under its
 * published key sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8 */
static void
test_public_log(void **state)
{
	static const char text[] =
	    "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
	uint8_t key[33], sig[68];
	size_t n = 0;
	uint32_t id = 0;

	(void)state;
	assert_int_equal(
	    base64_get(span_str("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"), key, 33, &n),
	    SP_OK);
	assert_int_equal(n, 33);
	assert_int_equal(key[0], 1);
	assert_int_equal(note_key_id("sum.golang.org", key + 1, &id), SP_OK);
	assert_int_equal(id, 0x033de0ae);
	assert_int_equal(
	    base64_get(span_str("Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
				"Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="),
		sig, sizeof(sig), &n),
	    SP_OK);
	assert_int_equal(n, 68);
	assert_int_equal(ed25519_verify(key + 1, span_str(text), sig + 4), SP_OK);
	sig[67] ^= 1;
	assert_int_equal(ed25519_verify(key + 1, span_str(text), sig + 4), SP_EVERIFY);
}

static void
test_round_trip(void **state)
{
	static const uint64_t sizes[] = {0, 1, 20852163, UINT64_MAX};
	struct hash root = {{1, 2, 3}}, got;
	uint8_t pub[32];
	char buf[512];

	(void)state;
	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct span note = sign(buf, sizeof(buf), NAME, sizes[i], &root, seed);
		uint64_t size = 99;

		assert_int_equal(checkpoint_open(note, NAME, pub, &size, &got), SP_OK);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(got.b, root.b, 32);
	}
}

static void
test_damage(void **state)
{
	struct hash root = {{1, 2, 3}}, got;
	uint8_t pub[32], other[32];
	char buf[512], bad[512];
	struct span note = sign(buf, sizeof(buf), NAME, 1234, &root, seed);
	uint64_t size;

	(void)state;
	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	assert_int_equal(ed25519_public(other_seed, other), SP_OK);
	memcpy(bad, buf, sizeof(bad));
	for (size_t bit = 0; bit < note.len * 8; bit++) {
		bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
		assert_true(checkpoint_open(span_of(bad, note.len), NAME, pub, &size, &got) < 0);
		bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t n = 0; n < note.len; n++)
		assert_true(checkpoint_open(span_of(buf, n), NAME, pub, &size, &got) < 0);
	assert_int_equal(checkpoint_open(note, NAME, other, &size, &got), SP_EVERIFY);
	assert_int_equal(checkpoint_open(note, "example.com/other", pub, &size, &got), SP_EVERIFY);
}

/* A note of the given text with our signature over it. */
static int
open_text(const char *text)
{
	uint8_t pub[32], sig[64], blob[68];
	char buf[1024];
	struct text t = text_of(buf, sizeof(buf));
	struct hash root;
	uint64_t size;
	uint32_t id = 0;

	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	assert_int_equal(note_key_id(NAME, pub, &id), SP_OK);
	assert_int_equal(ed25519_sign(seed, span_str(text), sig), SP_OK);
	for (unsigned i = 0; i < 4; i++)
		blob[i] = (uint8_t)(id >> (24 - 8 * i));
	memcpy(blob + 4, sig, 64);
	text_str(&t, text);
	text_str(&t, "\n\xE2\x80\x94 " NAME " ");
	base64_put(&t, span_of(blob, 68));
	text_chr(&t, '\n');
	assert_false(t.bad);
	return checkpoint_open(text_span(&t), NAME, pub, &size, &root);
}

#define ROOT "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Signed well, but no checkpoint. */
static void
test_not_a_checkpoint(void **state)
{
	(void)state;
	assert_int_equal(open_text(NAME "\n5\n" ROOT "\n"), SP_OK);
	assert_int_equal(open_text(NAME "\n5\n" ROOT "\nan extension\nanother\n"), SP_OK);
	assert_int_equal(open_text("example.com/other\n5\n" ROOT "\n"), SP_EVERIFY);
	assert_int_equal(open_text(NAME "\n05\n" ROOT "\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n-5\n" ROOT "\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n 5\n" ROOT "\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n18446744073709551616\n" ROOT "\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n" ROOT), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\nAQID\n"), SP_ESYNTAX);
	assert_int_equal(
	    open_text(NAME "\n5\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n\n" ROOT "\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n" ROOT "\n\nafter an empty line\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n" ROOT "\na\tcontrol\n"), SP_ESYNTAX);
	assert_int_equal(open_text(NAME "\n5\n" ROOT "\nnot \xFF UTF-8\n"), SP_ESYNTAX);
}

/* Cosignatures of witnesses are passed over, in any place; a broken line is not; a false one by our
 * key never is. */
static void
test_cosigned(void **state)
{
	struct hash root = {{4}}, got;
	uint8_t pub[32];
	char buf[512], other[512], all[2048];
	struct span note = sign(buf, sizeof(buf), NAME, 77, &root, seed);
	struct span cosigned =
	    sign(other, sizeof(other), "witness.example/w", 77, &root, other_seed);
	struct span line = {0};
	uint64_t size = 0;
	size_t split = 0;

	(void)state;
	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	for (size_t i = 1; i < cosigned.len; i++) {
		if (cosigned.ptr[i] == '\n' && cosigned.ptr[i - 1] == '\n')
			line = span_skip(cosigned, i + 1);
	}
	for (size_t i = 1; i < note.len; i++) {
		if (note.ptr[i] == '\n' && note.ptr[i - 1] == '\n')
			split = i + 1;
	}
	for (int before = 0; before < 2; before++) {
		struct text t = text_of(all, sizeof(all));

		text_add(&t, span_cut(note, split));
		for (int i = 0; i < 8 && before != 0; i++)
			text_add(&t, line);
		text_add(&t, span_skip(note, split));
		for (int i = 0; i < 8; i++)
			text_add(&t, line);
		assert_false(t.bad);
		assert_int_equal(checkpoint_open(text_span(&t), NAME, pub, &size, &got), SP_OK);
		assert_int_equal(size, 77);
		text_str(&t, "no signature line\n");
		assert_int_equal(
		    checkpoint_open(text_span(&t), NAME, pub, &size, &got), SP_ESYNTAX);
	}
	/* only the witness signed */
	struct text t = text_of(all, sizeof(all));

	text_add(&t, span_cut(note, split));
	text_add(&t, line);
	assert_int_equal(checkpoint_open(text_span(&t), NAME, pub, &size, &got), SP_EVERIFY);
	/* our own line twice, the second one over another text */
	t = text_of(all, sizeof(all));
	text_add(&t, note);
	struct span wrong = sign(other, sizeof(other), NAME, 78, &root, seed);

	text_add(&t, span_skip(wrong, split));
	assert_int_equal(checkpoint_open(text_span(&t), NAME, pub, &size, &got), SP_EVERIFY);
}

static void
test_names(void **state)
{
	static const char *const bad[] = {"", "a b", "a+b", "a\nb", "a\tb",
	    "a\xC2\xA0"
	    "b",
	    "a\xE2\x80\x83"
	    "b",
	    "\xFF"};
	struct hash root = {{0}};
	uint8_t pub[32] = {0};
	uint32_t id;
	char buf[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct text t = text_of(buf, sizeof(buf));

		assert_int_equal(note_key_id(bad[i], pub, &id), SP_ESYNTAX);
		assert_int_equal(checkpoint_sign(&t, bad[i], 1, &root, seed), SP_ESYNTAX);
	}
	struct text t = text_of(buf, 100);

	assert_int_equal(checkpoint_sign(&t, NAME, 1, &root, seed), SP_ESPACE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public_log),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_not_a_checkpoint),
	    cmocka_unit_test(test_cosigned),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
