/* gcm.c - AES-GCM through OpenSSL, and the choice between it and libipsec-mb.
 *
 * Every result of EVP is compared with 1: "not negative" has let forged data through elsewhere
 * (CVE-2026-59847). */
#include "crypto/gcm.h"
#include "crypto/gcm_vaes.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#define PARTS_MAX 4u

static bool use_vaes; /* written once, by gcm_ready */

struct gcm {
	struct vaes *vaes; /* NULL: OpenSSL */
	EVP_CIPHER_CTX *ctx;
	bool is_keyed;
};

void
gcm_ready(void)
{
	use_vaes = vaes_ready();
}

const char *
gcm_engine(void)
{
	return use_vaes ? "VAES" : "OpenSSL";
}

static int
failed(struct gcm *g)
{
	ERR_clear_error();
	g->is_keyed = false;
	return SP_ECRYPTO;
}

int
gcm_new(bool plain, struct gcm **ret)
{
	struct gcm *g = mem_alloc(sizeof(*g));

	if (g == NULL)
		return SP_ENOMEM;
	if (use_vaes && !plain)
		g->vaes = vaes_new();
	else
		g->ctx = EVP_CIPHER_CTX_new();
	if (g->vaes == NULL && g->ctx == NULL) {
		ERR_clear_error();
		gcm_free(g);
		return SP_ENOMEM;
	}
	*ret = g;
	return SP_OK;
}

void
gcm_free(struct gcm *g)
{
	if (g == NULL)
		return;
	vaes_free(g->vaes);
	EVP_CIPHER_CTX_free(g->ctx); /* cleanses the key schedule */
	mem_free(g);
}

int
gcm_key(struct gcm *g, struct span key)
{
	EVP_CIPHER *cipher;
	bool good;

	if (key.len != 16 && key.len != 32)
		return SP_ERANGE;
	g->is_keyed = true;
	if (g->vaes != NULL) {
		vaes_key(g->vaes, key);
		return SP_OK;
	}
	cipher = EVP_CIPHER_fetch(NULL, key.len == 32 ? "AES-256-GCM" : "AES-128-GCM", NULL);
	good = cipher != NULL && EVP_CipherInit_ex2(g->ctx, cipher, key.ptr, NULL, 1, NULL) == 1;
	EVP_CIPHER_free(cipher); /* the context keeps its own reference */
	return good ? SP_OK : failed(g);
}

/* ---- OpenSSL ---- */

static bool
begin(struct gcm *g, const uint8_t *iv, struct span aad, bool seal)
{
	int n = 0;

	return EVP_CipherInit_ex2(g->ctx, NULL, NULL, iv, seal ? 1 : 0, NULL) == 1 &&
	       (aad.len == 0 || EVP_CipherUpdate(g->ctx, NULL, &n, aad.ptr, (int)aad.len) == 1);
}

static bool
update(struct gcm *g, struct span in, uint8_t *out)
{
	int n = 0;

	return in.len == 0 ||
	       (EVP_CipherUpdate(g->ctx, out, &n, in.ptr, (int)in.len) == 1 && (size_t)n == in.len);
}

static int
plain_seal(struct gcm *g, const uint8_t *iv, struct span aad, const struct span *parts, size_t n,
    uint8_t *out, uint8_t *tag)
{
	uint8_t none[GCM_TAG_BYTES];
	bool good = begin(g, iv, aad, true);
	int left = 0;

	for (size_t i = 0; good && i < n; i++) {
		good = update(g, parts[i], out);
		out += parts[i].len;
	}
	if (good && EVP_CipherFinal_ex(g->ctx, none, &left) == 1 &&
	    EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag) == 1)
		return SP_OK;
	return failed(g);
}

static int
plain_open(struct gcm *g, const uint8_t *iv, struct span aad, struct span ct, const uint8_t *tag,
    uint8_t *out)
{
	uint8_t none[GCM_TAG_BYTES], copy[GCM_TAG_BYTES];
	int left = 0;

	memcpy(copy, tag, sizeof(copy));
	if (!begin(g, iv, aad, false) ||
	    EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, copy) != 1 ||
	    !update(g, ct, out))
		return failed(g);
	if (EVP_CipherFinal_ex(g->ctx, none, &left) == 1)
		return SP_OK;
	ERR_clear_error();
	return SP_EBADTAG;
}

/* ---- either ---- */

int
gcm_seal(struct gcm *g, const uint8_t iv[GCM_IV_BYTES], struct span aad, const struct span *parts,
    size_t n, uint8_t *out, uint8_t tag[GCM_TAG_BYTES])
{
	PRECOND(n >= 1 && n <= PARTS_MAX);
	for (size_t i = 0; i < n; i++)
		PRECOND(parts[i].len <= INT_MAX);
	if (!g->is_keyed)
		return SP_ECRYPTO;
	if (g->vaes == NULL)
		return plain_seal(g, iv, aad, parts, n, out, tag);
	vaes_seal(g->vaes, iv, aad, parts, n, out, tag);
	return SP_OK;
}

static int
vaes_check(struct gcm *g, const uint8_t *iv, struct span aad, struct span ct, const uint8_t *tag,
    uint8_t *out)
{
	uint8_t expected[GCM_TAG_BYTES];
	bool good;

	vaes_open(g->vaes, iv, aad, ct, out, expected);
	good = secret_eq(span_of(expected, sizeof(expected)), span_of(tag, GCM_TAG_BYTES));
	mem_wipe(expected,
	    sizeof(expected)); /* of a forged message it would be the tag that makes it good */
	return good ? SP_OK : SP_EBADTAG;
}

int
gcm_open(struct gcm *g, const uint8_t iv[GCM_IV_BYTES], struct span aad, struct span ct,
    const uint8_t tag[GCM_TAG_BYTES], uint8_t *out)
{
	int r = SP_ECRYPTO;

	PRECOND(ct.len <= INT_MAX);
	if (g->is_keyed)
		r = g->vaes != NULL ? vaes_check(g, iv, aad, ct, tag, out)
				    : plain_open(g, iv, aad, ct, tag, out);
	if (r != SP_OK)
		mem_wipe(out, ct.len);
	return r;
}
