/* ssh_inner.h - what the ssh_*.c files share; for them and their tests alone. */
#ifndef SP_CRYPTO_SSH_INNER_H
#define SP_CRYPTO_SSH_INNER_H

#include <openssl/evp.h>

#include "base/wire.h"
#include "crypto/crypto.h"

struct ssh_kex_row;

enum ssh_kind {
#define KEY(kind, blob, certificate, fields, group, curve) SSH_KIND_##kind,
#define SIG(kind, fips, name, certificate, digest)
#include "crypto/ssh_alg.def"
#undef KEY
#undef SIG
};
struct ssh_kind_row {
	enum ssh_kind kind;
	const char *blob, *certificate;
	unsigned fields;
	const char *group, *curve;
};
struct ssh_sig_row {
	enum ssh_kind kind;
	bool fips;
	const char *name, *certificate, *digest;
};
/* A public key, taken apart; spans into its blob. */
struct ssh_public {
	const struct ssh_kind_row *row;
	struct span point;	 /* ECDSA: uncompressed; Ed25519: 32 bytes */
	struct span e, n;	 /* RSA, without leading zeros */
	struct span application; /* sk- keys */
};

/* ssh_kind_by_blob, ssh_kind_by_certificate - the row with that name; NULL: none. */
const struct ssh_kind_row *ssh_kind_by_blob(struct span name);
const struct ssh_kind_row *ssh_kind_by_certificate(struct span name);
const struct ssh_kind_row *ssh_kind_of(enum ssh_kind kind);
/* ssh_sig_by_name - the row of a signature algorithm, by its plain name or by its certificate name; NULL: none. */
const struct ssh_sig_row *ssh_sig_by_name(struct span name);

/* ssh_public_parse - take a public key blob apart and check all but what needs arithmetic of curves.
 *   errors  SP_ESYNTAX, SP_ERANGE: as ssh_key_check */
int ssh_public_parse(struct span blob, struct ssh_public *ret) MUST_USE;
/* ssh_public_pkey - OpenSSL's form of it; a point has to be on its curve.
 *   returns NULL: it is not, or no memory; owned by the caller */
EVP_PKEY *ssh_public_pkey(const struct ssh_public *p) MUST_USE;

/* ssh_rsa_public - from modulus and exponent, unsigned big-endian; NULL on failure. */
EVP_PKEY *ssh_rsa_public(struct span n, struct span e) MUST_USE;

#define SSH_EC_POINT_MAX 133u /* bytes: uncompressed, of P-521 */

/* ssh_rd_string, ssh_wr_string - `string` of RFC 4251 section 5. */
static inline struct span
ssh_rd_string(struct rd *r)
{
	return rd_take(r, (size_t)rd_uint(r, 4));
}
static inline void
ssh_wr_string(struct wr *w, struct span s)
{
	if (s.len > UINT32_MAX)
		w->bad = true;
	wr_uint(w, s.len, 4);
	wr_bytes(w, s);
}

/* ssh_wr_mpint - `mpint` of RFC 4251 section 5, of an unsigned big-endian number. */
static inline void
ssh_wr_mpint(struct wr *w, struct span n)
{
	while (n.len != 0 && n.ptr[0] == 0)
		n = span_skip(n, 1);
	if (n.len != 0 && n.ptr[0] >= 0x80) {
		wr_uint(w, n.len + 1, 4);
		wr_uint(w, 0, 1);
		wr_bytes(w, n);
	} else {
		ssh_wr_string(w, n);
	}
}

/* ssh_rd_mpint - the bytes of a positive mpint without its sign byte; sticky-bad when it is zero, negative or not the
 * shortest form. */
struct span ssh_rd_mpint(struct rd *r);

/* ssh_ec_public - a public key from an uncompressed point, which must be on the curve and not infinity.
 *   group  OpenSSL's name: "P-256"
 *   returns NULL when it is none, or without memory; owned by the caller */
EVP_PKEY *ssh_ec_public(const char *group, struct span point) MUST_USE;

/* ssh_kex_secret - the shared secret of one's own private key and the peer's public value; as ssh_kex_agree, which makes
 * the private key. */
int ssh_kex_secret(const struct ssh_kex_row *row, EVP_PKEY *own, struct span q, uint8_t *ret_k) MUST_USE;

/* ssh_free_pkey, ssh_free_md - for DEFER. */
static inline void
ssh_free_pkey(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
static inline void
ssh_free_md(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}
#endif
