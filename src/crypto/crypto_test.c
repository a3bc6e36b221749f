/* crypto_test.c - primitives against published values, and their refusals. */
#include "crypto/crc32_clmul.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/* The bytes of a hexadecimal literal, in buf. */
static struct span
hex(uint8_t *buf, size_t cap, const char *digits)
{
	size_t n = strlen(digits) / 2;

	assert_true(n <= cap);
	assert_int_equal(parse_hex(span_str(digits), buf, n), SP_OK);
	return span_of(buf, n);
}

static void
assert_hex(const uint8_t *got, size_t n, const char *digits)
{
	uint8_t want[512];

	assert_int_equal(hex(want, sizeof(want), digits).len, n);
	assert_memory_equal(got, want, n);
}

static unsigned
reseeds(EVP_RAND_CTX *rand)
{
	unsigned n = 0;
	OSSL_PARAM p[] = {OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_COUNTER, &n),
	    OSSL_PARAM_construct_end()};

	assert_non_null(rand);
	assert_int_equal(EVP_RAND_CTX_get_params(rand, p), 1);
	return n;
}

/* OpenSSL itself tells a copy from the original by the process's number alone. */
static void
test_reseed(void **state)
{
	EVP_RAND_CTX *all[] = {
	    RAND_get0_primary(NULL), RAND_get0_public(NULL), RAND_get0_private(NULL)};
	unsigned before[ARRAY_LEN(all)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		before[i] = reseeds(all[i]);
	assert_int_equal(crypto_reseed(), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_true(reseeds(all[i]) > before[i]);
}

static void
test_random(void **state)
{
	uint8_t a[64] = {0}, b[64] = {0};

	(void)state;
	assert_int_equal(crypto_ready(), SP_OK);
	assert_int_equal(crypto_random(a, sizeof(a)), SP_OK);
	assert_int_equal(crypto_random(b, sizeof(b)), SP_OK);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(crypto_random(a, 0), SP_OK);
}

/* FIPS 180-4 examples. */
static void
test_sha256(void **state)
{
	uint8_t out[32];
	struct sha256 *h = sha256_new();

	(void)state;
	assert_non_null(h);
	assert_int_equal(sha256(SPAN_LIT("abc"), out), SP_OK);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256(span_of(NULL, 0), out), SP_OK);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (int i = 0; i < 2; i++) { /* the second time after a reset */
		assert_int_equal(sha256_add(h, SPAN_LIT("a")), SP_OK);
		assert_int_equal(sha256_add(h, SPAN_LIT("")), SP_OK);
		assert_int_equal(sha256_add(h, SPAN_LIT("bc")), SP_OK);
		assert_int_equal(sha256_get(h, out), SP_OK);
		assert_hex(
		    out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		assert_int_equal(sha256_reset(h), SP_OK);
	}
	sha256_free(h);
	sha256_free(NULL);
}

/* RFC 4231 test cases 1, 2, 6; an empty key and message. */
static void
test_hmac(void **state)
{
	uint8_t key[131], out[32];

	(void)state;
	memset(key, 0x0b, 20);
	assert_int_equal(hmac_sha256(span_of(key, 20), SPAN_LIT("Hi There"), out), SP_OK);
	assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_int_equal(
	    hmac_sha256(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), out), SP_OK);
	assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 131);
	assert_int_equal(
	    hmac_sha256(span_of(key, 131),
		SPAN_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), out),
	    SP_OK);
	assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(hmac_sha256(span_of(NULL, 0), span_of(NULL, 0), out), SP_OK);
	assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* The output of `openssl kdf -kdfopt mode:EXPAND_ONLY -kdfopt digest:SHA384` for the same input. */
