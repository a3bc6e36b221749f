/* hostile_test.c - clients that waste time, memory or patience; malformed packets in every phase.
 */
#include "rooms/gate/sftp/engine_fix.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/fd.h"

static void
over(struct engine *e, const char *limit)
{
	engine_over(e);
	assert_string_equal(e->limit, limit);
	assert_int_equal(e->limits, limit[0] != '\0');
	mem_free(e);
}

/* Whatever it says is not looked at. */
static void
hangs_up(struct peer *p)
{
	int64_t end = clock_mono_ms() + PEER_PATIENCE_MS;

	while (!p->closed) {
		assert_true(clock_mono_ms() < end);
		p->at = p->have;
		(void)peer_pending(p, 100);
	}
}

/* Packets without pause until the server hangs up, at most 6 seconds. */
static void
chatter(struct peer *p, uint8_t number)
{
	int64_t end = clock_mono_ms() + 6000;

	while (!p->closed && clock_mono_ms() < end) {
		struct wr w = peer_writer(p);

		if (number == SSH_MSG_CHANNEL_DATA) {
			wr_uint(&w, number, 1);
			wr_uint(&w, 0, 4);
			ssh_put_string(&w, span_of(NULL, 0));
		} else if (number == SSH_MSG_IGNORE)
			ssh_put_ignore(&w, SPAN_LIT("x"));
		else
			wr_uint(&w, number, 1);
		peer_send(p, &w);
		while (!p->closed && p->have < PEER_IN_BYTES / 2 && peer_pending(p, 0) &&
		       p->have != p->at)
			if (p->have - p->at < 64)
				break;
			else
				(void)peer_recv(p, &(struct span){0});
		clock_sleep_ms(0);
	}
	assert_true(clock_mono_ms() < end);
}

static void
test_login_grace(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct engine *e = engine_new();
		int64_t began = clock_mono_ms();
		struct peer *p;

		e->conf.login_grace = 1;
		engine_start(e);
		p = e->peer;
		if (i == 1 || i == 2) {
			peer_first(p);
			peer_service(p);
		}
		if (i == 1) /* silent */
			peer_dies(p, SSH_DISCONNECT_BY_APPLICATION);
		else if (i == 2)
			chatter(p, SSH_MSG_IGNORE);
		else if (i == 3) { /* a byte at a time */
			static const char line[] = "SSH-2.0-slow";

			for (size_t k = 0; k < 12; k++) {
				peer_bytes(p, span_of(line + k, 1));
				clock_sleep_ms(150);
			}
			hangs_up(p);
		} else /* not even a version */
			hangs_up(p);
		assert_in_range(clock_mono_ms() - began, 900, 5000);
		over(e, "LoginGraceTime");
	}
}

/* Before the login: unknown messages are answered, and the answers are not read. */
static void
test_login_grace_unread(void **state)
{
	struct engine *e = engine_new();
	int64_t began = clock_mono_ms();
	struct peer *p;

	(void)state;
	e->conf.login_grace = 2;
	engine_start(e);
	p = e->peer;
	peer_first(p);
	peer_service(p);
	while (clock_mono_ms() - began < 3500) {
		struct wr w = peer_writer(p);

		wr_uint(&w, 70, 1); /* nobody's number: UNIMPLEMENTED */
		{		    /* as peer_send, but never reading */
			static const uint8_t zeros[32];
			size_t n = 1 + w.len, pad = 16 - n % 16;
			struct wr head = wr_of(p->buf, 5);

			if (pad < 4)
				pad += 16;
			wr_uint(&head, 1 + w.len + pad, 4);
			wr_uint(&head, pad, 1);
			assert_int_equal(
			    ssh_cipher_seal(p->tx, p->tx_seq, span_of(p->buf, 5 + w.len),
				span_of(NULL, 0), span_of(zeros, pad), p->out),
			    SP_OK);
			p->tx_seq++;
			n = 5 + w.len + pad + 16;
			for (size_t at = 0; at < n && clock_mono_ms() - began < 3500;) {
				int64_t k = sock_write_some(p->fd, p->out + at, n - at);

				if (k > 0)
					at += (size_t)k;
				else if (k == SP_EFULL)
					clock_sleep_ms(10);
				else
					began = 0;
			}
		}
	}
	hangs_up(p);
	over(e, "LoginGraceTime");
}

static void
test_idle(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct engine *e = engine_new();
		struct peer *p;

		e->conf.sftp_idle_timeout = 1;
		e->conf.alive_interval = 0;
		p = engine_begin(e, 1u << 20, 32768);
		if (i == 0)
			peer_dies(p, SSH_DISCONNECT_BY_APPLICATION);
		else
			chatter(p, i == 1 ? SSH_MSG_IGNORE : SSH_MSG_CHANNEL_DATA);
		over(e, "SftpIdleTimeout");
	}
}

/* A long download of which the client only makes room for more is not idle. */
static void
test_not_idle(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	static uint8_t got[8000];

	(void)state;
	engine_serves(serve_source);
	source_bytes = 8000;
	e->conf.sftp_idle_timeout = 1;
	p = engine_begin(e, 1000, 32768);
	for (int i = 0; i < 8; i++) {
		peer_take(p, got + i * 1000, 1000);
		clock_sleep_ms(400);
		peer_adjust(p, 1000);
	}
	assert_int_equal(peer_ended(p), 0);
	engine_end(e);
}

