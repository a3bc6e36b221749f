/* ssh_kex.c - see ssh_kex.h. */
#include "crypto/ssh_kex.h"
#include "crypto/ssh_inner.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define MPINT_MAX (4 + 1 + SSH_K_MAX)
#define SESSION_MAX 64u	 /* bytes of a session identifier: the hash of any method */
#define DERIVED_MAX 256u /* bytes that anybody needs of one key */

static const struct ssh_kex_row rows[] = {
    {"curve25519-sha256", SSH_KEX_ID_CURVE25519, 32, 32, 32, false},
    {"ecdh-sha2-nistp256", SSH_KEX_ID_NISTP256, 65, 32, 32, true},
    {"ecdh-sha2-nistp384", SSH_KEX_ID_NISTP384, 97, 48, 48, true},
};

const struct ssh_kex_row *
ssh_kex_rows(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(rows);
	return rows;
}

const struct ssh_kex_row *
ssh_kex_row(enum ssh_kex_id id)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static int
failed(void)
{
	ERR_clear_error();
	return SP_ECRYPTO;
}

/* OpenSSL's name of the curve; NULL: X25519. */
static const char *
group_of(const struct ssh_kex_row *row)
{
	switch (row->id) {
	case SSH_KEX_ID_NISTP256:
		return "P-256";
	case SSH_KEX_ID_NISTP384:
		return "P-384";
	case SSH_KEX_ID_CURVE25519:
		break;
	}
	return NULL;
}

static const char *
hash_of(const struct ssh_kex_row *row)
{
	return row->hash_len == 48 ? "SHA2-384" : "SHA2-256";
}

/* ---- agreement ---- */

