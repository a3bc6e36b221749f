/* detect_logins.c - who gets in, and how: guesses, scanners, new networks and clients, sleepers. */
#include "cli/hunt/hunt.h"

static bool
is_in(const uint32_t *ring, size_t kept, uint32_t seen, uint32_t what)
{
	for (size_t i = 0; i < kept && i < seen; i++)
		if (ring[i] == what)
			return true;
	return false;
}

/* A token of a session that was opened by a login before: no new proof of who it is. */
static bool
is_fresh_login(const struct hunt_entry *e)
{
	return e->kind == KIND_LOGIN && !span_eq_str(hunt_detail(e, "proof"), "session");
}

/* ---- before the login ---- */

void
detect_scanner_login(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	char ago_text[40];
	struct text ago = text_of(ago_text, sizeof(ago_text));
	struct finding *f;

	(void)p;
	if (e == NULL || o == NULL)
		return;
	if (e->kind != KIND_LOGIN) {
		if (o->scans == 0)
			o->scan_entry = e->n;
		o->scans++;
		o->scan_us = e->t_us;
		return;
	}
	if (o->scans == 0 || e->t_us - o->scan_us > HUNT_SCAN_DAYS * HUNT_DAY)
		return;
	f = hunt_hit(h, DETECT_scanner_login, o->hash, e, HUNT_DAY);
	if (f->count == 1)
		hunt_also(f, o->scan_entry, o->scan_us);
	hunt_lasting(&ago, e->t_us - o->scan_us);
	hunt_score(f, o->scans >= 20 ? 10 : o->scans >= 5 ? 5 : 0);
	hunt_say(f, "%u scanner contacts, the last %s before the login of %.*s", o->scans, ago_text,
	    (int)(e->user.len < 64 ? e->user.len : 64), (const char *)e->user.ptr);
}

static void
spray_failed(struct origin *o, const struct hunt_entry *e)
{
	uint64_t n = e->kind == KIND_LOGIN_AGGREGATE ? hunt_detail_u64(e, "count") : 1;
	uint32_t name = hunt_hash32(e->user);

	if (o->fails == 0 || e->t_us - o->fail_us > HUNT_DAY) {
		o->fails = o->names = 0;
		o->fail_entry = e->n;
	}
	o->fail_us = e->t_us;
	o->fails += n < 1000000 ? (uint32_t)n : 1000000;
	if (e->kind != KIND_LOGIN_AGGREGATE && o->names < HUNT_SPRAY_NAMES &&
	    !is_in(o->name, HUNT_SPRAY_NAMES, o->names, name))
		o->name[o->names++] = name;
}

void
detect_spray(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct finding *f;

	(void)p;
	if (e == NULL || o == NULL)
		return;
	if (e->kind != KIND_LOGIN) {
		spray_failed(o, e);
		return;
	}
	if (!is_fresh_login(e) || o->names < HUNT_SPRAY_NAMES || e->t_us - o->fail_us > HUNT_DAY)
		return;
	f = hunt_hit(h, DETECT_spray, o->hash, e, HUNT_DAY);
	if (f->count == 1)
		hunt_also(f, o->fail_entry, o->fail_us);
	hunt_score(f, o->fails >= 100 ? 10 : 0);
	hunt_say(f, "%u failed logins with %u or more names within a day before the login of %.*s",
	    o->fails, o->names, (int)(e->user.len < 64 ? e->user.len : 64),
	    (const char *)e->user.ptr);
}

void
detect_guessed(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct claim *c;
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || e->user.len == 0)
		return;
	c = hunt_claim(h, e->user, e->t_us, e->kind != KIND_LOGIN);
	if (c == NULL)
		return;
	if (e->kind != KIND_LOGIN) {
		if (c->fails == 0 || e->t_us - c->seen_us > HUNT_GUESS_MINUTES * HUNT_MINUTE) {
			c->fails = 0;
			c->first_entry = e->n;
		}
		c->fails++;
		c->seen_us = e->t_us;
		return;
	}
	if (!is_fresh_login(e))
		return;
	if (c->fails >= HUNT_GUESSES && e->t_us - c->seen_us <= HUNT_GUESS_MINUTES * HUNT_MINUTE) {
		f = hunt_hit(h, DETECT_guessed, c->hash, e, HUNT_HOUR);
		hunt_also(f, c->first_entry, c->seen_us);
		hunt_score(f, c->fails >= 50 ? 15 : c->fails >= 20 ? 10 : 0);
		hunt_say(f, "%u failed logins of this name, then it succeeded", c->fails);
	}
	c->fails = 0;
}

/* ---- the login against the principal's past ---- */

static bool
has_past(const struct person *p)
{
	return p->logins >= HUNT_PAST_LOGINS && p->days >= HUNT_PAST_DAYS;
}

