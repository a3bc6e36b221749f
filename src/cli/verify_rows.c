/* verify_rows.c - see verify_rows.h: an open hash table with linear probing. */
#include "cli/verify_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/verify_entry.h"
#include "sys/clock.h"

#define SLOTS_FIRST 4096u
#define SESSION_MAX_US (366 * INT64_C(86400000000)) /* the most that SessionMax can be is less */
#define UNDONE_MAX 1000000u
#define CHAIN_MAX 1024u /* folders above each other */

struct rows {
	struct row *slot;
	size_t slots, used; /* slots: a power of two */
	uint64_t *undone;   /* entries that were not carried out; sorted */
	size_t n_undone;
	uint64_t entry; /* at work */
	char since[64]; /* sessions that began before are over, whatever SessionMax says */
};

/* The keys are numbers that count up: any mixing will do (splitmix64's). */
static size_t
slot_of(const struct rows *r, const struct row_key *k)
{
	uint64_t h = (uint64_t)k->a * 0x9e3779b97f4a7c15u;

	h ^= (uint64_t)k->b * 0xbf58476d1ce4e5b9u + (uint64_t)k->c * 0x94d049bb133111ebu +
	     (uint64_t)k->kind * 0xd6e8feb86659fd93u;
	h ^= h >> 31;
	h *= 0x94d049bb133111ebu;
	return (size_t)(h ^ (h >> 29)) & (r->slots - 1);
}

static bool
is_key(const struct row *row, const struct row_key *k)
{
	return row->kind == k->kind && row->a == k->a && row->b == k->b && row->c == k->c;
}

/* the row's slot, or the free one where it belongs */
static struct row *
probe(const struct rows *r, const struct row_key *k)
{
	size_t i = slot_of(r, k);

	while (r->slot[i].used && !is_key(&r->slot[i], k))
		i = (i + 1) & (r->slots - 1);
	return &r->slot[i];
}

struct row *
rows_find(const struct rows *r, const struct row_key *k)
{
	struct row *row = probe(r, k);

	return row->used ? row : NULL;
}

static struct row_key
key_of(const struct row *row)
{
	return (struct row_key){(enum row_kind)row->kind, row->a, row->b, row->c};
}

static int
grow(struct rows *r)
{
	struct row *old = r->slot;
	size_t n = r->slots;

	if (r->used * 4 < n * 3)
		return SP_OK;
	if (r->used >= ROWS_EXPECTED_MAX)
		return SP_ETOOBIG;
	r->slot = mem_array(n * 2, sizeof(*r->slot));
	if (r->slot == NULL) {
		r->slot = old;
		return SP_ENOMEM;
	}
	r->slots = n * 2;
	for (size_t i = 0; i < n; i++)
		if (old[i].used) {
			struct row_key k = key_of(&old[i]);

			*probe(r, &k) = old[i];
		}
	mem_free(old);
	return SP_OK;
}

/* remove - and move up what was pushed on by it. */
static void
take_out(struct rows *r, struct row *row)
{
	size_t hole = (size_t)(row - r->slot), mask = r->slots - 1;

	r->slot[hole].used = false;
	r->used--;
	for (size_t i = (hole + 1) & mask; r->slot[i].used; i = (i + 1) & mask) {
		struct row_key k = key_of(&r->slot[i]);
		size_t home = slot_of(r, &k);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		r->slot[hole] = r->slot[i];
		r->slot[i].used = false;
		hole = i;
	}
}

/* take_many - all rows of a kind whose first number is a; 0: whatever it is. */
static void
take_many(struct rows *r, enum row_kind kind, int64_t a)
{
	for (size_t i = 0; i < r->slots; i++)
		/* another one may be moved up to here */
		while (r->slot[i].used && r->slot[i].kind == kind && (a == 0 || r->slot[i].a == a))
			take_out(r, &r->slot[i]);
}

/* ---- digests ---- */

static struct span
without_hash(struct span text)
{
	static const char mark[] = " sha256=";

	for (size_t i = 0; i + sizeof(mark) - 1 <= text.len; i++)
		if (span_starts(span_skip(text, i), SPAN_LIT(" sha256=")))
			return span_cut(text, i);
	return text;
}

