/* wrap.c - keys under keys. */
#include "crypto/wrap.h"
#include "base/wire.h"

#define VERSION 1u
#define SALT_BYTES 32u
#define BEFORE_BYTES 48u /* all that stands before the ciphertext */
#define TAG_BYTES 16u
#define WRAP_LABEL "sallyport wrap v1"
#define SEAL_LABEL "sallyport seal v1"

static bool
state_ok(uint64_t state)
{
	return state == WRAP_STAGED || state == WRAP_SEALED || state == WRAP_ORG;
}

/* HKDF-Expand-SHA-384(kek, label || salt): 32 bytes of key, 12 of IV. */
static int
wrap_derive(const uint8_t kek[KEY_BYTES], struct span salt, uint8_t ret[KEY_BYTES + 12])
{
	uint8_t info[sizeof(WRAP_LABEL) - 1 + SALT_BYTES];
	struct wr w = wr_of(info, sizeof(info));

	wr_bytes(&w, SPAN_LIT(WRAP_LABEL));
	wr_bytes(&w, salt);
	VERIFY(!w.bad && w.len == sizeof(info));
	return hkdf_expand_sha384(span_of(kek, KEY_BYTES), wr_span(&w), ret, KEY_BYTES + 12);
}

/* Associated data: what stands before the ciphertext, the organisation, the blob. */
static struct span
wrap_aad(uint8_t buf[BEFORE_BYTES + 8 + 16], const uint8_t before[BEFORE_BYTES], uint64_t org,
    const uint8_t blob[16])
{
	struct wr w = wr_of(buf, BEFORE_BYTES + 8 + 16);

	wr_bytes(&w, span_of(before, BEFORE_BYTES));
	wr_uint(&w, org, 8);
	wr_bytes(&w, span_of(blob, 16));
	VERIFY(!w.bad);
	return wr_span(&w);
}

int
key_wrap(const uint8_t kek[KEY_BYTES], uint64_t org, const uint8_t blob[16],
    const struct wrap_info *info, const uint8_t key[KEY_BYTES], uint8_t out[WRAP_BYTES])
{
	uint8_t salt[SALT_BYTES], derived[KEY_BYTES + 12], aad[BEFORE_BYTES + 8 + 16];
	struct wr w = wr_of(out, WRAP_BYTES);
	int r;

	if (!state_ok((uint64_t)info->state))
		return SP_ERANGE;
	r = crypto_random(salt, sizeof(salt));
	if (r == SP_OK)
		r = wrap_derive(kek, span_of(salt, sizeof(salt)), derived);
	if (r != SP_OK)
		return r;
	wr_uint(&w, VERSION, 1);
	wr_uint(&w, (uint64_t)info->state, 1);
	wr_uint(&w, 0, 2);
	wr_uint(&w, info->epoch, 4);
	wr_bytes(&w, span_of(salt, sizeof(salt)));
	wr_uint(&w, info->length, 8);
	VERIFY(!w.bad && w.len == BEFORE_BYTES);
	r = aead_seal(derived, derived + KEY_BYTES, wrap_aad(aad, out, org, blob),
	    span_of(key, KEY_BYTES), out + BEFORE_BYTES, out + BEFORE_BYTES + KEY_BYTES);
	mem_wipe(derived, sizeof(derived));
	return r;
}

/* All of a wrap's fields; spans point into it. */
struct wrap_parts {
	struct wrap_info info;
	struct span salt, ciphertext, tag;
};

static int
wrap_parse(struct span wrap, struct wrap_parts *ret)
{
	struct rd rd = rd_of(wrap);
	uint64_t version = rd_uint(&rd, 1), state = rd_uint(&rd, 1), reserved = rd_uint(&rd, 2);
	struct wrap_parts p;

	p.info.epoch = (uint32_t)rd_uint(&rd, 4);
	p.salt = rd_take(&rd, SALT_BYTES);
	p.info.length = rd_uint(&rd, 8);
	p.ciphertext = rd_take(&rd, KEY_BYTES);
	p.tag = rd_take(&rd, TAG_BYTES);
	if (!rd_done(&rd) || version != VERSION || reserved != 0 || !state_ok(state))
		return SP_ERANGE;
	p.info.state = (enum wrap_state)state;
	*ret = p;
	return SP_OK;
}

int
wrap_peek(struct span wrap, struct wrap_info *ret)
{
	struct wrap_parts p;
	int r = wrap_parse(wrap, &p);

	if (r == SP_OK)
		*ret = p.info;
	return r;
}

int
key_unwrap(const uint8_t kek[KEY_BYTES], uint64_t org, const uint8_t blob[16], struct span wrap,
    struct wrap_info *ret_info, uint8_t ret_key[KEY_BYTES])
{
	uint8_t derived[KEY_BYTES + 12], aad[BEFORE_BYTES + 8 + 16], key[KEY_BYTES];
	struct wrap_parts p;
	int r = wrap_parse(wrap, &p);

	if (r == SP_OK)
		r = wrap_derive(kek, p.salt, derived);
	if (r != SP_OK)
		return r;
	r = aead_open(derived, derived + KEY_BYTES, wrap_aad(aad, wrap.ptr, org, blob),
	    p.ciphertext, p.tag.ptr, key);
	mem_wipe(derived, sizeof(derived));
	if (r == SP_OK) {
		memcpy(ret_key, key, KEY_BYTES);
		*ret_info = p.info;
	}
	mem_wipe(key, sizeof(key));
	return r;
}

int
seal_proof(const uint8_t key[KEY_BYTES], const uint8_t blob[16], uint64_t length, uint8_t out[32])
{
	uint8_t seal_key[KEY_BYTES], data[16 + 8];
	struct wr w = wr_of(data, sizeof(data));
	int r = hkdf_expand_sha384(
	    span_of(key, KEY_BYTES), SPAN_LIT(SEAL_LABEL), seal_key, sizeof(seal_key));

	if (r != SP_OK)
		return r;
	wr_bytes(&w, span_of(blob, 16));
	wr_uint(&w, length, 8);
	VERIFY(!w.bad);
	r = hmac_sha256(span_of(seal_key, sizeof(seal_key)), wr_span(&w), out);
	mem_wipe(seal_key, sizeof(seal_key));
	return r;
}
