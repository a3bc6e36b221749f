/* tls_data_test.c - bytes over TLS: amounts, waits, ends, and nothing negotiated anew. */
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "rooms/gate/https/tls_world.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define BIG (3u * 1024 * 1024 + 77)

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
		assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
	assert_int_equal(tls_read(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_read(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_write_all(tls, &b, 1, TIMEOUT), SP_ECLOSED);
	assert_int_equal(tls_wait(tls, TIMEOUT), SP_ECLOSED);
	world_end(w, server, tls);
	w = world_new(EVP_EC_gen("P-256"), HONEST);
	tls = NULL;
	w->script = say_goodbye;
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	assert_int_equal(world_begin(w, &server, &tls), SP_OK);
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
	    cmocka_unit_test(test_big_echo),
	    cmocka_unit_test(test_timeouts),
	    cmocka_unit_test(test_write_stall),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_no_renegotiation),
	    cmocka_unit_test(test_no_tickets),
	};

	if (world_prepare() != SP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