/* A key pair and its public value; NULL on failure. */
static EVP_PKEY *
pair_new(const struct ssh_kex_row *row, uint8_t *q)
{
	const char *group = group_of(row);
	EVP_PKEY *key = group != NULL ? EVP_EC_gen(group) : EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t n = 0;

	if (key != NULL &&
	    EVP_PKEY_get_octet_string_param(
		key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, q, row->q_len, &n) == 1 &&
	    n == row->q_len)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static void
free_pkey_ctx(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

int
ssh_kex_secret(const struct ssh_kex_row *row, EVP_PKEY *own, struct span q, uint8_t *ret_k)
{
	static const uint8_t zero[SSH_K_MAX];
	const char *group = group_of(row);
	DEFER(ssh_free_pkey) EVP_PKEY *peer = NULL;
	DEFER(free_pkey_ctx) EVP_PKEY_CTX *ctx = NULL;
	uint8_t k[SSH_K_MAX];
	size_t n = row->k_len;
	bool good;

	if (q.len != row->q_len)
		return SP_ERANGE;
	peer = group != NULL ? ssh_ec_public(group, q)
			     : EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, q.ptr, q.len);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	/* ssh_ec_public has checked the point: it is not checked a second time here */
	good = peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	       EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 && EVP_PKEY_derive(ctx, k, &n) == 1 &&
	       n == row->k_len;
	/* RFC 8731 section 3: "MUST check whether the computed Diffie-Hellman shared secret is the
	 * all-zero value" */
	if (good && secret_eq(span_of(k, n), span_of(zero, n)))
		good = false;
	if (good)
		memcpy(ret_k, k, n);
	mem_wipe(k, sizeof(k));
	ERR_clear_error();
	return good ? SP_OK : SP_ECRYPTO;
}

int
ssh_kex_agree(
    enum ssh_kex_id id, struct span q_c, uint8_t ret_q_s[SSH_Q_MAX], uint8_t ret_k[SSH_K_MAX])
{
	const struct ssh_kex_row *row = ssh_kex_row(id);
	DEFER(ssh_free_pkey) EVP_PKEY *own = NULL; /* wiped as it is freed */
	uint8_t q[SSH_Q_MAX];
	int r;

	if (row == NULL || q_c.len != row->q_len)
		return SP_ERANGE;
	own = pair_new(row, q);
	if (own == NULL)
		return failed();
	r = ssh_kex_secret(row, own, q_c, ret_k);
	if (r == SP_OK)
		memcpy(ret_q_s, q, row->q_len);
	return r;
}

/* ---- hashes ---- */

/* A hash that has begun; NULL on failure. */
static EVP_MD_CTX *
hash_new(const struct ssh_kex_row *row)
{
	EVP_MD *md = EVP_MD_fetch(NULL, hash_of(row), NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = md != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

	EVP_MD_free(md); /* the context keeps its own reference */
	if (good)
		return ctx;
	EVP_MD_CTX_free(ctx);
	return NULL;
}

static bool
add(EVP_MD_CTX *ctx, struct span s)
{
	return EVP_DigestUpdate(ctx, s.ptr, s.len) == 1;
}

static bool
add_string(EVP_MD_CTX *ctx, struct span s)
{
	uint8_t n[4];
	struct wr w = wr_of(n, sizeof(n));

	wr_uint(&w, s.len, 4);
	return s.len <= UINT32_MAX && add(ctx, wr_span(&w)) && add(ctx, s);
}

static bool
add_secret(EVP_MD_CTX *ctx, struct span k)
{
	uint8_t buf[MPINT_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	bool good;

	ssh_wr_mpint(&w, k);
	VERIFY(!w.bad);
	good = add(ctx, wr_span(&w));
	mem_wipe(buf, sizeof(buf));
	return good;
}

static bool
finish(EVP_MD_CTX *ctx, const struct ssh_kex_row *row, uint8_t *out)
{
	unsigned n = 0;

	return EVP_DigestFinal_ex(ctx, out, &n) == 1 && n == row->hash_len;
}

int
ssh_exchange_hash(const struct ssh_exchange *e, uint8_t ret[SSH_HASH_MAX])
{
	const struct ssh_kex_row *row = ssh_kex_row(e->id);
	DEFER(ssh_free_md) EVP_MD_CTX *ctx = NULL;

	if (row == NULL || e->q_c.len != row->q_len || e->q_s.len != row->q_len ||
	    e->k.len != row->k_len)
		return SP_ERANGE;
	ctx = hash_new(row);
	if (ctx == NULL || !add_string(ctx, e->v_c) || !add_string(ctx, e->v_s) ||
	    !add_string(ctx, e->i_c) || !add_string(ctx, e->i_s) || !add_string(ctx, e->k_s) ||
	    !add_string(ctx, e->q_c) || !add_string(ctx, e->q_s) || !add_secret(ctx, e->k) ||
	    !finish(ctx, row, ret))
		return failed();
	return SP_OK;
}

/* One step of RFC 4253 section 7.2: HASH(K || H || X || session_id), or HASH(K || H || all before).
 */
static bool
derive_step(const struct ssh_kex_row *row, struct span k, struct span h, struct span rest,
    struct span session, uint8_t block[SSH_HASH_MAX])
{
	DEFER(ssh_free_md) EVP_MD_CTX *ctx = hash_new(row);

	return ctx != NULL && add_secret(ctx, k) && add(ctx, h) && add(ctx, rest) &&
	       add(ctx, session) && finish(ctx, row, block);
}

int
ssh_derive_key(enum ssh_kex_id id, struct span k, struct span h, char letter, struct span session,
    uint8_t *out, size_t len)
{
	const struct ssh_kex_row *row = ssh_kex_row(id);
	uint8_t block[SSH_HASH_MAX], first = (uint8_t)letter;
	bool good = true;

	if (row == NULL || k.len != row->k_len || h.len != row->hash_len || session.len == 0 ||
	    session.len > SESSION_MAX || letter < 'A' || letter > 'F' || len > DERIVED_MAX)
		return SP_ERANGE;
	for (size_t done = 0; good && done < len; done += row->hash_len) {
		size_t part = len - done < row->hash_len ? len - done : row->hash_len;

		if (done == 0)
			good = derive_step(row, k, h, span_of(&first, 1), session, block);
		else
			good = derive_step(row, k, h, span_of(out, done), span_of(NULL, 0), block);
		if (good)
			memcpy(out + done, block, part);
	}
	mem_wipe(block, sizeof(block));
	if (good)
		return SP_OK;
	mem_wipe(out, len);
	return failed();
}

/* ---- before the sandbox ---- */

static int
try_one(const struct ssh_kex_row *row)
{
	uint8_t q_c[SSH_Q_MAX], q_s[SSH_Q_MAX], k[SSH_K_MAX], h[SSH_HASH_MAX], key[1];
	DEFER(ssh_free_pkey) EVP_PKEY *peer = pair_new(row, q_c);
	struct span q = span_of(q_c, row->q_len), none = span_of(NULL, 0);
	struct ssh_exchange e = {row->id, none, none, none, none, none, q, q, none};
	int r;

	if (peer == NULL)
		return failed();
	r = ssh_kex_agree(row->id, q, q_s, k);
	e.k = span_of(k, row->k_len);
	if (r == SP_OK)
		r = ssh_exchange_hash(&e, h);
	if (r == SP_OK)
		r = ssh_derive_key(row->id, e.k, span_of(h, row->hash_len), 'A',
		    span_of(h, row->hash_len), key, sizeof(key));
	return r;
}

int
ssh_kex_ready(void)
{
	int r = SP_OK;

	/* P-384 goes the way of P-256, and is slow enough to be felt at the start of every worker */
	for (size_t i = 0; r == SP_OK && i < ARRAY_LEN(rows); i++)
		if (rows[i].id != SSH_KEX_ID_NISTP384)
			r = try_one(&rows[i]);
	return r;
}
