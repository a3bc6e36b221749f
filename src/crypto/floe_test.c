/* floe_test.c - every published vector; every damage refused; the lengths. */
#include "crypto/floe.h"
#include "crypto/gcm.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define BUF (1u << 20)

struct bytes {
	uint8_t *ptr;
	size_t len;
};

static const uint8_t vector_key[32]; /* zeros */
#define VECTOR_AAD SPAN_LIT("This is AAD")

static struct bytes
read_hex(const char *name, const char *suffix)
{
	char path[1024], *digits = mem_alloc(BUF);
	const char *dir = getenv("VECTORS");
	struct bytes b = {mem_alloc(BUF), 0};
	struct text t = text_of(path, sizeof(path));
	size_t n;

	assert_non_null(dir);
	assert_non_null(digits);
	assert_non_null(b.ptr);
	text_fmt(&t, "%s/floe/%s_%s.txt", dir, name, suffix);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	n = fread(digits, 1, BUF, f);
	(void)fclose(f);
	while (n > 0 && (digits[n - 1] == '\n' || digits[n - 1] == '\r'))
		n--;
	assert_int_equal(n % 2, 0);
	b.len = n / 2;
	assert_int_equal(parse_hex(span_of(digits, n), b.ptr, b.len), SP_OK);
	mem_free(digits);
	return b;
}

static uint32_t
segment_of(struct bytes ct)
{
	return ct.len < 6 ? 0
			  : (uint32_t)ct.ptr[2] << 24 | (uint32_t)ct.ptr[3] << 16 |
				(uint32_t)ct.ptr[4] << 8 | ct.ptr[5];
}

/* Decrypt a whole ciphertext as a reader that only has its bytes: the last segment is the final
 * one. */
static int
open_all(struct span ct, uint32_t segment, unsigned rotation, uint8_t *out, size_t *ret_len)
{
	struct floe *f = NULL;
	struct span body = span_skip(ct, FLOE_HEADER_BYTES);
	size_t len = 0;
	int r;

	if (ct.len < FLOE_HEADER_BYTES + FLOE_OVERHEAD)
		return SP_ESHORT;
	r = floe_decrypt_new(vector_key, VECTOR_AAD, segment, ct.ptr, &f);
	if (r == SP_OK)
		floe_set_rotation(f, rotation);
	for (uint64_t i = 0; r == SP_OK && body.len > 0; i++) {
		struct span s = span_cut(body, segment);

		body = span_skip(body, s.len);
		r = floe_open(f, i, body.len == 0, s, out + len);
		len += s.len >= FLOE_OVERHEAD ? s.len - FLOE_OVERHEAD : 0;
	}
	floe_free(f);
	*ret_len = len;
	return r;
}

static unsigned
rotation_of(const char *name)
{
	return strstr(name, "_rotation") != NULL ? 2 : FLOE_ROTATION_BITS;
}

static const char *const vectors[] = {"cpp_GCM256_IV256_64", "go_GCM256_IV256_4K",
    "go_GCM256_IV256_64", "go_rotation", "java_lastSegAligned", "java_lastSegEmpty",
    "pub_java_GCM256_IV256_64", "rust_GCM256_IV256_4K"};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct bytes ct = read_hex(vectors[i], "ct"), pt = read_hex(vectors[i], "pt");
		uint8_t *out = mem_alloc(ct.len + 1);
		size_t len = 0;

		assert_non_null(out);
		assert_int_equal(open_all(span_of(ct.ptr, ct.len), segment_of(ct),
				     rotation_of(vectors[i]), out, &len),
		    SP_OK);
		assert_int_equal(len, pt.len);
		assert_memory_equal(out, pt.ptr, pt.len);
		mem_free(out);
		mem_free(ct.ptr);
		mem_free(pt.ptr);
	}
}

