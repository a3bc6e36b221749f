/* reputation.c - see reputation.h. */
#include "rooms/broker/reputation.h"

#include "base/err.h"
#include "base/mem.h"

#define BUCKETS 4096u
#define EVERY_GATE ((uint32_t)R_GATES)
#define GOOD_MAX (REP_MAX / 4 * 3) /* entries above which nobody enters for good conduct */
#define BANS_DOUBLED_MAX 30u	   /* doublings of a ban's length that are worth counting */
#define TOLD_HALVES 2 /* half-lives after which the gates are told again of one that is slowed */

struct reputation {
	rep_fn changed;
	void *arg;
	size_t known, count[3];	   /* by state */
	uint32_t banned_bits[129]; /* states that are not OK, by the length of their prefix */
	bool pending;
	uint16_t bucket[BUCKETS];
	struct rep_entry entry[REP_MAX];
};

struct reputation *
rep_new(rep_fn changed, void *arg)
{
	struct reputation *r = mem_alloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	r->changed = changed;
	r->arg = arg;
	return r;
}

void
rep_free(struct reputation *r)
{
	mem_free(r);
}

/* ---- entries ---- */

static uint16_t *
place(struct reputation *r, const struct prefix *p)
{
	uint16_t *at = &r->bucket[prefix_hash(p) % BUCKETS];

	while (*at != 0 && !prefix_eq(&r->entry[*at - 1].key, p))
		at = &r->entry[*at - 1].next;
	return at;
}

struct rep_entry *
rep_find(struct reputation *r, const struct prefix *p)
{
	uint16_t at = *place(r, p);

	return at != 0 ? &r->entry[at - 1] : NULL;
}

struct rep_entry *
rep_at(struct reputation *r, size_t i)
{
	return i < REP_MAX && r->entry[i].used ? &r->entry[i] : NULL;
}

/* All states but OK are known to the gates, and counted by the length of their prefix. */
static void
set_state(struct reputation *r, struct rep_entry *e, enum address_state state)
{
	if (e->state != ADDRESS_OK)
		r->banned_bits[e->key.bits]--;
	if (state != ADDRESS_OK)
		r->banned_bits[e->key.bits]++;
	r->count[e->state]--;
	r->count[state]++;
	e->state = (uint8_t)state;
	e->pending = EVERY_GATE;
	r->pending = true;
}

/* Entries that leave are OK, or the gates forget them by themselves. */
static void
leave(struct reputation *r, struct rep_entry *e)
{
	uint16_t *at = place(r, &e->key);

	if (e->bans != 0)
		r->changed(r->arg, e, REP_FORGOTTEN);
	if (e->state != ADDRESS_OK)
		r->banned_bits[e->key.bits]--;
	r->count[e->state]--;
	r->known--;
	*at = e->next;
	*e = (struct rep_entry){0};
}

/* Half for every whole half-life, and in between along a straight line. */
static int64_t
decayed(const struct rep_entry *e, int64_t half_life_us, int64_t now_us)
{
	int64_t passed = now_us - e->at_us, halves, score, part;

	if (passed <= 0 || half_life_us <= 0)
		return e->score;
	halves = passed / half_life_us;
	if (halves >= 62)
		return 0;
	score = e->score >> halves;
	part = (passed % half_life_us) * 1000 / half_life_us;
	return score - score * part / 2000;
}

int64_t
rep_points(const struct rep_entry *e, const struct rep_limits *l, int64_t now_us)
{
	return decayed(e, l->half_life_us, now_us);
}

/* Who is missed least: a low score before a high one, any score before a ban, and of bans the one
 * that ends first. */
static struct rep_entry *
least(struct reputation *r, int64_t half_life_us, int64_t now_us)
{
	struct rep_entry *found = NULL;
	int64_t low = INT64_MAX;
	bool low_ban = true;

	for (size_t i = 0; i < REP_MAX; i++) {
		struct rep_entry *e = &r->entry[i];
		bool ban = e->state == ADDRESS_REFUSE;
		int64_t v = ban ? e->until_us : decayed(e, half_life_us, now_us);

		if (found == NULL || (low_ban && !ban) || (low_ban == ban && v < low)) {
			found = e;
			low = v;
			low_ban = ban;
		}
	}
	return found;
}

/* The entry of p, made when there is none.  NULL: the book is full of bans that end after until_us.
 */
