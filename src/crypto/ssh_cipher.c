/* ssh_cipher.c - see ssh_cipher.h.
 *
 * OpenSSL objects are made and keyed once per direction.  A packet sets an IV and goes through the
 * update function part by part, so the payload is read where it lies and written where it is sent
 * from.  Every result of EVP is compared with 1: a tag check that asked for "not negative" took
 * forged packets for good for years (CVE-2026-59847).
 */
#include "crypto/ssh_cipher.h"
#include "base/wire.h"
#include "crypto/gcm.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define LENGTH_BYTES 4u
#define GCM_TAG GCM_TAG_BYTES
#define GCM_IV GCM_IV_BYTES
#define POLY_TAG 16u
#define POLY_KEY 32u
#define CHACHA_KEY 32u
#define CHACHA_IV 16u	 /* OpenSSL's form: 64 bits of block counter, 64 bits of nonce */
#define CHACHA_BLOCK 64u /* bytes of key stream a block */

enum mode {
	MODE_NONE,
	MODE_GCM,
	MODE_CHACHA,
	MODE_CTR,	 /* encrypt-then-MAC */
	MODE_CTR_LEGACY, /* encrypt-and-MAC */
};

/* What OpenSSL calls a cipher. */
static const struct kind {
	enum ssh_cipher_id id;
	enum mode mode;
	const char *name;
} kinds[] = {
    {SSH_CIPHER_AES256_GCM, MODE_GCM, "AES-256-GCM"},
    {SSH_CIPHER_AES128_GCM, MODE_GCM, "AES-128-GCM"},
    {SSH_CIPHER_CHACHA20_POLY1305, MODE_CHACHA, "ChaCha20"},
    {SSH_CIPHER_AES256_CTR, MODE_CTR, "AES-256-CTR"},
    {SSH_CIPHER_AES128_CTR, MODE_CTR, "AES-128-CTR"},
};

struct ssh_cipher {
	const struct ssh_cipher_row *row; /* NULL: SSH_CIPHER_NONE */
	const struct ssh_mac_row *mac;	  /* NULL: none */
	enum mode mode;
	bool is_seal, is_dead;
	struct gcm *gcm;
	EVP_CIPHER_CTX *ctx;	    /* chacha20: K_2, of the payload and the Poly1305 key */
	EVP_CIPHER_CTX *length_ctx; /* chacha20: K_1, of the length field */
	EVP_MAC_CTX *mac_ctx;	    /* HMAC with its key, or Poly1305 */
	uint8_t iv[GCM_IV];	    /* AES-GCM: of the next packet */
	/* a legacy MAC, receiving: the length field of the packet that is arriving, once decrypted;
	 * the key stream is 4 bytes into the packet then */
	uint8_t length[LENGTH_BYTES];
	bool has_length;
};

/* The parts of a packet that is sent. */
struct parts {
	struct span head, body, tail;
};

static const struct ssh_cipher_row *
cipher_row(enum ssh_cipher_id id)
{
	size_t n;
	const struct ssh_cipher_row *rows = ssh_cipher_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static const struct ssh_mac_row *
mac_row(enum ssh_mac_id id)
{
	size_t n;
	const struct ssh_mac_row *rows = ssh_mac_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static const struct kind *
kind_of(enum ssh_cipher_id id)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].id == id)
			return &kinds[i];
	return NULL;
}

/* ---- making and freeing ---- */

/* A keyed context; iv may be NULL: then each packet sets it.  NULL on failure. */
static EVP_CIPHER_CTX *
cipher_ctx(const char *name, struct span key, const uint8_t *iv, bool seal)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool good = cipher != NULL && ctx != NULL &&
		    (size_t)EVP_CIPHER_get_key_length(cipher) == key.len &&
		    EVP_CipherInit_ex2(ctx, cipher, key.ptr, iv, seal ? 1 : 0, NULL) == 1;

	EVP_CIPHER_free(cipher); /* the context keeps its own reference */
	if (good)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

/* HMAC with its key, or Poly1305, which gets one per packet.  NULL on failure. */
static EVP_MAC_CTX *
mac_ctx(const char *name, const char *digest, struct span key)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	char digest_name[16] = {0};
	OSSL_PARAM params[2];
	bool good = ctx != NULL;

	EVP_MAC_free(mac);
	if (good && digest != NULL) {
		VERIFY(strlen(digest) < sizeof(digest_name));
		memcpy(digest_name, digest, strlen(digest));
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0);
		params[1] = OSSL_PARAM_construct_end();
		good = EVP_MAC_init(ctx, key.ptr, key.len, params) == 1;
	}
	if (good)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static bool
