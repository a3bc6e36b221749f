#include "base/test.h"
#include "base/mem.h"
#include "ipc/chan.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The broker's and a worker's end of one socket. */
struct pair {
	struct chan broker, worker;
};

static int
make(void **state)
{
	struct pair *p = mem_alloc(sizeof *p);
	int fd[2];

	if (p == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		return -1;
	chan_init(&p->broker, fd[0], ROOM_BROKER, ROOM_WORKER_HTTPS);
	chan_init(&p->worker, fd[1], ROOM_WORKER_HTTPS, ROOM_BROKER);
	*state = p;
	return 0;
}

static int
unmake(void **state)
{
	struct pair *p = *state;

	chan_close(&p->broker);
	chan_close(&p->worker);
	chan_close(&p->worker);
	mem_free(p);
	return 0;
}

static unsigned
open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
receive(struct chan *c, enum phase phase, struct chan_msg *m)
{
	static uint8_t buf[IPC_MAX];

	return chan_recv(c, phase, false, buf, sizeof buf, m);
}

static void
a_message_arrives(void **state)
{
	struct pair *p = *state;
	struct chan_msg m;
	struct ipc_stat in = {.by = BY_PATH, .path = SPAN_LIT("/a"), .counts = 1}, out;

	assert_int_equal(receive(&p->broker, PH_ANY, &m), 0); /* none yet */
	assert_int_equal(chan_send_stat(&p->worker, &in, -1), 0);
	assert_int_equal(receive(&p->broker, PH_AUTHED, &m), 1);
	assert_int_equal(m.id, IPC_STAT);
	assert_int_equal(m.fd, -1);
	assert_int_equal(ipc_get_stat(m.body, &out), 0);
	assert_span(out.path, "/a");
}

static void
a_descriptor_arrives_and_is_closed_on_exec(void **state)
{
	struct pair *p = *state;
	struct ipc_upload in = {.upload = 1};
	struct chan_msg m;
	struct stat a, b;
	unsigned before;

	assert_int_equal(chan_send_upload(&p->broker, &in, 0), 0);
	before = open_fds();
	assert_int_equal(receive(&p->worker, PH_ANY, &m), 1);
	assert_int_equal(open_fds(), before + 1);
	assert_true((fcntl(m.fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fstat(0, &a) | fstat(m.fd, &b), 0);
	assert_true(a.st_ino == b.st_ino);
	chan_msg_done(&m);
	chan_msg_done(&m);
	assert_int_equal(open_fds(), before);
}

static void
a_sender_cannot_break_its_own_rules(void **state)
{
	struct pair *p = *state;
	struct ipc_upload upload = {.upload = 1};
	struct ipc_file_open open = {.start = 1};

	assert_err(chan_send_upload(&p->broker, &upload, -1), SP_EFDS);
	assert_err(chan_send_file_open(&p->worker, &open, 0), SP_EDENIEDMSG);
	assert_err(chan_send(&p->worker, 60000, SPAN_LIT(""), -1), SP_EDENIEDMSG);
	upload.upload = UINT64_MAX;
	assert_err(chan_send_upload(&p->broker, &upload, 0), SP_ERANGE);
}

/* What an attacker can send from the worker's end of the socket, by the system call itself. */
static void
raw(struct chan *c, const void *bytes, size_t n, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;

	memset(&control, 0, sizeof control);
	if (count != 0) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(h), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(c->fd, &m, MSG_DONTWAIT), n);
}

static void
violations_are_named_and_leave_no_descriptor(void **state)
{
	struct pair *p = *state;
	int fds[16] = {0};
	struct chan_msg m;
	unsigned before = open_fds();
	static uint8_t huge[IPC_MAX + 1] = {0, IPC_STAT};

	raw(&p->worker, "\0\x3c", 2, NULL, 0); /* STAT before login */
	assert_err(receive(&p->broker, PH_FRESH, &m), SP_EDENIEDMSG);
	assert_int_equal(m.id, IPC_STAT);
	raw(&p->worker, "\0\x47", 2, fds, 1); /* FILE_OPEN is the broker's to send */
	assert_err(receive(&p->broker, PH_ANY, &m), SP_EDENIEDMSG);
	raw(&p->worker, "\xff\xff", 2, NULL, 0);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_EUNKNOWNMSG);
	raw(&p->worker, "\0", 1, NULL, 0);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_ESHORT);
	for (size_t n = 1; n <= 16; n *= 2) { /* a descriptor where none belongs; two; sixteen */
		raw(&p->worker, "\0\x3c", 2, fds, n);
		assert_err(receive(&p->broker, PH_ANY, &m), SP_EFDS);
		assert_int_equal(m.fd, -1);
	}
	raw(&p->worker, huge, sizeof huge, NULL, 0);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_ERANGE);
	assert_int_equal(open_fds(), before);
}

