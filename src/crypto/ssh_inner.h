/* ssh_inner.h - what the ssh_*.c files share; for them and their tests alone. */
#ifndef SP_CRYPTO_SSH_INNER_H
#define SP_CRYPTO_SSH_INNER_H

#include <openssl/evp.h>

#include "base/wire.h"
#include "crypto/crypto.h"

struct ssh_kex_row;

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