/* One flipped bit, one byte missing at each length, one byte more: never SP_OK. */
static void
test_vectors_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct bytes ct = read_hex(vectors[i], "ct");
		unsigned rotation = rotation_of(vectors[i]);
		uint32_t segment = segment_of(ct);
		uint8_t *out = mem_alloc(ct.len + 64);
		size_t len, step = ct.len > 2000 ? 61 : 1;

		assert_non_null(out);
		for (size_t bit = 0; bit < ct.len * 8; bit += step) {
			ct.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_true(
			    open_all(span_of(ct.ptr, ct.len), segment, rotation, out, &len) < 0);
			ct.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t n = 0; n<ct.len; n += step> 1 ? 7 : 1)
			assert_true(open_all(span_of(ct.ptr, n), segment, rotation, out, &len) < 0);
		assert_true(
		    open_all(span_of(ct.ptr, ct.len - 1), segment, rotation, out, &len) < 0);
		assert_true(
		    open_all(span_of(ct.ptr, ct.len + 1), segment, rotation, out, &len) < 0);
		mem_free(out);
		mem_free(ct.ptr);
	}
}

/* Without the vector's own rotation the first rotated key is wrong. */
static void
test_rotation_matters(void **state)
{
	struct bytes ct = read_hex("go_rotation", "ct");
	uint8_t *out = mem_alloc(ct.len);
	size_t len;

	(void)state;
	assert_non_null(out);
	assert_int_equal(
	    open_all(span_of(ct.ptr, ct.len), segment_of(ct), 20, out, &len), SP_EBADTAG);
	assert_int_equal(
	    open_all(span_of(ct.ptr, ct.len), segment_of(ct), 1, out, &len), SP_EBADTAG);
	mem_free(out);
	mem_free(ct.ptr);
}

static void
test_header(void **state)
{
	uint8_t key[32] = {1}, header[FLOE_HEADER_BYTES];
	struct floe *f = NULL;

	(void)state;
	assert_int_equal(floe_encrypt_new(key, SPAN_LIT("a"), 32, header, &f), SP_ERANGE);
	assert_int_equal(
	    floe_encrypt_new(key, SPAN_LIT("a"), (16u << 20) + 1, header, &f), SP_ERANGE);
	assert_null(f);
	assert_int_equal(floe_encrypt_new(key, SPAN_LIT("a"), 64, header, &f), SP_OK);
	floe_free(f);
	f = NULL;
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT("a"), 64, header, &f), SP_OK);
	floe_free(f);
	f = NULL;
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT("a"), 65, header, &f), SP_ERANGE);
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT("b"), 64, header, &f), SP_EBADTAG);
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT(""), 64, header, &f), SP_EBADTAG);
	key[31] ^= 1;
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT("a"), 64, header, &f), SP_EBADTAG);
	assert_null(f);
	floe_free(NULL);
}

/* Segments in any order, in place, both directions with one object, rotation crossed back and
 * forth. */
static void
test_random_access(void **state)
{
	enum { SEG = 80, FULL = SEG - 32, N = 40 };
	uint8_t key[32], header[FLOE_HEADER_BYTES], ct[N][SEG], plain[FULL], want[FULL],
	    zero[FULL] = {0};
	struct floe *f = NULL, *g = NULL;

	(void)state;
	assert_int_equal(crypto_random(key, sizeof(key)), SP_OK);
	assert_int_equal(floe_encrypt_new(key, SPAN_LIT("blob"), SEG, header, &f), SP_OK);
	assert_int_equal(floe_decrypt_new(key, SPAN_LIT("blob"), SEG, header, &g), SP_OK);
	floe_set_rotation(f, 3);
	floe_set_rotation(g, 3);
	for (unsigned k = 0; k < N; k++) {
		unsigned i = k * 7 % N;

		memset(ct[i] + 16, (int)i, FULL);
		assert_int_equal(
		    floe_seal(i % 2 != 0 ? f : g, i, i == N - 1, span_of(ct[i] + 16, FULL), ct[i]),
		    SP_OK);
	}
	for (unsigned k = 0; k < N; k++) {
		unsigned i = k * 11 % N;
		struct floe *o = k % 3 == 0 ? f : g;

		memset(want, (int)i, FULL);
		assert_int_equal(floe_open(o, i, i == N - 1, span_of(ct[i], SEG), plain), SP_OK);
		assert_memory_equal(plain, want, FULL);
		/* another place, the other kind, another length: refused, and nothing is given out
		 */
		memset(plain, 1, FULL);
		assert_int_equal(
		    floe_open(o, i + 1, i == N - 1, span_of(ct[i], SEG), plain), SP_EBADTAG);
		assert_memory_equal(plain, zero, FULL);
		assert_int_equal(
		    floe_open(o, i, i != N - 1, span_of(ct[i], SEG), plain), SP_ERANGE);
		assert_int_equal(
		    floe_open(o, i, i == N - 1, span_of(ct[i], SEG - 1), plain), SP_ERANGE);
		assert_int_equal(
		    floe_open(o, 1ull << 40, i == N - 1, span_of(ct[i], SEG), plain), SP_ERANGE);
		assert_int_equal(floe_open(o, i, i == N - 1, span_of(ct[i], SEG), ct[i] + 16),
		    SP_OK); /* in place */
		assert_memory_equal(ct[i] + 16, want, FULL);
	}
	assert_int_equal(floe_seal(f, 0, false, span_of(plain, FULL - 1), ct[0]), SP_ERANGE);
	assert_int_equal(floe_seal(f, 0, true, span_of(ct[1], FULL + 1), ct[0]), SP_ERANGE);
	assert_int_equal(floe_seal(f, 1ull << 40, true, span_of(plain, 1), ct[0]), SP_ERANGE);
	assert_int_equal(floe_seal(f, (1ull << 40) - 1, true, span_of(plain, 1), ct[0]), SP_OK);
	assert_int_equal(floe_open(g, (1ull << 40) - 1, true, span_of(ct[0], 33), plain), SP_OK);
	floe_free(f);
	floe_free(g);
}

