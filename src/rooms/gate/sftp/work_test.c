/* work_test.c - what comes while the server works for one request, without waiting for anything. */
#include "rooms/gate/sftp/engine_fix.h"

#include <time.h>

static _Atomic int worked; /* how the work ended; 1: it did not */
static _Atomic int work_ms;

/* Works for so long, or until the client is gone, and answers its byte. */
static int
serve_work(const struct sftp_session *s, int *ret_status)
{
	struct span in;
	int rc = stream_need(s->stream, 1, &in);

	(void)ret_status;
	if (rc <= 0)
		return rc;
	rc = SP_OK;
	for (int i = 0; rc == SP_OK && i < work_ms; i++) {
		const struct timespec ms = {.tv_nsec = 1000000};

		rc = stream_hear(s->stream);
		(void)nanosleep(&ms, NULL);
	}
	worked = rc;
	if (rc < 0)
		return rc;
	stream_take(s->stream, 1);
	return stream_send(s->stream, SPAN_LIT("ok"), span_of(NULL, 0));
}

/* Nothing that comes during long work has to be followed by something else. */
static void
test_work_hears(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	uint8_t ok[2];
	struct wr w;

	(void)state;
	engine_serves(serve_work);
	p = engine_begin(e, 1u << 24, 32768);
	worked = 1;
	work_ms = 1500;
	peer_data(p, SPAN_LIT("x"));
	peer_kexinit(p);
	peer_take_kexinit(p, peer_expect(p, SSH_MSG_KEXINIT));
	peer_exchange(p);
	assert_int_equal(worked, 1);
	w = peer_writer(p);
	wr_uint(&w, SSH_MSG_IGNORE, 1);
	wr_uint(&w, 0, 4);
	peer_send(p, &w);
	peer_take(p, ok, 2);
	assert_memory_equal(ok, "ok", 2);
	assert_int_equal(worked, SP_OK);
	assert_int_equal(peer_ended(p), 0);
	engine_end(e);
	engine_serves(serve_echo);
}

/* The end of the connection is heard, though more input lies in front of it than is kept of what
 * comes while replies leave. */
static void
test_work_ends(void **state)
{
	static const uint8_t sent[30000];
	struct engine *e = engine_new();
	struct peer *p;

	(void)state;
	engine_serves(serve_work);
	p = engine_begin(e, 1u << 24, 32768);
	worked = 1;
	work_ms = 6000;
	for (size_t at = 0; at < 600000; at += 30000)
		peer_data(p, span_of(sent, 30000));
	engine_end(e);
	assert_int_equal(worked, SP_ECLOSED);
	engine_serves(serve_echo);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_work_hears),
	    cmocka_unit_test(test_work_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
