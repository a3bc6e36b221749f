/* writer.c - writing blobs: in order, two segment buffers, nothing durable ever written over.
 *
 * A segment that is full stays as it is until the next one is full too (or the end is told): only
 * then is it known not to be the final one, and by then the helper thread has hashed its plaintext,
 * so that it is encrypted where it lies.
 */
#include "store/hasher.h"
#include "store/tail.h"
#include "base/wire.h"
#include "sys/advise.h"
#include "sys/fd.h"

#define SEGMENT_LEAST 64u
#define SEGMENT_MOST (1u << 20)
#define BEFORE_BYTES 16u
#define WRITE_BEHIND (8u << 20) /* bytes */

struct blob_writer {
	struct tail_blob b; /* descriptor, segment length, key, FLOE header */
	uint8_t blob[BLOB_ID_BYTES];
	struct floe *floe;
	struct hasher *hasher; /* NULL: not hashed */
	uint64_t limit;
	uint64_t size;	/* plaintext bytes taken */
	uint64_t acked; /* of them durable */
	uint64_t next;	/* number of the next segment to write */
	uint64_t begun; /* file bytes that the disk was told to begin with */
	uint8_t
	    *buf[2]; /* one segment each; plaintext at BEFORE_BYTES; the second made when needed */
	unsigned current;      /* the buffer that is being filled */
	size_t filled;	       /* plaintext bytes in it */
	bool pending;	       /* the other buffer holds segment `next`, full, not yet written */
	int err;	       /* sticky */
	bool staged;	       /* tail slots may lie behind the segments */
	struct tail_slot slot; /* the one that counts; TAIL_NO_PLACE: none */
};

static size_t
full_of(const struct blob_writer *w)
{
	return w->b.segment - FLOE_OVERHEAD;
}

static void
free_writer(struct blob_writer **w)
{
	blob_writer_free(*w);
}

/* An object without its FLOE keys. */
static int
writer_alloc(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t limit, struct blob_writer **ret)
{
	DEFER(free_writer) struct blob_writer *w = NULL;

	if (segment < SEGMENT_LEAST || segment > SEGMENT_MOST || limit > INT64_MAX)
		return SP_ERANGE;
	w = mem_alloc(sizeof(*w));
	if (w == NULL)
		return SP_ENOMEM;
	w->b.fd = fd;
	w->b.segment = segment;
	w->limit = limit;
	w->slot.place = TAIL_NO_PLACE;
	memcpy(w->b.key, key, KEY_BYTES);
	memcpy(w->blob, blob, BLOB_ID_BYTES);
	w->buf[0] = mem_alloc(segment);
	if (w->buf[0] == NULL)
		return SP_ENOMEM;
	*ret = TAKE_PTR(w);
	return SP_OK;
}

/* The other buffer: made at its first use. */
static int
need_other(struct blob_writer *w)
{
	uint8_t **other = &w->buf[1 - w->current];

	if (*other == NULL)
		*other = mem_alloc(w->b.segment);
	return *other != NULL ? SP_OK : SP_ENOMEM;
}

int
blob_writer_new(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t limit, bool hashed, struct blob_writer **ret)
{
	DEFER(free_writer) struct blob_writer *w = NULL;
	int r = writer_alloc(fd, key, blob, segment, limit, &w);

	if (r == SP_OK)
		r = floe_encrypt_new(
		    key, span_of(blob, BLOB_ID_BYTES), segment, w->b.header, &w->floe);
	if (r != SP_OK)
		return r;
	if (hashed) {
		w->hasher = hasher_new();
		if (w->hasher == NULL)
			return SP_ENOMEM;
	}
	r = file_pwrite(fd, w->b.header, FLOE_HEADER_BYTES, 0);
	if (r == SP_OK)
		*ret = TAKE_PTR(w);
	return r;
}

uint8_t *
blob_writer_room(struct blob_writer *w, size_t *ret_room)
{
	*ret_room = full_of(w) - w->filled;
	return w->buf[w->current] + BEFORE_BYTES + w->filled;
}

/* Every few MiB have the disk begin, so that the sync at the end has little left to wait for. */
static void
behind(struct blob_writer *w)
{
	uint64_t end = segment_offset(w->b.segment, w->next);

	if (end - w->begun < WRITE_BEHIND)
		return;
	file_write_behind(w->b.fd, (int64_t)w->begun, (int64_t)(end - w->begun));
	w->begun = end;
}

