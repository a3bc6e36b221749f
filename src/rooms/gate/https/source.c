/* source.c - blob to connection. */
#include "rooms/gate/https/source.h"

#include "sys/log.h"

/* The content does not authenticate at this offset: on record, and the client is told where. */
static int
damaged(struct source *s, uint64_t offset)
{
	struct ipc_damaged m = {.file = s->file, .version = s->version, .offset = offset};
	struct ipc_done done;
	struct fault *f = &s->c->ring->fault;
	struct text t = text_of(f->detail, sizeof(f->detail));

	if (ring_damaged(s->c->ring, &m, &done) < 0)
		log_error("damage could not be reported");
	text_fmt(&t, "%s (file %llu) is damaged near byte %llu", s->name,
	    (unsigned long long)s->file, (unsigned long long)offset);
	return SP_EDAMAGED;
}

static int
open_small(struct source *s)
{
	size_t len = 0;
	int rc;

	s->small = mem_alloc(INLINE_MAX);
	if (s->small == NULL)
		return SP_ENOMEM;
	rc = blob_inline_open(
	    s->opened.key, s->opened.blob, s->opened.content, s->small, INLINE_MAX, &len);
	if (rc == SP_OK && len != s->size)
		rc = SP_EDAMAGED;
	return rc;
}

static int
open_blob(struct source *s)
{
	return blob_reader_new(s->opened.fd, s->opened.key, s->opened.blob, s->opened.segment,
	    s->opened.blob_length, &s->reader);
}

/* What damage will be reported with: the entry's spans do not live that long. */
static void
remember(struct source *s)
{
	const struct ipc_entry_rec *e = &s->opened.entry;
	size_t n = e->name.len < sizeof(s->name) ? e->name.len : sizeof(s->name) - 1;

	s->file = e->id;
	s->version = e->version;
	s->size = e->size;
	memcpy(s->name, e->name.ptr, n);
	s->name[n] = '\0';
}

/* Ask for the extent that m->offset lies in. */
static int
open_extent(struct source *s)
{
	int rc = ring_open(s->c->ring, &s->request, &s->opened);

	if (rc == SP_OK || rc == SP_EDAMAGED)
		remember(s);
	if (rc == SP_OK) {
		rc = s->opened.fd < 0 ? open_small(s) : open_blob(s);
		mem_wipe(s->opened.key, sizeof(s->opened.key));
	}
	if (rc == SP_EDAMAGED || rc == SP_EBADTAG)
		return damaged(s, s->request.offset);
	return rc;
}

static void
close_extent(struct source *s)
{
	blob_reader_free(s->reader);
	s->reader = NULL;
	if (s->small != NULL)
		mem_wipe(s->small, INLINE_MAX);
	mem_freep(&s->small);
	opened_done(&s->opened);
}

int
source_open(struct conn *c, const struct ipc_open *m, struct source *ret)
{
	*ret = (struct source){.c = c, .request = *m, .opened = {.fd = -1}};
	return open_extent(ret);
}

void
source_done(struct source *s)
{
	close_extent(s);
}

int
source_piece(struct source *s, uint64_t offset, struct span *ret)
{
	const struct opened *o = &s->opened;
	uint64_t left;
	int rc;

	if (s->small != NULL) {
		*ret = span_of(s->small + offset, (size_t)(s->size - offset));
		return SP_OK;
	}
	if (offset < o->start || offset - o->start >= o->length) {
		close_extent(s);
		s->request.version = s->version;
		s->request.offset = offset;
		rc = open_extent(s);
		if (rc < 0)
			return rc;
		if (offset < o->start || offset - o->start >= o->length)
			return damaged(s, offset);
	}
	rc = blob_reader_at(s->reader, o->blob_offset + (offset - o->start), ret);
	if (rc == SP_EDAMAGED || rc == SP_EBADTAG || (rc == SP_OK && ret->len == 0))
		return damaged(s, offset);
	left = o->start + o->length - offset;
	if (rc == SP_OK && ret->len > left)
		*ret = span_cut(*ret, (size_t)left);
	return rc;
}

static int
write_from(struct source *s, uint64_t offset, uint64_t n, struct span p)
{
	while (n != 0) {
		int rc = SP_OK;

		if (p.len == 0)
			rc = source_piece(s, offset, &p);
		if (rc == SP_OK && p.len > n)
			p = span_cut(p, (size_t)n);
		if (rc == SP_OK)
			rc = conn_write(s->c, p);
		if (rc < 0)
			return rc;
		offset += p.len;
		n -= p.len;
		p.len = 0;
	}
	return SP_OK;
}

int
source_write(struct source *s, uint64_t offset, uint64_t n)
{
	return write_from(s, offset, n, span_of(NULL, 0));
}

int
source_reply(struct source *s, uint64_t offset, uint64_t n)
{
	struct span p = span_of(NULL, 0);
	int rc = n != 0 ? source_piece(s, offset, &p) : SP_OK;

	if (rc < 0)
		return rc;
	if (p.len >= n && n <= INLINE_MAX) { /* head and content in one write */
		text_add(&s->c->reply.body, span_cut(p, (size_t)n));
		return reply_send(s->c);
	}
	rc = reply_send_head(s->c, n);
	return rc < 0 ? rc : write_from(s, offset, n, p);
}
