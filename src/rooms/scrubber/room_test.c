/* room_test.c - the real scrubber process, its sandbox on; the test plays supervisor, broker and
 * vault. */
#include "ipc/chan.h"
#include "store/blob.h"
#include "sys/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SEG 65536u
#define N 1000000u

static const uint8_t key[32] = {1}, blob[16] = {2};

struct played {
	pid_t pid;
	struct chan supervisor, broker, vault;
};

static uint8_t buf[IPC_MAX];

static void
give_link(struct played *r, enum room who, struct chan *ours)
{
	struct ipc_link m = {.room = (uint8_t)who};
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(ours, pair[0], who, ROOM_SCRUBBER);
	assert_int_equal(chan_send_link(&r->supervisor, &m, pair[1]), SP_OK);
	close_fd(&pair[1]);
}

/* Start it as the supervisor does, until READY. */
static void
start(struct played *r)
{
	struct ipc_file conf = {.what = FILE_CONF, .name = SPAN_LIT("")};
	struct ipc_go go = {.generation = 1};
	struct chan_msg m;
	int pair[2], fd = memfd_of("conf", SPAN_LIT("Name test\n"));

	assert_true(fd >= 0);
	assert_int_equal(sock_pair(pair), SP_OK);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		if (dup2(pair[1], 3) == 3)
			(void)execl(getenv("SCRUBBER"), "sallyport-scrubber", (char *)NULL);
		_exit(99);
	}
	close_fd(&pair[1]);
	chan_init(&r->supervisor, pair[0], ROOM_SUPERVISOR, ROOM_SCRUBBER);
	give_link(r, ROOM_BROKER, &r->broker);
	give_link(r, ROOM_VAULT, &r->vault);
	assert_int_equal(chan_send_file(&r->supervisor, &conf, fd), SP_OK);
	close_fd(&fd);
	assert_int_equal(chan_send_go(&r->supervisor, &go, -1), SP_OK);
	assert_int_equal(chan_recv(&r->supervisor, PH_ANY, true, buf, sizeof(buf), &m), 1);
	assert_int_equal(m.id, IPC_READY);
	chan_msg_done(&m);
}

static int
stop(struct played *r)
{
	int status = 0;

	chan_close(&r->supervisor);
	chan_close(&r->broker);
	chan_close(&r->vault);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status)); /* not killed by its own sandbox */
	return WEXITSTATUS(status);
}

static void
give_key(struct played *r, uint64_t length, uint8_t fresh)
{
	struct ipc_key m = {.entry = 5, .length = length, .fresh = fresh, .key = span_of(key, 32)};

	memcpy(m.blob.b, blob, 16);
	assert_int_equal(chan_send_key(&r->vault, &m, -1), SP_OK);
}

static void
give_file(struct played *r, int fd, uint64_t length)
{
	struct ipc_scrub m = {.job = 77, .length = length, .segment = SEG};

	memcpy(m.blob.b, blob, 16);
	assert_int_equal(chan_send_scrub(&r->broker, &m, fd), SP_OK);
}

static struct ipc_scrubbed
answer(struct played *r)
{
	struct ipc_scrubbed a;
	struct chan_msg m;

	assert_int_equal(chan_recv(&r->broker, PH_ANY, true, buf, sizeof(buf), &m), 1);
	assert_int_equal(m.id, IPC_SCRUBBED);
	assert_int_equal(ipc_get_scrubbed(m.body, &a), SP_OK);
	return a;
}

static int
make(uint8_t sha[32], uint32_t *ret_crc)
{
	struct blob_writer *w = NULL;
	uint8_t proof[32];
	uint64_t size = 0;
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(blob_writer_new(fd, key, blob, SEG, N, true, &w), SP_OK);
	for (size_t i = 0; i < N;) {
		size_t room = 0, n;
		uint8_t *p = blob_writer_room(w, &room);

		n = room < N - i ? room : N - i;
		memset(p, (int)i, n);
		assert_int_equal(blob_writer_fill(w, n), SP_OK);
		i += n;
	}
	assert_int_equal(blob_writer_finish(w, &size, sha, ret_crc, proof), SP_OK);
	blob_writer_free(w);
	return fd;
}

