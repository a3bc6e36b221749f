/* stream_test.c - the channel's bytes: splits, windows in both directions, rekeys in between. */
#include "rooms/gate/sftp/engine.h"
#include "rooms/gate/sftp/engine_fix.h"

#include "base/mem.h"
#include "sys/clock.h"

#define BIG (3u << 20)

static uint8_t sent[BIG], got[BIG];

static void
pattern(void)
{
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = engine_byte(i);
}

static void
bye(struct engine *e)
{
	peer_channel(e->peer, SSH_MSG_CHANNEL_EOF);
	assert_int_equal(peer_ended(e->peer), 0);
	engine_end(e);
}

/* n bytes there in packets of `size`, and back. */
static void
echo(struct peer *p, size_t n, size_t size)
{
	for (size_t at = 0; at < n; at += size)
		peer_data(p, span_of(sent + at, n - at < size ? n - at : size));
	memset(got, 0, n);
	peer_take(p, got, n);
	assert_memory_equal(got, sent, n);
}

/* ---- what lies where ---- */

static void
test_splits(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 7, 100, 4095, 32768, 65560, 131072};
	static const size_t steps[] = {1, 3, 512, STREAM_WANT_MAX, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct engine *e = engine_new();
		struct peer *p;
		size_t n;

		echo_step = steps[i];
		p = engine_begin(e, 1u << 30, 1u << 30);
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			n = sizes[j] < 100 ? 4 * 1536 : 3 * STREAM_WANT_MAX * 4;
			if (steps[i] == STREAM_WANT_MAX && sizes[j] < 100)
				n = STREAM_WANT_MAX;
			if (steps[i] <= 3)
				n = 9000;
			echo(p, n, sizes[j]);
		}
		bye(e);
	}
}

/* The channel's end in the middle of what is needed. */
static void
test_cut(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	echo_step = 100;
	p = engine_begin(e, 1u << 20, 32768);
	peer_data(p, span_of(sent, 150));
	peer_channel(p, SSH_MSG_CHANNEL_EOF);
	assert_int_not_equal(peer_ended(p), 256);
	/* the connection goes on */
	peer_open(p, 1u << 20, 32768);
	peer_subsystem(p, "sftp");
	echo(p, 1000, 100);
	bye(e);
}

/* ---- windows ---- */

static void
test_small_out_window(void **state)
{
	struct engine *e = engine_new();
	struct peer *p = engine_begin(e, 1, 64);

	(void)state;
	peer_data(p, span_of(sent, 5000));
	memset(got, 0, 5000);
	for (size_t at = 0; at < 300; at++) {
		peer_take(p, got + at, 1);
		peer_adjust(p, 1);
	}
	peer_take(p, got + 300, 1);
	peer_adjust(p, 5000);
	peer_take(p, got + 301, 4699);
	assert_memory_equal(got, sent, 5000);
	bye(e);
}

/* A client that sends while it takes nothing: as much as the window, and not more. */
static void
test_client_sends_ahead(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	size_t n = 0;

	(void)state;
	e->conf.sftp_window = 2 << 20;
	p = engine_begin(e, 1000, 32768);
	assert_int_equal(p->granted, 2 << 20);
	while (p->granted > 0 && n < (2u << 20)) {
		size_t part = p->granted < 30000 ? (size_t)p->granted : 30000;

		peer_data(p, span_of(sent + n, part));
		n += part;
	}
	assert_int_equal(n, 2 << 20);
	peer_adjust(p, BIG);
	peer_take(p, got, n);
	assert_memory_equal(got, sent, n);
	/* and on it goes */
	if (p->adjusts == 0)
		(void)peer_expect(p, SSH_MSG_CHANNEL_WINDOW_ADJUST);
	echo(p, 100000, 1000);
	bye(e);
}

