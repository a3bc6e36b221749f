/* tail.c - tail slots of staged blobs. */
#include "store/tail.h"
#include "base/wire.h"
#include "sys/fd.h"

#define LABEL "sallyport tail v1"
#define SALT_BYTES 8u
#define BEFORE_BYTES 16u
#define TAG_BYTES 16u
#define INFO_BYTES (sizeof(LABEL) - 1 + FLOE_HEADER_BYTES + 8 + BEFORE_BYTES)

uint64_t
segment_offset(uint32_t segment, uint64_t place)
{
	return FLOE_HEADER_BYTES + place * segment;
}

/* The KDF input, which is the associated data as well; and from it key and IV. */
static int
tail_derive(const struct tail_blob *b, uint64_t number, struct span before,
    uint8_t info[INFO_BYTES], uint8_t ret[KEY_BYTES + 12])
{
	struct wr w = wr_of(info, INFO_BYTES);

	wr_bytes(&w, SPAN_LIT(LABEL));
	wr_bytes(&w, span_of(b->header, FLOE_HEADER_BYTES));
	wr_uint(&w, number, 8);
	wr_bytes(&w, before);
	VERIFY(!w.bad && w.len == INFO_BYTES);
	return hkdf_expand_sha384(span_of(b->key, KEY_BYTES), wr_span(&w), ret, KEY_BYTES + 12);
}

int
tail_save(const struct tail_blob *b, const struct tail_slot *slot, struct span pt, uint8_t *scratch)
{
	uint8_t info[INFO_BYTES], derived[KEY_BYTES + 12], salt[SALT_BYTES];
	struct wr w = wr_of(scratch, BEFORE_BYTES);
	uint64_t which = slot->place - slot->number - 1;
	int r;

	PRECOND(which <= 1 && pt.len >= 1 && pt.len <= b->segment - FLOE_OVERHEAD);
	if (slot->generation > INT32_MAX)
		return SP_ERANGE;
	r = crypto_random(salt, sizeof(salt));
	if (r != SP_OK)
		return r;
	wr_uint(&w, (uint64_t)slot->generation << 1 | which, 4);
	wr_uint(&w, pt.len, 4);
	wr_bytes(&w, span_of(salt, sizeof(salt)));
	VERIFY(!w.bad && w.len == BEFORE_BYTES);
	r = tail_derive(b, slot->number, wr_span(&w), info, derived);
	if (r == SP_OK)
		r = aead_seal(derived, derived + KEY_BYTES, span_of(info, sizeof(info)), pt,
		    scratch + BEFORE_BYTES, scratch + BEFORE_BYTES + pt.len);
	mem_wipe(derived, sizeof(derived));
	if (r != SP_OK)
		return r;
	return file_pwrite(b->fd, scratch, BEFORE_BYTES + pt.len + TAG_BYTES,
	    (int64_t)segment_offset(b->segment, slot->place));
}

int
tail_load(const struct tail_blob *b, uint64_t place, uint8_t *scratch, struct tail_slot *ret)
{
	uint8_t info[INFO_BYTES], derived[KEY_BYTES + 12];
	int64_t n =
	    file_pread(b->fd, scratch, b->segment, (int64_t)segment_offset(b->segment, place));
	struct tail_slot s = {.place = place};
	struct span before, ct, tag;
	struct rd rd;
	uint64_t word;
	int r;

	if (n < 0)
		return (int)n;
	rd = rd_of(span_of(scratch, (size_t)n));
	before = span_cut(span_of(scratch, (size_t)n), BEFORE_BYTES);
	word = rd_uint(&rd, 4);
	s.length = (uint32_t)rd_uint(&rd, 4);
	(void)rd_take(&rd, SALT_BYTES);
	ct = rd_take(&rd, s.length);
	tag = rd_take(&rd, TAG_BYTES);
	if (rd.bad || s.length == 0 || place < 1 + (word & 1))
		return SP_ENOTFOUND;
	s.generation = (uint32_t)(word >> 1);
	s.number = place - 1 - (word & 1);
	r = tail_derive(b, s.number, before, info, derived);
	if (r == SP_OK)
		r = aead_open(derived, derived + KEY_BYTES, span_of(info, sizeof(info)), ct,
		    tag.ptr, scratch + BEFORE_BYTES);
	mem_wipe(derived, sizeof(derived));
	if (r == SP_EBADTAG)
		return SP_ENOTFOUND;
	if (r == SP_OK)
		*ret = s;
	return r;
}
