/* job.c - one message and what is needed to deliver it, for one messenger. */
#include "rooms/courier/courier.h"

#include "rooms/courier/compose.h"

static struct span
some(const char *setting)
{
	return strcmp(setting, "none") == 0 ? span_of(NULL, 0) : span_str(setting);
}

/* Settings and secret of that way only. */
static void
address(const struct courier *c, enum way way, struct ipc_deliver *m)
{
	const struct conf *conf = &c->room.conf;
	struct span secret = span_of(c->secret[way], c->secret_len[way]);

	m->way = (uint8_t)way;
	switch (way) {
	case WAY_MAIL:
		m->tls = (uint8_t)conf->alarm_mail_tls;
		m->target = span_str(conf->alarm_mail_server);
		m->to = span_str(conf->alarm_mail_to);
		m->from = span_str(conf->alarm_mail_from);
		m->user = some(conf->alarm_mail_user);
		if (m->user.len != 0)
			m->secret = secret;
		break;
	case WAY_WEBHOOK:
		m->target = span_str(conf->alarm_webhook);
		m->secret = secret;
		break;
	default:
		m->target = span_str(conf->alarm_syslog);
		break;
	}
}

struct parts {
	char id[129], subject[256], text[MESSAGE_TEXT_MAX + 1], json[MESSAGE_JSON_MAX + 1];
};

int
job_send(struct courier *c, struct messenger *to, enum way way)
{
	const struct way_state *w = &c->state->way[way];
	const char *name = c->room.conf.name;
	DEFER(mem_freep) struct parts *p = mem_alloc(sizeof(*p));
	struct ipc_deliver m = {.severity = (uint8_t)alarm_rows[w->flying_kind].severity,
	    .name = span_str(name),
	    .time_us = (uint64_t)w->flying.first_us,
	    .kind = span_str(alarm_rows[w->flying_kind].name)};
	struct text t;
	int err, ca = c->room.file[FILE_ALARM_CA];

	if (p == NULL)
		return SP_ENOMEM;
	t = text_of(p->id, sizeof(p->id));
	compose_id(&t, name, w->flying_kind, &w->flying);
	m.id = text_span(&t);
	t = text_of(p->subject, sizeof(p->subject));
	compose_subject(&t, name, w->flying_kind, &w->flying);
	m.subject = text_span(&t);
	t = text_of(p->text, sizeof(p->text));
	compose_text(&t, name, w->flying_kind, &w->flying);
	m.text = text_span(&t);
	t = text_of(p->json, sizeof(p->json));
	compose_json(&t, name, w->flying_kind, &w->flying);
	m.json = text_span(&t);
	if (t.bad)
		return SP_ESPACE;
	address(c, way, &m);
	err = chan_send_deliver(&to->chan, &m, ca >= 0 ? ca : c->none);
	return err;
}