static void
test_window_grows(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	uint64_t most = 0;

	(void)state;
	engine_serves(serve_sink);
	e->conf.sftp_window = 100 << 20;
	p = engine_begin(e, 1u << 20, 32768);
	assert_int_equal(p->granted, WINDOW_FIRST);
	for (size_t at = 0; at < (200u << 20);) {
		size_t n = p->granted < 131072 ? (size_t)p->granted : 131072;

		if (n == 0) {
			struct span m;

			assert_true(peer_recv(p, &m));
			assert_int_equal(m.ptr[0], SSH_MSG_CHANNEL_WINDOW_ADJUST);
			p->adjusts++;
			p->granted += (uint64_t)m.ptr[5] << 24 | (uint64_t)m.ptr[6] << 16 |
				      (uint64_t)m.ptr[7] << 8 | m.ptr[8];
			continue;
		}
		if (p->granted > most)
			most = p->granted;
		/* the pattern has no period that a buffer has */
		for (size_t i = 0; i < n; i++)
			sent[i] = engine_byte(at + i);
		peer_data(p, span_of(sent, n));
		at += n;
	}
	assert_true(most > 2 * (uint64_t)WINDOW_FIRST && most <= (100u << 20));
	peer_channel(p, SSH_MSG_CHANNEL_EOF);
	assert_int_equal(peer_ended(p), 0);
	assert_int_equal(sink_bytes, 200u << 20);
	engine_end(e);
	pattern();
}

static void
test_window_broken(void **state)
{
	static uint8_t big[131073];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct engine *e = engine_new();
		struct peer *p;

		e->conf.sftp_window = 2 << 20;
		p = engine_begin(e, 0, 32768);
		if (i == 0) {
			peer_adjust(p, UINT32_MAX);
			peer_adjust(p, 1);
		} else if (i == 1) {
			peer_data(p, span_of(big, sizeof(big)));
		} else {
			peer_data(p, span_of(sent, 1)); /* echo waits for a window for it */
			for (int k = 0; k < 16; k++)
				peer_data(p, span_of(big, 131072));
		}
		peer_dies(p, SSH_DISCONNECT_PROTOCOL_ERROR);
		engine_over(e);
		assert_int_equal(e->limits, 1);
		assert_string_equal(e->limit, "window");
		mem_free(e);
	}
}

/* ---- new keys ---- */

static void
rekey_by_client(struct peer *p)
{
	peer_kexinit(p);
	for (;;) {
		struct span m;

		assert_true(peer_recv(p, &m));
		if (m.ptr[0] == SSH_MSG_KEXINIT) {
			peer_take_kexinit(p, m);
			break;
		}
		assert_int_equal(m.ptr[0], SSH_MSG_CHANNEL_DATA); /* sent before it heard of it */
	}
	peer_exchange(p);
}

static void
test_rekey_by_client(void **state)
{
	struct engine *e = engine_new();
	struct peer *p = engine_begin(e, 1u << 24, 32768);

	(void)state;
	for (int i = 0; i < 40; i++) { /* more than the signer's burst: we pace */
		rekey_by_client(p);
		echo(p, 3000, 1000);
	}
	assert_int_equal(e->signs, 41);
	bye(e);
}

/* Their KEXINIT comes while what was sent has only half arrived. */
static void
test_rekey_in_the_middle(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	echo_step = 5000;
	p = engine_begin(e, 1u << 24, 32768);
	peer_data(p, span_of(sent, 4000));
	rekey_by_client(p);
	peer_data(p, span_of(sent + 4000, 6000));
	peer_take(p, got, 5000);
	peer_take(p, got + 5000, 5000);
	assert_memory_equal(got, sent, 10000);
	echo_step = SIZE_MAX;
	bye(e);
}

/* Ours: due at the next packet. */
static struct span
await_kexinit(struct peer *p)
{
	return peer_expect(p, SSH_MSG_KEXINIT);
}

