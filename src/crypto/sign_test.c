/* sign_test.c - each key with each scheme; what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/sign.h"

struct made {
	EVP_PKEY *pkey;
	struct sign_key *key;
	uint8_t pem[8192];
	size_t pem_len;
};

static void
take_pem(struct made *m, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char password[] = "secret";

	assert_int_equal(PEM_write_bio_PrivateKey(
			     bio, m->pkey, cipher, NULL, 0, NULL, cipher != NULL ? password : NULL),
	    1);
	m->pem_len = (size_t)BIO_read(bio, m->pem, sizeof(m->pem));
	BIO_free(bio);
}

static struct made
make(EVP_PKEY *pkey)
{
	struct made m = {.pkey = pkey};

	assert_non_null(pkey);
	take_pem(&m, NULL);
	assert_int_equal(sign_key_load(span_of(m.pem, m.pem_len), &m.key), SP_OK);
	return m;
}

static void
done(struct made *m)
{
	sign_key_free(m->key);
	EVP_PKEY_free(m->pkey);
}

static bool
verifies(EVP_PKEY *pkey, const char *md, bool pss, struct span in, struct span sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool good = EVP_DigestVerifyInit_ex(ctx, &pctx, md, NULL, NULL, pkey, NULL) == 1;

	if (good && pss)
		good = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0;
	good = good && EVP_DigestVerify(ctx, sig.ptr, sig.len, in.ptr, in.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

/* one key against all schemes; the string says for each: '.' refused, '2' TLS 1.2 only, '3' both */
static void
all_schemes(struct made *m, const char *want)
{
	static const struct {
		uint16_t id;
		const char *md;
		bool pss;
	} s[] = {{0x0403, "SHA256", false}, {0x0503, "SHA384", false}, {0x0401, "SHA256", false},
	    {0x0501, "SHA384", false}, {0x0601, "SHA512", false}, {0x0804, "SHA256", true},
	    {0x0805, "SHA384", true}, {0x0806, "SHA512", true}, {0x0807, NULL, false},
	    {0x0603, "SHA512", false}, {0x0201, "SHA1", false}, {0x0808, NULL, false},
	    {0x0809, "SHA256", true}, {0, NULL, false}, {0xffff, NULL, false}};
	struct span in = SPAN_LIT("what is signed");
	uint8_t sig[SIGN_MAX];

	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		char w = i < strlen(want) ? want[i] : '.';
		size_t len = 0;
		int err = sign_make(m->key, s[i].id, in, sig, sizeof(sig), &len);

		assert_int_equal(sign_fits(m->key, s[i].id, false), w != '.');
		assert_int_equal(sign_fits(m->key, s[i].id, true), w == '3');
		assert_int_equal(err, w != '.' ? SP_OK : SP_ERANGE);
		if (err != SP_OK)
			continue;
		assert_true(verifies(m->pkey, s[i].md, s[i].pss, in, span_of(sig, len)));
		assert_false(
		    verifies(m->pkey, s[i].md, s[i].pss, SPAN_LIT("other"), span_of(sig, len)));
	}
	assert_int_equal(sign_make(m->key, 0x0403, in, sig, 10, &(size_t){0}) == SP_OK, false);
}

static void
test_p256(void **state)
{
	struct made m = make(EVP_EC_gen("P-256"));

	(void)state;
	assert_string_equal(sign_key_name(m.key), "ECDSA P-256");
	all_schemes(&m, "32.......");
	done(&m);
}

static void
test_p384(void **state)
{
	struct made m = make(EVP_EC_gen("P-384"));

	(void)state;
	all_schemes(&m, "23.......");
	done(&m);
}

static void
test_rsa(void **state)
{
	struct made m = make(EVP_RSA_gen(2048));

	(void)state;
	all_schemes(&m, "..222333.");
	done(&m);
}

static void
test_ed25519(void **state)
{
	struct made m = make(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));

	(void)state;
	all_schemes(&m, "........3");
	done(&m);
}

static void
refuse(EVP_PKEY *pkey)
{
	struct made m = {.pkey = pkey};

	assert_non_null(pkey);
	take_pem(&m, NULL);
	assert_int_equal(sign_key_load(span_of(m.pem, m.pem_len), &m.key), SP_ERANGE);
	EVP_PKEY_free(pkey);
}

static void
test_refused_keys(void **state)
{
	struct made m = {.pkey = EVP_EC_gen("P-256")};
	struct sign_key *k = NULL;

	(void)state;
	refuse(EVP_EC_gen("P-521"));
	refuse(EVP_EC_gen("secp256k1"));
	refuse(EVP_RSA_gen(1024));
	refuse(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"));
	refuse(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
	assert_int_equal(sign_key_load(SPAN_LIT(""), &k), SP_ESYNTAX);
	assert_int_equal(sign_key_load(SPAN_LIT("-----BEGIN PRIVATE KEY-----\n"), &k), SP_ESYNTAX);
	take_pem(&m, EVP_aes_256_cbc()); /* encrypted: nobody is asked for a password */
	assert_int_equal(sign_key_load(span_of(m.pem, m.pem_len), &k), SP_ESYNTAX);
	take_pem(&m, NULL);
	for (size_t n = 0; n + 2 < m.pem_len; n += 5)
		assert_int_equal(sign_key_load(span_of(m.pem, n), &k), SP_ESYNTAX);
	EVP_PKEY_free(m.pkey);
	sign_key_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_p256),
	    cmocka_unit_test(test_p384),
	    cmocka_unit_test(test_rsa),
	    cmocka_unit_test(test_ed25519),
	    cmocka_unit_test(test_refused_keys),
	};

	if (sign_prepare() != SP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
