/* stage.c - see stage.h. */
#include "stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/fd.h"

void
stage_start(struct stage *s, enum room room, const char *binary)
{
	int pair[2];

	*s = (struct stage){.room = room, .log = memfd_create("log", 0), .buf = mem_alloc(IPC_MAX)};
	assert_non_null(s->buf);
	assert_true(s->log >= 0);
	assert_int_equal(sock_pair(pair), SP_OK);
	(void)fflush(NULL);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		if (dup2(s->log, 2) == 2 && dup2(pair[1], 3) == 3)
			(void)execl(binary, room_table[room].name, (char *)NULL);
		_exit(99);
	}
	close_fd(&pair[1]);
	chan_init(&s->supervisor, pair[0], ROOM_SUPERVISOR, room);
}

void
stage_file(struct stage *s, unsigned what, int fd)
{
	struct ipc_file m = {.what = (uint8_t)what, .name = span_str("")};

	assert_true(fd >= 0);
	assert_int_equal(chan_send_file(&s->supervisor, &m, fd), SP_OK);
	close_fd(&fd);
}

void
stage_bytes(struct stage *s, unsigned what, struct span content)
{
	stage_file(s, what, memfd_of("file", content));
}

void
stage_folder(struct stage *s, unsigned what, const char *path)
{
	struct ipc_file m = {.what = (uint8_t)what, .name = span_str(path)};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(chan_send_file(&s->supervisor, &m, fd), SP_OK);
	close_fd(&fd);
}

/* give_link - one end of a socket to a room, for its talk with `who`; closed here. */
static void
give_link(struct stage *s, enum room who, int fd)
{
	struct ipc_link m = {.room = (uint8_t)who};

	assert_int_equal(chan_send_link(&s->supervisor, &m, fd), SP_OK);
	close_fd(&fd);
}

struct chan
stage_link(struct stage *s, enum room who)
{
	struct chan ours;
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(&ours, pair[0], who, s->room);
	give_link(s, who, pair[1]);
	return ours;
}

void
stage_pair(struct stage *a, struct stage *b)
{
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	give_link(a, b->room, pair[0]);
	give_link(b, a->room, pair[1]);
}

struct chan
stage_worker(struct stage *s, uint64_t serial, enum room who)
{
	struct ipc_worker_new m = {.serial = serial, .room = (uint8_t)who};
	struct chan ours;
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(&ours, pair[0], who, s->room);
	assert_int_equal(chan_send_worker_new(&s->supervisor, &m, pair[1]), SP_OK);
	close_fd(&pair[1]);
	return ours;
}

void
stage_gone(struct stage *s, uint64_t serial)
{
	struct ipc_worker_gone m = {.serial = serial};

	assert_int_equal(chan_send_worker_gone(&s->supervisor, &m, -1), SP_OK);
}

void
stage_go(struct stage *s)
{
	struct ipc_go m = {.generation = 1};

	assert_int_equal(chan_send_go(&s->supervisor, &m, -1), SP_OK);
	(void)stage_take(s, &s->supervisor, IPC_READY);
}

int
stage_poll(struct stage *s, struct chan *c, int timeout_ms, struct chan_msg *ret)
{
	int err = sock_wait(c->fd, false, timeout_ms);

	if (err == SP_ETIMEOUT)
		return 0;
	return chan_recv(c, PH_ANY, false, s->buf, IPC_MAX, ret);
}

struct span
stage_take(struct stage *s, struct chan *c, uint16_t id)
{
	struct chan_msg m;

	assert_int_equal(stage_poll(s, c, STAGE_WAIT_MS, &m), 1);
	assert_int_equal(m.id, id);
	assert_int_equal(m.fd, -1);
	return m.body;
}

void
stage_violation(struct stage *s, uint64_t serial)
{
	struct ipc_violation v;

	assert_int_equal(
	    ipc_get_violation(stage_take(s, &s->supervisor, IPC_VIOLATION), &v), SP_OK);
	assert_true(v.serial == serial);
	assert_true(v.err != 0);
}

void
stage_silent(struct stage *s, struct chan *c)
{
	struct chan_msg m;
	int err = stage_poll(s, c, STAGE_QUIET_MS, &m);

	assert_true(err == 0 || err == SP_ECLOSED);
}

void
stage_closed(struct stage *s, struct chan *c)
{
	struct chan_msg m;

	assert_int_equal(stage_poll(s, c, STAGE_WAIT_MS, &m), SP_ECLOSED);
}

void
stage_raw(struct chan *c, uint16_t id, struct span body, int n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control;
	uint8_t head[2] = {(uint8_t)(id >> 8), (uint8_t)id};
	struct iovec iov[2] = {{head, 2}, {(void *)(uintptr_t)body.ptr, body.len}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	memset(&control, 0, sizeof(control));
	if (n_fds != 0) {
		struct cmsghdr *h;
		int fds[4] = {2, 2, 2, 2};

		assert_true(n_fds <= 4);
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, (size_t)n_fds * sizeof(int));
	}
	assert_true(sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(body.len + 2));
}

