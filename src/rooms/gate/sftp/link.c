/* link.c - the binary packet protocol of RFC 4253 section 6 over one socket. */
#include "rooms/gate/sftp/link.h"

#include "proto/ssh/ssh.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define PADDING_MIN 4u
#define LENGTH_MIN                                                                                 \
	8u /* packet_length: padding length, a byte of payload, padding, and then a multiple of 8  \
	      or more */

int
link_init(struct link *l, int fd, int stall_ms, int (*starved)(void *), void *arg)
{
	struct span none = span_of(NULL, 0);
	int rc;

	*l = (struct link){.fd = fd,
	    .stall_ms = stall_ms,
	    .deadline_ms = INT64_MAX,
	    .starved = starved,
	    .arg = arg};
	l->in = mem_alloc(LINK_IN_BYTES);
	l->out = mem_alloc(LINK_OUT_BYTES);
	if (l->in == NULL || l->out == NULL)
		return SP_ENOMEM;
	rc = ssh_cipher_new(SSH_CIPHER_NONE, SSH_MAC_NONE, false, none, none, none, &l->rx.cipher);
	if (rc == SP_OK)
		rc = ssh_cipher_new(
		    SSH_CIPHER_NONE, SSH_MAC_NONE, true, none, none, none, &l->tx.cipher);
	return rc;
}

void
link_done(struct link *l)
{
	ssh_cipher_free(l->rx.cipher);
	ssh_cipher_free(l->tx.cipher);
	if (l->in != NULL)
		mem_wipe(l->in, l->most);
	mem_freep(&l->in);
	mem_freep(&l->out);
	*l = (struct link){.fd = -1};
}

void
link_rekey(struct link_side *side, struct ssh_cipher *cipher, bool reset)
{
	ssh_cipher_free(side->cipher);
	side->cipher = cipher;
	side->bytes = side->packets = 0;
	if (reset)
		side->seq = 0;
}

/* ---- receiving ---- */

/* What has come, behind the bytes that are here; there is room.  As sock_read. */
static int64_t
read_behind(struct link *l)
{
	int64_t n = sock_read(l->fd, l->in + l->have, LINK_IN_BYTES - l->have);

	if (n > 0)
		l->have += (size_t)n;
	if (l->have > l->most)
		l->most = l->have;
	return n;
}

/* More bytes behind those that are here; there is room. */
static int
take_in(struct link *l)
{
	for (;;) {
		size_t had = l->have;
		int64_t n = SP_EFULL;
		int rc;

		if (l->unheard < LINK_UNHEARD)
			n = read_behind(l);
		if (n > 0) {
			l->unheard += (size_t)n;
			return SP_OK;
		}
		if (n == 0)
			return SP_ECLOSED;
		if (n != SP_EFULL)
			return (int)n;
		l->unheard = 0;
		rc = l->starved(l->arg);
		if (rc < 0 || l->have != had)
			return rc;
	}
}

/* Room for `total` bytes from `at` on. */
static void
make_room(struct link *l, size_t total)
{
	if (l->at == l->have)
		l->at = l->have = 0;
	if (l->at + total <= LINK_IN_BYTES && l->have < LINK_IN_BYTES)
		return;
	memmove(l->in, l->in + l->at, l->have - l->at);
	l->have -= l->at;
	l->at = 0;
}

int
link_line(struct link *l, size_t max, struct span *ret)
{
	size_t seen = 0;

	make_room(l, max);
	for (;;) {
		struct span s = span_of(l->in + l->at, l->have - l->at);
		size_t n = seen + span_find(span_skip(s, seen), '\n');

		if (n < s.len) {
			l->at += n + 1;
			*ret = span_cut(s, n != 0 && s.ptr[n - 1] == '\r' ? n - 1 : n);
			return n < max ? SP_OK : SP_ETOOBIG;
		}
		if (s.len >= max)
			return SP_ETOOBIG;
		seen = s.len;
		int rc = take_in(l);

		if (rc < 0)
			return rc;
	}
}

/* The length field of the packet at `at`, checked: RFC 4253 section 6, and no more than we have
 * room for. */
static int
packet_length(struct link *l, uint32_t *ret)
{
	size_t block = ssh_cipher_block(l->rx.cipher);
	uint32_t n;
	int rc = ssh_cipher_length(l->rx.cipher, l->rx.seq, l->in + l->at, &n);

	if (rc < 0)
		return rc;
	if (n < LENGTH_MIN || n > SSH_PACKET_MAX)
		return SP_ERANGE;
	if ((n + (ssh_cipher_length_apart(l->rx.cipher) ? 0u : 4u)) % block != 0)
		return SP_ERANGE;
	*ret = n;
	return SP_OK;
}

static int
need(struct link *l, size_t n)
{
	int rc = SP_OK;

	make_room(l, n);
	while (rc == SP_OK && l->have - l->at < n)
		rc = take_in(l);
	return rc;
}

