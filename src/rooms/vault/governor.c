/* governor.c - see governor.h. */
#include "rooms/vault/governor_parts.h"

#include "base/mem.h"

#define CHARGED_MOST 5u

/* struct cost - of a release or deletion. */
struct cost {
	uint64_t files, bytes;
};

/* struct charge - one of the principals of a release. */
struct charge {
	enum principal_kind kind;
	uint8_t id[PRINCIPAL_ID_BYTES];
	uint32_t place;		/* BOOK_NONE: it has none yet */
	struct principal *p;	/* in the book, or fresh */
	struct principal fresh; /* of one that has no place yet: only what is released gets one */
	struct allowance a;
	uint64_t held_files, held_bytes; /* a new reservation; 0: the one there is will do */
	bool written;			 /* and not yet durable */
};

/* ---- life ---- */

struct governor *
governor_new(void)
{
	struct governor *g = mem_alloc(sizeof(*g));

	if (g == NULL)
		return NULL;
	limits_defaults(&g->limits);
	g->rereads = rereads_new();
	if (g->rereads == NULL || book_init(&g->book) != SP_OK) {
		governor_free(g);
		return NULL;
	}
	return g;
}

void
governor_free(struct governor *g)
{
	if (g == NULL)
		return;
	book_done(&g->book);
	rereads_free(g->rereads);
	mem_free(g);
}

void
governor_close(struct governor *g)
{
	book_clear(&g->book);
	g->is_open = g->unsaved = false;
}

int64_t
governor_now(struct governor *g)
{
	const struct egress_disk *d = g->book.file.disk;
	int64_t now = g->time0 + d->boot_s(d->arg) - g->boot0;

	if (now > g->now)
		g->now = now;
	return g->now;
}

/* lost - counters are gone: nobody is given anything for a day but by an operator's raise. */
static int
lost(struct governor *g)
{
	uint8_t id[PRINCIPAL_ID_BYTES];
	struct allowance a;
	struct principal *p;
	uint32_t place;
	int err;

	principal_number(0, id);
	err = book_take(&g->book, PRINCIPAL_SERVER, id, g->now, &place);
	if (err != SP_OK)
		return err;
	p = book_at(&g->book, place);
	principal_advance(p, g->now);
	principal_learn(p, &g->limits);
	a = principal_allowance(p, &g->limits, g->now);
	principal_fill(p, &a);
	err = egress_write(&g->book.file, place, p, 0, 0);
	return err == SP_OK ? egress_sync(&g->book.file) : err;
}

static int
begin(struct governor *g, enum egress_state state, int64_t time, int64_t boot, bool is_known,
    enum governor_start *ret)
{
	struct book_opening o = {g->boot0, &g->limits};
	bool damaged = state == EGRESS_DAMAGED || (state == EGRESS_EMPTY && is_known);
	int64_t now = 0;
	int err;

	if (state == EGRESS_GOOD) {
		g->now = time + book_elapsed(boot, g->boot0);
		err = book_load(&g->book, &o, &now, &damaged);
		if (now > g->now)
			g->now = now;
	} else {
		g->now = GOVERNOR_BEGIN_S;
		err = egress_begin(&g->book.file, g->now);
	}
	g->time0 = g->now;
	*ret = damaged ? GOVERNOR_LOST : state == EGRESS_GOOD ? GOVERNOR_GOES_ON : GOVERNOR_BEGINS;
	return err == SP_OK && damaged ? lost(g) : err;
}

int
governor_open(struct governor *g, const struct egress_disk *disk, const uint8_t *mac_key,
    bool is_known, enum governor_start *ret)
{
	enum egress_state state;
	enum governor_start start = GOVERNOR_GOES_ON;
	int64_t time, boot;
	int err;

	governor_close(g);
	g->boot0 = disk->boot_s(disk->arg);
	err = egress_open(&g->book.file, disk, mac_key, &state, &time, &boot);
	if (err == SP_OK)
		err = begin(g, state, time, boot, is_known, &start);
	if (err != SP_OK) {
		governor_close(g);
		return err;
	}
	g->is_open = true;
	*ret = start;
	return SP_OK;
}

int
governor_settle(struct governor *g)
{
	int err = SP_OK;

	for (uint32_t i = 0; err == SP_OK && g->is_open && i < g->book.file.places; i++) {
		struct principal *p = book_at(&g->book, i);

		if (!p->used || (!g->unsaved && p->held_files == 0 && p->held_bytes == 0))
			continue;
		err = egress_write(&g->book.file, i, p, 0, 0);
		p->held_files = p->held_bytes = 0;
	}
	if (err == SP_OK && g->is_open)
		err = egress_sync(&g->book.file);
	return err;
}

void
governor_limits(struct governor *g, const struct limits *l)
{
	g->limits = *l;
	for (uint32_t i = 0; i < g->book.file.places; i++)
		book_at(&g->book, i)->learned_day = -1;
}

const struct limits *
governor_limits_now(const struct governor *g)
{
	return &g->limits;
}

/* ---- who is charged ---- */