static struct rep_entry *
enter(struct reputation *r, const struct prefix *p, int64_t until_us, int64_t half_life_us,
    int64_t now_us)
{
	struct rep_entry *e = rep_find(r, p);
	uint16_t *at;
	size_t i = 0;

	if (e != NULL)
		return e;
	if (r->known == REP_MAX) {
		e = least(r, half_life_us, now_us);
		if (e->state == ADDRESS_REFUSE && e->until_us >= until_us)
			return NULL;
		leave(r, e);
		i = (size_t)(e - r->entry);
	}
	while (r->entry[i].used)
		i++;
	e = &r->entry[i];
	*e = (struct rep_entry){.key = *p, .used = true, .first_us = now_us, .at_us = now_us};
	at = place(r, p);
	*at = (uint16_t)(i + 1);
	r->known++;
	r->count[ADDRESS_OK]++;
	return e;
}

static void
why_set(struct rep_entry *e, const char *why)
{
	struct text t = text_of(e->why, sizeof(e->why));

	text_add(&t, span_cut(span_str(why), sizeof(e->why) - 1));
}

/* ---- judging ---- */

static int64_t
ban_length(const struct rep_limits *l, uint32_t bans)
{
	int64_t us = l->ban_us;

	for (uint32_t i = 0; i < bans && i < BANS_DOUBLED_MAX && us < l->ban_max_us; i++)
		us *= 2;
	return us < l->ban_max_us ? us : l->ban_max_us;
}

static bool
is_host(const struct prefix *p)
{
	return p->bits == (prefix_is_v4(p) ? 128 : 64);
}

/* points at which it is slowed; 0: never */
static int64_t
slow_at(const struct rep_entry *e, const struct rep_limits *l)
{
	return is_host(&e->key) ? l->slow : l->ban * REP_NETWORK_FACTOR;
}

static void
judge(struct reputation *r, struct rep_entry *e, const struct rep_limits *l, int64_t now_us)
{
	int64_t slow = slow_at(e, l);

	if (e->state == ADDRESS_REFUSE)
		return;
	if (l->ban != 0 && is_host(&e->key) && e->score >= l->ban * REP_POINT) {
		e->until_us = now_us + ban_length(l, e->bans);
		e->bans++;
		e->by_admin = false;
		set_state(r, e, ADDRESS_REFUSE);
		r->changed(r->arg, e, REP_BANNED);
	} else if (e->state == ADDRESS_OK && slow != 0 && e->score >= slow * REP_POINT) {
		set_state(r, e, ADDRESS_SLOW);
		r->changed(r->arg, e, REP_SLOWED);
	}
}

static bool
is_good(const struct rep_entry *e, int64_t now_us)
{
	return e->good_us != 0 && now_us - e->good_us < REP_GOOD_US;
}

static void
add(struct reputation *r, const struct prefix *p, int64_t points, enum rep_kind kind,
    const char *why, const struct rep_limits *l, int64_t now_us)
{
	struct rep_entry *e = enter(r, p, /* until_us= */ now_us, l->half_life_us, now_us);
	int64_t most = REP_POINTS_MAX * (int64_t)REP_POINT, before;

	if (e == NULL)
		return;
	before = decayed(e, l->half_life_us, now_us);
	e->score = before + (points < REP_POINTS_MAX ? points : REP_POINTS_MAX) * REP_POINT;
	e->at_us = e->last_us = now_us;
	if (e->seen < UINT32_MAX)
		e->seen++;
	/* somebody logs in from there: a neighbour who guesses gets it slowed, and no more */
	if (l->ban != 0 && kind == REP_WEAK && is_good(e, now_us))
		most = l->ban * REP_POINT - 1;
	if (e->score > most)
		e->score = before > most ? before : most;
	why_set(e, why);
	judge(r, e, l, now_us);
}

void
rep_score(struct reputation *r, const struct prefix *host, int64_t points, enum rep_kind kind,
    const char *why, const struct rep_limits *l, int64_t now_us)
{
	struct prefix network = prefix_network(host);

	PRECOND(points >= 0);
	if (points == 0)
		return;
	add(r, host, points, kind, why, l, now_us);
	if (kind == REP_STRONG)
		add(r, &network, points, kind, why, l, now_us);
}

void
rep_good(struct reputation *r, const struct prefix *host, int64_t now_us)
{
	struct rep_entry *e = rep_find(r, host);

	if (e == NULL && r->known < GOOD_MAX)
		e = enter(r, host, /* until_us= */ now_us, /* half_life_us= */ 0, now_us);
	if (e != NULL)
		e->good_us = now_us;
}

/* ---- administrators, restarts ---- */

int
rep_ban(struct reputation *r, const struct prefix *p, int64_t until_us, uint32_t bans,
    bool by_admin, const char *why, int64_t now_us)
{
	struct rep_entry *e = enter(r, p, until_us, /* half_life_us= */ 0, now_us);

	if (e == NULL)
		return SP_EFULL;
	e->until_us = until_us;
	e->bans = bans;
	e->by_admin = by_admin;
	why_set(e, why);
	set_state(r, e, ADDRESS_REFUSE);
	r->changed(r->arg, e, REP_BANNED);
	return SP_OK;
}

