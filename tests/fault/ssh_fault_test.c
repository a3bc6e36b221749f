/* ssh_fault_test.c - the cryptography of SSH and packets over a socket pair, under fault.h.
 *
 * What must never come of a failure: a packet or a signature that is accepted though it is wrong,
 * or bytes in clear.
 */
#include "fault.h"

#include "base/text.h"

#include "crypto/ssh_cipher.h"
#include "crypto/ssh_kex.h"
#include "crypto/ssh_key.h"
#include "proto/ssh/ssh.h"
#include "rooms/gate/sftp/link.h"
#include "sys/fd.h"

#include <string.h>
#include <sys/socket.h>

#define PACKET                                                                                     \
	64u /* bytes: 4 + 60; with the length apart too 60 is no multiple of 16: see length_of */

static uint8_t key[64], iv[16];

/* ---- what fails of sys/ ---- */

int64_t __real_sock_read(int fd, void *buf, size_t n);
int64_t __real_sock_write_some(int fd, const void *buf, size_t n);
int __real_sock_wait_either(int fd, bool in, int timeout_ms, bool *ret_in);
int64_t __wrap_sock_read(int fd, void *buf, size_t n);
int64_t __wrap_sock_write_some(int fd, const void *buf, size_t n);
int __wrap_sock_wait_either(int fd, bool in, int timeout_ms, bool *ret_in);

int64_t
__wrap_sock_read(int fd, void *buf, size_t n)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_sock_read(fd, buf, n);
}

int64_t
__wrap_sock_write_some(int fd, const void *buf, size_t n)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_sock_write_some(fd, buf, n);
}

int
__wrap_sock_wait_either(int fd, bool in, int timeout_ms, bool *ret_in)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_sock_wait_either(fd, in, timeout_ms, ret_in);
}

/* ---- scenarios ---- */

static int
cipher_pair(const struct ssh_cipher_row *c, enum ssh_mac_id mac, size_t mac_len,
    struct ssh_cipher **tx, struct ssh_cipher **rx)
{
	int r = ssh_cipher_new(c->id, mac, true, span_of(key, c->key_len), span_of(iv, c->iv_len),
	    span_of(key, mac_len), tx);

	if (r == SP_OK)
		r = ssh_cipher_new(c->id, mac, false, span_of(key, c->key_len),
		    span_of(iv, c->iv_len), span_of(key, mac_len), rx);
	return r;
}

/* Three packets one way; the receiver has each of them whole, or zeros. */
static int
protect(const struct ssh_cipher_row *c, enum ssh_mac_id mac, size_t mac_len)
{
	static const uint8_t zeros[PACKET + 64];
	struct ssh_cipher *tx = NULL, *rx = NULL;
	int r = cipher_pair(c, mac, mac_len, &tx, &rx);

	for (uint32_t seq = 0; r == SP_OK && seq < 3; seq++) {
		uint8_t plain[PACKET + 4] = {0, 0, 0, PACKET, 6}, wire[PACKET + 4 + 64] = {0};
		uint32_t n = 0;

		memset(plain + 5, 'p', sizeof(plain) - 5);
		r = ssh_cipher_seal(tx, seq, span_of(plain, 20), span_of(plain + 20, 30),
		    span_of(plain + 50, sizeof(plain) - 50), wire);
		if (r == SP_OK)
			r = ssh_cipher_length(rx, seq, wire, &n);
		if (r != SP_OK)
			break;
		assert_int_equal(n, PACKET);
		r = ssh_cipher_open(rx, seq, wire, n);
		assert_memory_equal(wire, r == SP_OK ? plain : zeros, sizeof(plain));
	}
	ssh_cipher_free(tx);
	ssh_cipher_free(rx);
	return r;
}

static int
ciphers(void)
{
	size_t n, m;
	const struct ssh_cipher_row *c = ssh_cipher_rows(&n);
	const struct ssh_mac_row *macs = ssh_mac_rows(&m);
	int r = SP_OK;

	for (size_t i = 0; r == SP_OK && i < n; i++) {
		if (c[i].has_tag)
			r = protect(&c[i], SSH_MAC_NONE, 0);
		for (size_t k = 0; r == SP_OK && !c[i].has_tag && k < m; k++)
			r = protect(&c[i], macs[k].id, macs[k].key_len);
	}
	return r;
}

