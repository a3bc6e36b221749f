#include "rooms/courier/kinds.h"

#include "base/text.h"
#include "store/tlog_json.h"

/* ---- clean text ---- */

static bool
steers(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0xad || cp == 0x61c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe007f);
}

void
clean_put(struct text *t, struct span s)
{
	while (s.len != 0) {
		char buf[16];
		struct text one = text_of(buf, sizeof(buf));
		uint32_t cp = 0;
		size_t n = utf8_next(s, &cp);

		if (n == 0)
			text_str(&one, "\xef\xbf\xbd");
		else if (steers(cp))
			text_fmt(&one, "\\u{%04X}", (unsigned)cp);
		else
			text_add(&one, span_cut(s, n));
		if (one.len >= t->cap - t->len)
			return;
		text_add(t, text_span(&one));
		s = span_skip(s, n != 0 ? n : 1);
	}
}

/* ---- conditions ---- */

static bool
detail_is(struct span entry, const char *key, const char *value)
{
	struct span detail;
	char text[64];

	if (tlog_json_get(entry, "detail", &detail) != SP_OK)
		return false;
	tlog_json_text(detail, key, text, sizeof(text));
	return strcmp(text, value) == 0;
}

static bool
when_admin(struct span entry)
{
	return detail_is(entry, "level", "admin") || detail_is(entry, "level", "sysadmin");
}

static bool
when_widens(struct span entry)
{
	return detail_is(entry, "widens", "yes");
}

static bool
when_locked(struct span entry)
{
	return detail_is(entry, "room", "vault") &&
	       detail_is(entry, "text", "locked: waits for the passphrase");
}

/* release.refused for want of budget is somebody's haul that ended; any other is the server's own
 * trouble */
static bool
when_budget(struct span entry)
{
	return detail_is(entry, "error", sp_err_row(SP_EBUDGET)->name) ||
	       detail_is(entry, "error", sp_err_row(SP_EFROZEN)->name);
}

static bool
when_other(struct span entry)
{
	return !when_budget(entry);
}

static const struct {
	const char *name;
	bool (*fn)(struct span entry);
} conditions[] = {{"admin", when_admin}, {"widens", when_widens}, {"locked", when_locked},
    {"budget", when_budget}, {"other", when_other}};

bool
kinds_condition(struct span when)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (span_eq_str(when, conditions[i].name))
			return true;
	return when.len == 0;
}

static bool
holds(struct span when, struct span entry)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (span_eq_str(when, conditions[i].name))
			return conditions[i].fn(entry);
	return when.len == 0;
}

uint64_t
kinds_of(struct span entry)
{
	char text[64];
	struct span event;
	uint64_t set = 0;

	tlog_json_text(entry, "event", text, sizeof(text));
	event = span_str(text);
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		struct span rest = span_str(alarm_rows[i].events), name, when;

		while (alarm_event_next(&rest, &name, &when))
			if (span_eq(name, event) && holds(when, entry))
				set |= (uint64_t)1 << i;
	}
	return set;
}

/* ---- lines ---- */

/* A member's text, clean, as far as it fits. */
static void
take(struct span object, const char *key, char *buf, size_t cap)
{
	char raw[4160] = "";
	struct text t = text_of(buf, cap);

	tlog_json_text(object, key, raw, sizeof(raw));
	clean_put(&t, span_str(raw));
}

/* "level=admin; name=mallory" */
static void
take_detail(struct span entry, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	struct span detail, key, value;

	if (tlog_json_get(entry, "detail", &detail) != SP_OK)
		return;
	while (tlog_json_next(&detail, &key, &value) == 1) {
		char raw[1100] = "";
		size_t len = 0;

		if (tlog_json_str(value, raw, sizeof(raw), &len) != SP_OK)
			continue;
		if (t.len != 0)
			clean_put(&t, SPAN_LIT("; "));
		clean_put(&t, key);
		clean_put(&t, SPAN_LIT("="));
		clean_put(&t, span_of(raw, len));
	}
}

int
line_of(struct span entry, struct line *ret)
{
	struct line l = {0};
	struct span n;
	char time[64];

	if (tlog_json_get(entry, "n", &n) != SP_OK || tlog_json_u64(n, &l.entry) != SP_OK)
		return SP_ESYNTAX;
	tlog_json_text(entry, "t", time, sizeof(time));
	if (time_parse(span_str(time), 0, &l.t_us) != SP_OK || l.t_us < 0)
		l.t_us = 0;
	take(entry, "event", l.event, sizeof(l.event));
	take(entry, "user", l.user, sizeof(l.user));
	take(entry, "org", l.org, sizeof(l.org));
	take(entry, "addr", l.addr, sizeof(l.addr));
	take(entry, "path", l.path, sizeof(l.path));
	take_detail(entry, l.detail, sizeof(l.detail));
	*ret = l;
	return SP_OK;
}
