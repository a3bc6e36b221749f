/* principal.c - see principal.h. */
#include "rooms/vault/principal.h"

static uint64_t
add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t
mul_capped(uint64_t a, uint64_t b)
{
	uint64_t v;

	return __builtin_mul_overflow(a, b, &v) ? UINT64_MAX : v;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- tiny numbers ---- */

#define FRACTION_BITS 10u
#define FRACTION_ONE (1u << FRACTION_BITS)

uint16_t
tiny_of(uint64_t v)
{
	unsigned shift = 0;

	if (v < FRACTION_ONE)
		return (uint16_t)v;
	while (v >> shift >= 2u * FRACTION_ONE)
		shift++;
	return (uint16_t)((shift + 1) << FRACTION_BITS | ((v >> shift) & (FRACTION_ONE - 1)));
}

uint64_t
tiny_value(uint16_t t)
{
	unsigned e = t >> FRACTION_BITS;
	uint64_t f = t & (FRACTION_ONE - 1);

	if (e == 0)
		return f;
	return e - 1 > 63 - FRACTION_BITS ? UINT64_MAX : (f | FRACTION_ONE) << (e - 1);
}

/* ---- windows ---- */

void
principal_init(struct principal *p, enum principal_kind kind, const uint8_t id[PRINCIPAL_ID_BYTES],
    int64_t now)
{
	*p = (struct principal){
	    .kind = (uint8_t)kind,
	    .used = true,
	    .seen = now,
	    .five_no = now / FIVE_S,
	    .hour_no = now / HOUR_S,
	    .day_no = now / DAY_S,
	    .risen_day = now / DAY_S,
	    .learned_day = -1,
	};
	memcpy(p->id, id, PRINCIPAL_ID_BYTES);
}

/* struct series - the buckets of a window. */
struct series {
	const struct spent *s;
	size_t n;
	int64_t newest, width_s;
};

static struct series
series_of(const struct principal *p, enum window w)
{
	return w == WINDOW_HOUR ? (struct series){p->five, FIVES, p->five_no, FIVE_S}
				: (struct series){p->hour, HOURS, p->hour_no, HOUR_S};
}

/* What the window holds without its `from` oldest buckets. */
static void
sum_from(const struct series *x, size_t from, uint64_t *ret_files, uint64_t *ret_bytes)
{
	*ret_files = *ret_bytes = 0;
	for (size_t i = from; i < x->n; i++) {
		const struct spent *s =
		    &x->s[(size_t)(x->newest + 1 + (int64_t)i) % x->n]; /* oldest first */

		*ret_files = add_capped(*ret_files, s->files);
		*ret_bytes = add_capped(*ret_bytes, s->bytes);
	}
}

/* add_up - both totals anew. */
static void
add_up(struct principal *p)
{
	for (unsigned w = 0; w < WINDOWS; w++) {
		struct series x = series_of(p, (enum window)w);
		uint64_t files, bytes;

		sum_from(&x, 0, &files, &bytes);
		p->total[w] = (struct spent){bytes, (uint32_t)least(files, UINT32_MAX)};
	}
}

/* remember - a whole hour has passed: is it the busiest of its day? */
static void
remember(struct principal *p, int64_t hour_no)
{
	const struct spent *s = &p->hour[(size_t)hour_no % HOURS];
	size_t at = (size_t)(hour_no * HOUR_S / DAY_S) % HISTORY_DAYS;

	if (tiny_of(s->files) > p->busy_files[at])
		p->busy_files[at] = tiny_of(s->files);
	if (tiny_of(s->bytes) > p->busy_bytes[at])
		p->busy_bytes[at] = tiny_of(s->bytes);
}

static void
advance_days(struct principal *p, int64_t day)
{
	if (day - p->day_no > (int64_t)HISTORY_DAYS)
		p->day_no = day - (int64_t)HISTORY_DAYS;
	while (p->day_no < day) {
		size_t at = (size_t)++p->day_no % HISTORY_DAYS;

		p->busy_files[at] = p->busy_bytes[at] = 0;
	}
}

static void
clear(struct spent *s, size_t n, int64_t *no, int64_t now)
{
	if (now - *no > (int64_t)n)
		*no = now - (int64_t)n;
	while (*no < now)
		s[(size_t)++ * no % n] = (struct spent){0, 0};
}

void
principal_advance(struct principal *p, int64_t now)
{
	if (now / FIVE_S <= p->five_no)
		return;
	clear(p->five, FIVES, &p->five_no, now / FIVE_S);
	if (now / HOUR_S > p->hour_no) {
		remember(p, p->hour_no);
		clear(p->hour, HOURS, &p->hour_no, now / HOUR_S);
		advance_days(p, now / DAY_S);
	}
	add_up(p);
}

static void
count(struct spent *s, uint64_t files, uint64_t bytes)
{
	s->files = (uint32_t)least(add_capped(s->files, files), UINT32_MAX);
	s->bytes = add_capped(s->bytes, bytes);
}

void
principal_charge(struct principal *p, uint64_t files, uint64_t bytes)
{
	count(&p->five[(size_t)p->five_no % FIVES], files, bytes);
	count(&p->hour[(size_t)p->hour_no % HOURS], files, bytes);
	count(&p->total[WINDOW_HOUR], files, bytes);
	count(&p->total[WINDOW_DAY], files, bytes);
}

struct spent
principal_sum(const struct principal *p, enum window w)
{
	return p->total[w];
}

void
principal_fill(struct principal *p, const struct allowance *a)
{
	struct spent hour = principal_sum(p, WINDOW_HOUR), day = principal_sum(p, WINDOW_DAY);

	count(&p->five[(size_t)p->five_no % FIVES],
	    a->files[WINDOW_HOUR] - least(hour.files, a->files[WINDOW_HOUR]),
	    a->bytes[WINDOW_HOUR] - least(hour.bytes, a->bytes[WINDOW_HOUR]));
	count(&p->hour[(size_t)p->hour_no % HOURS],
	    a->files[WINDOW_DAY] - least(day.files, a->files[WINDOW_DAY]),
	    a->bytes[WINDOW_DAY] - least(day.bytes, a->bytes[WINDOW_DAY]));
	add_up(p);
}

bool
principal_is_idle(const struct principal *p, int64_t now)
{
	return !p->frozen && p->raise_until <= now && now - p->seen > (int64_t)HOURS * HOUR_S;
}

uint32_t
principal_wait(const struct principal *p, enum window w, int64_t now, uint64_t files,
    uint64_t bytes, const struct allowance *a)
{
	struct series x = series_of(p, w);

	for (size_t gone = 0; gone <= x.n; gone++) {
		uint64_t used_files, used_bytes;
		int64_t left =
		    (x.newest + (int64_t)gone) * x.width_s - now; /* until they are gone */

		sum_from(&x, gone, &used_files, &used_bytes);
		if (add_capped(used_files, files) <= a->files[w] &&
		    add_capped(used_bytes, bytes) <= a->bytes[w])
			return gone != 0 && left > 0 ? (uint32_t)left : 1;
	}
	return 0;
}

/* ---- what is normal ---- */

static uint64_t
normal(uint64_t norm, int64_t floor, int64_t ceiling)
{
	return least(most(norm, (uint64_t)floor), (uint64_t)ceiling);
}

static uint64_t
busiest(const uint16_t busy[HISTORY_DAYS], int64_t day_no)
{
	uint16_t max = 0;

	for (int64_t age = HISTORY_NEW_DAYS; age < (int64_t)HISTORY_DAYS && age <= day_no; age++) {
		uint16_t v = busy[(size_t)(day_no - age) % HISTORY_DAYS];

		if (v > max)
			max = v;
	}
	return tiny_value(max);
}

/* learn - one of the two numbers: down at once, up by a step when its time has come. */
static bool
learn(uint64_t *norm, uint64_t busy, const struct limits *l, int64_t floor, int64_t ceiling,
    bool may_rise)
{
	uint64_t now = normal(*norm, floor, ceiling);
	uint64_t target = normal(mul_capped(busy, (uint64_t)l->learn_factor), floor, ceiling);
	uint64_t step =
	    now / 100 * (uint64_t)l->learn_rise + now % 100 * (uint64_t)l->learn_rise / 100;

	if (target <= now) {
		*norm = target;
		return false;
	}
	*norm = may_rise ? least(target, add_capped(now, step)) : now;
	return may_rise;
}

void
principal_learn(struct principal *p, const struct limits *l)
{
	const struct limit_set *s = &l->of[p->kind];
	bool may_rise = p->day_no - p->risen_day >= RISE_DAYS, rose;

	if (p->learned_day == p->day_no)
		return;
	p->learned_day = p->day_no;
	rose = learn(&p->norm_files, busiest(p->busy_files, p->day_no), l, s->files_floor,
	    s->files_hour, may_rise);
	rose |= learn(&p->norm_bytes, busiest(p->busy_bytes, p->day_no), l, s->bytes_floor,
	    s->bytes_hour, may_rise);
	if (rose)
		p->risen_day = p->day_no;
}

struct allowance
principal_allowance(const struct principal *p, const struct limits *l, int64_t now)
{
	const struct limit_set *s = &l->of[p->kind];
	uint64_t files = normal(p->norm_files, s->files_floor, s->files_hour);
	uint64_t bytes = normal(p->norm_bytes, s->bytes_floor, s->bytes_hour);
	uint64_t days = (uint64_t)l->day_hours;
	struct allowance a = {
	    .files = {files, least(mul_capped(files, days), (uint64_t)s->files_day)},
	    .bytes = {bytes, least(mul_capped(bytes, days), (uint64_t)s->bytes_day)},
	};

	for (size_t w = 0; w < WINDOWS && now < p->raise_until; w++) {
		a.files[w] = add_capped(a.files[w], p->raise_files);
		a.bytes[w] = add_capped(a.bytes[w], p->raise_bytes);
	}
	return a;
}

/* ---- in the file ---- */

static void
put_spent(struct wr *w, const struct spent *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		wr_uint(w, s[i].files, 4);
		wr_uint(w, s[i].bytes, 8);
	}
}