void
detect_new_network(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span addr;
	struct finding *f;

	(void)o;
	if (e == NULL || p == NULL)
		return;
	p->woke_from_new = e->network != 0 && has_past(p) &&
			   !is_in(p->network, HUNT_NETWORKS_KEPT, p->networks, e->network);
	if (!p->woke_from_new)
		return;
	addr = hunt_address(e);
	f = hunt_hit(h, DETECT_new_network, p->hash ^ e->network, e, HUNT_DAY);
	/* who travels is not suspicious each time */
	hunt_score(f, p->networks >= HUNT_NETWORKS_KEPT ? -25 : p->networks >= 6 ? -10 : 0);
	hunt_say(f, "%.*s is in none of the %u networks of %u logins on %u days before",
	    (int)(addr.len < 64 ? addr.len : 64), (const char *)addr.ptr, p->networks, p->logins,
	    p->days);
}

void
detect_new_agent(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span agent;
	struct finding *f;
	uint32_t hash;

	(void)o;
	if (e == NULL || p == NULL || !has_past(p))
		return;
	agent = hunt_detail(e, "agent");
	hash = hunt_hash32(agent);
	if (agent.len == 0 || is_in(p->agent, HUNT_AGENTS_KEPT, p->agents, hash))
		return;
	f = hunt_hit(h, DETECT_new_agent, p->hash ^ hash, e, HUNT_DAY);
	hunt_score(f, p->woke_from_new ? 20 : p->agents >= HUNT_AGENTS_KEPT ? -15 : 0);
	hunt_say(f, "%.*s is none of the %u clients of %u logins before%s",
	    (int)(agent.len < 150 ? agent.len : 150), (const char *)agent.ptr, p->agents, p->logins,
	    p->woke_from_new ? ", and the network is new too" : "");
}

void
detect_dormant(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	char text[40];
	struct text t = text_of(text, sizeof(text));
	struct finding *f;

	(void)o;
	if (e == NULL || p == NULL || p->seen_us == 0 ||
	    e->t_us - p->seen_us < HUNT_DORMANT_DAYS * HUNT_DAY)
		return;
	hunt_lasting(&t, e->t_us - p->seen_us);
	f = hunt_hit(h, DETECT_dormant, p->hash, e, HUNT_DAY);
	hunt_score(f, p->woke_from_new ? 15 : 0);
	hunt_say(f, "no sign of life for %s before this login%s", text,
	    p->woke_from_new ? ", which is from a network never seen" : "");
}

void
detect_stolen_session(
    struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct finding *f;

	(void)p, (void)o;
	if (e == NULL || !span_eq_str(hunt_detail(e, "reason"), "a refresh token was used twice"))
		return;
	f = hunt_hit(h, DETECT_stolen_session, hunt_hash(e->user), e, HUNT_DAY);
	hunt_say(f, "a refresh token of session %llu was used twice; the session was ended",
	    (unsigned long long)hunt_detail_u64(e, "session"));
}

/* ---- logins without use ---- */

/* The last login is over, and nothing was done with it. */
static void
was_unused(struct hunt *h, struct person *p, const struct hunt_entry *now)
{
	struct hunt_entry e = {.n = p->login.entry,
	    .t_us = p->login.at_us,
	    .user = span_str(p->name),
	    .org = span_str(p->org),
	    .addr = span_str(p->login.addr)};
	struct finding *f;

	(void)now;
	if (p->login.unused++ == 0)
		p->login.first_unused = e.n;
	if (!p->login.is_new && p->login.unused < HUNT_UNUSED_LOGINS)
		return;
	f = hunt_hit(h, DETECT_unused_logins, p->hash, &e, HUNT_DAY);
	if (p->login.unused >= HUNT_UNUSED_LOGINS)
		hunt_also(f, p->login.first_unused, e.t_us);
	hunt_score(f, (p->login.is_new ? 15 : 0) + (p->login.ever_used ? 0 : 5));
	hunt_say(f, "%u logins in a row after which nothing was read, stored or changed%s",
	    p->login.unused, p->login.is_new ? "; this one is from a network never seen" : "");
}

static bool
is_use(enum hunt_kind k)
{
	return k != KIND_LOGIN && k != KIND_LOGOUT && k != KIND_LOGIN_FAILED &&
	       k != KIND_LOGIN_LOCKOUT && k != KIND_LOGIN_AGGREGATE && k != KIND_SESSION_REVOKED &&
	       k != KIND_OTP_CHECK && k != KIND_OTHER;
}

void
detect_unused_logins(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct span addr;

	(void)o;
	if (e == NULL) {
		for (size_t i = 0; i < h->n_people; i++)
			if (h->person[i]->login.is_open && h->person[i]->login.is_new)
				was_unused(h, h->person[i], NULL);
		return;
	}
	if (p == NULL)
		return;
	if (is_use(e->kind)) {
		p->login.is_open = false;
		p->login.unused = 0;
		p->login.ever_used = true;
		return;
	}
	if (!is_fresh_login(e))
		return;
	if (p->login.is_open)
		was_unused(h, p, e);
	addr = span_cut(hunt_address(e), sizeof(p->login.addr) - 1);
	p->login.entry = e->n;
	p->login.at_us = e->t_us;
	p->login.is_open = true;
	p->login.is_new = p->woke_from_new;
	memcpy(p->login.addr, addr.ptr, addr.len);
	p->login.addr[addr.len] = '\0';
}
