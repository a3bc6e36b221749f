/* sink.c - small in memory, big in a blob; grown from one into the other. */
#include "rooms/gate/sftp/sink.h"

#include "base/conf.h"
#include "sys/fd.h"
#include "sys/log.h"

static int
place_small(struct sink *k)
{
	k->plain = mem_alloc(INLINE_MAX);
	k->is_hashed = true;
	return k->plain != NULL ? SP_OK : SP_ENOMEM;
}

static int
place_big(struct sink *k)
{
	int rc = blob_writer_new(k->placed.fd, k->placed.key, k->placed.blob, k->placed.segment,
	    k->placed.limit,
	    /* hashed= */ true, &k->writer);

	mem_wipe(k->placed.key, sizeof(k->placed.key)); /* the writer has it */
	k->is_hashed = true;
	return rc;
}

static int
place(struct sink *k)
{
	struct ipc_put m = {.by = BY_PATH,
	    .path = k->how.path,
	    .size = k->how.size,
	    .small = k->is_small,
	    .mode = k->how.mode,
	    .match = k->how.match};
	int rc = ring_put(k->session->ring, &m, &k->placed);

	if (rc == SP_EPRECOND && k->how.mode == 1)
		return SP_EEXISTS;
	if (rc < 0)
		return rc;
	k->is_placed = true;
	return k->is_small ? place_small(k) : place_big(k);
}

int
sink_begin(struct sink *k, const struct sftp_session *s, const struct sink_how *how)
{
	*k = (struct sink){.session = s, .how = *how, .placed = {.fd = -1}};
	k->is_small = how->size == UINT64_MAX || how->size <= INLINE_MAX;
	return k->err = place(k);
}

int
sink_resume(struct sink *k, const struct sftp_session *s, const struct sink_how *how)
{
	struct ipc_resume m = {.by = BY_PATH, .path = how->path};
	int rc;

	*k = (struct sink){.session = s, .how = *how, .placed = {.fd = -1}};
	rc = ring_resume(s->ring, &m, &k->placed, &k->position);
	if (rc == SP_OK) {
		k->is_placed = true;
		k->told = k->position;
		rc = blob_writer_resume(k->placed.fd, k->placed.key, k->placed.blob,
		    k->placed.segment, k->placed.limit, k->position, &k->writer, &k->is_hashed);
		mem_wipe(k->placed.key, sizeof(k->placed.key));
	}
	return k->err = rc;
}

/* Give the place up; what the client is told is the error that led here. */
static void
give_up(struct sink *k)
{
	struct ring *r = k->session->ring;
	struct fault why = r->fault;
	struct ipc_abort m = {.upload = k->placed.upload};
	struct ipc_done done;

	if (!k->is_placed)
		return;
	k->is_placed = false;
	if (!r->dead && ring_abort(r, &m, &done) < 0)
		log_debug("the upload was gone already");
	r->fault = why;
}

