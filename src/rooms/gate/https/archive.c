/* archive.c - a folder, or some of what is in it, as one ZIP or tar file that is made on its way.
 *
 * First what will be in it is listed, which fixes each byte's place; then any part of it can be
 * sent.  Each file is opened like any other: with its right, its entry in the audit log and its
 * share of the budget. */
#include "proto/archive/archive.h"

#include "crypto/crypto.h"
#include "rooms/gate/https/get.h"
#include "rooms/gate/https/router.h"
#include "rooms/gate/https/source.h"
#include "sys/clock.h"

#include <stdio.h>

#define ENTRIES_MAX 100000u	      /* files and folders of an archive */
#define NAMES_MAX (16u * 1024 * 1024) /* bytes of their names */
#define CHOSEN_MAX 500u		      /* of the lists `files` and `folders` */
#define FETCH 1000u		      /* rows asked for at a time */
#define SUBFOLDERS_AND_FILES 3u	      /* LIST.what */
#define WHOLE_TREE 4u

struct item {
	uint64_t id, version, size, modified_us;
	uint32_t name, crc32; /* name: where it begins in names */
	uint16_t name_len;
	bool is_folder, has_crc32;
};

struct bundle {
	struct conn *c;
	enum archive_format format;
	struct item *items; /* owned */
	size_t n, cap;
	uint8_t *names; /* owned */
	size_t names_len, names_cap;
	bool is_exact;	 /* all CRCs are known: any part can be made */
	bool has_unread; /* something is left out that may not be read */
	uint64_t index_at, index_len, length;
	char tag[33], name[256];
	size_t name_len, base_len;
	uint8_t base[ARCHIVE_NAME_MAX + 1]; /* the folder's path with its slash */
	uint8_t part[ARCHIVE_PART_MAX];
	/* while it is sent */
	uint64_t at, first, last; /* where the next byte is; what is wanted, inclusive */
};

static void
bundle_free(struct bundle **p)
{
	if (*p != NULL) {
		mem_free((*p)->items);
		mem_free((*p)->names);
	}
	mem_freep(p);
}

/* ---- what is in it ---- */

static void *
grown(void *p, size_t *cap, size_t wanted, size_t unit, size_t max)
{
	size_t next = *cap != 0 ? *cap : 64;
	void *q;

	while (next < wanted)
		next *= 2;
	next = next < max ? next : max;
	q = mem_grow(p, *cap * unit, next * unit);
	if (q != NULL)
		*cap = next;
	return q;
}

/* Its name is the path below the folder's; a folder's with its '/'. */
static int
add(struct bundle *b, const struct ipc_entry_rec *e, struct span prefix)
{
	struct span path = span_skip(e->path, b->base_len);
	struct span base = span_of(b->base, b->base_len);
	bool is_folder = e->kind == 0;
	size_t len = prefix.len + path.len + is_folder;
	struct item *it;

	if ((e->rights & (is_folder ? RIGHT_LIST : RIGHT_READ)) == 0) {
		b->has_unread = true;
		return SP_OK;
	}
	if (!span_starts(e->path, base)) /* the folder has another name or place by now */
		return SP_EPRECOND;
	if (b->n == ENTRIES_MAX || len > ARCHIVE_NAME_MAX || b->names_len + len > NAMES_MAX)
		return SP_ETOOBIG;
	if (b->n == b->cap) {
		void *p = grown(b->items, &b->cap, b->n + 1, sizeof(*b->items), ENTRIES_MAX);

		if (p == NULL)
			return SP_ENOMEM;
		b->items = p;
	}
	if (b->names_len + len > b->names_cap) {
		void *p = grown(b->names, &b->names_cap, b->names_len + len, 1, NAMES_MAX);

		if (p == NULL)
			return SP_ENOMEM;
		b->names = p;
	}
	it = &b->items[b->n++];
	*it = (struct item){.id = e->id,
	    .version = e->version,
	    .size = is_folder ? 0 : e->size,
	    .modified_us = e->modified_us,
	    .name = (uint32_t)b->names_len,
	    .crc32 = is_folder ? 0 : e->crc32,
	    .name_len = (uint16_t)len,
	    .is_folder = is_folder,
	    .has_crc32 = is_folder || e->has_sha256 != 0};
	if (prefix.len != 0)
		memcpy(b->names + b->names_len, prefix.ptr, prefix.len);
	memcpy(b->names + b->names_len + prefix.len, path.ptr, path.len);
	if (is_folder)
		b->names[b->names_len + len - 1] = '/';
	b->names_len += len;
	b->is_exact = b->is_exact && it->has_crc32;
	return SP_OK;
}

