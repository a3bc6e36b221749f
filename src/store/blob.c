/* blob.c - reading blobs, and the small ones that live in memory. */
#include "store/blob.h"
#include "sys/advise.h"
#include "sys/fd.h"

#define SEGMENT_LEAST 64u
#define SEGMENT_MOST (1u << 20)
#define BEFORE_BYTES                                                                               \
	16u /* in front of a segment's plaintext: decryption in place leaves it there */
#define NO_SEGMENT UINT64_MAX

struct blob_reader {
	int fd;
	uint32_t segment;
	uint64_t length; /* plaintext bytes */
	struct floe *floe;
	uint8_t *buf;	 /* one segment */
	uint64_t number; /* of the segment in buf; NO_SEGMENT */
	size_t held;	 /* plaintext bytes in buf */
};

/* What reading calls damage: bytes that do not authenticate, or not of the length that they must
 * have. */
static int
damage(int r)
{
	return r == SP_EBADTAG || r == SP_ERANGE ? SP_EDAMAGED : r;
}

/* Read exactly n bytes; fewer there is damage. */
static int
read_exactly(int fd, void *buf, size_t n, uint64_t offset)
{
	int64_t got = file_pread(fd, buf, n, (int64_t)offset);

	if (got < 0)
		return (int)got;
	return (uint64_t)got == n ? SP_OK : SP_EDAMAGED;
}

/* Bring a segment into the buffer; on failure the buffer holds none. */
static int
load(struct blob_reader *r, uint64_t number)
{
	uint64_t full = r->segment - FLOE_OVERHEAD, start = number * full;
	uint64_t left = r->length - start, held = left < full ? left : full;
	bool is_final = left <= full;
	int err;

	if (r->number == number)
		return SP_OK;
	r->number = NO_SEGMENT;
	err = read_exactly(
	    r->fd, r->buf, held + FLOE_OVERHEAD, FLOE_HEADER_BYTES + number * r->segment);
	if (err != SP_OK)
		return err;
	err = floe_open(r->floe, number, is_final, span_of(r->buf, held + FLOE_OVERHEAD),
	    r->buf + BEFORE_BYTES);
	if (err != SP_OK)
		return damage(err);
	r->number = number;
	r->held = held;
	return SP_OK;
}

static void
free_reader(struct blob_reader **r)
{
	blob_reader_free(*r);
}

int
blob_reader_new(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t length, struct blob_reader **ret)
{
	DEFER(free_reader) struct blob_reader *r = NULL;
	uint8_t header[FLOE_HEADER_BYTES];
	int64_t size = 0;
	int err;

	if (segment < SEGMENT_LEAST || segment > SEGMENT_MOST || length > INT64_MAX)
		return SP_ERANGE;
	r = mem_alloc(sizeof(*r));
	if (r == NULL)
		return SP_ENOMEM;
	*r = (struct blob_reader){
	    .fd = fd, .segment = segment, .length = length, .number = NO_SEGMENT};
	err = file_size(fd, &size);
	if (err != SP_OK)
		return err;
	if ((uint64_t)size != floe_ciphertext_len(length, segment))
		return SP_EDAMAGED;
	err = read_exactly(fd, header, sizeof(header), 0);
	if (err == SP_OK)
		err =
		    floe_decrypt_new(key, span_of(blob, BLOB_ID_BYTES), segment, header, &r->floe);
	if (err != SP_OK)
		return damage(err);
	r->buf = mem_alloc(segment);
	if (r->buf == NULL)
		return SP_ENOMEM;
	if (length ==
	    0) { /* nobody will ask for a byte of it: authenticate the empty segment now */
		err = load(r, 0);
		if (err != SP_OK)
			return err;
	}
	file_will_read(fd);
	*ret = TAKE_PTR(r);
	return SP_OK;
}

int
blob_reader_at(struct blob_reader *r, uint64_t offset, struct span *ret)
{
	uint64_t full = r->segment - FLOE_OVERHEAD;
	int err;

	if (offset >= r->length)
		return SP_ERANGE;
	err = load(r, offset / full);
	if (err != SP_OK)
		return err;
	*ret = span_skip(span_of(r->buf + BEFORE_BYTES, r->held), offset % full);
	return SP_OK;
}

void
blob_reader_free(struct blob_reader *r)
{
	if (r == NULL)
		return;
	floe_free(r->floe);
	if (r->buf != NULL)
		mem_wipe(r->buf, r->segment);
	mem_free(r->buf);
	mem_free(r);
}

static void
free_floe(struct floe **f)
{
	floe_free(*f);
}

int
blob_inline_seal(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES], struct span pt,
    uint8_t *out, size_t cap, size_t *ret_len)
{
	DEFER(free_floe) struct floe *f = NULL;
	size_t len = FLOE_HEADER_BYTES + FLOE_OVERHEAD + pt.len;
	int r;

	if (pt.len > INLINE_MAX)
		return SP_ETOOBIG;
	if (cap < len)
		return SP_ESPACE;
	r = floe_encrypt_new(key, span_of(blob, BLOB_ID_BYTES), INLINE_SEGMENT, out, &f);
	if (r == SP_OK)
		r = floe_seal(f, 0, true, pt, out + FLOE_HEADER_BYTES);
	if (r == SP_OK)
		*ret_len = len;
	return r;
}

int
blob_inline_open(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES], struct span ct,
    uint8_t *out, size_t cap, size_t *ret_len)
{
	DEFER(free_floe) struct floe *f = NULL;
	size_t len;
	int r;

	if (ct.len < FLOE_HEADER_BYTES + FLOE_OVERHEAD || ct.len > INLINE_CT_MAX)
		return SP_EDAMAGED;
	len = ct.len - FLOE_HEADER_BYTES - FLOE_OVERHEAD;
	if (cap < len)
		return SP_ESPACE;
	r = floe_decrypt_new(key, span_of(blob, BLOB_ID_BYTES), INLINE_SEGMENT, ct.ptr, &f);
	if (r == SP_OK)
		r = floe_open(f, 0, true, span_skip(ct, FLOE_HEADER_BYTES), out);
	if (r == SP_OK)
		*ret_len = len;
	return damage(r);
}
