/* ssh_key.h - SSH keys: host keys that sign, users' public keys and certificates that are verified.
 *
 * A key blob is RFC 4253 section 6.6's: string algorithm, then what the algorithm says.  A signature blob is string
 * algorithm, string signature.
 */
#ifndef SP_CRYPTO_SSH_KEY_H
#define SP_CRYPTO_SSH_KEY_H

#include "crypto/crypto.h"

#define SSH_KEY_BLOB_MAX 4096u	 /* bytes of a public key blob */
#define SSH_CERT_BLOB_MAX 16384u /* bytes of a certificate */
#define SSH_SIG_BLOB_MAX 1200u	 /* bytes of a signature that we make */
#define SSH_FINGERPRINT_TEXT 52u /* "SHA256:" and 43 characters, NUL */

/* ---- users' keys ----
 * ssh-ed25519, ecdsa-sha2-nistp256/384/521, ssh-rsa (2048 to 16384 bits; signatures rsa-sha2-256 and -512 only),
 * sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com (PROTOCOL.u2f: user presence is required).
 * No DSA, no SHA-1. */

/* ssh_key_ready - use everything that verifies once, so that OpenSSL loads nothing later.  A room that verifies calls it after
 * crypto_ready and before its sandbox.  errors SP_ECRYPTO */
int ssh_key_ready(void) MUST_USE;

/* ssh_key_check - is this a public key of a kind that we accept, canonical, with a valid point or modulus?
 *   ret_type  its algorithm name, static ("ssh-ed25519"); NULL is allowed
 *   errors    SP_ESYNTAX (not a key blob, no valid point; an Ed25519 point of small order, which verifies anything),
 *             SP_ERANGE (a kind or size that is not accepted; a certificate is such a kind) */
int ssh_key_check(struct span blob, const char **ret_type) MUST_USE;
/* ssh_key_fingerprint - "SHA256:…" as ssh-keygen -l prints it. */
int ssh_key_fingerprint(struct span blob, char ret[SSH_FINGERPRINT_TEXT]) MUST_USE;
/* ssh_key_line - parse a line of an authorized_keys or .pub file: "type base64 comment" (no options: SP_ESYNTAX).
 *   out, cap     receives the blob, checked with ssh_key_check; SSH_KEY_BLOB_MAX bytes are enough
 *   ret_comment  points into line; may be empty; without control characters, but perhaps not UTF-8
 *   errors       SP_ESYNTAX, SP_ERANGE as ssh_key_check, SP_ESPACE */
int ssh_key_line(struct span line, uint8_t *out, size_t cap, size_t *ret_len, struct span *ret_comment) MUST_USE;
/* ssh_key_verify - check a signature blob over data.
 *   key        a plain key blob; of a certificate the one that ssh_cert_parse makes
 *   algorithm  the signature algorithm that was announced ("rsa-sha2-512"); the blob must name the same and it must fit the key.
 *              With a certificate it is announced under another name ("rsa-sha2-512-cert-v01@openssh.com"), while the signature
 *              blob has the plain one: both are taken here, the caller knows whether it looked at a certificate (ssh_cert_is)
 *   fips       only approved algorithms (no Ed25519, on sk- keys neither: see ssh_key_algorithms)
 * An RSA signature may lack zeros at its front (PuTTY leaves them away).
 *   errors     SP_EAUTH (does not verify), SP_ESYNTAX, SP_ERANGE (algorithm is not accepted or not this key's) */
int ssh_key_verify(struct span key, struct span algorithm, struct span data, struct span signature, bool fips) MUST_USE;
/* ssh_key_algorithms - comma-separated signature algorithms for users' keys (server-sig-algs), with certificates' names too. */
const char *ssh_key_algorithms(bool fips);

