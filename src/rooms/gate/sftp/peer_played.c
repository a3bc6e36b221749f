/* peer_played.c - see peer_played.h. */
#include "rooms/gate/sftp/peer_played.h"

#include "base/mem.h"
#include "base/text.h"
#include "sys/fd.h"
#include "sys/ready.h"

#define TAG 64u

struct peer *
peer_new(int fd)
{
	struct peer *p = mem_alloc(sizeof(*p));
	const struct span none = span_of(NULL, 0);

	assert_non_null(p);
	p->fd = fd;
	p->in = mem_alloc(PEER_IN_BYTES);
	p->out = mem_alloc(PEER_OUT_BYTES);
	assert_non_null(p->in);
	assert_non_null(p->out);
	assert_int_equal(fd_nonblock(fd, true), SP_OK);
	assert_int_equal(
	    ssh_cipher_new(SSH_CIPHER_NONE, SSH_MAC_NONE, false, none, none, none, &p->rx), SP_OK);
	assert_int_equal(
	    ssh_cipher_new(SSH_CIPHER_NONE, SSH_MAC_NONE, true, none, none, none, &p->tx), SP_OK);
	return p;
}

void
peer_free(struct peer *p)
{
	close_fd(&p->fd);
	ssh_cipher_free(p->rx);
	ssh_cipher_free(p->tx);
	mem_free(p->in);
	mem_free(p->out);
	mem_free(p);
}

/* ---- bytes ---- */

/* What has come is taken in; false: nothing within ms. */
static bool
take_in(struct peer *p, int ms)
{
	unsigned ready;
	int64_t n;

	if (p->closed || fd_wait_any(&p->fd, 1, ms, &ready) < 0)
		return false;
	if (p->at == p->have)
		p->at = p->have = 0;
	if (p->have == PEER_IN_BYTES) {
		memmove(p->in, p->in + p->at, p->have - p->at);
		p->have -= p->at;
		p->at = 0;
	}
	assert_true(p->have < PEER_IN_BYTES);
	n = sock_read(p->fd, p->in + p->have, PEER_IN_BYTES - p->have);
	if (n <= 0)
		p->closed = true;
	else
		p->have += (size_t)n;
	return true;
}

static bool
need(struct peer *p, size_t n)
{
	while (p->have - p->at < n) {
		if (!take_in(p, PEER_PATIENCE_MS) && !p->closed)
			fail_msg("the server is silent");
		if (p->closed && p->have - p->at < n)
			return false;
	}
	return true;
}

void
peer_bytes(struct peer *p, struct span s)
{
	while (s.len != 0) {
		int64_t n = sock_write_some(p->fd, s.ptr, s.len);
		bool readable = false;

		if (n >= 0) {
			s = span_skip(s, (size_t)n);
			continue;
		}
		if (n != SP_EFULL)
			return; /* what the server has to say about it is read */
		if (sock_wait_either(p->fd, true, PEER_PATIENCE_MS, &readable) != SP_OK)
			fail_msg("the server takes nothing");
		if (readable)
			(void)take_in(p, 0);
	}
}

struct wr
peer_writer(struct peer *p)
{
	return wr_of(p->buf + 5, sizeof(p->buf) - 5);
}

void
peer_send(struct peer *p, const struct wr *w)
{
	static const uint8_t zeros[32];
	size_t block = ssh_cipher_block(p->tx);
	size_t n = 1 + w->len + (ssh_cipher_length_apart(p->tx) ? 0u : 4u);
	size_t pad = block - n % block;
	struct wr head = wr_of(p->buf, 5);

	assert_false(w->bad);
	if (pad < 4)
		pad += block;
	wr_uint(&head, 1 + w->len + pad, 4);
	wr_uint(&head, pad, 1);
	assert_int_equal(ssh_cipher_seal(p->tx, p->tx_seq++, span_of(p->buf, 5 + w->len),
			     span_of(NULL, 0), span_of(zeros, pad), p->out),
	    SP_OK);
	peer_bytes(p, span_of(p->out, 5 + w->len + pad + ssh_cipher_tag(p->tx)));
}

void
peer_number(struct peer *p, uint8_t number)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, number, 1);
	peer_send(p, &w);
}

