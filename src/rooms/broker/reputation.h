/* reputation.h - the book of addresses: what each has done, and whether it is slowed or refused.
 *
 * Pure: no clock, no I/O.  Times are microseconds of a clock that only goes on (a wall clock that
 *is set would end bans, or make them last).  Scores halve with every half-life.  The book is
 *bounded; when it is full the lowest score makes room, and of bans only the one that ends first.
 *
 *	rep_score(r, &host, 10, REP_STRONG, "probe", &limits, now_us)
 *	-> r->changed(arg, entry, REP_SLOWED)
 */
#ifndef SP_BROKER_REPUTATION_H
#define SP_BROKER_REPUTATION_H

#include "base/prefix.h"
#include "ipc/ipc.h"

#define REP_MAX 16384u /* addresses and networks in the book */
#define REP_NETWORK_FACTOR                                                                         \
	4 /* a network is slowed at so many times ScoreBan; it is never refused */
#define REP_GOOD_US (86400 * 1000000ll) /* so long a proved login speaks for an address */
#define REP_POINT 1000			/* a point, in thousandths */
#define REP_POINTS_MAX 1000000000	/* of an entry, in points */

struct rep_limits {
	int64_t slow, ban; /* points; 0: never */
	int64_t half_life_us, ban_us, ban_max_us;
};

struct rep_entry {
	struct prefix key;
	bool used, by_admin;
	uint8_t state;	      /* enum address_state */
	uint16_t next;	      /* of the same bucket, as index + 1; 0: none */
	uint32_t pending;     /* set of the gates that do not know it yet: R_GATE_* */
	uint32_t seen;	      /* contacts in all */
	uint32_t bans;	      /* so far: each lasts twice as long */
	int64_t score, at_us; /* thousandths of points, when that was */
	int64_t first_us, last_us;
	int64_t until_us; /* REFUSE: its end */
	int64_t ended_us; /* of the last ban; 0: none has ended */
	int64_t good_us;  /* of the last proved login; 0: none */
	int64_t told_us;
	char why[33]; /* what it did last */
};

/* What became of an entry.  FORGOTTEN: it leaves the book, and had been banned. */
enum rep_change { REP_SLOWED, REP_BANNED, REP_UNBANNED, REP_CALM, REP_FORGOTTEN };
typedef void (*rep_fn)(void *arg, struct rep_entry *e, enum rep_change change);

/* How much it proves (contacts.def): a guess at a password may be a user's mistake, a web page can
 * make a visitor's browser ask for anything, and behind one address there may be many users. */
enum rep_kind { REP_STRONG, REP_WEAK };

struct reputation;
/* rep_new - an empty book; changed is called for every change of state.  NULL: no memory */
struct reputation *rep_new(rep_fn changed, void *arg) MUST_USE;
void rep_free(struct reputation *r); /* accepts NULL */

/* rep_score - so many points to this host, and to its network unless the proof is weak.
 *   host  of prefix_host   why  a word, cut to 32 bytes */
void rep_score(struct reputation *r, const struct prefix *host, int64_t points, enum rep_kind kind,
    const char *why, const struct rep_limits *l, int64_t now_us);
/* rep_good - a login was proved from there: for REP_GOOD_US weak proofs do not get it refused.
 * Nobody else leaves the book for it. */
void rep_good(struct reputation *r, const struct prefix *host, int64_t now_us);
/* rep_ban - by an administrator, or as it was before a restart: until then, for the bans-th time.
 * errors SP_EFULL: the book holds nothing but bans that last longer */
int rep_ban(struct reputation *r, const struct prefix *p, int64_t until_us, uint32_t bans,
    bool by_admin, const char *why, int64_t now_us) MUST_USE;
/* rep_remember - it has been refused so often, before a restart; nothing else is known. */
void rep_remember(
    struct reputation *r, const struct prefix *p, uint32_t bans, const char *why, int64_t now_us);
/* rep_pardon - neither refused nor slowed, and all is forgotten.  errors SP_ENOTFOUND */
int rep_pardon(struct reputation *r, const struct prefix *p) MUST_USE;
/* rep_tick - what time does: bans end, scores go, empty entries leave. */
void rep_tick(struct reputation *r, const struct rep_limits *l, int64_t now_us);
/* rep_state - of this address, by its own entry or that of any network around it. */
enum address_state rep_state(struct reputation *r, const struct prefix *p, int64_t now_us);

/* rep_find - NULL: not in the book.  rep_at - entry i of REP_MAX; NULL where there is none. */
struct rep_entry *rep_find(struct reputation *r, const struct prefix *p);
struct rep_entry *rep_at(struct reputation *r, size_t i);
/* rep_points - thousandths of points by now. */
int64_t rep_points(const struct rep_entry *e, const struct rep_limits *l, int64_t now_us);
/* rep_counts - how many are in the book, slowed, refused. */
void rep_counts(
    const struct reputation *r, size_t *ret_known, size_t *ret_slowed, size_t *ret_refused);
/* rep_is_pending - does some gate not know of a change?  rep_settled - all do. rep_resend - this
 * set of gates is to hear of all that are not OK. */
bool rep_is_pending(const struct reputation *r);
void rep_settled(struct reputation *r);
void rep_resend(struct reputation *r, uint32_t gates);
#endif
