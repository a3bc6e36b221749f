/* findings.c - what was found: entries gathered, the least suspicious dropped when there are too
 * many. */
#include "cli/hunt/hunt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_SLOTS (8 * (size_t)HUNT_FINDINGS_MAX)
#define FINDINGS_ROOM (2 * (size_t)HUNT_FINDINGS_MAX)

static size_t
slot_of(enum detector d, uint64_t key)
{
	return (size_t)((key ^ ((uint64_t)d + 1) * UINT64_C(0x9e3779b97f4a7c15)) % OPEN_SLOTS);
}

/* The newest finding of (detector, key), or the place for one. */
static size_t
find_open(const struct hunt *h, enum detector d, uint64_t key)
{
	size_t at = slot_of(d, key);

	while (h->open[at] != 0) {
		const struct finding *f = &h->finding[h->open[at] - 1];

		if (f->detector == d && f->key == key)
			break;
		at = (at + 1) % OPEN_SLOTS;
	}
	return at;
}

/* Most suspicious first; among equals the newest. */
static int
by_score(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	if (x->last_us != y->last_us)
		return x->last_us < y->last_us ? 1 : -1;
	return x->entry[0] < y->entry[0] ? 1 : x->entry[0] > y->entry[0] ? -1 : 0;
}

void
hunt_cut(struct hunt *h, size_t max)
{
	qsort(h->finding, h->n_findings, sizeof(*h->finding), by_score);
	while (h->n_findings > max)
		h->left_out[h->finding[--h->n_findings].detector]++;
	memset(h->open, 0, OPEN_SLOTS * sizeof(*h->open));
	/* the newest of each key is the one that goes on: older ones give their place up */
	for (size_t i = 0; i < h->n_findings; i++) {
		const struct finding *f = &h->finding[i];
		size_t at = find_open(h, f->detector, f->key);

		if (h->open[at] == 0 || h->finding[h->open[at] - 1].last_us < f->last_us)
			h->open[at] = (uint32_t)i + 1;
	}
}

static void
copy_text(char *to, size_t cap, struct span s)
{
	s = span_cut(s, cap - 1);
	while (s.len != 0 && !utf8_valid(s) && s.len + 4 > cap - 1)
		s.len--; /* not half a character */
	for (size_t i = 0; i < s.len; i++)
		to[i] = s.ptr[i] != 0 ? (char)s.ptr[i] : '?';
	to[s.len] = '\0';
}

static struct finding *
make(struct hunt *h, enum detector d, uint64_t key, const struct hunt_entry *e)
{
	struct finding *f;

	if (h->n_findings == FINDINGS_ROOM)
		hunt_cut(h, HUNT_FINDINGS_MAX);
	f = &h->finding[h->n_findings++];
	*f = (struct finding){.detector = d,
	    .key = key,
	    .score = detector_row(d)->weight,
	    .first_us = e->t_us,
	    .last_us = e->t_us};
	h->open[find_open(h, d, key)] = (uint32_t)h->n_findings;
	return f;
}

bool
hunt_is_open(const struct hunt *h, enum detector d, uint64_t key, int64_t now_us, int64_t gap_us)
{
	uint32_t open = h->open[find_open(h, d, key)];

	return open != 0 && now_us - h->finding[open - 1].last_us <= gap_us;
}

struct finding *
hunt_hit(struct hunt *h, enum detector d, uint64_t key, const struct hunt_entry *e, int64_t gap_us)
{
	uint32_t open = h->open[find_open(h, d, key)];
	struct finding *f = open != 0 ? &h->finding[open - 1] : NULL;

	if (f == NULL || e->t_us - f->last_us > gap_us)
		f = make(h, d, key, e);
	if (f->user[0] == '\0') {
		copy_text(f->user, sizeof(f->user), e->user);
		copy_text(f->org, sizeof(f->org), e->org);
	}
	if (f->addr[0] == '\0')
		copy_text(f->addr, sizeof(f->addr), hunt_address(e));
	/* names over 64 bytes are nobody's: they only failed to log in */
	f->others |=
	    e->user.len != 0 && !span_eq(span_cut(e->user, sizeof(f->user) - 1), span_str(f->user));
	if (e->t_us > f->last_us)
		f->last_us = e->t_us;
	if (f->n_entries < HUNT_ENTRIES_SHOWN)
		f->entry[f->n_entries++] = e->n;
	f->last_entry = e->n;
	f->count++;
	return f;
}

void
hunt_also(struct finding *f, uint64_t entry, int64_t t_us)
{
	unsigned at = 0;

	while (at < f->n_entries && f->entry[at] < entry)
		at++;
	if (at < f->n_entries && f->entry[at] == entry)
		return;
	f->count++;
	if (t_us < f->first_us)
		f->first_us = t_us;
	if (at == HUNT_ENTRIES_SHOWN)
		return;
	if (f->n_entries < HUNT_ENTRIES_SHOWN)
		f->n_entries++;
	memmove(f->entry + at + 1, f->entry + at, (f->n_entries - 1 - at) * sizeof(f->entry[0]));
	f->entry[at] = entry;
}

void
hunt_score(struct finding *f, int more)
{
	int score = (int)detector_row(f->detector)->weight + more;

	f->score = score < 1 ? 1 : score > 100 ? 100 : (unsigned)score;
}

void
hunt_say(struct finding *f, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(f->what, sizeof(f->what), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(f->what)) /* cut: not in the middle of a character */
		for (size_t len = sizeof(f->what) - 1; len != 0; len--) {
			f->what[len] = '\0';
			if (utf8_valid(span_of(f->what, len)))
				break;
		}
}

void
hunt_bytes(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t i = 0;

	if (bytes < 1024) {
		text_fmt(t, "%llu bytes", (unsigned long long)bytes);
		return;
	}
	for (v /= 1024; v >= 1023.95 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	text_fmt(t, "%.1f %s", v, units[i]);
}

void
hunt_lasting(struct text *t, int64_t us)
{
	long long s = (us < 0 ? -us : us) / HUNT_SECOND;

	if (s < 120)
		text_fmt(t, "%lld s", s);
	else if (s < 7200)
		text_fmt(t, "%lld min", s / 60);
	else if (s < 172800)
		text_fmt(t, "%lld h", s / 3600);
	else
		text_fmt(t, "%lld days", s / 86400);
}

bool
hunt_path_below(struct span path, struct span below)
{
	while (below.len != 0 && below.ptr[below.len - 1] == '/')
		below.len--;
	return span_starts(path, below) && (path.len == below.len || path.ptr[below.len] == '/');
}
