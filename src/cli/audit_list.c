/* audit_list.c - entries of the audit log, filtered, for people or as one JSON object a line. */
#include <stdio.h>

#include "base/text.h"
#include "cli/audit.h"
#include "cli/safe.h"
#include "store/tlog_json.h"
#include "sys/clock.h"

#define LIMIT_MAX 1000000u
#define FOLLOW_MS 500

struct filter {
	char since[40], until[40]; /* as `t` is written; empty: none */
	struct span user, event, path, addr;
	uint64_t limit; /* 0: none */
};

static const char *const event_names[] = {
#define EVENT(NAME, number, name, severity, text) name,
#include "ipc/events.def"
#undef EVENT
};

/* Is `name` the event `asked`, or one of its group ("file" for "file.read")? */
static bool
event_fits(struct span name, struct span asked)
{
	return span_starts(name, asked) && (name.len == asked.len || name.ptr[asked.len] == '.');
}

static int
check_event(struct span asked)
{
	for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
		if (event_fits(span_str(event_names[i]), asked))
			return SP_OK;
	return cli_fail(SP_EUSAGE, "%.*s: no such event", (int)asked.len, (const char *)asked.ptr);
}

int
audit_time(const struct cli *c, const char *option, int64_t *ret_us)
{
	const char *given = cli_opt(c, option);
	int64_t us = 0;

	if (given == NULL)
		return SP_OK;
	if (time_parse(span_str(given), clock_wall_us(), &us) != SP_OK || us < 0)
		return cli_fail(SP_EUSAGE,
		    "%s %s: not a time (2026-11-23, 2026-11-23T21:00:00Z, or 90m, 12h, 7d ago)",
		    option, given);
	*ret_us = us;
	return SP_OK;
}

/* A time as entries write theirs, so that bytes compare like times. */
static int
take_time(const struct cli *c, const char *option, char out[40])
{
	struct text t = text_of(out, 40);
	int64_t us = -1;
	int err = audit_time(c, option, &us);

	if (err != SP_OK || us < 0)
		return err;
	time_plain(&t, us);
	text_fmt(&t, ".%06lldZ", (long long)(us % 1000000));
	return SP_OK;
}

static int
read_filter(const struct cli *c, struct filter *f)
{
	const char *limit = cli_opt(c, "--limit");
	int err;

	*f = (struct filter){
	    .user = span_str(cli_opt(c, "--user")),
	    .event = span_str(cli_opt(c, "--event")),
	    .path = span_str(cli_opt(c, "--path")),
	    .addr = span_str(cli_opt(c, "--addr")),
	};
	err = take_time(c, "--since", f->since);
	if (err == SP_OK)
		err = take_time(c, "--until", f->until);
	if (err == SP_OK && f->event.len != 0)
		err = check_event(f->event);
	if (err != SP_OK || limit == NULL)
		return err;
	if (parse_u64(span_str(limit), LIMIT_MAX, &f->limit) != SP_OK || f->limit == 0)
		return cli_fail(
		    SP_EUSAGE, "--limit %s: not a number from 1 to %u", limit, LIMIT_MAX);
	return SP_OK;
}

