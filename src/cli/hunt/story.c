/* story.c - entries of one principal, file or address, and what was taken. */
#include "cli/hunt/story_state.h"

int
story_new(const char *user, const char *file, const char *address, struct story **ret)
{
	struct story *s = mem_alloc(sizeof(*s));
	struct span a = span_str(address);
	size_t slash = span_find(a, '/');
	bool v4 = false;
	uint64_t bits = 128;
	int err = s != NULL ? SP_OK : SP_ENOMEM;

	if (err != SP_OK)
		return err;
	arena_init(&s->arena, (size_t)1 << 30);
	s->user = span_str(user);
	s->file = span_str(file);
	s->has_address = address != NULL;
	if (address != NULL) {
		err = hunt_ip_read(span_cut(a, slash), s->ip, &v4);
		if (err == SP_OK && slash != a.len)
			err = parse_u64(span_skip(a, slash + 1), v4 ? 32 : 128, &bits);
		s->bits = (unsigned)bits + (slash != a.len && v4 ? 96 : 0);
	}
	s->slots = 1024;
	if (err == SP_OK && (s->slot = mem_array(s->slots, sizeof(*s->slot))) == NULL)
		err = SP_ENOMEM;
	if (err != SP_OK) {
		story_free(s);
		return err == SP_ENOMEM ? err : SP_EUSAGE;
	}
	*ret = s;
	return SP_OK;
}

void
story_free(struct story *s)
{
	if (s == NULL)
		return;
	arena_done(&s->arena);
	mem_free(s->slot);
	mem_free(s->taken);
	mem_free(s->reading);
	mem_free(s->chosen);
	mem_free(s->ids.v);
	mem_free(s->blobs.v);
	mem_free(s);
}

static int
grow(void **p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap * 2 + 256;
	void *q;

	if (n < *cap)
		return SP_OK;
	q = mem_grow(*p, *cap * size, more * size);
	if (q == NULL)
		return SP_ENOMEM;
	*p = q;
	*cap = more;
	return SP_OK;
}

/* ---- which entries ---- */

static uint64_t
file_of(const struct hunt_entry *e)
{
	return e->file != 0 ? e->file : hunt_detail_u64(e, "file");
}

static size_t
find_number(const struct numbers *s, uint64_t v)
{
	size_t at = (size_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->cap - 1);

	while (s->v[at] != 0 && s->v[at] != v)
		at = (at + 1) & (s->cap - 1);
	return at;
}

static bool
has_number(const struct numbers *s, uint64_t v)
{
	return s->n != 0 && v != 0 && s->v[find_number(s, v)] == v;
}

static int
numbers_grow(struct numbers *s)
{
	struct numbers more = {.n = s->n, .cap = s->cap != 0 ? s->cap * 2 : 1024};

	more.v = mem_array(more.cap, sizeof(*more.v));
	if (more.v == NULL)
		return SP_ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->v[i] != 0)
			more.v[find_number(&more, s->v[i])] = s->v[i];
	mem_free(s->v);
	*s = more;
	return SP_OK;
}

static int
add_number(struct numbers *s, uint64_t v)
{
	int err = SP_OK;

	if (v == 0 || has_number(s, v))
		return SP_OK;
	if (s->n == HUNT_TAKEN_MAX)
		return SP_ETOOBIG;
	if (2 * s->n >= s->cap)
		err = numbers_grow(s);
	if (err == SP_OK) {
		s->v[find_number(s, v)] = v;
		s->n++;
	}
	return err;
}

/* The blob that an entry is about, as a number; 0: none. */
static uint64_t
blob_of(const struct hunt_entry *e)
{
	struct span s = e->blob.len != 0 ? e->blob : hunt_detail(e, "blob");
	uint8_t blob[16];

	return parse_hex(s, blob, sizeof(blob)) == SP_OK ? hunt_hash(span_of(blob, sizeof(blob)))
							 : 0;
}

static bool
names_path(const struct story *s, const struct hunt_entry *e)
{
	return (e->path.len != 0 && hunt_path_below(e->path, s->file)) ||
	       (hunt_detail(e, "to").len != 0 && hunt_path_below(hunt_detail(e, "to"), s->file));
}

static bool
fits_file(const struct story *s, const struct hunt_entry *e)
{
	return names_path(s, e) || has_number(&s->ids, file_of(e)) ||
	       has_number(&s->blobs, blob_of(e));
}

int
story_learn(struct story *s, const struct hunt_entry *e)
{
	int err;

	if (!names_path(s, e) && !has_number(&s->ids, file_of(e)))
		return SP_OK;
	err = add_number(&s->ids, file_of(e));
	if (err == SP_OK && (e->kind == KIND_FILE_CREATED || e->kind == KIND_FILE_REPLACED))
		err = add_number(&s->blobs, blob_of(e));
	return err;
}

