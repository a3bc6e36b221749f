/* lockout.h - failed logins are counted by address, and by account and address together, so that no
 * stranger can lock a partner out.  One failure is forgotten in each LockoutTime. */
#ifndef SP_BROKER_LOCKOUT_H
#define SP_BROKER_LOCKOUT_H

#include "rooms/broker/db.h"

struct lockout_limits {
	int64_t failures, address; /* of one account from one address; of one address */
	int64_t time_us;
};

/* lockout_key_address - "1.2.3.4:567" without its port; of an IPv6 address the first 64 bits. buf
 * of 64 bytes. */
void lockout_key_address(const char *peer, char *buf, size_t cap);
/* lockout_check - may this account be tried from this address now?
 *   ret_wait_us  with SP_ELOCKOUT: until when from now */
int lockout_check(struct db *db, const char *peer, struct span account, int64_t now_us,
    int64_t *ret_wait_us) MUST_USE;
/* lockout_charge - count one failure for both; writes.  Charged when an attempt begins, given back
 * when it is good, so that attempts in parallel cannot exceed the limit. ret_locked  this one was
 * the last */
int lockout_charge(struct db *db, const char *peer, struct span account,
    const struct lockout_limits *l, int64_t now_us, bool *ret_locked) MUST_USE;
/* lockout_refund - the attempt was no failure; good: it succeeded, so that the account's count from
 * here is cleared. */
int lockout_refund(
    struct db *db, const char *peer, struct span account, bool good, int64_t now_us) MUST_USE;
/* lockout_clear - a login that was never charged succeeded: the account's count from here is
 * cleared, the address's stays. */
int lockout_clear(struct db *db, const char *peer, struct span account, int64_t now_us) MUST_USE;
#endif