static void
surplus_descriptors_of_a_row_with_one(void **state)
{
	struct pair *p = *state;
	int fds[16] = {0};
	struct chan_msg m;
	unsigned before = open_fds();

	raw(&p->broker, "\0\x51", 2, fds, 2); /* UPLOAD has one */
	assert_err(receive(&p->worker, PH_ANY, &m), SP_EFDS);
	raw(&p->broker, "\0\x51", 2, fds, 16);
	assert_err(receive(&p->worker, PH_ANY, &m), SP_EFDS);
	assert_int_equal(open_fds(), before);
}

static void
an_empty_packet_is_not_the_end(void **state)
{
	struct pair *p = *state;
	struct chan_msg m;

	raw(&p->worker, "", 0, NULL, 0);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_ESHORT);
	assert_int_equal(receive(&p->broker, PH_ANY, &m), 0);
	raw(&p->worker, "", 0, (int[]){0}, 1);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_ESHORT);
	chan_close(&p->worker);
	assert_err(receive(&p->broker, PH_ANY, &m), SP_ECLOSED);
	assert_err(receive(&p->worker, PH_ANY, &m), SP_ECLOSED);
}

static void
a_peer_that_does_not_read_is_full_not_a_stall(void **state)
{
	struct pair *p = *state;
	struct ipc_done done = {1};
	int rc = SP_OK;

	for (int i = 0; i < 1000000 && rc == SP_OK; i++)
		rc = chan_send_done(&p->broker, &done, -1);
	assert_err(rc, SP_EFULL);
	chan_close(&p->worker);
	assert_err(chan_send_done(&p->broker, &done, -1), SP_ECLOSED);
	chan_close(&p->broker);
	assert_err(chan_send_done(&p->broker, &done, -1), SP_ECLOSED);
}

static void
the_greatest_message_fits(void **state)
{
	struct pair *p = *state;
	static uint8_t text[61440];
	struct ipc_report_text in = {1, span_of(text, sizeof text)}, out;
	struct chan_msg m;

	memset(text, 'm', sizeof text);
	assert_int_equal(chan_send_report_text(&p->broker, &in, -1), 0);
	assert_int_equal(receive(&p->worker, PH_ANY, &m), 1);
	assert_int_equal(ipc_get_report_text(m.body, &out), 0);
	assert_int_equal(out.text.len, sizeof text);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int
main(void)
{
	const struct CMUnitTest tests[] = {WITH_PAIR(a_message_arrives),
	    WITH_PAIR(a_descriptor_arrives_and_is_closed_on_exec),
	    WITH_PAIR(a_sender_cannot_break_its_own_rules),
	    WITH_PAIR(violations_are_named_and_leave_no_descriptor),
	    WITH_PAIR(surplus_descriptors_of_a_row_with_one),
	    WITH_PAIR(an_empty_packet_is_not_the_end),
	    WITH_PAIR(a_peer_that_does_not_read_is_full_not_a_stall),
	    WITH_PAIR(the_greatest_message_fits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
