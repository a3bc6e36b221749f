/* world_test.h - a made-up audit log for tests: entries as JSON, one after the other, on a clock of
 * its own. */
#ifndef SP_CLI_HUNT_WORLD_TEST_H
#define SP_CLI_HUNT_WORLD_TEST_H

#include "base/test.h"
#include "cli/hunt/hunt.h"
#include "cli/hunt/ioc.h"

#include <stdio.h>

struct world {
	struct hunt *h;
	uint64_t n;
	int64_t t_us;
};

#define WORLD_BEGIN (INT64_C(1780000000) * HUNT_SECOND) /* a Thursday in May 2026, 20:26:40 UTC */

static inline struct world
world_new(struct ioc *ioc)
{
	struct world w = {.t_us = WORLD_BEGIN};

	assert_err(hunt_new(ioc, &w.h), SP_OK);
	return w;
}

/* An entry in the ledger's own words; members: what follows `sev`, as JSON. */
static inline size_t
world_json(struct world *w, char *buf, size_t cap, const char *event, const char *members)
{
	char time[40];
	struct text t = text_of(time, sizeof(time));
	int n;

	time_plain(&t, w->t_us);
	n = snprintf(buf, cap,
	    "{\"n\":%llu,\"t\":\"%s.%06dZ\",\"event\":\"%s\",\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\"%s%"
	    "s}",
	    (unsigned long long)w->n, time, (int)(w->t_us % HUNT_SECOND), event,
	    members[0] != '\0' ? "," : "", members);
	assert_true(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

static inline void
say(struct world *w, const char *event, const char *members)
{
	static struct hunt_entry e;
	char buf[4096];
	size_t n = world_json(w, buf, sizeof(buf), event, members);

	assert_err(hunt_entry_read((uint8_t *)buf, n, &e), SP_OK);
	assert_err(hunt_take(w->h, &e), SP_OK);
	w->n++;
	w->t_us += HUNT_SECOND;
}

/* How many findings of a detector there are at the end; *ret (or NULL) the first.  Frees the world.
 */
static inline size_t
found(struct world *w, enum detector d, struct finding *ret)
{
	size_t n = 0;

	hunt_end(w->h);
	for (size_t i = 0; i < w->h->n_findings; i++)
		if (w->h->finding[i].detector == d && n++ == 0 && ret != NULL)
			*ret = w->h->finding[i];
	hunt_free(w->h);
	w->h = NULL;
	return n;
}

#define ALICE "\"addr\":\"198.51.100.7:4711\",\"user\":\"alice\",\"org\":\"acme\""
#define ELSEWHERE "\"addr\":\"203.0.113.66:4711\",\"user\":\"alice\",\"org\":\"acme\""
#define PROOF                                                                                      \
	",\"detail\":{\"address\":\"198.51.100.7\",\"agent\":\"curl/8\",\"proof\":\"password\"}"

/* alice at work: a login and some reads at 09:00 on each of so many days, in the same folder. */
static inline void
workdays(struct world *w, unsigned days, unsigned reads)
{
	for (unsigned d = 0; d < days; d++) {
		w->t_us = (w->t_us / HUNT_DAY + 1) * HUNT_DAY + 9 * HUNT_HOUR;
		say(w, "login", ALICE PROOF);
		for (unsigned i = 0; i < reads; i++)
			say(w, "file.read",
			    ALICE ",\"path\":\"/in/"
				  "a\",\"blob\":\"00000000000000000000000000000001\",\"file\":1,"
				  "\"version\":1,\"size\":1000");
	}
}
#endif