static int
agree(const struct ssh_kex_row *row, struct span q_c)
{
	uint8_t q[SSH_Q_MAX], k[SSH_K_MAX], h[SSH_HASH_MAX], out[64];
	struct ssh_exchange e = {.id = row->id,
	    .v_c = SPAN_LIT("SSH-2.0-c"),
	    .v_s = SPAN_LIT("SSH-2.0-s"),
	    .i_c = SPAN_LIT("c"),
	    .i_s = SPAN_LIT("s"),
	    .k_s = SPAN_LIT("k"),
	    .q_c = q_c,
	    .q_s = span_of(q, row->q_len),
	    .k = span_of(k, row->k_len)};
	int r = ssh_kex_agree(row->id, q_c, q, k);

	if (r == SP_OK)
		r = ssh_exchange_hash(&e, h);
	if (r == SP_OK)
		r = ssh_derive_key(row->id, e.k, span_of(h, row->hash_len), 'C',
		    span_of(h, row->hash_len), out, sizeof(out));
	mem_wipe(k, sizeof(k));
	return r;
}

static uint8_t q_c[3][SSH_Q_MAX]; /* public values of clients, made when nothing fails */

static int
curve25519(void)
{
	return agree(ssh_kex_row(SSH_KEX_ID_CURVE25519), span_of(q_c[0], 32));
}

static int
nistp256(void)
{
	return agree(ssh_kex_row(SSH_KEX_ID_NISTP256), span_of(q_c[1], 65));
}

static uint8_t pem[2][8192]; /* host keys: Ed25519 and ECDSA */
static size_t pem_len[2];

static int
sign_and_verify(size_t i, unsigned type)
{
	struct ssh_host_key_pair *k = NULL;
	uint8_t sig[SSH_SIG_BLOB_MAX];
	size_t n = 0;
	int r = ssh_host_key_load(span_of(pem[i], pem_len[i]), &k);

	assert_true((r == SP_OK) == (k != NULL));
	if (r == SP_OK)
		r = ssh_host_key_sign(k, type, SPAN_LIT("hash"), sig, sizeof(sig), &n);
	assert_true(r == SP_OK || n == 0);
	if (r == SP_OK) {
		struct span algorithm = span_str(ssh_host_key_name(type));

		r = ssh_key_verify(
		    ssh_host_key_blob(k), algorithm, SPAN_LIT("hash"), span_of(sig, n), false);
		/* one over something else is never good, whatever fails */
		if (ssh_key_verify(ssh_host_key_blob(k), algorithm, SPAN_LIT("Hash"),
			span_of(sig, n), false) == SP_OK)
			fail_msg("a wrong signature was accepted");
	}
	ssh_host_key_free(k);
	return r;
}

/* Where OpenSSL says no more than no, it is the key or the signature that is blamed. */
static int
blamed(int r)
{
	return r == SP_ESYNTAX || r == SP_ERANGE || r == SP_EAUTH ? SP_ECRYPTO : r;
}

static int
ed25519(void)
{
	return blamed(sign_and_verify(0, 1));
}

static int
ecdsa(void)
{
	return blamed(sign_and_verify(1, 2));
}

static uint8_t known_blob[256], known_sig[SSH_SIG_BLOB_MAX]; /* of the ECDSA key, over "hash" */
static size_t known_blob_len, known_sig_len;

static int
verify(void)
{
	static const struct span algorithm = {(const uint8_t *)"ecdsa-sha2-nistp256", 19};
	struct span blob = span_of(known_blob, known_blob_len);
	struct span sig = span_of(known_sig, known_sig_len);
	int r = ssh_key_verify(blob, algorithm, SPAN_LIT("hash"), sig, false);

	if (ssh_key_verify(blob, algorithm, SPAN_LIT("Hash"), sig, false) == SP_OK)
		fail_msg("a wrong signature was accepted");
	return blamed(r);
}

static int
no_input(void *arg)
{
	(void)arg;
	return SP_ETIMEOUT; /* both ends are here: what was sent is there */
}

static int
protect_link(struct link *a, struct link *b)
{
	size_t n;
	struct ssh_cipher *tx = NULL, *rx = NULL;
	int r = cipher_pair(&ssh_cipher_rows(&n)[0], SSH_MAC_NONE, 0, &tx, &rx);

	if (r != SP_OK) {
		ssh_cipher_free(tx);
		ssh_cipher_free(rx);
		return r;
	}
	link_rekey(&a->tx, tx, true);
	link_rekey(&b->rx, rx, true);
	return SP_OK;
}

