/* html.c - findings and stories as one page: no script, no font, no picture from elsewhere.
 *
 * Every text of a stranger goes through safe_html.  The page forbids itself to load or run anything
 * (Content-Security-Policy), should that ever fail. */
#include <fcntl.h>

#include "cli/hunt/report.h"
#include "cli/hunt/story_state.h"
#include "cli/safe.h"
#include "sys/fd.h"

#define PLOT_WIDTH 960
#define BARS_MAX 480
#define BAR_HEIGHT 120

void
html_begin(struct text *t, const char *title)
{
	text_str(t,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	    "'unsafe-inline'\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	safe_html(t, span_str(title));
	text_str(t,
	    "</title>\n<style>\n"
	    "body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 "
	    "1rem;color:#1c2430;background:#fff}\n"
	    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\n"
	    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
	    "padding:.35rem .6rem;border-bottom:1px solid #dde3ea;overflow-wrap:anywhere}\n"
	    ".score{font-weight:700;text-align:right}.high{color:#b3141a}.mid{color:#a85b00}\n"
	    ".small{color:#5a6675;font-size:.87rem}code{font:13px ui-monospace,monospace}\n"
	    "svg{display:block;width:100%;height:auto}svg text{font:11px sans-serif;fill:#5a6675}\n"
	    "@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#151a21}td,th{"
	    "border-color:#303947}.high{color:#ff7b80}.mid{color:#ffb65c}}\n"
	    "</style></head><body>\n<h1>");
	safe_html(t, span_str(title));
	text_str(t, "</h1>\n");
}

static void
put_time(struct text *t, int64_t us)
{
	report_time(t, us);
	text_str(t, " UTC");
}

void
html_end(struct text *t, const struct report *r)
{
	text_str(t, "<p class=\"small\">Made by sallyport hunt at ");
	put_time(t, r->now_us);
	text_str(t, ".</p>\n</body></html>\n");
}

static void
put_verified(struct text *t, const struct report *r)
{
	char buf[2048];
	struct text plain = text_of(buf, sizeof(buf));

	report_verified_text(r, &plain);
	text_str(t, "<pre class=\"small\">");
	for (struct span rest = text_span(&plain); rest.len != 0;) {
		struct span line = span_cut(rest, span_find(rest, '\n'));

		safe_html(t, line);
		text_chr(t, '\n');
		rest = span_skip(rest, line.len + 1);
	}
	text_str(t, "</pre>\n");
}

/* ---- plots ---- */

/* Bars of one series; value(h, i) of n days, several to a bar when there are many. */
static void
put_bars(struct text *t, const char *title, const struct hunt *h, size_t n, size_t offset,
    bool is_bytes, const char *colour)
{
	size_t per = (n + BARS_MAX - 1) / BARS_MAX, bars = (n + per - 1) / per;
	double step = (double)PLOT_WIDTH / (double)bars;
	uint64_t value[BARS_MAX] = {0}, most = 1;

	for (size_t i = 0; i < n; i++)
		value[i / per] +=
		    *(const uint64_t *)(const void *)((const uint8_t *)&h->day[i] + offset);
	for (size_t i = 0; i < bars; i++)
		most = value[i] > most ? value[i] : most;
	text_fmt(t, "<h2>%s</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
	    title, PLOT_WIDTH, BAR_HEIGHT + 22, title);
	for (size_t i = 0; i < bars; i++) {
		double height = (double)value[i] / (double)most * BAR_HEIGHT;
		int64_t day = (h->first_day + (int64_t)(i * per)) * HUNT_DAY;

		if (value[i] == 0)
			continue;
		text_fmt(t,
		    "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
		    "fill=\"%s\"><title>",
		    (double)i * step, BAR_HEIGHT - height, step > 2 ? step - 1 : step, height,
		    colour);
		report_time(t, day);
		text_str(t, ": ");
		if (is_bytes)
			hunt_bytes(t, value[i]);
		else
			text_u64(t, value[i]);
		text_str(t, "</title></rect>\n");
	}
	text_fmt(t, "<line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#8a96a5\"/>\n",
	    BAR_HEIGHT, PLOT_WIDTH, BAR_HEIGHT);
	text_fmt(t, "<text x=\"0\" y=\"%d\">", BAR_HEIGHT + 16);
	report_time(t, h->first_day * HUNT_DAY);
	text_fmt(
	    t, "</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", PLOT_WIDTH, BAR_HEIGHT + 16);
	report_time(t, h->last_us);
	text_fmt(t, "</text><text x=\"%d\" y=\"11\" text-anchor=\"end\">most: ", PLOT_WIDTH);
	if (is_bytes)
		hunt_bytes(t, most);
	else
		text_u64(t, most);
	text_str(t, "</text></svg>\n");
}

/* Reads by day of the week and hour of the day. */
static void
put_week(struct text *t, const struct hunt *h)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	uint64_t most = 1;

	for (size_t d = 0; d < 7; d++)
		for (size_t i = 0; i < 24; i++)
			most = h->week[d][i] > most ? h->week[d][i] : most;
	text_str(t,
	    "<h2>Reads by hour of the week (UTC)</h2>\n<svg viewBox=\"0 0 960 190\" role=\"img\" "
	    "aria-label=\"Reads by hour of the week\">\n");
	for (size_t d = 0; d < 7; d++) {
		text_fmt(t, "<text x=\"0\" y=\"%zu\">%s</text>\n", d * 24 + 15, days[d]);
		for (size_t i = 0; i < 24; i++) {
			double share = (double)h->week[d][i] / (double)most;

			text_fmt(t,
			    "<rect x=\"%zu\" y=\"%zu\" width=\"36\" height=\"21\" fill=\"#2463a8\" "
			    "fill-opacity=\"%.3f\"><title>%s %02zu:00: %llu</title></rect>\n",
			    40 + i * 38, d * 24, h->week[d][i] != 0 ? 0.12 + 0.88 * share : 0.04,
			    days[d], i, (unsigned long long)h->week[d][i]);
		}
	}
	for (size_t i = 0; i < 24; i += 3)
		text_fmt(t, "<text x=\"%zu\" y=\"184\">%02zu</text>\n", 40 + i * 38, i);
	text_str(t, "</svg>\n");
}