static void
get_spent(struct rd *r, struct spent *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s[i].files = (uint32_t)rd_uint(r, 4);
		s[i].bytes = rd_uint(r, 8);
	}
}

void
principal_put(struct wr *w, const struct principal *p)
{
	wr_uint(w, p->used, 1);
	wr_uint(w, p->kind, 1);
	wr_bytes(w, span_of(p->id, sizeof(p->id)));
	wr_uint(w, (uint64_t)p->seen, 8);
	wr_uint(w, (uint64_t)p->five_no, 8);
	wr_uint(w, (uint64_t)p->hour_no, 8);
	wr_uint(w, (uint64_t)p->day_no, 8);
	put_spent(w, p->five, FIVES);
	put_spent(w, p->hour, HOURS);
	for (size_t i = 0; i < HISTORY_DAYS; i++) {
		wr_uint(w, p->busy_files[i], 2);
		wr_uint(w, p->busy_bytes[i], 2);
	}
	wr_uint(w, p->norm_files, 8);
	wr_uint(w, p->norm_bytes, 8);
	wr_uint(w, (uint64_t)p->risen_day, 8);
	wr_uint(w, p->raise_files, 8);
	wr_uint(w, p->raise_bytes, 8);
	wr_uint(w, (uint64_t)p->raise_until, 8);
	wr_uint(w, p->frozen, 1);
	wr_uint(w, p->overruns, 4);
	wr_uint(w, (uint64_t)p->overrun_since, 8);
}