static int
pass(struct link *a, struct link *b, size_t n)
{
	static uint8_t packet[LINK_HEAD + 1000];
	struct span s;
	uint32_t seq;
	int r;

	memset(packet + LINK_HEAD, 'x', n);
	r = link_send(a, packet, n, SPAN_LIT("behind"));
	if (r == SP_OK)
		r = link_flush(a);
	if (r == SP_OK)
		r = link_recv(b, &s, &seq);
	if (r == SP_OK) {
		assert_int_equal(s.len, n + 6);
		assert_int_equal(s.ptr[n - 1], 'x');
		assert_memory_equal(s.ptr + n, "behind", 6);
	}
	return r;
}

static int
packets(void)
{
	DEFER(close_fd) int left = -1;
	DEFER(close_fd) int right = -1;
	struct link a = {.fd = -1}, b = {.fd = -1};
	int fds[2], r;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	left = fds[0];
	right = fds[1];
	r = link_init(&a, left, 1000, no_input, NULL);
	if (r == SP_OK)
		r = link_init(&b, right, 1000, no_input, NULL);
	for (size_t n = 1; r == SP_OK && n < 1000; n += 333)
		r = pass(&a, &b, n);
	if (r == SP_OK)
		r = protect_link(&a, &b);
	for (size_t n = 1; r == SP_OK && n < 1000; n += 333)
		r = pass(&a, &b, n);
	link_done(&a);
	link_done(&b);
	return r;
}

/* ---- all of them ---- */

static void
test_memory(void **state)
{
	(void)state;
	assert_true(every_failure(ciphers, MEMORY) >= 3);
	assert_true(every_failure(ed25519, MEMORY) >= 1);
	assert_true(every_failure(ecdsa, MEMORY) >= 1);
	assert_true(every_failure(packets, MEMORY) >= 6);
}

static void
test_openssl_memory(void **state)
{
	(void)state;
	assert_true(every_failure(ciphers, OPENSSL) >= 10);
	assert_true(every_failure(curve25519, OPENSSL) >= 20);
	assert_true(every_failure(nistp256, OPENSSL) >= 20);
	assert_true(every_failure(ed25519, OPENSSL) >= 20);
	assert_true(every_failure(verify, OPENSSL) >= 20);
	assert_true(every_failure(packets, OPENSSL) >= 1);
}

static void
test_system_calls(void **state)
{
	(void)state;
	assert_true(every_failure(packets, SYSTEM) >= 12);
}

static bool
sign_known(void)
{
	struct ssh_host_key_pair *k = NULL;
	struct span blob;
	bool ok;

	if (ssh_host_key_load(span_of(pem[1], pem_len[1]), &k) != SP_OK)
		return false;
	blob = ssh_host_key_blob(k);
	known_blob_len = blob.len;
	ok = blob.len <= sizeof(known_blob);
	if (ok)
		memcpy(known_blob, blob.ptr, blob.len);
	ok = ok && ssh_host_key_sign(k, 2, SPAN_LIT("hash"), known_sig, sizeof(known_sig),
		       &known_sig_len) == SP_OK;
	ssh_host_key_free(k);
	return ok;
}

/* Nothing fails yet. */
static bool
prepare(void)
{
	size_t n;
	const struct ssh_kex_row *rows = ssh_kex_rows(&n);
	uint8_t k[SSH_K_MAX];

	/* generators: 9 for curve25519, the groups' base points for the others */
	static const char *const base[] = {
	    "0900000000000000000000000000000000000000000000000000000000000000",
	    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
	    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a54"
	    "5e3872760ab7"
	    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d"
	    "7c90ea0e5f"};

	for (size_t i = 0; i < n; i++) {
		uint8_t q[SSH_Q_MAX];

		if (parse_hex(span_str(base[rows[i].id - 1]), q_c[rows[i].id - 1], rows[i].q_len) !=
			SP_OK ||
		    ssh_kex_agree(rows[i].id, span_of(q_c[rows[i].id - 1], rows[i].q_len), q, k) !=
			SP_OK)
			return false;
	}
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	return ssh_host_key_make(1, pem[0], sizeof(pem[0]), &pem_len[0]) == SP_OK &&
	       ssh_host_key_make(2, pem[1], sizeof(pem[1]), &pem_len[1]) == SP_OK && sign_known();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_openssl_memory),
	    cmocka_unit_test(test_system_calls),
	};

	if (!fault_ready() || ssh_cipher_ready() < 0 || ssh_kex_ready() < 0 ||
	    ssh_key_ready() < 0 || !prepare())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