static bool
fits_user(const struct story *s, const struct hunt_entry *e)
{
	static const char *const subjects[] = {"name", "for-user", "added", "removed"};

	if (span_eq(e->user, s->user))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		if (e->kind != KIND_FILE_READ && span_eq(hunt_detail(e, subjects[i]), s->user))
			return true;
	return false;
}

static bool
fits_address(const struct story *s, const struct hunt_entry *e)
{
	if (e->network == 0)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = s->bits > i * 8 ? s->bits - i * 8 : 0;
		unsigned mask = keep >= 8 ? 0xff : 0xff00u >> keep & 0xff;

		if (((e->ip[i] ^ s->ip[i]) & mask) != 0)
			return false;
	}
	return true;
}

static bool
fits(const struct story *s, const struct hunt_entry *e)
{
	return (s->user.len == 0 || fits_user(s, e)) && (s->file.len == 0 || fits_file(s, e)) &&
	       (!s->has_address || fits_address(s, e));
}

/* ---- what was taken ---- */

static uint64_t
blob_hash(const uint8_t blob[16])
{
	return hunt_hash(span_of(blob, 16));
}

static size_t
find_blob(const struct story *s, const uint8_t blob[16])
{
	size_t at = (size_t)blob_hash(blob) & (s->slots - 1);

	while (s->slot[at] != 0 && memcmp(s->taken[s->slot[at] - 1].blob, blob, 16) != 0)
		at = (at + 1) & (s->slots - 1);
	return at;
}

static int
slots_grow(struct story *s)
{
	size_t n = s->slots * 2;
	uint32_t *slot = mem_array(n, sizeof(*slot));

	if (slot == NULL)
		return SP_ENOMEM;
	mem_free(s->slot);
	s->slot = slot;
	s->slots = n;
	for (size_t i = 0; i < s->n_taken; i++)
		slot[find_blob(s, s->taken[i].blob)] = (uint32_t)i + 1;
	return SP_OK;
}

static int
taken_new(struct story *s, const struct hunt_entry *e, const uint8_t blob[16], size_t *ret)
{
	struct taken *t;
	int err = SP_OK;

	if (s->n_taken == HUNT_TAKEN_MAX)
		return SP_ETOOBIG;
	if (2 * s->n_taken >= s->slots)
		err = slots_grow(s);
	if (err == SP_OK)
		err = grow((void **)&s->taken, s->n_taken, &s->taken_cap, sizeof(*s->taken));
	if (err != SP_OK)
		return err;
	t = &s->taken[s->n_taken];
	*t = (struct taken){.file = e->file,
	    .version = e->version,
	    .size = e->size,
	    .is_upload = e->kind == KIND_UPLOAD_RESUMED,
	    .path = arena_str(&s->arena, e->path)};
	if (t->path == NULL)
		return SP_ETOOBIG;
	memcpy(t->blob, blob, 16);
	s->slot[find_blob(s, blob)] = (uint32_t)++s->n_taken;
	*ret = s->n_taken - 1;
	return SP_OK;
}

/* An upload that was gone on with was finished, and read: it is that file. */
static int
became_file(struct story *s, struct taken *t, const struct hunt_entry *e)
{
	t->is_upload = false;
	t->file = e->file;
	t->version = e->version;
	t->size = e->size;
	t->path = arena_str(&s->arena, e->path);
	return t->path != NULL ? SP_OK : SP_ETOOBIG;
}

static int
reading_add(struct story *s, const struct hunt_entry *e)
{
	uint8_t blob[16];
	size_t at, i;
	int err = SP_OK;

	if (parse_hex(e->blob, blob, sizeof(blob)) != SP_OK) {
		s->without_blob++;
		return SP_OK;
	}
	at = find_blob(s, blob);
	if (s->slot[at] != 0)
		i = s->slot[at] - 1;
	else
		err = taken_new(s, e, blob, &i);
	if (err == SP_OK)
		err = grow(
		    (void **)&s->reading, s->n_readings, &s->readings_cap, sizeof(*s->reading));
	if (err != SP_OK)
		return err;
	if (e->kind == KIND_FILE_READ && s->taken[i].is_upload &&
	    (err = became_file(s, &s->taken[i], e)) != SP_OK)
		return err;
	s->taken[i].times++;
	s->reading[s->n_readings++] = (struct reading){.entry = e->n,
	    .t_us = e->t_us,
	    .size = e->kind == KIND_FILE_READ ? e->size : 0,
	    .taken = (uint32_t)i};
	return SP_OK;
}

