/* floe.c - C2SP FLOE with AES-256-GCM and HKDF-Expand-SHA-384. */
#include "crypto/floe.h"
#include "base/text.h"
#include "base/wire.h"
#include "crypto/gcm.h"

#define PARAM_BYTES 10u
#define FLOE_IV_BYTES 32u
#define SEGMENT_AAD_BYTES 9u /* position and whether it is the last */
#define BEFORE_BYTES 16u     /* length and IV, before the ciphertext of a segment */
#define MESSAGE_KEY_BYTES 48u
#define AAD_MAX 256u
#define SEGMENT_MIN (FLOE_OVERHEAD + 1)
#define SEGMENT_MAX (16u << 20)
#define SEGMENTS_MAX (1ull << 40)
#define NOT_FINAL 0xFFFFFFFFu
#define NO_KEY UINT64_MAX

struct floe {
	struct gcm *gcm;  /* keeps the key schedule between segments */
	uint64_t keyed;	  /* the masked segment number whose key it holds; NO_KEY */
	uint32_t segment; /* encrypted segment length */
	unsigned rotation_bits;
	size_t aad_len;
	uint8_t aad[AAD_MAX];
	uint8_t params_iv[PARAM_BYTES + FLOE_IV_BYTES]; /* how every KDF input begins */
	uint8_t message_key[MESSAGE_KEY_BYTES];
};

/* FLOE_KDF: KDF(key, PARAM_ENCODE(params) || iv || purpose || aad, len). */
static int
floe_kdf(const struct floe *f, struct span key, struct span purpose, uint8_t *out, size_t len)
{
	uint8_t info[PARAM_BYTES + FLOE_IV_BYTES + 16 + AAD_MAX];
	struct wr w = wr_of(info, sizeof(info));

	wr_bytes(&w, span_of(f->params_iv, sizeof(f->params_iv)));
	wr_bytes(&w, purpose);
	wr_bytes(&w, span_of(f->aad, f->aad_len));
	VERIFY(!w.bad);
	return hkdf_expand_sha384(key, wr_span(&w), out, len);
}

/* An object with everything but the message key. */
static int
floe_begin(struct span aad, uint32_t segment, struct span iv, struct floe **ret)
{
	struct floe *f;
	struct wr w;
	int r;

	if (segment < SEGMENT_MIN || segment > SEGMENT_MAX || aad.len > AAD_MAX)
		return SP_ERANGE;
	f = mem_alloc(sizeof(*f));
	if (f == NULL)
		return SP_ENOMEM;
	f->segment = segment;
	f->rotation_bits = FLOE_ROTATION_BITS;
	f->keyed = NO_KEY;
	f->aad_len = aad.len;
	if (aad.len > 0)
		memcpy(f->aad, aad.ptr, aad.len);
	w = wr_of(f->params_iv, sizeof(f->params_iv));
	wr_uint(&w, 0, 1); /* AES-GCM-256 */
	wr_uint(&w, 0, 1); /* HKDF-EXPAND-SHA-384 */
	wr_uint(&w, segment, 4);
	wr_uint(&w, FLOE_IV_BYTES, 4);
	wr_bytes(&w, iv);
	VERIFY(!w.bad && w.len == sizeof(f->params_iv));
	r = gcm_new(/* plain= */ false, &f->gcm);
	if (r != SP_OK) {
		floe_free(f);
		return r;
	}
	*ret = f;
	return SP_OK;
}

static void
free_floe(struct floe **f)
{
	floe_free(*f);
}

/* The header tag and the message key, both from the caller's key. */
static int
floe_keys(struct floe *f, const uint8_t key[KEY_BYTES], uint8_t tag[32])
{
	int r = floe_kdf(f, span_of(key, KEY_BYTES), SPAN_LIT("HEADER_TAG:"), tag, 32);

	if (r != SP_OK)
		return r;
	return floe_kdf(f, span_of(key, KEY_BYTES), SPAN_LIT("MESSAGE_KEY:"), f->message_key,
	    MESSAGE_KEY_BYTES);
}

