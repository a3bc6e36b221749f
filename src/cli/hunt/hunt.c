/* hunt.c - the stream: every entry to the detectors of its kind, then to what is remembered. */
#include "cli/hunt/hunt.h"

#include <stdarg.h>
#include <stdio.h>

typedef void (*detect_fn)(
    struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o);

#define K(NAME) (UINT64_C(1) << KIND_##NAME)
#define EVERY UINT64_MAX
static const struct detector_row rows[DETECTORS] = {
#define DETECT(fn, name, weight, kinds, title, text) {name, weight, kinds, title, text},
#include "cli/hunt/hunt.def"
#undef DETECT
};
static const detect_fn functions[DETECTORS] = {
#define DETECT(fn, name, weight, kinds, title, text) detect_##fn,
#include "cli/hunt/hunt.def"
#undef DETECT
};
_Static_assert(KIND_COUNT <= 64, "a kind is a bit");

const struct detector_row *
detector_row(enum detector d)
{
	return &rows[d];
}

int
hunt_new(struct ioc *ioc, struct hunt **ret)
{
	struct hunt *h = mem_alloc(sizeof(*h));

	if (h == NULL)
		return SP_ENOMEM;
	h->ioc = ioc;
	h->slots = 1024;
	h->person_slot = mem_array(h->slots, sizeof(*h->person_slot));
	h->origin = mem_array(HUNT_ORIGINS_MAX, sizeof(*h->origin));
	h->claim = mem_array(HUNT_CLAIMS_MAX, sizeof(*h->claim));
	h->finding = mem_array(2 * (size_t)HUNT_FINDINGS_MAX, sizeof(*h->finding));
	h->open = mem_array(8 * (size_t)HUNT_FINDINGS_MAX, sizeof(*h->open));
	h->day = mem_array(HUNT_DAYS_MAX, sizeof(*h->day));
	if (h->person_slot == NULL || h->origin == NULL || h->claim == NULL || h->finding == NULL ||
	    h->open == NULL || h->day == NULL) {
		hunt_free(h);
		return SP_ENOMEM;
	}
	*ret = h;
	return SP_OK;
}

void
hunt_free(struct hunt *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n_people; i++)
		mem_free(h->person[i]);
	mem_free(h->person);
	mem_free(h->person_slot);
	mem_free(h->origin);
	mem_free(h->claim);
	mem_free(h->finding);
	mem_free(h->open);
	mem_free(h->day);
	mem_free(h);
}

/* ---- after the detectors: what is remembered ---- */

/* Was this said by somebody who had been let in?  A name that failed is anybody's word. */
static bool
is_life(enum hunt_kind k)
{
	return k != KIND_LOGIN_FAILED && k != KIND_LOGIN_LOCKOUT && k != KIND_LOGIN_AGGREGATE;
}

static bool
in_ring(const uint32_t *ring, size_t kept, uint32_t seen, uint32_t what)
{
	for (size_t i = 0; i < kept && i < seen; i++)
		if (ring[i] == what)
			return true;
	return false;
}

static void
ring_add(uint32_t *ring, size_t kept, uint32_t *seen, uint32_t what)
{
	if (what != 0 && !in_ring(ring, kept, *seen, what))
		ring[(*seen)++ % kept] = what;
}

static void
remember_login(struct person *p, const struct hunt_entry *e)
{
	struct span agent = hunt_detail(e, "agent");
	uint32_t day = (uint32_t)(e->t_us / HUNT_DAY);

	p->logins++;
	if (p->day != day) {
		p->day = day;
		p->days++;
	}
	ring_add(p->network, HUNT_NETWORKS_KEPT, &p->networks, e->network);
	if (agent.len != 0)
		ring_add(p->agent, HUNT_AGENTS_KEPT, &p->agents, hunt_hash32(agent));
}

static void
remember_read(struct person *p, const struct hunt_entry *e)
{
	uint32_t day = (uint32_t)(e->t_us / HUNT_DAY);
	struct span folder = e->path;

	if (p->read_day != day) {
		p->read_day = day;
		p->read_days++;
		for (size_t i = 0; i < 24; i++) {
			p->hour[i] += p->hour_today[i];
			p->n_reads += p->hour_today[i];
			p->hour_today[i] = 0;
		}
	}
	p->hour_today[e->t_us / HUNT_HOUR % 24]++;
	while (folder.len != 0 && folder.ptr[folder.len - 1] != '/')
		folder.len--;
	if (folder.len != 0)
		ring_add(p->folder, HUNT_FOLDERS_KEPT, &p->folders, hunt_hash32(folder));
}

