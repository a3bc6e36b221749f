/* kex.c - key exchange: what is offered, what is chosen, and the turn of keys.
 *
 * The host key is the signer's.  It is given what goes into the exchange hash, puts its own key in,
 * and signs. */
#include "rooms/gate/sftp/kex.h"

#include "base/conf.h"
#include "base/text.h"
#include "crypto/ssh_key.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/ready.h"

#define SIGNER_TIMEOUT_MS 30000
#define CHACHA_REKEY_BYTES                                                                         \
	(1ull << 30) /* its sequence numbers and tags want fewer bytes a key, as OpenSSH has it */
#define REKEY_PACKETS (1ull << 31) /* RFC 4344 section 3.1 */

/* ---- our KEXINIT ---- */

static int
send_kexinit(struct stream *s, const struct kex_offers *o)
{
	uint8_t cookie[16];
	struct ssh_kexinit m = {.cookie = span_of(cookie, sizeof(cookie))};
	struct wr w = conn_writer(s);
	int rc = s->keyed ? crypto_random(cookie, sizeof(cookie)) : SP_OK;

	if (rc < 0)
		return rc;
	if (!s->keyed)
		memcpy(cookie, s->start->cookie, sizeof(cookie));
	m.list[SSH_KEX_LIST] = text_span(&o->kex.t);
	m.list[SSH_HOSTKEY_LIST] = text_span(&o->host.t);
	m.list[SSH_CIPHER_IN] = m.list[SSH_CIPHER_OUT] = text_span(&o->cipher.t);
	m.list[SSH_MAC_IN] = m.list[SSH_MAC_OUT] = text_span(&o->mac.t);
	m.list[SSH_ZIP_IN] = m.list[SSH_ZIP_OUT] = SPAN_LIT("none");
	m.list[SSH_LANG_IN] = m.list[SSH_LANG_OUT] = span_of(NULL, 0);
	ssh_put_kexinit(&w, &m);
	VERIFY(!w.bad && w.len <= KEXINIT_MAX);
	memcpy(s->i_s, w.buf, w.len);
	s->i_s_len = w.len;
	return conn_send(s, &w);
}

/* ---- the client's ---- */

static int
take_kexinit(
    struct stream *s, struct span payload, const struct kex_offers *o, struct kex_chosen *ret)
{
	struct ssh_kexinit m;
	const char *why;
	int rc = payload.len <= KEXINIT_MAX ? ssh_get_kexinit(payload, &m) : SP_ETOOBIG;

	if (rc < 0)
		return conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed KEXINIT", rc);
	if (!s->keyed) {
		s->strict = ssh_list_has(m.list[SSH_KEX_LIST], "kex-strict-c-v00@openssh.com");
		s->wants_ext_info = ssh_list_has(m.list[SSH_KEX_LIST], "ext-info-c");
	}
	memcpy(s->i_c, payload.ptr, payload.len);
	s->i_c_len = payload.len;
	*ret = (struct kex_chosen){0};
	why = kex_choose(s, o, &m, ret);
	if (why != NULL)
		return conn_disconnect(s, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, why, SP_ENOTIMPL);
	/* strict: KEXINIT was the first packet of all (sequence number 0 was used for it) */
	if (!s->keyed && s->strict && s->link.rx.seq != 1)
		return conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "strict key exchange: KEXINIT was not the first packet", SP_EDENIEDMSG);
	return SP_OK;
}

/* ---- the signer ---- */

struct agreed {
	const struct kex_chosen *by;
	uint8_t q_s[SSH_Q_MAX], k[SSH_K_MAX], hash[SSH_HASH_MAX];
	uint8_t *buf;			 /* IPC_MAX, owned: of the signer's answer */
	struct span host_key, signature; /* into buf */
};

static void
agreed_done(struct agreed *a)
{
	mem_wipe(a->k, sizeof(a->k));
	mem_free(a->buf);
}