/* Encrypt a buffer where it lies and write it as segment `next`. */
static int
write_segment(struct blob_writer *w, uint8_t *buf, size_t len, bool is_final)
{
	int r = SP_OK;

	if (w->next == w->slot.place) {
		/* The slot that counts lies here.  Once everything before is durable it does not
		 * count. */
		r = file_sync(w->b.fd);
		w->slot.place = TAIL_NO_PLACE;
	}
	if (r == SP_OK)
		r = floe_seal(w->floe, w->next, is_final, span_of(buf + BEFORE_BYTES, len), buf);
	if (r == SP_OK)
		r = file_pwrite(w->b.fd, buf, len + FLOE_OVERHEAD,
		    (int64_t)segment_offset(w->b.segment, w->next));
	if (r != SP_OK)
		return r;
	w->next++;
	behind(w);
	return SP_OK;
}

static int
write_pending(struct blob_writer *w, bool is_final)
{
	int r = w->hasher != NULL ? hasher_wait(w->hasher) : SP_OK;

	if (r == SP_OK)
		r = write_segment(w, w->buf[1 - w->current], full_of(w), is_final);
	w->pending = false;
	return r;
}

/* The current buffer is full: it becomes the pending one. */
static int
turn(struct blob_writer *w)
{
	int r = w->pending ? write_pending(w, false) : need_other(w);

	if (r != SP_OK)
		return r;
	if (w->hasher != NULL)
		hasher_post(w->hasher, span_of(w->buf[w->current] + BEFORE_BYTES, full_of(w)));
	w->pending = true;
	w->current = 1 - w->current;
	w->filled = 0;
	return SP_OK;
}

int
blob_writer_fill(struct blob_writer *w, size_t n)
{
	PRECOND(n <= full_of(w) - w->filled);
	if (w->err != SP_OK)
		return w->err;
	if (n > w->limit - w->size)
		return w->err = SP_ETOOBIG;
	w->size += n;
	w->filled += n;
	if (w->filled == full_of(w))
		w->err = turn(w);
	if (w->err != SP_OK)
		w->filled = 0; /* lost; and there is room, as promised */
	return w->err;
}

/* Write what is left, the last of it as the final segment. */
static int
write_rest(struct blob_writer *w)
{
	uint8_t *buf = w->buf[w->current];
	int r = SP_OK;

	if (w->pending && w->filled == 0)
		return write_pending(w, true);
	if (w->pending)
		r = write_pending(w, false);
	if (r == SP_OK && w->hasher != NULL)
		r = hasher_add(w->hasher, span_of(buf + BEFORE_BYTES, w->filled));
	return r == SP_OK ? write_segment(w, buf, w->filled, true) : r;
}

/* Everything on disk, and nothing behind it.  Slots go only when what they hold is durable in its
 * place. */
static int
settle(struct blob_writer *w)
{
	uint64_t want = floe_ciphertext_len(w->size, w->b.segment);
	int64_t size = 0;
	int r = file_sync(w->b.fd);

	if (r != SP_OK || !w->staged)
		return r;
	r = file_size(w->b.fd, &size);
	if (r != SP_OK || (uint64_t)size == want)
		return r;
	r = file_truncate(w->b.fd, (int64_t)want);
	return r == SP_OK ? file_sync(w->b.fd) : r;
}

int
blob_writer_finish(struct blob_writer *w, uint64_t *ret_size, uint8_t ret_sha256[32],
    uint32_t *ret_crc, uint8_t ret_proof[32])
{
	uint8_t sha[SHA256_BYTES] = {0}, proof[32];
	uint32_t crc = 0;

	if (w->err == SP_OK)
		w->err = write_rest(w);
	if (w->err == SP_OK && w->hasher != NULL)
		w->err = hasher_get(w->hasher, sha, &crc);
	if (w->err == SP_OK)
		w->err = settle(w);
	if (w->err == SP_OK)
		w->err = seal_proof(w->b.key, w->blob, w->size, proof);
	if (w->err != SP_OK)
		return w->err;
	*ret_size = w->size;
	memcpy(ret_sha256, sha, sizeof(sha));
	*ret_crc = crc;
	memcpy(ret_proof, proof, sizeof(proof));
	w->err = SP_ERANGE; /* good for nothing but blob_writer_free */
	return SP_OK;
}

