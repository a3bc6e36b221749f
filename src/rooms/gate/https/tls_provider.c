/* tls_provider.c - see tls_provider.h; the interface is provider-keymgmt(7) and
 * provider-signature(7). */
#include "rooms/gate/https/tls_provider.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "base/mem.h"
#include "sys/fd.h"

#define PROVIDER "sallyport"
#define PARAM_SIGNER "sallyport-signer" /* import: the bytes of a struct tls_signer pointer */
#define SIGNATURE_NAME                                                                             \
	"SALLYPORT-SIGN" /* a name that no other provider has, so ours is the one that is fetched  \
			  */

/* OpenSSL's dispatch tables hold all functions as one type. */
#define DISPATCH(id, fn)                                                                           \
	{                                                                                          \
		(id), (void (*)(void))(fn)                                                         \
	}
#define DISPATCH_END                                                                               \
	{                                                                                          \
		0, NULL                                                                            \
	}

/* ---- keys ---- */

struct key {
	const char *type;	   /* "EC", "RSA", "ED25519" */
	EVP_PKEY *public_key;	   /* owned; of the default provider; NULL until import */
	struct tls_signer *signer; /* borrowed; NULL: a public key only */
};

static void *
key_new(const char *type)
{
	struct key *k = mem_alloc(sizeof(*k));

	if (k != NULL)
		k->type = type;
	return k;
}

static void *
key_new_ec(void *provctx)
{
	(void)provctx;
	return key_new("EC");
}

static void *
key_new_rsa(void *provctx)
{
	(void)provctx;
	return key_new("RSA");
}

static void *
key_new_ed25519(void *provctx)
{
	(void)provctx;
	return key_new("ED25519");
}

static void
key_free(void *keydata)
{
	struct key *k = keydata;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public_key);
	mem_free(k);
}

