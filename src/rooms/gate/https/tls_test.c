/* tls_test.c - handshakes with a signer on the other side of a socket, by OpenSSL's own client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/sign.h"
#include "proto/tls/tls_input.h"
#include "rooms/gate/https/tls.h"
#include "rooms/gate/https/tls_provider.h"
#include "ipc/chan.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define TIMEOUT 5000
#define BIG (3u * 1024 * 1024 + 77)

enum signer_mood { HONEST, SILENT, REFUSES, GARBAGE, GONE };

/* The other side of everything: a signer thread, a client thread, and what they saw. */
struct world {
	EVP_PKEY *pkey;
	struct sign_key *key;
	uint8_t cert[4096];
	size_t cert_len;
	struct chan worker_end, signer_end;
	enum signer_mood mood;
	unsigned signatures;
	enum tls_input input;
	uint16_t scheme;
	pthread_t signer_thread, client_thread;
	int server_fd, client_fd;
	/* the client */
	SSL_CTX *client_ctx;
	SSL *client;
	void (*script)(struct world *);
	int handshake; /* result of SSL_connect */
	int reason;    /* of its failure */
};

/* ---- signer ---- */

static void
sign_one(struct world *w, const struct ipc_tls_sign *m)
{
	uint8_t sig[SIGN_MAX] = {0};
	size_t len = 64;
	struct ipc_tls_signature r = {0};

	assert_int_equal(tls_input_check(m->input, &w->input), SP_OK);
	assert_true(sign_fits(w->key, m->scheme, w->input == TLS_INPUT_13));
	w->scheme = m->scheme;
	w->signatures++;
	if (w->mood == HONEST)
		assert_int_equal(
		    sign_make(w->key, m->scheme, m->input, sig, sizeof(sig), &len), SP_OK);
	if (w->mood == REFUSES)
		r.err = 24;
	else
		r.signature = span_of(sig, len);
	if (w->mood != SILENT)
		assert_int_equal(chan_send_tls_signature(&w->signer_end, &r, -1), SP_OK);
}

static void *
signer_main(void *arg)
{
	struct world *w = arg;
	uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_tls_sign m;
	struct chan_msg in;

	while (chan_recv(&w->signer_end, PH_ANY, true, buf, IPC_MAX, &in) == 1) {
		assert_int_equal(in.id, IPC_TLS_SIGN);
		assert_int_equal(ipc_get_tls_sign(in.body, &m), SP_OK);
		sign_one(w, &m);
		chan_msg_done(&in);
	}
	mem_free(buf);
	return NULL;
}

/* ---- client ---- */

static void *
client_main(void *arg)
{
	struct world *w = arg;

	w->client = SSL_new(w->client_ctx);
	SSL_set_fd(w->client, w->client_fd);
	w->handshake = SSL_connect(w->client);
	w->reason = ERR_GET_REASON(ERR_peek_error());
	ERR_clear_error();
	if (w->handshake == 1 && w->script != NULL)
		w->script(w);
	SSL_free(w->client);
	(void)shutdown(w->client_fd, SHUT_RDWR);
	return NULL;
}

/* ---- the world ---- */