/* show_log - what the room wrote, for a person who reads the failure. */
static void
show_log(struct stage *s, char *text, size_t cap)
{
	ssize_t n = pread(s->log, text, cap - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

static int
reap(struct stage *s)
{
	char text[4096];
	int status;

	chan_close(&s->supervisor);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	if (!WIFEXITED(status)) {
		show_log(s, text, sizeof(text));
		fprintf(stderr, "%s was killed by signal %d\n%s\n", room_table[s->room].name,
		    WTERMSIG(status), text);
	}
	assert_true(WIFEXITED(status)); /* not by its own sandbox */
	mem_free(s->buf);
	return WEXITSTATUS(status);
}

int
stage_end(struct stage *s)
{
	int status = reap(s);

	close_fd(&s->log);
	return status;
}

void
stage_died(struct stage *s, int status, const char *text)
{
	char log[4096];

	assert_int_equal(reap(s), status);
	show_log(s, log, sizeof(log));
	close_fd(&s->log);
	if (strstr(log, text) == NULL)
		fprintf(stderr, "not in the log: %s\n%s\n", text, log);
	assert_non_null(strstr(log, text));
}

/* ---- every message, every field, at its limits and beyond ---- */

enum field_kind {
	FK_u8 = 1,
	FK_u16 = 2,
	FK_u32 = 4,
	FK_u64 = 8,
	FK_b16 = 16,
	FK_b32 = 32,
	FK_str,
	FK_blob,
	FK_secret
};

struct field {
	enum field_kind kind;
	uint64_t max;
};

#define F(type, name, max) {FK_##type, (max)},
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	static const struct field fields_##name[] = {IPC_FIELDS_##name(F)};
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

struct row {
	uint16_t id;
	const char *name;
	const struct field *fields;
	size_t n;
};

#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	{id, #name, fields_##name, ARRAY_LEN(fields_##name)},
static const struct row rows[] = {
#include "ipc/protocol.def"
};
#undef IPC_MSG

enum shape { LEAST, MOST, BEYOND };

static void
put_field(struct wr *w, const struct field *f, enum shape shape)
{
	size_t len;

	if (f->kind <= FK_b32) {
		uint64_t v = shape == LEAST ? 0 : f->max;

		if (f->kind >= FK_b16) {
			for (size_t i = 0; i < (size_t)f->kind; i++)
				wr_uint(w, shape == LEAST ? 0 : 0xff, 1);
			return;
		}
		wr_uint(w, shape == BEYOND ? f->max + 1 : v, f->kind);
		return;
	}
	len = shape == LEAST ? 0 : (size_t)f->max;
	if (shape == BEYOND)
		len++;
	wr_uint(w, len, 4);
	for (size_t i = 0; i < len; i++)
		wr_uint(w, 'A', 1);
}

/* can_exceed - is there a value beyond the maximum that the field's width can carry? */
static bool
can_exceed(const struct field *f)
{
	if (f->kind == FK_b16 || f->kind == FK_b32)
		return false;
	if (f->kind > FK_b32)
		return true;
	return f->kind == FK_u64 ? f->max != UINT64_MAX : f->max < (UINT64_C(1) << f->kind * 8) - 1;
}

static struct span
make_body(uint8_t *buf, size_t cap, const struct row *r, enum shape all, size_t beyond)
{
	struct wr w = wr_of(buf, cap);

	for (size_t i = 0; i < r->n; i++)
		put_field(&w, &r->fields[i], i == beyond ? BEYOND : all);
	assert_false(w.bad);
	return wr_span(&w);
}

void
every_message(stage_fn fn, void *arg)
{
	size_t cap = 2 * IPC_MAX;
	uint8_t *buf = mem_alloc(cap);

	assert_non_null(buf);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct span body = make_body(buf, cap, r, MOST, SIZE_MAX);

		fn(arg, r->id, r->name, body, false);
		fn(arg, r->id, r->name, span_cut(body, body.len - 1), true);
		buf[body.len] = 0;
		fn(arg, r->id, r->name, span_of(buf, body.len + 1), true);
		fn(arg, r->id, r->name, span_of(buf, 0), true);
		for (size_t f = 0; f < r->n; f++) {
			if (!can_exceed(&r->fields[f]))
				continue;
			fn(arg, r->id, r->name, make_body(buf, cap, r, LEAST, f), true);
		}
		fn(arg, r->id, r->name, make_body(buf, cap, r, LEAST, SIZE_MAX), false);
	}
	fn(arg, 0, "no such message", span_of(buf, 0), true);
	fn(arg, UINT16_MAX, "no such message", span_of(buf, 100), true);
	mem_free(buf);
}
