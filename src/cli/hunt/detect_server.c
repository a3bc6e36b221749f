/* detect_server.c - what the server itself says: refusals, broken rules, administrators, gaps. */
#include "cli/hunt/hunt.h"

#define S(span) (int)(span).len, (const char *)(span).ptr

void
detect_decoys(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span kind;
	struct finding *f;
	uint64_t deed;

	(void)p;
	if (e == NULL)
		return;
	kind = span_cut(hunt_detail(e, "decoy"), 40);
	f = hunt_hit(h, DETECT_decoys, hunt_hash(e->user) ^ (o != NULL ? o->hash : 0), e, HUNT_DAY);
	deed = hunt_detail_u64(e, "entry");
	if (deed != 0 && deed < e->n)
		hunt_also(f, deed, e->t_us);
	if (f->what[0] == '\0')
		hunt_say(f, "%.*s%s%.*s, by %.*s", S(kind), kind.len != 0 ? " " : "",
		    S(span_cut(e->path, 200)), S(span_cut(hunt_detail(e, "by"), 40)));
	hunt_score(f, f->count > 2 ? 2 : 0);
}

void
detect_unreadable(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || e->event.len != 0)
		return;
	f = hunt_hit(h, DETECT_unreadable, 0, e, INT64_MAX);
	hunt_say(f, "%llu entries are signed for, but are not of the form that the server writes",
	    (unsigned long long)f->count);
}

void
detect_violations(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span why;
	struct finding *f;

	(void)p;
	if (e == NULL)
		return;
	why = hunt_detail(e, "reason");
	if (why.len == 0)
		why = hunt_detail(e, "error");
	f = hunt_hit(h, DETECT_violations, o != NULL ? o->hash : 0, e, HUNT_DAY);
	hunt_score(f, e->kind == KIND_WORKER_KILLED ? -15 : f->count > 3 ? 10 : 0);
	hunt_say(f, "%s: process %llu%s%.*s%s%.*s",
	    e->kind == KIND_WORKER_KILLED ? "killed by its sandbox or a crash"
					  : "broke the rules between rooms",
	    (unsigned long long)e->serial, e->door.len != 0 ? " of the door " : "",
	    S(span_cut(e->door, 20)), why.len != 0 ? ", " : "", S(span_cut(why, 120)));
}

void
detect_refused(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span why, path;
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL)
		return;
	why = hunt_detail(e, "reason");
	path = span_cut(e->path, 120);
	f = hunt_hit(h, DETECT_refused, hunt_hash(e->user), e, HUNT_HOUR);
	f->files++;
	hunt_score(f, f->count >= 100 ? 20 : f->count >= 20 ? 15 : f->count >= 5 ? 5 : 0);
	hunt_say(f, "%llu refusals, the last: %.*s%s%.*s", (unsigned long long)f->count,
	    S(span_cut(why, 100)), path.len != 0 ? ", " : "", S(path));
}

void
detect_governor(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span who, why;
	struct finding *f;

	(void)p;
	if (e == NULL)
		return;
	who = hunt_detail(e, "name");
	why = hunt_detail(e, e->kind == KIND_ADDRESS_BANNED ? "last" : "reason");
	if (who.len == 0)
		who = e->user;
	f = hunt_hit(h, DETECT_governor,
	    hunt_hash(e->kind == KIND_ADDRESS_BANNED && o != NULL ? hunt_address(e) : who) ^
		(uint64_t)e->kind,
	    e, HUNT_HOUR);
	hunt_score(f, e->kind == KIND_ADDRESS_BANNED  ? -25
		      : e->kind != KIND_LIMITS_RAISED ? 10
						      : 0);
	hunt_say(f, "%s%s%.*s%s%.*s",
	    e->kind == KIND_ADDRESS_BANNED  ? "the address was banned"
	    : e->kind != KIND_LIMITS_RAISED ? "frozen"
					    : "limits were raised",
	    who.len != 0 ? ": " : "", S(span_cut(who, 64)), why.len != 0 ? ", " : "",
	    S(span_cut(why, 150)));
}

static bool
is_admin(struct span level)
{
	return span_eq_str(level, "admin") || span_eq_str(level, "sysadmin");
}

void
detect_new_admin(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span name, level;
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || !is_admin(level = hunt_detail(e, "level")))
		return;
	name = span_cut(hunt_detail(e, "name"), 64);
	f = hunt_hit(h, DETECT_new_admin, hunt_hash(name), e, HUNT_DAY);
	hunt_say(f, "%.*s %s %.*s by %.*s", S(name),
	    e->kind == KIND_USER_ADDED ? "was made as" : "was raised to", S(span_cut(level, 20)),
	    S(span_cut(e->user.len != 0 ? e->user : SPAN_LIT("an administrator"), 64)));
}

static bool
has_detector(const struct hunt_entry *e)
{
	return e->kind == KIND_DECOY_TOUCHED || e->kind == KIND_WORKER_VIOLATION ||
	       e->kind == KIND_WORKER_KILLED || e->kind == KIND_RELEASE_REFUSED ||
	       e->kind == KIND_FROZEN || e->kind == KIND_DECOY_FROZEN ||
	       e->kind == KIND_LIMITS_RAISED || e->kind == KIND_ADDRESS_BANNED;
}

void
detect_alarms(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span why;
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || !span_eq_str(e->sev, "alarm") || has_detector(e))
		return;
	why = hunt_detail(e, "reason");
	f = hunt_hit(h, DETECT_alarms, hunt_hash(e->event) ^ hunt_hash(e->user), e, HUNT_DAY);
	hunt_say(f, "%.*s%s%.*s%s%.*s", S(span_cut(e->event, 40)), e->path.len != 0 ? ", " : "",
	    S(span_cut(e->path, 150)), why.len != 0 ? ", " : "", S(span_cut(why, 100)));
}

