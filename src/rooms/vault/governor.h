/* governor.h - how much of what is stored may leave: the one place where a release is admitted or
 * not.
 *
 * Every release of an existing key passes governor_admit with the length that the wrap itself
 * authenticates.  It charges one file and all its bytes to five principals: user, client address,
 * its network, the organisation, the server; or to one, when the key goes to a process without a
 * network.  All limits are looked at first, then all are charged: a release that is refused costs
 * nothing, but is counted as an overrun.  A charge is made before the key leaves, is durable by
 * then (a part of it reserved ahead) and is never taken back.  docs/governor.md tells why.
 */
#ifndef SP_VAULT_GOVERNOR_H
#define SP_VAULT_GOVERNOR_H

#include "rooms/vault/egress.h"

#define GOVERNOR_PRINCIPALS EGRESS_PLACES
#define GOVERNOR_RESERVE 64u /* a reservation is this part of the limit */
#define GOVERNOR_BEGIN_S ((int64_t)HISTORY_DAYS * DAY_S) /* the clock of a new file */

struct governor;

/* struct governor_ask - one release.  From the supervisor and the wrap, but for the user. */
struct governor_ask {
	bool helper; /* to a process without a network: only `room` is charged */
	uint8_t room;
	uint64_t user; /* the broker's word */
	uint64_t org;
	bool has_address;
	uint8_t address[16]; /* zeros: not known */
	uint8_t key[16];     /* keyed hash of the file key */
	uint64_t bytes;
	/* files that are deleted or overwritten, of so many bytes in all; 0: one is released */
	uint64_t deletes;
};

/* struct governor_no - why not. */
struct governor_no {
	enum principal_kind kind;
	enum budget budget;   /* BUDGET_NONE: no limit of a principal */
	uint32_t retry_after; /* seconds; 0: not known, or never */
	bool froze;	      /* this refusal froze the principal */
};

/* What was found when the file was opened: told once, by governor_open. */
enum governor_start {
	GOVERNOR_GOES_ON,
	GOVERNOR_BEGINS, /* the file was new */
	GOVERNOR_LOST,	 /* it was damaged, or taken away: the server's day counts as used up */
};

/* governor_new - with default limits, closed.  NULL: no memory */
struct governor *governor_new(void) MUST_USE;
void governor_free(struct governor *g); /* accepts NULL */

/* governor_open - take up the counters.
 *   disk, mac_key  borrowed until governor_close or governor_free
 *   is_known       there was a file before: an empty one is a lost one
 *   errors         SP_EIO and the like, SP_ENOMEM, SP_ECRYPTO: it stays closed */
int governor_open(struct governor *g, const struct egress_disk *disk, const uint8_t *mac_key,
    bool is_known, enum governor_start *ret) MUST_USE;
/* governor_settle - write down what was really spent, at an orderly end.  A failure costs what was
 * reserved, and nothing else. */
int governor_settle(struct governor *g) MUST_USE;
/* governor_close - forget all that the file knows. */
void governor_close(struct governor *g);
void governor_limits(struct governor *g, const struct limits *l);
const struct limits *governor_limits_now(const struct governor *g); /* borrowed */

/* governor_admit - may this leave?  Charges it if so.
 *   ret_no  set on SP_EBUDGET and SP_EFROZEN
 *   errors  SP_EBUDGET, SP_EFROZEN, SP_EFULL (one principal too many within a day), SP_ELOCKED
 *           (closed), SP_ENOMEM, SP_EIO and the like (not durable: refused) */
int governor_admit(
    struct governor *g, const struct governor_ask *ask, struct governor_no *ret_no) MUST_USE;

/* struct governor_row - a principal, for reports. */
struct governor_row {
	enum principal_kind kind;
	uint8_t id[PRINCIPAL_ID_BYTES];
	struct spent used[WINDOWS];
	struct allowance allowed; /* raise included */
	uint64_t norm_files, norm_bytes;
	uint64_t raise_files, raise_bytes;
	uint32_t raise_left_s;
	uint32_t overruns;
	bool frozen;
};
/* governor_row - the first principal at or behind place; false: there is none.  *place moves on. */
bool governor_next(struct governor *g, uint32_t *place, struct governor_row *ret);
/* governor_find - SP_ENOTFOUND */
int governor_find(struct governor *g, enum principal_kind kind,
    const uint8_t id[PRINCIPAL_ID_BYTES], struct governor_row *ret) MUST_USE;
/* governor_raise - so much more in each window, for so many seconds; replaces an earlier one.  0
 * and 0 end it.  Durable.  errors as governor_admit; SP_ERANGE: longer than RaiseMax */
int governor_raise(struct governor *g, enum principal_kind kind,
    const uint8_t id[PRINCIPAL_ID_BYTES], uint64_t files, uint64_t bytes, uint32_t for_s) MUST_USE;
/* governor_thaw - no longer frozen.  Durable.  SP_ENOTFOUND: it was not */
int governor_thaw(
    struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES]) MUST_USE;
/* governor_freeze - as repeated overrun does.  Durable. */
int governor_freeze(
    struct governor *g, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES]) MUST_USE;
#endif