static int
key_has(const void *keydata, int selection)
{
	const struct key *k = keydata;

	if (k == NULL || k->public_key == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || k->signer != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key *x = a, *y = b;

	(void)selection; /* the public half is all there is to compare */
	return x->public_key != NULL && y->public_key != NULL &&
	       EVP_PKEY_eq(x->public_key, y->public_key) == 1;
}

static int
key_import(void *keydata, int selection, const OSSL_PARAM params[])
{
	struct key *k = keydata;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
	EVP_PKEY_CTX *ctx;
	int good;

	if (k->public_key != NULL || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
		return 0;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, "provider=default");
	good = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	       EVP_PKEY_fromdata(
		   ctx, &k->public_key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (good && p != NULL && p->data_type == OSSL_PARAM_OCTET_STRING &&
	    p->data_size == sizeof(k->signer))
		memcpy(&k->signer, p->data, sizeof(k->signer));
	return good;
}

/* key_export - the public half to other providers.  Asked for a private key too, it fails: OpenSSL
 * then comes back to this provider for the signature. */
static int
key_export(void *keydata, int selection, OSSL_CALLBACK *cb, void *arg)
{
	struct key *k = keydata;

	if (k->public_key == NULL || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return 0;
	return EVP_PKEY_export(k->public_key, selection, cb, arg);
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
	    OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0),
	    OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

static int
key_get_params(void *keydata, OSSL_PARAM params[])
{
	struct key *k = keydata;

	return k->public_key != NULL && EVP_PKEY_get_params(k->public_key, params) == 1;
}

static const OSSL_PARAM *
key_gettable(void *provctx)
{
	static const OSSL_PARAM gettable[] = {
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
	    OSSL_PARAM_END,
	};

	(void)provctx;
	return gettable;
}

static const char *
key_operation_name(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? SIGNATURE_NAME : NULL;
}

#define KEYMGMT(new_fn)                                                                            \
	DISPATCH(OSSL_FUNC_KEYMGMT_NEW, new_fn), DISPATCH(OSSL_FUNC_KEYMGMT_FREE, key_free),       \
	    DISPATCH(OSSL_FUNC_KEYMGMT_HAS, key_has),                                              \
	    DISPATCH(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                          \
	    DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                        \
	    DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                   \
	    DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                        \
	    DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                   \
	    DISPATCH(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                \
	    DISPATCH(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                             \
	    DISPATCH(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_name), DISPATCH_END

static const OSSL_DISPATCH keymgmt_ec[] = {KEYMGMT(key_new_ec)};
static const OSSL_DISPATCH keymgmt_rsa[] = {KEYMGMT(key_new_rsa)};
static const OSSL_DISPATCH keymgmt_ed25519[] = {KEYMGMT(key_new_ed25519)};

/* ---- signatures ---- */

struct signature {
	struct key *key; /* borrowed from the EVP_PKEY, which OpenSSL holds as long */
	int hash;	 /* NID_sha256 and so on; NID_undef: none was named */
	bool pss;
};

static void *
signature_new(void *provctx, const char *propq)
{
	(void)provctx;
	(void)propq;
	return mem_alloc(sizeof(struct signature));
}

static void
signature_free(void *ctx)
{
	mem_free(ctx);
}

static int
hash_of(const char *name)
{
	static const struct {
		const char *name;
		int nid;
	} hashes[] = {{"SHA256", NID_sha256}, {"SHA2-256", NID_sha256}, {"SHA384", NID_sha384},
	    {"SHA2-384", NID_sha384}, {"SHA512", NID_sha512}, {"SHA2-512", NID_sha512}};

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (span_ieq_str(span_str(name), hashes[i].name))
			return hashes[i].nid;
	return NID_undef;
}

/* set_params - RSA's padding; a salt as long as the digest is the only one that TLS has. */
static int
signature_set(void *ctx, const OSSL_PARAM params[])
{
	struct signature *s = ctx;
	const OSSL_PARAM *p =
	    params != NULL ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
	int pad;

	if (p == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		pad = span_eq_str(span_of(p->data, p->data_size), OSSL_PKEY_RSA_PAD_MODE_PSS)
			  ? RSA_PKCS1_PSS_PADDING
			  : RSA_PKCS1_PADDING;
	else if (OSSL_PARAM_get_int(p, &pad) != 1)
		return 0;
	s->pss = pad == RSA_PKCS1_PSS_PADDING;
	return s->pss || pad == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signature_settable(void *ctx, void *provctx)
{
	static const OSSL_PARAM settable[] = {
	    OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL),
	    OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL),
	    OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provctx;
	return settable;
}

static int
signature_init(void *ctx, const char *mdname, void *provkey, const OSSL_PARAM params[])
{
	struct signature *s = ctx;
	struct key *key = provkey;

	if (key != NULL)
		s->key = key;
	s->hash = mdname != NULL ? hash_of(mdname) : NID_undef;
	s->pss = false;
	return s->key != NULL && s->key->signer != NULL && signature_set(s, params);
}

/* scheme_of - the TLS SignatureScheme (RFC 8446 section 4.2.3); 0: none that TLS has. */
static uint16_t
scheme_of(const struct signature *s)
{
	static const struct {
		const char *type;
		int hash;
		bool pss;
		uint16_t scheme;
	} schemes[] = {
	    {"EC", NID_sha256, false, 0x0403},
	    {"EC", NID_sha384, false, 0x0503},
	    {"RSA", NID_sha256, false, 0x0401},
	    {"RSA", NID_sha384, false, 0x0501},
	    {"RSA", NID_sha512, false, 0x0601},
	    {"RSA", NID_sha256, true, 0x0804},
	    {"RSA", NID_sha384, true, 0x0805},
	    {"RSA", NID_sha512, true, 0x0806},
	    {"ED25519", NID_undef, false, 0x0807},
	};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_eq_str(span_str(s->key->type), schemes[i].type) &&
		    schemes[i].hash == s->hash && schemes[i].pss == s->pss)
			return schemes[i].scheme;
	return 0;
}

/* take_signature - the signer's answer, straight into the caller's buffer. */
static int
take_signature(struct tls_signer *signer, uint8_t *sig, size_t cap, size_t *ret_len)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_tls_signature r;
	struct chan_msg m;
	int err;

	if (buf == NULL)
		return SP_ENOMEM;
	err = sock_wait(signer->chan->fd, false, signer->timeout_ms);
	if (err != SP_OK)
		return err;
	err = chan_recv(signer->chan, PH_ANY, false, buf, IPC_MAX, &m);
	if (err != 1)
		return err < 0 ? err : SP_EUNAVAIL;
	err = m.id == IPC_TLS_SIGNATURE ? ipc_get_tls_signature(m.body, &r) : SP_EDENIEDMSG;
	chan_msg_done(&m);
	if (err != SP_OK)
		return err;
	if (r.err != 0 || r.signature.len == 0 || r.signature.len > cap)
		return SP_EUNAVAIL;
	memcpy(sig, r.signature.ptr, r.signature.len);
	*ret_len = r.signature.len;
	return SP_OK;
}

/* digest_sign - the whole of what TLS signs, in one call. */
static int
signature_make(
    void *ctx, uint8_t *sig, size_t *siglen, size_t sigsize, const uint8_t *tbs, size_t tbslen)
{
	struct signature *s = ctx;
	struct tls_signer *signer = s->key->signer;
	struct ipc_tls_sign m = {.scheme = scheme_of(s), .input = span_of(tbs, tbslen)};

	if (sig == NULL) {
		*siglen = (size_t)EVP_PKEY_get_size(s->key->public_key);
		return 1;
	}
	signer->err = m.scheme != 0 ? chan_send_tls_sign(signer->chan, &m, -1) : SP_ERANGE;
	if (signer->err == SP_OK)
		signer->err = take_signature(signer, sig, sigsize, siglen);
	return signer->err == SP_OK;
}

static const OSSL_DISPATCH signature_functions[] = {
    DISPATCH(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
    DISPATCH(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_init),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_make),
    DISPATCH(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set),
    DISPATCH(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
    DISPATCH_END,
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *
provider_query(void *provctx, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
	    {"EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" PROVIDER, keymgmt_ec, NULL},
	    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" PROVIDER, keymgmt_rsa, NULL},
	    {"ED25519:1.3.101.112", "provider=" PROVIDER, keymgmt_ed25519, NULL},
	    {NULL, NULL, NULL, NULL},
	};
	static const OSSL_ALGORITHM signatures[] = {
	    {SIGNATURE_NAME, "provider=" PROVIDER, signature_functions, NULL},
	    {NULL, NULL, NULL, NULL},
	};

	(void)provctx;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keys;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
    void **provctx)
{
	static const OSSL_DISPATCH functions[] = {
	    DISPATCH(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	    DISPATCH_END,
	};

	(void)in;
	*out = functions;
	*provctx = (void *)(uintptr_t)handle;
	return 1;
}

int
tls_provider_load(void)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return SP_ECRYPTO;
	if (OSSL_PROVIDER_available(NULL, PROVIDER) == 1)
		return SP_OK;
	/* everything but the one key comes from "default" */
	if (OSSL_PROVIDER_load(NULL, "default") == NULL ||
	    EVP_set_default_properties(NULL, "?provider=default") != 1 ||
	    OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) != 1 ||
	    OSSL_PROVIDER_load(NULL, PROVIDER) == NULL)
		return SP_ECRYPTO;
	return SP_OK;
}

static bool
is_known_type(EVP_PKEY *pkey, const char **ret)
{
	static const char *const types[] = {"EC", "RSA", "ED25519"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (EVP_PKEY_is_a(pkey, types[i])) {
			*ret = types[i];
			return true;
		}
	return false;
}

int
tls_provider_key(EVP_PKEY *public_key, struct tls_signer *signer, EVP_PKEY **ret)
{
	OSSL_PARAM link[] = {
	    OSSL_PARAM_construct_octet_string(PARAM_SIGNER, &signer, sizeof(signer)),
	    OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM *half = NULL, *all = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey = NULL;
	const char *type;
	int good;

	if (!is_known_type(public_key, &type))
		return SP_ERANGE;
	good = EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &half) == 1 &&
	       (all = OSSL_PARAM_merge(half, link)) != NULL &&
	       (ctx = EVP_PKEY_CTX_new_from_name(NULL, type, "provider=" PROVIDER)) != NULL &&
	       EVP_PKEY_fromdata_init(ctx) == 1 &&
	       EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, all) == 1;
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(all);
	OSSL_PARAM_free(half);
	if (!good)
		return SP_ECRYPTO;
	*ret = pkey;
	return SP_OK;
}
