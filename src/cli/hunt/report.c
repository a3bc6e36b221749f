/* report.c - findings for people and for machines. */
#include "cli/hunt/report.h"

#include <stdio.h>

#include "cli/safe.h"

#define PART 16384u /* bytes of text that are printed in one go */
#define WIDTH 100u  /* columns */
#define INDENT 10u

void
report_flush(struct text *t)
{
	VERIFY(!t->bad);
	(void)fwrite(t->buf, 1, t->len, stdout);
	*t = text_of(t->buf, t->cap);
}

void
report_time(struct text *t, int64_t us)
{
	size_t at = t->len;

	time_plain(t, us);
	if (!t->bad)
		t->buf[at + 10] = ' ';
}

void
report_verified_text(const struct report *r, struct text *t)
{
	unsigned long long size = tlog_size(r->audit->log);

	if (r->whole)
		text_fmt(
		    t, "verified  the whole log: all %llu entries hash to its checkpoint", size);
	else
		text_fmt(t,
		    "verified  all %llu entries that were read hash to the checkpoint of %llu",
		    (unsigned long long)r->n_checked, size);
	text_str(t, "\n          signed by ");
	safe_text(t, span_str(r->audit->key.name));
	text_chr(t, '\n');
	if (r->n_unsigned != 0)
		text_fmt(t, "          the newest %llu are not under a checkpoint yet\n",
		    (unsigned long long)r->n_unsigned);
	if (!r->whole)
		text_str(
		    t, "          not verified: entries outside the range (--verify does that)\n");
	text_str(t, "          not verified: that no newer checkpoint was given out (keep some "
		    "elsewhere)\n");
}

void
report_verified_json(const struct report *r, struct json *j)
{
	json_key(j, "verified");
	json_open(j, '{');
	json_kstr(j, "origin", span_str(r->audit->key.name));
	json_ku64(j, "checkpoint", tlog_size(r->audit->log));
	json_ku64(j, "entries", r->n_checked);
	json_ku64(j, "not_signed_for", r->n_unsigned);
	json_kbool(j, "whole_log", r->whole);
	json_close(j, '}');
}

/* ---- text ---- */

/* A sentence, broken at spaces, under a heading. */
static void
put_wrapped(struct text *t, const char *head, struct span s)
{
	size_t room = WIDTH - INDENT;

	text_fmt(t, "     %-4s ", head);
	while (s.len > room) {
		size_t n = room;

		while (n > room / 2 && s.ptr[n] != ' ')
			n--;
		if (s.ptr[n] != ' ') { /* one long word: cut between characters */
			n = room;
			while (n > room / 2 && (s.ptr[n] & 0xc0) == 0x80)
				n--;
		}
		text_add(t, span_cut(s, n));
		s = span_skip(s, n);
		text_str(t, "\n          ");
		while (s.len != 0 && s.ptr[0] == ' ')
			s = span_skip(s, 1);
	}
	text_add(t, s);
	text_chr(t, '\n');
}

static void
put_who(struct text *t, const struct finding *f)
{
	char buf[1024];
	struct text who = text_of(buf, sizeof(buf));

	if (f->user[0] == '\0' && f->addr[0] == '\0')
		return;
	safe_text(&who, span_str(f->user));
	if (f->org[0] != '\0') {
		text_str(&who, " (");
		safe_text(&who, span_str(f->org));
		text_chr(&who, ')');
	}
	text_str(&who, f->others ? " and others" : "");
	if (f->addr[0] != '\0') {
		text_str(&who, f->user[0] != '\0' ? " from " : "");
		safe_text(&who, span_str(f->addr));
	}
	put_wrapped(t, "who", text_span(&who));
}

static void
put_when(struct text *t, const struct finding *f)
{
	text_str(t, "     when ");
	report_time(t, f->first_us);
	if (f->last_us / HUNT_SECOND != f->first_us / HUNT_SECOND) {
		text_str(t, " to ");
		report_time(t, f->last_us);
	}
	text_str(t, " UTC\n");
}

