/* source.c - extents, segments, readers. */
#include "rooms/gate/sftp/source.h"

#include "sys/log.h"

/* The content does not authenticate at this offset: on record, and the client is told where. */
static int
damaged(struct source *s, uint64_t offset)
{
	struct ipc_damaged m = {.file = s->file, .version = s->version, .offset = offset};
	struct ipc_done done;
	struct fault *f = &s->ring->fault;
	struct text t;

	if (ring_damaged(s->ring, &m, &done) < 0)
		log_error("damage could not be reported");
	t = text_of(f->detail, sizeof(f->detail));
	text_fmt(&t, "%s (file %llu) is damaged near byte %llu", s->name,
	    (unsigned long long)s->file, (unsigned long long)offset);
	return SP_EDAMAGED;
}

static bool
is_damage(int rc)
{
	return rc == SP_EDAMAGED || rc == SP_EBADTAG;
}

/* ---- readers ---- */

static void
drop_readers(struct source *s)
{
	for (size_t i = 0; i < SOURCE_READERS; i++) {
		if (s->reader[i] == NULL)
			continue;
		blob_reader_free(s->reader[i]);
		s->reader[i] = NULL;
		s->pool->n_readers--;
	}
}

/* The reader of a segment: consecutive segments never share one. */
static int
reader_of(struct source *s, uint64_t blob_offset, struct blob_reader **ret)
{
	uint32_t full = s->opened.segment - FLOE_OVERHEAD;
	uint32_t wanted = 2 + SFTP_READ_MAX / full;
	size_t i =
	    (size_t)(blob_offset / full % (wanted < SOURCE_READERS ? wanted : SOURCE_READERS));
	int rc;

	if (s->reader[i] == NULL) {
		if (s->pool->n_readers >= SOURCE_READERS_ALL)
			for (struct source *o = s->pool->first; o != NULL; o = o->next)
				if (o != s && !o->is_lent)
					drop_readers(o);
		rc = blob_reader_new(s->opened.fd, s->opened.key, s->opened.blob, s->opened.segment,
		    s->opened.blob_length, &s->reader[i]);
		if (rc < 0)
			return rc;
		s->pool->n_readers++;
	}
	*ret = s->reader[i];
	return SP_OK;
}

/* ---- extents ---- */

static int
open_small(struct source *s)
{
	size_t len = 0;
	int rc;

	if (s->size > INLINE_MAX)
		return SP_EDAMAGED;
	s->small = mem_alloc((size_t)s->size);
	if (s->small == NULL)
		return SP_ENOMEM;
	rc = blob_inline_open(
	    s->opened.key, s->opened.blob, s->opened.content, s->small, (size_t)s->size, &len);
	s->opened.content = span_of(NULL, 0); /* of the ring's buffer */
	return rc == SP_ESPACE || (rc == SP_OK && len != s->size) ? SP_EDAMAGED : rc;
}

/* Is the blob what it should be, as far as its length and its beginning tell? */
static int
open_blob(struct source *s)
{
	struct blob_reader *r;

	if (s->opened.segment <= FLOE_OVERHEAD)
		return SP_EDAMAGED;
	return reader_of(s, s->opened.blob_offset, &r);
}

/* What is asked for later, and what damage is reported with: the entry's spans do not live that
 * long. */
static void
remember(struct source *s)
{
	const struct ipc_entry_rec *e = &s->opened.entry;
	size_t n = e->name.len < sizeof(s->name) ? e->name.len : sizeof(s->name) - 1;

	s->file = e->id;
	s->version = e->version;
	s->size = e->size;
	s->modified_us = e->modified_us;
	s->rights = e->rights;
	s->has_sha256 = e->has_sha256 != 0;
	memcpy(s->sha256, e->sha256.b, sizeof(s->sha256));
	memcpy(s->name, e->name.ptr, n);
	s->name[n] = '\0';
}

/* The key of what was opened is there, or will not come. */
static int
take_up(struct source *s)
{
	int rc = ring_open_end(s->ring, &s->opened);

	if (rc == SP_OK)
		rc = s->opened.fd < 0 ? open_small(s) : open_blob(s);
	if (s->opened.fd < 0)
		mem_wipe(s->opened.key, sizeof(s->opened.key));
	return rc;
}

/* Before the connection asks for anything else, or when the content is wanted. */
static void
settle(void *arg)
{
	struct source *s = arg;
	int rc = take_up(s);

	s->is_due = false;
	if (is_damage(rc))
		rc = damaged(s, 0);
	s->err = rc;
	if (rc == SP_OK || (s->fault = mem_alloc(sizeof(*s->fault))) == NULL)
		return;
	*s->fault = s->ring->fault; /* until the client hears of it */
}

static int
open_extent(struct source *s, const struct ipc_open *m, bool may_wait)
{
	int rc = ring_open_begin(s->ring, m, &s->opened, settle, s);

	if (rc < 0)
		return rc;
	remember(s);
	s->is_due = may_wait && s->opened.fd < 0;
	if (s->is_due)
		return SP_OK;
	s->ring->owed = NULL;
	return take_up(s);
}

static void
close_extent(struct source *s)
{
	drop_readers(s);
	if (s->small != NULL)
		mem_wipe(s->small, s->size);
	mem_freep(&s->small);
	opened_done(&s->opened);
}

