#include "ipc/alarm.h"

#include <stdio.h>

#include "base/err.h"
#include "base/text.h"

const struct alarm_row alarm_rows[ALARM_COUNT] = {
#define ALARM(NAME, Keyword, field, name, dflt, severity, events, text)                            \
	{name, #Keyword, events, text, ALARM_IS_##severity, offsetof(struct conf, field)},
#include "base/alarms.def"
#undef ALARM
};

const struct way_row way_rows[WAY_COUNT] = {
#define WAY(NAME, name, digests) {name, digests},
#include "base/ways.def"
#undef WAY
};

bool
alarm_is_on(enum alarm kind, const struct conf *c)
{
	PRECOND(kind < ALARM_COUNT);
	return *(const int64_t *)(const void *)((const uint8_t *)c + alarm_rows[kind].offset) != 0;
}

enum alarm
alarm_by_name(struct span name)
{
	size_t i = 0;

	while (i < ALARM_COUNT && !span_eq_str(name, alarm_rows[i].name))
		i++;
	return (enum alarm)i;
}

enum way
way_by_name(struct span name)
{
	size_t i = 0;

	while (i < WAY_COUNT && !span_eq_str(name, way_rows[i].name))
		i++;
	return (enum way)i;
}

bool
alarm_event_next(struct span *rest, struct span *ret_event, struct span *ret_when)
{
	struct span word;

	*rest = span_trim(*rest);
	if (rest->len == 0)
		return false;
	word = span_cut(*rest, span_find(*rest, ' '));
	*rest = span_skip(*rest, word.len);
	*ret_event = span_cut(word, span_find(word, ':'));
	*ret_when = span_skip(word, ret_event->len + 1);
	return true;
}

bool
alarm_may_raise(struct span event)
{
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		struct span rest = span_str(alarm_rows[i].events), name, when;

		while (alarm_event_next(&rest, &name, &when))
			if (span_eq(name, event))
				return true;
	}
	return false;
}

/* ---- settings ---- */

static bool
is_none(const char *s)
{
	return strcmp(s, "none") == 0;
}

bool
way_is_on(enum way way, const struct conf *c)
{
	switch (way) {
	case WAY_MAIL:
		return !is_none(c->alarm_mail_to);
	case WAY_WEBHOOK:
		return !is_none(c->alarm_webhook);
	case WAY_SYSLOG:
		return !is_none(c->alarm_syslog);
	default:
		return false;
	}
}

unsigned
ways_on(const struct conf *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < WAY_COUNT; i++)
		n += way_is_on((enum way)i, c);
	return n;
}

int
alarm_host_port(struct span s, struct span *ret_host, uint16_t *ret_port)
{
	bool v6 = s.len != 0 && s.ptr[0] == '[';
	size_t at = span_find(s, v6 ? ']' : ':');
	struct span host = v6 ? span_skip(span_cut(s, at), 1) : span_cut(s, at);
	struct span rest = span_skip(s, at + (v6 ? 1 : 0));
	uint64_t port = 0;

	if (host.len == 0 || host.len > 253 || rest.len == 0 || rest.ptr[0] != ':')
		return SP_ESYNTAX;
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.ptr[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';

		if (!plain && !(v6 && c == ':'))
			return SP_ESYNTAX;
	}
	if (parse_u64(span_skip(rest, 1), 65535, &port) != SP_OK || port == 0)
		return SP_ERANGE;
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return SP_OK;
}

bool
alarm_is_loopback(struct span host)
{
	return span_eq_str(host, "localhost") || span_eq_str(host, "::1") ||
	       (host.len > 4 && memcmp(host.ptr, "127.", 4) == 0);
}

static int
no(char *why, size_t cap, const char *keyword, const char *what)
{
	(void)snprintf(why, cap, "%s: %s", keyword, what);
	return SP_ECONFIG;
}

