/* ssh_host_key.c - host keys: loaded, made, signed with; see ssh_key.h. */
#include "crypto/pkey.h"
#include "crypto/ssh_inner.h"
#include "crypto/ssh_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#define HOST_RSA_BITS_MIN 3072
#define HOST_RSA_BITS_MAX 8192
#define HOST_RSA_BITS_NEW 3072u
#define BLOB_MAX 1100u /* bytes of a public key blob: RSA of 8192 bits */
#define MODULUS_MAX 1024u
#define NUMBER_BYTES 32u /* of P-256 */
#define POINT_BYTES 65u
#define NATIVE_MAX 1024u /* bytes of a signature as OpenSSL makes it */

/* ipc.h's enum ssh_host_key */
enum { TYPE_ED25519 = 1, TYPE_P256 = 2, TYPE_RSA_SHA256 = 4, TYPE_RSA_SHA512 = 8 };

static const struct type {
	unsigned type;
	const char *name;   /* of the signature algorithm */
	const char *digest; /* NULL: the key hashes by itself */
} types[] = {
    {TYPE_ED25519, "ssh-ed25519", NULL},
    {TYPE_P256, "ecdsa-sha2-nistp256", "SHA2-256"},
    {TYPE_RSA_SHA256, "rsa-sha2-256", "SHA2-256"},
    {TYPE_RSA_SHA512, "rsa-sha2-512", "SHA2-512"},
};

struct ssh_host_key_pair {
	EVP_PKEY *pkey; /* owned */
	unsigned types;
	size_t blob_len;
	uint8_t blob[BLOB_MAX];
};

static const struct type *
type_row(unsigned type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

/* What a key can do; 0: nothing, it is not of a kind that is taken. */
static unsigned
types_of(EVP_PKEY *pkey)
{
	char group[32];
	size_t len = 0;

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return TYPE_ED25519;
	if (EVP_PKEY_is_a(pkey, "EC"))
		return EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
			       span_eq_str(span_of(group, len), "prime256v1")
			   ? TYPE_P256
			   : 0;
	if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= HOST_RSA_BITS_MIN &&
	    EVP_PKEY_get_bits(pkey) <= HOST_RSA_BITS_MAX)
		return TYPE_RSA_SHA256 | TYPE_RSA_SHA512;
	return 0;
}

/* ---- the public key ---- */

static bool
put_number(struct wr *w, EVP_PKEY *pkey, const char *what)
{
	uint8_t buf[MODULUS_MAX];
	BIGNUM *n = NULL;
	bool good =
	    EVP_PKEY_get_bn_param(pkey, what, &n) == 1 && BN_num_bytes(n) <= (int)sizeof(buf);

	if (good)
		ssh_wr_mpint(w, span_of(buf, (size_t)BN_bn2bin(n, buf)));
	BN_free(n);
	return good;
}

static bool
put_point(struct wr *w, EVP_PKEY *pkey)
{
	uint8_t point[POINT_BYTES];
	size_t n = 0;

	/* always the uncompressed form, whatever the file has */
	if (EVP_PKEY_get_octet_string_param(
		pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &n) != 1 ||
	    n != sizeof(point))
		return false;
	ssh_wr_string(w, SPAN_LIT("nistp256"));
	ssh_wr_string(w, span_of(point, n));
	return true;
}

static bool
make_blob(struct ssh_host_key_pair *k)
{
	struct wr w = wr_of(k->blob, sizeof(k->blob));
	uint8_t public[32];
	size_t n = sizeof(public);
	bool good;

	if (k->types == TYPE_ED25519) {
		ssh_wr_string(&w, SPAN_LIT("ssh-ed25519"));
		good = EVP_PKEY_get_raw_public_key(k->pkey, public, &n) == 1;
		ssh_wr_string(&w, span_of(public, n));
	} else if (k->types == TYPE_P256) {
		ssh_wr_string(&w, SPAN_LIT("ecdsa-sha2-nistp256"));
		good = put_point(&w, k->pkey);
	} else {
		ssh_wr_string(&w, SPAN_LIT("ssh-rsa"));
		good = put_number(&w, k->pkey, OSSL_PKEY_PARAM_RSA_E) &&
		       put_number(&w, k->pkey, OSSL_PKEY_PARAM_RSA_N);
	}
	k->blob_len = w.len;
	return good && !w.bad;
}

/* Does a signature of each type verify with the blob?  A damaged private key would give signatures
 * that clients refuse, and faulty ones of RSA give it away. */
