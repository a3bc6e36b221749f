/* token.h - what the verbs of tokens share. */
#ifndef SP_BROKER_TOKEN_H
#define SP_BROKER_TOKEN_H

#include "rooms/broker/login.h"
#include "rooms/broker/proof.h"

struct session_row {
	int64_t id, user, listener, used_us, access_end_us, end_us;
	char address[65];
	uint8_t jkt[32]; /* of the key that it is bound to, if is_bound */
	bool is_bound;	 /* a browser's */
};

/* session_get - a session of the HTTPS door by SESSION_BY_ACCESS or SESSION_BY_REFRESH: 1, 0 when
 * there is none, or an error. */
int session_get(
    struct db *db, enum sql_id id, const uint8_t hash[32], struct session_row *ret) MUST_USE;
/* session_is_over - has it been idle for too long, or reached its end? */
bool session_is_over(const struct broker *b, int64_t used_us, int64_t end_us);
/* token_refuse - record that a token was refused, then answer err.  returns  SP_OK: it is under
 * way; err when it cannot be recorded */
int token_refuse(
    struct broker *b, struct worker *w, struct span agent, const char *reason, int err) MUST_USE;
#endif