static int
signer_answer(struct stream *s, struct agreed *a)
{
	struct ipc_ssh_signature m;
	struct chan_msg msg;
	unsigned ready;
	int rc = fd_wait_any(&s->start->signer->fd, 1, SIGNER_TIMEOUT_MS, &ready);

	if (rc == SP_OK)
		rc = chan_recv(s->start->signer, PH_ANY, true, a->buf, IPC_MAX, &msg);
	if (rc < 0)
		return rc;
	rc = msg.id == IPC_SSH_SIGNATURE ? ipc_get_ssh_signature(msg.body, &m) : SP_EDENIEDMSG;
	if (rc == SP_OK && m.err != 0)
		rc = -(int)m.err;
	if (rc == SP_OK && m.hash.len != a->by->kex->hash_len)
		rc = SP_ERANGE;
	if (rc == SP_OK) {
		memcpy(a->hash, m.hash.ptr, m.hash.len);
		a->host_key = m.key;
		a->signature = m.signature;
	}
	chan_msg_done(&msg);
	return rc;
}

/* The signer ends a worker that asks too fast.  A client that wants new keys that often has to
 * wait; half the burst and a little time more are left for clocks that differ. */
static void
pace(struct stream *s)
{
	const int64_t spare = SSH_REKEY_BURST / 2 * SSH_REKEY_EVERY_MS;
	int64_t now = clock_mono_ms();

	if (!s->keyed)
		return;
	if (s->rekey_ms < now)
		s->rekey_ms = now;
	if (s->rekey_ms - now > spare)
		clock_sleep_ms(s->rekey_ms - now - spare);
	s->rekey_ms += SSH_REKEY_EVERY_MS + SSH_REKEY_EVERY_MS / 4;
}

static int
sign(struct stream *s, struct span q_c, struct agreed *a)
{
	const struct ssh_kex_row *kex = a->by->kex;
	struct ipc_ssh_kex m = {
	    .method = (uint8_t)kex->id,
	    .host_key = (uint8_t)a->by->host_key,
	    .v_c = span_str(s->v_c),
	    .v_s = SPAN_LIT(SSH_VERSION_STRING),
	    .i_c = span_of(s->i_c, s->i_c_len),
	    .i_s = span_of(s->i_s, s->i_s_len),
	    .q_c = q_c,
	    .q_s = span_of(a->q_s, kex->q_len),
	    .k = span_of(a->k, kex->k_len),
	};
	int rc;

	a->buf = mem_alloc(IPC_MAX);
	if (a->buf == NULL)
		return SP_ENOMEM;
	pace(s);
	rc = chan_send_ssh_kex(s->start->signer, &m, -1);
	return rc == SP_OK ? signer_answer(s, a) : rc;
}

/* ---- keys into use ---- */

static int
derive(const struct stream *s, const struct agreed *a, const char letters[3],
    const struct ssh_cipher_row *c, const struct ssh_mac_row *m, bool seal, struct ssh_cipher **ret)
{
	const struct ssh_kex_row *kex = a->by->kex;
	struct span k = span_of(a->k, kex->k_len), h = span_of(a->hash, kex->hash_len);
	struct span id = span_of(s->session, s->session_len);
	uint8_t iv[SSH_CIPHER_IV_MAX], key[SSH_CIPHER_KEY_MAX], mac[SSH_MAC_KEY_MAX];
	size_t mac_len = m != NULL ? m->key_len : 0;
	int rc = ssh_derive_key(kex->id, k, h, letters[0], id, iv, c->iv_len);

	if (rc == SP_OK)
		rc = ssh_derive_key(kex->id, k, h, letters[1], id, key, c->key_len);
	if (rc == SP_OK && m != NULL)
		rc = ssh_derive_key(kex->id, k, h, letters[2], id, mac, mac_len);
	if (rc == SP_OK)
		rc = ssh_cipher_new(c->id, m != NULL ? m->id : SSH_MAC_NONE, seal,
		    span_of(key, c->key_len), span_of(iv, c->iv_len), span_of(mac, mac_len), ret);
	mem_wipe(key, sizeof(key));
	mem_wipe(mac, sizeof(mac));
	mem_wipe(iv, sizeof(iv));
	return rc;
}