/* asyncssh sends data behind its own KEXINIT, and a request; both under the old keys. */
static void
test_rekey_data_behind(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	echo_step = 9000;
	p = engine_begin(e, 1u << 24, 32768);
	for (int i = 0; i < 3; i++) {
		peer_data(p, span_of(sent, 2000));
		peer_kexinit(p);
		peer_data(p, span_of(sent + 2000, 3000));
		peer_request(p, "env", NULL, true);
		peer_data(p, span_of(sent + 5000, 4000));
		peer_take_kexinit(p, await_kexinit(p));
		peer_exchange(p);
		(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
		peer_take(p, got, 9000);
		assert_memory_equal(got, sent, 9000);
	}
	echo_step = SIZE_MAX;
	bye(e);
}

/* Data that comes between our KEXINIT and the client's is served when the exchange is over, without
 * a packet more. */
static void
test_rekey_by_us(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	struct wr w;

	(void)state;
	e->conf.rekey_bytes = 20000;
	p = engine_begin(e, 1u << 24, 32768);
	peer_data(p, span_of(sent, 30000));
	/* what was asked before is answered before or behind */
	size_t have = 0;

	for (;;) {
		struct span m;
		struct rd r;

		assert_true(peer_recv(p, &m));
		if (m.ptr[0] == SSH_MSG_KEXINIT) {
			peer_take_kexinit(p, m);
			break;
		}
		assert_int_equal(m.ptr[0], SSH_MSG_CHANNEL_DATA);
		r = rd_of(span_skip(m, 5));
		have += ssh_take_string(&r).len;
	}
	peer_data(p, span_of(sent + 30000, 500));
	w = peer_writer(p);
	ssh_put_global_request(&w, SPAN_LIT("keepalive@openssh.com"), true);
	peer_send(p, &w);
	peer_request(p, "env", "A", true);
	assert_false(peer_pending(p, 100));
	e->conf.rekey_bytes = 1 << 30;
	peer_kexinit(p);
	peer_exchange(p);
	(void)peer_expect(p, SSH_MSG_REQUEST_FAILURE);
	(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
	peer_take(p, got, 30500 - have);
	assert_memory_equal(got, sent + have, 30500 - have);
	assert_int_equal(e->signs, 2);
	echo(p, 5000, 1000);
	bye(e);
}

/* The same with the window that a waiting sender needs. */
static void
test_rekey_window(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	engine_serves(serve_source);
	source_bytes = 50000;
	e->conf.rekey_bytes = 8000;
	p = engine_begin(e, 10000, 32768);
	peer_take(p, got, 10000);
	peer_take_kexinit(p, await_kexinit(p));
	peer_adjust(p, 40000); /* before our KEXINIT */
	e->conf.rekey_bytes = 1 << 30;
	peer_kexinit(p);
	peer_exchange(p);
	peer_take(p, got + 10000, 40000);
	assert_memory_equal(got, sent, 50000);
	assert_int_equal(peer_ended(p), 0);
	engine_end(e);
}

/* The channel's end comes before the client's KEXINIT. */
static void
test_rekey_end(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	engine_serves(serve_sink);
	e->conf.rekey_bytes = 20000;
	p = engine_begin(e, 1u << 20, 32768);
	peer_data(p, span_of(sent, 25000));
	peer_take_kexinit(p, await_kexinit(p));
	peer_channel(p, SSH_MSG_CHANNEL_EOF);
	e->conf.rekey_bytes = 1 << 30;
	peer_kexinit(p);
	peer_exchange(p);
	assert_int_equal(peer_ended(p), 0);
	engine_end(e);
}

/* A session that is asked for during our exchange, with its first data behind it. */
static void
test_rekey_opens(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	p = engine_begin(e, 1u << 20, 32768);
	peer_channel(p, SSH_MSG_CHANNEL_EOF);
	assert_int_equal(peer_ended(p), 0);
	peer_open(p, 1u << 20, 32768);
	e->conf.rekey_bytes = 10;
	peer_request(p, "env", "A", true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
	peer_take_kexinit(p, await_kexinit(p));
	peer_request(p, "subsystem", "sftp", true);
	peer_data(p, span_of(sent, 700));
	e->conf.rekey_bytes = 1 << 30;
	peer_kexinit(p);
	peer_exchange(p);
	(void)peer_expect(p, SSH_MSG_CHANNEL_SUCCESS);
	peer_take(p, got, 700);
	assert_memory_equal(got, sent, 700);
	bye(e);
}

/* Both begin at once, and data goes both ways all the time. */
static void
test_rekey_both(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	size_t at = 0, back = 0;
	unsigned turns = 0;

	(void)state;
	e->conf.rekey_bytes = 300000;
	p = engine_begin(e, 1u << 31, 32768);
	while (back < BIG) {
		struct span m;
		struct rd r;

		if (at < BIG && at < back + 1000000 && p->granted >= 20000) {
			size_t n = BIG - at < 20000 ? BIG - at : 20000;

			peer_data(p, span_of(sent + at, n));
			at += n;
			if (!peer_pending(p, 0))
				continue;
		}
		assert_true(peer_recv(p, &m));
		if (m.ptr[0] == SSH_MSG_KEXINIT) {
			peer_take_kexinit(p, m);
			peer_kexinit(p); /* as if we had just begun, too */
			peer_exchange(p);
			turns++;
			continue;
		}
		if (m.ptr[0] == SSH_MSG_CHANNEL_WINDOW_ADJUST) {
			r = rd_of(span_skip(m, 5));
			p->granted += rd_uint(&r, 4);
			continue;
		}
		assert_int_equal(m.ptr[0], SSH_MSG_CHANNEL_DATA);
		r = rd_of(span_skip(m, 5));
		m = ssh_take_string(&r);
		memcpy(got + back, m.ptr, m.len);
		back += m.len;
	}
	assert_memory_equal(got, sent, BIG);
	assert_true(turns >= 8);
	e->conf.rekey_bytes = 1 << 30;
	bye(e);
}

/* ---- the end of a channel ---- */

static void
test_sessions_in_turn(void **state)
{
	struct engine *e = engine_new();
	struct peer *p = engine_begin(e, 1u << 20, 32768);

	(void)state;
	for (int i = 0; i < 3; i++) {
		echo(p, 1000, 100);
		peer_channel(p, SSH_MSG_CHANNEL_EOF);
		assert_int_equal(peer_ended(p), 0);
		peer_open(p, 1u << 20, 32768);
		peer_subsystem(p, "sftp");
	}
	/* closed without an end */
	peer_channel(p, SSH_MSG_CHANNEL_CLOSE);
	(void)peer_expect(p, SSH_MSG_CHANNEL_CLOSE);
	/* opened and closed without a request */
	peer_open(p, 1u << 20, 32768);
	peer_channel(p, SSH_MSG_CHANNEL_CLOSE);
	(void)peer_expect(p, SSH_MSG_CHANNEL_CLOSE);
	peer_open(p, 1u << 20, 32768);
	peer_subsystem(p, "sftp");
	echo(p, 1000, 100);
	bye(e);
}

/* A client that closes its channel in the middle of a download keeps its connection. */
static void
test_closed_while_sending(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct engine *e = engine_new();
		struct peer *p;
		struct span m;

		engine_serves(serve_source);
		source_bytes = 500u << 20;
		p = engine_begin(e, i == 0 ? 100000 : 1u << 30, 32768);
		(void)peer_expect(p, SSH_MSG_CHANNEL_DATA);
		peer_channel(p, SSH_MSG_CHANNEL_CLOSE);
		do {
			assert_true(peer_recv(p, &m));
		} while (m.ptr[0] == SSH_MSG_CHANNEL_DATA);
		assert_int_equal(m.ptr[0], SSH_MSG_CHANNEL_CLOSE);
		engine_serves(serve_echo);
		peer_open(p, 1u << 20, 32768);
		peer_subsystem(p, "sftp");
		echo(p, 1000, 100);
		bye(e);
	}
}

static void
test_requests(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	engine_start(e);
	p = e->peer;
	peer_login(p);
	peer_open(p, 1u << 20, 32768);
	peer_request(p, "pty-req", NULL, true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
	peer_request(p, "subsystem", "netconf", true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
	peer_request(p, "env", "LANG", false);
	peer_request(p, "exec", "rm -rf /", true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_SUCCESS);
	assert_non_null(
	    memmem(peer_expect(p, SSH_MSG_CHANNEL_EXTENDED_DATA).ptr, 40, "This server", 11));
	assert_int_equal(peer_ended(p), 1);
	peer_open(p, 1u << 20, 32768);
	peer_request(p, "exec", "scp -t .", true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_SUCCESS);
	echo(p, 1000, 100);
	/* a second program, a second channel: neither */
	peer_request(p, "shell", NULL, true);
	(void)peer_expect(p, SSH_MSG_CHANNEL_FAILURE);
	{
		struct wr w = peer_writer(p);

		wr_uint(&w, SSH_MSG_CHANNEL_OPEN, 1);
		ssh_put_string(&w, SPAN_LIT("session"));
		wr_uint(&w, 8, 4), wr_uint(&w, 1000, 4), wr_uint(&w, 1000, 4);
		peer_send(p, &w);
		(void)peer_expect(p, SSH_MSG_CHANNEL_OPEN_FAILURE);
	}
	bye(e);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_splits),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_small_out_window),
	    cmocka_unit_test(test_client_sends_ahead),
	    cmocka_unit_test(test_window_grows),
	    cmocka_unit_test(test_window_broken),
	    cmocka_unit_test(test_rekey_by_client),
	    cmocka_unit_test(test_rekey_in_the_middle),
	    cmocka_unit_test(test_rekey_data_behind),
	    cmocka_unit_test(test_rekey_by_us),
	    cmocka_unit_test(test_rekey_window),
	    cmocka_unit_test(test_rekey_end),
	    cmocka_unit_test(test_rekey_opens),
	    cmocka_unit_test(test_rekey_both),
	    cmocka_unit_test(test_sessions_in_turn),
	    cmocka_unit_test(test_closed_while_sending),
	    cmocka_unit_test(test_requests),
	};

	pattern();
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
