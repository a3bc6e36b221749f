/* list.c - pages of rows: from the broker in messages of 60 KiB, to the client as they come. */
#include "rooms/gate/https/list.h"

#include "sys/clock.h"

#define PER_PAGE_DEFAULT 25u
#define PER_PAGE_MAX 10000u
#define FETCH 1000u /* rows asked for at a time */

struct page {
	uint64_t page, per_page; /* page from 1 */
	uint8_t field[32], mask[255];
	size_t field_len, mask_len;
	uint64_t total; /* rows that match */
};

static uint8_t
sort_of(struct span field)
{
	static const struct {
		const char *name;
		enum ipc_sort sort;
	} rows[] = {{"name", SORT_NAME}, {"size", SORT_SIZE}, {"fileSize", SORT_SIZE},
	    {"datetime", SORT_TIME}, {"uploadStamp", SORT_TIME}, {"time", SORT_TIME},
	    {"lastContentChangeTime", SORT_TIME}, {"type", SORT_TYPE}, {"path", SORT_PATH}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_ieq_str(field, rows[i].name))
			return (uint8_t)rows[i].sort;
	return SORT_NAME;
}

static int
page_of_query(struct conn *c, struct listing *l, struct page *p)
{
	uint8_t direction[16];
	int n, rc;

	rc = query_u64(c, "page", 1, INT32_MAX, &p->page);
	if (rc == SP_OK)
		rc = query_u64(c, "perPage", PER_PAGE_DEFAULT, INT32_MAX, &p->per_page);
	if (rc < 0)
		return rc;
	if (p->page == 0)
		p->page = 1;
	if (p->per_page == 0)
		p->per_page = PER_PAGE_DEFAULT;
	if (p->per_page > PER_PAGE_MAX)
		p->per_page = PER_PAGE_MAX;
	if (l->bare)
		*p = (struct page){.page = 1, .per_page = UINT32_MAX};
	n = query_str(c, "sortField", p->field, sizeof(p->field));
	if (n < 0)
		return n;
	if (n == 0 || l->versions) {
		n = (int)strlen(l->sort);
		memcpy(p->field, l->sort, (size_t)n);
	}
	p->field_len = (size_t)n;
	l->request.sort = sort_of(span_of(p->field, p->field_len));
	n = query_str(c, "sortDirection", direction, sizeof(direction));
	if (n < 0)
		return n;
	l->request.descending =
	    l->versions || (n >= 4 && span_ieq_str(span_of(direction, 4), "desc"));
	if (l->bare)
		return SP_OK;
	n = query_str(c, "name", p->mask, sizeof(p->mask));
	if (n < 0)
		return n;
	l->request.mask = span_of(p->mask, (size_t)n);
	return SP_OK;
}