/* The same segment sealed twice has another IV and another ciphertext. */
static void
test_fresh_iv(void **state)
{
	uint8_t key[32] = {0}, h1[FLOE_HEADER_BYTES], h2[FLOE_HEADER_BYTES], a[96], b[96],
		pt[64] = {0};
	struct floe *f = NULL, *g = NULL;

	(void)state;
	assert_int_equal(floe_encrypt_new(key, SPAN_LIT(""), 96, h1, &f), SP_OK);
	assert_int_equal(floe_encrypt_new(key, SPAN_LIT(""), 96, h2, &g), SP_OK);
	assert_memory_not_equal(h1 + 10, h2 + 10, 32);
	assert_int_equal(floe_seal(f, 0, true, span_of(pt, 64), a), SP_OK);
	assert_int_equal(floe_seal(f, 0, true, span_of(pt, 64), b), SP_OK);
	assert_memory_not_equal(a + 4, b + 4, 12);
	assert_memory_not_equal(a + 16, b + 16, 64);
	assert_int_equal(floe_open(g, 0, true, span_of(a, 96), pt), SP_EBADTAG);
	floe_free(f);
	floe_free(g);
}

static void
test_lengths(void **state)
{
	enum { SEG = 70, FULL = SEG - 32 };
	uint64_t pt = 0, seen = 0;

	(void)state;
	assert_int_equal(floe_ciphertext_len(0, SEG), 74 + 32);
	assert_int_equal(floe_ciphertext_len(1, SEG), 74 + 33);
	assert_int_equal(floe_ciphertext_len(FULL, SEG), 74 + SEG);
	assert_int_equal(floe_ciphertext_len(FULL + 1, SEG), 74 + SEG + 33);
	assert_int_equal(floe_ciphertext_len(UINT64_MAX, 33), UINT64_MAX);
	for (uint64_t n = 0; n < 1000; n++) {
		assert_int_equal(floe_plaintext_len(floe_ciphertext_len(n, SEG), SEG, &pt), SP_OK);
		assert_int_equal(pt, n);
	}
	for (uint64_t c = 0; c <= floe_ciphertext_len(999, SEG); c++) { /* all others are refused */
		if (floe_plaintext_len(c, SEG, &pt) == SP_OK) {
			assert_int_equal(floe_ciphertext_len(pt, SEG), c);
			seen++;
		}
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(
	    floe_plaintext_len(floe_ciphertext_len(1ull << 46, 131072), 131072, &pt), SP_OK);
	assert_int_equal(pt, 1ull << 46);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_vectors_damaged),
	    cmocka_unit_test(test_rotation_matters),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_random_access),
	    cmocka_unit_test(test_fresh_iv),
	    cmocka_unit_test(test_lengths),
	};

	if (cmocka_run_group_tests(tests, NULL, NULL) != 0) /* through OpenSSL */
		return 1;
	gcm_ready();
	return cmocka_run_group_tests(tests, NULL, NULL); /* and through what this processor has */
}