/* Save the tail: the bytes of segment `next` so far, in the slot that does not count. */
static int
save_tail(struct blob_writer *w, struct span tail, uint8_t *scratch)
{
	struct tail_slot slot = {.number = w->next, .generation = w->slot.generation + 1};
	int r;

	slot.place = slot.number + 1 == w->slot.place ? slot.number + 2 : slot.number + 1;
	slot.length = (uint32_t)tail.len;
	w->staged = true;
	r = tail_save(&w->b, &slot, tail, scratch);
	if (r == SP_OK)
		r = file_sync(w->b.fd);
	if (r == SP_OK)
		w->slot = slot;
	return r;
}

static int
ack(struct blob_writer *w)
{
	uint8_t *current = w->buf[w->current], *other;
	int r = need_other(w);

	other = w->buf[1 - w->current];
	if (r == SP_OK && w->pending && w->filled > 0)
		r = write_pending(w, false);
	if (r != SP_OK)
		return r;
	if (w->pending) /* full, but it may be the last: a tail as any other */
		return save_tail(w, span_of(other + BEFORE_BYTES, full_of(w)), current);
	if (w->filled == 0)
		return file_sync(w->b.fd);
	return save_tail(w, span_of(current + BEFORE_BYTES, w->filled), other);
}

int
blob_writer_ack(struct blob_writer *w, uint64_t *ret_acked)
{
	if (w->err == SP_OK && (w->acked != w->size || w->size == 0))
		w->err = ack(w);
	if (w->err != SP_OK)
		return w->err;
	w->acked = w->size;
	*ret_acked = w->size;
	return SP_OK;
}

void
blob_writer_free(struct blob_writer *w)
{
	if (w == NULL)
		return;
	hasher_free(w->hasher); /* first: it may be reading a buffer */
	floe_free(w->floe);
	for (size_t i = 0; i < 2; i++) {
		if (w->buf[i] != NULL)
			mem_wipe(w->buf[i], w->b.segment);
		mem_free(w->buf[i]);
	}
	mem_wipe(w, sizeof(*w));
	mem_free(w);
}

/* ---- resume ---- */

/* Look at both slots of segment `number`: the newest that is for it and of that length goes to
 * w->slot; and the highest generation that any valid slot has is kept, so that the next one is
 * newer. */
static int
find_slot(struct blob_writer *w, uint64_t number, size_t length, uint8_t *scratch)
{
	struct tail_slot best = {.place = TAIL_NO_PLACE}, s;
	uint32_t newest = 0;

	for (uint64_t place = number + 1; place <= number + 2; place++) {
		int r = tail_load(&w->b, place, scratch, &s);

		if (r == SP_ENOTFOUND)
			continue;
		if (r != SP_OK)
			return r;
		if (s.generation > newest)
			newest = s.generation;
		if (s.number == number && s.length == length &&
		    (best.place == TAIL_NO_PLACE || s.generation > best.generation))
			best = s;
	}
	w->slot = best;
	w->slot.generation = newest;
	return SP_OK;
}

/* Read segment `number` in its own place, as an inner or as the final one, into scratch: how many
 * plaintext bytes it has, or an error.  A final one is as long as it says: a slot may lie behind
 * it. */
static int64_t
read_segment(struct blob_writer *w, uint64_t number, bool is_final, uint8_t *scratch)
{
	int64_t n = file_pread(
	    w->b.fd, scratch, w->b.segment, (int64_t)segment_offset(w->b.segment, number));
	struct rd rd = rd_of(span_of(scratch, n > 0 ? (size_t)n : 0));
	uint64_t says = rd_uint(&rd, 4);
	int r;

	if (n < (int64_t)FLOE_OVERHEAD)
		return n < 0 ? n : SP_EDAMAGED;
	if (is_final && says >= FLOE_OVERHEAD && says < (uint64_t)n)
		n = (int64_t)says;
	r = floe_open(
	    w->floe, number, is_final, span_of(scratch, (size_t)n), scratch + BEFORE_BYTES);
	if (r == SP_EBADTAG || r == SP_ERANGE)
		return SP_EDAMAGED;
	return r == SP_OK ? n - (int64_t)FLOE_OVERHEAD : r;
}

