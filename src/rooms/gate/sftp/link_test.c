/* Packets over a socket pair, without protection. */
#include "base/test.h"
#include "proto/ssh/ssh.h"
#include "rooms/gate/sftp/link.h"
#include "sys/fd.h"
#include "sys/ready.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#define PAYLOAD 32768u
#define PACKETS 3000u /* 94 MiB */

struct pair {
	struct link a, b;
	int fds[2];
	unsigned starved; /* calls on b's side */
};

static int
wait_readable(void *arg)
{
	struct pair *p = arg;
	unsigned ready;

	p->starved++;
	return fd_wait_any(&p->fds[1], 1, 10000, &ready);
}

static int
never(void *arg)
{
	(void)arg;
	return SP_EIO; /* nobody reads on this side */
}

static struct pair *
pair_new(void)
{
	struct pair *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fds), 0);
	assert_int_equal(fd_nonblock(p->fds[0], true), SP_OK);
	assert_int_equal(fd_nonblock(p->fds[1], true), SP_OK);
	assert_int_equal(link_init(&p->a, p->fds[0], 10000, never, p), SP_OK);
	assert_int_equal(link_init(&p->b, p->fds[1], 10000, wait_readable, p), SP_OK);
	return p;
}

static void
pair_free(struct pair *p)
{
	link_done(&p->a);
	link_done(&p->b);
	close_fd(&p->fds[0]);
	close_fd(&p->fds[1]);
	mem_free(p);
}

static void
send_one(struct link *l, uint8_t fill, size_t n)
{
	static uint8_t packet[LINK_HEAD + PAYLOAD];

	memset(packet + LINK_HEAD, fill, n);
	assert_int_equal(link_send(l, packet, n, span_of(NULL, 0)), SP_OK);
}

static void
test_sizes(void **state)
{
	struct pair *p = pair_new();
	struct span s;
	uint32_t seq;

	(void)state;
	for (size_t n = 1; n < 600; n++) {
		send_one(&p->a, (uint8_t)n, n);
		assert_int_equal(link_flush(&p->a), SP_OK);
		assert_int_equal(link_recv(&p->b, &s, &seq), SP_OK);
		assert_int_equal(s.len, n);
		assert_int_equal(s.ptr[n - 1], (uint8_t)n);
		assert_int_equal(seq, n - 1);
	}
	pair_free(p);
}

static void *
flood(void *arg)
{
	struct pair *p = arg;

	for (unsigned i = 0; i < PACKETS; i++)
		send_one(&p->a, (uint8_t)i, PAYLOAD);
	assert_int_equal(link_flush(&p->a), SP_OK);
	return NULL;
}

/* Clocks and the supervisor are looked after even when there is always more to read. */
static void
test_endless(void **state)
{
	struct pair *p = pair_new();
	pthread_t t;
	unsigned i = 0, turns = 0, before = 0;
	uint64_t since = 0;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, flood, p), 0);
	for (; i < PACKETS; i++) {
		struct span s;
		uint32_t seq;

		assert_int_equal(link_recv(&p->b, &s, &seq), SP_OK);
		assert_int_equal(s.ptr[PAYLOAD - 1], (uint8_t)i);
		since = p->starved == before ? since + s.len : 0;
		turns += p->starved != before;
		before = p->starved;
		assert_true(since <= LINK_UNHEARD + LINK_IN_BYTES);
	}
	pthread_join(t, NULL);
	assert_true(turns >= PACKETS * (uint64_t)PAYLOAD / LINK_UNHEARD);
	pair_free(p);
}

static void
test_closed_and_cut(void **state)
{
	struct pair *p = pair_new();
	struct span s;
	uint32_t seq;

	(void)state;
	assert_int_equal(sock_write_all(p->fds[0], "\0\0\0\14\4abc", 8), SP_OK);
	close_fd(&p->fds[0]);
	assert_err(link_recv(&p->b, &s, &seq), SP_ECLOSED);
	pair_free(p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_endless),
	    cmocka_unit_test(test_closed_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
