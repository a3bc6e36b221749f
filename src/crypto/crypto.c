/* crypto.c - the primitives of crypto.h on OpenSSL 3's EVP.
 *
 * Every failure leaves OpenSSL's error queue of the thread empty: a worker asks SSL_get_error about
 * its connection, and an entry left here would look like a failure there.
 */
#include "crypto/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define SHA384_BYTES 48u

static int
failed(void)
{
	ERR_clear_error();
	return SP_ECRYPTO;
}

static void
free_mac_ctx(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx);
}

static void
free_cipher_ctx(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

static void
free_md_ctx(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void
free_pkey(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

int
crypto_ready(void)
{
	uint8_t key[KEY_BYTES] = {0}, iv[12] = {0}, ct[1], pt[1], tag[16], out[64];
	int r = SP_OK;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return failed();
	if (crypto_random(out, sizeof(out)) != SP_OK || sha256(SPAN_LIT("x"), out) != SP_OK ||
	    hmac_sha256(SPAN_LIT("k"), SPAN_LIT("x"), out) != SP_OK ||
	    hkdf_expand_sha384(SPAN_LIT("k"), SPAN_LIT("x"), out, 32) != SP_OK ||
	    aead_seal(key, iv, SPAN_LIT("a"), SPAN_LIT("x"), ct, tag) != SP_OK ||
	    aead_open(key, iv, SPAN_LIT("a"), span_of(ct, 1), tag, pt) != SP_OK || pt[0] != 'x')
		r = SP_ECRYPTO;
	return r;
}

int
crypto_random(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		int part = n > INT_MAX ? INT_MAX : (int)n;

		if (RAND_bytes(p, part) != 1)
			return failed();
		p += part;
		n -= (size_t)part;
	}
	return SP_OK;
}

int
crypto_reseed(void)
{
	/* in this order: the first is seeded by the kernel, the others by the first */
	EVP_RAND_CTX *all[] = {
	    RAND_get0_primary(NULL), RAND_get0_public(NULL), RAND_get0_private(NULL)};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] == NULL || EVP_RAND_reseed(all[i], 0, NULL, 0, NULL, 0) != 1)
			return failed();
	return SP_OK;
}