void
detect_short_lived(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	char text[40];
	struct text t = text_of(text, sizeof(text));
	struct span name;
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || (name = hunt_detail(e, "name")).len == 0)
		return;
	if (e->kind == KIND_USER_ADDED) {
		p = hunt_person(h, name, e->org);
		if (p != NULL) {
			p->added.entry = e->n;
			p->added.at_us = e->t_us;
		}
		return;
	}
	p = hunt_person_known(h, name);
	if (p == NULL || p->added.at_us == 0 ||
	    e->t_us - p->added.at_us > HUNT_SHORT_LIFE_DAYS * HUNT_DAY)
		return;
	hunt_lasting(&t, e->t_us - p->added.at_us);
	f = hunt_hit(h, DETECT_short_lived, p->hash, e, 0);
	hunt_also(f, p->added.entry, p->added.at_us);
	hunt_score(f, p->folders != 0 ? 20 : p->logins != 0 ? 10 : 0);
	hunt_say(f, "%s existed for %s, logged in %u times%s; removed by %.*s", p->name, text,
	    p->logins, p->folders != 0 ? " and read files" : "",
	    S(span_cut(e->user.len != 0 ? e->user : SPAN_LIT("an administrator"), 64)));
	p->added.at_us = 0;
}

void
detect_denied(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct finding *f;

	(void)o;
	if (e == NULL || p == NULL)
		return;
	if (e->t_us - p->denied.since_us > HUNT_HOUR || e->t_us < p->denied.since_us) {
		p->denied.since_us = e->t_us;
		p->denied.first_entry = e->n;
		p->denied.n = 0;
	}
	if (++p->denied.n < HUNT_DENIED)
		return;
	f = hunt_hit(h, DETECT_denied, p->hash, e, HUNT_HOUR);
	if (p->denied.n == HUNT_DENIED) {
		hunt_also(f, p->denied.first_entry, p->denied.since_us);
		f->count += HUNT_DENIED - 2;
	}
	hunt_score(f, f->count >= 200 ? 20 : f->count >= 100 ? 10 : 0);
	hunt_say(f, "%llu refused actions, the last: %.*s %.*s", (unsigned long long)f->count,
	    S(span_cut(hunt_detail(e, "action"), 40)), S(span_cut(e->path, 200)));
}

/* ---- gaps in time ---- */

static struct finding *
gap(struct hunt *h, const struct hunt_entry *e)
{
	return hunt_hit(h, DETECT_gaps, e->n, e, 0);
}

static void
gap_start(struct hunt *h, const struct hunt_entry *e)
{
	int64_t us = h->stopped ? e->t_us - h->stop_us : e->t_us - h->alive_us;
	char text[40];
	struct text t = text_of(text, sizeof(text));
	struct finding *f;

	hunt_lasting(&t, us);
	if (h->stopped && us < HUNT_GAP_MINUTES * HUNT_MINUTE)
		return;
	if (!h->stopped && (h->created || h->entries == 1))
		return; /* the log, or the range, begins here */
	f = gap(h, e);
	if (h->stopped)
		hunt_also(f, h->stop_entry, h->stop_us);
	hunt_score(f, (h->stopped ? 0 : 10) + (us > HUNT_DAY ? 15 : us > HUNT_HOUR ? 5 : 0));
	hunt_say(f, "%s%s",
	    h->stopped ? "the server was stopped for "
		       : "the server had been killed or lost power; nothing is on record for ",
	    text);
}

static void
gap_step(struct hunt *h, const struct hunt_entry *e)
{
	int64_t expected = 0, was = 0;
	char text[40];
	struct text t = text_of(text, sizeof(text));
	struct finding *f = gap(h, e);

	if (hunt_time_read(hunt_detail(e, "expected"), &expected) != SP_OK ||
	    hunt_time_read(hunt_detail(e, "was"), &was) != SP_OK) {
		hunt_say(f, "the clock was stepped");
		return;
	}
	hunt_lasting(&t, was - expected);
	hunt_score(f, was < expected && expected - was > HUNT_MINUTE ? 25
		      : was - expected > HUNT_HOUR		     ? 10
								     : -10);
	hunt_say(f, "the clock was stepped %s by %s", was < expected ? "back" : "forward", text);
}

static void
gap_recovered(struct hunt *h, const struct hunt_entry *e)
{
	bool missing = span_eq_str(hunt_detail(e, "wal"), "missing");
	struct finding *f = gap(h, e);

	hunt_score(f, missing ? 35 : 10);
	if (missing)
		hunt_say(f,
		    "the newest entries (the file wal) were missing when the server started: "
		    "restored from a backup, or taken away");
	else
		hunt_say(f,
		    "the end of the log was incomplete after a crash; entries dropped: %.*s",
		    S(span_cut(hunt_detail(e, "dropped-entries"), 20)));
}

void
detect_gaps(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	(void)p, (void)o;
	if (e == NULL)
		return;
	if (e->t_us < h->last_us && !h->stepped && e->kind != KIND_CLOCK_STEP) {
		struct finding *f = gap(h, e);

		hunt_score(f, 40);
		hunt_say(f, "time goes back here without a recorded step of the clock");
	}
	switch (e->kind) {
	case KIND_LOG_CREATED:
		h->created = true;
		break;
	case KIND_SERVER_STOP:
		h->stopped = true;
		h->stop_us = e->t_us;
		h->stop_entry = e->n;
		break;
	case KIND_SERVER_START:
		gap_start(h, e);
		h->stopped = h->created = false;
		break;
	case KIND_CLOCK_STEP:
		gap_step(h, e);
		break;
	case KIND_LOG_RECOVERED:
		gap_recovered(h, e);
		break;
	default:
		break;
	}
}
