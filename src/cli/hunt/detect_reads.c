/* detect_reads.c - reads and deletions: too many, at odd hours, after a change of rights. */
#include "cli/hunt/hunt.h"

#define MIB (UINT64_C(1) << 20)
#define S(span) (int)(span).len, (const char *)(span).ptr

/* ---- too many ---- */

static uint64_t
most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* An hour begins with the first event after the last one ended.  What a day had at most counts from
 * the next day on: a theft that goes on for hours is not its own excuse. */
static void
pace_add(struct pace *p, const struct hunt_entry *e)
{
	uint32_t day = (uint32_t)(e->t_us / HUNT_DAY);

	if (e->t_us - p->since_us >= HUNT_HOUR || e->t_us < p->since_us) {
		p->today_files = most(p->today_files, p->files);
		p->today_bytes = most(p->today_bytes, p->bytes);
		p->since_us = e->t_us;
		p->first_entry = e->n;
		p->files = p->bytes = 0;
	}
	if (day != p->day) {
		p->norm_files = most(p->norm_files, p->today_files);
		p->norm_bytes = most(p->norm_bytes, p->today_bytes);
		p->today_files = p->today_bytes = 0;
		p->day = day;
	}
	p->files++;
	if (!add_ok(p->bytes, e->size, &p->bytes))
		p->bytes = UINT64_MAX;
}

static bool
is_over(uint64_t now, uint64_t norm, uint64_t floor)
{
	return now > floor && now / HUNT_MASS_TIMES > norm;
}

/* How many times over, as points: 5 for each doubling. */
static int
points_over(uint64_t now, uint64_t norm, uint64_t floor)
{
	uint64_t base = most(most(norm * HUNT_MASS_TIMES, floor), 1);
	int points = 0;

	while (now / 2 >= base && points < 25) {
		now /= 2;
		points += 5;
	}
	return points;
}

/* The first day of a range that is not the beginning of the log: there are no days before to
 * compare with, and who is busy every day is busy on this one too.  A new account has no such
 * excuse. */
static bool
is_first_day(const struct hunt *h, const struct hunt_entry *e, const struct person *p,
    const struct pace *pace)
{
	return h->first_entry != 0 && e->t_us - h->first_us < HUNT_DAY && pace->norm_files == 0 &&
	       p->added.at_us == 0;
}

static void
mass(struct hunt *h, enum detector d, const struct hunt_entry *e, struct person *p,
    struct pace *pace, const char *done)
{
	uint64_t floor_bytes = HUNT_MASS_MIB * MIB, was_files = pace->files;
	bool files, bytes, was;
	struct finding *f;
	int points;
	char now_text[32], norm_text[32];
	struct text now = text_of(now_text, sizeof(now_text)),
		    norm = text_of(norm_text, sizeof(norm_text));
	uint64_t was_bytes = pace->bytes;

	pace_add(pace, e);
	files = is_over(pace->files, pace->norm_files, HUNT_MASS_FILES);
	bytes = is_over(pace->bytes, pace->norm_bytes, floor_bytes);
	if (!files && !bytes)
		return;
	was = pace->files > 1 && (is_over(was_files, pace->norm_files, HUNT_MASS_FILES) ||
				     is_over(was_bytes, pace->norm_bytes, floor_bytes));
	f = hunt_hit(h, d, p->hash, e, HUNT_DAY);
	if (!was) { /* this one made it too many: those before it in the hour are behind it too */
		hunt_also(f, pace->first_entry, pace->since_us);
		f->files += pace->files;
		f->bytes += pace->bytes;
		f->count += pace->files > 2 ? pace->files - 2 : 0;
	} else {
		f->files++;
		f->bytes += e->size;
	}
	hunt_bytes(&now, f->bytes);
	hunt_bytes(&norm, pace->norm_bytes);
	points = (int)most((uint64_t)points_over(pace->files, pace->norm_files, HUNT_MASS_FILES),
	    (uint64_t)points_over(pace->bytes, pace->norm_bytes, floor_bytes));
	hunt_score(f, is_first_day(h, e, p, pace) ? points - 40 : points);
	hunt_say(f, "%llu files, %s %s; the busiest hour of the days before had %llu files, %s",
	    (unsigned long long)f->files, now_text, done, (unsigned long long)pace->norm_files,
	    is_first_day(h, e, p, pace) ? "0 bytes, for the range begins here" : norm_text);
}

void
detect_mass_reads(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	(void)o;
	if (e != NULL && p != NULL)
		mass(h, DETECT_mass_reads, e, p, &p->reads, "read");
}

void
detect_mass_deletes(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	(void)o;
	if (e != NULL && p != NULL)
		mass(h, DETECT_mass_deletes, e, p, &p->deletes, "deleted");
}

/* ---- at an odd hour ---- */