bool
peer_recv(struct peer *p, struct span *ret)
{
	uint32_t n;
	uint8_t *at;

	if (!need(p, 4))
		return false;
	assert_int_equal(ssh_cipher_length(p->rx, p->rx_seq, p->in + p->at, &n), SP_OK);
	assert_in_range(n, 8, SSH_PACKET_MAX);
	if (!need(p, 4 + n + ssh_cipher_tag(p->rx)))
		return false;
	at = p->in + p->at;
	assert_int_equal(ssh_cipher_open(p->rx, p->rx_seq++, at, n), SP_OK);
	p->at += 4 + n + ssh_cipher_tag(p->rx);
	assert_in_range(at[4], 4, n - 2);
	*ret = span_of(at + 5, n - 1 - at[4]);
	return true;
}

bool
peer_pending(struct peer *p, int ms)
{
	return p->have != p->at || take_in(p, ms);
}

/* ---- packets ---- */

static bool
noted(struct peer *p, struct span m)
{
	struct rd r = rd_of(span_skip(m, 1));

	if (m.ptr[0] == SSH_MSG_CHANNEL_WINDOW_ADJUST) {
		(void)rd_uint(&r, 4);
		p->adjusted = rd_uint(&r, 4);
		p->granted += p->adjusted;
		p->adjusts++;
		return true;
	}
	if (m.ptr[0] == SSH_MSG_GLOBAL_REQUEST) {
		p->keepalives++;
		return true;
	}
	return m.ptr[0] == SSH_MSG_IGNORE || m.ptr[0] == SSH_MSG_EXT_INFO;
}

struct span
peer_expect(struct peer *p, uint8_t number)
{
	struct span m = span_of("", 0);

	for (;;) {
		if (!peer_recv(p, &m))
			fail_msg("closed while %u was expected", number);
		if (m.ptr[0] == number)
			return m;
		if (!noted(p, m))
			fail_msg("message %u came while %u was expected", m.ptr[0], number);
	}
}

void
peer_dies(struct peer *p, unsigned reason)
{
	struct span m;

	while (peer_recv(p, &m)) {
		struct rd r = rd_of(span_skip(m, 1));

		if (noted(p, m))
			continue;
		if (m.ptr[0] != SSH_MSG_DISCONNECT)
			fail_msg("message %u came before the end", m.ptr[0]);
		assert_int_equal(rd_uint(&r, 4), reason);
		reason = 0;
	}
	assert_int_equal(reason, 0);
}

/* ---- key exchange ---- */

void
peer_versions(struct peer *p)
{
	size_t n = 0;

	peer_bytes(p, SPAN_LIT(PEER_VERSION "\r\n"));
	do {
		assert_true(need(p, n + 1));
		assert_true(n < sizeof(p->v_s));
		p->v_s[n] = (char)p->in[p->at + n];
	} while (p->v_s[n++] != '\n');
	p->at += n;
	p->v_s[n - 2] = '\0';
	assert_string_equal(p->v_s, "SSH-2.0-Server");
}

static struct span
or_default(const char *s, const char *def)
{
	return span_str(s != NULL ? s : def);
}

void
peer_kexinit(struct peer *p)
{
	static const uint8_t cookie[16];
	const struct peer_offer *o = &p->offer;
	struct ssh_kexinit m = {
	    .cookie = span_of(cookie, sizeof(cookie)), .first_follows = o->first_follows};
	struct wr w = peer_writer(p);

	m.list[SSH_KEX_LIST] =
	    or_default(o->kex, "curve25519-sha256,kex-strict-c-v00@openssh.com,ext-info-c");
	m.list[SSH_HOSTKEY_LIST] = or_default(o->host, "ssh-ed25519");
	m.list[SSH_CIPHER_IN] = m.list[SSH_CIPHER_OUT] =
	    or_default(o->cipher, "aes256-gcm@openssh.com");
	m.list[SSH_MAC_IN] = m.list[SSH_MAC_OUT] =
	    or_default(o->mac, "hmac-sha2-256-etm@openssh.com");
	m.list[SSH_ZIP_IN] = m.list[SSH_ZIP_OUT] = or_default(o->zip, "none");
	m.list[SSH_LANG_IN] = m.list[SSH_LANG_OUT] = span_of(NULL, 0);
	ssh_put_kexinit(&w, &m);
	assert_true(w.len <= sizeof(p->i_c));
	memcpy(p->i_c, w.buf, w.len);
	p->i_c_len = w.len;
	if (!p->is_keyed)
		p->strict = ssh_list_has(m.list[SSH_KEX_LIST], "kex-strict-c-v00@openssh.com");
	peer_send(p, &w);
}

