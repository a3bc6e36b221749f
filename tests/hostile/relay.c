/* relay.c - a taken-over room: it has a room's place and descriptors, and does what the test tells
 * it.
 *
 * The supervisor under test execs it as sallyport-<room>.  Every packet of descriptor 3 goes to the
 * test over DIR/stage.sock, with its descriptors, and every packet of the test to the supervisor.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PACKET = 100000, FDS = 2 };

/* DIR: the supervisor's argument. */
static int
stage_path(char *path, size_t cap)
{
	char name[64], line[4096];
	size_t len;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/cmdline", (int)getppid());
	f = fopen(name, "r");
	if (f == NULL)
		return -1;
	len = fread(line, 1, sizeof(line) - 1, f);
	(void)fclose(f);
	line[len] = '\0';
	(void)snprintf(path, cap, "%s/stage.sock", line + strlen(line) + 1);
	return 0;
}

static int
stage_connect(const char *argv0)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char hello[128];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd == -1 || stage_path(a.sun_path, sizeof(a.sun_path)) == -1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		return -1;
	(void)snprintf(hello, sizeof(hello), "%s %d", argv0, (int)getpid());
	return send(fd, hello, strlen(hello), 0) > 0 ? fd : -1;
}

/* One packet from one to the other, with its descriptors.  Returns 0 at the end. */
static int
pass(int from, int to)
{
	static char buf[PACKET];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS * sizeof(int))];
	} control;
	struct iovec v = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return 0;
	v.iov_len = (size_t)n;
	if (sendmsg(to, &m, MSG_NOSIGNAL) != n)
		return 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h)) {
		int fds[FDS];
		size_t bytes = h->cmsg_len - CMSG_LEN(0);

		memcpy(fds, CMSG_DATA(h), bytes < sizeof(fds) ? bytes : sizeof(fds));
		for (size_t i = 0; i < bytes / sizeof(int) && i < FDS; i++)
			(void)close(fds[i]);
	}
	return 1;
}

int
main(int argc, char **argv)
{
	int stage = stage_connect(argv[0]);
	struct pollfd p[2] = {{.fd = 3, .events = POLLIN}, {.fd = stage, .events = POLLIN}};

	(void)argc;
	if (stage == -1)
		return 1;
	while (poll(p, 2, -1) > 0) {
		if (p[0].revents != 0 && !pass(3, stage))
			return 0;
		if (p[1].revents != 0 && !pass(stage, 3))
			return 0;
	}
	return 0;
}
