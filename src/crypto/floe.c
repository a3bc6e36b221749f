/* floe.c - C2SP FLOE with AES-256-GCM and HKDF-Expand-SHA-384. */
#include "crypto/floe.h"
#include "base/text.h"
#include "base/wire.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define PARAM_BYTES 10u
#define FLOE_IV_BYTES 32u
#define TAG_BYTES 16u
#define IV_BYTES 12u
#define BEFORE_BYTES 16u /* length and IV, before the ciphertext of a segment */
#define MESSAGE_KEY_BYTES 48u
#define AAD_MAX 256u
#define SEGMENT_MIN (FLOE_OVERHEAD + 1)
#define SEGMENT_MAX (16u << 20)
#define SEGMENTS_MAX (1ull << 40)
#define NOT_FINAL 0xFFFFFFFFu
#define NO_KEY UINT64_MAX

struct floe {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx; /* keeps the key schedule between segments */
	uint64_t keyed;	     /* the masked segment number whose key ctx holds; NO_KEY */
	uint32_t segment;    /* encrypted segment length */
	unsigned rotation_bits;
	size_t aad_len;
	uint8_t aad[AAD_MAX];
	uint8_t params_iv[PARAM_BYTES + FLOE_IV_BYTES]; /* how every KDF input begins */
	uint8_t message_key[MESSAGE_KEY_BYTES];
};

static int
failed(void)
{
	ERR_clear_error();
	return SP_ECRYPTO;
}

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
	f->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	f->ctx = EVP_CIPHER_CTX_new();
	if (f->cipher == NULL || f->ctx == NULL) {
		floe_free(f);
		return failed();
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

/* Make sure that ctx holds the key of the segment at position. */
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
	if (r == SP_OK && EVP_CipherInit_ex2(f->ctx, f->cipher, dek, NULL, 1, NULL) != 1)
		r = failed();
	mem_wipe(dek, sizeof(dek));
	if (r == SP_OK)
		f->keyed = masked;
	return r;
}

/* Begin one segment: its key, its IV, the direction, its associated data. */
static int
floe_start(struct floe *f, uint64_t position, bool is_final, const uint8_t *iv, bool encrypt)
{
	uint8_t aad[9];
	struct wr w = wr_of(aad, sizeof(aad));
	int n = 0, r = floe_rekey(f, position);

	if (r != SP_OK)
		return r;
	wr_uint(&w, position, 8);
	wr_uint(&w, is_final ? 1 : 0, 1);
	if (EVP_CipherInit_ex2(f->ctx, NULL, NULL, iv, encrypt ? 1 : 0, NULL) != 1 ||
	    EVP_CipherUpdate(f->ctx, NULL, &n, aad, (int)w.len) != 1) {
		f->keyed = NO_KEY;
		return failed();
	}
	return SP_OK;
}

int
floe_seal(struct floe *f, uint64_t position, bool is_final, struct span pt, uint8_t *out)
{
	uint32_t full = f->segment - FLOE_OVERHEAD;
	uint8_t none[TAG_BYTES];
	struct wr w = wr_of(out, BEFORE_BYTES);
	int n = 0, r;

	if (position >= SEGMENTS_MAX || pt.len > full || (!is_final && pt.len != full))
		return SP_ERANGE;
	r = crypto_random(out + 4, IV_BYTES);
	if (r == SP_OK)
		r = floe_start(f, position, is_final, out + 4, true);
	if (r != SP_OK)
		return r;
	wr_uint(&w, is_final ? pt.len + FLOE_OVERHEAD : NOT_FINAL, 4);
	if ((pt.len > 0 &&
		EVP_EncryptUpdate(f->ctx, out + BEFORE_BYTES, &n, pt.ptr, (int)pt.len) != 1) ||
	    (size_t)n != pt.len || EVP_EncryptFinal_ex(f->ctx, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(
		f->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + BEFORE_BYTES + pt.len) != 1) {
		f->keyed = NO_KEY;
		return failed();
	}
	return SP_OK;
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
	uint8_t tag[TAG_BYTES], none[TAG_BYTES];
	size_t len;
	int n = 0, r;

	if (position >= SEGMENTS_MAX || !length_ok(f, is_final, ct)) {
		if (ct.len > FLOE_OVERHEAD)
			mem_wipe(out, ct.len - FLOE_OVERHEAD);
		return SP_ERANGE;
	}
	len = ct.len - FLOE_OVERHEAD;
	memcpy(tag, ct.ptr + BEFORE_BYTES + len, TAG_BYTES);
	r = floe_start(f, position, is_final, ct.ptr + 4, false);
	if (r == SP_OK &&
	    (EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1 ||
		(len > 0 &&
		    EVP_DecryptUpdate(f->ctx, out, &n, ct.ptr + BEFORE_BYTES, (int)len) != 1) ||
		(size_t)n != len)) {
		f->keyed = NO_KEY;
		r = failed();
	}
	if (r == SP_OK && EVP_DecryptFinal_ex(f->ctx, none, &n) != 1) {
		ERR_clear_error();
		r = SP_EBADTAG;
	}
	if (r != SP_OK)
		mem_wipe(out, len);
	return r;
}

void
floe_free(struct floe *f)
{
	if (f == NULL)
		return;
	EVP_CIPHER_CTX_free(f->ctx); /* cleanses the key schedule */
	EVP_CIPHER_free(f->cipher);
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
