/* chan.c - one message is one packet: id (2 bytes, big-endian), body, at most one descriptor.
 *
 * Without a descriptor a message leaves by send(2), because workers may not use sendmsg at all. */
#include "ipc/chan.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_BYTES 2u

void
chan_init(struct chan *c, int fd, enum room self, enum room peer)
{
	*c = (struct chan){fd, self, peer};
}

void
chan_close(struct chan *c)
{
	if (c->fd >= 0)
		(void)close(c->fd); /* nothing is lost by a failure here */
	c->fd = -1;
}

/* ---- sending ---- */

static int
send_error(int err)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
	case ETOOMANYREFS: /* too many descriptors in flight: the peer parks them */
		return SP_EFULL;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return SP_ECLOSED;
	default:
		return SP_ESYS;
	}
}

static ssize_t
send_with_fd(int sock, struct span packet, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {(void *)(uintptr_t)packet.ptr, packet.len};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf};
	struct cmsghdr *h;

	memset(&control, 0, sizeof control);
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
send_packet(struct chan *c, uint16_t id, struct span packet, int fd)
{
	int rc = ipc_check(id, c->self, c->peer, PH_ANY, fd >= 0 ? 1 : 0);
	ssize_t n;

	if (rc < 0)
		return rc == SP_EUNKNOWNMSG ? SP_EDENIEDMSG : rc;
	if (c->fd < 0)
		return SP_ECLOSED;
	do
		n = fd >= 0 ? send_with_fd(c->fd, packet, fd)
			    : send(c->fd, packet.ptr, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return send_error(errno);
	VERIFY((size_t)n == packet.len);
	return SP_OK;
}

int
chan_send(struct chan *c, uint16_t id, struct span body, int fd)
{
	uint8_t buf[IPC_MAX];
	struct wr w = wr_of(buf, sizeof buf);
	int rc;

	wr_uint(&w, id, ID_BYTES);
	wr_bytes(&w, body);
	rc = w.bad ? SP_ERANGE : send_packet(c, id, wr_span(&w), fd);
	mem_wipe(buf, w.len); /* it may hold a secret: only the typed senders know */
	return rc;
}

/* HAS_SECRET_<NAME>: how many secret fields a row has. */
#define SECRET_u8 0
#define SECRET_u16 0
#define SECRET_u32 0
#define SECRET_u64 0
#define SECRET_str 0
#define SECRET_blob 0
#define SECRET_b16 0
#define SECRET_b32 0
#define SECRET_secret 1
#define F(type, name, max) +SECRET_##type
#define IPC_MSG(id, NAME, name, from, to, phase, fds) HAS_SECRET_##NAME = 0 IPC_FIELDS_##name(F),
enum has_secret {
#include "ipc/protocol.def"
};
#undef IPC_MSG
#undef F

#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	int chan_send_##name(struct chan *c, const struct ipc_##name *m, int fd)                   \
	{                                                                                          \
		uint8_t buf[ID_BYTES + IPC_SIZE_##NAME];                                           \
		struct wr w = wr_of(buf, sizeof buf);                                              \
		int rc;                                                                            \
                                                                                                   \
		wr_uint(&w, IPC_##NAME, ID_BYTES);                                                 \
		rc = ipc_put_##name(&w, m);                                                        \
		if (rc == SP_OK)                                                                   \
			rc = send_packet(c, IPC_##NAME, wr_span(&w), fd);                          \
		if (HAS_SECRET_##NAME)                                                             \
			mem_wipe(buf, sizeof buf);                                                 \
		return rc;                                                                         \
	}
#include "ipc/protocol.def"
#undef IPC_MSG

/* ---- receiving ---- */

/* Room for one descriptor more than any row has: a surplus is seen, not silently dropped. */
#define FDS_ROOM (IPC_MAX_FDS + 1u)

struct arrival {
	size_t len;
	unsigned fds;
	int fd[FDS_ROOM];
	bool truncated;
};

static void
arrival_drop(struct arrival *a)
{
	for (unsigned i = 0; i < a->fds; i++)
		(void)close(a->fd[i]); /* not ours to care about */
	a->fds = 0;
}

static void
collect_fds(struct msghdr *m, struct arrival *a)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (a->fds < FDS_ROOM)
				a->fd[a->fds++] = fd;
			else
				(void)close(fd);
		}
	}
}

/* After a packet of no bytes: is the peer gone, or did it send an empty packet? */
static int
closed_or_empty(int fd)
{
	uint8_t b;

	return recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ? SP_ECLOSED : SP_ESHORT;
}

/* returns 1, 0 (nothing now) or an error */
static int
receive(struct chan *c, bool wait, uint8_t *buf, size_t cap, struct arrival *a)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_ROOM * sizeof(int))];
	} control;
	struct iovec iov = {buf, cap};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf};
	ssize_t n;

	do
		n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return errno == ECONNRESET || errno == ENOTCONN ? SP_ECLOSED : SP_ESYS;
	collect_fds(&m, a);
	a->len = (size_t)n;
	a->truncated = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	return n == 0 && a->fds == 0 ? closed_or_empty(c->fd) : 1;
}

int
chan_recv(
    struct chan *c, enum phase phase, bool wait, uint8_t *buf, size_t cap, struct chan_msg *ret)
{
	struct arrival a = {0};
	struct rd r;
	int rc;

	PRECOND(cap >= IPC_MAX);
	*ret = (struct chan_msg){0, span_of(NULL, 0), -1};
	if (c->fd < 0)
		return SP_ECLOSED;
	rc = receive(c, wait, buf, cap, &a);
	if (rc != 1)
		return rc;
	r = rd_of(span_of(buf, a.len));
	ret->id = (uint16_t)rd_uint(&r, ID_BYTES);
	rc = r.bad ? SP_ESHORT : ipc_check(ret->id, c->peer, c->self, phase, a.fds);
	if (rc == SP_OK && a.truncated)
		rc = SP_ERANGE;
	if (rc < 0) {
		arrival_drop(&a);
		return rc;
	}
	ret->body = span_of(r.ptr, r.left);
	ret->fd = a.fds != 0 ? a.fd[0] : -1;
	return 1;
}

void
chan_msg_done(struct chan_msg *m)
{
	if (m->fd >= 0)
		(void)close(m->fd); /* nobody took it */
	m->fd = -1;
}