/* ---- users' certificates: PROTOCOL.certkeys ---- */
struct ssh_cert {
	struct span key;       /* public key blob of the user inside (made: see ssh_cert_parse) */
	struct span ca;	       /* key blob of the authority */
	struct span key_id;
	struct span principals; /* packed strings; see ssh_cert_principal */
	struct span critical, extensions;
	uint64_t serial, after, before; /* valid from `after` to just before `before`, seconds since 1970 */
	uint32_t type;			/* 1 user, 2 host */
	struct span signed_part, signature;
};
/* ssh_cert_principal - the next of the packed strings in *list (begin with a copy of `principals`); false at their end. */
bool ssh_cert_principal(struct span *list, struct span *ret);
/* ssh_cert_is - does the algorithm name say certificate (…-cert-v01@openssh.com)? */
bool ssh_cert_is(struct span algorithm);
/* ssh_cert_parse - take a certificate apart; nothing is verified yet.
 *   key_out, cap  receives the plain key blob of the user; SSH_KEY_BLOB_MAX
 *   ret           spans into blob and key_out
 *   errors        SP_ESYNTAX, SP_ERANGE (a kind, a type or an authority's key that is not accepted; over SSH_CERT_BLOB_MAX), SP_ESPACE */
int ssh_cert_parse(struct span blob, uint8_t *key_out, size_t cap, struct ssh_cert *ret) MUST_USE;
/* ssh_cert_verify - is it signed by its authority (whose trustworthiness the caller knows: compare ret->ca first)?
 *   errors  SP_EAUTH, SP_ESYNTAX, SP_ERANGE (authority's algorithm) */
int ssh_cert_verify(const struct ssh_cert *c, bool fips) MUST_USE;
/* ssh_cert_allows - for a user, now, from this address?
 *   user      the login name; a certificate without principals is refused (OpenSSH takes it for any user: we do not)
 *   now_s     seconds since 1970
 *   address   the client's address without port, text
 *   ret_why   on SP_EAUTH: what is wrong, static text for the audit log
 *   errors    SP_EAUTH
 * Critical options: source-address (CIDR list, as OpenSSH) is obeyed; verify-required, force-command other than "internal-sftp"
 * and everything unknown refuse.  Extensions are not looked at: they allow terminals and forwarding, which nobody gets. */
int ssh_cert_allows(const struct ssh_cert *c, struct span user, uint64_t now_s, struct span address, const char **ret_why) MUST_USE;

/* ---- host keys ---- */
struct ssh_host_key_pair; /* opaque; owns private numbers in locked memory (sign_prepare of sign.h) */
/* ssh_host_key_load - a private key from PEM (PKCS#8 or the key's own form, not encrypted): Ed25519, ECDSA P-256, RSA of 3072 to 8192 bits.
 *   errors  SP_ESYNTAX, SP_ERANGE, SP_ENOMEM */
int ssh_host_key_load(struct span pem, struct ssh_host_key_pair **ret) MUST_USE;
void ssh_host_key_free(struct ssh_host_key_pair *k); /* accepts NULL */
/* ssh_host_key_types - set of the signature algorithms it can do: 1 ssh-ed25519, 2 ecdsa-sha2-nistp256, 4 rsa-sha2-256, 8 rsa-sha2-512
 * (ipc.h's enum ssh_host_key).  ssh_host_key_name - name of one of those. */
unsigned ssh_host_key_types(const struct ssh_host_key_pair *k);
const char *ssh_host_key_name(unsigned type);
/* ssh_host_key_blob - the public key; borrowed from k. */
struct span ssh_host_key_blob(const struct ssh_host_key_pair *k);
/* ssh_host_key_sign - a signature blob over data (an exchange hash). */
int ssh_host_key_sign(const struct ssh_host_key_pair *k, unsigned type, struct span data, uint8_t *out, size_t cap,
    size_t *ret_len) MUST_USE;
/* ssh_host_key_make - a new private key as PEM (PKCS#8).  type: 1, 2 or 4 (RSA 3072 bits).  pem: 8 KiB are enough; wipe it. */
int ssh_host_key_make(unsigned type, uint8_t *pem, size_t cap, size_t *ret_len) MUST_USE;
#endif