static int
add_rows(struct bundle *b, const struct ipc_entries *m, struct span prefix)
{
	struct rd r = rd_of(m->rows);

	for (uint32_t i = 0; i < m->count; i++) {
		struct ipc_entry_rec e;
		int rc;

		if (ipc_take_entry_rec(&r, &e) < 0)
			return SP_EUNAVAIL;
		if (e.path.len < b->base_len) /* the folder itself */
			continue;
		rc = add(b, &e, prefix);
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

/* All of the tree below a folder, and the folder unless it is the archive's own. */
static int
add_tree(struct bundle *b, uint64_t folder, struct span prefix)
{
	struct ipc_list m = {.by = BY_FOLDER,
	    .id = folder,
	    .what = SUBFOLDERS_AND_FILES | WHOLE_TREE,
	    .limit = FETCH,
	    .sort = SORT_PATH};
	struct ipc_entries got;
	int rc;

	do {
		rc = ring_list(b->c->ring, &m, &got);
		if (rc == SP_OK && got.total > ENTRIES_MAX)
			rc = SP_ETOOBIG;
		if (rc == SP_OK)
			rc = add_rows(b, &got, prefix);
		m.offset += got.count;
	} while (rc == SP_OK && got.count != 0 && m.offset < got.total);
	return rc;
}

/* One of those that were chosen: it has to be in that folder. */
static int
add_chosen(struct bundle *b, uint64_t id, bool is_folder, uint64_t parent)
{
	struct ipc_stat m = {.by = is_folder ? BY_FOLDER : BY_FILE, .id = id};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	int rc = ring_stat(b->c->ring, &m, &e);

	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	if (rec.parent != parent)
		return SP_ENOTFOUND;
	return is_folder ? add_tree(b, id, span_of(NULL, 0)) : add(b, &rec, span_of(NULL, 0));
}

/* The numbers of a list in the query: how many, or SP_ESYNTAX. */
static int
chosen(const struct conn *c, const char *name, uint64_t ret[CHOSEN_MAX])
{
	uint8_t text[CHOSEN_MAX * 12];
	int got = query_str(c, name, text, sizeof(text));
	struct span s = span_of(text, got > 0 ? (size_t)got : 0);
	int n = 0;

	if (got < 0)
		return got;
	while (s.len != 0) {
		struct span one = span_cut(s, span_find(s, ','));

		if ((unsigned)n == CHOSEN_MAX || parse_u64(one, INT64_MAX, &ret[n]) < 0)
			return SP_ESYNTAX;
		n++;
		s = span_skip(s, one.len);
		s = span_skip(s, s.len != 0);
	}
	return n;
}

static int
add_list(struct bundle *b, const char *name, bool are_folders, uint64_t parent, bool *any)
{
	uint64_t ids[CHOSEN_MAX];
	int n = chosen(b->c, name, ids), rc = n < 0 ? n : SP_OK;

	*any = *any || n > 0;
	for (int i = 0; i < n && rc == SP_OK; i++)
		rc = add_chosen(b, ids[i], are_folders, parent);
	return rc;
}

/* The whole folder is below its own name, what was chosen in it is not. */
static int
collect(struct bundle *b, uint64_t folder)
{
	char prefix[sizeof(b->name) + 1];
	bool any = false;
	int rc = add_list(b, "folders", true, folder, &any);

	if (rc == SP_OK)
		rc = add_list(b, "files", false, folder, &any);
	if (rc == SP_OK && !any) {
		(void)snprintf(prefix, sizeof(prefix), "%s/", b->name);
		rc = add_tree(b, folder, span_str(prefix));
	}
	if (rc == SP_OK && b->n == 0 && b->has_unread)
		rc = SP_EPERM;
	return rc;
}

/* ---- its bytes ---- */

static struct archive_entry
entry_of(const struct bundle *b, const struct item *it)
{
	return (struct archive_entry){.name = span_of(b->names + it->name, it->name_len),
	    .size = it->size,
	    .modified_us = it->modified_us,
	    .crc32 = it->crc32,
	    .has_crc32 = it->has_crc32};
}

/* A part that was made: of it goes out what is wanted. */
static int
put(struct bundle *b, struct span s)
{
	uint64_t from = b->at, to = b->at + s.len; /* exclusive */

	b->at = to;
	if (to <= b->first || from > b->last)
		return SP_OK;
	if (to > b->last + 1)
		s = span_cut(s, (size_t)(b->last + 1 - from));
	if (from < b->first)
		s = span_skip(s, (size_t)(b->first - from));
	return conn_write(b->c, s);
}

/* Is any of the next n bytes wanted? */
static bool
is_wanted(const struct bundle *b, uint64_t n)
{
	return b->at + n > b->first && b->at <= b->last;
}

/* The content of a file, from where it is wanted. */
static int
put_content(struct bundle *b, struct item *it)
{
	DEFER(source_done) struct source s = {.opened = {.fd = -1}};
	uint64_t begin = b->at, skip = b->first > begin ? b->first - begin : 0;
	struct ipc_open m = {.by = BY_FILE, .id = it->id, .version = it->version, .offset = skip};
	int rc = source_open(b->c, &m, &s);

	if (rc == SP_OK && s.size != it->size)
		rc = SP_EPRECOND;
	if (!it->has_crc32)
		it->crc32 = 0;
	b->at += skip;
	while (rc == SP_OK && b->at < begin + it->size && b->at <= b->last) {
		struct span p;

		rc = source_piece(&s, b->at - begin, &p);
		if (rc == SP_OK && p.len > begin + it->size - b->at)
			rc = SP_EDAMAGED;
		if (rc == SP_OK && !it->has_crc32)
			it->crc32 = crc32_add(it->crc32, p);
		if (rc == SP_OK)
			rc = put(b, p);
	}
	b->at = begin + it->size;
	return rc;
}

static int
put_item(struct bundle *b, struct item *it)
{
	struct archive_entry e = entry_of(b, it);
	struct wr w = wr_of(b->part, sizeof(b->part));
	int rc = archive_head(b->format, &e, &w);

	if (rc == SP_OK)
		rc = put(b, wr_span(&w));
	if (rc < 0)
		return rc;
	if (!it->is_folder && is_wanted(b, it->size != 0 ? it->size : 1))
		rc = put_content(b, it);
	else
		b->at += it->size;
	e.crc32 = it->crc32;
	w = wr_of(b->part, sizeof(b->part));
	if (rc == SP_OK)
		rc = archive_foot(b->format, &e, &w);
	return rc == SP_OK ? put(b, wr_span(&w)) : rc;
}

/* How long an entry's part is: its head, content and foot. */
static int
span_of_item(struct bundle *b, const struct item *it, uint64_t *ret)
{
	const struct archive_entry e = entry_of(b, it);
	struct wr w = wr_of(b->part, sizeof(b->part));
	int rc = archive_head(b->format, &e, &w);

	if (rc == SP_OK)
		rc = archive_foot(b->format, &e, &w);
	*ret = w.len + it->size;
	return rc;
}

static int
put_index(struct bundle *b)
{
	uint64_t offset = 0, len;
	struct wr w;

	for (size_t i = 0; i < b->n; i++) {
		const struct archive_entry e = entry_of(b, &b->items[i]);
		int rc = span_of_item(b, &b->items[i], &len);

		w = wr_of(b->part, sizeof(b->part));
		if (rc == SP_OK)
			rc = archive_index(b->format, &e, offset, &w);
		if (rc == SP_OK)
			rc = put(b, wr_span(&w));
		if (rc < 0)
			return rc;
		offset += len;
	}
	return SP_OK;
}

static int
put_end(struct bundle *b)
{
	struct wr w = wr_of(b->part, sizeof(b->part));
	int rc = archive_end(b->format, b->n, b->index_at, b->index_len, &w);

	return rc == SP_OK ? put(b, wr_span(&w)) : rc;
}

static int
put_all(struct bundle *b)
{
	int rc = SP_OK;

	b->at = 0;
	for (size_t i = 0; i < b->n && rc == SP_OK && b->at <= b->last; i++)
		rc = put_item(b, &b->items[i]);
	if (rc == SP_OK && b->at <= b->last)
		rc = put_index(b);
	return rc == SP_OK && b->at <= b->last ? put_end(b) : rc;
}

static void
hash_free(struct sha256 **h)
{
	sha256_free(*h);
}

/* Lengths and the entity tag: the same archive has the same bytes at the same places. */
static int
measure(struct bundle *b)
{
	DEFER(hash_free) struct sha256 *h = sha256_new();
	struct text t = text_of(b->tag, sizeof(b->tag));
	uint8_t hash[32], format = (uint8_t)b->format;
	int rc = h != NULL ? sha256_add(h, span_of(&format, 1)) : SP_ENOMEM;

	b->first = UINT64_MAX; /* put only counts */
	b->last = UINT64_MAX;
	for (size_t i = 0; i < b->n && rc == SP_OK; i++) {
		const struct item *it = &b->items[i];
		const uint64_t facts[] = {it->id, it->version, it->size, it->modified_us, it->crc32,
		    it->name_len, it->has_crc32};
		uint64_t len = 0;

		rc = span_of_item(b, it, &len);
		b->index_at += len;
		if (rc == SP_OK)
			rc = sha256_add(h, span_of((const uint8_t *)facts, sizeof(facts)));
		if (rc == SP_OK)
			rc = sha256_add(h, span_of(b->names + it->name, it->name_len));
	}
	b->at = b->index_at;
	if (rc == SP_OK)
		rc = put_index(b);
	b->index_len = b->at - b->index_at;
	if (rc == SP_OK)
		rc = put_end(b);
	b->length = b->at;
	if (rc == SP_OK)
		rc = sha256_get(h, hash);
	text_hex(&t, span_of(hash, 16));
	return rc;
}

/* ---- the request ---- */

static int
format_of(const struct conn *c, enum archive_format *ret)
{
	uint8_t text[8];
	int n = query_str(c, "format", text, sizeof(text));

	if (n < 0)
		return n;
	*ret = ARCHIVE_ZIP;
	if (n != 0 && span_eq_str(span_of(text, (size_t)n), "tar"))
		*ret = ARCHIVE_TAR;
	else if (n != 0 && !span_eq_str(span_of(text, (size_t)n), "zip"))
		return SP_ESYNTAX;
	return SP_OK;
}

/* Name and path of the folder. */
static int
begin(struct bundle *b, uint64_t folder)
{
	struct ipc_stat m = {.by = BY_FOLDER, .id = folder};
	struct ipc_entry e;
	int rc = ring_stat(b->c->ring, &m, &e);

	if (rc < 0)
		return rc;
	b->base_len = e.path.len > 1 ? e.path.len + 1 : 1;
	if (b->base_len > sizeof(b->base))
		return SP_ETOOBIG;
	memcpy(b->base, e.path.ptr, e.path.len);
	b->base[b->base_len - 1] = '/';
	b->name_len = e.name.len;
	memcpy(b->name, e.name.ptr, e.name.len);
	b->name[b->name_len] = '\0';
	if (b->name_len == 0) { /* the topmost one has none */
		static const char files[] = "files";

		memcpy(b->name, files, sizeof(files));
		b->name_len = sizeof(files) - 1;
	}
	return SP_OK;
}

static void
put_fields(struct bundle *b)
{
	char name[300];
	bool zip = b->format == ARCHIVE_ZIP;

	(void)snprintf(name, sizeof(name), "%s.%s", b->name, zip ? "zip" : "tar");
	reply_field(b->c, "Content-Type", "%s", zip ? "application/zip" : "application/x-tar");
	reply_field(b->c, "ETag", "\"%s\"", b->tag);
	reply_field(b->c, "Accept-Ranges", "%s", b->is_exact ? "bytes" : "none");
	text_str(reply_text(b->c), "Content-Disposition: ");
	http_disposition_put(reply_text(b->c), span_str(name));
	text_str(reply_text(b->c), "\r\n");
}

/* One range, or the whole: several at once are not worth their boundary here. */
static int
range_of(struct bundle *b, const struct http_now *now, bool *ret_partial)
{
	struct http_range r[HTTP_RANGES_MAX];
	struct conn *c = b->c;
	struct span v;
	size_t n = 0;
	int rc = http_single(&c->head, "Range", &v);

	*ret_partial = false;
	b->first = 0;
	b->last = b->length - 1;
	if (rc != 1 || c->head_method || !b->is_exact || !http_if_range(&c->head, now))
		return SP_OK;
	rc = http_ranges(v, b->length, r, &n);
	if (rc == SP_ENORANGE)
		return rc;
	if (rc == SP_OK && n == 1) {
		b->first = r[0].first;
		b->last = r[0].last;
		*ret_partial = true;
	}
	return SP_OK;
}

static int
refuse_range(struct bundle *b)
{
	char value[48];

	(void)snprintf(value, sizeof(value), "bytes */%llu", (unsigned long long)b->length);
	return reply_problem_with(b->c, SP_ENORANGE, NULL, "Content-Range", value);
}

static int
send_archive(struct bundle *b)
{
	struct conn *c = b->c;
	const struct http_now now = {.exists = true,
	    .tag = span_str(b->tag),
	    .now_s = clock_wall_us() / 1000000,
	    .modified_s = INT64_MAX / 2, /* it has no date: it is new each time */
	    .reading = true};
	enum http_cond cond;
	bool partial;
	int rc = http_conditions(&c->head, &now, &cond);

	if (rc < 0)
		return rc;
	if (cond == HTTP_COND_FAILED)
		return SP_EPRECOND;
	if (cond == HTTP_COND_NOT_MODIFIED) {
		reply_begin(c, 304);
		reply_field(c, "ETag", "\"%s\"", b->tag);
		return reply_send(c);
	}
	rc = range_of(b, &now, &partial);
	if (rc == SP_ENORANGE)
		return refuse_range(b);
	if (rc < 0)
		return rc;
	reply_begin(c, partial ? 206 : 200);
	put_fields(b);
	if (partial)
		reply_field(c, "Content-Range", "bytes %llu-%llu/%llu",
		    (unsigned long long)b->first, (unsigned long long)b->last,
		    (unsigned long long)b->length);
	rc = reply_send_head(c, b->last - b->first + 1);
	return rc < 0 || c->head_method ? rc : put_all(b);
}

int
folder_archive(struct conn *c)
{
	DEFER(bundle_free) struct bundle *b = mem_alloc(sizeof(*b));
	uint64_t folder;
	int rc = param_id(c, 0, &folder);

	if (b == NULL)
		return SP_ENOMEM;
	b->c = c;
	b->is_exact = true;
	if (rc == SP_OK)
		rc = format_of(c, &b->format);
	if (rc == SP_OK)
		rc = begin(b, folder);
	if (rc == SP_OK)
		rc = collect(b, folder);
	if (rc == SP_OK)
		rc = measure(b);
	if (rc == SP_ETOOBIG)
		return reply_problem(
		    c, rc, "an archive has at most 100,000 entries; take less at a time");
	return rc < 0 ? rc : send_archive(b);
}