static int
begin(struct source *s, struct ring *ring, struct source_pool *pool, const struct ipc_open *m,
    bool may_wait)
{
	int rc;

	*s = (struct source){.ring = ring,
	    .pool = pool,
	    .opened = {.fd = -1},
	    .next = pool->first,
	    .is_listed = true};
	pool->first = s;
	rc = open_extent(s, m, may_wait);
	return is_damage(rc) ? damaged(s, m->offset) : rc;
}

int
source_open(struct source *s, struct ring *ring, struct source_pool *pool, const struct ipc_open *m)
{
	return begin(s, ring, pool, m, false);
}

int
source_begin(
    struct source *s, struct ring *ring, struct source_pool *pool, const struct ipc_open *m)
{
	return begin(s, ring, pool, m, true);
}

void
source_done(struct source *s)
{
	if (!s->is_listed)
		return;
	if (s->is_due)
		ring_settle(s->ring);
	mem_freep(&s->fault);
	close_extent(s);
	if (s->spill != NULL)
		mem_wipe(s->spill, SFTP_READ_MAX);
	mem_freep(&s->spill);
	for (struct source **p = &s->pool->first; *p != NULL; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	s->is_listed = false;
}

/* ---- reading ---- */

/* Bytes into the spill buffer, behind those that are there. */
static void
spill_add(struct source *s, struct source_view *v, struct span p)
{
	size_t have = v->part[0].len;

	memcpy(s->spill + have, p.ptr, p.len);
	v->part[0].len = have + p.len;
}

/* The readers are about to go to another extent: keep what was read of this one. */
static int
spill(struct source *s, struct source_view *v)
{
	struct source_view from = *v;

	if (v->n == 0 || v->part[0].ptr == s->spill)
		return SP_OK;
	if (s->spill == NULL)
		s->spill = mem_alloc(SFTP_READ_MAX);
	if (s->spill == NULL)
		return SP_ENOMEM;
	v->part[0] = span_of(s->spill, 0);
	v->n = 1;
	for (size_t i = 0; i < from.n; i++)
		spill_add(s, v, from.part[i]);
	return SP_OK;
}

static bool
in_extent(const struct source *s, uint64_t offset)
{
	return offset >= s->opened.start && offset - s->opened.start < s->opened.length;
}

static int
go_to(struct source *s, struct source_view *v, uint64_t offset)
{
	struct ipc_open m = {.by = BY_FILE, .id = s->file, .version = s->version, .offset = offset};
	uint64_t version = s->version;
	int rc = spill(s, v);

	if (rc < 0)
		return rc;
	close_extent(s);
	rc = open_extent(s, &m, false);
	if (rc == SP_OK && (s->version != version || !in_extent(s, offset)))
		rc = SP_EDAMAGED;
	if (rc < 0) { /* nothing of it is believed at the next READ */
		close_extent(s);
		s->version = version;
	}
	return rc;
}

/* As many bytes at offset as come in one piece. */
static int
piece(struct source *s, struct source_view *v, uint64_t offset, struct span *ret)
{
	const struct opened *o = &s->opened;
	struct blob_reader *r;
	uint64_t left, at;
	int rc;

	if (s->small != NULL) {
		*ret = span_of(s->small + offset, (size_t)(s->size - offset));
		return SP_OK;
	}
	if (o->fd < 0 || !in_extent(s, offset)) {
		rc = go_to(s, v, offset);
		if (rc < 0)
			return rc;
	}
	if (s->small != NULL) /* a small file whose last opening had failed */
		return piece(s, v, offset, ret);
	at = o->blob_offset + (offset - o->start);
	rc = reader_of(s, at, &r);
	if (rc == SP_OK)
		rc = blob_reader_at(r, at, ret);
	if (rc == SP_OK && ret->len == 0)
		rc = SP_EDAMAGED;
	left = o->start + o->length - offset;
	if (rc == SP_OK && ret->len > left)
		*ret = span_cut(*ret, (size_t)left);
	return rc;
}

/* The opening has come to nothing behind the client's back: it hears that at each READ. */
static int
failed_before(struct source *s)
{
	if (s->fault != NULL)
		s->ring->fault = *s->fault;
	return s->err;
}

int
source_read(struct source *s, uint64_t offset, uint64_t n, struct source_view *ret)
{
	struct source_view v = {0};

	if (s->is_due)
		ring_settle(s->ring);
	if (s->err < 0)
		return failed_before(s);
	if (n > SFTP_READ_MAX)
		n = SFTP_READ_MAX;
	if (offset >= s->size)
		n = 0;
	else if (n > s->size - offset)
		n = s->size - offset;
	while (v.total < n && (v.n < SOURCE_READERS || v.part[0].ptr == s->spill)) {
		struct span p;
		int rc = piece(s, &v, offset + v.total, &p);

		if (rc < 0 && v.total != 0)
			break; /* what is good first; the next READ begins with the trouble */
		if (is_damage(rc))
			return damaged(s, offset);
		if (rc < 0)
			return rc;
		p = span_cut(p, (size_t)(n - v.total));
		if (v.n != 0 && v.part[0].ptr == s->spill)
			spill_add(s, &v, p);
		else
			v.part[v.n++] = p;
		v.total += p.len;
	}
	*ret = v;
	return SP_OK;
}
