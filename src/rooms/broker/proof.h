/* proof.h - browsers' sessions: what a request has to prove beside its token.
 *
 * A browser's session is bound to a key that its owner's browser made and does not give away.  Each
 * request brings a proof by that key (RFC 9449) for its method and address, with a nonce of the
 * last minutes, and is taken once.  The key that nonces and passes are made with lives as long as
 * this process: a restart costs clients one more round trip, and a pass that was given is void.
 */
#ifndef SP_BROKER_PROOF_H
#define SP_BROKER_PROOF_H

#include "rooms/broker/broker.h"
#include "rooms/broker/tree.h"

#define NONCE_MS 60000 /* each is new for so long */
#define NONCES_GOOD 5  /* the newest and those before it that are taken */
#define PASS_S 3600u   /* a pass is good for so long */
/* Proofs of those minutes that are remembered, of all sessions: over 3,000 requests a second.  16
 * MiB, once there is a browser's session. */
#define PROOFS_SEEN (1u << 20)
#define NONCE_TEXT 32u /* bytes, with NUL */
#define PASS_TEXT 48u

struct proofs; /* owned by the broker */

/* What was shown beside a token. */
struct proof {
	struct span jwt; /* empty: none */
	struct span method, url;
	struct span pass; /* empty: none */
	struct only only; /* that the pass is said to be for */
};

/* proof_key - whose proof is it?  For the login that binds a session to it.
 *   ret_jkt  the key's thumbprint
 *   errors   SP_EPROOF (none, or not for this request), SP_ENONCE, SP_ENOMEM */
int proof_key(struct broker *b, const struct proof *p, uint8_t ret_jkt[32]) MUST_USE;
/* proof_check - is it one by the key jkt for the token of this hash, and shown for the first time?
 *   errors  as proof_key; SP_EFULL: more proofs than are remembered */
int proof_check(struct broker *b, const struct proof *p, const uint8_t token_hash[32],
    const uint8_t jkt[32]) MUST_USE;
/* pass_check - was the pass made for this session and thing, not long ago?  errors SP_EPROOF,
 * SP_ENOMEM */
int pass_check(struct broker *b, int64_t session, struct only only, struct span pass) MUST_USE;
/* pass_covers - may a connection that may see this only see that node?  errors SP_EPERM */
int pass_covers(struct broker *b, struct only only, const struct node *n) MUST_USE;
void proofs_free(struct broker *b);
#endif
