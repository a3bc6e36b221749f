/* certificate.c - see certificate.h. */
#include "crypto/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
x509_done(X509 **x)
{
	X509_free(*x);
}

static void
pkey_done(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void
bio_done(BIO **b)
{
	(void)BIO_free(*b); /* memory only */
}

/* no_passphrase - a key file that needs one is refused: nobody is there to be asked. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool
set_serial(X509 *x)
{
	uint8_t serial[16];
	BIGNUM *n;
	bool ok;

	if (crypto_random(serial, sizeof(serial)) != SP_OK)
		return false;
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, and always 16 bytes */
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

static bool
fill(X509 *x, EVP_PKEY *pkey, const char *host, unsigned days)
{
	X509_NAME *name = X509_get_subject_name(x);
	char san[512], cn[65];
	struct text t = text_of(san, sizeof(san)), c = text_of(cn, sizeof(cn));

	text_fmt(&t, "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", host);
	text_add(&c, span_cut(span_str(host), 64)); /* ub-common-name of RFC 5280 */
	return !t.bad && !c.bad && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) != NULL &&
	       X509_NAME_add_entry_by_txt(
		   name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, pkey) == 1 &&
	       add_extension(x, NID_subject_alt_name, san) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       add_extension(x, NID_subject_key_identifier, "hash") &&
	       X509_sign(x, pkey, EVP_sha256()) > 0;
}

static int
bio_text(BIO *b, struct text *t)
{
	const char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	if (n <= 0 || p == NULL)
		return SP_ECRYPTO;
	text_add(t, span_of(p, (size_t)n));
	return t->bad ? SP_ESPACE : SP_OK;
}

int
certificate_make(const char *host, unsigned days, struct text *cert, struct text *key)
{
	DEFER(pkey_done) EVP_PKEY *pkey = EVP_EC_gen("P-256");
	DEFER(x509_done) X509 *x = X509_new();
	DEFER(bio_done) BIO *cert_bio = BIO_new(BIO_s_mem());
	DEFER(bio_done) BIO *key_bio = BIO_new(BIO_s_secmem());
	int rc;

	if (pkey == NULL || x == NULL || cert_bio == NULL || key_bio == NULL ||
	    !fill(x, pkey, host, days) || PEM_write_bio_X509(cert_bio, x) != 1 ||
	    PEM_write_bio_PKCS8PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
		return SP_ECRYPTO;
	rc = bio_text(cert_bio, cert);
	return rc == SP_OK ? bio_text(key_bio, key) : rc;
}

int
certificate_check(struct span cert, struct span key)
{
	DEFER(bio_done) BIO *cert_bio = BIO_new_mem_buf(cert.ptr, (int)cert.len);
	DEFER(bio_done) BIO *key_bio = BIO_new_mem_buf(key.ptr, (int)key.len);
	DEFER(x509_done) X509 *x = NULL;
	DEFER(pkey_done) EVP_PKEY *pkey = NULL;

	if (cert_bio == NULL || key_bio == NULL)
		return SP_ENOMEM;
	x = PEM_read_bio_X509(cert_bio, NULL, no_passphrase, NULL);
	pkey = PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL);
	if (x == NULL || pkey == NULL)
		return SP_ESYNTAX;
	return X509_check_private_key(x, pkey) == 1 ? SP_OK : SP_EVERIFY;
}