lengths_fit(const struct ssh_cipher_row *row, const struct ssh_mac_row *mac, struct span key,
    struct span iv, struct span mac_key)
{
	if (key.len != (row != NULL ? row->key_len : 0u) ||
	    iv.len != (row != NULL ? row->iv_len : 0u) ||
	    mac_key.len != (mac != NULL ? mac->key_len : 0u))
		return false;
	return (row != NULL && !row->has_tag) == (mac != NULL);
}

/* The contexts of a new object; what was made before a failure is freed with it. */
static bool
set_up(struct ssh_cipher *c, const struct kind *k, struct span key, struct span iv,
    struct span mac_key)
{
	switch (c->mode) {
	case MODE_NONE:
		return true;
	case MODE_GCM:
		memcpy(c->iv, iv.ptr, GCM_IV);
		return gcm_new(/* plain= */ false, &c->gcm) == SP_OK &&
		       gcm_key(c->gcm, key) == SP_OK;
	case MODE_CHACHA:
		/* PROTOCOL.chacha20poly1305: the first half is K_2, the second K_1 */
		c->ctx = cipher_ctx(k->name, span_cut(key, CHACHA_KEY), NULL, true);
		c->length_ctx = cipher_ctx(k->name, span_skip(key, CHACHA_KEY), NULL, true);
		c->mac_ctx = mac_ctx("POLY1305", NULL, span_of(NULL, 0));
		return c->ctx != NULL && c->length_ctx != NULL && c->mac_ctx != NULL;
	case MODE_CTR:
	case MODE_CTR_LEGACY:
		c->ctx = cipher_ctx(k->name, key, iv.ptr, c->is_seal);
		c->mac_ctx =
		    mac_ctx("HMAC", c->mac->tag_len == 32 ? "SHA2-256" : "SHA2-512", mac_key);
		return c->ctx != NULL && c->mac_ctx != NULL;
	}
	return false;
}

int
ssh_cipher_new(enum ssh_cipher_id cipher, enum ssh_mac_id mac, bool seal, struct span key,
    struct span iv, struct span mac_key, struct ssh_cipher **ret)
{
	const struct ssh_cipher_row *row = cipher_row(cipher);
	const struct ssh_mac_row *m = mac_row(mac);
	const struct kind *k = kind_of(cipher);
	struct ssh_cipher *c;

	if ((row == NULL && cipher != SSH_CIPHER_NONE) || (m == NULL && mac != SSH_MAC_NONE) ||
	    !lengths_fit(row, m, key, iv, mac_key))
		return SP_ERANGE;
	c = mem_alloc(sizeof(*c));
	if (c == NULL)
		return SP_ENOMEM;
	c->row = row;
	c->mac = m;
	c->mode = k == NULL ? MODE_NONE : m != NULL && m->legacy ? MODE_CTR_LEGACY : k->mode;
	c->is_seal = seal;
	if (!set_up(c, k, key, iv, mac_key)) {
		ERR_clear_error();
		ssh_cipher_free(c);
		return SP_ECRYPTO;
	}
	*ret = c;
	return SP_OK;
}

void
ssh_cipher_free(struct ssh_cipher *c)
{
	if (c == NULL)
		return;
	gcm_free(c->gcm);
	EVP_CIPHER_CTX_free(c->ctx); /* cleanses the key schedule */
	EVP_CIPHER_CTX_free(c->length_ctx);
	EVP_MAC_CTX_free(c->mac_ctx);
	mem_wipe(c, sizeof(*c));
	mem_free(c);
}

size_t
ssh_cipher_block(const struct ssh_cipher *c)
{
	return c->row != NULL ? c->row->block : 8;
}

bool
ssh_cipher_length_apart(const struct ssh_cipher *c)
{
	return c->mode != MODE_NONE && c->mode != MODE_CTR_LEGACY;
}

size_t
ssh_cipher_tag(const struct ssh_cipher *c)
{
	switch (c->mode) {
	case MODE_GCM:
		return GCM_TAG;
	case MODE_CHACHA:
		return POLY_TAG;
	case MODE_CTR:
	case MODE_CTR_LEGACY:
		return c->mac->tag_len;
	case MODE_NONE:
		break;
	}
	return 0;
}

