#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.h"
#include "sys/fail.h"
#include "sys/fd.h"

#define LISTEN_BACKLOG 4096
#define PAIR_BUFFER (1 << 20)

int64_t
sock_read(int fd, void *buf, size_t n)
{
	ssize_t r;

	do
		r = read(fd, buf, n);
	while (r == -1 && errno == EINTR);
	return r >= 0 ? (int64_t)r : sys_fail("read");
}

int
sock_write_all(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, (const uint8_t *)buf + done, n - done);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return sys_fail("write");
		done += (size_t)r;
	}
	return SP_OK;
}

int64_t
sock_write_some(int fd, const void *buf, size_t n)
{
	ssize_t r;

	do
		r = write(fd, buf, n);
	while (r == -1 && errno == EINTR);
	return r >= 0 ? (int64_t)r : sys_fail("write");
}

int
sock_wait_either(int fd, bool in, int timeout_ms, bool *ret_in)
{
	struct pollfd p = {.fd = fd, .events = (short)(in ? POLLOUT | POLLIN : POLLOUT)};
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return sys_fail("poll");
	if (n == 0)
		return SP_ETIMEOUT;
	*ret_in = (p.revents & POLLIN) != 0;
	return (p.revents & (POLLIN | POLLOUT)) != 0 ? SP_OK : SP_ECLOSED;
}

int
sock_wait(int fd, bool for_write, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = for_write ? POLLOUT : POLLIN};
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return sys_fail("poll");
	if (n == 0)
		return SP_ETIMEOUT;
	return (p.revents & (POLLIN | POLLOUT)) != 0 ? SP_OK : SP_ECLOSED;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage room;
};

/* "ADDRESS:PORT" or "[V6]:PORT" as a socket address. */
static int
address_parse(const char *addr, union address *ret, socklen_t *ret_len)
{
	struct span s = span_str(addr), host;
	size_t colon = s.len;
	uint64_t port = 0;
	char text[64];
	struct text t = text_of(text, sizeof(text));

	while (colon > 0 && s.ptr[colon - 1] != ':')
		colon--;
	if (colon == 0 || parse_u64(span_skip(s, colon), 65535, &port) != SP_OK)
		return SP_ESYNTAX;
	host = span_cut(s, colon - 1);
	*ret = (union address){0};
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		text_add(&t, span_cut(span_skip(host, 1), host.len - 2));
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(ret->v6);
		return !t.bad && inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1 ? SP_OK
										    : SP_ESYNTAX;
	}
	text_add(&t, host);
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons((uint16_t)port);
	*ret_len = sizeof(ret->v4);
	return !t.bad && inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1 ? SP_OK : SP_ESYNTAX;
}

static int
listen_fail(const char *addr, const char *what, char *why, size_t cap)
{
	const char *text = strerrordesc_np(errno);
	int err = sys_fail(what);

	(void)snprintf(why, cap, "%s: %s", addr, text != NULL ? text : what);
	return err;
}

int
sock_listen_tcp(const char *addr, const char *congestion, char *why, size_t cap)
{
	DEFER(close_fd) int fd = -1;
	union address a;
	socklen_t len = 0;
	int one = 1;

	if (address_parse(addr, &a, &len) != SP_OK) {
		(void)snprintf(why, cap, "%s: not an address and a port", addr);
		return SP_ESYNTAX;
	}
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return listen_fail(addr, "socket", why, cap);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    (a.any.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == -1))
		return listen_fail(addr, "setsockopt", why, cap);
	/* inherited by accepted connections */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* A kernel without the wished-for algorithm keeps its own: DESIGN.md, "where the kernel has
	 * it". */
	if (congestion[0] != '\0')
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion));
	if (bind(fd, &a.any, len) == -1)
		return listen_fail(addr, "bind", why, cap);
	if (listen(fd, LISTEN_BACKLOG) == -1)
		return listen_fail(addr, "listen", why, cap);
	return TAKE_FD(fd);
}

