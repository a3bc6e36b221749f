/* proof.c - see proof.h. */
#include "rooms/broker/proof.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "proto/http/dpop.h"
#include "rooms/broker/store.h"

#define SEEN_PROBES 32u /* places that are looked at for one proof */

struct proofs {
	uint8_t key[32];
	struct seen {
		uint64_t tag; /* of key and jti */
		int64_t until_ms;
	} seen[PROOFS_SEEN];
};

static struct proofs *
proofs(struct broker *b)
{
	if (b->proofs == NULL && (b->proofs = mem_alloc(sizeof(*b->proofs))) != NULL &&
	    crypto_random(b->proofs->key, sizeof(b->proofs->key)) != SP_OK)
		mem_freep(&b->proofs);
	return b->proofs;
}

void
proofs_free(struct broker *b)
{
	if (b->proofs != NULL)
		mem_wipe(b->proofs->key, sizeof(b->proofs->key));
	mem_freep(&b->proofs);
}

/* What is made here and shown again: HMAC over what it is for and some numbers. */
static int
stamp(struct broker *b, const char *what, struct span body, uint8_t ret[32])
{
	uint8_t text[256];
	struct wr w = wr_of(text, sizeof(text));
	struct proofs *p = proofs(b);

	if (p == NULL)
		return SP_ENOMEM;
	wr_bytes(&w, span_str(what));
	wr_uint(&w, 0, 1);
	wr_bytes(&w, body);
	VERIFY(!w.bad);
	return hmac_sha256(span_of(p->key, sizeof(p->key)), wr_span(&w), ret);
}

/* ---- nonces ---- */

static int
nonce_of(struct broker *b, int64_t minute, char ret[NONCE_TEXT])
{
	struct text t = text_of(ret, NONCE_TEXT);
	uint8_t number[8], mac[32];
	struct wr w = wr_of(number, sizeof(number));
	int err;

	wr_uint(&w, (uint64_t)minute, 8);
	if ((err = stamp(b, "nonce", wr_span(&w), mac)) != SP_OK)
		return err;
	base64url_put(&t, span_of(mac, 16));
	VERIFY(!t.bad);
	return SP_OK;
}

static int
nonce_check(struct broker *b, struct span nonce)
{
	int64_t now = b->mono_ms() / NONCE_MS;
	char good[NONCE_TEXT];

	for (int64_t i = 0; i < NONCES_GOOD; i++) {
		int err = nonce_of(b, now - i, good);

		if (err != SP_OK)
			return err;
		if (secret_eq(span_str(good), nonce))
			return SP_OK;
	}
	return SP_ENONCE;
}

int
handle_nonce_get(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_nonce_get m;
	struct ipc_nonce out;
	char text[NONCE_TEXT];
	int err = ipc_get_nonce_get(body, &m);

	if (err != SP_OK || (err = nonce_of(b, b->mono_ms() / NONCE_MS, text)) != SP_OK)
		return err;
	out.nonce = span_str(text);
	REPLY(b, w->serial, NONCE, nonce, &out, -1);
	return SP_OK;
}

/* ---- proofs ---- */

/* Once: the places where a proof may be remembered are few, and one that has run out makes room. */
static int
only_once(struct broker *b, const uint8_t jkt[32], struct span jti)
{
	int64_t now_ms = b->mono_ms();
	struct seen *free_place = NULL;
	uint8_t both[64], mac[32];
	uint64_t tag;
	int err = sha256(jti, both + 32);

	memcpy(both, jkt, 32);
	if (err != SP_OK || (err = stamp(b, "seen", span_of(both, sizeof(both)), mac)) != SP_OK)
		return err;
	memcpy(&tag, mac, sizeof(tag));
	for (uint64_t i = 0; i < SEEN_PROBES; i++) {
		struct seen *s = &b->proofs->seen[(tag + i) % PROOFS_SEEN];

		if (s->until_ms <= now_ms)
			free_place = free_place != NULL ? free_place : s;
		else if (s->tag == tag)
			return SP_EPROOF;
	}
	if (free_place == NULL)
		return SP_EFULL;
	*free_place =
	    (struct seen){.tag = tag, .until_ms = now_ms + (int64_t)NONCES_GOOD * NONCE_MS};
	return SP_OK;
}

/* For this request, fresh, and by the key in it; iat is the client's clock, which the nonce makes
 * needless (RFC 9449 section 4.3 step 11). */