static void
make_cert(struct world *w)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	const EVP_MD *md = EVP_PKEY_is_a(w->pkey, "ED25519") ? NULL : EVP_sha256();
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t pem[8192];
	int n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, w->pkey);
	assert_true(X509_sign(x, w->pkey, md) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	w->cert_len = (size_t)BIO_read(bio, w->cert, sizeof(w->cert));
	assert_int_equal(PEM_write_bio_PrivateKey(bio, w->pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, pem, sizeof(pem));
	assert_int_equal(sign_key_load(span_of(pem, (size_t)n), &w->key), SP_OK);
	BIO_free(bio);
	X509_free(x);
}

static struct world *
world_new(EVP_PKEY *pkey, enum signer_mood mood)
{
	struct world *w = mem_alloc(sizeof(*w));
	int pair[2];

	assert_non_null(pkey);
	w->pkey = pkey;
	w->mood = mood;
	make_cert(w);
	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(&w->worker_end, pair[0], ROOM_WORKER_HTTPS, ROOM_SIGNER);
	chan_init(&w->signer_end, pair[1], ROOM_SIGNER, ROOM_WORKER_HTTPS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->server_fd = pair[0];
	w->client_fd = pair[1];
	if (mood == GONE)
		chan_close(&w->signer_end);
	else
		assert_int_equal(pthread_create(&w->signer_thread, NULL, signer_main, w), 0);
	w->client_ctx = SSL_CTX_new(TLS_client_method());
	return w;
}

/* begin - the client goes; the server's side of the handshake is done here. */
static int
begin(struct world *w, struct tls_server **ret_server, struct tls **ret)
{
	assert_int_equal(
	    tls_server_new(span_of(w->cert, w->cert_len), &w->worker_end, ret_server), SP_OK);
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	return tls_accept(*ret_server, w->server_fd, TIMEOUT, ret);
}

static void
world_end(struct world *w, struct tls_server *server, struct tls *tls)
{
	tls_free(tls);
	tls_server_free(server);
	(void)shutdown(w->server_fd, SHUT_RDWR);
	pthread_join(w->client_thread, NULL);
	(void)shutdown(w->worker_end.fd, SHUT_RDWR);
	if (w->mood != GONE)
		pthread_join(w->signer_thread, NULL);
	chan_close(&w->worker_end);
	chan_close(&w->signer_end);
	(void)close(w->server_fd);
	(void)close(w->client_fd);
	SSL_CTX_free(w->client_ctx);
	sign_key_free(w->key);
	EVP_PKEY_free(w->pkey);
	mem_free(w);
}

/* ---- handshakes ---- */

static void
one_handshake(EVP_PKEY *pkey, int version, enum tls_input input, const char *suite)
{
	struct world *w = world_new(pkey, HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	SSL_CTX_set_min_proto_version(w->client_ctx, version);
	SSL_CTX_set_max_proto_version(w->client_ctx, version);
	if (suite != NULL && version == TLS1_2_VERSION)
		assert_int_equal(SSL_CTX_set_cipher_list(w->client_ctx, suite), 1);
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_string_equal(tls_version(tls), version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
	assert_string_equal(tls_alpn(tls), "");
	assert_int_equal(w->signatures, 1);
	assert_int_equal(w->input, input);
	world_end(w, server, tls);
}

static void
test_every_key_and_version(void **state)
{
	(void)state;
	one_handshake(EVP_EC_gen("P-256"), TLS1_3_VERSION, TLS_INPUT_13, NULL);
	one_handshake(EVP_EC_gen("P-384"), TLS1_3_VERSION, TLS_INPUT_13, NULL);
	one_handshake(EVP_RSA_gen(2048), TLS1_3_VERSION, TLS_INPUT_13, NULL);
	one_handshake(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TLS1_3_VERSION, TLS_INPUT_13, NULL);
	one_handshake(EVP_EC_gen("P-256"), TLS1_2_VERSION, TLS_INPUT_12, NULL);
	one_handshake(EVP_EC_gen("P-384"), TLS1_2_VERSION, TLS_INPUT_12, NULL);
	one_handshake(EVP_RSA_gen(2048), TLS1_2_VERSION, TLS_INPUT_12, NULL);
	one_handshake(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TLS1_2_VERSION, TLS_INPUT_12, NULL);
	one_handshake(
	    EVP_RSA_gen(2048), TLS1_2_VERSION, TLS_INPUT_12, "ECDHE-RSA-CHACHA20-POLY1305");
}

static void
test_every_group(void **state)
{
	static const char *const names[] = {"X25519", "P-256", "P-384"};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		/* RSA: in TLS 1.2 the list of groups also restricts ECDSA certificates */
		struct world *w = world_new(EVP_RSA_gen(2048), HONEST);
		struct tls_server *server = NULL;
		struct tls *tls = NULL;

		SSL_CTX_set1_groups_list(w->client_ctx, names[i / 2]);
		SSL_CTX_set_max_proto_version(
		    w->client_ctx, i % 2 != 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_int_equal(begin(w, &server, &tls), SP_OK);
		world_end(w, server, tls);
	}
}

/* refused_client - the handshake fails on both sides, without a signature. */
static void
refused_client(struct world *w, int reason)
{
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	assert_int_equal(begin(w, &server, &tls), SP_ESYNTAX);
	assert_null(tls);
	(void)shutdown(w->server_fd, SHUT_RDWR);
	pthread_join(w->client_thread, NULL);
	assert_int_not_equal(w->handshake, 1);
	if (reason != 0)
		assert_int_equal(w->reason, reason);
	assert_int_equal(w->signatures, 0);
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	world_end(w, server, tls);
}

static void
test_refused_settings(void **state)
{
	static const char *const suites[] = {"AES128-GCM-SHA256", "AES256-SHA",
	    "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256"};
	static const unsigned char h2[] = "\x02h2";
	struct world *w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		w = world_new(EVP_RSA_gen(2048), HONEST);
		SSL_CTX_set_max_proto_version(w->client_ctx, TLS1_2_VERSION);
		assert_int_equal(SSL_CTX_set_cipher_list(w->client_ctx, suites[i]), 1);
		refused_client(w, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
	}
	w = world_new(EVP_EC_gen("P-256"), HONEST);
	SSL_CTX_set_security_level(w->client_ctx, 0);
	SSL_CTX_set_min_proto_version(w->client_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(w->client_ctx, TLS1_1_VERSION);
	SSL_CTX_set_cipher_list(w->client_ctx, "ALL:@SECLEVEL=0");
	refused_client(w, 0);
	w = world_new(EVP_EC_gen("P-256"), HONEST);
	SSL_CTX_set1_groups_list(w->client_ctx, "P-521");
	refused_client(w, 0);
	w = world_new(EVP_EC_gen("P-256"), HONEST);
	SSL_CTX_set_alpn_protos(w->client_ctx, h2, sizeof(h2) - 1);
	refused_client(w, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}

static void
test_alpn(void **state)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	(void)state;
	SSL_CTX_set_alpn_protos(w->client_ctx, offer, sizeof(offer) - 1);
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_string_equal(tls_alpn(tls), "http/1.1");
	world_end(w, server, tls);
}

/* A signer that does not answer well ends the handshake and nothing else. */
static void
bad_signer(enum signer_mood mood, int want)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), mood);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	int err = begin(w, &server, &tls);

	if (mood == GARBAGE) { /* only the client can tell */
		uint8_t b;

		if (err == SP_OK)
			err = (int)tls_read(tls, &b, 1, TIMEOUT);
		assert_true(err == SP_ESYNTAX || err == SP_ECLOSED);
	} else {
		assert_int_equal(err, want);
		assert_null(tls);
	}
	(void)shutdown(w->server_fd, SHUT_RDWR);
	pthread_join(w->client_thread, NULL);
	assert_int_not_equal(w->handshake, 1);
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	world_end(w, server, tls);
}

static void
test_bad_signer(void **state)
{
	(void)state;
	bad_signer(REFUSES, SP_EUNAVAIL);
	bad_signer(GONE, SP_EUNAVAIL);
	bad_signer(GARBAGE, 0);
}

static void
test_not_tls(void **state)
{
	static const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n",
	    "\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\x80\x2e\x01\x03\x01",
	    "\xff\xff\xff\xff\xff\xff\xff\xff"};
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	(void)state;
	assert_int_equal(
	    tls_server_new(span_of(w->cert, w->cert_len), &w->worker_end, &server), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		int pair[2];
		size_t n = i == 1 ? 9 : strlen(garbage[i]);

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(sock_write_all(pair[1], garbage[i], n), SP_OK);
		(void)shutdown(pair[1], SHUT_WR);
		assert_true(tls_accept(server, pair[0], TIMEOUT, &tls) < 0);
		assert_null(tls);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	world_end(w, server, tls);
}

/* A client that dribbles does not get more time than the handshake has. */
static void
test_handshake_deadline(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	int pair[2];
	int64_t before;

	(void)state;
	assert_int_equal(
	    tls_server_new(span_of(w->cert, w->cert_len), &w->worker_end, &server), SP_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(sock_write_all(pair[1], "\x16\x03", 2), SP_OK);
	before = clock_mono_ms();
	assert_int_equal(tls_accept(server, pair[0], 200, &tls), SP_ETIMEOUT);
	assert_true(clock_mono_ms() - before < 2000);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	world_end(w, server, tls);
}

static void
test_bad_certificate(void **state)
{
	struct chan none;
	struct tls_server *server = NULL;

	(void)state;
	chan_init(&none, -1, ROOM_WORKER_HTTPS, ROOM_SIGNER);
	assert_int_equal(tls_server_new(SPAN_LIT(""), &none, &server), SP_ECONFIG);
	assert_int_equal(
	    tls_server_new(SPAN_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n"), &none, &server),
	    SP_ECONFIG);
	assert_null(server);
}

/* ---- data ---- */

static void
echo_big(struct world *w)
{
	uint8_t buf[50000];
	size_t n, sent = 0;

	while (sent < BIG) {
		size_t want = BIG - sent < sizeof(buf) ? BIG - sent : sizeof(buf);

		for (size_t i = 0; i < want; i++)
			buf[i] = (uint8_t)((sent + i) * 31 >> 3);
		assert_int_equal(SSL_write_ex(w->client, buf, want, &n), 1);
		sent += n;
	}
	for (size_t got = 0; got < BIG; got += n) {
		assert_int_equal(SSL_read_ex(w->client, buf, sizeof(buf), &n), 1);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf[i], (uint8_t)((got + i) * 31 >> 3));
	}
	assert_int_equal(SSL_read_ex(w->client, buf, 1, &n), 0);
	assert_int_equal(SSL_get_error(w->client, 0), SSL_ERROR_ZERO_RETURN);
	(void)SSL_shutdown(w->client);
}

static void
test_big_echo(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
		struct tls_server *server = NULL;
		struct tls *tls = NULL;
		uint8_t *all = mem_alloc(BIG);
		size_t got = 0;

		SSL_CTX_set_max_proto_version(w->client_ctx, versions[v]);
		w->script = echo_big;
		assert_int_equal(begin(w, &server, &tls), SP_OK);
		assert_int_equal(tls_wait(tls, TIMEOUT), SP_OK);
		while (got < BIG) {
			int64_t n = tls_read(tls, all + got, BIG - got, TIMEOUT);

			assert_true(n > 0);
			got += (size_t)n;
		}
		assert_false(tls_pending(tls));
		assert_int_equal(tls_write_all(tls, all, BIG, TIMEOUT), SP_OK);
		assert_int_equal(tls_shutdown(tls, TIMEOUT), SP_OK);
		assert_int_equal(tls_read(tls, all, 1, TIMEOUT), 0);
		mem_free(all);
		world_end(w, server, tls);
	}
}

static void
say_then_wait(struct world *w)
{
	uint8_t b;
	size_t n;

	assert_int_equal(SSL_write_ex(w->client, "abc", 3, &n), 1);
	(void)SSL_read_ex(w->client, &b, 1, &n); /* until the server goes */
}

static void
test_timeouts(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	uint8_t buf[8], *big = mem_alloc(16u << 20);
	int64_t before;

	(void)state;
	w->script = say_then_wait;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_wait(tls, TIMEOUT), SP_OK);
	assert_true(tls_pending(tls));
	assert_int_equal(tls_wait(tls, TIMEOUT), SP_OK);
	assert_int_equal(tls_read(tls, buf, 1, TIMEOUT), 1);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(tls_read(tls, buf, sizeof(buf), TIMEOUT), 2);
	before = clock_mono_ms();
	assert_int_equal(tls_read(tls, buf, 1, 50), SP_ETIMEOUT);
	assert_int_equal(tls_wait(tls, 50), SP_ETIMEOUT);
	assert_true(clock_mono_ms() - before >= 100);
	/* the client took one byte of the first record and waits no longer for more: it never reads
	 * on */
	assert_int_equal(tls_read(tls, buf, 1, 10), SP_ETIMEOUT);
	mem_free(big);
	world_end(w, server, tls);
}

static void
never_read(struct world *w)
{
	uint8_t b;

	(void)SSL_peek(w->client, &b, 0);
	clock_sleep_ms(600);
}

static void
test_write_stall(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	uint8_t *big = mem_alloc(16u << 20);

	(void)state;
	w->script = never_read;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_write_all(tls, big, 16u << 20, 100), SP_ETIMEOUT);
	mem_free(big);
	world_end(w, server, tls);
}

