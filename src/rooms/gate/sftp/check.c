/* check.c - check-file: hashes of what is stored, of the whole or of blocks.
 *
 * source draft-ietf-secsh-filexfer-extensions-00 section 3: "block-size: ... MUST be at least 256
 * bytes", 0: the whole range; length 0: to the end of the file.  The reply is "check-file", the
 * algorithm, the hashes one after the other.
 */
#include "crypto/digest.h"
#include "rooms/gate/sftp/server.h"

#define BLOCK_LEAST 256u
#define BLOCKS_MAX 1024u /* in one reply: 64 KiB of SHA-512 */

struct checking {
	struct span algorithm; /* ours: what the client sent is not there for so long */
	uint64_t offset, length;
	uint32_t block;
};

static bool
is_known(struct span name, struct span *ret)
{
	static const char *const names[] = {"sha256", "sha384", "sha512"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_eq_str(name, names[i])) {
			*ret = span_str(names[i]);
			return true;
		}
	return false;
}

/* The first of the client's that we have. */
static int
choose(struct sftp *x, struct span list, struct span *ret)
{
	while (list.len != 0) {
		struct span name = span_cut(list, span_find(list, ','));

		list = span_skip(list, name.len + 1);
		if (is_known(name, ret))
			return SP_OK;
	}
	return answer_why(x, SP_ENOTIMPL, "hashes are made with sha256, sha384 and sha512");
}

/* What is to be hashed, cut to what there is. */
static int
set_range(struct sftp *x, struct checking *c, uint64_t size)
{
	if (c->offset > size)
		return answer_why(x, SP_ERANGE, "this is behind the end of the file");
	if (c->length == 0 || c->length > size - c->offset)
		c->length = size - c->offset;
	if (c->block != 0 && c->block < BLOCK_LEAST)
		return answer_why(x, SP_ERANGE, "a block has at least %u bytes", BLOCK_LEAST);
	if (c->block != 0 && c->length / c->block >= BLOCKS_MAX)
		return answer_why(x, SP_ERANGE, "at most %u blocks at a time", BLOCKS_MAX);
	return SP_OK;
}

static void
free_digest(struct digest **d)
{
	digest_free(*d);
}

/* The hash of n bytes at offset; SFTP_REPLIED when the connection is over. */
static int
put_hash(struct sftp *x, struct wr *w, struct source *s, struct span algorithm, uint64_t offset,
    uint64_t n)
{
	DEFER(free_digest) struct digest *d = NULL;
	uint8_t out[DIGEST_BYTES_MAX];
	size_t len = 0;
	int rc = digest_new(algorithm, &d);

	while (rc == SP_OK && n != 0) {
		struct source_view v;

		x->over = stream_hear(x->stream);
		if (x->over != SP_OK)
			return SFTP_REPLIED;
		rc = source_read(s, offset, n, &v);
		if (rc == SP_OK && v.total == 0)
			rc = SP_ERANGE;
		for (size_t i = 0; rc == SP_OK && i < v.n; i++)
			rc = digest_add(d, v.part[i]);
		if (rc == SP_OK) {
			offset += v.total;
			n -= v.total;
		}
	}
	if (rc == SP_OK)
		rc = digest_get(d, out, &len);
	if (rc == SP_OK)
		wr_bytes(w, span_of(out, len));
	return rc;
}

static size_t
begin(struct sftp *x, struct wr *w, struct span algorithm)
{
	size_t at = sftp_begin(w, SFTP_EXTENDED_REPLY, x->id);

	sftp_put_str(w, SPAN_LIT("check-file"));
	sftp_put_str(w, algorithm);
	return at;
}

static int
answer_known(struct sftp *x, const struct checking *c, const uint8_t sha256[32])
{
	struct wr w = answer_begin(x);
	size_t at = begin(x, &w, c->algorithm);

	wr_bytes(&w, span_of(sha256, 32));
	sftp_end(&w, at);
	return answer_send(x, &w);
}

/* Is it the stored hash that is asked for? */
static bool
is_whole(const struct checking *c, uint64_t size, bool has_sha256)
{
	return has_sha256 && span_eq_str(c->algorithm, "sha256") && c->offset == 0 &&
	       c->length == size && (c->block == 0 || c->block >= size);
}

static int
check(struct sftp *x, struct checking *c, struct source *s)
{
	struct wr w = answer_begin(x);
	uint64_t at = c->offset, end;
	size_t begun;
	int rc = set_range(x, c, s->size);

	if (rc < 0)
		return rc;
	if (is_whole(c, s->size, s->has_sha256))
		return answer_known(x, c, s->sha256);
	begun = begin(x, &w, c->algorithm);
	end = c->offset + c->length;
	do {
		uint64_t n = c->block != 0 && c->block < end - at ? c->block : end - at;

		rc = put_hash(x, &w, s, c->algorithm, at, n);
		at += n;
	} while (rc == SP_OK && at < end);
	if (rc != SP_OK)
		return rc;
	sftp_end(&w, begun);
	return answer_send(x, &w);
}

int
sftp_do_check_file(struct sftp *x, const struct sftp_check_file *m)
{
	struct checking c = {.offset = m->offset, .length = m->length, .block = m->block};
	struct source *s = NULL;
	int rc = choose(x, m->algorithms, &c.algorithm);

	if (rc == SP_OK)
		rc = handle_reading(x, m->handle, &s);
	if (rc < 0)
		return rc;
	return s != NULL ? check(x, &c, s) : answer_why(x, SP_ENOTFOUND, "nothing is stored yet");
}

int
sftp_do_check_file_handle(struct sftp *x, const struct sftp_check_file_handle *m)
{
	struct sftp_check_file same = {
	    m->id, m->handle, m->algorithms, m->offset, m->length, m->block};

	return sftp_do_check_file(x, &same);
}

/* By name: a file whose hash is known is not even opened. */
static int
check_name(struct sftp *x, struct checking *c, const struct path *p)
{
	struct ipc_open m = {.by = BY_FILE};
	struct checking range = *c;
	struct source s;
	struct ipc_entry e;
	int rc = stat_path(x, p, /* counts= */ false, /* partial= */ false, &e);

	if (rc < 0)
		return rc;
	if (e.kind == 0)
		return SP_EISFOLDER;
	rc = set_range(x, &range, e.size);
	if (rc < 0)
		return rc;
	if (is_whole(&range, e.size, e.has_sha256 != 0) && (e.rights & RIGHT_READ))
		return answer_known(x, c, e.sha256.b);
	m.id = e.id;
	m.version = e.version;
	m.offset = range.offset;
	rc = source_open(&s, x->ring, &x->pool, &m);
	if (rc == SP_OK)
		rc = check(x, c, &s);
	source_done(&s);
	return rc;
}

int
sftp_do_check_file_name(struct sftp *x, const struct sftp_check_file_name *m)
{
	struct checking c = {.offset = m->offset, .length = m->length, .block = m->block};
	struct path p;
	int rc = choose(x, m->algorithms, &c.algorithm);

	if (rc == SP_OK)
		rc = path_from(x, m->path, &p);
	return rc == SP_OK ? check_name(x, &c, &p) : rc;
}