static void
remember_day(struct hunt *h, const struct hunt_entry *e)
{
	int64_t at = e->t_us / HUNT_DAY - h->first_day;
	struct day *day = &h->day[at < 0 ? 0 : at < HUNT_DAYS_MAX ? at : HUNT_DAYS_MAX - 1];

	switch (e->kind) {
	case KIND_FILE_READ:
		day->reads++;
		day->bytes += e->size;
		h->week[(e->t_us / HUNT_DAY + 3) % 7][e->t_us / HUNT_HOUR % 24]++;
		break;
	case KIND_FILE_CREATED:
	case KIND_FILE_REPLACED:
		day->stored++;
		break;
	case KIND_LOGIN:
		day->logins++;
		break;
	case KIND_LOGIN_FAILED:
	case KIND_LOGIN_LOCKOUT:
		day->failed++;
		break;
	default:
		break;
	}
}

static void
remember(struct hunt *h, const struct hunt_entry *e, struct person *p)
{
	remember_day(h, e);
	h->stepped = e->kind == KIND_CLOCK_STEP;
	if (e->kind != KIND_LOG_RECOVERED && e->kind != KIND_CLOCK_STEP)
		h->alive_us = e->t_us;
	if (p == NULL)
		return;
	p->seen_us = e->t_us;
	if (e->kind == KIND_LOGIN)
		remember_login(p, e);
	else if (e->kind == KIND_FILE_READ)
		remember_read(p, e);
}

static void
begin(struct hunt *h, const struct hunt_entry *e)
{
	if (h->entries++ == 0) {
		h->first_entry = e->n;
		h->first_us = e->t_us;
		h->first_day = e->t_us / HUNT_DAY;
		h->last_us = h->alive_us = e->t_us;
	}
	h->last_entry = e->n;
}

int
hunt_take(struct hunt *h, const struct hunt_entry *e)
{
	struct person *p = NULL;
	struct origin *o;

	begin(h, e);
	if (e->user.len != 0)
		p = is_life(e->kind) ? hunt_person(h, e->user, e->org)
				     : hunt_person_known(h, e->user);
	o = e->network != 0 ? hunt_origin(h, e) : NULL;
	for (int d = 0; d < DETECTORS; d++)
		if ((rows[d].kinds >> e->kind & 1) != 0)
			functions[d](h, e, p, o);
	remember(h, e, is_life(e->kind) ? p : NULL);
	if (o != NULL)
		o->seen_us = e->t_us;
	h->last_us = e->t_us;
	return h->no_memory ? SP_ENOMEM : SP_OK;
}

int
hunt_unreadable(struct hunt *h, uint64_t n)
{
	struct hunt_entry e = {.n = n, .t_us = h->last_us, .kind = KIND_OTHER};

	begin(h, &e);
	detect_unreadable(h, &e, NULL, NULL);
	return SP_OK;
}

/* ---- the end ---- */

/* Findings about one principal by several detectors confirm each other. */
static void
count_company(struct hunt *h)
{
	for (size_t i = 0; i < h->n_findings; i++) {
		struct finding *f = &h->finding[i];
		uint64_t seen = 0;

		if (f->user[0] == '\0')
			continue;
		for (size_t k = 0; k < h->n_findings; k++)
			if (k != i && h->finding[k].detector != f->detector &&
			    strcmp(h->finding[k].user, f->user) == 0)
				seen |= UINT64_C(1) << h->finding[k].detector;
		f->key = (uint64_t)__builtin_popcountll(seen); /* keys are not needed any more */
	}
	for (size_t i = 0; i < h->n_findings; i++) {
		struct finding *f = &h->finding[i];
		unsigned more = f->key < 4 ? (unsigned)f->key * 3 : 12;

		if (f->user[0] != '\0')
			f->score = f->score + more < 100 ? f->score + more : 100;
	}
}

void
hunt_end(struct hunt *h)
{
	for (int d = 0; d < DETECTORS; d++)
		functions[d](h, NULL, NULL, NULL);
	hunt_cut(h, HUNT_FINDINGS_MAX);
	count_company(h);
	hunt_cut(h, HUNT_FINDINGS_MAX);
}
