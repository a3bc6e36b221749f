/* hunt.h - the audit log questioned: detectors over a stream of entries.
 *
 *   hunt_new -> hunt_take for each entry in order -> hunt_end -> hunt_findings
 *
 * Everything is bounded (limits.def), nothing is written.  What is remembered of a principal or an
 * address is what the entries of the range said; nothing before it is known.
 */
#ifndef SP_CLI_HUNT_HUNT_H
#define SP_CLI_HUNT_HUNT_H

#include "base/mem.h"
#include "cli/hunt/entry.h"

enum hunt_limit {
#define LIMIT(NAME, value, text) HUNT_##NAME = (value),
#include "cli/hunt/limits.def"
#undef LIMIT
};

enum detector {
#define DETECT(fn, name, weight, kinds, title, text) DETECT_##fn,
#include "cli/hunt/hunt.def"
#undef DETECT
	DETECTORS
};

#define HUNT_SECOND ((int64_t)1000000)
#define HUNT_MINUTE (60 * HUNT_SECOND)
#define HUNT_HOUR (60 * HUNT_MINUTE)
#define HUNT_DAY (24 * HUNT_HOUR)

struct detector_row {
	const char *name;
	unsigned weight;
	uint64_t kinds; /* bit of each enum hunt_kind */
	const char *title, *text;
};
/* detector_row - a row of hunt.def. */
const struct detector_row *detector_row(enum detector d);

/* Something suspicious, and the entries behind it. */
struct finding {
	enum detector detector;
	unsigned score;			  /* 0 to 100 */
	uint64_t key;			  /* of the detector: what belongs to one finding */
	char user[65], org[65], addr[48]; /* of the first entry that has one; empty: none */
	bool others;			  /* there are entries of other principals behind it too */
	int64_t first_us, last_us;
	uint64_t entry[HUNT_ENTRIES_SHOWN]; /* the first of them */
	unsigned n_entries;
	uint64_t last_entry, count; /* count: of entries behind it */
	uint64_t files, bytes;	    /* where it is about content; else 0 */
	char what[320];		    /* a sentence; may hold any character */
};

/* An hour in which something is counted, and what was normal in the days before. */
struct pace {
	int64_t since_us;
	uint64_t first_entry, files, bytes;
	uint64_t norm_files, norm_bytes;   /* busiest hour of the days before this one */
	uint64_t today_files, today_bytes; /* of this day so far: becomes the norm tomorrow */
	uint32_t day;
};

/* A principal. */
struct person {
	char name[65], org[65];
	uint64_t hash;
	int64_t seen_us; /* last sign of life; 0: none yet */
	uint32_t logins, days, day, read_days, read_day;
	uint32_t network[HUNT_NETWORKS_KEPT], agent[HUNT_AGENTS_KEPT], folder[HUNT_FOLDERS_KEPT];
	uint32_t networks, agents, folders; /* seen in all: a ring is written at [n % kept] */
	struct pace reads, deletes;
	uint64_t n_reads;
	uint32_t hour[24], hour_today[24]; /* reads in each hour of the day */
	struct {
		int64_t since_us;
		uint32_t n;
		uint64_t first_entry;
	} off, denied;
	struct {
		uint64_t entry;
		int64_t at_us;
		bool is_open, is_new;
		char addr[48];
		uint32_t unused;
		uint64_t first_unused;
		bool ever_used;
	} login;
	struct {
		uint64_t entry;
		int64_t at_us;
	} added;
	bool woke_from_new; /* the last login was from a network never seen */
};

/* An address: exact for IPv4, its /64 for IPv6. */
struct origin {
	uint64_t hash; /* 0: free */
	int64_t seen_us, scan_us, fail_us;
	uint64_t scan_entry, fail_entry;
	uint32_t scans, fails, names; /* names: different ones, up to SPRAY_NAMES */
	uint32_t name[HUNT_SPRAY_NAMES];
};

/* A name that failed to log in, ours or not. */
struct claim {
	uint64_t hash;
	int64_t seen_us;
	uint64_t first_entry;
	uint32_t fails;
};

/* Rights that were widened lately. */
struct change {
	int64_t at_us;
	uint64_t entry;
	uint32_t user; /* hash of the one who gained; 0: a group, or everybody below path */
	uint32_t org;
	char path[256]; /* empty: everywhere */
	char by[65], what[80];
};