struct sha256 {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

struct sha256 *
sha256_new(void)
{
	struct sha256 *h = mem_alloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	h->ctx = EVP_MD_CTX_new();
	if (h->md == NULL || h->ctx == NULL || sha256_reset(h) != SP_OK) {
		ERR_clear_error();
		sha256_free(h);
		return NULL;
	}
	return h;
}

int
sha256_reset(struct sha256 *h)
{
	return EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1 ? SP_OK : failed();
}

int
sha256_add(struct sha256 *h, struct span s)
{
	return EVP_DigestUpdate(h->ctx, s.ptr, s.len) == 1 ? SP_OK : failed();
}

int
sha256_get(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
	unsigned n = 0;

	if (EVP_DigestFinal_ex(h->ctx, out, &n) != 1 || n != SHA256_BYTES)
		return failed();
	return SP_OK;
}

void
sha256_free(struct sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	mem_free(h);
}

int
sha256(struct span s, uint8_t out[SHA256_BYTES])
{
	size_t n = 0;

	if (EVP_Q_digest(NULL, "SHA2-256", NULL, s.ptr, s.len, out, &n) != 1 || n != SHA256_BYTES)
		return failed();
	return SP_OK;
}

/* A keyed HMAC context; NULL on failure. */
static EVP_MAC_CTX *
hmac_ctx(const char *digest, struct span key)
{
	char name[16] = {0};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[2];

	EVP_MAC_free(mac); /* the context keeps its own reference */
	if (ctx == NULL)
		return NULL;
	memcpy(name, digest, strlen(digest));
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (EVP_MAC_init(ctx, key.ptr, key.len, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int
hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES])
{
	DEFER(free_mac_ctx) EVP_MAC_CTX *ctx = hmac_ctx("SHA2-256", key);
	size_t n = 0;

	if (ctx == NULL || EVP_MAC_update(ctx, data.ptr, data.len) != 1 ||
	    EVP_MAC_final(ctx, out, &n, SHA256_BYTES) != 1 || n != SHA256_BYTES)
		return failed();
	return SP_OK;
}

/* One block of HKDF-Expand: T(i) = HMAC(PRK, T(i-1) || info || i), into t. */
static int
hkdf_block(
    struct span prk, struct span before, struct span info, uint8_t i, uint8_t t[SHA384_BYTES])
{
	DEFER(free_mac_ctx) EVP_MAC_CTX *ctx = hmac_ctx("SHA2-384", prk);
	size_t n = 0;

	if (ctx == NULL || EVP_MAC_update(ctx, before.ptr, before.len) != 1 ||
	    EVP_MAC_update(ctx, info.ptr, info.len) != 1 || EVP_MAC_update(ctx, &i, 1) != 1 ||
	    EVP_MAC_final(ctx, t, &n, SHA384_BYTES) != 1 || n != SHA384_BYTES)
		return failed();
	return SP_OK;
}

int
hkdf_expand_sha384(struct span prk, struct span info, uint8_t *out, size_t len)
{
	uint8_t t[SHA384_BYTES];
	size_t done = 0, have = 0;
	int r = SP_OK;

	if (len > 255u * SHA384_BYTES)
		return SP_ERANGE;
	for (unsigned i = 1; done < len; i++) {
		size_t part = len - done < SHA384_BYTES ? len - done : SHA384_BYTES;

		r = hkdf_block(prk, span_of(t, have), info, (uint8_t)i, t);
		if (r != SP_OK) {
			mem_wipe(out, len);
			break;
		}
		memcpy(out + done, t, part);
		have = SHA384_BYTES;
		done += part;
	}
	mem_wipe(t, sizeof(t));
	return r;
}

/* A context for AES-256-GCM with its key and IV set; NULL on failure. */
static EVP_CIPHER_CTX *
gcm_ctx(const uint8_t key[KEY_BYTES], const uint8_t iv[12], bool encrypt)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool good = cipher != NULL && ctx != NULL &&
		    EVP_CipherInit_ex2(ctx, cipher, key, iv, encrypt ? 1 : 0, NULL) == 1;

	EVP_CIPHER_free(cipher);
	if (good)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

int
aead_seal(const uint8_t key[KEY_BYTES], const uint8_t iv[12], struct span aad, struct span pt,
    uint8_t *ct, uint8_t tag[16])
{
	DEFER(free_cipher_ctx) EVP_CIPHER_CTX *ctx = gcm_ctx(key, iv, true);
	uint8_t none[16];
	int n = 0;

	if (pt.len > INT_MAX || aad.len > INT_MAX)
		return SP_ERANGE;
	if (ctx == NULL || EVP_EncryptUpdate(ctx, NULL, &n, aad.ptr, (int)aad.len) != 1 ||
	    EVP_EncryptUpdate(ctx, ct, &n, pt.ptr, (int)pt.len) != 1 || (size_t)n != pt.len ||
	    EVP_EncryptFinal_ex(ctx, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1)
		return failed();
	return SP_OK;
}

int
aead_open(const uint8_t key[KEY_BYTES], const uint8_t iv[12], struct span aad, struct span ct,
    const uint8_t tag[16], uint8_t *pt)
{
	DEFER(free_cipher_ctx) EVP_CIPHER_CTX *ctx = gcm_ctx(key, iv, false);
	uint8_t expected[16], none[16];
	int n = 0;

	if (ct.len > INT_MAX || aad.len > INT_MAX)
		return SP_ERANGE;
	memcpy(expected, tag, sizeof(expected));
	if (ctx == NULL || EVP_DecryptUpdate(ctx, NULL, &n, aad.ptr, (int)aad.len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, expected) != 1 ||
	    EVP_DecryptUpdate(ctx, pt, &n, ct.ptr, (int)ct.len) != 1 || (size_t)n != ct.len) {
		mem_wipe(pt, ct.len);
		return failed();
	}
	if (EVP_DecryptFinal_ex(ctx, none, &n) != 1) {
		mem_wipe(pt, ct.len);
		ERR_clear_error();
		return SP_EBADTAG;
	}
	return SP_OK;
}

int
ed25519_public(const uint8_t seed[32], uint8_t ret_public[32])
{
	DEFER(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, 32);
	size_t n = 32;

	if (key == NULL || EVP_PKEY_get_raw_public_key(key, ret_public, &n) != 1 || n != 32)
		return failed();
	return SP_OK;
}

int
ed25519_sign(const uint8_t seed[32], struct span msg, uint8_t ret_sig[64])
{
	DEFER(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, 32);
	DEFER(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = 64;

	if (key == NULL || ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, ret_sig, &n, msg.ptr, msg.len) != 1 || n != 64)
		return failed();
	ERR_clear_error(); /* of what was tried in vain and not needed */
	return SP_OK;
}

int
ed25519_verify(const uint8_t public_key[32], struct span msg, const uint8_t sig[64])
{
	DEFER(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, 32);
	DEFER(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int n;

	if (key == NULL || ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1)
		return failed();
	n = EVP_DigestVerify(ctx, sig, 64, msg.ptr, msg.len);
	ERR_clear_error(); /* on success too: of what was tried in vain and not needed */
	return n == 1 ? SP_OK : SP_EVERIFY; /* out of memory too: OpenSSL does not say */
}