static bool
starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* One address: no quoting, no comments; a list has commas between. */
static bool
addresses_good(struct span s, bool list)
{
	while (s.len != 0) {
		struct span a = span_cut(s, span_find(s, ','));
		bool last = a.len == s.len;
		struct span one = span_trim(a);
		size_t at = span_find(one, '@');

		for (size_t i = 0; i < one.len; i++)
			if (one.ptr[i] <= ' ' || one.ptr[i] >= 0x7f ||
			    strchr("<>()[]\\,;:\"", one.ptr[i]) != NULL)
				return false;
		if (at == 0 || at + 1 >= one.len || (!list && !last))
			return false;
		s = span_skip(s, a.len + 1);
		if (last)
			return true;
	}
	return false;
}

static int
check_mail(const struct conf *c, char *why, size_t cap)
{
	struct span host;
	uint16_t port;

	if (!addresses_good(span_str(c->alarm_mail_to), true))
		return no(why, cap, "AlarmMailTo",
		    "these are not mail addresses with commas between them");
	if (!addresses_good(span_str(c->alarm_mail_from), false))
		return no(
		    why, cap, "AlarmMailFrom", "AlarmMailTo needs the address of a sender here");
	if (alarm_host_port(span_str(c->alarm_mail_server), &host, &port) != SP_OK)
		return no(why, cap, "AlarmMailServer",
		    "AlarmMailTo needs the HOST:PORT of a mail server here");
	if (c->alarm_mail_tls == ALARM_NO_TLS && !alarm_is_loopback(host))
		return no(
		    why, cap, "AlarmMailTls", "none is for a mail server on the loopback only");
	if (is_none(c->alarm_mail_user) != is_none(c->alarm_mail_password))
		return no(
		    why, cap, "AlarmMailUser", "AlarmMailUser and AlarmMailPassword go together");
	if (!is_none(c->alarm_mail_password) && !starts(c->alarm_mail_password, "file:"))
		return no(why, cap, "AlarmMailPassword",
		    "this is not file:PATH; the password itself has no place here");
	return SP_OK;
}

static int
check_webhook(const struct conf *c, char *why, size_t cap)
{
	struct span url = span_str(c->alarm_webhook), host;

	for (size_t i = 0; i < url.len; i++)
		if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f)
			return no(why, cap, "AlarmWebhook", "this is not a URL");
	if (starts(c->alarm_webhook, "http://")) {
		host = span_skip(url, 7);
		host = span_cut(host, span_find(host, '/'));
		if (host.len != 0 && host.ptr[0] == '[')
			host = span_skip(span_cut(host, span_find(host, ']')), 1);
		else
			host = span_cut(host, span_find(host, ':'));
		if (span_find(url, '@') != url.len || !alarm_is_loopback(host))
			return no(
			    why, cap, "AlarmWebhook", "http is for the loopback only: use https");
	} else if (!starts(c->alarm_webhook, "https://"))
		return no(why, cap, "AlarmWebhook", "this is not an https URL");
	if (!starts(c->alarm_webhook_key, "file:"))
		return no(why, cap, "AlarmWebhookKey",
		    "AlarmWebhook needs file:PATH of the signing key here");
	return SP_OK;
}

int
alarm_conf_check(const struct conf *c, char *why, size_t cap)
{
	struct span host;
	uint16_t port;
	int err = SP_OK;

	if (way_is_on(WAY_MAIL, c))
		err = check_mail(c, why, cap);
	if (err == SP_OK && way_is_on(WAY_WEBHOOK, c))
		err = check_webhook(c, why, cap);
	if (err == SP_OK && way_is_on(WAY_SYSLOG, c) && strcmp(c->alarm_syslog, "local") != 0 &&
	    !starts(c->alarm_syslog, "local:/") &&
	    alarm_host_port(span_str(c->alarm_syslog), &host, &port) != SP_OK)
		err = no(why, cap, "AlarmSyslog",
		    "this is none of HOST:PORT, local, local:PATH and none");
	return err;
}
