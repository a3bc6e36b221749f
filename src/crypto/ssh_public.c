/* ssh_public.c - public key blobs: taken apart, checked, given to OpenSSL. */
#include "crypto/ssh_inner.h"
#include "crypto/ssh_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#define ED25519_BYTES 32u
#define APPLICATION_MAX 255u /* bytes; PROTOCOL.u2f: "ssh:" and perhaps a name */
#define RSA_BITS_MIN 2048u
#define RSA_BITS_MAX 16384u
#define RSA_EXPONENT_MAX 8u /* bytes: OpenSSL takes no longer one with a long modulus */

static const struct ssh_kind_row kinds[] = {
#define KEY(kind, blob, certificate, fields, group, curve)                                         \
	{SSH_KIND_##kind, blob, certificate, fields, group, curve},
#define SIG(kind, fips, name, certificate, digest)
#include "crypto/ssh_alg.def"
#undef KEY
#undef SIG
};
#define YES true
#define NO false
static const struct ssh_sig_row sigs[] = {
#define KEY(kind, blob, certificate, fields, group, curve)
#define SIG(kind, fips, name, certificate, digest)                                                 \
	{SSH_KIND_##kind, fips, name, certificate, digest},
#include "crypto/ssh_alg.def"
#undef KEY
#undef SIG
};

const struct ssh_kind_row *
ssh_kind_of(enum ssh_kind kind)
{
	return &kinds[kind]; /* both are the rows of ssh_alg.def */
}

const struct ssh_kind_row *
ssh_kind_by_blob(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (span_eq_str(name, kinds[i].blob))
			return &kinds[i];
	return NULL;
}

const struct ssh_kind_row *
ssh_kind_by_certificate(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (span_eq_str(name, kinds[i].certificate))
			return &kinds[i];
	return NULL;
}

const struct ssh_sig_row *
ssh_sig_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		if (span_eq_str(name, sigs[i].name) || span_eq_str(name, sigs[i].certificate))
			return &sigs[i];
	return NULL;
}

/* Is it the one encoding of a y, and not of a point of small order?  With those a signature can be
 * made that verifies without any private key (RFC 8032 section 5.1.7 has no check of it; OpenSSL
 * has none either). */
static bool
ed25519_sound(struct span p)
{
	static const uint8_t bad[][ED25519_BYTES] = {{0}, {1},
	    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0x7f}, /* p - 1 */
	    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
		0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
		0x6d, 0x53, 0xfc, 0x05},
	    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
		0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
		0x92, 0xac, 0x03, 0x7a}};
	uint8_t y[ED25519_BYTES];
	size_t i = ED25519_BYTES - 2;

	memcpy(y, p.ptr, sizeof(y));
	y[ED25519_BYTES - 1] &= 0x7f; /* without the sign of x */
	for (size_t j = 0; j < ARRAY_LEN(bad); j++)
		if (memcmp(y, bad[j], sizeof(y)) == 0)
			return false;
	/* y < p = 2^255 - 19 */
	if (y[ED25519_BYTES - 1] != 0x7f)
		return true;
	while (i > 0 && y[i] == 0xff)
		i--;
	return i != 0 || y[0] < 0xed;
}

static unsigned
bits_of(struct span n)
{
	unsigned bits = (unsigned)n.len * 8;

	for (uint8_t top = 0x80; n.len != 0 && (n.ptr[0] & top) == 0 && top != 0; top >>= 1)
		bits--;
	return bits;
}

static int
rsa_sound(const struct ssh_public *p)
{
	unsigned bits = bits_of(p->n);

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX || p->e.len > RSA_EXPONENT_MAX)
		return SP_ERANGE;
	/* both odd, and the exponent more than 1 */
	if ((p->n.ptr[p->n.len - 1] & 1) == 0 || (p->e.ptr[p->e.len - 1] & 1) == 0 ||
	    bits_of(p->e) < 2)
		return SP_ESYNTAX;
	return SP_OK;
}

/* The fields behind the name. */
static int
parse_fields(struct rd *r, struct ssh_public *p)
{
	bool is_sk = p->row->kind == SSH_KIND_SK_ED25519 || p->row->kind == SSH_KIND_SK_P256;

	if (p->row->kind == SSH_KIND_RSA) {
		p->e = ssh_rd_mpint(r);
		p->n = ssh_rd_mpint(r);
		return rd_done(r) ? rsa_sound(p) : SP_ESYNTAX;
	}
	if (p->row->curve != NULL && !span_eq_str(ssh_rd_string(r), p->row->curve))
		return SP_ESYNTAX;
	p->point = ssh_rd_string(r);
	if (is_sk)
		p->application = ssh_rd_string(r);
	if (!rd_done(r))
		return SP_ESYNTAX;
	if (p->application.len > APPLICATION_MAX)
		return SP_ERANGE;
	if (p->row->curve != NULL)
		return SP_OK; /* the point: ssh_public_pkey */
	return p->point.len == ED25519_BYTES && ed25519_sound(p->point) ? SP_OK : SP_ESYNTAX;
}

int
ssh_public_parse(struct span blob, struct ssh_public *ret)
{
	struct rd r = rd_of(blob);
	struct span name = ssh_rd_string(&r), none = span_of(NULL, 0);
	struct ssh_public p = {ssh_kind_by_blob(name), none, none, none, none};
	int err;

	if (r.bad || name.len == 0)
		return SP_ESYNTAX;
	if (p.row == NULL || blob.len > SSH_KEY_BLOB_MAX)
		return SP_ERANGE;
	err = parse_fields(&r, &p);
	if (err == SP_OK)
		*ret = p;
	return err;
}

EVP_PKEY *
ssh_rsa_public(struct span n, struct span e)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = BN_bin2bn(n.ptr, (int)n.len, NULL);
	BIGNUM *bn_e = BN_bin2bn(e.ptr, (int)e.len, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	bool good = build != NULL && bn_n != NULL && bn_e != NULL && ctx != NULL &&
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1;

	if (good)
		params = OSSL_PARAM_BLD_to_param(build);
	good = params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	       EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(bn_n);
	BN_free(bn_e);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	if (good)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

EVP_PKEY *
ssh_public_pkey(const struct ssh_public *p)
{
	EVP_PKEY *key;

	if (p->row->kind == SSH_KIND_RSA)
		return ssh_rsa_public(p->n, p->e);
	if (p->row->group != NULL)
		return ssh_ec_public(p->row->group, p->point);
	key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, p->point.ptr, p->point.len);
	ERR_clear_error();
	return key;
}