/* Our NEWKEYS leaves under the old keys; what follows it goes under the new. */
static int
switch_out(struct stream *s, const struct agreed *a)
{
	struct ssh_cipher *c = NULL;
	struct wr w = conn_writer(s);
	int rc;

	ssh_put_number(&w, SSH_MSG_NEWKEYS);
	rc = conn_send(s, &w);
	if (rc == SP_OK)
		rc = derive(s, a, "BDF", a->by->out, a->by->mac_out, true, &c);
	if (rc < 0)
		return rc;
	link_rekey(&s->link.tx, c, s->strict);
	s->cipher_out = a->by->out->id;
	return SP_OK;
}

static int
switch_in(struct stream *s, const struct agreed *a)
{
	struct ssh_cipher *c = NULL;
	struct span payload;
	int rc;

	s->phase = SSH_PHASE_NEWKEYS;
	rc = conn_next(s, &payload);
	if (rc == SP_OK && ssh_get_newkeys(payload) < 0)
		rc = conn_disconnect(
		    s, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed NEWKEYS", SP_ESYNTAX);
	if (rc == SP_OK)
		rc = derive(s, a, "ACE", a->by->in, a->by->mac_in, false, &c);
	if (rc < 0)
		return rc;
	link_rekey(&s->link.rx, c, s->strict);
	s->cipher_in = a->by->in->id;
	return SP_OK;
}

static void
name_algorithms(struct stream *s, const struct kex_chosen *c)
{
	struct text t = text_of(s->algorithms, sizeof(s->algorithms));

	text_fmt(&t, "%s %s %s", c->kex->name, kex_host_key_name(c->host_key), c->in->name);
	if (c->mac_in != NULL)
		text_fmt(&t, " %s", c->mac_in->name);
	if (c->out != c->in)
		text_fmt(&t, " out %s", c->out->name);
	if (c->mac_out != c->mac_in && c->mac_out != NULL)
		text_fmt(&t, " %s", c->mac_out->name);
}

static int
send_reply(struct stream *s, const struct agreed *a)
{
	struct wr w = conn_writer(s);

	ssh_put_ecdh_reply(&w, a->host_key, span_of(a->q_s, a->by->kex->q_len), a->signature);
	return conn_send(s, &w);
}

/* ---- the exchange, from the client's public value on ---- */

/* The packet that a client sent on a guess that was wrong: of any method, and not to be looked at.
 */
static int
drop_guess(struct stream *s)
{
	struct span p;
	uint32_t seq;
	int rc = conn_packet(s, &p, &seq);

	if (rc == SP_OK && (p.ptr[0] < 30 || p.ptr[0] > 49))
		rc = conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "the packet that was announced did not follow", SP_EDENIEDMSG);
	return rc;
}

static int
await_public(struct stream *s, const struct kex_chosen *c, struct span *ret_q_c)
{
	struct span payload;
	int rc = c->guessed_wrong ? drop_guess(s) : SP_OK;

	s->phase = SSH_PHASE_KEX;
	if (rc == SP_OK)
		rc = conn_next(s, &payload);
	if (rc < 0)
		return rc;
	if (ssh_get_ecdh_init(payload, ret_q_c) < 0 || ret_q_c->len != c->kex->q_len)
		return conn_disconnect(
		    s, SSH_DISCONNECT_KEY_EXCHANGE_FAILED, "malformed public value", SP_ESYNTAX);
	return SP_OK;
}

static int
exchange(struct stream *s, const struct kex_chosen *c)
{
	DEFER(agreed_done) struct agreed a = {.by = c};
	struct span q_c;
	int rc = await_public(s, c, &q_c);

	if (rc < 0)
		return rc;
	if (ssh_kex_agree(c->kex->id, q_c, a.q_s, a.k) < 0)
		return conn_disconnect(s, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
		    "the public value is not valid", SP_ECRYPTO);
	rc = sign(s, q_c, &a);
	if (rc < 0) {
		log_warning("from the signer: %s", sp_strerror(rc));
		return conn_disconnect(s, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    "a part of the server is not available now", SP_EUNAVAIL);
	}
	if (s->session_len == 0) {
		memcpy(s->session, a.hash, c->kex->hash_len);
		s->session_len = c->kex->hash_len;
	}
	rc = send_reply(s, &a);
	if (rc == SP_OK)
		rc = switch_out(s, &a);
	if (rc == SP_OK)
		rc = link_flush(&s->link);
	if (rc == SP_OK)
		rc = switch_in(s, &a);
	if (rc < 0)
		return rc;
	name_algorithms(s, c);
	s->keyed_ms = clock_mono_ms();
	return SP_OK;
}