/* The tail's plaintext, `length` bytes of segment `number`, into the first buffer: from its slot;
 * or, where later segments were written over the slots, from the segment itself, which was durable
 * before that. */
static int
load_tail(struct blob_writer *w, uint64_t number, size_t length, uint8_t *scratch)
{
	struct tail_slot s;
	int64_t n;
	int r = find_slot(w, number, length, scratch);

	if (r != SP_OK)
		return r;
	if (w->slot.place != TAIL_NO_PLACE) {
		r = tail_load(&w->b, w->slot.place, scratch, &s);
		if (r != SP_OK)
			return r == SP_ENOTFOUND ? SP_EDAMAGED : r;
		memcpy(w->buf[0] + BEFORE_BYTES, scratch + BEFORE_BYTES, length);
		return SP_OK;
	}
	n = read_segment(w, number, false, scratch);
	if (n == SP_EDAMAGED)
		n = read_segment(w, number, true, scratch);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n < length)
		return SP_EDAMAGED;
	memcpy(w->buf[0] + BEFORE_BYTES, scratch + BEFORE_BYTES, length);
	w->next = number;
	return save_tail(w, span_of(w->buf[0] + BEFORE_BYTES, length), scratch);
}

/* What an earlier attempt wrote beyond the acknowledged bytes must never be taken for part of this
 * one: cut off all behind the slots, and spoil the segment in front of them. */
static int
drop_unacked(struct blob_writer *w, uint64_t number)
{
	static const uint8_t zeros[4];
	uint64_t end = segment_offset(w->b.segment, number + 3);
	int64_t size = 0;
	int r = file_size(w->b.fd, &size);

	if (r == SP_OK && (uint64_t)size > end)
		r = file_truncate(w->b.fd, (int64_t)end);
	if (r != SP_OK)
		return r;
	return file_pwrite(
	    w->b.fd, zeros, sizeof(zeros), (int64_t)segment_offset(w->b.segment, number));
}

static int
resume(struct blob_writer *w, uint64_t acked)
{
	uint64_t full = full_of(w), number = (acked - 1) / full;
	size_t length = (size_t)(acked - number * full);
	uint8_t *scratch;
	int64_t n = file_pread(w->b.fd, w->b.header, FLOE_HEADER_BYTES, 0);
	int r = need_other(w);

	if (n < 0)
		return (int)n;
	if (n != FLOE_HEADER_BYTES)
		return SP_EDAMAGED;
	if (r == SP_OK)
		r = floe_decrypt_new(
		    w->b.key, span_of(w->blob, BLOB_ID_BYTES), w->b.segment, w->b.header, &w->floe);
	if (r != SP_OK)
		return r == SP_EBADTAG || r == SP_ERANGE ? SP_EDAMAGED : r;
	scratch = w->buf[1];
	if (number > 0) {
		n = read_segment(w, number - 1, false, scratch);
		if (n < 0)
			return (int)n;
	}
	r = load_tail(w, number, length, scratch);
	if (r == SP_OK)
		r = drop_unacked(w, number);
	if (r != SP_OK)
		return r;
	w->staged = true;
	w->next = number;
	w->begun = segment_offset(w->b.segment, number);
	w->size = w->acked = acked;
	w->pending = length == full;
	w->current = w->pending ? 1 : 0;
	w->filled = w->pending ? 0 : length;
	return SP_OK;
}

int
blob_writer_resume(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t limit, uint64_t acked, struct blob_writer **ret, bool *ret_hashed)
{
	DEFER(free_writer) struct blob_writer *w = NULL;
	int r;

	if (acked > limit)
		return SP_ETOOBIG;
	if (acked == 0) { /* nothing was promised: begin anew */
		r = file_truncate(fd, 0);
		if (r == SP_OK)
			r = blob_writer_new(fd, key, blob, segment, limit, true, ret);
	} else {
		r = writer_alloc(fd, key, blob, segment, limit, &w);
		if (r == SP_OK)
			r = resume(w, acked);
		if (r == SP_OK)
			*ret = TAKE_PTR(w);
	}
	if (r == SP_OK)
		*ret_hashed = acked == 0;
	return r;
}
