/* digest.c - hashes by name. */
#include "crypto/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *ctx;
};

static const EVP_MD *
by_name(struct span name)
{
	static const struct {
		const char *name;
		const EVP_MD *(*md)(void);
	} rows[] = {{"sha-1", EVP_sha1}, {"sha1", EVP_sha1}, {"sha-256", EVP_sha256},
	    {"sha256", EVP_sha256}, {"sha-384", EVP_sha384}, {"sha384", EVP_sha384},
	    {"sha-512", EVP_sha512}, {"sha512", EVP_sha512}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_ieq_str(name, rows[i].name))
			return rows[i].md();
	return NULL;
}

int
digest_new(struct span name, struct digest **ret)
{
	const EVP_MD *md = by_name(name);
	struct digest *d;

	if (md == NULL)
		return SP_ENOTIMPL;
	d = mem_alloc(sizeof(*d));
	if (d == NULL)
		return SP_ENOMEM;
	d->ctx = EVP_MD_CTX_new();
	if (d->ctx == NULL || EVP_DigestInit_ex(d->ctx, md, NULL) != 1) {
		digest_free(d);
		ERR_clear_error();
		return SP_ECRYPTO;
	}
	*ret = d;
	return SP_OK;
}

int
digest_add(struct digest *d, struct span s)
{
	if (EVP_DigestUpdate(d->ctx, s.ptr, s.len) == 1)
		return SP_OK;
	ERR_clear_error();
	return SP_ECRYPTO;
}

int
digest_get(struct digest *d, uint8_t out[DIGEST_BYTES_MAX], size_t *ret_len)
{
	unsigned n = 0;

	if (EVP_DigestFinal_ex(d->ctx, out, &n) != 1) {
		ERR_clear_error();
		return SP_ECRYPTO;
	}
	*ret_len = n;
	return SP_OK;
}

void
digest_free(struct digest *d)
{
	if (d != NULL)
		EVP_MD_CTX_free(d->ctx);
	mem_free(d);
}