static int
digest(struct span text, uint8_t ret[16])
{
	uint8_t all[SHA256_BYTES];
	int rc = sha256(text, all);

	if (rc == SP_OK)
		memcpy(ret, all, 16);
	return rc;
}

bool
rows_fits(const struct row *row, struct span text)
{
	uint8_t is[16];

	if (row->any)
		return true;
	return digest(row->any_hash ? without_hash(text) : text, is) == SP_OK &&
	       memcmp(is, row->digest, sizeof(is)) == 0;
}

/* ---- replaying ---- */

static int
put(void *arg, const struct entry_row *e)
{
	struct rows *r = arg;
	struct row *row = probe(r, &e->key);
	int rc;

	/* times as entries write theirs: bytes compare like times */
	if (e->t.len >= strlen(r->since) && memcmp(e->t.ptr, r->since, strlen(r->since)) < 0)
		return SP_OK;
	if (e->gone && e->many) {
		take_many(r, e->key.kind, e->key.a);
		return SP_OK;
	}
	if (e->gone) {
		if (row->used)
			take_out(r, row);
		return SP_OK;
	}
	if (!row->used) {
		rc = grow(r);
		if (rc != SP_OK)
			return rc;
		row = probe(r, &e->key);
		r->used++;
	}
	*row = (struct row){.a = e->key.a,
	    .b = e->key.b,
	    .c = e->key.c,
	    .kind = (uint8_t)e->key.kind,
	    .used = true,
	    .above = e->above,
	    .any_hash = e->any_hash,
	    .entry = r->entry};
	return digest(e->any_hash ? without_hash(e->text) : e->text, row->digest);
}

/* What `init` makes, before there is a log: the first organisation, whose name it chose, with "/"
 * and "/Home". */
static int
put_first(struct rows *r)
{
	static const struct {
		struct row_key key;
		int64_t above;
		const char *text;
	} first[] = {
	    {{ROW_ORG, 1, 0, 0}, 0, ""},
	    {{ROW_FOLDER, 1, 0, 0}, 0,
		"{\"name\":\"\",\"org\":1,\"parent\":0,\"inherit\":1,\"type\":6,\"system\":1,"
		"\"owner\":0,\"quota\":0}"},
	    {{ROW_FOLDER, 2, 0, 0}, 1,
		"{\"name\":\"Home\",\"org\":1,\"parent\":1,\"inherit\":0,\"type\":1,\"system\":1,"
		"\"owner\":0,\"quota\":0}"},
	};
	int rc = SP_OK;

	r->entry = ROW_ENTRY_NONE;
	for (size_t i = 0; i < ARRAY_LEN(first) && rc == SP_OK; i++) {
		struct entry_row e = {
		    .key = first[i].key, .text = span_str(first[i].text), .above = first[i].above};

		rc = put(r, &e);
		rows_find(r, &e.key)->any = first[i].text[0] == '\0';
	}
	return rc;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
is_undone(const struct rows *r, uint64_t n)
{
	return r->n_undone != 0 &&
	       bsearch(&n, r->undone, r->n_undone, sizeof(n), by_number) != NULL;
}

static int
collect_undone(struct audit *a, uint64_t end, struct rows *r, uint64_t *at)
{
	for (*at = 0; *at < end; ++*at) {
		struct span entry;
		uint64_t n;
		void *p;
		int rc = tlog_entry(a->log, *at, &entry);

		if (rc != SP_OK)
			return rc;
		if (!entry_undoes(entry, &n))
			continue;
		if (r->n_undone == UNDONE_MAX)
			return SP_ETOOBIG;
		p = mem_grow(r->undone, r->n_undone * sizeof(n), (r->n_undone + 1) * sizeof(n));
		if (p == NULL)
			return SP_ENOMEM;
		r->undone = p;
		r->undone[r->n_undone++] = n;
	}
	if (r->n_undone != 0)
		qsort(r->undone, r->n_undone, sizeof(*r->undone), by_number);
	return SP_OK;
}

static int
replay(struct audit *a, uint64_t end, struct rows *r, uint64_t *at)
{
	int rc = collect_undone(a, end, r, at);

	for (*at = 0; *at < end && rc == SP_OK; ++*at) {
		struct span entry;

		rc = tlog_entry(a->log, *at, &entry);
		r->entry = *at;
		if (rc == SP_OK && !is_undone(r, *at))
			rc = entry_rows(*at, entry, put, r);
	}
	return rc;
}

int
rows_replay(struct audit *a, uint64_t end, struct rows **ret, char *why, size_t cap)
{
	struct rows *r = mem_alloc(sizeof(*r));
	uint64_t at = 0;
	int rc = SP_ENOMEM;

	if (r != NULL && (r->slot = mem_array(SLOTS_FIRST, sizeof(*r->slot))) != NULL) {
		struct text t = text_of(r->since, sizeof(r->since));

		time_plain(&t, clock_wall_us() - SESSION_MAX_US);
		r->slots = SLOTS_FIRST;
		rc = put_first(r);
	}
	if (rc == SP_OK)
		rc = replay(a, end, r, &at);
	if (rc == SP_OK) {
		*ret = r;
		return SP_OK;
	}
	(void)snprintf(why, cap, "audit log entry %llu: %s", (unsigned long long)at,
	    rc == SP_ESYNTAX
		? "it does not say all that it changed (was it made by an older version?)"
		: sp_strerror(rc));
	rows_free(r);
	return rc;
}

void
rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	mem_free(r->slot);
	mem_free(r->undone);
	mem_free(r);
}