static int
fill(struct sink *k, struct span s)
{
	while (s.len != 0) {
		size_t n;
		uint8_t *room = blob_writer_room(k->writer, &n);
		int rc;

		if (n > s.len)
			n = s.len;
		memcpy(room, s.ptr, n);
		s = span_skip(s, n);
		rc = blob_writer_fill(k->writer, n);
		/* the limit is the folder's or the user's when it is less than the server's */
		if (rc == SP_ETOOBIG && k->placed.limit < (uint64_t)k->session->conf->body_max)
			return SP_EQUOTA;
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

/* More than fits in a database row: another place, and what is there goes into it. */
static int
grow(struct sink *k)
{
	DEFER(mem_freep) uint8_t *plain = TAKE_PTR(k->plain);
	int rc;

	give_up(k);
	placed_done(&k->placed);
	k->is_small = false;
	rc = place(k);
	if (rc == SP_OK)
		rc = fill(k, span_of(plain, (size_t)k->position));
	mem_wipe(plain, INLINE_MAX);
	return rc;
}

static int
add(struct sink *k, struct span s)
{
	int rc = SP_OK;

	if (k->is_small && s.len <= INLINE_MAX - k->position) {
		/* a small place may have been given a smaller limit */
		if (s.len > k->placed.limit - k->position)
			return SP_EQUOTA;
		memcpy(k->plain + k->position, s.ptr, s.len);
		k->position += s.len;
		return SP_OK;
	}
	if (k->is_small)
		rc = grow(k);
	if (rc == SP_OK)
		rc = fill(k, s);
	if (rc == SP_OK)
		k->position += s.len;
	return rc;
}

int
sink_add(struct sink *k, struct span s)
{
	if (k->err == SP_OK && s.len != 0)
		k->err = add(k, s);
	if (k->err == SP_OK && !k->is_small && k->position - k->told >= SINK_PROGRESS_BYTES)
		return sink_sync(k);
	return k->err;
}

int
sink_sync(struct sink *k)
{
	struct ipc_progress m = {.upload = k->placed.upload};
	struct ipc_done done;

	if (k->err == SP_OK && k->is_small)
		k->err = grow(k);
	if (k->err == SP_OK)
		k->err = blob_writer_ack(k->writer, &m.acked);
	if (k->err == SP_OK) {
		m.upload = k->placed.upload;
		k->err = ring_progress(k->session->ring, &m, &done);
	}
	if (k->err == SP_OK)
		k->told = m.acked;
	return k->err;
}

/* ---- the end ---- */

static int
commit_small(struct sink *k, struct ipc_commit *m, struct ipc_entry *ret)
{
	DEFER(mem_freep) uint8_t *ct = mem_alloc(INLINE_CT_MAX);
	struct span s = span_of(k->plain, (size_t)k->position);
	size_t len = 0;
	int rc;

	if (ct == NULL)
		return SP_ENOMEM;
	m->size = k->position;
	m->crc32 = crc32_add(0, s);
	rc = sha256(s, m->sha256.b);
	if (rc == SP_OK)
		rc = seal_proof(k->placed.key, k->placed.blob, m->size, m->proof.b);
	if (rc == SP_OK)
		rc = blob_inline_seal(k->placed.key, k->placed.blob, s, ct, INLINE_CT_MAX, &len);
	if (rc < 0)
		return rc;
	m->content = span_of(ct, len);
	return ring_commit(k->session->ring, m, ret);
}

static int
commit_big(struct sink *k, struct ipc_commit *m, struct ipc_entry *ret)
{
	int rc = blob_writer_finish(k->writer, &m->size, m->sha256.b, &m->crc32, m->proof.b);

	if (rc < 0)
		return rc;
	blob_writer_free(k->writer);
	k->writer = NULL;
	close_fd(&k->placed.fd); /* the broker seals only what nobody can write any more */
	return ring_commit(k->session->ring, m, ret);
}

int
sink_commit(struct sink *k, uint64_t modified_us, struct ipc_entry *ret)
{
	struct ipc_commit m = {.upload = k->placed.upload,
	    .has_sha256 = k->is_hashed,
	    .modified_us = modified_us,
	    .comment = span_of(NULL, 0),
	    .agent = span_cut(span_str(k->session->agent), 255),
	    .content = span_of(NULL, 0)};
	int rc = k->err;

	if (rc == SP_OK)
		rc = k->is_small ? commit_small(k, &m, ret) : commit_big(k, &m, ret);
	/* refused or done, the upload is no longer open; a failure before it was sent leaves it to
	 * ABORT */
	if (rc == SP_OK || (k->err == SP_OK && rc != SP_ENOMEM && rc != SP_ECRYPTO &&
			       rc != SP_ERANGE && k->writer == NULL))
		k->is_placed = false;
	k->err = sink_passes(rc) ? rc : SP_ERANGE; /* good for sink_end only */
	return rc;
}

bool
sink_passes(int err)
{
	return err == SP_EDISKFULL || err == SP_EQUOTA || err == SP_EUNAVAIL || err == SP_ELOCKED ||
	       err == SP_ENOMEM;
}

/* Can what is there be continued later? */
static bool
kept(struct sink *k)
{
	if (!k->is_placed || k->is_small || k->position == 0 || k->session->ring->dead)
		return false;
	if (k->err != SP_OK) /* no more than the broker knows of */
		return sink_passes(k->err) && k->told != 0;
	return k->told == k->position || sink_sync(k) == SP_OK;
}

void
sink_end(struct sink *k, bool keep)
{
	bool is_kept;

	if (k->session == NULL)
		return;
	is_kept = keep && kept(k);
	blob_writer_free(k->writer);
	k->writer = NULL;
	placed_done(
	    &k->placed); /* before ABORT: a blob that is given up must not be open any more */
	if (!is_kept)
		give_up(k);
	if (k->plain != NULL)
		mem_wipe(k->plain, INLINE_MAX);
	mem_freep(&k->plain);
	k->is_placed = false;
	k->session = NULL;
}