void
html_days(struct text *t, const struct report *r)
{
	const struct hunt *h = r->h;
	int64_t n = h->last_us / HUNT_DAY - h->first_day + 1;

	if (h->entries == 0 || n < 1)
		return;
	n = n < HUNT_DAYS_MAX ? n : HUNT_DAYS_MAX;
	put_bars(
	    t, "Files read a day", h, (size_t)n, offsetof(struct day, reads), false, "#2463a8");
	put_bars(
	    t, "Bytes released a day", h, (size_t)n, offsetof(struct day, bytes), true, "#4a3f9f");
	put_bars(
	    t, "Failed logins a day", h, (size_t)n, offsetof(struct day, failed), false, "#b3141a");
	put_week(t, h);
}

/* ---- findings ---- */

static void
put_finding(struct text *t, const struct finding *f)
{
	const struct detector_row *row = detector_row(f->detector);

	text_fmt(t, "<tr><td class=\"score %s\">%u</td><td><b>%s</b><br>",
	    f->score >= 70   ? "high"
	    : f->score >= 40 ? "mid"
			     : "low",
	    f->score, row->title);
	safe_html(t, span_str(f->what));
	text_fmt(t, "<br><span class=\"small\">%s</span></td><td>", row->text);
	safe_html(t, span_str(f->user));
	if (f->org[0] != '\0') {
		text_str(t, "<br>");
		safe_html(t, span_str(f->org));
	}
	text_str(t, f->others ? "<br>and others" : "");
	text_str(t, f->user[0] != '\0' ? "<br>" : "");
	safe_html(t, span_str(f->addr));
	text_str(t, "</td><td>");
	put_time(t, f->first_us);
	text_str(t, "<br>");
	put_time(t, f->last_us);
	text_str(t, "</td><td>");
	for (unsigned i = 0; i < f->n_entries; i++)
		text_fmt(t, "%s%llu", i != 0 ? ", " : "", (unsigned long long)f->entry[i]);
	if (f->count > f->n_entries)
		text_fmt(t, " ... %llu (%llu)", (unsigned long long)f->last_entry,
		    (unsigned long long)f->count);
	text_str(t, "</td></tr>\n");
}

