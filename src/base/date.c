/* date.c - dates as text and back; UTC only, proleptic Gregorian, no libc time zone. */
#include "base/text.h"
#include "base/err.h"

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)

struct civil {
	int64_t year;
	int month, day, hour, min, sec, ms, weekday; /* month 1.., weekday 0 = Sunday */
};

/* Days since 1970-01-01 of a date, and back: Howard Hinnant's days_from_civil algorithms. */
static int64_t
days_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static struct civil
civil_of(int64_t us)
{
	int64_t s = us / US_PER_S - (us % US_PER_S < 0), days, z, era, doe, yoe, doy, mp, rest;
	struct civil c = {0};

	c.ms = (int)((us % US_PER_S + US_PER_S) % US_PER_S / 1000);
	days = s / S_PER_DAY - (s % S_PER_DAY < 0);
	rest = s - days * S_PER_DAY;
	c.hour = (int)(rest / 3600);
	c.min = (int)(rest / 60 % 60);
	c.sec = (int)(rest % 60);
	c.weekday = (int)(((days + 4) % 7 + 7) % 7);
	z = days + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

void
time_plain(struct text *t, int64_t us)
{
	struct civil c = civil_of(us);

	text_fmt(t, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)c.year, c.month, c.day, c.hour,
	    c.min, c.sec);
}

void
time_rfc3339(struct text *t, int64_t us)
{
	struct civil c = civil_of(us);

	time_plain(t, us);
	text_fmt(t, ".%03dZ", c.ms);
}

void
time_http(struct text *t, int64_t us)
{
	static const char day[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char month[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil c = civil_of(us);

	text_fmt(t, "%s, %02d %s %04lld %02d:%02d:%02d GMT", day[c.weekday], c.day,
	    month[c.month - 1], (long long)c.year, c.hour, c.min, c.sec);
}

/* ---- reading: sticky, like rd_* ---- */

struct scan {
	struct span s;
	bool bad;
};

static int
scan_digits(struct scan *p, size_t n)
{
	int v = 0;

	if (p->s.len < n)
		p->bad = true;
	for (size_t i = 0; i < n && !p->bad; i++) {
		if (p->s.ptr[i] < '0' || p->s.ptr[i] > '9')
			p->bad = true;
		v = v * 10 + (p->s.ptr[i] - '0');
	}
	p->s = span_skip(p->s, n);
	return p->bad ? 0 : v;
}

static void
scan_chr(struct scan *p, char c)
{
	if (p->s.len == 0 || p->s.ptr[0] != (uint8_t)c)
		p->bad = true;
	p->s = span_skip(p->s, 1);
}

static int
month_days(int64_t y, int m)
{
	static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* Fraction of a second: ".123456", as microseconds; digits beyond the sixth are dropped. */
static int64_t
scan_fraction(struct scan *p)
{
	int64_t us = 0, unit = US_PER_S / 10;
	size_t n = 0;

	if (p->s.len == 0 || p->s.ptr[0] != '.')
		return 0;
	for (p->s = span_skip(p->s, 1); p->s.len != 0 && p->s.ptr[0] >= '0' && p->s.ptr[0] <= '9';
	     p->s = span_skip(p->s, 1), n++) {
		us += (p->s.ptr[0] - '0') * unit;
		unit /= 10;
	}
	if (n == 0)
		p->bad = true;
	return us;
}

/* Zone: "Z" or "+HH:MM", as seconds east of UTC. */
static int64_t
scan_zone(struct scan *p)
{
	bool west = p->s.len != 0 && p->s.ptr[0] == '-';
	int h, m;

	if (p->s.len != 0 && (p->s.ptr[0] == 'Z' || p->s.ptr[0] == 'z')) {
		p->s = span_skip(p->s, 1);
		return 0;
	}
	scan_chr(p, west ? '-' : '+');
	h = scan_digits(p, 2);
	scan_chr(p, ':');
	m = scan_digits(p, 2);
	if (h > 23 || m > 59)
		p->bad = true;
	return (west ? -1 : 1) * (h * 3600 + m * 60);
}

static int
parse_date(struct span s, int64_t *ret_us)
{
	struct scan p = {s, false};
	int y = scan_digits(&p, 4), mo, d, h, mi, sec;
	int64_t us, zone;

	scan_chr(&p, '-');
	mo = scan_digits(&p, 2);
	scan_chr(&p, '-');
	d = scan_digits(&p, 2);
	if (p.bad)
		return SP_ESYNTAX;
	if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo))
		return SP_ERANGE;
	us = days_of(y, mo, d) * S_PER_DAY * US_PER_S;
	if (p.s.len == 0) {
		*ret_us = us;
		return SP_OK;
	}
	if (p.s.ptr[0] != 'T' && p.s.ptr[0] != 't' && p.s.ptr[0] != ' ')
		return SP_ESYNTAX;
	p.s = span_skip(p.s, 1);
	h = scan_digits(&p, 2);
	scan_chr(&p, ':');
	mi = scan_digits(&p, 2);
	scan_chr(&p, ':');
	sec = scan_digits(&p, 2);
	us += scan_fraction(&p);
	zone = scan_zone(&p);
	if (p.bad || p.s.len != 0)
		return SP_ESYNTAX;
	if (h > 23 || mi > 59 || sec > 60)
		return SP_ERANGE;
	*ret_us = us + ((int64_t)h * 3600 + mi * 60 + sec - zone) * US_PER_S;
	return SP_OK;
}

static int64_t
unit_seconds(uint8_t c)
{
	switch (c) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return S_PER_DAY;
	case 'w':
		return 7 * S_PER_DAY;
	default:
		return 0;
	}
}

int
time_parse(struct span s, int64_t now_us, int64_t *ret_us)
{
	int64_t unit = s.len != 0 ? unit_seconds(s.ptr[s.len - 1]) : 0;
	uint64_t n;
	int rc;

	if (unit == 0)
		return parse_date(s, ret_us);
	rc = parse_u64(span_cut(s, s.len - 1), 1000000000, &n);
	if (rc < 0)
		return rc;
	/* at most 1e9 weeks: 6e20 us would overflow, so the product is bounded first */
	if ((int64_t)n > INT64_MAX / 4 / US_PER_S / unit)
		return SP_ERANGE;
	*ret_us = now_us - (int64_t)n * unit * US_PER_S;
	return SP_OK;
}