int
link_recv(struct link *l, struct span *ret, uint32_t *ret_seq)
{
	size_t tag = ssh_cipher_tag(l->rx.cipher);
	uint32_t n = 0;
	uint8_t *p;
	int rc = need(l, 4);

	if (rc == SP_OK)
		rc = packet_length(l, &n);
	if (rc == SP_OK)
		rc = need(l, 4 + (size_t)n + tag);
	if (rc < 0)
		return rc;
	p = l->in + l->at;
	rc = ssh_cipher_open(l->rx.cipher, l->rx.seq, p, n);
	if (rc != SP_OK)
		return rc < 0 ? rc : SP_EBADTAG;
	l->at += 4 + (size_t)n + tag;
	*ret_seq = l->rx.seq++;
	l->rx.bytes += 4 + (uint64_t)n + tag;
	l->rx.packets++;
	if (p[4] < PADDING_MIN || (uint32_t)p[4] + 2 > n)
		return SP_ESYNTAX;
	*ret = span_of(p + LINK_HEAD, n - 1 - p[4]);
	return SP_OK;
}

bool
link_ready(struct link *l)
{
	size_t have;
	uint32_t n;
	int64_t got = SP_EFULL; /* nothing now */

	make_room(l, LINK_IN_BYTES / 2);
	if (l->have < LINK_IN_BYTES)
		got = read_behind(l);
	have = l->have - l->at;
	if (got <= 0 && got != SP_EFULL) /* the end of the connection is link_recv's to find, too */
		return true;
	if (have < 4)
		return false;
	/* what is no packet is link_recv's to find out */
	return packet_length(l, &n) < 0 || have >= 4 + (size_t)n + ssh_cipher_tag(l->rx.cipher);
}

/* ---- sending ---- */

/* How long one wait for the client may take. */
static int
patience(const struct link *l)
{
	int64_t left;

	if (l->deadline_ms == INT64_MAX)
		return l->stall_ms;
	left = l->deadline_ms - clock_mono_ms();
	if (left > l->stall_ms)
		return l->stall_ms;
	return left > 0 ? (int)left : 0;
}

int
link_flush(struct link *l)
{
	size_t done = 0;
	int rc = l->dead;

	while (rc == SP_OK && done < l->out_len) {
		int64_t n = sock_write_some(l->fd, l->out + done, l->out_len - done);
		bool readable = false;

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (n != SP_EFULL) {
			rc = (int)n;
			break;
		}
		/* a client that writes while it does not read must not wait for us for ever: its
		 * bytes go behind those that are here, which stay where they are */
		rc = sock_wait_either(l->fd, l->have < LINK_IN_BYTES, patience(l), &readable);
		l->is_late = rc == SP_ETIMEOUT;
		if (rc == SP_OK && readable) {
			n = read_behind(l);
			if (n <= 0 && n != SP_EFULL)
				rc = n == 0 ? SP_ECLOSED : (int)n;
		}
	}
	l->out_len = 0;
	l->dead = rc;
	return rc;
}

int
link_raw(struct link *l, struct span s)
{
	VERIFY(s.len <= LINK_OUT_BYTES - l->out_len);
	memcpy(l->out + l->out_len, s.ptr, s.len);
	l->out_len += s.len;
	return SP_OK;
}

/* RFC 4253 section 6: at least 4 bytes of padding, up to a multiple of the block.  Zeros: every
 * cipher here takes a fresh nonce or counter for each packet, so that padding hides nothing that
 * random bytes would hide better. */
static size_t
padding(const struct link *l, size_t payload)
{
	size_t block = ssh_cipher_block(l->tx.cipher);
	size_t n = 1 + payload + (ssh_cipher_length_apart(l->tx.cipher) ? 0 : 4);
	size_t pad = block - n % block;

	return pad < PADDING_MIN ? pad + block : pad;
}

int
link_send(struct link *l, uint8_t *packet, size_t len, struct span body)
{
	static const uint8_t zeros[64];
	size_t pad = padding(l, len + body.len), tag = ssh_cipher_tag(l->tx.cipher);
	size_t n = 1 + len + body.len + pad, total = 4 + n + tag;
	struct wr w = wr_of(packet, LINK_HEAD);
	int rc = SP_OK;

	VERIFY(n <= SSH_PACKET_MAX && pad <= sizeof(zeros));
	if (l->dead != 0 || total > LINK_OUT_BYTES - l->out_len)
		rc = link_flush(l);
	if (rc < 0)
		return rc;
	wr_uint(&w, n, 4);
	wr_uint(&w, pad, 1);
	rc = ssh_cipher_seal(l->tx.cipher, l->tx.seq, span_of(packet, LINK_HEAD + len), body,
	    span_of(zeros, pad), l->out + l->out_len);
	if (rc < 0)
		return rc;
	l->out_len += total;
	l->tx.seq++;
	l->tx.bytes += total;
	l->tx.packets++;
	return SP_OK;
}
