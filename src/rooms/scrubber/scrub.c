/* scrub.c - one pass over a blob. */
#include "rooms/scrubber/scrub.h"

#define STOP_EVERY 64u /* segments between two looks at stop */

/* Hash and offsets as the pass goes on. */
struct pass {
	struct sha256 *sha;
	uint32_t crc;
	struct scrub_result *result;
};

static int
take(struct pass *p, struct span s)
{
	int r = sha256_add(p->sha, s);

	p->crc = crc32_add(p->crc, s);
	p->result->offset += s.len;
	return r;
}

static int
read_all(struct blob_reader *r, struct pass *p, scrub_stop_fn stop, void *arg)
{
	int err = SP_OK;

	for (uint64_t n = 0; err == SP_OK && p->result->offset < p->result->length; n++) {
		struct span s;

		if (n % STOP_EVERY == 0 && stop != NULL && stop(arg))
			return SP_ECLOSED;
		err = blob_reader_at(r, p->result->offset, &s);
		if (err == SP_OK)
			err = take(p, s);
	}
	return err;
}

/* The end of a pass: the hash counts only when all was good. */
static void
finish(struct pass *p, int err)
{
	if (err == SP_OK)
		err = sha256_get(p->sha, p->result->sha256);
	if (err == SP_OK)
		p->result->crc32 = p->crc;
	p->result->err = err;
	sha256_free(p->sha);
}

struct scrub_result
scrub_file(int fd, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint32_t segment, uint64_t length, scrub_stop_fn stop, void *arg)
{
	struct scrub_result result = {.length = length};
	struct pass p = {.sha = sha256_new(), .result = &result};
	struct blob_reader *r = NULL;
	int err = p.sha != NULL ? SP_OK : SP_ENOMEM;

	if (err == SP_OK)
		err = blob_reader_new(fd, key, blob, segment, length, &r);
	if (err == SP_OK)
		err = read_all(r, &p, stop, arg);
	blob_reader_free(r);
	finish(&p, err);
	return result;
}

struct scrub_result
scrub_inline(struct span ct, const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    uint64_t length)
{
	struct scrub_result result = {.length = length};
	struct pass p = {.sha = sha256_new(), .result = &result};
	uint8_t *pt = mem_alloc(INLINE_MAX);
	size_t len = 0;
	int err = p.sha != NULL && pt != NULL ? SP_OK : SP_ENOMEM;

	if (err == SP_OK)
		err = blob_inline_open(key, blob, ct, pt, INLINE_MAX, &len);
	if (err == SP_OK && len != length)
		err = SP_EDAMAGED;
	if (err == SP_OK)
		err = take(&p, span_of(pt, len));
	if (pt != NULL)
		mem_wipe(pt, INLINE_MAX);
	mem_free(pt);
	finish(&p, err);
	return result;
}
