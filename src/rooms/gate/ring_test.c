/* ring_test.c - a key that is under way while the worker does other things. */
#include "rooms/gate/ring.h"

#include "base/test.h"
#include "sys/fd.h"

#define LENGTH 5u

static const uint8_t blob[16] = "blob of the test";

struct play {
	struct ring ring;
	struct chan broker, vault; /* their ends */
	struct opened opened;
	unsigned settled;
	int rc;
	char why[100];
};

static void
setup(struct play *p)
{
	int b[2], v[2];

	*p = (struct play){.opened = {.fd = -1}};
	assert_int_equal(sock_pair(b), SP_OK);
	assert_int_equal(sock_pair(v), SP_OK);
	assert_int_equal(ring_init(&p->ring, ROOM_WORKER_SFTP, b[0], v[0]), SP_OK);
	chan_init(&p->broker, b[1], ROOM_BROKER, ROOM_WORKER_SFTP);
	chan_init(&p->vault, v[1], ROOM_VAULT, ROOM_WORKER_SFTP);
}

static void
cleanup(struct play *p)
{
	opened_done(&p->opened);
	ring_done(&p->ring);
	chan_close(&p->broker);
	chan_close(&p->vault);
}

static void
owed(void *arg)
{
	struct play *p = arg;

	p->settled++;
	p->rc = ring_open_end(&p->ring, &p->opened);
	memcpy(p->why, p->ring.fault.detail, sizeof(p->why) - 1);
}

static void
say_inline(struct play *p)
{
	struct ipc_file_inline m = {.kind = 1,
	    .size = LENGTH,
	    .name = SPAN_LIT("x"),
	    .path = SPAN_LIT("/x"),
	    .content = SPAN_LIT("ciphertext")};

	memcpy(m.blob.b, blob, sizeof(m.blob.b));
	assert_int_equal(chan_send_file_inline(&p->broker, &m, -1), SP_OK);
}

static void
say_key(struct play *p, uint64_t length)
{
	static const uint8_t key[KEY_BYTES] = {7};
	struct ipc_key m = {.entry = 1, .length = length, .key = span_of(key, sizeof(key))};

	memcpy(m.blob.b, blob, sizeof(m.blob.b));
	assert_int_equal(chan_send_key(&p->vault, &m, -1), SP_OK);
}

static void
say_failed(struct play *p, int err, const char *why)
{
	struct ipc_failed m = {.err = (uint16_t)-err, .detail = span_str(why)};

	assert_int_equal(chan_send_failed(&p->broker, &m, -1), SP_OK);
}

static void
begin(struct play *p)
{
	struct ipc_open m = {.by = BY_PATH, .path = SPAN_LIT("/x")};

	say_inline(p);
	assert_int_equal(ring_open_begin(&p->ring, &m, &p->opened, owed, p), SP_OK);
	assert_int_equal(p->opened.entry.size, LENGTH);
	assert_int_equal(p->settled, 0);
}

/* what the broker was asked, in order */
static void
check_asked(struct play *p, uint16_t id)
{
	static uint8_t buf[IPC_MAX];
	struct chan_msg m;

	assert_int_equal(
	    chan_recv(&p->broker, PH_ANY, false, buf, sizeof(buf), &m), id != 0 ? 1 : 0);
	assert_int_equal(m.id, id);
	chan_msg_done(&m);
}

static int
touch(struct play *p)
{
	struct ipc_touch m = {.by = BY_PATH, .path = SPAN_LIT("/y")};
	struct ipc_done done;

	return ring_touch(&p->ring, &m, &done);
}

/* It is taken up when it is wanted, with the content still where it was; and once. */
static void
test_settled(void **state)
{
	struct play p;

	(void)state;
	setup(&p);
	begin(&p);
	say_key(&p, LENGTH);
	ring_settle(&p.ring);
	ring_settle(&p.ring);
	assert_int_equal(p.settled, 1);
	assert_int_equal(p.rc, SP_OK);
	assert_int_equal(p.opened.key[0], 7);
	assert_true(span_eq(p.opened.content, SPAN_LIT("ciphertext")));
	cleanup(&p);
}

/* Nothing else is asked while it is under way: the broker serves one request of a worker at a time.
 */
static void
test_before_the_next(void **state)
{
	struct play p;
	struct ipc_done done = {0};

	(void)state;
	setup(&p);
	begin(&p);
	check_asked(&p, IPC_OPEN);
	check_asked(&p, 0);
	say_key(&p, LENGTH);
	assert_int_equal(chan_send_done(&p.broker, &done, -1), SP_OK);
	assert_int_equal(touch(&p), SP_OK);
	assert_int_equal(p.settled, 1);
	assert_int_equal(p.rc, SP_OK);
	check_asked(&p, IPC_TOUCH);
	cleanup(&p);
}

/* A refusal is the opening's, not that of what is asked next. */
static void
test_refused(void **state)
{
	struct play p;
	struct ipc_done done = {0};

	(void)state;
	setup(&p);
	begin(&p);
	say_failed(&p, SP_ELOCKED, "not now");
	assert_int_equal(chan_send_done(&p.broker, &done, -1), SP_OK);
	assert_int_equal(touch(&p), SP_OK);
	assert_int_equal(p.rc, SP_ELOCKED);
	assert_string_equal(p.why, "not now");
	assert_string_equal(p.ring.fault.detail, "");
	assert_false(p.ring.dead);
	cleanup(&p);
}

/* What the wrap says is what counts. */
static void
test_contradiction(void **state)
{
	struct play p;

	(void)state;
	setup(&p);
	begin(&p);
	say_key(&p, LENGTH + 1);
	ring_settle(&p.ring);
	assert_int_equal(p.rc, SP_EDAMAGED);
	cleanup(&p);
}

static void
test_room_gone(void **state)
{
	struct play p;

	(void)state;
	setup(&p);
	begin(&p);
	chan_close(&p.vault);
	assert_int_equal(touch(&p), SP_EUNAVAIL);
	assert_int_equal(p.settled, 1);
	assert_true(p.rc < 0);
	assert_true(p.ring.dead);
	check_asked(&p, IPC_OPEN);
	check_asked(&p, 0);
	cleanup(&p);
}

/* An opening that failed owes nothing. */
static void
test_nothing_owed(void **state)
{
	struct ipc_open m = {.by = BY_PATH, .path = SPAN_LIT("/x")};
	struct play p;

	(void)state;
	setup(&p);
	say_failed(&p, SP_ENOTFOUND, "");
	assert_int_equal(ring_open_begin(&p.ring, &m, &p.opened, owed, &p), SP_ENOTFOUND);
	ring_settle(&p.ring);
	assert_int_equal(p.settled, 0);
	cleanup(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_settled),
	    cmocka_unit_test(test_before_the_next),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_contradiction),
	    cmocka_unit_test(test_room_gone),
	    cmocka_unit_test(test_nothing_owed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