/* ---- what the modes are made of ---- */

/* Encrypt or decrypt a span.  All modes are streams: as much comes out as went in. */
static bool
update(EVP_CIPHER_CTX *ctx, struct span in, uint8_t *out)
{
	int n = 0;

	if (in.len == 0)
		return true;
	return EVP_CipherUpdate(ctx, out, &n, in.ptr, (int)in.len) == 1 && (size_t)n == in.len;
}

/* Head without its length field, body and tail, one after the other. */
static bool
update_parts(EVP_CIPHER_CTX *ctx, const struct parts *p, uint8_t *out)
{
	struct span head = span_skip(p->head, LENGTH_BYTES);

	return update(ctx, head, out) && update(ctx, p->body, out + head.len) &&
	       update(ctx, p->tail, out + head.len + p->body.len);
}

static uint32_t
length_field(const uint8_t head[LENGTH_BYTES])
{
	struct rd r = rd_of(span_of(head, LENGTH_BYTES));

	return (uint32_t)rd_uint(&r, LENGTH_BYTES);
}

/* The IV of the next packet.  RFC 5647 section 7.1: 4 fixed bytes and a counter of 8, which goes up
 * by one with each packet. */
static void
gcm_next(struct ssh_cipher *c)
{
	for (size_t i = GCM_IV; i > 4; i--)
		if (++c->iv[i - 1] != 0)
			break;
}

/* Point a ChaCha20 context at block 0 of the packet's key stream. */
static bool
chacha_begin(EVP_CIPHER_CTX *ctx, uint32_t seq)
{
	uint8_t iv[CHACHA_IV] = {0};
	struct wr w = wr_of(iv + 8, 8);

	wr_uint(&w, seq, 8);
	return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) == 1;
}

/* Key Poly1305 with the first half of block 0; the payload's context is at block 1 after it. */
static bool
poly_begin(struct ssh_cipher *c, uint32_t seq)
{
	static const uint8_t zero[CHACHA_BLOCK];
	uint8_t block[CHACHA_BLOCK];
	bool good = chacha_begin(c->ctx, seq) &&
		    update(c->ctx, span_of(zero, sizeof(zero)), block) &&
		    EVP_MAC_init(c->mac_ctx, block, POLY_KEY, NULL) == 1;

	mem_wipe(block, sizeof(block));
	return good;
}

/* Encrypt or decrypt the length field, which has a key of its own. */
static bool
chacha_length(
    struct ssh_cipher *c, uint32_t seq, const uint8_t in[LENGTH_BYTES], uint8_t out[LENGTH_BYTES])
{
	return chacha_begin(c->length_ctx, seq) &&
	       update(c->length_ctx, span_of(in, LENGTH_BYTES), out);
}