static void
add_number(struct charge *c, size_t *n, enum principal_kind kind, uint64_t number)
{
	c[*n].kind = kind;
	principal_number(number, c[*n].id);
	++*n;
}

static size_t
who(const struct governor_ask *ask, struct charge c[CHARGED_MOST])
{
	size_t n = 0;

	if (ask->deletes != 0) {
		add_number(c, &n, PRINCIPAL_DELETE_USER, ask->user);
		c[n].kind = PRINCIPAL_DELETE_ADDRESS;
		memcpy(c[n++].id, ask->address, PRINCIPAL_ID_BYTES);
		add_number(c, &n, PRINCIPAL_DELETE_ORG, ask->org);
		add_number(c, &n, PRINCIPAL_DELETE_SERVER, 0);
		return n;
	}
	if (ask->helper) {
		add_number(c, &n, PRINCIPAL_HELPER, ask->room);
		return n;
	}
	add_number(c, &n, PRINCIPAL_USER, ask->user);
	c[n].kind = PRINCIPAL_ADDRESS;
	memcpy(c[n++].id, ask->address, PRINCIPAL_ID_BYTES);
	c[n].kind = PRINCIPAL_NETWORK;
	principal_network(ask->address, c[n++].id);
	add_number(c, &n, PRINCIPAL_ORG, ask->org);
	add_number(c, &n, PRINCIPAL_SERVER, 0);
	return n;
}

static void
look_up(struct governor *g, struct charge *c, int64_t now)
{
	c->held_files = c->held_bytes = 0;
	c->written = false;
	c->place = book_find(&g->book, c->kind, c->id);
	if (c->place != BOOK_NONE) {
		c->p = book_at(&g->book, c->place);
	} else {
		principal_init(&c->fresh, c->kind, c->id, now);
		c->p = &c->fresh;
	}
	principal_advance(c->p, now);
	principal_learn(c->p, &g->limits);
	c->a = principal_allowance(c->p, &g->limits, now);
}

/* ---- refusing ---- */

/* over - the limit that this release would break and that takes longest to allow it. */
static bool
over(const struct charge *c, int64_t now, struct cost x, struct governor_no *no)
{
	bool any = false;

	for (unsigned w = 0; w < WINDOWS; w++) {
		struct spent s = principal_sum(c->p, (enum window)w);
		bool files = s.files > c->a.files[w] || x.files > c->a.files[w] - s.files;
		uint32_t wait;

		if (x.files == 0) /* paid for */
			return any;
		if (!files && s.bytes <= c->a.bytes[w] && x.bytes <= c->a.bytes[w] - s.bytes)
			continue;
		wait = principal_wait(c->p, (enum window)w, now, x.files, x.bytes, &c->a);
		/* 0 is for ever: - 1 makes it the longest */
		if (no->budget != BUDGET_NONE && wait - 1u <= no->retry_after - 1u)
			continue;
		no->kind = c->kind;
		no->retry_after = wait;
		no->budget = w == WINDOW_HOUR ? (files ? BUDGET_FILES_HOUR : BUDGET_BYTES_HOUR)
					      : (files ? BUDGET_FILES_DAY : BUDGET_BYTES_DAY);
		any = true;
	}
	return any;
}

int
governor_save(struct governor *g, uint32_t place)
{
	struct principal *p = book_at(&g->book, place);
	bool held = p->held_five == p->five_no;
	int err = egress_write(
	    &g->book.file, place, p, held ? p->held_files : 0, held ? p->held_bytes : 0);

	if (err != SP_OK)
		return err;
	err = egress_sync(&g->book.file);
	if (err != SP_OK)
		egress_undo(p);
	return err;
}

static bool
is_unknown_address(const struct principal *p)
{
	static const uint8_t none[PRINCIPAL_ID_BYTES];

	return p->kind == PRINCIPAL_ADDRESS && memcmp(p->id, none, sizeof(none)) == 0;
}

/* overrun - one more refusal; returns whether it was the one that freezes. */
static bool
overrun(struct governor *g, const struct charge *c, int64_t now)
{
	struct principal *p = c->p;

	if (c->place == BOOK_NONE)
		return false;
	if (now - p->overrun_since >= HOUR_S) {
		p->overrun_since = now;
		p->overruns = 0;
	}
	if (p->overruns < UINT32_MAX)
		p->overruns++;
	if (!principal_freezes(c->kind) || is_unknown_address(p) ||
	    g->limits.freeze_overruns == 0 || p->overruns < (uint64_t)g->limits.freeze_overruns)
		return false;
	p->frozen = true;
	if (governor_save(g, c->place) != SP_OK)
		g->unsaved = true; /* frozen in memory all the same, and in the file at the end */
	return true;
}

/* check - SP_OK, or why not; the overrun is counted. */
static int
check(struct governor *g, struct charge *c, size_t n, int64_t now, struct cost x,
    struct governor_no *no)
{
	const struct charge *worst = NULL;

