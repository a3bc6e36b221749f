/* session.h - browsers' sessions: a token in a cookie that no script can read, and a proof by the
 * browser's key with each request (RFC 9449, with the cookie in place of the field Authorization).
 * The broker judges; here is what HTTP says of it. */
#ifndef SP_GATE_HTTPS_SESSION_H
#define SP_GATE_HTTPS_SESSION_H

#include "proto/http/dpop.h"
#include "rooms/gate/https/conn.h"

#define SESSION_COOKIE                                                                             \
	"__Host-session" /* RFC 6265bis section 4.1.3.2: only from this host, only by TLS */

#define SESSION_URL_MAX                                                                            \
	2048u /* bytes of an address that a proof can be for; as in ipc/protocol.def, IPC_PROOF */
#define SESSION_METHOD_MAX 16u

struct session_proof {
	struct span jwt, method, url;
	char text[SESSION_URL_MAX + 1]; /* of the address */
};

/* session_is_shown - is it a browser that asks: with a cookie, and without the field Authorization?
 */
bool session_is_shown(const struct conn *c);
/* session_prove - have the broker judge cookie and proof; or cookie and ticket, at the one address
 * where tickets are good. errors  SP_EPROOF, SP_ENONCE, and those of a token */
int session_prove(struct conn *c) MUST_USE;
/* session_proof_get - the field DPoP of this request, and what it has to be for.  errors SP_EPROOF:
 * none, several, or too long */
int session_proof_get(struct conn *c, struct session_proof *ret) MUST_USE;
/* session_nonce - let the reply to this request carry what the next proof has to say; without the
 * broker it does not. */
void session_nonce(struct conn *c);
#endif
