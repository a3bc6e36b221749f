/* ticket.h - a password that was right, kept for as long as it takes to type a one-time code.
 *
 * The client gets a random token for it (MOVEit's mfa_access_token); here is its hash, in memory
 * alone: a restart forgets it.  It is good for one login of one account, from the address that
 * showed the password.
 */
#ifndef SP_BROKER_TICKET_H
#define SP_BROKER_TICKET_H

#include "rooms/broker/attempt.h"

#define TICKETS_MAX 256u
#define TICKET_US (5 * 60 * 1000000ll)

struct ticket {
	uint64_t number; /* 0: free */
	uint8_t hash[32];
	bool is_given; /* the client has the token */
	int64_t user, until_us;
	char phc[256]; /* the hash that the password was checked against */
	char name[256], address[64];
};

/* ticket_earn - the attempt's password was right, and a code is needed: remembered with the worker
 * that showed it.  The oldest ticket makes room. */
void ticket_earn(struct broker *b, uint64_t serial, const struct attempt *a);
/* ticket_spend - a login came of it (0: of none). */
void ticket_spend(struct broker *b, uint64_t number);
/* tickets_clear - none is good any more; their numbers are not used again. */
void tickets_clear(struct broker *b);
void tickets_free(struct broker *b);
/* login_by_ticket - login.c: the rest of a password login. */
int login_by_ticket(struct broker *b, struct worker *w, const struct ticket *t,
    const struct ipc_login_ticket *m) MUST_USE;
#endif
