/* dpop.h - a proof of possession as RFC 9449 section 4.2 has it: a JWT, signed by the key that it
 * carries.
 *
 * Here it is taken apart; who judges it (the broker) checks signature, nonce and what it is bound
 * to. Only what proofs are made of is understood: one level of objects, strings without escapes,
 * ES256 on P-256.
 */
#ifndef SP_PROTO_DPOP_H
#define SP_PROTO_DPOP_H

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

#define DPOP_MAX 4096u /* bytes of a proof */

struct dpop {
	struct span input; /* what is signed: header and payload as received, with the dot between;
			      points into jwt */
	uint8_t signature[64]; /* r and s */
	uint8_t
	    point[65]; /* of the key: 4, x, y (SEC 1 section 2.3.3); not known to be on the curve */
	/* claims, RFC 9449 section 4.2; all but nonce and ath are there and not empty; point into
	 * buf */
	struct span jti, htm, htu;
	struct span nonce; /* empty: none */
	uint8_t ath[32];   /* SHA-256 of the access token, if has_ath */
	bool has_ath;
};

/* dpop_parse - take a proof apart.
 *   jwt     as the field DPoP has it
 *   buf     DPOP_MAX bytes, for the decoded claims
 *   errors  SP_ETOOBIG (over DPOP_MAX), SP_ESYNTAX (no such JWT, a member twice, a private key in
 * it), SP_ENOTIMPL (another algorithm, curve or type) source  RFC 9449 section 4.3 steps 2 to 5 and
 * 7, RFC 7515 section 7.1, RFC 7518 section 6.2.1 */
int dpop_parse(struct span jwt, uint8_t buf[DPOP_MAX], struct dpop *ret) MUST_USE;
/* dpop_thumbprint_text - the text whose SHA-256 names the key (RFC 7638 section 3, RFC 9449
 * section 6.1). out     DPOP_THUMB_TEXT bytes returns  the text, in out */
#define DPOP_THUMB_TEXT 160u
struct span dpop_thumbprint_text(const struct dpop *d, char out[DPOP_THUMB_TEXT]);
#endif