void
detect_off_hours(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	uint64_t near = 0;
	unsigned hour;
	struct finding *f;

	(void)o;
	if (e == NULL || p == NULL || p->n_reads < HUNT_OFF_READS_PAST ||
	    p->read_days < HUNT_OFF_DAYS_PAST)
		return;
	hour = (unsigned)(e->t_us / HUNT_HOUR % 24);
	near = (uint64_t)p->hour[(hour + 23) % 24] + p->hour[hour] + p->hour[(hour + 1) % 24];
	if (near * HUNT_OFF_ONE_IN >= p->n_reads)
		return;
	if (e->t_us - p->off.since_us > 6 * HUNT_HOUR || e->t_us < p->off.since_us) {
		p->off.since_us = e->t_us;
		p->off.first_entry = e->n;
		p->off.n = 0;
	}
	if (++p->off.n < HUNT_OFF_READS)
		return;
	f = hunt_hit(h, DETECT_off_hours, p->hash, e, 6 * HUNT_HOUR);
	if (p->off.n == HUNT_OFF_READS) {
		hunt_also(f, p->off.first_entry, p->off.since_us);
		f->files = f->count = HUNT_OFF_READS;
	} else {
		f->files++;
	}
	hunt_score(f, f->files >= 100 ? 15 : f->files >= 20 ? 10 : 0);
	hunt_say(f,
	    "%llu reads about %02u:00 UTC; of %llu reads on %u days before, %llu were within an "
	    "hour of that",
	    (unsigned long long)f->files, hour, (unsigned long long)p->n_reads, p->read_days,
	    (unsigned long long)near);
}

/* ---- after rights were widened ---- */

static void
change_add(struct hunt *h, const struct hunt_entry *e, struct span user, struct span path,
    const char *what)
{
	struct change *c = &h->change[h->n_changes++ % HUNT_CHANGES_KEPT];

	*c = (struct change){.at_us = e->t_us, .entry = e->n, .org = hunt_hash32(e->org)};
	c->user = user.len != 0 ? hunt_hash32(user) : 0;
	path = span_cut(path, sizeof(c->path) - 1);
	memcpy(c->path, path.ptr, path.len);
	user = span_cut(e->user, sizeof(c->by) - 1);
	memcpy(c->by, user.ptr, user.len);
	(void)memccpy(c->what, what, '\0', sizeof(c->what) - 1);
}

static bool
is_admin_level(struct span level)
{
	return span_eq_str(level, "admin") || span_eq_str(level, "sysadmin") ||
	       span_eq_str(level, "fileadmin");
}

static void
note_change(struct hunt *h, const struct hunt_entry *e)
{
	struct span none = span_of(NULL, 0), level = hunt_detail(e, "level");
	struct span path = e->path.len != 0 ? e->path : hunt_detail(e, "path");

	if (e->kind == KIND_ACL_SET)
		change_add(h, e, hunt_detail(e, "for-user"), path, "rights on the folder");
	else if (e->kind == KIND_GROUP_CHANGED && hunt_detail(e, "added").len != 0)
		change_add(h, e, hunt_detail(e, "added"), none, "membership of a group");
	else if (e->kind == KIND_USER_CHANGED && is_admin_level(level))
		change_add(h, e, hunt_detail(e, "name"), none, "a higher level");
}

/* Has this principal read in the folder of this path before? */
static bool
has_read_there(const struct person *p, struct span path)
{
	uint32_t folder;

	while (path.len != 0 && path.ptr[path.len - 1] != '/')
		path.len--;
	folder = hunt_hash32(path);
	for (size_t i = 0; i < HUNT_FOLDERS_KEPT && i < p->folders; i++)
		if (p->folder[i] == folder)
			return true;
	return false;
}

static bool
is_fruit(const struct change *c, const struct hunt_entry *e, uint32_t user)
{
	return c->at_us != 0 && e->t_us >= c->at_us &&
	       e->t_us - c->at_us <= HUNT_CHANGE_HOURS * HUNT_HOUR &&
	       (c->user == 0 || c->user == user) && hunt_path_below(e->path, span_str(c->path)) &&
	       (c->user != 0 || c->org == hunt_hash32(e->org));
}

void
detect_widened(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	uint32_t user;

	(void)o;
	if (e == NULL)
		return;
	if (e->kind != KIND_FILE_READ) {
		note_change(h, e);
		return;
	}
	if (p == NULL || h->n_changes == 0)
		return;
	user = hunt_hash32(e->user);
	for (unsigned i = 0; i < HUNT_CHANGES_KEPT && i < h->n_changes; i++) {
		const struct change *c = &h->change[i];
		struct finding *f;

		/* the first read in a folder makes the finding, those after it belong to it */
		if (!is_fruit(c, e, user) ||
		    (has_read_there(p, e->path) &&
			!hunt_is_open(h, DETECT_widened, p->hash ^ c->entry, e->t_us, HUNT_HOUR)))
			continue;
		f = hunt_hit(h, DETECT_widened, p->hash ^ c->entry, e, HUNT_HOUR);
		if (f->count == 1)
			hunt_also(f, c->entry, c->at_us);
		f->files++;
		f->bytes += e->size;
		hunt_score(f, f->files >= 100 ? 20 : f->files >= 20 ? 10 : 0);
		hunt_say(f,
		    "%s got %s%s%.150s from %s (entry %llu), and then read %llu files, first %.*s",
		    p->name, c->what, c->path[0] != '\0' ? " " : "", c->path,
		    c->by[0] != '\0' ? c->by : "an administrator", (unsigned long long)c->entry,
		    (unsigned long long)f->files, S(span_cut(e->path, 100)));
		return;
	}
}