/* HMAC with its key: the sequence number goes first. */
static bool
hmac_begin(struct ssh_cipher *c, uint32_t seq)
{
	uint8_t number[4];
	struct wr w = wr_of(number, sizeof(number));

	wr_uint(&w, seq, 4);
	return EVP_MAC_init(c->mac_ctx, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(c->mac_ctx, number, sizeof(number)) == 1;
}

static bool
mac_end(struct ssh_cipher *c, uint8_t out[SSH_TAG_MAX])
{
	size_t n = 0;

	return EVP_MAC_final(c->mac_ctx, out, &n, SSH_TAG_MAX) == 1 && n == ssh_cipher_tag(c);
}

/* The MAC over data; begun already with Poly1305. */
static bool
mac_make(struct ssh_cipher *c, uint32_t seq, struct span data, uint8_t out[SSH_TAG_MAX])
{
	return (c->mode == MODE_CHACHA || hmac_begin(c, seq)) &&
	       EVP_MAC_update(c->mac_ctx, data.ptr, data.len) == 1 && mac_end(c, out);
}

/* The MAC over a packet in parts. */
static bool
mac_parts(struct ssh_cipher *c, uint32_t seq, const struct parts *p, uint8_t out[SSH_TAG_MAX])
{
	return hmac_begin(c, seq) && EVP_MAC_update(c->mac_ctx, p->head.ptr, p->head.len) == 1 &&
	       EVP_MAC_update(c->mac_ctx, p->body.ptr, p->body.len) == 1 &&
	       EVP_MAC_update(c->mac_ctx, p->tail.ptr, p->tail.len) == 1 && mac_end(c, out);
}

/* ---- receiving ---- */

/* Decrypt the length field with the key stream of its packet, once. */
static bool
legacy_length(struct ssh_cipher *c, const uint8_t head[LENGTH_BYTES])
{
	if (!c->has_length)
		c->has_length = update(c->ctx, span_of(head, LENGTH_BYTES), c->length);
	return c->has_length;
}

static bool
clear_length(
    struct ssh_cipher *c, uint32_t seq, const uint8_t head[LENGTH_BYTES], uint8_t out[LENGTH_BYTES])
{
	if (c->mode == MODE_CHACHA)
		return chacha_length(c, seq, head, out);
	if (c->mode == MODE_CTR_LEGACY && !legacy_length(c, head))
		return false;
	memcpy(out, c->mode == MODE_CTR_LEGACY ? c->length : head, LENGTH_BYTES);
	return true;
}

int
ssh_cipher_length(struct ssh_cipher *c, uint32_t seq, const uint8_t head[4], uint32_t *ret)
{
	uint8_t clear[LENGTH_BYTES];

	PRECOND(!c->is_seal);
	if (c->is_dead)
		return SP_ECRYPTO;
	if (!clear_length(c, seq, head, clear)) {
		ERR_clear_error();
		c->is_dead = true;
		return SP_ECRYPTO;
	}
	*ret = length_field(clear);
	return SP_OK;
}

static int
open_gcm(struct ssh_cipher *c, uint8_t *packet, uint32_t length)
{
	uint8_t tag[GCM_TAG], *payload = packet + LENGTH_BYTES;
	int r;

	if (length_field(packet) != length)
		return SP_EBADTAG;
	memcpy(tag, payload + length, GCM_TAG);
	r = gcm_open(
	    c->gcm, c->iv, span_of(packet, LENGTH_BYTES), span_of(payload, length), tag, payload);
	gcm_next(c);
	return r;
}

/* With a MAC apart: nothing is decrypted before it is known to be good. */
static int
open_mac(struct ssh_cipher *c, uint32_t seq, uint8_t *packet, uint32_t length)
{
	uint8_t tag[SSH_TAG_MAX], clear[LENGTH_BYTES], *payload = packet + LENGTH_BYTES;
	size_t n = ssh_cipher_tag(c), all = LENGTH_BYTES + (size_t)length;
	bool good;

	memcpy(clear, packet, sizeof(clear));
	if (c->mode == MODE_CHACHA &&
	    (!chacha_length(c, seq, packet, clear) || !poly_begin(c, seq)))
		return SP_ECRYPTO;
	if (!mac_make(c, seq, span_of(packet, all), tag))
		return SP_ECRYPTO;
	good = secret_eq(span_of(tag, n), span_of(packet + all, n));
	mem_wipe(tag, sizeof(tag)); /* of a forged packet it would be the MAC that makes it good */
	if (!good || length_field(clear) != length)
		return SP_EBADTAG;
	memcpy(packet, clear, sizeof(clear));
	return update(c->ctx, span_of(payload, length), payload) ? SP_OK : SP_ECRYPTO;
}

/* Encrypt-and-MAC: it is decrypted first, and the caller sees it only when the MAC over the
 * plaintext fits. */
static int
open_legacy(struct ssh_cipher *c, uint32_t seq, uint8_t *packet, uint32_t length)
{
	uint8_t tag[SSH_TAG_MAX], *payload = packet + LENGTH_BYTES;
	size_t n = ssh_cipher_tag(c), all = LENGTH_BYTES + (size_t)length;
	bool good;

	if (!legacy_length(c, packet))
		return SP_ECRYPTO;
	memcpy(packet, c->length, LENGTH_BYTES);
	c->has_length = false;
	if (!update(c->ctx, span_of(payload, length), payload) ||
	    !mac_make(c, seq, span_of(packet, all), tag))
		return SP_ECRYPTO;
	good = secret_eq(span_of(tag, n), span_of(packet + all, n));
	mem_wipe(tag, sizeof(tag));
	return good && length_field(packet) == length ? SP_OK : SP_EBADTAG;
}

int
ssh_cipher_open(struct ssh_cipher *c, uint32_t seq, uint8_t *packet, uint32_t length)
{
	int r = SP_ECRYPTO;

	PRECOND(!c->is_seal && length <= SSH_CIPHER_LENGTH_MAX);
	if (!c->is_dead) {
		switch (c->mode) {
		case MODE_NONE:
			r = length_field(packet) == length ? SP_OK : SP_EBADTAG;
			break;
		case MODE_GCM:
			r = open_gcm(c, packet, length);
			break;
		case MODE_CHACHA:
		case MODE_CTR:
			r = open_mac(c, seq, packet, length);
			break;
		case MODE_CTR_LEGACY:
			r = open_legacy(c, seq, packet, length);
			break;
		}
	}
	if (r != SP_OK) {
		ERR_clear_error();
		mem_wipe(packet, LENGTH_BYTES + (size_t)length);
		c->is_dead = true;
	}
	return r;
}

/* ---- sending ---- */

static bool
seal_gcm(struct ssh_cipher *c, const struct parts *p, size_t all, uint8_t *out)
{
	const struct span parts[] = {span_skip(p->head, LENGTH_BYTES), p->body, p->tail};
	int r;

	memmove(out, p->head.ptr, LENGTH_BYTES);
	r = gcm_seal(c->gcm, c->iv, span_of(out, LENGTH_BYTES), parts, ARRAY_LEN(parts),
	    out + LENGTH_BYTES, out + all);
	gcm_next(c);
	return r == SP_OK;
}

static bool
seal_mac(struct ssh_cipher *c, uint32_t seq, const struct parts *p, size_t all, uint8_t *out)
{
	uint8_t tag[SSH_TAG_MAX];

	if (c->mode == MODE_CTR)
		memmove(out, p->head.ptr, LENGTH_BYTES);
	else if (!poly_begin(c, seq) || !chacha_length(c, seq, p->head.ptr, out))
		return false;
	if (!update_parts(c->ctx, p, out + LENGTH_BYTES) ||
	    !mac_make(c, seq, span_of(out, all), tag))
		return false;
	memcpy(out + all, tag, ssh_cipher_tag(c));
	return true;
}

/* The MAC is of the plaintext, which may be overwritten by what is sent. */
static bool
seal_legacy(struct ssh_cipher *c, uint32_t seq, const struct parts *p, size_t all, uint8_t *out)
{
	uint8_t tag[SSH_TAG_MAX];

	if (!mac_parts(c, seq, p, tag) || !update(c->ctx, span_cut(p->head, LENGTH_BYTES), out) ||
	    !update_parts(c->ctx, p, out + LENGTH_BYTES))
		return false;
	memcpy(out + all, tag, ssh_cipher_tag(c));
	return true;
}

static bool
seal_none(const struct parts *p, uint8_t *out)
{
	memmove(out, p->head.ptr, p->head.len);
	if (p->body.len != 0)
		memmove(out + p->head.len, p->body.ptr, p->body.len);
	if (p->tail.len != 0)
		memmove(out + p->head.len + p->body.len, p->tail.ptr, p->tail.len);
	return true;
}

int
ssh_cipher_seal(struct ssh_cipher *c, uint32_t seq, struct span head, struct span body,
    struct span tail, uint8_t *out)
{
	const size_t max = LENGTH_BYTES + (size_t)SSH_CIPHER_LENGTH_MAX;
	struct parts p = {head, body, tail};
	bool good = false;

	PRECOND(c->is_seal && head.len >= LENGTH_BYTES && head.len <= max);
	PRECOND(body.len <= max - head.len && tail.len <= max - head.len - body.len);
	if (c->is_dead)
		return SP_ECRYPTO;
	switch (c->mode) {
	case MODE_NONE:
		good = seal_none(&p, out);
		break;
	case MODE_GCM:
		good = seal_gcm(c, &p, head.len + body.len + tail.len, out);
		break;
	case MODE_CHACHA:
	case MODE_CTR:
		good = seal_mac(c, seq, &p, head.len + body.len + tail.len, out);
		break;
	case MODE_CTR_LEGACY:
		good = seal_legacy(c, seq, &p, head.len + body.len + tail.len, out);
		break;
	}
	if (good)
		return SP_OK;
	/* What was written may be part of a packet whose IV would be used again. */
	ERR_clear_error();
	mem_wipe(out, head.len + body.len + tail.len);
	c->is_dead = true;
	return SP_ECRYPTO;
}
