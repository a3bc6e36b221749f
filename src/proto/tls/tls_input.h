/* tls_input.h - what a TLS server signs with its certificate's key, recognised byte by byte.
 *
 * The signer room signs these two structures and nothing else, so that a worker that was taken over
 * cannot have a certificate request, a token or another protocol's handshake signed.
 */
#ifndef SP_PROTO_TLS_INPUT_H
#define SP_PROTO_TLS_INPUT_H

#include "base/defer.h"
#include "base/err.h"
#include "base/span.h"

enum tls_input { TLS_INPUT_13 = 1, TLS_INPUT_12 = 2 };

#define TLS_INPUT_MAX 165u /* bytes of the longest: TLS 1.2 with a P-384 point */

/* tls_input_13 - the input of a server's CertificateVerify.
 *   source  RFC 8446 section 4.4.3: 64 octets 0x20, the context string "TLS 1.3, server
 * CertificateVerify", one 0 octet, "the content to be signed": Transcript-Hash of 32 (SHA-256) or
 * 48 bytes (SHA-384) */
bool tls_input_13(struct span input);

/* tls_input_12 - the input of a server's ECDHE ServerKeyExchange.
 *   source  RFC 8422 section 5.4: client_random 32, server_random 32, ServerECDHParams: curve_type
 * 3 (named_curve), the group, a point of one length byte.  secp256r1 (23) and secp384r1 (24) with
 * an uncompressed point, x25519 (29) with 32 bytes */
bool tls_input_12(struct span input);

/* tls_input_check - which of the two it is.  No bytes are both.
 *   errors  SP_ESYNTAX: neither */
int tls_input_check(struct span input, enum tls_input *ret) MUST_USE;
#endif
