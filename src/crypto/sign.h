/* sign.h - signatures with a server's certificate key, by TLS SignatureScheme.
 *
 * What may be signed is decided elsewhere (proto/tls/tls_input.h); here is only which key fits
 * which scheme.
 */
#ifndef SP_CRYPTO_SIGN_H
#define SP_CRYPTO_SIGN_H

#include "crypto/crypto.h"

#define SIGN_MAX 1024u /* bytes of the longest signature: RSA of 8192 bits */

struct sign_key; /* opaque: a private key */

/* sign_prepare - once, before a key is loaded: private numbers get memory that is locked, guarded
 * and not dumped. errors  SP_ESYS: the kernel refuses to lock it */
int sign_prepare(void) MUST_USE;

/* sign_key_load - a private key from PEM (PKCS#8 or the key's own form, not encrypted).
 *   ret     owned by the caller
 *   errors  SP_ESYNTAX (no such key in it), SP_ERANGE (not ECDSA P-256 or P-384, RSA of 2048 to
 * 8192 bits, or Ed25519), SP_ENOMEM */
int sign_key_load(struct span pem, struct sign_key **ret) MUST_USE;
void sign_key_free(struct sign_key *k); /* accepts NULL; wipes */
/* sign_key_name - "ECDSA P-256" and the like, static. */
const char *sign_key_name(const struct sign_key *k);

/* sign_fits - may this key be used with a SignatureScheme?
 *   scheme  ecdsa_secp256r1_sha256 0x0403, ecdsa_secp384r1_sha384 0x0503, rsa_pkcs1_sha256/384/512
 * 0x0401 0x0501 0x0601, rsa_pss_rsae_sha256/384/512 0x0804 0x0805 0x0806, ed25519 0x0807 tls13 RFC
 * 8446 section 4.2.3: no rsa_pkcs1, and the scheme's curve is the key's; in TLS 1.2 the ECDSA
 * schemes name the hash only (RFC 8446 section 4.2.3, "backward compatibility") */
bool sign_fits(const struct sign_key *k, uint16_t scheme, bool tls13);

/* sign_make - sign the whole input.
 *   out, cap  SIGN_MAX bytes are enough; *ret_len used
 *   errors    SP_ERANGE (the scheme does not fit the key at all), SP_ESPACE, SP_ECRYPTO */
int sign_make(const struct sign_key *k, uint16_t scheme, struct span input, uint8_t *out,
    size_t cap, size_t *ret_len) MUST_USE;
#endif