static void
test_alive(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	e->conf.alive_interval = 1;
	e->conf.alive_count = 2;
	p = engine_begin(e, 1u << 20, 32768);
	(void)peer_expect(p, SSH_MSG_GLOBAL_REQUEST);
	peer_number(p, SSH_MSG_REQUEST_FAILURE);
	peer_dies(p, SSH_DISCONNECT_CONNECTION_LOST);
	assert_int_equal(p->keepalives, 2);
	over(e, "ClientAliveCountMax");
}

/* The server has sent its KEXINIT, and waits for ours. */
static void
rekey_is_begun(struct engine *e)
{
	e->conf.rekey_bytes = 10;
	peer_adjust(e->peer, 1);
	(void)peer_expect(e->peer, SSH_MSG_KEXINIT);
}

/* Silence in an exchange that we began is silence. */
static void
test_alive_exchanging(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	e->conf.alive_interval = 1;
	e->conf.alive_count = 1;
	p = engine_begin(e, 1u << 20, 32768);
	rekey_is_begun(e);
	peer_dies(p, SSH_DISCONNECT_CONNECTION_LOST);
	over(e, "ClientAliveCountMax");
}

static void
test_stall(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	engine_serves(serve_source);
	source_bytes = 100u << 20;
	e->conf.stall_timeout = 1;
	p = engine_begin(e, 1u << 30, 131072);
	clock_sleep_ms(2500);
	hangs_up(p);
	over(e, "StallTimeout");
}

/* Requests that wait for the end of an exchange have a number. */
static void
test_deferred(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	p = engine_begin(e, 1u << 20, 32768);
	rekey_is_begun(e);
	for (int i = 0; i < 5000 && !p->closed; i++)
		peer_request(p, "env", "A", true);
	peer_dies(p, SSH_DISCONNECT_PROTOCOL_ERROR);
	over(e, "deferred requests");
}

static void
test_bad_packets(void **state)
{
	static const struct {
		uint8_t head[4];
		unsigned reason;
	} rows[] = {
	    {{0xff, 0xff, 0xff, 0xff}, SSH_DISCONNECT_PROTOCOL_ERROR},
	    {{0, 0, 0, 0}, SSH_DISCONNECT_PROTOCOL_ERROR},
	    {{0, 0, 0, 7}, SSH_DISCONNECT_PROTOCOL_ERROR},
	    {{0, 0, 0, 17}, SSH_DISCONNECT_PROTOCOL_ERROR},
	    {{0, 4, 0, 16}, SSH_DISCONNECT_PROTOCOL_ERROR},
	    {{0, 0, 0, 32}, SSH_DISCONNECT_MAC_ERROR},
	};
	static const uint8_t rest[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = engine_new();
		struct peer *p = engine_begin(e, 1u << 20, 32768);

		peer_bytes(p, span_of(rows[i].head, 4));
		peer_bytes(p, span_of(rest, sizeof(rest)));
		peer_dies(p, rows[i].reason);
		over(e, rows[i].reason == SSH_DISCONNECT_MAC_ERROR ? "" : "packet length");
	}
}

/* Messages of every number, alone and with a little behind it, in every phase: the connection ends
 * or goes on, and nothing else happens. */
static void
test_numbers(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 256; n++)
		for (int i = 0; i < 4; i++) {
			struct engine *e = engine_new();
			struct peer *p;
			struct span m;
			struct wr w;

			if (i > 1 && n % 5 != 0 && (n < 90 || n > 100)) {
				ssh_host_key_free(e->key);
				mem_free(e);
				continue;
			}
			engine_start(e);
			p = e->peer;
			if (i == 0) {
				peer_versions(p);
				(void)peer_expect(p, SSH_MSG_KEXINIT);
			} else if (i == 1) {
				peer_first(p);
			} else if (i == 2)
				peer_login(p);
			else
				peer_session(p, 1000, 1000);
			w = peer_writer(p);
			wr_uint(&w, n, 1);
			wr_bytes(&w, SPAN_LIT("\0\0\0\0\0\0\0\1x"));
			peer_send(p, &w);
			peer_number(p, (uint8_t)n);
			w = peer_writer(p);
			ssh_put_disconnect(&w, 11, SPAN_LIT("bye"));
			peer_send(p, &w);
			while (peer_recv(p, &m))
				;
			engine_end(e);
		}
}

/* Very many tiny packets cost no more than their own. */
static void
test_tiny(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	static uint8_t x[1u << 21], got[1u << 21];
	int64_t began;

	(void)state;
	e->conf.sftp_window = 64 << 20;
	p = engine_begin(e, 0, 32768);
	/* half of the window lies here; then a byte comes and a byte goes */
	for (size_t at = 0; at < sizeof(x); at += 65536)
		peer_data(p, span_of(x, 65536));
	began = clock_mono_ms();
	for (size_t i = 0; i < 20000; i++) {
		peer_data(p, span_of(x, 1));
		peer_adjust(p, 1);
		peer_take(p, got, 1);
	}
	assert_true(clock_mono_ms() - began < 20000);
	peer_adjust(p, 1u << 30);
	peer_take(p, got, sizeof(x));
	engine_end(e);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_login_grace),
	    cmocka_unit_test(test_login_grace_unread),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_not_idle),
	    cmocka_unit_test(test_alive),
	    cmocka_unit_test(test_alive_exchanging),
	    cmocka_unit_test(test_stall),
	    cmocka_unit_test(test_deferred),
	    cmocka_unit_test(test_bad_packets),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_tiny),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