static bool
proves_itself(const struct ssh_host_key_pair *k)
{
	uint8_t sig[SSH_SIG_BLOB_MAX];
	struct span data = SPAN_LIT("a host key proves itself");

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		size_t n = 0;

		if ((k->types & types[i].type) == 0)
			continue;
		if (ssh_host_key_sign(k, types[i].type, data, sig, sizeof(sig), &n) != SP_OK ||
		    ssh_key_verify(ssh_host_key_blob(k), span_str(types[i].name), data,
			span_of(sig, n), false) != SP_OK)
			return false;
	}
	return true;
}

int
ssh_host_key_load(struct span pem, struct ssh_host_key_pair **ret)
{
	EVP_PKEY *pkey = pkey_from_pem(pem);
	struct ssh_host_key_pair *k;
	unsigned can;

	if (pkey == NULL)
		return SP_ESYNTAX;
	can = types_of(pkey);
	k = can != 0 ? mem_alloc(sizeof(*k)) : NULL;
	if (k == NULL) {
		EVP_PKEY_free(pkey);
		ERR_clear_error();
		return can != 0 ? SP_ENOMEM : SP_ERANGE;
	}
	k->pkey = pkey;
	k->types = can;
	if (!make_blob(k) || !proves_itself(k)) {
		ERR_clear_error();
		ssh_host_key_free(k);
		return SP_ESYNTAX;
	}
	*ret = k;
	return SP_OK;
}

void
ssh_host_key_free(struct ssh_host_key_pair *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey); /* wipes the private numbers */
	mem_free(k);
}

unsigned
ssh_host_key_types(const struct ssh_host_key_pair *k)
{
	return k->types;
}

const char *
ssh_host_key_name(unsigned type)
{
	const struct type *t = type_row(type);

	return t != NULL ? t->name : NULL;
}

struct span
ssh_host_key_blob(const struct ssh_host_key_pair *k)
{
	return span_of(k->blob, k->blob_len);
}

/* ---- signing ---- */

/* RFC 5656 section 3.1.2: mpint r, mpint s, out of OpenSSL's DER. */
static bool
put_ecdsa(struct wr *w, struct span der)
{
	const unsigned char *p = der.ptr;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	uint8_t r[NUMBER_BYTES], s[NUMBER_BYTES], body[2 * (NUMBER_BYTES + 5)];
	struct wr b = wr_of(body, sizeof(body));
	bool good = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, sizeof(r)) == sizeof(r) &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, sizeof(s)) == sizeof(s);

	ECDSA_SIG_free(sig);
	if (!good)
		return false;
	ssh_wr_mpint(&b, span_of(r, sizeof(r)));
	ssh_wr_mpint(&b, span_of(s, sizeof(s)));
	VERIFY(!b.bad);
	ssh_wr_string(w, wr_span(&b));
	return true;
}

int
ssh_host_key_sign(const struct ssh_host_key_pair *k, unsigned type, struct span data, uint8_t *out,
    size_t cap, size_t *ret_len)
{
	const struct type *t = type_row(type);
	uint8_t native[NATIVE_MAX];
	size_t n = sizeof(native);
	struct wr w = wr_of(out, cap);
	EVP_MD_CTX *ctx;
	bool good;

	if (t == NULL || (k->types & type) == 0)
		return SP_ERANGE;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return SP_ENOMEM;
	good = EVP_DigestSignInit_ex(ctx, NULL, t->digest, NULL, NULL, k->pkey, NULL) == 1 &&
	       EVP_DigestSign(ctx, native, &n, data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	ssh_wr_string(&w, span_str(t->name));
	if (good && type == TYPE_P256)
		good = put_ecdsa(&w, span_of(native, n));
	else if (good)
		ssh_wr_string(&w, span_of(native, n));
	ERR_clear_error();
	if (!good)
		return SP_ECRYPTO;
	if (w.bad)
		return SP_ESPACE;
	*ret_len = w.len;
	return SP_OK;
}

int
ssh_host_key_make(unsigned type, uint8_t *pem, size_t cap, size_t *ret_len)
{
	EVP_PKEY *pkey = NULL;
	int r;

	if (type == TYPE_ED25519)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (type == TYPE_P256)
		pkey = EVP_EC_gen("P-256");
	else if (type == TYPE_RSA_SHA256)
		pkey = EVP_RSA_gen(HOST_RSA_BITS_NEW);
	else
		return SP_ERANGE;
	r = pkey != NULL ? pkey_to_pem(pkey, pem, cap, ret_len) : SP_ECRYPTO;
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return r;
}