/* Times that no clock of ours ever showed would break the arithmetic above. */
static bool
sane(const struct principal *p)
{
	const int64_t times[] = {p->seen, p->five_no, p->hour_no, p->day_no, p->risen_day,
	    p->raise_until, p->overrun_since};

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i] < 0 || times[i] > INT64_C(1) << 48)
			return false;
	return p->kind < PRINCIPAL_KINDS;
}

int
principal_get(struct rd *r, struct principal *ret)
{
	struct principal p = {.learned_day = -1};

	p.used = rd_uint(r, 1) == 1;
	p.kind = (uint8_t)rd_uint(r, 1);
	rd_copy(r, p.id, sizeof(p.id));
	p.seen = (int64_t)rd_uint(r, 8);
	p.five_no = (int64_t)rd_uint(r, 8);
	p.hour_no = (int64_t)rd_uint(r, 8);
	p.day_no = (int64_t)rd_uint(r, 8);
	get_spent(r, p.five, FIVES);
	get_spent(r, p.hour, HOURS);
	for (size_t i = 0; i < HISTORY_DAYS; i++) {
		p.busy_files[i] = (uint16_t)rd_uint(r, 2);
		p.busy_bytes[i] = (uint16_t)rd_uint(r, 2);
	}
	p.norm_files = rd_uint(r, 8);
	p.norm_bytes = rd_uint(r, 8);
	p.risen_day = (int64_t)rd_uint(r, 8);
	p.raise_files = rd_uint(r, 8);
	p.raise_bytes = rd_uint(r, 8);
	p.raise_until = (int64_t)rd_uint(r, 8);
	p.frozen = rd_uint(r, 1) != 0;
	p.overruns = (uint32_t)rd_uint(r, 4);
	p.overrun_since = (int64_t)rd_uint(r, 8);
	if (r->bad || !sane(&p))
		return SP_ERANGE;
	add_up(&p);
	*ret = p;
	return SP_OK;
}