int
report_html(const struct report *r, struct text *t)
{
	const struct hunt *h = r->h;

	html_begin(t, "What the audit log says");
	text_fmt(t, "<p>%llu entries", (unsigned long long)h->entries);
	if (h->entries != 0) {
		text_str(t, ", ");
		put_time(t, h->first_us);
		text_str(t, " to ");
		put_time(t, h->last_us);
	}
	text_fmt(t, ". <b>%zu findings</b>, most suspicious first.</p>\n", h->n_findings);
	put_verified(t, r);
	if (h->n_findings != 0)
		text_str(t,
		    "<table><thead><tr><th>score</th><th>what</th><th>who</th><th>when</th><th>"
		    "entries</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < h->n_findings; i++)
		put_finding(t, &h->finding[i]);
	if (h->n_findings != 0)
		text_str(t, "</tbody></table>\n");
	html_days(t, r);
	html_end(t, r);
	return t->bad ? SP_ETOOBIG : SP_OK;
}

int
html_write(const struct text *t, const char *path)
{
	int err = file_write_new(AT_FDCWD, path, text_span(t), 0600, /* replace= */ true);

	return err != SP_OK ? cli_fail(err, "%s: %s", path, sp_strerror(err)) : SP_OK;
}

/* ---- stories ---- */

static void
put_taken(struct text *t, const struct taken *k)
{
	text_str(t, "<tr><td>");
	safe_html(t, span_str(k->path));
	if (k->is_known &&
	    (strcmp(k->path, k->stored_path) != 0 || k->version != k->stored_version)) {
		text_str(t, "<br><span class=\"small\">stored as ");
		safe_html(t, span_str(k->stored_path));
		text_fmt(t, ", version %llu (entry %llu)</span>",
		    (unsigned long long)k->stored_version, (unsigned long long)k->stored_entry);
	}
	text_str(t, "<br><code>");
	if (k->has_sha256)
		text_hex(t, span_of(k->sha256, sizeof(k->sha256)));
	else
		text_str(t, "no SHA-256 on record");
	text_fmt(t, "</code></td><td>%llu</td><td>%llu</td><td>", (unsigned long long)k->version,
	    (unsigned long long)k->size);
	put_time(t, k->first_us);
	text_str(t, "<br>");
	put_time(t, k->last_us);
	text_fmt(t, "</td><td>%u</td><td>%llu</td></tr>\n", k->times - k->refused,
	    (unsigned long long)k->first_entry);
}

static void
put_sum(struct text *t, const struct totals *sum)
{
	text_fmt(t, "<p><b>%llu files, %llu versions, %llu bytes (", (unsigned long long)sum->files,
	    (unsigned long long)sum->versions, (unsigned long long)sum->bytes);
	hunt_bytes(t, sum->bytes);
	text_fmt(t, ")</b> in %llu readings; %llu more were refused by the vault.</p>\n",
	    (unsigned long long)sum->releases, (unsigned long long)sum->refused);
}

int
story_page(const struct cli *c, const struct report *r, const struct story *s,
    const struct totals *sum, const char *path)
{
	DEFER(mem_freep) char *buf = mem_alloc(REPORT_HTML_MAX);
	static const char *const options[] = {"--user", "--file", "--address"};
	struct text t;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t = text_of(buf, REPORT_HTML_MAX);
	html_begin(&t, "What was taken");
	text_str(&t, "<p>");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!cli_has(c, options[i]))
			continue;
		text_fmt(&t, "%s <b>", options[i] + 2);
		safe_html(&t, span_str(cli_opt(c, options[i])));
		text_str(&t, "</b> ");
	}
	text_str(&t, "</p>\n");
	put_sum(&t, sum);
	put_verified(&t, r);
	text_str(&t, "<table><thead><tr><th>file and "
		     "SHA-256</th><th>version</th><th>bytes</th><th>first and "
		     "last reading</th><th>times</th><th>entry</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < s->n_taken; i++)
		if (s->taken[i].times > s->taken[i].refused)
			put_taken(&t, &s->taken[i]);
	text_str(&t, "</tbody></table>\n");
	html_end(&t, r);
	if (t.bad)
		return cli_fail(SP_ETOOBIG, "%s: the page is too large: ask for less", path);
	return html_write(&t, path);
}
