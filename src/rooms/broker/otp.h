/* otp.h - one-time codes (RFC 6238) as second factor: rows here, seeds and arithmetic elsewhere.
 *
 * A seed is a small blob like any other: its ciphertext lies in `content`, its key is wrapped by
 * the vault.  The broker never sees either in the clear; an authenticator does, for one check, when
 * the release is on record.
 */
#ifndef SP_BROKER_OTP_H
#define SP_BROKER_OTP_H

#include "rooms/broker/broker.h"

#define OTP_SEED_BYTES 20u   /* RFC 4226 section 4, R6: 160 bits */
#define OTP_CODE_MAX 16u     /* bytes of what is typed as a code: CODE_CHECK.code */
#define OTP_CONTENT_MAX 256u /* bytes of a sealed seed: CODE_CHECK.content */

/* struct otp - a user's one-time codes. */
struct otp {
	int64_t user, org, last_step;
	uint8_t blob[16], wrap[96];
	uint8_t content[OTP_CONTENT_MAX];
	size_t content_len;
	char user_name[65], org_name[65]; /* for the record of the release */
};

/* otp_get - a user's row: 1, 0 when there is none, or an error.  Names are the caller's to fill.
 * otp_has - is there one?  1, 0, or an error. */
int otp_get(struct db *db, int64_t user, struct otp *ret) MUST_USE;
int otp_has(struct db *db, int64_t user) MUST_USE;
/* otp_burn - the step is used up from now on; inside the transaction.
 *   errors  SP_EAUTH (it was before: the same code twice) */
int otp_burn(struct db *db, int64_t user, int64_t step) MUST_USE;
/* otp_add - the rows of a new seed; wrap, content and blob are those of o.
 *   errors  SP_EEXISTS, SP_EDAMAGED (a wrap that is none) */
int otp_add(struct db *db, const struct otp *o, int64_t now_us) MUST_USE;
/* otp_remove - shred the seed: its wrap is overwritten, then the rows go.  1; 0: there was none. */
int otp_remove(struct db *db, int64_t user) MUST_USE;
#endif