static void
vanish(struct world *w)
{
	(void)shutdown(w->client_fd, SHUT_RDWR); /* no close_notify */
}

static void
say_goodbye(struct world *w)
{
	(void)SSL_shutdown(w->client);
}

static void
test_ends(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	uint8_t b;

	(void)state;
	w->script = vanish;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_read(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_read(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_write_all(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_wait(tls, TIMEOUT), SP_ECLOSED);
	world_end(w, server, tls);
	w = world_new(EVP_EC_gen("P-256"), HONEST);
	tls = NULL;
	w->script = say_goodbye;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_wait(tls, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_read(tls, &b, 1, TIMEOUT), 0);
	world_end(w, server, tls);
}

static void
ask_again(struct world *w)
{
	/* no session can be resumed, and a TLS 1.2 client may not negotiate anew */
	SSL_SESSION *s = SSL_get1_session(w->client);
	uint8_t b;
	size_t n;

	assert_false(SSL_SESSION_has_ticket(s));
	SSL_SESSION_free(s);
	assert_int_equal(SSL_renegotiate(w->client), 1);
	(void)SSL_do_handshake(w->client);
	(void)SSL_write_ex(w->client, "x", 1, &n);
	(void)SSL_read_ex(w->client, &b, 1, &n);
}

static void
test_no_renegotiation(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;
	uint8_t b;

	(void)state;
	SSL_CTX_set_max_proto_version(w->client_ctx, TLS1_2_VERSION);
	w->script = ask_again;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_true(
	    tls_read(tls, &b, 1, 500) <= 1); /* whatever it says: it was not asked to sign again */
	assert_int_equal(w->signatures, 1);
	world_end(w, server, tls);
}

static void
count_sessions(struct world *w)
{
	uint8_t b;
	size_t n;

	(void)SSL_read_ex(w->client, &b, 1, &n); /* would read tickets too */
	assert_false(SSL_SESSION_has_ticket(SSL_get0_session(w->client)));
	assert_false(SSL_SESSION_is_resumable(SSL_get0_session(w->client)));
}

static void
test_no_tickets(void **state)
{
	struct world *w = world_new(EVP_EC_gen("P-256"), HONEST);
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	(void)state;
	w->script = count_sessions;
	assert_int_equal(begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_write_all(tls, "x", 1, TIMEOUT), SP_OK);
	pthread_join(w->client_thread, NULL);
	w->script = NULL;
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	world_end(w, server, tls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_key_and_version),
	    cmocka_unit_test(test_every_group),
	    cmocka_unit_test(test_refused_settings),
	    cmocka_unit_test(test_alpn),
	    cmocka_unit_test(test_bad_signer),
	    cmocka_unit_test(test_not_tls),
	    cmocka_unit_test(test_handshake_deadline),
	    cmocka_unit_test(test_bad_certificate),
	    cmocka_unit_test(test_big_echo),
	    cmocka_unit_test(test_timeouts),
	    cmocka_unit_test(test_write_stall),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_no_renegotiation),
	    cmocka_unit_test(test_no_tickets),
	};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)sigaction(SIGPIPE, &ignore, NULL); /* as sandbox_prepare does */
	if (tls_provider_load() != SP_OK) /* first of all uses of OpenSSL, as in the worker */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