static void
test_jobs(void **state)
{
	uint8_t sha[32], c = 0;
	uint32_t crc = 0;
	DEFER(close_fd) int fd = make(sha, &crc);
	struct ipc_scrubbed a;
	struct played r;

	(void)state;
	for (int key_first = 0; key_first < 2; key_first++) {
		start(&r);
		if (key_first != 0)
			give_key(&r, N, 0);
		give_file(&r, fd, N);
		if (key_first == 0)
			give_key(&r, N, 0);
		a = answer(&r);
		assert_int_equal(a.job, 77);
		assert_int_equal(a.err, 0);
		assert_int_equal(a.length, N);
		assert_memory_equal(a.sha256.b, sha, 32);
		assert_int_equal(a.crc32, crc);
		assert_int_equal(stop(&r), 0);
	}
	start(&r); /* the database says another length than the wrap */
	give_file(&r, fd, N - 1);
	give_key(&r, N, 0);
	a = answer(&r);
	assert_int_equal(a.err, -SP_EDAMAGED);
	assert_int_equal(stop(&r), 0);
	assert_int_equal(file_pwrite(fd, &c, 1, (int64_t)(FLOE_HEADER_BYTES + 3 * SEG)), SP_OK);
	start(&r);
	give_file(&r, fd, N);
	give_key(&r, N, 0);
	a = answer(&r);
	assert_int_equal(a.err, -SP_EDAMAGED);
	assert_int_equal(a.offset, 3 * (SEG - 32));
	assert_int_equal(stop(&r), 0);
}

static void
test_small(void **state)
{
	static uint8_t ct[INLINE_CT_MAX], pt[INLINE_MAX];
	struct ipc_scrub_inline m = {.job = 78};
	struct ipc_scrubbed a;
	struct played r;
	size_t n = 0;

	(void)state;
	memcpy(m.blob.b, blob, 16);
	assert_int_equal(
	    blob_inline_seal(key, blob, span_of(pt, sizeof(pt)), ct, sizeof(ct), &n), SP_OK);
	m.content = span_of(ct, n);
	start(&r);
	assert_int_equal(chan_send_scrub_inline(&r.broker, &m, -1), SP_OK);
	give_key(&r, INLINE_MAX, 0);
	a = answer(&r);
	assert_int_equal(a.err, 0);
	assert_int_equal(a.length, INLINE_MAX);
	assert_int_equal(stop(&r), 0);
}

/* A fresh key, two keys, two jobs, a key of another blob: it ends, and answers nothing. */
static void
test_violations(void **state)
{
	uint8_t sha[32];
	uint32_t crc = 0;
	DEFER(close_fd) int fd = make(sha, &crc);
	struct ipc_key other = {.length = N, .key = span_of(key, 32)};
	struct chan_msg m;
	struct played r;

	(void)state;
	for (int what = 0; what < 5; what++) {
		start(&r);
		if (what == 0)
			give_key(&r, N, 1);
		if (what == 1) {
			give_key(&r, N, 0);
			give_key(&r, N, 0);
		}
		if (what == 2) {
			give_file(&r, fd, N);
			give_file(&r, fd, N);
		}
		if (what == 3) {
			give_file(&r, fd, N);
			assert_int_equal(chan_send_key(&r.vault, &other, -1), SP_OK);
		}
		if (what == 4) { /* a key that is too short */
			other.key.len = 31;
			assert_int_equal(chan_send_key(&r.vault, &other, -1), SP_OK);
		}
		assert_int_equal(
		    chan_recv(&r.broker, PH_ANY, true, buf, sizeof(buf), &m), SP_ECLOSED);
		assert_int_equal(stop(&r), 70);
	}
	start(&r); /* nobody is there any more: no failure */
	chan_close(&r.vault);
	assert_int_equal(stop(&r), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_jobs),
	    cmocka_unit_test(test_small),
	    cmocka_unit_test(test_violations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