void
peer_take_kexinit(struct peer *p, struct span payload)
{
	assert_int_equal(payload.ptr[0], SSH_MSG_KEXINIT);
	assert_true(payload.len <= sizeof(p->i_s));
	memcpy(p->i_s, payload.ptr, payload.len);
	p->i_s_len = payload.len;
}

static struct ssh_cipher *
derive(struct peer *p, struct span k, struct span h, const char *letters, bool seal)
{
	const char *wanted = p->offer.cipher != NULL ? p->offer.cipher : "aes256-gcm@openssh.com";
	size_t n, n_macs;
	const struct ssh_cipher_row *c = ssh_cipher_rows(&n);
	const struct ssh_mac_row *m = ssh_mac_rows(&n_macs);
	struct span id = span_of(p->session, 32);
	uint8_t iv[SSH_CIPHER_IV_MAX], key[SSH_CIPHER_KEY_MAX], mac[SSH_MAC_KEY_MAX];
	struct ssh_cipher *ret = NULL;

	while (strcmp(c->name, wanted) != 0)
		c++;
	while (m->id != SSH_MAC_HMAC_SHA2_256_ETM)
		m++;
	if (ssh_derive_key(SSH_KEX_ID_CURVE25519, k, h, letters[0], id, iv, c->iv_len) < 0 ||
	    ssh_derive_key(SSH_KEX_ID_CURVE25519, k, h, letters[1], id, key, c->key_len) < 0 ||
	    ssh_derive_key(SSH_KEX_ID_CURVE25519, k, h, letters[2], id, mac, m->key_len) < 0)
		fail_msg("no keys");
	assert_int_equal(
	    ssh_cipher_new(c->id, c->has_tag ? SSH_MAC_NONE : m->id, seal, span_of(key, c->key_len),
		span_of(iv, c->iv_len), span_of(mac, c->has_tag ? 0 : m->key_len), &ret),
	    SP_OK);
	return ret;
}

/* Their reply and NEWKEYS, our NEWKEYS, new keys on both sides. */
static void
turn(struct peer *p, EVP_PKEY *key, struct span q_c)
{
	uint8_t k[X25519_BYTES], h[SSH_HASH_MAX];
	struct span m = peer_expect(p, SSH_MSG_KEX_ECDH_REPLY), q_s;
	struct rd r = rd_of(span_skip(m, 1));
	struct ssh_exchange e = {.id = SSH_KEX_ID_CURVE25519,
	    .v_c = SPAN_LIT(PEER_VERSION),
	    .v_s = span_str(p->v_s),
	    .i_c = span_of(p->i_c, p->i_c_len),
	    .i_s = span_of(p->i_s, p->i_s_len),
	    .q_c = q_c};

	e.k_s = ssh_take_string(&r);
	e.q_s = q_s = ssh_take_string(&r);
	x25519_agree(key, q_s, k);
	e.k = span_of(k, sizeof(k));
	assert_int_equal(ssh_exchange_hash(&e, h), SP_OK);
	if (!p->is_keyed)
		memcpy(p->session, h, sizeof(p->session));
	assert_int_equal(peer_expect(p, SSH_MSG_NEWKEYS).len, 1);
	ssh_cipher_free(p->rx);
	p->rx = derive(p, e.k, span_of(h, 32), "BDF", false);
	peer_number(p, SSH_MSG_NEWKEYS);
	ssh_cipher_free(p->tx);
	p->tx = derive(p, e.k, span_of(h, 32), "ACE", true);
	if (p->strict)
		p->rx_seq = p->tx_seq = 0;
	p->is_keyed = true;
}

void
peer_exchange(struct peer *p)
{
	uint8_t q_c[X25519_BYTES];
	EVP_PKEY *key = x25519_new(q_c);
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_KEX_ECDH_INIT, 1);
	ssh_put_string(&w, span_of(q_c, sizeof(q_c)));
	peer_send(p, &w);
	turn(p, key, span_of(q_c, sizeof(q_c)));
}

void
peer_first(struct peer *p)
{
	peer_versions(p);
	peer_kexinit(p);
	peer_take_kexinit(p, peer_expect(p, SSH_MSG_KEXINIT));
	peer_exchange(p);
}

/* ---- login ---- */

