#include "rooms/courier/compose.h"

void
compose_id(struct text *t, const char *name, enum alarm kind, const struct batch *b)
{
	text_fmt(t, "%s-%s-%llu-%llu", name, alarm_rows[kind].name, (unsigned long long)b->first,
	    (unsigned long long)b->last);
}

void
compose_subject(struct text *t, const char *name, enum alarm kind, const struct batch *b)
{
	text_fmt(t, "[Sallyport %s] %s", name, alarm_rows[kind].text);
	if (b->count > 1)
		text_fmt(t, " (%llu times)", (unsigned long long)b->count);
}

/* "2026-11-26 05:21:28 UTC" */
static void
put_time(struct text *t, int64_t us)
{
	char buf[40];
	struct text one = text_of(buf, sizeof(buf));

	time_plain(&one, us);
	text_fmt(t, "%.10s %s UTC", buf, buf + 11);
}

static void
put_part(struct text *t, const char *name, const char *value)
{
	if (value[0] != '\0')
		text_fmt(t, "    %-8s %s\n", name, value);
}

static void
put_line(struct text *t, const struct line *l)
{
	put_time(t, l->t_us);
	text_fmt(t, "  entry %llu  %s\n", (unsigned long long)l->entry, l->event);
	if (l->user[0] != '\0')
		text_fmt(t, "    who      %s%s%s%s\n", l->user,
		    l->org[0] != '\0' ? " (organisation " : "", l->org,
		    l->org[0] != '\0' ? ")" : "");
	else
		put_part(t, "org", l->org);
	put_part(t, "from", l->addr);
	put_part(t, "path", l->path);
	put_part(t, "detail", l->detail);
	text_chr(t, '\n');
}

void
compose_text(struct text *t, const char *name, enum alarm kind, const struct batch *b)
{
	text_fmt(t, "Sallyport %s: %s.\n\n", name, alarm_rows[kind].text);
	for (size_t i = 0; i < b->n_lines; i++)
		put_line(t, &b->lines[i]);
	if (b->count > b->n_lines) {
		text_fmt(
		    t, "... and %llu more, until ", (unsigned long long)(b->count - b->n_lines));
		put_time(t, b->last_us);
		text_fmt(t, ", entry %llu.\n\n", (unsigned long long)b->last);
	}
	if (b->count == 1)
		text_fmt(t, "The entry and its proof: sallyport audit prove %llu\n",
		    (unsigned long long)b->first);
	else {
		text_str(t, "All of them: sallyport audit list --since ");
		time_rfc3339(t, b->first_us);
		text_fmt(t, " --event %s\n", b->lines[0].event);
	}
	text_fmt(t, "Alarm %s; its switch in sallyport.conf is %s.\n", alarm_rows[kind].name,
	    alarm_rows[kind].keyword);
}

static void
put_some(struct json *j, const char *key, const char *value)
{
	if (value[0] != '\0')
		json_kstr(j, key, span_str(value));
}

static void
put_time_member(struct json *j, const char *key, int64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_rfc3339(&t, us);
	json_kstr(j, key, text_span(&t));
}

static void
put_line_json(struct json *j, const struct line *l)
{
	json_open(j, '{');
	json_ku64(j, "entry", l->entry);
	put_time_member(j, "time", l->t_us);
	json_kstr(j, "event", span_str(l->event));
	put_some(j, "user", l->user);
	put_some(j, "organisation", l->org);
	put_some(j, "address", l->addr);
	put_some(j, "path", l->path);
	put_some(j, "detail", l->detail);
	json_close(j, '}');
}

void
compose_json(struct text *t, const char *name, enum alarm kind, const struct batch *b)
{
	static const char *const severities[] = {"info", "notice", "warning", "alarm"};
	char type[64];
	struct text tt = text_of(type, sizeof(type));
	struct json j = json_of(t);

	text_fmt(&tt, "alarm.%s", alarm_rows[kind].name);
	json_open(&j, '{');
	json_kstr(&j, "type", text_span(&tt));
	put_time_member(&j, "timestamp", b->first_us);
	json_key(&j, "data");
	json_open(&j, '{');
	json_kstr(&j, "instance", span_str(name));
	json_kstr(&j, "kind", span_str(alarm_rows[kind].name));
	json_kstr(&j, "severity", span_str(severities[alarm_rows[kind].severity]));
	json_kstr(&j, "text", span_str(alarm_rows[kind].text));
	json_ku64(&j, "count", b->count);
	json_ku64(&j, "first_entry", b->first);
	json_ku64(&j, "last_entry", b->last);
	json_key(&j, "alarms");
	json_open(&j, '[');
	for (size_t i = 0; i < b->n_lines; i++)
		put_line_json(&j, &b->lines[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	json_close(&j, '}');
}

void
compose_log(struct text *t, enum alarm kind, const struct line *l)
{
	text_fmt(t, "ALARM %s: %s (entry %llu", alarm_rows[kind].name, alarm_rows[kind].text,
	    (unsigned long long)l->entry);
	if (l->user[0] != '\0')
		text_fmt(t, ", user %s", l->user);
	if (l->addr[0] != '\0')
		text_fmt(t, ", from %s", l->addr);
	if (l->path[0] != '\0')
		text_fmt(t, ", path %s", l->path);
	if (l->detail[0] != '\0')
		text_fmt(t, ", %s", l->detail);
	text_chr(t, ')');
}
