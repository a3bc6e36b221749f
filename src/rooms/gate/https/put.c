/* put.c - content from the connection into the store. */
#include "rooms/gate/https/put.h"

#include "sys/fd.h"
#include "sys/log.h"

int
put_init(struct put *p, struct conn *c, bool small)
{
	*p = (struct put){.c = c, .small = small, .is_hashed = true, .placed = {.fd = -1}};
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
	p->is_kept = m->tag != 0;
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
	p->at += rc == SP_OK ? n : 0;
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
put_resume(struct put *p, struct conn *c, const struct ipc_resume *m)
{
	int rc;

	*p = (struct put){.c = c, .is_kept = true, .placed = {.fd = -1}};
	rc = ring_resume(c->ring, m, &p->placed, &p->at);
	if (rc < 0)
		return rc;
	p->is_placed = true;
	p->told = p->at;
	rc = blob_writer_resume(p->placed.fd, p->placed.key, p->placed.blob, p->placed.segment,
	    p->placed.limit, p->at, &p->writer, &p->is_hashed);
	if (rc == SP_EDAMAGED)
		put_drop(p); /* nobody will ever go on with it */
	return rc;
}

int
put_ack(struct put *p)
{
	struct ipc_progress m = {.upload = p->placed.upload};
	struct ipc_done done;
	int rc;

	if (p->at == p->told)
		return SP_OK;
	rc = blob_writer_ack(p->writer, &m.acked);
	if (rc == SP_OK)
		rc = ring_progress(p->c->ring, &m, &done);
	if (rc == SP_OK)
		p->told = m.acked;
	return rc;
}

/* Hash and CRC of content that several connections wrote. */
static int
hash_again(struct put *p)
{
	struct blob_reader *r = NULL;
	struct sha256 *h = sha256_new();
	int rc = h != NULL ? sha256_reset(h) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = blob_reader_new(
		    p->placed.fd, p->placed.key, p->placed.blob, p->placed.segment, p->size, &r);
	p->crc32 = 0;
	for (uint64_t at = 0; rc == SP_OK && at < p->size;) {
		struct span piece;

		rc = blob_reader_at(r, at, &piece);
		if (rc == SP_OK)
			rc = sha256_add(h, piece);
		if (rc == SP_OK) {
			p->crc32 = crc32_add(p->crc32, piece);
			at += piece.len;
		}
	}
	if (rc == SP_OK)
		rc = sha256_get(h, p->sha256);
	blob_reader_free(r);
	sha256_free(h);
	p->is_hashed = rc == SP_OK;
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
	if (rc == SP_OK && !p->is_hashed && p->needs_hash)
		rc = hash_again(p);
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
	    .has_sha256 = p->is_hashed,
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

/* What this connection has of it: the broker ends a worker that keeps the descriptor of what it
 * gave up. */
static void
let_go(struct put *p)
{
	blob_writer_free(p->writer);
	p->writer = NULL;
	placed_done(&p->placed);
}

void
put_drop(struct put *p)
{
	struct ipc_abort m = {.upload = p->placed.upload};
	struct fault why = p->c->ring->fault; /* of the error that led here */
	struct ipc_done done;

	let_go(p);
	if (p->is_placed && !p->is_committed && !p->c->ring->dead &&
	    ring_abort(p->c->ring, &m, &done) < 0)
		log_debug("the upload was gone already");
	p->is_placed = false;
	p->c->ring->fault = why;
}

void
put_done(struct put *p)
{
	if (p->plain != NULL)
		mem_wipe(p->plain, INLINE_MAX);
	mem_freep(&p->plain);
	if (!p->is_kept) {
		put_drop(p);
		return;
	}
	let_go(p);
	if (p->is_placed && !p->is_committed)
		p->c->keep = false;
}