static int
verify(struct broker *b, const struct proof *p, uint8_t buf[DPOP_MAX], struct dpop *d,
    uint8_t ret_jkt[32])
{
	char thumb[DPOP_THUMB_TEXT];
	int err;

	if (p->jwt.len == 0 || dpop_parse(p->jwt, buf, d) != SP_OK || !span_eq(d->htm, p->method) ||
	    !span_eq(d->htu, p->url))
		return SP_EPROOF;
	if ((err = nonce_check(b, d->nonce)) != SP_OK)
		return err;
	err = es256_verify(d->point, d->input, d->signature);
	if (err != SP_OK)
		return err == SP_EAUTH ? SP_EPROOF : err;
	return sha256(dpop_thumbprint_text(d, thumb), ret_jkt);
}

int
proof_key(struct broker *b, const struct proof *p, uint8_t ret_jkt[32])
{
	uint8_t buf[DPOP_MAX];
	struct dpop d;

	return verify(b, p, buf, &d, ret_jkt);
}

int
proof_check(
    struct broker *b, const struct proof *p, const uint8_t token_hash[32], const uint8_t jkt[32])
{
	uint8_t buf[DPOP_MAX], own[32];
	struct dpop d;
	int err = verify(b, p, buf, &d, own);

	if (err != SP_OK)
		return err;
	if (memcmp(own, jkt, sizeof(own)) != 0 || !d.has_ath ||
	    memcmp(d.ath, token_hash, sizeof(d.ath)) != 0)
		return SP_EPROOF;
	return only_once(b, jkt, d.jti);
}

/* ---- passes ---- */

/* The pass of a thing until then: when it ends, and the stamp of it with session and thing. */
static int
pass_make(struct broker *b, int64_t session, struct only only, uint64_t end_ms, char ret[PASS_TEXT])
{
	struct text t = text_of(ret, PASS_TEXT);
	uint8_t body[25], mac[32], whole[24];
	struct wr w = wr_of(body, sizeof(body)), all = wr_of(whole, sizeof(whole));
	int err;

	wr_uint(&w, (uint64_t)session, 8);
	wr_uint(&w, (uint64_t)only.id, 8);
	wr_uint(&w, only.folder, 1);
	wr_uint(&w, end_ms, 8);
	if ((err = stamp(b, "pass", wr_span(&w), mac)) != SP_OK)
		return err;
	wr_uint(&all, end_ms, 8);
	wr_bytes(&all, span_of(mac, 16));
	base64url_put(&t, wr_span(&all));
	VERIFY(!all.bad && !t.bad);
	return SP_OK;
}

int
pass_check(struct broker *b, int64_t session, struct only only, struct span pass)
{
	uint8_t raw[24];
	char good[PASS_TEXT];
	struct rd r = rd_of(span_of(raw, sizeof(raw)));
	uint64_t end_ms;
	size_t n;
	int err;

	if (base64url_get(pass, raw, sizeof(raw), &n) != SP_OK || n != sizeof(raw))
		return SP_EPROOF;
	end_ms = rd_uint(&r, 8);
	if ((err = pass_make(b, session, only, end_ms, good)) != SP_OK)
		return err;
	return secret_eq(span_str(good), pass) && (uint64_t)b->mono_ms() < end_ms ? SP_OK
										  : SP_EPROOF;
}

int
pass_covers(struct broker *b, struct only only, const struct node *n)
{
	int64_t chain[PATH_MAX_DEPTH + 2];
	size_t count = 0;
	int err;

	if (only.id == 0)
		return SP_OK;
	if (!only.folder)
		return n->is_file && n->file.id == only.id ? SP_OK : SP_EPERM;
	err = folder_chain(b->db, n->folder.id, chain, &count);
	for (size_t i = 0; i < count && err == SP_OK; i++)
		if (chain[i] == only.id)
			return SP_OK;
	return err != SP_OK ? err : SP_EPERM;
}

int
handle_pass_get(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_pass_get m;
	struct ipc_pass out = {.expires_s = PASS_S};
	struct only only;
	const struct access *a;
	char text[PASS_TEXT];
	struct node n;
	int err = ipc_get_pass_get(body, &m);

	if (err != SP_OK || (err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.folder != 0 ? BY_FOLDER : BY_FILE, (int64_t)m.id,
		 span_of(NULL, 0), &n)) != SP_OK)
		return err;
	if ((n.rights & RIGHT_READ) == 0) {
		denied(b, w, "read", n.path);
		return SP_EPERM;
	}
	if (!w->is_bound)
		return SP_EPROOF;
	only = (struct only){.id = (int64_t)m.id, .folder = m.folder != 0};
	if ((err = pass_make(
		 b, w->actor.session, only, (uint64_t)b->mono_ms() + PASS_S * 1000, text)) != SP_OK)
		return err;
	out.pass = span_str(text);
	REPLY(b, w->serial, PASS, pass, &out, -1);
	mem_wipe(b->out, sizeof(text) * 2);
	mem_wipe(text, sizeof(text));
	return SP_OK;
}
