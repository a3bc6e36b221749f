/* certificate.h - a certificate for a new instance, and whether a given one belongs to its key. */
#ifndef SP_CRYPTO_CERTIFICATE_H
#define SP_CRYPTO_CERTIFICATE_H

#include "base/text.h"
#include "crypto/crypto.h"

/* certificate_make - a self-signed ECDSA P-256 certificate and its key, both PEM.
 *   host       subject and first name; then localhost, 127.0.0.1 and ::1
 *   days       validity from now
 *   cert, key  texts that receive them; 4096 bytes each are enough; the caller wipes key
 *   errors     SP_ECRYPTO, SP_ESPACE
 *   source     RFC 5280 section 4.1, RFC 7468 */
int certificate_make(const char *host, unsigned days, struct text *cert, struct text *key) MUST_USE;

/* certificate_check - is the first certificate of a PEM chain made for this PEM private key?
 *   errors  SP_ESYNTAX (one of them does not parse, or the key needs a passphrase), SP_EVERIFY
 * (they do not match) */
int certificate_check(struct span cert, struct span key) MUST_USE;
#endif
