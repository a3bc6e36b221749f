/* gcm_test.c - published vectors, both engines against each other, and everything that must not be
 * taken for good. */
#include "base/test.h"
#include "base/text.h"
#include "crypto/gcm.h"

#define BIG 131072u

/* The test cases of McGrew and Viega, "The Galois/Counter Mode of Operation": 4 (AES-128) and 16
 * (AES-256). */
static const struct {
	const char *key, *iv, *aad, *pt, *ct, *tag;
} vectors[] = {
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	"feedfacedeadbeeffeedfacedeadbeefabaddad2",
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
	"a6b525b16aedf5aa0de657ba637b39",
	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac"
	"84aa051ba30b396a0aac973d58e091",
	"5bc94fbc3221a5db94fae95ae7121a47"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	"feedfacedeadbeeffeedfacedeadbeefabaddad2",
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
	"a6b525b16aedf5aa0de657ba637b39",
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
	"828838c5f61e6393ba7a0abcc9f662",
	"76fc6ece0f4e1768cddf8853bb2d551b"},
};

static struct span
unhex(const char *hex, uint8_t *buf)
{
	size_t n = strlen(hex) / 2;

	assert_int_equal(parse_hex(span_str(hex), buf, n), SP_OK);
	return span_of(buf, n);
}

static struct gcm *
keyed(bool plain, struct span key)
{
	struct gcm *g;

	assert_int_equal(gcm_new(plain, &g), SP_OK);
	assert_int_equal(gcm_key(g, key), SP_OK);
	return g;
}

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(vectors); i++) {
		uint8_t key[32], iv[12], aad[32], pt[64], ct[64], tag[16], out[64], made[16];
		const size_t v = i / 2;
		struct gcm *g = keyed(i % 2 == 0, unhex(vectors[v].key, key));
		struct span text = unhex(vectors[v].pt, pt), a = unhex(vectors[v].aad, aad);

		(void)unhex(vectors[v].iv, iv);
		(void)unhex(vectors[v].ct, ct);
		(void)unhex(vectors[v].tag, tag);
		assert_int_equal(gcm_seal(g, iv, a, &text, 1, out, made), SP_OK);
		assert_memory_equal(out, ct, text.len);
		assert_memory_equal(made, tag, sizeof(tag));
		assert_int_equal(gcm_open(g, iv, a, span_of(ct, text.len), tag, out), SP_OK);
		assert_memory_equal(out, pt, text.len);
		gcm_free(g);
	}
}

/* Cut into parts anywhere, of any length, with any associated data: both engines make the same, and
 * open what the other sealed. */
static void
agree(struct gcm *a, struct gcm *b, const uint8_t *pt, size_t n, size_t cut, size_t n_aad)
{
	static uint8_t one[BIG], two[BIG];
	const struct span whole = span_of(pt, n);
	const struct span parts[] = {
	    span_of(pt, cut), span_of(pt + cut, n - cut), span_of(NULL, 0)};
	struct span aad = span_of(pt, n_aad);
	uint8_t iv[12] = {(uint8_t)n, (uint8_t)cut}, tag_one[16], tag_two[16];

	assert_int_equal(gcm_seal(a, iv, aad, parts, 3, one, tag_one), SP_OK);
	assert_int_equal(gcm_seal(b, iv, aad, &whole, 1, two, tag_two), SP_OK);
	assert_memory_equal(one, two, n);
	assert_memory_equal(tag_one, tag_two, 16);
	assert_int_equal(gcm_open(a, iv, aad, span_of(two, n), tag_two, two), SP_OK); /* in place */
	assert_memory_equal(two, pt, n);
	assert_int_equal(gcm_open(b, iv, aad, span_of(one, n), tag_one, two), SP_OK);
	assert_memory_equal(two, pt, n);
}

static void
test_engines(void **state)
{
	static const size_t big[] = {1000, 4095, 4096, 4097, 32768, 65536 + 13, BIG};
	static uint8_t pt[BIG];
	uint8_t key[32];

	(void)state;
	assert_int_equal(crypto_random(pt, sizeof(pt)), SP_OK);
	assert_int_equal(crypto_random(key, sizeof(key)), SP_OK);
	for (size_t bytes = 16; bytes <= 32; bytes += 16) {
		struct gcm *a = keyed(false, span_of(key, bytes)),
			   *b = keyed(true, span_of(key, bytes));

		for (size_t n = 0; n <= 320; n++)
			for (size_t cut = 0; cut <= n; cut += 1 + n / 7)
				agree(a, b, pt, n, cut, n % 33);
		for (size_t i = 0; i < ARRAY_LEN(big); i++)
			for (size_t cut = 0; cut <= 40; cut += 3)
				agree(a, b, pt, big[i], cut, 9);
		gcm_free(a);
		gcm_free(b);
	}
}

/* Every bit of a tag, and a bit of everything else: refused, and nothing is left to look at. */
static void
test_forged(void **state)
{
	static const uint8_t zero[100];
	uint8_t key[32] = {7}, iv[12] = {1}, aad[9] = {2}, pt[100] = {3}, ct[100], tag[16],
		out[100];
	struct span text = span_of(pt, sizeof(pt)), a = span_of(aad, sizeof(aad));

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct gcm *g = keyed(plain != 0, span_of(key, sizeof(key)));
		uint8_t *const parts[] = {tag, ct, iv, aad};
		const size_t lens[] = {sizeof(tag), sizeof(ct), sizeof(iv), sizeof(aad)};

		assert_int_equal(gcm_seal(g, iv, a, &text, 1, ct, tag), SP_OK);
		for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
			for (size_t bit = 0; bit < 8 * lens[p]; bit++) {
				parts[p][bit / 8] ^= (uint8_t)(1 << bit % 8);
				memset(out, 0xaa, sizeof(out));
				assert_int_equal(
				    gcm_open(g, iv, a, span_of(ct, sizeof(ct)), tag, out),
				    SP_EBADTAG);
				assert_memory_equal(out, zero, sizeof(out));
				parts[p][bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
		}
		assert_int_equal(
		    gcm_open(g, iv, a, span_of(ct, sizeof(ct) - 1), tag, out), SP_EBADTAG);
		assert_int_equal(gcm_open(g, iv, a, span_of(ct, sizeof(ct)), tag, out), SP_OK);
		gcm_free(g);
	}
}

static void
test_keys(void **state)
{
	uint8_t key[33] = {0}, iv[12] = {0}, tag[16], out[1];
	struct span byte = span_of(key, 1);
	struct gcm *g;

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		assert_int_equal(gcm_new(plain != 0, &g), SP_OK);
		assert_int_equal(
		    gcm_seal(g, iv, byte, &byte, 1, out, tag), SP_ECRYPTO); /* no key yet */
		assert_int_equal(gcm_open(g, iv, byte, byte, tag, out), SP_ECRYPTO);
		for (size_t n = 0; n <= sizeof(key); n++)
			assert_int_equal(
			    gcm_key(g, span_of(key, n)), n == 16 || n == 32 ? SP_OK : SP_ERANGE);
		gcm_free(g);
	}
	gcm_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_engines),
	    cmocka_unit_test(test_forged),
	    cmocka_unit_test(test_keys),
	};

	if (crypto_ready() != SP_OK)
		return 1;
	gcm_ready();
	print_message("engine: %s\n", gcm_engine());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
