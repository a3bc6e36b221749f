/* principal.h - one of those that the vault charges: what it was given lately, and what is normal
 * for it.
 *
 * All times are the governor's own seconds, which never go back.  The hour is thirteen buckets of
 * five minutes, the day twenty-five of an hour: a window is never shorter than its name says.
 */
#ifndef SP_VAULT_PRINCIPAL_H
#define SP_VAULT_PRINCIPAL_H

#include "base/limits.h"
#include "base/wire.h"

#define FIVE_S 300
#define FIVES 13u
#define HOUR_S 3600
#define HOURS 25u
#define DAY_S 86400
#define HISTORY_DAYS 93u /* 90 that count, and the last 3 that do not yet */
#define HISTORY_NEW_DAYS 3u
#define RISE_DAYS 7 /* a normal rises once in so many days */

#define PRINCIPAL_BYTES 939u /* in the file */

enum window { WINDOW_HOUR, WINDOW_DAY, WINDOWS };

struct spent {
	uint64_t bytes;
	uint32_t files;
};

/* struct allowance - the most that each window may hold now. */
struct allowance {
	uint64_t files[WINDOWS], bytes[WINDOWS];
};

struct principal {
	uint8_t kind,
	    id[PRINCIPAL_ID_BYTES]; /* a number, big-endian at the end; or an IPv6 address */
	bool used;		    /* false: a free place of the file */
	int64_t seen;		    /* when it was last asked for */
	struct spent five[FIVES], hour[HOURS]; /* by number of the bucket, modulo */
	int64_t five_no, hour_no, day_no;      /* newest bucket and day */
	uint16_t busy_files[HISTORY_DAYS];     /* busiest hour of each day, as tiny numbers */
	uint16_t busy_bytes[HISTORY_DAYS];
	uint64_t norm_files, norm_bytes; /* an hour's normal; 0: the floor */
	int64_t risen_day;		 /* when it last rose, or was first seen */
	uint64_t raise_files, raise_bytes;
	int64_t raise_until;
	bool frozen;
	uint32_t overruns; /* refusals since overrun_since */
	int64_t overrun_since;

	/* Not in the file: what the file counts as spent already and is not; of bucket held_five.
	 */
	uint64_t held_files, held_bytes;
	int64_t held_five;
	int64_t learned_day;
	struct spent total[WINDOWS]; /* of the buckets, so that no release adds them all up */
	uint64_t writes; /* of its place in the file so far; the last went to copy writes & 1 */
};

/* principal_init - an empty one. */
void principal_init(struct principal *p, enum principal_kind kind,
    const uint8_t id[PRINCIPAL_ID_BYTES], int64_t now);
/* principal_advance - move its windows on to now; what they left goes into the history. */
void principal_advance(struct principal *p, int64_t now);
/* principal_charge - count in both windows, at now (which is where they stand). */
void principal_charge(struct principal *p, uint64_t files, uint64_t bytes);
/* principal_fill - both windows count as used up. */
void principal_fill(struct principal *p, const struct allowance *a);
/* principal_sum - what a window holds. */
struct spent principal_sum(const struct principal *p, enum window w);
/* principal_is_idle - nothing is counted, nothing said about it: its place may be given away. */
bool principal_is_idle(const struct principal *p, int64_t now);
/* principal_wait - seconds until so much more fits into the window; 0: it never will. */
uint32_t principal_wait(const struct principal *p, enum window w, int64_t now, uint64_t files,
    uint64_t bytes, const struct allowance *a);
/* principal_learn - its normal as of today; does the work once a day. */
void principal_learn(struct principal *p, const struct limits *l);
/* principal_allowance - what it may be given now, a raise included. */
struct allowance principal_allowance(
    const struct principal *p, const struct limits *l, int64_t now);

/* tiny_of, tiny_value - a number in 16 bits: six of exponent, ten of fraction, rounded down. */
uint16_t tiny_of(uint64_t v);
uint64_t tiny_value(uint16_t t);

/* principal_put - PRINCIPAL_BYTES.  principal_get - SP_ERANGE for what no vault wrote. */
void principal_put(struct wr *w, const struct principal *p);
int principal_get(struct rd *r, struct principal *ret) MUST_USE;
#endif