int
floe_encrypt_new(const uint8_t key[KEY_BYTES], struct span aad, uint32_t segment,
    uint8_t header[FLOE_HEADER_BYTES], struct floe **ret)
{
	DEFER(free_floe) struct floe *f = NULL;
	uint8_t iv[FLOE_IV_BYTES], tag[32];
	struct wr w = wr_of(header, FLOE_HEADER_BYTES);
	int r = crypto_random(iv, sizeof(iv));

	if (r == SP_OK)
		r = floe_begin(aad, segment, span_of(iv, sizeof(iv)), &f);
	if (r == SP_OK)
		r = floe_keys(f, key, tag);
	if (r != SP_OK)
		return r;
	wr_bytes(&w, span_of(f->params_iv, sizeof(f->params_iv)));
	wr_bytes(&w, span_of(tag, sizeof(tag)));
	VERIFY(!w.bad && w.len == FLOE_HEADER_BYTES);
	*ret = TAKE_PTR(f);
	return SP_OK;
}

int
floe_decrypt_new(const uint8_t key[KEY_BYTES], struct span aad, uint32_t segment,
    const uint8_t header[FLOE_HEADER_BYTES], struct floe **ret)
{
	DEFER(free_floe) struct floe *f = NULL;
	struct rd rd = rd_of(span_of(header, FLOE_HEADER_BYTES));
	struct span params = rd_take(&rd, PARAM_BYTES), iv = rd_take(&rd, FLOE_IV_BYTES);
	struct span tag = rd_take(&rd, 32);
	uint8_t expected[32];
	int r = floe_begin(aad, segment, iv, &f);

	VERIFY(rd_done(&rd));
	if (r != SP_OK)
		return r;
	if (!span_eq(params, span_of(f->params_iv, PARAM_BYTES)))
		return SP_ERANGE;
	r = floe_keys(f, key, expected);
	if (r == SP_OK && !secret_eq(tag, span_of(expected, sizeof(expected))))
		r = SP_EBADTAG;
	mem_wipe(
	    expected, sizeof(expected)); /* of a forged header it would be the key to a good one */
	if (r == SP_OK)
		*ret = TAKE_PTR(f);
	return r;
}

/* Make sure that the key is that of the segment at position. */
static int
floe_rekey(struct floe *f, uint64_t position)
{
	uint64_t masked = position >> f->rotation_bits << f->rotation_bits;
	uint8_t purpose[4 + 8], dek[KEY_BYTES];
	struct wr w = wr_of(purpose, sizeof(purpose));
	int r;

	if (f->keyed == masked)
		return SP_OK;
	wr_bytes(&w, SPAN_LIT("DEK:"));
	wr_uint(&w, masked, 8);
	VERIFY(!w.bad);
	f->keyed = NO_KEY;
	r = floe_kdf(f, span_of(f->message_key, MESSAGE_KEY_BYTES), wr_span(&w), dek, sizeof(dek));
	if (r == SP_OK)
		r = gcm_key(f->gcm, span_of(dek, sizeof(dek)));
	mem_wipe(dek, sizeof(dek));
	if (r == SP_OK)
		f->keyed = masked;
	return r;
}

/* The associated data of a segment: its place. */
static struct span
segment_aad(uint64_t position, bool is_final, uint8_t buf[SEGMENT_AAD_BYTES])
{
	struct wr w = wr_of(buf, SEGMENT_AAD_BYTES);

	wr_uint(&w, position, 8);
	wr_uint(&w, is_final ? 1 : 0, 1);
	return wr_span(&w);
}

/* After an error the key schedule is not to be relied on. */
static int
settled(struct floe *f, int r)
{
	if (r == SP_ECRYPTO)
		f->keyed = NO_KEY;
	return r;
}

