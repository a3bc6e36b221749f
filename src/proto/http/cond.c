/* cond.c - dates, entity tags and the preconditions made of them. */
#include "proto/http/field.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Two decimal digits at i, with a leading space allowed where asctime() pads. */
static int
two(struct span s, size_t i, bool space)
{
	uint8_t a = s.ptr[i], b = s.ptr[i + 1];

	if (space && a == ' ')
		a = '0';
	if (a < '0' || a > '9' || b < '0' || b > '9')
		return -1;
	return (a - '0') * 10 + (b - '0');
}

static int
month_at(struct span s, size_t i)
{
	for (int m = 0; m < 12; m++)
		if (memcmp(s.ptr + i, months + 3 * m, 3) == 0)
			return m + 1;
	return -1;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t
days_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int
month_days(int64_t y, int m)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* "08:49:37" at i. */
static int
clock_at(struct span s, size_t i)
{
	int h = two(s, i, false), m = two(s, i + 3, false), sec = two(s, i + 6, false);

	if (h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60)
		return -1;
	if (s.ptr[i + 2] != ':' || s.ptr[i + 5] != ':')
		return -1;
	return (h * 60 + m) * 60 + sec;
}

static int
date_of(int64_t y, int mon, int day, int clock, int64_t *ret_s)
{
	if (mon < 1 || day < 1 || clock < 0 || day > month_days(y, mon))
		return SP_ESYNTAX;
	*ret_s = days_of(y, mon, day) * 86400 + clock;
	return SP_OK;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": years more than 50 ahead are in the past. */
static int
rfc850_date(struct span s, int64_t now_s, int64_t *ret_s)
{
	struct span r = span_trim(span_skip(s, span_find(s, ',') + 1));
	int64_t y;
	int yy;

	if (r.len != 22 || r.ptr[2] != '-' || r.ptr[6] != '-' || r.ptr[9] != ' ' ||
	    !span_eq_str(span_skip(r, 18), " GMT"))
		return SP_ESYNTAX;
	yy = two(r, 7, false);
	if (yy < 0)
		return SP_ESYNTAX;
	y = 2000 + yy;
	if ((y - 1970) * 31556952 > now_s + INT64_C(50) * 31556952)
		y -= 100;
	return date_of(y, month_at(r, 3), two(r, 0, false), clock_at(r, 10), ret_s);
}

int
http_date(struct span s, int64_t now_s, int64_t *ret_s)
{
	int hi, lo;

	if (s.len == 29 && s.ptr[3] == ',') { /* Sun, 06 Nov 1994 08:49:37 GMT */
		hi = two(s, 12, false);
		lo = two(s, 14, false);
		if (hi < 0 || lo < 0 || s.ptr[4] != ' ' || s.ptr[7] != ' ' || s.ptr[11] != ' ' ||
		    s.ptr[16] != ' ' || !span_eq_str(span_skip(s, 25), " GMT"))
			return SP_ESYNTAX;
		return date_of(
		    hi * 100 + lo, month_at(s, 8), two(s, 5, false), clock_at(s, 17), ret_s);
	}
	if (s.len == 24 && s.ptr[3] == ' ') { /* Sun Nov  6 08:49:37 1994 */
		hi = two(s, 20, false);
		lo = two(s, 22, false);
		if (hi < 0 || lo < 0 || s.ptr[7] != ' ' || s.ptr[10] != ' ' || s.ptr[19] != ' ')
			return SP_ESYNTAX;
		return date_of(
		    hi * 100 + lo, month_at(s, 4), two(s, 8, true), clock_at(s, 11), ret_s);
	}
	return rfc850_date(s, now_s, ret_s);
}

/* The opaque part of an entity tag. */
static int
etag_parse(struct span s, bool *ret_weak, struct span *ret_tag)
{
	*ret_weak = s.len >= 2 && s.ptr[0] == 'W' && s.ptr[1] == '/';
	if (*ret_weak)
		s = span_skip(s, 2);
	if (s.len < 2 || s.ptr[0] != '"' || s.ptr[s.len - 1] != '"')
		return SP_ESYNTAX;
	s = span_cut(span_skip(s, 1), s.len - 2);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x21 || s.ptr[i] == '"' || s.ptr[i] == 0x7f)
			return SP_ESYNTAX;
	*ret_tag = s;
	return SP_OK;
}

int
http_etag_match(
    const struct http_head *h, const char *field, bool exists, struct span tag, bool strong)
{
	struct http_list at = {0};
	struct span m, t;
	int n = 0, hit = 0;
	bool star = false;

	while (http_list_next(h, field, &at, &m)) {
		bool weak;

		n++;
		if (span_eq_str(m, "*")) {
			star = true;
			hit = exists;
			continue;
		}
		if (etag_parse(m, &weak, &t) < 0)
			return SP_ESYNTAX;
		if (exists && (!weak || !strong) && span_eq(t, tag))
			hit = 1;
	}
	if (star && n > 1)
		return SP_ESYNTAX;
	if (n != 0)
		return hit;
	return http_single(h, field, &m) == 0 ? HTTP_ABSENT : SP_ESYNTAX;
}

/* A date field's value; false when absent, repeated or no date (RFC 9110 section 13.1.3: ignored).
 */
static bool
date_field(const struct http_head *h, const char *name, int64_t now_s, int64_t *ret_s)
{
	struct span v;

	return http_single(h, name, &v) == 1 && http_date(v, now_s, ret_s) == SP_OK;
}

int
http_conditions(const struct http_head *h, const struct http_now *now, enum http_cond *ret)
{
	int match = http_etag_match(h, "If-Match", now->exists, now->tag, true);
	int none = http_etag_match(h, "If-None-Match", now->exists, now->tag, false);
	int64_t date;

	if (match < 0 || none < 0)
		return SP_ESYNTAX;
	*ret = HTTP_COND_FAILED;
	if (match == 0)
		return SP_OK;
	if (match == HTTP_ABSENT && now->exists &&
	    date_field(h, "If-Unmodified-Since", now->now_s, &date) && now->modified_s > date)
		return SP_OK;
	if (none == 1) {
		if (now->reading)
			*ret = HTTP_COND_NOT_MODIFIED;
		return SP_OK;
	}
	*ret = HTTP_COND_GO;
	if (none == HTTP_ABSENT && now->reading && now->exists &&
	    date_field(h, "If-Modified-Since", now->now_s, &date) && now->modified_s <= date)
		*ret = HTTP_COND_NOT_MODIFIED;
	return SP_OK;
}

bool
http_if_range(const struct http_head *h, const struct http_now *now)
{
	struct span v, tag;
	bool weak;
	int64_t date;
	int n = http_single(h, "If-Range", &v);

	if (n == 0)
		return true;
	if (n < 0)
		return false;
	if (etag_parse(v, &weak, &tag) == SP_OK)
		return !weak && span_eq(tag, now->tag);
	/* a date is a strong validator only well after the change (RFC 9110 section 8.8.2.2) */
	return http_date(v, now->now_s, &date) == SP_OK && date == now->modified_s &&
	       now->now_s - now->modified_s >= 60;
}