static void
put_entries(struct text *t, const struct finding *f)
{
	char buf[512];
	struct text e = text_of(buf, sizeof(buf));

	for (unsigned i = 0; i < f->n_entries; i++)
		text_fmt(&e, "%s%llu", i != 0 ? ", " : "", (unsigned long long)f->entry[i]);
	if (f->count > f->n_entries)
		text_fmt(&e, " ... %llu (%llu entries)", (unsigned long long)f->last_entry,
		    (unsigned long long)f->count);
	put_wrapped(t, "log", text_span(&e));
}

static void
put_finding(struct text *t, const struct finding *f)
{
	char buf[4096];
	struct text what = text_of(buf, sizeof(buf));

	text_fmt(t, "\n%3u  %s  [%s]\n", f->score, detector_row(f->detector)->title,
	    detector_row(f->detector)->name);
	put_who(t, f);
	put_when(t, f);
	safe_text(&what, span_str(f->what));
	put_wrapped(t, "what", text_span(&what));
	put_entries(t, f);
}

static void
put_iocs(struct text *t, const struct ioc *c)
{
	size_t shown = 0, refused = ioc_not_understood(c, &shown);

	text_str(t, "compared ");
	for (int i = 0; i < IOC_TYPES; i++)
		text_fmt(t, "%s%zu %s", i != 0 ? ", " : " ", ioc_count(c, (enum ioc_type)i),
		    ioc_type_name((enum ioc_type)i));
	text_chr(t, '\n');
	if (refused == 0)
		return;
	text_fmt(t, "          %zu lines or patterns are not used:\n", refused);
	for (size_t i = 0; i < shown; i++) {
		const char *file;
		struct span what, why;

		ioc_refused(c, i, &file, &what, &why);
		text_str(t, "          ");
		safe_text(t, span_cut(span_str(file), 60));
		text_str(t, ": ");
		safe_text(t, span_cut(what, 120));
		text_str(t, ": ");
		text_add(t, why);
		text_chr(t, '\n');
		report_flush(t);
	}
	if (shown < refused)
		text_fmt(t, "          and %zu more\n", refused - shown);
}

static void
put_left_out(struct text *t, const struct report *r)
{
	const struct hunt *h = r->h;

	for (int d = 0; d < DETECTORS; d++)
		if (h->left_out[d] != 0)
			text_fmt(t, "left out  %llu findings of %s, the least suspicious\n",
			    (unsigned long long)h->left_out[d],
			    detector_row((enum detector)d)->name);
	if (h->people_left_out != 0)
		text_fmt(t, "left out  %llu entries of principals beyond the first %d\n",
		    (unsigned long long)h->people_left_out, HUNT_PEOPLE_MAX);
	if (h->ioc_left_out != 0)
		text_fmt(t, "left out  reads of %llu versions that have an indicator's hash\n",
		    (unsigned long long)h->ioc_left_out);
}

void
report_text(const struct report *r)
{
	char buf[PART];
	struct text t = text_of(buf, sizeof(buf));
	const struct hunt *h = r->h;

	if (h->entries == 0) {
		text_str(&t, "read      no entries: there are none in this time\n");
	} else {
		text_fmt(&t, "read      %llu entries (%llu to %llu), ",
		    (unsigned long long)h->entries, (unsigned long long)h->first_entry,
		    (unsigned long long)h->last_entry);
		report_time(&t, h->first_us);
		text_str(&t, " to ");
		report_time(&t, h->last_us);
		text_str(&t, " UTC\n");
	}
	report_verified_text(r, &t);
	report_flush(&t);
	if (r->ioc != NULL)
		put_iocs(&t, r->ioc);
	put_left_out(&t, r);
	text_fmt(&t, "found     %zu, most suspicious first\n", h->n_findings);
	for (size_t i = 0; i < h->n_findings && i < r->shown; i++) {
		put_finding(&t, &h->finding[i]);
		report_flush(&t);
	}
	if (h->n_findings > r->shown)
		text_fmt(&t, "\nand %zu less suspicious ones; see them with --limit %zu\n",
		    h->n_findings - (size_t)r->shown, h->n_findings);
	if (h->n_findings != 0)
		text_str(&t, "\nEntries are shown by: sallyport audit list\n"
			     "All of one principal: sallyport hunt --user NAME\n");
	report_flush(&t);
}