static uint8_t
fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool
mask_matches(struct span mask, struct span s)
{
	size_t m = 0, i = 0, star = SIZE_MAX, from = 0;

	while (i < s.len) {
		uint32_t cp;
		size_t n = utf8_next(span_skip(s, i), &cp);

		if (m < mask.len && mask.ptr[m] == '*') {
			star = m++;
			from = i;
		} else if (m < mask.len && mask.ptr[m] == '?') {
			m++;
			i += n != 0 ? n : 1;
		} else if (m < mask.len && fold(mask.ptr[m]) == fold(s.ptr[i])) {
			m++;
			i++;
		} else if (star != SIZE_MAX) {
			m = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (m < mask.len && mask.ptr[m] == '*')
		m++;
	return m == mask.len;
}

/* Is it in such a folder, or, if that is enough, below one? */
static bool
is_in(const struct listing *l, struct span path)
{
	do {
		while (path.len != 0 && path.ptr[path.len - 1] != '/')
			path.len--;
		if (path.len > 1)
			path.len--;
		if (mask_matches(l->folder_mask, path))
			return true;
	} while (l->below && path.len > 1);
	return false;
}

static bool
is_filtered(const struct listing *l)
{
	return l->only_new || l->path_mask.len != 0 || l->folder_mask.len != 0;
}

static bool
wanted(const struct listing *l, const struct ipc_entry_rec *e)
{
	if (l->only_new && !model_is_new(e))
		return false;
	if (l->folder_mask.len != 0 && !is_in(l, e->path))
		return false;
	return l->path_mask.len == 0 || mask_matches(l->path_mask, e->path);
}

/* Rows of one ENTRIES message: those of the page are written. */
static int
write_rows(struct conn *c, const struct listing *l, const struct ipc_entries *m, bool filtered,
    struct page *p)
{
	struct rd r = rd_of(m->rows);
	uint64_t first = (p->page - 1) * p->per_page;

	for (uint32_t i = 0; i < m->count; i++) {
		struct ipc_entry_rec e;

		if (ipc_take_entry_rec(&r, &e) < 0)
			return SP_EUNAVAIL;
		if (filtered) {
			uint64_t at;

			if (!wanted(l, &e))
				continue;
			at = p->total++;
			if (at < first || at >= first + p->per_page)
				continue;
		}
		l->row(&c->reply.json, &e);
		if (c->reply.body.len >= REPLY_FLUSH_BYTES && reply_flush(c) < 0)
			return SP_ECLOSED;
	}
	return SP_OK;
}

static int
fetch(struct conn *c, const struct listing *l, struct ipc_entries *ret)
{
	const struct ipc_versions m = {.by = l->request.by,
	    .id = l->request.id,
	    .offset = l->request.offset,
	    .limit = l->request.limit};

	return l->versions ? ring_versions(c->ring, &m, ret)
			   : ring_list(c->ring, &l->request, ret);
}

/* All rows of the page.  A filter that the broker does not know is applied here, over all rows. */
static int
write_items(struct conn *c, struct listing *l, struct page *p, struct ipc_entries *first)
{
	bool filtered = is_filtered(l);
	uint64_t want = filtered ? first->total : p->per_page, done = 0;
	struct ipc_entries m = *first;

	for (;;) {
		int rc = write_rows(c, l, &m, filtered, p);

		done += m.count;
		if (rc < 0 || m.count == 0 || done >= want ||
		    l->request.offset + m.count >= m.total) {
			if (!filtered)
				p->total = m.total;
			return rc;
		}
		l->request.offset += m.count;
		l->request.limit = want - done < FETCH ? (uint32_t)(want - done) : FETCH;
		rc = fetch(c, l, &m);
		if (rc < 0)
			return rc;
	}
}

static void
write_paging(struct json *j, const struct listing *l, const struct page *p)
{
	uint64_t pages = (p->total + p->per_page - 1) / p->per_page;

	json_key(j, "paging");
	json_open(j, '{');
	json_ku64(j, "page", p->page);
	json_ku64(j, "perPage", p->per_page);
	json_ku64(j, "totalItems", p->total);
	json_ku64(
	    j, "totalPages", pages != 0 ? pages : 1); /* clients loop until page == totalPages */
	json_close(j, '}');
	json_key(j, "sorting");
	json_open(j, '[');
	json_open(j, '{');
	json_kstr(j, "sortField", span_of(p->field, p->field_len));
	json_kstr(j, "sortDirection", l->request.descending ? SPAN_LIT("desc") : SPAN_LIT("asc"));
	json_close(j, '}');
	json_close(j, ']');
}

static void
write_stamp(struct json *j)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_plain(&t, clock_wall_us());
	json_kstr(j, "currentTimestamp", text_span(&t));
}

int
list_reply(struct conn *c, struct listing *l)
{
	struct page p = {0};
	struct ipc_entries m;
	struct json *j;
	int rc = page_of_query(c, l, &p);

	if (rc < 0)
		return rc;
	l->request.limit = FETCH;
	if (!is_filtered(l) && !l->bare) {
		l->request.offset = (p.page - 1) * p.per_page;
		if (p.per_page < FETCH)
			l->request.limit = (uint32_t)p.per_page;
	}
	rc = fetch(c, l, &m);
	if (rc < 0)
		return rc;
	reply_begin(c, 200);
	j = reply_json(c);
	if (!l->bare) {
		json_open(j, '{');
		json_key(j, "items");
	}
	json_open(j, '[');
	rc = write_items(c, l, &p, &m);
	if (rc < 0)
		return rc;
	json_close(j, ']');
	if (l->bare)
		return reply_send(c);
	write_paging(j, l, &p);
	if (l->stamp)
		write_stamp(j);
	json_close(j, '}');
	return reply_send(c);
}