	for (size_t i = 0; i < n; i++) {
		if (c[i].p->frozen) {
			*no = (struct governor_no){c[i].kind, BUDGET_FROZEN, 0, false};
			return SP_EFROZEN;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (over(&c[i], now, x, no))
			worst = &c[i];
	if (worst == NULL)
		return SP_OK;
	no->froze = overrun(g, worst, now);
	return SP_EBUDGET;
}

/* ---- charging ---- */

/* is_covered - does what is held ahead cover this release? */
static bool
is_covered(const struct charge *c, struct cost x)
{
	const struct principal *p = c->p;

	return c->place != BOOK_NONE && p->held_five == p->five_no && p->held_files >= x.files &&
	       p->held_bytes >= x.bytes;
}

/* reserve - how much is to be held ahead; 0: what is held will do.  There will be a sync anyway, so
 * what is half used up is renewed as well. */
static void
reserve(struct charge *c, struct cost x)
{
	const struct principal *p = c->p;
	uint64_t files = c->a.files[WINDOW_HOUR] / GOVERNOR_RESERVE + 1;
	uint64_t more = c->a.bytes[WINDOW_HOUR] / GOVERNOR_RESERVE + 1;

	c->held_files = c->held_bytes = 0;
	if (is_covered(c, x) && p->held_files > files / 2 && p->held_bytes > more / 2)
		return;
	for (unsigned w = 0; w < WINDOWS; w++) { /* never more than may be spent */
		struct spent s = principal_sum(p, (enum window)w);

		if (files > c->a.files[w] - s.files)
			files = c->a.files[w] - s.files;
		if (more > c->a.bytes[w] - s.bytes)
			more = c->a.bytes[w] - s.bytes;
	}
	c->held_files = files > x.files ? files : x.files;
	c->held_bytes = more > x.bytes ? more : x.bytes;
}

/* hold_one - give it a place, and write what it reserves if that is new. */
static int
hold_one(struct governor *g, struct charge *c, int64_t now, struct cost x)
{
	int err = SP_OK;

	reserve(c, x);
	if (c->place == BOOK_NONE)
		err = book_take(&g->book, c->kind, c->id, now, &c->place);
	if (err != SP_OK)
		return err;
	c->p = book_at(&g->book, c->place);
	principal_advance(c->p, now);
	c->p->seen = now;
	if (c->held_files == 0)
		return SP_OK;
	err = egress_write(&g->book.file, c->place, c->p, c->held_files, c->held_bytes);
	c->written = err == SP_OK;
	return err;
}

/* hold - see that what is held ahead covers all of them, with one sync if it does not. */
static int
hold(struct governor *g, struct charge *c, size_t n, int64_t now, struct cost x)
{
	bool covered = true;
	int err = SP_OK;

	for (size_t i = 0; i < n; i++) {
		c[i].p->seen = now;
		covered &= is_covered(&c[i], x);
	}
	if (covered)
		return SP_OK;
	for (size_t i = 0; err == SP_OK && i < n; i++)
		err = hold_one(g, &c[i], now, x);
	if (err == SP_OK)
		err = egress_sync(&g->book.file);
	for (size_t i = 0; err != SP_OK && i < n; i++)
		if (c[i].written)
			egress_undo(c[i].p);
	return err;
}

static void
spend(struct charge *c, struct cost x)
{
	struct principal *p = c->p;

	if (c->held_files != 0) {
		p->held_files = c->held_files;
		p->held_bytes = c->held_bytes;
		p->held_five = p->five_no;
	}
	VERIFY(p->held_files >= x.files && p->held_bytes >= x.bytes && p->held_five == p->five_no);
	p->held_files -= x.files;
	p->held_bytes -= x.bytes;
	principal_charge(p, x.files, x.bytes);
}

/* may_be_free - can what was charged before be asked for again? */
static bool
may_be_free(const struct governor_ask *ask)
{
	return ask->has_address && !ask->helper && ask->deletes == 0;
}

int
governor_admit(struct governor *g, const struct governor_ask *ask, struct governor_no *ret_no)
{
	struct charge c[CHARGED_MOST];
	struct cost x = {ask->deletes != 0 ? ask->deletes : 1, ask->bytes};
	struct reread r = {.user = ask->user, .bytes = ask->bytes};
	int64_t now;
	size_t n;
	int err;

	*ret_no = (struct governor_no){.budget = BUDGET_NONE};
	if (!g->is_open)
		return SP_ELOCKED;
	now = r.at = governor_now(g);
	memcpy(r.address, ask->address, sizeof(r.address));
	memcpy(r.key, ask->key, sizeof(r.key));
	n = who(ask, c);
	for (size_t i = 0; i < n; i++)
		look_up(g, &c[i], now);
	if (may_be_free(ask) && rereads_has(g->rereads, &r))
		return check(g, c, n, now, (struct cost){0, 0}, ret_no);
	err = check(g, c, n, now, x, ret_no);
	if (err == SP_OK)
		err = hold(g, c, n, now, x);
	if (err != SP_OK)
		return err;
	for (size_t i = 0; i < n; i++)
		spend(&c[i], x);
	if (may_be_free(ask))
		rereads_add(g->rereads, &r);
	return SP_OK;
}