/* RFC 8308 section 2.4: right behind the first NEWKEYS. */
static int
send_ext_info(struct stream *s)
{
	const struct span pairs[] = {
	    SPAN_LIT("server-sig-algs"), span_str(ssh_key_algorithms(s->start->conf->fips))};
	struct wr w = conn_writer(s);

	if (!s->wants_ext_info)
		return SP_OK;
	ssh_put_ext_info(&w, pairs, 1);
	return conn_send(s, &w);
}

int
kex_first(struct stream *s)
{
	struct kex_offers o;
	struct kex_chosen c;
	struct span payload;
	int rc;

	kex_offer(s, &o);
	rc = send_kexinit(s, &o);
	if (rc == SP_OK)
		rc = conn_next(s, &payload);
	if (rc == SP_OK)
		rc = take_kexinit(s, payload, &o, &c);
	if (rc == SP_OK)
		rc = exchange(s, &c);
	if (rc < 0)
		return rc;
	s->keyed = true;
	s->phase = SSH_PHASE_SERVICE;
	return send_ext_info(s);
}

/* ---- and again ---- */

/* With both KEXINITs known, or the client's and ours about to be sent. */
static int
finish(struct stream *s, struct span payload, const struct kex_offers *o, enum ssh_phase phase)
{
	struct kex_chosen c;
	int rc = take_kexinit(s, payload, o, &c);

	if (rc == SP_OK)
		rc = exchange(s, &c);
	s->exchanging = false;
	s->phase = phase;
	return rc;
}

int
kex_answer(struct stream *s, struct span payload)
{
	enum ssh_phase phase = s->phase;
	struct kex_offers o;
	int rc;

	/* the signer would refuse: before a login there is one signature for a connection */
	if (phase != SSH_PHASE_OPEN)
		return conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "no second key exchange before the login", SP_EDENIEDMSG);
	kex_offer(s, &o);
	s->exchanging = true;
	rc = send_kexinit(s, &o);
	if (rc == SP_OK)
		rc = finish(s, payload, &o, phase);
	return rc == SP_OK ? channel_deferred(s) : rc;
}

bool
kex_due(const struct stream *s)
{
	const struct conf *c = s->start->conf;
	uint64_t most = (uint64_t)c->rekey_bytes;

	if ((s->cipher_in == SSH_CIPHER_CHACHA20_POLY1305 ||
		s->cipher_out == SSH_CIPHER_CHACHA20_POLY1305) &&
	    most > CHACHA_REKEY_BYTES)
		most = CHACHA_REKEY_BYTES;
	return s->link.rx.bytes >= most || s->link.tx.bytes >= most ||
	       s->link.rx.packets >= REKEY_PACKETS || s->link.tx.packets >= REKEY_PACKETS ||
	       clock_mono_ms() - s->keyed_ms >= c->rekey_time * 1000;
}

/* Until its own KEXINIT the client may send anything: data is kept, what needs an answer is
 * deferred. */
int
kex_begin(struct stream *s)
{
	struct kex_offers o;
	int rc;

	kex_offer(s, &o);
	s->exchanging = true;
	rc = send_kexinit(s, &o);
	if (rc == SP_OK)
		rc = link_flush(&s->link);
	while (rc == SP_OK) {
		struct span p;
		uint32_t seq;

		rc = stream_keep(s);
		if (rc == SP_OK)
			rc = conn_packet(s, &p, &seq);
		if (rc < 0)
			break;
		if (p.ptr[0] == SSH_MSG_KEXINIT) {
			rc = finish(s, p, &o, SSH_PHASE_OPEN);
			return rc == SP_OK ? channel_deferred(s) : rc;
		}
		rc = conn_judge(s, p.ptr[0], SSH_PHASE_OPEN, seq);
		if (rc == SSH_DROP)
			rc = SP_OK;
		else if (rc == SSH_TAKE)
			rc = channel_take(s, p);
	}
	s->broken = s->broken != 0 ? s->broken : rc;
	return rc;
}