int
floe_seal(struct floe *f, uint64_t position, bool is_final, struct span pt, uint8_t *out)
{
	uint32_t full = f->segment - FLOE_OVERHEAD;
	uint8_t aad[SEGMENT_AAD_BYTES];
	struct wr w = wr_of(out, BEFORE_BYTES);
	int r;

	if (position >= SEGMENTS_MAX || pt.len > full || (!is_final && pt.len != full))
		return SP_ERANGE;
	r = crypto_random(out + 4, GCM_IV_BYTES);
	if (r == SP_OK)
		r = floe_rekey(f, position);
	if (r != SP_OK)
		return r;
	wr_uint(&w, is_final ? pt.len + FLOE_OVERHEAD : NOT_FINAL, 4);
	return settled(f, gcm_seal(f->gcm, out + 4, segment_aad(position, is_final, aad), &pt, 1,
			      out + BEFORE_BYTES, out + BEFORE_BYTES + pt.len));
}

/* Does a segment have the length, and say the length, that its place demands? */
static bool
length_ok(const struct floe *f, bool is_final, struct span ct)
{
	struct rd rd = rd_of(ct);
	uint64_t says = rd_uint(&rd, 4);

	if (is_final)
		return ct.len >= FLOE_OVERHEAD && ct.len <= f->segment && says == ct.len;
	return ct.len == f->segment && says == NOT_FINAL;
}

int
floe_open(struct floe *f, uint64_t position, bool is_final, struct span ct, uint8_t *out)
{
	uint8_t tag[GCM_TAG_BYTES], aad[SEGMENT_AAD_BYTES];
	size_t len;
	int r;

	if (position >= SEGMENTS_MAX || !length_ok(f, is_final, ct)) {
		if (ct.len > FLOE_OVERHEAD)
			mem_wipe(out, ct.len - FLOE_OVERHEAD);
		return SP_ERANGE;
	}
	len = ct.len - FLOE_OVERHEAD;
	memcpy(tag, ct.ptr + BEFORE_BYTES + len, sizeof(tag));
	r = floe_rekey(f, position);
	if (r == SP_OK)
		return settled(f, gcm_open(f->gcm, ct.ptr + 4, segment_aad(position, is_final, aad),
				      span_of(ct.ptr + BEFORE_BYTES, len), tag, out));
	mem_wipe(out, len);
	return r;
}

void
floe_free(struct floe *f)
{
	if (f == NULL)
		return;
	gcm_free(f->gcm);
	mem_wipe(f, sizeof(*f));
	mem_free(f);
}

void
floe_set_rotation(struct floe *f, unsigned bits)
{
	PRECOND(bits < 40);
	f->rotation_bits = bits;
	f->keyed = NO_KEY;
}

uint64_t
floe_ciphertext_len(uint64_t plaintext, uint32_t segment)
{
	uint32_t full = segment - FLOE_OVERHEAD;
	uint64_t segments = plaintext / full + (plaintext % full != 0 || plaintext == 0);
	uint64_t n;

	PRECOND(segment >= SEGMENT_MIN && segment <= SEGMENT_MAX);
	if (!mul_ok(segments, FLOE_OVERHEAD, &n) || !add_ok(n, FLOE_HEADER_BYTES, &n) ||
	    !add_ok(n, plaintext, &n))
		return UINT64_MAX;
	return n;
}

int
floe_plaintext_len(uint64_t ciphertext, uint32_t segment, uint64_t *ret)
{
	uint64_t body, last;

	PRECOND(segment >= SEGMENT_MIN && segment <= SEGMENT_MAX);
	if (ciphertext < FLOE_HEADER_BYTES + FLOE_OVERHEAD)
		return SP_ERANGE;
	body = ciphertext - FLOE_HEADER_BYTES;
	last = body % segment;
	if (last != 0 && last <= FLOE_OVERHEAD && body != FLOE_OVERHEAD)
		return SP_ERANGE;
	*ret = body - (body / segment + (last != 0)) * FLOE_OVERHEAD;
	return SP_OK;
}
