/* sign.c - see sign.h. */
#include "crypto/sign.h"
#include "crypto/pkey.h"

#include <openssl/crypto.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define SECURE_HEAP 65536u
#define SECURE_LEAST 32u
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

enum kind { KIND_P256, KIND_P384, KIND_RSA, KIND_ED25519 };

struct sign_key {
	EVP_PKEY *pkey; /* owned */
	enum kind kind;
};

static const struct scheme {
	uint16_t id;
	enum kind kind;		 /* in TLS 1.3 */
	bool is_ec, pss, only12; /* only12: not in TLS 1.3 */
	const char *md;		 /* NULL: the key hashes by itself */
} schemes[] = {
    {0x0403, KIND_P256, true, false, false, "SHA256"},
    {0x0503, KIND_P384, true, false, false, "SHA384"},
    {0x0401, KIND_RSA, false, false, true, "SHA256"},
    {0x0501, KIND_RSA, false, false, true, "SHA384"},
    {0x0601, KIND_RSA, false, false, true, "SHA512"},
    {0x0804, KIND_RSA, false, true, false, "SHA256"},
    {0x0805, KIND_RSA, false, true, false, "SHA384"},
    {0x0806, KIND_RSA, false, true, false, "SHA512"},
    {0x0807, KIND_ED25519, false, false, false, NULL},
};

int
sign_prepare(void)
{
	if (CRYPTO_secure_malloc_initialized())
		return SP_OK;
	return CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST) == 1 ? SP_OK : SP_ESYS;
}

static int
ec_kind(EVP_PKEY *pkey, enum kind *ret)
{
	char group[32];
	size_t len;

	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1)
		return SP_ERANGE;
	if (span_eq_str(span_of(group, len), "prime256v1"))
		*ret = KIND_P256;
	else if (span_eq_str(span_of(group, len), "secp384r1"))
		*ret = KIND_P384;
	else
		return SP_ERANGE;
	return SP_OK;
}

static int
key_kind(EVP_PKEY *pkey, enum kind *ret)
{
	if (EVP_PKEY_is_a(pkey, "EC"))
		return ec_kind(pkey, ret);
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		*ret = KIND_ED25519;
	else if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN &&
		 EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX)
		*ret = KIND_RSA;
	else
		return SP_ERANGE;
	return SP_OK;
}

int
sign_key_load(struct span pem, struct sign_key **ret)
{
	EVP_PKEY *pkey = pkey_from_pem(pem);
	struct sign_key *k;
	enum kind kind;
	int err;

	if (pkey == NULL)
		return SP_ESYNTAX;
	err = key_kind(pkey, &kind);
	if (err != SP_OK) {
		EVP_PKEY_free(pkey);
		return err;
	}
	k = mem_alloc(sizeof(*k));
	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return SP_ENOMEM;
	}
	*k = (struct sign_key){pkey, kind};
	*ret = k;
	return SP_OK;
}

void
sign_key_free(struct sign_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	mem_free(k);
}

const char *
sign_key_name(const struct sign_key *k)
{
	static const char *const name[] = {"ECDSA P-256", "ECDSA P-384", "RSA", "Ed25519"};

	return name[k->kind];
}

static const struct scheme *
find_scheme(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].id == id)
			return &schemes[i];
	return NULL;
}

/* fits - at all, in any version. */
static bool
fits(const struct sign_key *k, const struct scheme *s)
{
	if (s->is_ec)
		return k->kind == KIND_P256 || k->kind == KIND_P384;
	return k->kind == s->kind;
}

bool
sign_fits(const struct sign_key *k, uint16_t scheme, bool tls13)
{
	const struct scheme *s = find_scheme(scheme);

	if (s == NULL || !fits(k, s))
		return false;
	return !tls13 || (!s->only12 && s->kind == k->kind);
}

/* sign_with - everything that EVP has to be told, then the one call. */
static bool
sign_with(EVP_MD_CTX *ctx, const struct sign_key *k, const struct scheme *s, struct span input,
    uint8_t *out, size_t *len)
{
	EVP_PKEY_CTX *pctx = NULL;

	if (EVP_DigestSignInit_ex(ctx, &pctx, s->md, NULL, NULL, k->pkey, NULL) != 1)
		return false;
	if (s->pss && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
			  EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) <= 0))
		return false;
	return EVP_DigestSign(ctx, out, len, input.ptr, input.len) == 1;
}

int
sign_make(const struct sign_key *k, uint16_t scheme, struct span input, uint8_t *out, size_t cap,
    size_t *ret_len)
{
	const struct scheme *s = find_scheme(scheme);
	size_t len = cap;
	EVP_MD_CTX *ctx;
	bool good;

	if (s == NULL || !fits(k, s))
		return SP_ERANGE;
	if (cap < (size_t)EVP_PKEY_get_size(k->pkey))
		return SP_ESPACE;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return SP_ENOMEM;
	good = sign_with(ctx, k, s, input, out, &len);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!good)
		return SP_ECRYPTO;
	*ret_len = len;
	return SP_OK;
}