/* /a fits /a and /a/b, not /ab. */
static bool
path_fits(struct span path, struct span prefix)
{
	while (prefix.len != 0 && prefix.ptr[prefix.len - 1] == '/')
		prefix.len--;
	return span_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

/* 203.0.113.7 fits 203.0.113.7:4711; [2001:db8::1] fits [2001:db8::1]:4711. */
static bool
addr_fits(struct span addr, struct span asked)
{
	return span_starts(addr, asked) && (addr.len == asked.len || addr.ptr[asked.len] == ':');
}

static bool
member_fits(
    struct span entry, const char *key, struct span asked, bool (*fits)(struct span, struct span))
{
	char value[4200];

	if (asked.len == 0)
		return true;
	tlog_json_text(entry, key, value, sizeof(value));
	return value[0] != '\0' && fits(span_str(value), asked);
}

static bool
entry_fits(struct span entry, const struct filter *f)
{
	char t[64];

	if (f->since[0] != '\0' || f->until[0] != '\0') {
		tlog_json_text(entry, "t", t, sizeof(t));
		if (strcmp(t, f->since) < 0 || (f->until[0] != '\0' && strcmp(t, f->until) >= 0))
			return false;
	}
	return member_fits(entry, "event", f->event, event_fits) &&
	       member_fits(entry, "user", f->user, span_eq) &&
	       member_fits(entry, "path", f->path, path_fits) &&
	       member_fits(entry, "addr", f->addr, addr_fits);
}

/* ---- printing ---- */

/* Text with spaces in it stands between quotes, so that a line can be taken apart again. */
static void
print_value(struct span value)
{
	char buf[TLOG_ENTRY_MAX + 1];
	size_t n = 0;

	if (value.len != 0 && value.ptr[0] == '"' &&
	    tlog_json_str(value, buf, sizeof(buf), &n) == SP_OK)
		value = span_of(buf, n);
	if (value.len != 0 && span_find(value, ' ') == value.len) {
		safe_print(stdout, value, '"');
		return;
	}
	(void)putchar('"');
	safe_print(stdout, value, '"');
	(void)putchar('"');
}

static void
print_members(struct span object)
{
	struct span key, value;

	while (tlog_json_next(&object, &key, &value) == 1) {
		if (span_eq_str(key, "n") || span_eq_str(key, "t") || span_eq_str(key, "event") ||
		    span_eq_str(key, "salt"))
			continue;
		if (value.ptr[0] == '{') {
			print_members(value);
			continue;
		}
		(void)putchar(' ');
		safe_print(stdout, key, ' ');
		(void)putchar('=');
		print_value(value);
	}
}

void
audit_print(uint64_t n, struct span entry, bool json)
{
	char t[64], event[64];

	if (json) {
		(void)fwrite(entry.ptr, 1, entry.len, stdout);
	} else {
		tlog_json_text(entry, "t", t, sizeof(t));
		tlog_json_text(entry, "event", event, sizeof(event));
		(void)printf("%llu ", (unsigned long long)n);
		safe_print(stdout, span_str(t), ' ');
		(void)putchar(' ');
		safe_print(stdout, span_str(event), ' ');
		print_members(entry);
	}
	(void)putchar('\n');
}

/* ---- walking ---- */

static int
entry_fail(uint64_t n, int err)
{
	return cli_fail(err == SP_ENOTFOUND || err == SP_EDAMAGED ? SP_EVERIFY : err,
	    "entry %llu: %s; see: sallyport audit verify", (unsigned long long)n, sp_strerror(err));
}

static int
list_range(const struct cli *c, struct audit *a, const struct filter *f, uint64_t from)
{
	for (uint64_t n = from; n < tlog_end(a->log); n++) {
		struct span entry;
		int err = tlog_entry(a->log, n, &entry);

		if (err != SP_OK)
			return entry_fail(n, err);
		if (entry_fits(entry, f))
			audit_print(n, entry, c->json);
	}
	return SP_OK;
}

/* The newest `limit` that fit, oldest of them first. */
static int
list_newest(const struct cli *c, struct audit *a, const struct filter *f)
{
	DEFER(mem_freep) uint64_t *found = mem_array((size_t)f->limit, sizeof(*found));
	size_t k = 0;
	struct span entry;
	int err = SP_OK;

	if (found == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	for (uint64_t n = tlog_end(a->log); n-- > 0 && k < f->limit;) {
		err = tlog_entry(a->log, n, &entry);
		if (err != SP_OK)
			return entry_fail(n, err);
		if (entry_fits(entry, f))
			found[k++] = n;
	}
	while (k-- > 0) {
		err = tlog_entry(a->log, found[k], &entry);
		if (err != SP_OK)
			return entry_fail(found[k], err);
		audit_print(found[k], entry, c->json);
	}
	return SP_OK;
}

static int
follow(const struct cli *c, struct audit *a, const struct filter *f)
{
	for (uint64_t from = tlog_end(a->log);;) {
		int err = cli_out_done();

		if (err != SP_OK)
			return err;
		clock_sleep_ms(FOLLOW_MS);
		tlog_free(TAKE_PTR(a->log));
		err = tlog_open(&a->fs, &a->key, &a->log, a->why, sizeof(a->why));
		if (err != SP_OK)
			return cli_fail(err, "%s", a->why);
		err = list_range(c, a, f, from);
		if (err != SP_OK)
			return err;
		if (tlog_end(a->log) > from)
			from = tlog_end(a->log);
	}
}

int
cmd_audit_list(struct cli *c)
{
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	struct filter f;
	int err = read_filter(c, &f);

	if (err == SP_OK)
		err = audit_open_say(c, &a);
	if (err != SP_OK)
		return err;
	err = f.limit != 0 ? list_newest(c, &a, &f) : list_range(c, &a, &f, 0);
	if (err == SP_OK && cli_has(c, "--follow"))
		err = follow(c, &a, &f);
	return cli_out_done() != SP_OK ? SP_EIO : err;
}
