/* door_fix.c - one connection of a test: TLS played, replies of broker and vault waiting in their
 * sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "rooms/gate/https/door_fix.h"
#include "sys/fd.h"

static int
idle(void *arg, int fd, int timeout_ms)
{
	struct fix *f = arg;

	(void)fd;
	(void)timeout_ms;
	if (f->tls.in.len != 0 || f->conn.have != 0)
		return SP_OK;
	f->waited = true;
	return SP_ECLOSED;
}

void
fix_init(struct fix *f, struct span in, size_t step)
{
	int b[2], v[2];

	memset(f, 0, sizeof(*f));
	assert_int_equal(sock_pair(b), SP_OK);
	assert_int_equal(sock_pair(v), SP_OK);
	assert_int_equal(ring_init(&f->ring, ROOM_WORKER_HTTPS, b[0], v[0]), SP_OK);
	chan_init(&f->broker, b[1], ROOM_BROKER, ROOM_WORKER_HTTPS);
	chan_init(&f->vault, v[1], ROOM_VAULT, ROOM_WORKER_HTTPS);
	conf_defaults(&f->conf);
	f->tls = (struct tls){.in = in, .step = step, .out = mem_alloc(PLAYED_OUT_BYTES + 1)};
	assert_non_null(f->tls.out);
	f->conn = (struct conn){.ring = &f->ring, .conf = &f->conf, .tls = &f->tls, .address = "x"};
}

void
fix_done(struct fix *f)
{
	conn_done(&f->conn);
	ring_done(&f->ring);
	chan_close(&f->broker);
	chan_close(&f->vault);
	mem_free(f->tls.out);
}

void
run(struct fix *f)
{
	conn_serve(&f->conn, idle, f);
	f->tls.out[f->tls.out_len] = 0;
}

/* The next request that the loop sent to the broker. */
struct chan_msg
asked(struct fix *f, uint8_t buf[IPC_MAX])
{
	struct chan_msg m;

	assert_int_equal(chan_recv(&f->broker, PH_ANY, false, buf, IPC_MAX, &m), 1);
	return m;
}

void
say_principal(struct fix *f)
{
	struct ipc_principal p = {.user = 1, .org = 1, .name = SPAN_LIT("alice")};

	assert_int_equal(chan_send_principal(&f->broker, &p, -1), SP_OK);
}

void
say_failed(struct fix *f, int err, uint32_t retry_after)
{
	struct ipc_failed m = {
	    .err = (uint16_t)-err, .retry_after = retry_after, .detail = SPAN_LIT("")};

	assert_int_equal(chan_send_failed(&f->broker, &m, -1), SP_OK);
}

void
say_key(struct fix *f, uint8_t blob, uint64_t length, bool fresh)
{
	uint8_t key[KEY_BYTES] = {7};
	struct ipc_key m = {
	    .entry = 1, .length = length, .fresh = fresh, .key = span_of(key, sizeof(key))};

	memset(m.blob.b, blob, sizeof(m.blob.b));
	assert_int_equal(chan_send_key(&f->vault, &m, -1), SP_OK);
}

const char *
out(const struct fix *f)
{
	return (const char *)f->tls.out;
}

struct ipc_entry
file_entry(uint64_t size)
{
	struct ipc_entry e = {.kind = 1,
	    .id = 5,
	    .parent = 3,
	    .org = 1,
	    .version = 9,
	    .size = size,
	    .modified_us = 1795428581000000,
	    .rights = RIGHT_ALL,
	    .created = 1};

	e.name = SPAN_LIT("x.bin");
	e.path = SPAN_LIT("/Home/alice/x.bin");
	e.owner_name = SPAN_LIT("alice");
	e.owner_full_name = e.comment = e.upload_address = e.upload_agent = SPAN_LIT("");
	return e;
}
