/* put.c - content from the connection into the store. */
#include "rooms/gate/https/put.h"

#include "sys/fd.h"
#include "sys/log.h"

int
put_init(struct put *p, struct conn *c, bool small)
{
	*p = (struct put){.c = c, .small = small, .placed = {.fd = -1}};
	if (!small)
		return SP_OK;
	p->plain = mem_alloc(INLINE_MAX);
	return p->plain != NULL ? SP_OK : SP_ENOMEM;
}

int
put_place(struct put *p, struct ipc_put *m)
{
	int rc;

	m->small = p->small;
	rc = ring_put(p->c->ring, m, &p->placed);
	if (rc < 0)
		return rc;
	p->is_placed = true;
	if (p->small)
		return SP_OK;
	return blob_writer_new(p->placed.fd, p->placed.key, p->placed.blob, p->placed.segment,
	    p->placed.limit, true, &p->writer);
}

uint8_t *
put_room(struct put *p, size_t *ret_room)
{
	if (!p->small)
		return blob_writer_room(p->writer, ret_room);
	*ret_room = INLINE_MAX - p->plain_len;
	return *ret_room != 0 ? p->plain + p->plain_len : NULL;
}

int
put_fill(struct put *p, size_t n)
{
	int rc;

	if (p->small) {
		p->plain_len += n;
		return SP_OK;
	}
	rc = blob_writer_fill(p->writer, n);
	/* the limit is the folder's or the user's when it is less than the server's */
	if (rc == SP_ETOOBIG && p->placed.limit < (uint64_t)p->c->conf->body_max)
		return SP_EQUOTA;
	return rc;
}

int
put_add(struct put *p, struct span s)
{
	while (s.len != 0) {
		size_t n;
		uint8_t *room = put_room(p, &n);
		int rc;

		if (room == NULL || n == 0)
			return SP_ETOOBIG;
		if (n > s.len)
			n = s.len;
		memcpy(room, s.ptr, n);
		s = span_skip(s, n);
		rc = put_fill(p, n);
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

int
put_body(struct put *p)
{
	int rc = body_wanted(p->c);

	while (rc == SP_OK && !p->c->body.ended) {
		size_t n;
		uint8_t *room = put_room(p, &n);
		int64_t got;

		if (room == NULL || n == 0)
			return SP_ETOOBIG;
		got = body_read(p->c, room, n);
		if (got < 0)
			return (int)got;
		rc = got != 0 ? put_fill(p, (size_t)got) : SP_OK;
	}
	return rc;
}

int
put_finish(struct put *p)
{
	int rc;

	if (p->small) {
		struct span s = span_of(p->plain, p->plain_len);

		p->size = p->plain_len;
		p->crc32 = crc32_add(0, s);
		rc = sha256(s, p->sha256);
		return rc == SP_OK && p->is_placed
			   ? seal_proof(p->placed.key, p->placed.blob, p->size, p->proof)
			   : rc;
	}
	rc = blob_writer_finish(p->writer, &p->size, p->sha256, &p->crc32, p->proof);
	if (rc < 0)
		return rc;
	blob_writer_free(p->writer);
	p->writer = NULL;
	close_fd(&p->placed.fd); /* the broker seals only what nobody can write any more */
	return SP_OK;
}

static int
commit_small(struct put *p, struct ipc_commit *m, struct ipc_entry *ret)
{
	DEFER(mem_freep) uint8_t *ct = mem_alloc(INLINE_CT_MAX);
	size_t len = 0;
	int rc;

	if (ct == NULL)
		return SP_ENOMEM;
	rc = blob_inline_seal(p->placed.key, p->placed.blob, span_of(p->plain, p->plain_len), ct,
	    INLINE_CT_MAX, &len);
	if (rc < 0)
		return rc;
	m->content = span_of(ct, len);
	return ring_commit(p->c->ring, m, ret);
}

int
put_commit(struct put *p, bool checked, struct span comment, struct ipc_entry *ret)
{
	struct ipc_commit m = {.upload = p->placed.upload,
	    .size = p->size,
	    .crc32 = p->crc32,
	    .checked = checked,
	    .has_sha256 = 1,
	    .comment = comment,
	    .agent = span_str(p->c->agent),
	    .content = span_of(NULL, 0)};
	int rc;

	memcpy(m.sha256.b, p->sha256, sizeof(m.sha256.b));
	memcpy(m.proof.b, p->proof, sizeof(m.proof.b));
	rc = p->small ? commit_small(p, &m, ret) : ring_commit(p->c->ring, &m, ret);
	/* refused or done, the upload is no longer open; a failure before it was sent leaves it to
	 * ABORT */
	p->is_committed = rc != SP_ENOMEM && rc != SP_ECRYPTO && rc != SP_ERANGE;
	return rc;
}

int
put_taken(struct conn *c, int rc)
{
	struct fault *f = &c->ring->fault;
	struct text t = text_of(f->detail, sizeof(f->detail));

	if (rc != SP_EPRECOND)
		return rc;
	text_str(&t, "a file has this name already; PUT by path stores a new version of it");
	return SP_EEXISTS;
}

void
put_done(struct put *p)
{
	blob_writer_free(p->writer);
	p->writer = NULL;
	placed_done(&p->placed);
	if (p->plain != NULL)
		mem_wipe(p->plain, INLINE_MAX);
	mem_freep(&p->plain);
	if (p->is_placed && !p->is_committed && !p->c->ring->dead) {
		struct ipc_abort m = {.upload = p->placed.upload};
		struct ipc_done done;
		struct fault why = p->c->ring->fault; /* of the error that led here */

		if (ring_abort(p->c->ring, &m, &done) < 0)
			log_debug("the upload was gone already");
		p->c->ring->fault = why;
	}
	p->is_placed = false;
}
