/* floe_fuzz.c - headers and segments from outside; and: whatever is changed in a good ciphertext,
 * what opens is the plaintext that was sealed.
 *
 * Input: what (1) | segment length (1) | plaintext length (2) | then, for what = 0, a header and
 * segments to open, else changes (2 bytes place, 1 byte to add) of a good ciphertext.
 */
#include "base/wire.h"
#include "crypto/floe.h"

#define CT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t key[32] = {1, 2, 3};

/* Open all segments of a ciphertext: the plaintext bytes before the first error go to out. */
static size_t
open_all(struct span ct, uint32_t segment, uint8_t *out, bool *ret_whole)
{
	struct floe *f = NULL;
	size_t n = 0;
	int r = SP_ESHORT;

	*ret_whole = false;
	if (ct.len >= FLOE_HEADER_BYTES)
		r = floe_decrypt_new(key, SPAN_LIT("blob"), segment, ct.ptr, &f);
	ct = span_skip(ct, FLOE_HEADER_BYTES);
	for (uint64_t i = 0; r == SP_OK && ct.len > 0; i++) {
		struct span s = span_cut(ct, segment);

		ct = span_skip(ct, s.len);
		r = floe_open(f, i, ct.len == 0, s, out + n);
		if (r == SP_OK)
			n += s.len - FLOE_OVERHEAD;
		*ret_whole = r == SP_OK && ct.len == 0;
	}
	floe_free(f);
	return n;
}

/* A good ciphertext of n bytes of plaintext; its length. */
static size_t
make(uint32_t segment, const uint8_t *pt, size_t n, uint8_t *ct)
{
	size_t full = segment - FLOE_OVERHEAD, at = FLOE_HEADER_BYTES;
	struct floe *f = NULL;
	uint64_t i = 0;

	VERIFY(floe_encrypt_new(key, SPAN_LIT("blob"), segment, ct, &f) == SP_OK);
	do {
		size_t part = n < full ? n : full;

		VERIFY(floe_seal(f, i++, part == n, span_of(pt, part), ct + at) == SP_OK);
		at += part + FLOE_OVERHEAD;
		pt += part;
		n -= part;
	} while (n > 0);
	floe_free(f);
	return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t pt[CT_MAX], ct[2 * CT_MAX], out[2 * CT_MAX];
	struct rd r = rd_of(span_of(data, len));
	uint64_t what = rd_uint(&r, 1);
	uint32_t segment = FLOE_OVERHEAD + 1 + (uint32_t)rd_uint(&r, 1);
	size_t n = (size_t)rd_uint(&r, 2) % 400, ct_len, got;
	bool whole, changed = false;

	if (r.bad || len > CT_MAX)
		return 0;
	if (what == 0) {
		got = open_all(span_of(r.ptr, r.left), segment, out, &whole);
		VERIFY(got == 0 && !whole); /* nobody made it with the key */
		return 0;
	}
	n = n % (16 * (segment - FLOE_OVERHEAD));
	for (size_t i = 0; i < n; i++)
		pt[i] = (uint8_t)(i * 7 + what);
	ct_len = make(segment, pt, n, ct);
	VERIFY(ct_len == floe_ciphertext_len(n, segment) && ct_len <= sizeof(ct));
	while (r.left >= 3) {
		size_t at = (size_t)rd_uint(&r, 2) % ct_len;
		uint8_t by = (uint8_t)rd_uint(&r, 1);

		ct[at] = (uint8_t)(ct[at] ^ by);
		changed = changed || by != 0;
	}
	got = open_all(span_of(ct, ct_len), segment, out, &whole);
	VERIFY(got <= n && memcmp(out, pt, got) == 0);
	VERIFY(changed || (whole && got == n));
	return 0;
}