/* ---- JSON ---- */

static void
json_time(struct json *j, const char *key, int64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_rfc3339(&t, us);
	json_kstr(j, key, text_span(&t));
}

static void
json_some(struct json *j, const char *key, const char *s)
{
	if (s[0] != '\0')
		json_kstr(j, key, span_str(s));
}

static void
json_finding(struct json *j, const struct finding *f)
{
	json_open(j, '{');
	json_kstr(j, "detector", span_str(detector_row(f->detector)->name));
	json_kstr(j, "title", span_str(detector_row(f->detector)->title));
	json_ku64(j, "score", f->score);
	json_some(j, "user", f->user);
	json_some(j, "org", f->org);
	json_some(j, "address", f->addr);
	json_kbool(j, "others", f->others);
	json_time(j, "first", f->first_us);
	json_time(j, "last", f->last_us);
	json_kstr(j, "what", span_str(f->what));
	json_ku64(j, "count", f->count);
	if (f->files != 0) {
		json_ku64(j, "files", f->files);
		json_ku64(j, "bytes", f->bytes);
	}
	json_key(j, "entries");
	json_open(j, '[');
	for (unsigned i = 0; i < f->n_entries; i++)
		json_u64(j, f->entry[i]);
	json_close(j, ']');
	json_ku64(j, "last_entry", f->last_entry);
	json_close(j, '}');
}

static void
json_iocs(struct json *j, const struct ioc *c)
{
	size_t shown = 0, refused = ioc_not_understood(c, &shown);

	json_key(j, "indicators");
	json_open(j, '{');
	json_key(j, "compared");
	json_open(j, '{');
	for (int i = 0; i < IOC_TYPES; i++)
		json_ku64(j, ioc_type_name((enum ioc_type)i), ioc_count(c, (enum ioc_type)i));
	json_close(j, '}');
	json_ku64(j, "not_used", refused);
	json_key(j, "not_used_first");
	json_open(j, '[');
	for (size_t i = 0; i < shown; i++) {
		const char *file;
		struct span what, why;

		ioc_refused(c, i, &file, &what, &why);
		json_open(j, '{');
		json_kstr(j, "file", span_str(file));
		json_kstr(j, "what", what);
		json_kstr(j, "why", why);
		json_close(j, '}');
		report_flush(j->t);
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void
json_left_out(struct json *j, const struct hunt *h)
{
	uint64_t n = 0;

	for (int d = 0; d < DETECTORS; d++)
		n += h->left_out[d];
	json_key(j, "left_out");
	json_open(j, '{');
	json_ku64(j, "findings", n);
	json_ku64(j, "entries_of_more_principals", h->people_left_out);
	json_ku64(j, "versions_with_indicators", h->ioc_left_out);
	json_close(j, '}');
}

void
report_json(const struct report *r)
{
	char buf[PART];
	struct text t = text_of(buf, sizeof(buf));
	struct json j = json_of(&t);
	const struct hunt *h = r->h;

	json_open(&j, '{');
	json_ku64(&j, "hunt", 1);
	json_ku64(&j, "entries", h->entries);
	if (h->entries != 0) {
		json_ku64(&j, "first_entry", h->first_entry);
		json_ku64(&j, "last_entry", h->last_entry);
		json_time(&j, "first", h->first_us);
		json_time(&j, "last", h->last_us);
	}
	report_verified_json(r, &j);
	if (r->ioc != NULL)
		json_iocs(&j, r->ioc);
	json_left_out(&j, h);
	json_key(&j, "findings");
	json_open(&j, '[');
	for (size_t i = 0; i < h->n_findings; i++) {
		json_finding(&j, &h->finding[i]);
		report_flush(&t);
	}
	json_close(&j, ']');
	json_close(&j, '}');
	text_chr(&t, '\n');
	report_flush(&t);
}
