/* report.h - what was found: for people, for machines, as a page. */
#ifndef SP_CLI_HUNT_REPORT_H
#define SP_CLI_HUNT_REPORT_H

#include "cli/audit.h"
#include "cli/hunt/hunt.h"
#include "cli/hunt/ioc.h"

#define REPORT_HTML_MAX (64u << 20) /* bytes of a page */

struct report {
	const struct hunt *h;
	const struct ioc *ioc; /* NULL: none */
	struct audit *audit;
	uint64_t from, end;		/* entries from <= n < end were read */
	uint64_t n_checked, n_unsigned; /* of them: hash to the checkpoint; are in the wal alone */
	bool whole;			/* --verify: the whole log was verified */
	uint64_t shown;			/* findings that are printed at most */
	int64_t now_us;
};

/* report_text, report_json - to standard output. */
void report_text(const struct report *r);
void report_json(const struct report *r);
/* report_html - one page that needs nothing else, into t.  SP_ETOOBIG */
int report_html(const struct report *r, struct text *t) MUST_USE;

/* ---- parts that stories use too ---- */

/* report_verified_text, report_verified_json - what was and what was not verified. */
void report_verified_text(const struct report *r, struct text *t);
void report_verified_json(const struct report *r, struct json *j);
/* report_time - "2026-11-25 23:01:12". */
void report_time(struct text *t, int64_t us);
/* report_flush - print what is in t, and empty it. */
void report_flush(struct text *t);
/* html_begin, html_end - head, style and foot of a page. */
void html_begin(struct text *t, const char *title);
void html_end(struct text *t, const struct report *r);
/* html_days - reads, bytes, logins and failures a day, as bars. */
void html_days(struct text *t, const struct report *r);
/* html_write - a page into a new file (or in place of an old one).  Errors are said. */
int html_write(const struct text *t, const char *path) MUST_USE;
#endif
