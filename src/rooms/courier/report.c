/* report.c - what `sallyport alarm list` shows. */
#include "rooms/courier/courier.h"

#include "base/text.h"

static void
put_time(struct json *j, const char *key, int64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_rfc3339(&t, us);
	json_kstr(j, key, text_span(&t));
}

static void
put_batch(struct json *j, const char *state, enum alarm kind, const struct batch *b)
{
	json_open(j, '{');
	json_kstr(j, "kind", span_str(alarm_rows[kind].name));
	json_kstr(j, "state", span_str(state));
	json_ku64(j, "count", b->count);
	json_ku64(j, "first_entry", b->first);
	json_ku64(j, "last_entry", b->last);
	put_time(j, "since", b->first_us);
	json_close(j, '}');
}

static void
put_test(struct json *j, const struct way_state *w)
{
	static const char *const words[] = {"runs", "delivered", "failed"};

	if (w->test_entry == 0)
		return;
	json_key(j, "test");
	json_open(j, '{');
	json_ku64(j, "entry", w->test_entry);
	json_kstr(j, "result", span_str(words[w->test_result]));
	json_kstr(j, "reason", span_str(w->test_text));
	json_close(j, '}');
}

static void
put_way(struct json *j, enum way way, const struct way_state *w, const struct conf *conf)
{
	json_open(j, '{');
	json_kstr(j, "way", span_str(way_rows[way].name));
	json_kbool(j, "configured", way_is_on(way, conf));
	json_ku64(j, "delivered", w->delivered);
	if (w->delivered != 0) {
		put_time(j, "last_delivered", w->delivered_us);
		json_ku64(j, "last_entry", w->last_entry);
	}
	if (w->failing_us != 0) {
		put_time(j, "failing_since", w->failing_us);
		json_kstr(j, "error", span_str(w->error));
		json_ku64(j, "attempts", w->attempts);
		put_time(j, "next_try", w->retry_us);
	}
	put_test(j, w);
	json_key(j, "messages");
	json_open(j, '[');
	if (w->flying.count != 0)
		put_batch(j, "sending", w->flying_kind, &w->flying);
	for (size_t i = 0; i < ALARM_COUNT; i++)
		if (w->lane[i].waiting.count != 0)
			put_batch(j, "waiting", (enum alarm)i, &w->lane[i].waiting);
	json_close(j, ']');
	json_close(j, '}');
}

void
report_json(struct text *t, const struct state *s, const struct conf *conf)
{
	struct json j = json_of(t);

	json_open(&j, '{');
	json_ku64(&j, "taken", s->next);
	json_kbool(&j, "journal", conf->alarm_journal != 0);
	json_ku64(&j, "journal_test", s->journal_test);
	json_key(&j, "ways");
	json_open(&j, '[');
	for (size_t i = 0; i < WAY_COUNT; i++)
		put_way(&j, (enum way)i, &s->way[i], conf);
	json_close(&j, ']');
	json_key(&j, "undelivered");
	json_open(&j, '[');
	for (size_t i = 0; i < s->n_lost; i++) {
		const struct lost *l = &s->lost[i];

		json_open(&j, '{');
		json_kstr(&j, "way", span_str(way_rows[l->way].name));
		json_kstr(&j, "kind", span_str(alarm_rows[l->kind].name));
		json_ku64(&j, "count", l->count);
		json_ku64(&j, "first_entry", l->first);
		json_ku64(&j, "last_entry", l->last);
		put_time(&j, "given_up", l->at_us);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}