int
sock_connect_tcp(const char *addr, int timeout_ms)
{
	DEFER(close_fd) int fd = -1;
	union address a;
	socklen_t len = 0, size = sizeof(int);
	int err, failed = 0;

	if (address_parse(addr, &a, &len) != SP_OK)
		return SP_ESYNTAX;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return sys_fail("socket");
	err = fd_nonblock(fd, true);
	if (err == SP_OK && connect(fd, &a.any, len) == -1) {
		if (errno != EINPROGRESS)
			return errno == ECONNREFUSED ? SP_ENOTRUNNING : sys_fail("connect");
		err = sock_wait(fd, /* for_write= */ true, timeout_ms);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == -1 || failed != 0)
			return failed == ECONNREFUSED ? SP_ENOTRUNNING : SP_ESYS;
	}
	if (err == SP_OK)
		err = fd_nonblock(fd, false);
	return err == SP_OK ? TAKE_FD(fd) : err;
}

static int
local_address(const char *path, struct sockaddr_un *ret)
{
	struct span s = span_str(path);

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (s.len >= sizeof(ret->sun_path))
		return SP_ERANGE;
	memcpy(ret->sun_path, s.ptr, s.len);
	return SP_OK;
}

int
sock_listen_local(const char *path, unsigned mode)
{
	DEFER(close_fd) int fd = -1;
	struct sockaddr_un a;
	int err = local_address(path, &a);
	mode_t old;
	int bound;

	if (err != SP_OK)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return sys_fail("socket");
	(void)unlink(path);
	old = umask(0777 & ~(mode_t)mode);
	bound = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (bound == -1)
		return sys_fail("bind");
	if (listen(fd, 64) == -1)
		return sys_fail("listen");
	return TAKE_FD(fd);
}

int
sock_connect_local(const char *path)
{
	DEFER(close_fd) int fd = -1;
	struct sockaddr_un a;
	int err = local_address(path, &a);

	if (err != SP_OK)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return sys_fail("socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		return errno == ECONNREFUSED || errno == ENOENT ? SP_ENOTRUNNING
								: sys_fail("connect");
	return TAKE_FD(fd);
}

static void
address_print(const union address *a, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host));
		(void)snprintf(out, cap, "%s:%u", host, ntohs(a->v4.sin_port));
	} else if (a->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
		(void)snprintf(out, cap, "[%s]:%u", host, ntohs(a->v6.sin6_port));
	} else {
		(void)snprintf(out, cap, "local");
	}
}

int
sock_send_local(const char *path, struct span datagram)
{
	DEFER(close_fd) int fd = -1;
	struct sockaddr_un a;
	int err = local_address(path, &a);

	if (err != SP_OK)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return sys_fail("socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		return sys_fail("connect");
	return send(fd, datagram.ptr, datagram.len, MSG_NOSIGNAL) == (ssize_t)datagram.len
		   ? SP_OK
		   : sys_fail("send");
}

int
sock_accept(int listener, char *peer, size_t cap)
{
	union address a = {0};
	socklen_t len = sizeof(a);
	int fd;

	do
		fd = accept4(listener, &a.any, &len, SOCK_CLOEXEC);
	while (fd == -1 && errno == EINTR);
	if (fd == -1) {
		/* accept(2): errors of a connection that died in the queue come up here; try again
		 * later. */
		switch (errno) {
		case ECONNABORTED:
		case EPROTO:
		case ENETDOWN:
		case ENOPROTOOPT:
		case EHOSTDOWN:
		case ENONET:
		case EHOSTUNREACH:
		case ENETUNREACH:
		case EPERM:
			return SP_EFULL;
		case EINVAL: /* it does not listen any more: shutdown(2), a lockdown */
			return SP_ECLOSED;
		default:
			return sys_fail("accept");
		}
	}
	address_print(&a, peer, cap);
	return fd;
}

int
sock_peer_cred(int fd, uint32_t *ret_uid, int32_t *ret_pid)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == -1)
		return sys_fail("SO_PEERCRED");
	*ret_uid = c.uid;
	*ret_pid = c.pid;
	return SP_OK;
}

int
sock_pair(int ret[2])
{
	int v[2], size = PAIR_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, v) == -1)
		return sys_fail("socketpair");
	for (size_t i = 0; i < 2; i++) {
		/* FORCE goes beyond wmem_max and needs CAP_NET_ADMIN; without it the kernel gives
		 * what it may. */
		if (setsockopt(v[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == -1)
			(void)setsockopt(v[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	ret[0] = v[0];
	ret[1] = v[1];
	return SP_OK;
}
