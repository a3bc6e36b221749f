#include "rooms/courier/queue.h"

#include <stdio.h>

#define US INT64_C(1000000)

static void
batch_add(struct batch *b, const struct line *line)
{
	if (b->count == 0) {
		*b = (struct batch){0};
		b->first = line->entry;
		b->first_us = line->t_us;
	}
	b->last = line->entry;
	b->last_us = line->t_us;
	if (b->n_lines < LINES_MAX)
		b->lines[b->n_lines++] = *line;
	b->count++;
}

void
queue_take(struct state *s, const struct conf *c, enum alarm kind, const struct line *line)
{
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct way_state *w = &s->way[i];

		if (!way_is_on((enum way)i, c))
			continue;
		batch_add(&w->lane[kind].waiting, line);
		if (kind != ALARM_TEST)
			continue;
		w->test_entry = line->entry;
		w->test_result = TEST_RUNS;
		w->test_text[0] = '\0';
		w->retry_us = 0; /* what waits for its next try is tried now */
	}
}

/* A time that lies further ahead than any wait is one of before the clock was stepped back. */
static bool
has_come(int64_t at_us, int64_t most_us, int64_t now_us)
{
	return at_us <= now_us || at_us - now_us > most_us;
}

static bool
before(const struct way_state *w, size_t a, size_t b)
{
	if ((a == ALARM_TEST) != (b == ALARM_TEST))
		return a == ALARM_TEST;
	if (alarm_rows[a].severity != alarm_rows[b].severity)
		return alarm_rows[a].severity > alarm_rows[b].severity;
	return w->lane[a].waiting.first < w->lane[b].waiting.first;
}

bool
queue_pick(struct state *s, const struct conf *c, enum way way, int64_t now_us)
{
	struct way_state *w = &s->way[way];
	size_t best = ALARM_COUNT;

	if (w->flying.count != 0 || !way_is_on(way, c))
		return false;
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		const struct lane *l = &w->lane[i];

		if (l->waiting.count != 0 && has_come(l->next_us, c->alarm_digest * US, now_us) &&
		    (best == ALARM_COUNT || before(w, i, best)))
			best = i;
	}
	if (best == ALARM_COUNT)
		return false;
	w->flying = w->lane[best].waiting;
	w->flying_kind = (enum alarm)best;
	w->flying_us = now_us;
	w->attempts = 0;
	w->retry_us = 0;
	w->lane[best].waiting = (struct batch){0};
	w->lane[best].next_us = 0;
	return true;
}

bool
queue_due(const struct way_state *w, int64_t now_us)
{
	return w->flying.count != 0 && has_come(w->retry_us, RETRY_MOST_US, now_us);
}

bool
queue_waits(const struct way_state *w)
{
	for (size_t i = 0; i < ALARM_COUNT; i++)
		if (w->lane[i].waiting.count != 0)
			return true;
	return w->flying.count != 0;
}

static void
test_ends(struct way_state *w, enum test_result result, const char *text)
{
	if (w->test_result != TEST_RUNS || w->test_entry == 0)
		return;
	w->test_result = (uint8_t)result;
	(void)snprintf(w->test_text, sizeof(w->test_text), "%s", text);
}

void
queue_done(struct state *s, const struct conf *c, enum way way, int64_t now_us)
{
	struct way_state *w = &s->way[way];

	if (w->flying_kind == ALARM_TEST)
		test_ends(w, TEST_GOOD, "");
	else if (way_rows[way].digests)
		w->lane[w->flying_kind].next_us = now_us + c->alarm_digest * US;
	w->delivered++;
	w->delivered_us = now_us;
	w->last_entry = w->flying.last;
	w->flying = (struct batch){0};
	w->attempts = 0;
	w->retry_us = w->failing_us = 0;
	w->said_failing = false;
	w->error[0] = '\0';
}

static void
give_up(struct state *s, enum way way, int64_t now_us)
{
	struct way_state *w = &s->way[way];
	struct lost l = {.way = way,
	    .kind = w->flying_kind,
	    .count = w->flying.count,
	    .first = w->flying.first,
	    .last = w->flying.last,
	    .at_us = now_us};

	if (s->n_lost == LOST_MAX) {
		memmove(s->lost, s->lost + 1, sizeof(s->lost) - sizeof(s->lost[0]));
		s->n_lost--;
	}
	s->lost[s->n_lost++] = l;
	w->flying = (struct batch){0};
}

enum queue_say
queue_failed(struct state *s, enum way way, const char *why, int64_t now_us)
{
	struct way_state *w = &s->way[way];
	unsigned doublings = w->attempts < 10 ? w->attempts : 10;
	int64_t wait_us = RETRY_FIRST_US << doublings;

	(void)snprintf(w->error, sizeof(w->error), "%s", why);
	if (w->failing_us == 0 || w->failing_us > now_us)
		w->failing_us = now_us;
	/* whatever it was that could not be delivered: a test says so now, and is not repeated */
	test_ends(w, TEST_FAILED, why);
	w->lane[ALARM_TEST].waiting = (struct batch){0};
	w->attempts++;
	w->retry_us = now_us + (wait_us < RETRY_MOST_US ? wait_us : RETRY_MOST_US);
	if (w->flying_kind == ALARM_TEST)
		w->flying = (struct batch){0};
	else if (now_us - w->flying_us >= GIVE_UP_US && w->attempts >= GIVE_UP_ATTEMPTS) {
		give_up(s, way, now_us);
		return QUEUE_SAY_LOST;
	}
	if (w->said_failing || now_us - w->failing_us < FAILING_US)
		return QUEUE_SAY_NOTHING;
	w->said_failing = true;
	return QUEUE_SAY_FAILING;
}