void
rep_remember(
    struct reputation *r, const struct prefix *p, uint32_t bans, const char *why, int64_t now_us)
{
	struct rep_entry *e =
	    r->known < REP_MAX ? enter(r, p, now_us, /* half_life_us= */ 0, now_us) : NULL;

	if (e == NULL)
		return;
	e->bans = bans;
	e->ended_us = now_us;
	why_set(e, why);
}

int
rep_pardon(struct reputation *r, const struct prefix *p)
{
	struct rep_entry *e = rep_find(r, p);
	enum address_state was;

	if (e == NULL)
		return SP_ENOTFOUND;
	was = (enum address_state)e->state;
	e->score = 0;
	e->until_us = 0;
	set_state(r, e, ADDRESS_OK);
	if (was == ADDRESS_REFUSE)
		r->changed(r->arg, e, REP_UNBANNED);
	if (e->bans != 0)
		r->changed(r->arg, e, REP_FORGOTTEN);
	e->bans = 0;
	return SP_OK;
}

/* ---- time ---- */

/* After its ban an address is on probation: slowed, until half of what slows it is forgotten. */
static void
ban_over(struct reputation *r, struct rep_entry *e, const struct rep_limits *l, int64_t now_us)
{
	e->ended_us = e->at_us = now_us;
	e->until_us = 0;
	e->score = is_host(&e->key) ? l->slow * REP_POINT : 0;
	set_state(r, e, e->score != 0 ? ADDRESS_SLOW : ADDRESS_OK);
	r->changed(r->arg, e, REP_UNBANNED);
}

static void
tick_entry(struct reputation *r, struct rep_entry *e, const struct rep_limits *l, int64_t now_us)
{
	int64_t score = decayed(e, l->half_life_us, now_us);

	if (e->state == ADDRESS_REFUSE) {
		if (now_us >= e->until_us)
			ban_over(r, e, l, now_us);
		return;
	}
	if (e->state == ADDRESS_SLOW && score * 2 <= slow_at(e, l) * REP_POINT) {
		set_state(r, e, ADDRESS_OK);
		r->changed(r->arg, e, REP_CALM);
	}
	if (e->state == ADDRESS_SLOW && now_us - e->told_us > TOLD_HALVES * l->half_life_us) {
		e->pending = EVERY_GATE;
		r->pending = true;
	}
	/* a ban is remembered for as long as one may last: the next is longer; and the gates hear
	 * of the end first */
	if (e->state == ADDRESS_OK && e->pending == 0 && score < REP_POINT / 2 &&
	    !is_good(e, now_us) && (e->bans == 0 || now_us - e->ended_us >= l->ban_max_us))
		leave(r, e);
}

void
rep_tick(struct reputation *r, const struct rep_limits *l, int64_t now_us)
{
	for (size_t i = 0; i < REP_MAX && r->known != 0; i++)
		if (r->entry[i].used)
			tick_entry(r, &r->entry[i], l, now_us);
}

enum address_state
rep_state(struct reputation *r, const struct prefix *p, int64_t now_us)
{
	enum address_state found = ADDRESS_OK;

	for (unsigned bits = 0; bits <= p->bits; bits++) {
		struct prefix cut;
		struct rep_entry *e;

		if (r->banned_bits[bits] == 0)
			continue;
		cut = prefix_cut(p, bits);
		e = rep_find(r, &cut);
		if (e != NULL && e->state > found &&
		    (e->state != ADDRESS_REFUSE || now_us < e->until_us))
			found = (enum address_state)e->state;
	}
	return found;
}

/* ---- the gates, and figures ---- */

void
rep_counts(const struct reputation *r, size_t *ret_known, size_t *ret_slowed, size_t *ret_refused)
{
	*ret_known = r->known;
	*ret_slowed = r->count[ADDRESS_SLOW];
	*ret_refused = r->count[ADDRESS_REFUSE];
}

bool
rep_is_pending(const struct reputation *r)
{
	return r->pending;
}

void
rep_settled(struct reputation *r)
{
	r->pending = false;
}

void
rep_resend(struct reputation *r, uint32_t gates)
{
	for (size_t i = 0; i < REP_MAX; i++) {
		struct rep_entry *e = &r->entry[i];

		if (!e->used)
			continue;
		e->pending = e->state != ADDRESS_OK ? e->pending | gates : e->pending & ~gates;
		r->pending = r->pending || e->pending != 0;
	}
}
