/* cmd.c - sallyport hunt: options, the range, what is read, what is reported. */
#include <fcntl.h>
#include <stdio.h>

#include "cli/hunt/report.h"
#include "cli/hunt/scan.h"
#include "cli/hunt/story.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define SHOWN_USUALLY 100u
#define SHOWN_MAX 1000000u

static int
load_iocs(const struct cli *c, struct ioc **ret)
{
	char why[256];
	const char *path;
	int err = cli_opt(c, "--ioc") != NULL ? ioc_new(ret) : SP_OK;

	if (err != SP_OK)
		return cli_fail(err, "%s", sp_strerror(err));
	for (size_t i = 0; (path = cli_opt_nth(c, "--ioc", i)) != NULL; i++) {
		DEFER(mem_freep) uint8_t *content = NULL;
		size_t len = 0;

		err = audit_read_file(path, (size_t)HUNT_IOC_FILE_MIB << 20, &content, &len);
		if (err != SP_OK)
			return err;
		err = ioc_load(*ret, path, span_of(content, len), why, sizeof(why));
		if (err != SP_OK)
			return cli_fail(err == SP_ESYNTAX ? SP_EUSAGE : err, "%s: %s", path, why);
	}
	return SP_OK;
}

/* --since and --until as numbers of entries. */
static int
find_range(const struct cli *c, struct audit *a, uint64_t *ret_from, uint64_t *ret_end)
{
	int64_t since_us = -1, until_us = -1;
	int err = audit_time(c, "--since", &since_us);

	*ret_from = 0;
	*ret_end = tlog_end(a->log);
	if (err == SP_OK)
		err = audit_time(c, "--until", &until_us);
	if (err != SP_OK)
		return err;
	if (since_us > 0)
		err = scan_find(a->log, since_us, ret_from, a->why, sizeof(a->why));
	if (err == SP_OK && until_us >= 0)
		err = scan_find(a->log, until_us, ret_end, a->why, sizeof(a->why));
	return err != SP_OK ? cli_fail(err, "%s", a->why) : SP_OK;
}

static int
take_entry(void *arg, const struct hunt_entry *e)
{
	return hunt_take(arg, e);
}

static int
take_unreadable(void *arg, uint64_t n)
{
	return hunt_unreadable(arg, n);
}

static int
write_page(const struct report *r, const char *path)
{
	DEFER(mem_freep) char *buf = mem_alloc(REPORT_HTML_MAX);
	struct text t;
	int err;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t = text_of(buf, REPORT_HTML_MAX);
	err = report_html(r, &t);
	return err != SP_OK ? cli_fail(err, "%s: the page is too large", path)
			    : html_write(&t, path);
}

static int
detect(const struct cli *c, struct report *r, struct hunt *h)
{
	struct audit *a = r->audit;
	struct scan scan = {.log = a->log,
	    .from = r->from,
	    .end = r->end,
	    .entry = take_entry,
	    .unreadable = take_unreadable,
	    .arg = h};
	const char *page = cli_opt(c, "--html");
	int err = scan_run(&scan, a->why, sizeof(a->why));

	if (err != SP_OK)
		return cli_fail(err, "%s", err == SP_ENOMEM ? sp_strerror(err) : a->why);
	hunt_end(h);
	r->h = h;
	r->n_checked = scan.n_checked;
	r->n_unsigned = scan.n_unsigned;
	if (page != NULL)
		err = write_page(r, page);
	if (err != SP_OK)
		return err;
	if (c->json)
		report_json(r);
	else
		report_text(r);
	return h->n_findings != 0 ? SP_EFOUND : SP_OK;
}

static int
hunt_all(const struct cli *c, struct report *r)
{
	struct ioc *ioc = NULL;
	struct hunt *h = NULL;
	int err = load_iocs(c, &ioc);

	if (err == SP_OK && hunt_new(ioc, &h) != SP_OK)
		err = cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	r->ioc = ioc;
	if (err == SP_OK)
		err = detect(c, r, h);
	hunt_free(h);
	ioc_free(ioc);
	return err;
}

static bool
is_story(const struct cli *c)
{
	return cli_has(c, "--user") || cli_has(c, "--file") || cli_has(c, "--address");
}

static int
check_options(const struct cli *c, uint64_t *ret_shown)
{
	const char *limit = cli_opt(c, "--limit");

	*ret_shown = SHOWN_USUALLY;
	if (limit != NULL &&
	    (parse_u64(span_str(limit), SHOWN_MAX, ret_shown) != SP_OK || *ret_shown == 0))
		return cli_fail(
		    SP_EUSAGE, "--limit %s: not a number from 1 to %u", limit, SHOWN_MAX);
	if (is_story(c) && cli_has(c, "--ioc"))
		return cli_fail(SP_EUSAGE, "--ioc looks through everything: it does not go with "
					   "--user, --file, --address");
	if (!is_story(c) && cli_has(c, "--proofs"))
		return cli_fail(SP_EUSAGE, "--proofs goes with --user, --file or --address");
	return SP_OK;
}

int
cmd_hunt(struct cli *c)
{
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	struct report r = {.audit = &a, .now_us = clock_wall_us()};
	int err = check_options(c, &r.shown), flushed;

	if (err == SP_OK)
		err = audit_open_say(c, &a);
	if (err == SP_OK && cli_has(c, "--verify")) {
		r.whole = true;
		err = tlog_verify(a.log, 0, NULL, a.why, sizeof(a.why));
		if (err != SP_OK)
			return cli_fail(err, "%s", a.why);
	}
	if (err == SP_OK)
		err = find_range(c, &a, &r.from, &r.end);
	if (err == SP_OK)
		err = is_story(c) ? story_tell(c, &r) : hunt_all(c, &r);
	flushed = cli_out_done();
	return flushed != SP_OK ? flushed : err;
}
