/* ssh_kex.h - the cryptography of SSH's key exchange: ECDH and the derivation of keys. */
#ifndef SP_CRYPTO_SSH_KEX_H
#define SP_CRYPTO_SSH_KEX_H

#include "crypto/crypto.h"

/* The numbers of ipc.h's enum ssh_kex_method, which names them for the rooms. */
enum ssh_kex_id { SSH_KEX_ID_CURVE25519 = 1, SSH_KEX_ID_NISTP256 = 2, SSH_KEX_ID_NISTP384 = 3 };
#define SSH_Q_MAX 97u	 /* bytes of a public value: an uncompressed point of P-384 */
#define SSH_K_MAX 48u	 /* bytes of a shared secret */
#define SSH_HASH_MAX 48u /* bytes of an exchange hash: SHA-384 */

struct ssh_kex_row {
	const char *name; /* as in KEXINIT; curve25519-sha256 is also known as curve25519-sha256@libssh.org */
	enum ssh_kex_id id;
	uint8_t q_len, k_len, hash_len; /* bytes */
	bool fips;
};
/* ssh_kex_rows - all that are offered, best first; static.  OpenSSL 3.0 has neither ML-KEM nor sntrup761, so there is no
 * post-quantum hybrid. */
const struct ssh_kex_row *ssh_kex_rows(size_t *ret_n);
const struct ssh_kex_row *ssh_kex_row(enum ssh_kex_id id); /* NULL: no such method */

/* ssh_kex_ready - use everything here once, so that OpenSSL loads nothing later.  A room that agrees or hashes calls it after
 * crypto_ready and before its sandbox.  errors SP_ECRYPTO */
int ssh_kex_ready(void) MUST_USE;

/* ssh_kex_agree - make an ephemeral key pair and agree with the peer's public value, in one step; the private key is gone after it.
 *   q_c     the client's public value: q_len bytes (SP_ERANGE), a valid point, uncompressed (SP_ECRYPTO; RFC 5656 section 4, RFC 8731 section 3:
 *           an all-zero shared secret is refused)
 *   ret_q_s, ret_k  q_len and k_len bytes */
int ssh_kex_agree(enum ssh_kex_id id, struct span q_c, uint8_t ret_q_s[SSH_Q_MAX], uint8_t ret_k[SSH_K_MAX]) MUST_USE;

/* The inputs of an exchange hash. */
struct ssh_exchange {
	enum ssh_kex_id id;
	struct span v_c, v_s; /* version lines without CR LF */
	struct span i_c, i_s; /* payloads of KEXINIT */
	struct span k_s;      /* host key blob */
	struct span q_c, q_s;
	struct span k; /* k_len bytes, unsigned big-endian; encoded as mpint in the hash */
};
/* ssh_exchange_hash - H of RFC 4253 section 8, RFC 5656 section 4, RFC 8731 section 3: hash_len bytes.
 *   errors  SP_ERANGE (a public value or k is not of the method's length), SP_ECRYPTO */
int ssh_exchange_hash(const struct ssh_exchange *e, uint8_t ret[SSH_HASH_MAX]) MUST_USE;
/* ssh_derive_key - len bytes of key 'A' to 'F' (RFC 4253 section 7.2).
 *   h, session  the exchange hash, and the first one of the connection (of whichever method that had)
 *   errors      SP_ERANGE (a length is not the method's, no such letter, more than 256 bytes), SP_ECRYPTO */
int ssh_derive_key(enum ssh_kex_id id, struct span k, struct span h, char letter, struct span session, uint8_t *out,
    size_t len) MUST_USE;
#endif