/* The vault said no to the order of an entry: nothing was taken by it. */
static void
reading_refused(struct story *s, uint64_t entry)
{
	size_t low = 0, high = s->n_readings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct reading *r = &s->reading[middle];

		if (r->entry == entry && !r->refused) {
			r->refused = true;
			s->taken[r->taken].refused++;
		}
		if (r->entry == entry)
			return;
		if (r->entry < entry)
			low = middle + 1;
		else
			high = middle;
	}
}

int
story_refusals(struct story *s, const struct hunt_entry *e)
{
	if (e->kind == KIND_RELEASE_REFUSED)
		reading_refused(s, hunt_detail_u64(e, "entry"));
	return SP_OK;
}

int
story_take(struct story *s, const struct hunt_entry *e)
{
	int err = story_refusals(s, e);

	if (err != SP_OK || !fits(s, e))
		return err;
	err = grow((void **)&s->chosen, s->n_chosen, &s->chosen_cap, sizeof(*s->chosen));
	if (err != SP_OK)
		return err;
	s->chosen[s->n_chosen++] = e->n;
	if (e->kind == KIND_FILE_READ || e->kind == KIND_UPLOAD_RESUMED)
		return reading_add(s, e);
	return SP_OK;
}

/* ---- the records of when it was stored ---- */

int
story_join(struct story *s, const struct hunt_entry *e)
{
	uint8_t blob[16];
	struct taken *t;
	size_t at;

	if (e->kind != KIND_FILE_CREATED && e->kind != KIND_FILE_REPLACED)
		return SP_OK;
	if (parse_hex(hunt_detail(e, "blob"), blob, sizeof(blob)) != SP_OK)
		return SP_OK;
	at = find_blob(s, blob);
	if (s->slot[at] == 0)
		return SP_OK;
	t = &s->taken[s->slot[at] - 1];
	if (t->records++ != 0)
		return SP_OK; /* the first counts: a blob is stored once */
	t->is_known = true;
	t->stored_entry = e->n;
	t->stored_file = hunt_detail_u64(e, "file");
	t->stored_version = hunt_detail_u64(e, "version");
	t->stored_size = e->size;
	t->has_sha256 = parse_hex(hunt_detail(e, "sha256"), t->sha256, sizeof(t->sha256)) == SP_OK;
	t->stored_path = arena_str(&s->arena, e->path);
	return t->stored_path == NULL ? SP_ETOOBIG : SP_OK;
}

/* ---- the sum ---- */

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Different files among what was taken; by the record where there is one. */
static uint64_t
count_files(const struct story *s)
{
	DEFER(mem_freep) uint64_t *file = mem_array(s->n_taken + 1, sizeof(*file));
	size_t n = 0, different = 0;

	if (file == NULL)
		return 0;
	for (size_t i = 0; i < s->n_taken; i++) {
		const struct taken *t = &s->taken[i];

		if (t->times > t->refused && !t->is_upload)
			file[n++] = t->is_known && t->stored_file != 0 ? t->stored_file : t->file;
	}
	qsort(file, n, sizeof(*file), by_number);
	for (size_t i = 0; i < n; i++)
		different += i == 0 || file[i] != file[i - 1];
	return different;
}

static void
sum_reading(struct story *s, const struct reading *r, struct totals *ret)
{
	struct taken *t = &s->taken[r->taken];

	if (r->refused) {
		ret->refused++;
		return;
	}
	if (t->last_entry == 0 && t->first_us == 0) {
		t->first_us = r->t_us;
		t->first_entry = r->entry;
	}
	t->last_us = r->t_us;
	t->last_entry = r->entry;
	if (ret->releases++ == 0) {
		ret->first_us = r->t_us;
		ret->first_entry = r->entry;
	}
	ret->last_us = r->t_us;
	ret->last_entry = r->entry;
	ret->bytes_released += r->size;
}

void
story_totals(struct story *s, struct totals *ret)
{
	*ret = (struct totals){0};
	for (size_t i = 0; i < s->n_readings; i++)
		sum_reading(s, &s->reading[i], ret);
	for (size_t i = 0; i < s->n_taken; i++) {
		const struct taken *t = &s->taken[i];

		if (t->times == t->refused)
			continue;
		/* of an upload the wrap says only what it may reach at most */
		ret->bytes += t->is_upload ? 0 : t->size;
		ret->versions += !t->is_upload;
		ret->uploads += t->is_upload;
	}
	ret->files = count_files(s);
}

const struct taken *
story_taken(const struct story *s, size_t n)
{
	for (size_t i = 0; i < s->n_taken; i++)
		if (s->taken[i].times > s->taken[i].refused && n-- == 0)
			return &s->taken[i];
	return NULL;
}