void
peer_service(struct peer *p)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_SERVICE_REQUEST, 1);
	ssh_put_string(&w, SPAN_LIT("ssh-userauth"));
	peer_send(p, &w);
	(void)peer_expect(p, SSH_MSG_SERVICE_ACCEPT);
}

void
peer_password(struct peer *p, const char *user, const char *password)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_USERAUTH_REQUEST, 1);
	ssh_put_string(&w, span_str(user));
	ssh_put_string(&w, SPAN_LIT("ssh-connection"));
	ssh_put_string(&w, SPAN_LIT("password"));
	wr_uint(&w, 0, 1);
	ssh_put_string(&w, span_str(password));
	peer_send(p, &w);
}

void
peer_login(struct peer *p)
{
	peer_first(p);
	peer_service(p);
	peer_password(p, "alice", "secret");
	(void)peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
}

/* ---- channel ---- */

void
peer_open(struct peer *p, uint32_t window, uint32_t packet_max)
{
	struct wr w = peer_writer(p);
	struct rd r;

	wr_uint(&w, SSH_MSG_CHANNEL_OPEN, 1);
	ssh_put_string(&w, SPAN_LIT("session"));
	wr_uint(&w, 7, 4);
	wr_uint(&w, window, 4);
	wr_uint(&w, packet_max, 4);
	peer_send(p, &w);
	r = rd_of(span_skip(peer_expect(p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION), 1));
	assert_int_equal(rd_uint(&r, 4), 7);
	assert_int_equal(rd_uint(&r, 4), 0);
	p->granted = rd_uint(&r, 4);
	p->packet_max = (uint32_t)rd_uint(&r, 4);
}

void
peer_request(struct peer *p, const char *type, const char *text, bool want_reply)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_CHANNEL_REQUEST, 1);
	wr_uint(&w, 0, 4);
	ssh_put_string(&w, span_str(type));
	wr_uint(&w, want_reply, 1);
	if (text != NULL)
		ssh_put_string(&w, span_str(text));
	peer_send(p, &w);
}

void
peer_subsystem(struct peer *p, const char *name)
{
	peer_request(p, "subsystem", name, true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_SUCCESS);
}

void
peer_session(struct peer *p, uint32_t window, uint32_t packet_max)
{
	peer_login(p);
	peer_open(p, window, packet_max);
	peer_subsystem(p, "sftp");
}

void
peer_data(struct peer *p, struct span s)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_CHANNEL_DATA, 1);
	wr_uint(&w, 0, 4);
	ssh_put_string(&w, s);
	peer_send(p, &w);
	p->granted -= s.len;
}

void
peer_adjust(struct peer *p, uint32_t n)
{
	struct wr w = peer_writer(p);

	ssh_put_window_adjust(&w, 0, n);
	peer_send(p, &w);
}

void
peer_channel(struct peer *p, enum ssh_msg number)
{
	struct wr w = peer_writer(p);

	ssh_put_channel(&w, number, 0);
	peer_send(p, &w);
}

void
peer_take(struct peer *p, uint8_t *out, size_t n)
{
	while (n != 0) {
		struct rd r = rd_of(span_skip(peer_expect(p, SSH_MSG_CHANNEL_DATA), 1));
		struct span s;

		assert_int_equal(rd_uint(&r, 4), 7);
		s = ssh_take_string(&r);
		assert_in_range(s.len, 1, n);
		memcpy(out, s.ptr, s.len);
		out += s.len;
		n -= s.len;
	}
}

unsigned
peer_ended(struct peer *p)
{
	unsigned status = 256;
	struct span m;

	while (peer_recv(p, &m)) {
		struct rd r = rd_of(span_skip(m, 5));

		if (m.ptr[0] == SSH_MSG_CHANNEL_REQUEST) {
			assert_span(ssh_take_string(&r), "exit-status");
			(void)rd_uint(&r, 1);
			status = (unsigned)rd_uint(&r, 4);
		} else if (m.ptr[0] == SSH_MSG_CHANNEL_CLOSE) {
			peer_channel(p, SSH_MSG_CHANNEL_CLOSE);
			return status;
		} else if (m.ptr[0] != SSH_MSG_CHANNEL_DATA && m.ptr[0] != SSH_MSG_CHANNEL_EOF &&
			   m.ptr[0] != SSH_MSG_CHANNEL_EXTENDED_DATA && !noted(p, m))
			fail_msg("message %u came before the channel's end", m.ptr[0]);
	}
	fail_msg("closed before the channel's end");
	return status;
}