static void
test_hkdf(void **state)
{
	static uint8_t big[255 * 48 + 1];
	uint8_t prk[48], info[10], out[100], again[100];

	(void)state;
	for (size_t i = 0; i < sizeof(prk); i++)
		prk[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = (uint8_t)(0xf0 + i);
	struct span p = span_of(prk, sizeof(prk)), f = span_of(info, sizeof(info));

	assert_int_equal(hkdf_expand_sha384(p, f, out, 100), SP_OK);
	assert_hex(out, 100,
	    "a653565e368b29123cb52efacc62c752b137e866abd4dc38c283094178fdc8b25a2b174649bd763d"
	    "6fc5c4ab2b2cd3e838a346b04b62483752539ef286eeff7585a1b367e7dbb0cc1fd87e9150f07770"
	    "6238d8b909101bfde0fb5d40a0c18587064b3f93");
	for (size_t n = 0; n <= 100; n++) { /* every length is a prefix of the longer ones */
		memset(again, 0, sizeof(again));
		assert_int_equal(hkdf_expand_sha384(p, f, again, n), SP_OK);
		assert_memory_equal(again, out, n);
	}
	assert_int_equal(hkdf_expand_sha384(p, f, big, 255 * 48), SP_OK);
	assert_memory_equal(big, out, 100);
	assert_int_equal(hkdf_expand_sha384(p, f, big, 255 * 48 + 1), SP_ERANGE);
}

static uint32_t
crc_bitwise(struct span s)
{
	uint32_t c = ~0u;

	for (size_t i = 0; i < s.len; i++) {
		c ^= s.ptr[i];
		for (int b = 0; b < 8; b++)
			c = c >> 1 ^ ((c & 1) != 0 ? 0xEDB88320u : 0);
	}
	return ~c;
}

static void
test_crc32(void **state)
{
	uint8_t data[1100];

	(void)state;
	assert_int_equal(crc32_add(0, SPAN_LIT("123456789")), 0xcbf43926u);
	assert_int_equal(crc32_add(0, span_of(NULL, 0)), 0);
	assert_int_equal(crypto_random(data, sizeof(data)), SP_OK);
	for (size_t n = 0; n <= 1000; n++) {
		struct span s = span_of(data + n % 17, n);
		uint32_t want = crc_bitwise(s), part = crc32_add(0, span_cut(s, n / 3));

		assert_int_equal(crc32_add(0, s), want);
		assert_int_equal(crc32_add(part, span_skip(s, n / 3)), want);
		assert_int_equal(~crc32_by_table(~0u, s), want);
	}
}

/* McGrew and Viega, test case 16 (AES-256, associated data). */
static void
test_aead(void **state)
{
	uint8_t key[32], iv[12], aad[20], pt[60], ct[60], tag[16], back[60];

	(void)state;
	hex(key, 32, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
	hex(iv, 12, "cafebabefacedbaddecaf888");
	hex(aad, 20, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
	hex(pt, 60,
	    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e"
	    "2449a6b525"
	    "b16aedf5aa0de657ba637b39");
	assert_int_equal(aead_seal(key, iv, span_of(aad, 20), span_of(pt, 60), ct, tag), SP_OK);
	assert_hex(ct, 60,
	    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b"
	    "1056828838"
	    "c5f61e6393ba7a0abcc9f662");
	assert_hex(tag, 16, "76fc6ece0f4e1768cddf8853bb2d551b");
	assert_int_equal(aead_open(key, iv, span_of(aad, 20), span_of(ct, 60), tag, back), SP_OK);
	assert_memory_equal(back, pt, 60);

	uint8_t *parts[] = {key, iv, aad, ct, tag};
	size_t lens[] = {32, 12, 20, 60, 16};
	static const uint8_t zero[60];

	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		for (size_t bit = 0; bit < lens[p] * 8; bit++) {
			parts[p][bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(
			    aead_open(key, iv, span_of(aad, 20), span_of(ct, 60), tag, back),
			    SP_EBADTAG);
			assert_memory_equal(back, zero, 60);
			parts[p][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_int_equal(
	    aead_open(key, iv, span_of(aad, 19), span_of(ct, 60), tag, back), SP_EBADTAG);
	assert_int_equal(
	    aead_open(key, iv, span_of(aad, 20), span_of(ct, 59), tag, back), SP_EBADTAG);
	assert_int_equal(aead_seal(key, iv, span_of(NULL, 0), span_of(NULL, 0), ct, tag), SP_OK);
	assert_int_equal(aead_open(key, iv, span_of(NULL, 0), span_of(NULL, 0), tag, back), SP_OK);
}

/* RFC 8032 section 7.1, tests 1 and 2. */
static void
test_ed25519(void **state)
{
	uint8_t seed[32], pub[32], sig[64];

	(void)state;
	hex(seed, 32, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	assert_hex(pub, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	assert_int_equal(ed25519_sign(seed, span_of(NULL, 0), sig), SP_OK);
	assert_hex(sig, 64,
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
	    "701cf9b46b"
	    "d25bf5f0595bbe24655141438e7a100b");
	hex(seed, 32, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	assert_int_equal(ed25519_public(seed, pub), SP_OK);
	assert_int_equal(ed25519_sign(seed, SPAN_LIT("\x72"), sig), SP_OK);
	assert_hex(sig, 64,
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f36"
	    "13d0f11d8c"
	    "387b2eaeb4302aeeb00d291612bb0c00");
	assert_int_equal(ed25519_verify(pub, SPAN_LIT("\x72"), sig), SP_OK);
	assert_int_equal(ed25519_verify(pub, SPAN_LIT("\x73"), sig), SP_EVERIFY);
	for (size_t bit = 0; bit < 512; bit++) {
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(ed25519_verify(pub, SPAN_LIT("\x72"), sig), SP_EVERIFY);
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	pub[0] ^= 1;
	assert_true(ed25519_verify(pub, SPAN_LIT("\x72"), sig) < 0);
}

/* RFC 7515 appendix A.3: key, input and signature. */
static void
test_es256(void **state)
{
	const struct span input = SPAN_LIT(
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
	uint8_t point[65] = {4}, sig[64], other[64];
	size_t n;

	(void)state;
	assert_int_equal(base64url_get(SPAN_LIT("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), point + 1, 32, &n), SP_OK);
	assert_int_equal(base64url_get(SPAN_LIT("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), point + 33, 32, &n), SP_OK);
	assert_int_equal(base64url_get(SPAN_LIT("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
			     sig, sizeof(sig), &n),
	    SP_OK);
	assert_int_equal(es256_verify(point, input, sig), SP_OK);
	assert_int_equal(es256_verify(point, span_cut(input, input.len - 1), sig), SP_EAUTH);
	memset(other, 0, sizeof(other)); /* CVE-2022-21449: r and s of zero */
	assert_int_equal(es256_verify(point, input, other), SP_EAUTH);
	memset(other, 0xff, sizeof(other));
	assert_int_equal(es256_verify(point, input, other), SP_EAUTH);
	memcpy(other, sig, 64);
	other[63] ^= 1;
	assert_int_equal(es256_verify(point, input, other), SP_EAUTH);
	point[64] ^= 1; /* not on the curve */
	assert_int_equal(es256_verify(point, input, sig), SP_EAUTH);
}

static void
test_password(void **state)
{
	char phc[128], other[160];
	uint8_t key[32], again[32], salt[16] = {1};

	(void)state;
	assert_int_equal(
	    password_hash(SPAN_LIT("correct horse"), 64 * 1024, 2, phc, sizeof(phc)), SP_OK);
	assert_true(span_starts(span_str(phc), SPAN_LIT("$argon2id$v=19$m=64,t=2,p=1$")));
	assert_int_equal(password_verify(SPAN_LIT("correct horse"), phc), SP_OK);
	assert_int_equal(password_verify(SPAN_LIT("correct horsf"), phc), SP_EAUTH);
	assert_int_equal(password_verify(SPAN_LIT("correct hors"), phc), SP_EAUTH);
	assert_int_equal(password_verify(SPAN_LIT(""), phc), SP_EAUTH);
	assert_int_equal(password_hash(SPAN_LIT(""), 64 * 1024, 1, other, sizeof(other)), SP_OK);
	assert_int_equal(password_verify(SPAN_LIT(""), other), SP_OK);
	assert_int_equal(password_hash(SPAN_LIT("x"), 64 * 1024, 2, phc, 20), SP_ESPACE);
	assert_int_equal(password_hash(SPAN_LIT("x"), 1024, 2, phc, sizeof(phc)), SP_ERANGE);
	assert_int_equal(password_hash(SPAN_LIT("x"), 64 * 1024, 17, phc, sizeof(phc)), SP_ERANGE);
	assert_int_equal(password_hash(SPAN_LIT("x"), 64 * 1024, 0, phc, sizeof(phc)), SP_ERANGE);
	assert_int_equal(password_hash(SPAN_LIT("x"), 2ull << 30, 2, phc, sizeof(phc)), SP_ERANGE);

	assert_int_equal(argon2id_key(SPAN_LIT("words"), salt, 64 * 1024, 1, key), SP_OK);
	assert_int_equal(argon2id_key(SPAN_LIT("words"), salt, 64 * 1024, 1, again), SP_OK);
	assert_memory_equal(key, again, 32);
	salt[15] ^= 1;
	assert_int_equal(argon2id_key(SPAN_LIT("words"), salt, 64 * 1024, 1, again), SP_OK);
	assert_memory_not_equal(key, again, 32);
	assert_int_equal(argon2id_key(SPAN_LIT("words"), salt, 2ull << 30, 1, again), SP_ERANGE);
}

/* Made by `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1` (its README), and what must not
 * be worked on. */
static void
test_phc(void **state)
{
	static const char *const bad[] = {"", "$", "x", "$argon2id$",
	    "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAA",
	    "$argon2id$v=16$m=64,t=2,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=64,t=2,p=1",
	    "$argon2id$v=19$m=64,t=2,p=1$", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ",
	    "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$",
	    "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$!!!!",
	    "$argon2id$v=19$t=2,m=64,p=1$c29tZXNhbHQ$AAAA",
	    "$argon2id$v=19$m=064,t=2,p=1$c29tZXNhbHQ$AAAA",
	    "$argon2id$v=19$m=-1,t=2,p=1$c29tZXNhbHQ$AAAA"};
	static const char *const costly[] = {"$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ$"
					     "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	    "$argon2id$v=19$m=64,t=17,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	    "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	    "$argon2id$v=19$m=64,t=1,p=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	    "$argon2id$v=19$m=99999999999,t=1,p=1$c29tZXNhbHQ$"
	    "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"};

	(void)state;
	assert_int_equal(
	    password_verify(SPAN_LIT("password"), "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
						  "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
	    SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(password_verify(SPAN_LIT("password"), bad[i]), SP_ESYNTAX);
	for (size_t i = 0; i < ARRAY_LEN(costly); i++)
		assert_int_equal(password_verify(SPAN_LIT("password"), costly[i]), SP_ERANGE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_sha256),
	    cmocka_unit_test(test_hmac),
	    cmocka_unit_test(test_hkdf),
	    cmocka_unit_test(test_reseed),
	    cmocka_unit_test(test_crc32),
	    cmocka_unit_test(test_aead),
	    cmocka_unit_test(test_ed25519),
	    cmocka_unit_test(test_es256),
	    cmocka_unit_test(test_password),
	    cmocka_unit_test(test_phc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