/* ---- asking ---- */

static bool
folder_gone(const struct rows *r, int64_t folder)
{
	for (unsigned i = 0; folder != 0 && i < CHAIN_MAX; i++) {
		const struct row *row =
		    rows_find(r, &(const struct row_key){ROW_FOLDER, folder, 0, 0});

		if (row == NULL)
			return true;
		folder = row->above;
	}
	return folder != 0;
}

static bool
is_there(const struct rows *r, enum row_kind kind, int64_t id)
{
	return rows_find(r, &(const struct row_key){kind, id, 0, 0}) != NULL;
}

bool
rows_gone_along(const struct rows *r, const struct row *row)
{
	switch ((enum row_kind)row->kind) {
	case ROW_SESSION: /* they end by themselves */
		return true;
	case ROW_FILE:
		return folder_gone(r, row->above);
	case ROW_FOLDER:
		return folder_gone(r, row->above);
	case ROW_TOKEN:
	case ROW_SSH_KEY:
	case ROW_OTP:
		return !is_there(r, ROW_USER, row->a);
	case ROW_MEMBER:
		return !is_there(r, ROW_GROUP, row->a) || !is_there(r, ROW_USER, row->b);
	case ROW_ACL:
		return folder_gone(r, row->a) ||
		       !is_there(r, row->b == 0 ? ROW_USER : ROW_GROUP, row->c);
	default:
		return false;
	}
}

struct want {
	struct row_key key;
	char *buf;
	size_t cap;
};

static int
take_wanted(void *arg, const struct entry_row *e)
{
	struct want *w = arg;
	struct text t;

	if (e->gone || e->key.kind != w->key.kind || e->key.a != w->key.a || e->key.b != w->key.b ||
	    e->key.c != w->key.c)
		return SP_OK;
	t = text_of(w->buf, w->cap);
	text_add(&t, span_cut(e->text, w->cap - 1));
	return SP_OK;
}

void
rows_text(struct audit *a, const struct row *row, char *buf, size_t cap)
{
	struct want w = {key_of(row), buf, cap};
	struct span entry;

	buf[0] = '\0';
	if (row->entry == ROW_ENTRY_NONE)
		(void)snprintf(buf, cap, "as init made it");
	else if (tlog_entry(a->log, row->entry, &entry) != SP_OK ||
		 entry_rows(row->entry, entry, take_wanted, &w) != SP_OK)
		buf[0] = '\0';
}

int
rows_each(struct rows *r, row_fn fn, void *arg)
{
	int rc = SP_OK;

	for (size_t i = 0; i < r->slots && rc == SP_OK; i++)
		if (r->slot[i].used)
			rc = fn(arg, &r->slot[i]);
	return rc;
}