struct day {
	uint64_t reads, bytes, stored, logins, failed;
};

struct ioc;
struct hunt {
	/* principals */
	struct person **person; /* in the order they came */
	uint32_t *person_slot;	/* hash table of index + 1 */
	size_t n_people, people_cap, slots;
	uint64_t people_left_out; /* entries of principals over the limit */
	struct origin *origin;
	struct claim *claim;
	struct change change[HUNT_CHANGES_KEPT];
	unsigned n_changes; /* in all: a ring */
	/* findings */
	struct finding *finding;
	size_t n_findings;
	uint32_t *open; /* hash table of (detector, key): index + 1 */
	uint64_t left_out[DETECTORS];
	/* the log itself */
	uint64_t entries, first_entry, last_entry;
	int64_t first_us, last_us;
	bool stopped, stepped, created;
	int64_t stop_us, alive_us; /* alive: the last entry that a running server made */
	uint64_t stop_entry;
	/* plots */
	struct day *day; /* HUNT_DAYS_MAX from first_day on */
	int64_t first_day;
	uint64_t week[7][24];  /* reads, Monday first */
	struct ioc *ioc;       /* borrowed; NULL: none */
	uint64_t ioc_left_out; /* versions with an indicator's hash over the limit: their reads are
				  not matched */
	bool no_memory;
};

int hunt_new(struct ioc *ioc, struct hunt **ret) MUST_USE;
void hunt_free(struct hunt *h); /* accepts NULL */
/* hunt_take - the next entry.  SP_ENOMEM */
int hunt_take(struct hunt *h, const struct hunt_entry *e) MUST_USE;
/* hunt_unreadable - entry n could not be taken apart. */
int hunt_unreadable(struct hunt *h, uint64_t n) MUST_USE;
/* hunt_end - the end of the range: last findings, company counted, sorted, most suspicious first.
 */
void hunt_end(struct hunt *h);

/* ---- what the detectors share ---- */

/* hunt_hash - of text; never 0.  hunt_hash32 - the same in 32 bits. */
uint64_t hunt_hash(struct span s);
uint32_t hunt_hash32(struct span s);
/* hunt_person - the principal of a name, made when it is new; NULL: over the limit, or no memory.
 */
struct person *hunt_person(struct hunt *h, struct span name, struct span org);
/* hunt_person_known - NULL: never seen. */
struct person *hunt_person_known(const struct hunt *h, struct span name);
/* hunt_origin - what is known of an address. */
struct origin *hunt_origin(struct hunt *h, const struct hunt_entry *e);
/* hunt_claim - of a name that failed; NULL when make is false and it never did. */
struct claim *hunt_claim(struct hunt *h, struct span name, int64_t now_us, bool make);

/* hunt_hit - an entry behind a finding: that of (detector, key) that was last added to within
 * gap_us, or a new one.  Its score is at least the weight of its row. *ret_new  it was made now.
 * Never NULL but without memory. */
struct finding *hunt_hit(
    struct hunt *h, enum detector d, uint64_t key, const struct hunt_entry *e, int64_t gap_us);
/* hunt_is_open - is there a finding of (detector, key) that was added to within gap_us before now?
 */
bool hunt_is_open(
    const struct hunt *h, enum detector d, uint64_t key, int64_t now_us, int64_t gap_us);
/* hunt_also - an earlier entry is behind it too: it is named in its order. */
void hunt_also(struct finding *f, uint64_t entry, int64_t t_us);
/* hunt_score - weight and more, within 1 to 100. */
void hunt_score(struct finding *f, int more);
/* hunt_cut - sort; of more than max findings the least suspicious are dropped, and counted. */
void hunt_cut(struct hunt *h, size_t max);
/* hunt_say - the sentence of a finding. */
void hunt_say(struct finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* hunt_bytes, hunt_span_of_time - "1.3 GiB", "3 h 12 min" appended to t. */
void hunt_bytes(struct text *t, uint64_t bytes);
void hunt_lasting(struct text *t, int64_t us);
/* hunt_path_below - is path the folder `below`, or in it?  An empty one has everything in it. */
bool hunt_path_below(struct span path, struct span below);

/* One function a row. */
#define DETECT(fn, name, weight, kinds, title, text)                                               \
	void detect_##fn(                                                                          \
	    struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o);
#include "cli/hunt/hunt.def"
#undef DETECT
#endif
