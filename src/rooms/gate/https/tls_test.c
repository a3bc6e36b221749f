/* tls_test.c - handshakes with a signer on the other side of a socket. */
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "rooms/gate/https/tls_world.h"
#include "sys/clock.h"
#include "sys/fd.h"

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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
		assert_int_equal(world_begin(w, &server, &tls), SP_OK);
		world_end(w, server, tls);
	}
}

/* refused_client - the handshake fails on both sides, without a signature. */
static void
refused_client(struct world *w, int reason)
{
	struct tls_server *server = NULL;
	struct tls *tls = NULL;

	assert_int_equal(world_begin(w, &server, &tls), SP_ESYNTAX);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	int err = world_begin(w, &server, &tls);

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
	};

	if (world_prepare() != SP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
