#include "sys/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/text.h"
#include "sys/fail.h"
#include "sys/fd.h"

int
server_lock(const char *path)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDWR | O_CREAT, 0644);
	char number[24];
	struct text t = text_of(number, sizeof(number));
	int err;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK ? SP_ERUNNING : sys_fail("flock");
	text_fmt(&t, "%d\n", (int)getpid());
	err = file_truncate(fd, 0);
	if (err == SP_OK)
		err = file_pwrite(fd, number, t.len, 0);
	return err == SP_OK ? TAKE_FD(fd) : err;
}

bool
server_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) == 0;
}

bool
server_unwritable(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 022) == 0 &&
	       (st.st_uid == 0 || st.st_uid == geteuid());
}

int
server_writable(const char *path)
{
	return access(path, W_OK | X_OK) == 0 ? SP_OK : sys_fail("access");
}

int
server_folder(const char *path, uint32_t uid)
{
	if (mkdir(path, 0700) == -1)
		return sys_fail("mkdir");
	if (uid != 0 && chown(path, uid, uid) == -1) {
		int err = sys_fail("chown");

		(void)rmdir(path); /* nobody is to find one that its room cannot use */
		return err;
	}
	return SP_OK;
}

bool
server_passable(const char *path, char *ret, size_t cap)
{
	struct text t = text_of(ret, cap);
	struct stat st;

	text_str(&t, path);
	if (t.bad)
		return false;
	for (;;) {
		char *slash = strrchr(ret, '/');

		if (stat(ret[0] != '\0' ? ret : "/", &st) == -1 || (st.st_mode & S_IXOTH) == 0)
			return false;
		if (slash == NULL)
			return true;
		*slash = '\0';
	}
}

uint64_t
server_descriptors(uint64_t want)
{
	struct rlimit l, more;

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		return 0;
	more = (struct rlimit){want, l.rlim_max > want ? l.rlim_max : want};
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return want;
	/* only root may go over the hard limit */
	more = (struct rlimit){l.rlim_max, l.rlim_max};
	return setrlimit(RLIMIT_NOFILE, &more) == 0 ? l.rlim_max : l.rlim_cur;
}

void
server_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct span s = span_str(name);
	DEFER(close_fd) int fd = -1;

	if (s.len < 2 || s.len >= sizeof(a.sun_path) || (s.ptr[0] != '/' && s.ptr[0] != '@'))
		return;
	memcpy(a.sun_path, s.ptr, s.len);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	/* systemd is told, not asked: if it does not listen, nothing here changes */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&a,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + s.len));
}

uint32_t
server_login_uid(int32_t pid, uint32_t other)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(close_fd) int fd = -1;
	char path[64];
	uint64_t uid = UINT32_MAX;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/loginuid", pid);
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0 || file_read_all(fd, 32, &content, &len) != SP_OK ||
	    parse_u64(span_trim(span_of(content, len)), UINT32_MAX, &uid) != SP_OK)
		return other;
	return uid == UINT32_MAX ? other : (uint32_t)uid; /* nobody has logged in: a service */
}

int64_t
server_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t v = 0, who = 0;

	if (usec == NULL || parse_u64(span_str(usec), INT64_MAX, &v) != SP_OK)
		return 0;
	if (pid != NULL &&
	    (parse_u64(span_str(pid), INT32_MAX, &who) != SP_OK || who != (uint64_t)getpid()))
		return 0;
	return (int64_t)(v / 2000);
}

const char *
server_credentials_dir(void)
{
	return secure_getenv("CREDENTIALS_DIRECTORY");
}

const char *
server_environment(const char *name)
{
	return geteuid() == 0 ? NULL : secure_getenv(name);
}

int
server_log_pipe(int ret[2])
{
	struct stat st;
	int v[2];

	if (fstat(STDERR_FILENO, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)))
		return 0;
	/* the writing end does not block either: a room that logs too much loses lines, and holds
	 * nobody up */
	if (pipe2(v, O_CLOEXEC | O_NONBLOCK) == -1)
		return sys_fail("pipe");
	ret[0] = v[0];
	ret[1] = v[1];
	return 1;
}

uint64_t
server_log_relay(int fd, uint64_t *budget)
{
	char buf[16384];
	uint64_t thrown = 0;
	ssize_t n;

	/* a few rounds only: a room that writes without end does not stop the supervisor */
	for (int i = 0; i < 8 && (n = read(fd, buf, sizeof(buf))) > 0; i++) {
		size_t keep = (size_t)n <= *budget ? (size_t)n : (size_t)*budget;

		/* whole lines only */
		while (keep < (size_t)n && keep > 0 && buf[keep - 1] != '\n')
			keep--;
		thrown += (uint64_t)n - keep;
		*budget = keep < (size_t)n ? 0 : *budget - keep;
		if (keep != 0 && write(STDERR_FILENO, buf, keep) < 0)
			break;
	}
	return thrown;
}

int
server_in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork(), got;
	int status;

	if (pid == -1)
		return sys_fail("fork");
	if (pid == 0)
		_exit(fn(arg) & 0x7f);
	do
		got = waitpid(pid, &status, 0);
	while (got == -1 && errno == EINTR);
	return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : SP_ESYS;
}

void
server_shutdown(int fd)
{
	if (shutdown(fd, SHUT_RDWR) == -1)
		(void)sys_fail("shutdown"); /* not listening any more: just as well */
}

/* sync_parent - make what was done to the name of path durable. */
static int
sync_parent(const char *path)
{
	char dir[2200];
	struct text t = text_of(dir, sizeof(dir));
	const char *slash = strrchr(path, '/');
	DEFER(close_fd) int fd = -1;

	text_add(&t, span_of(path, slash != NULL ? (size_t)(slash - path) + 1 : 0));
	text_chr(&t, '.');
	if (t.bad)
		return SP_ERANGE;
	fd = file_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? fd : file_sync_all(fd);
}

int
server_remove(const char *path)
{
	int err = file_remove_at(AT_FDCWD, path);

	return err == SP_OK ? sync_parent(path) : err == SP_ENOTFOUND ? SP_OK : err;
}

/* overwrite - zeros over all that the file has. */
static int
overwrite(const char *path)
{
	static const uint8_t zeros[512];
	DEFER(close_fd) int own = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	DEFER(close_fd) int fd = -1;
	int64_t size = 0;
	int err = own < 0 ? own : file_mode(own, 0600); /* 0400 keeps even its owner from writing */

	if (err == SP_OK)
		err = fd = file_open_at(AT_FDCWD, path, O_WRONLY, 0);
	if (err >= 0)
		err = file_size(fd, &size);
	for (int64_t at = 0; err == SP_OK && at < size; at += (int64_t)sizeof(zeros))
		err = file_pwrite(fd, zeros,
		    size - at < (int64_t)sizeof(zeros) ? (size_t)(size - at) : sizeof(zeros), at);
	return err == SP_OK ? file_sync_all(fd) : err;
}

int
server_destroy(const char *path)
{
	int err = overwrite(path), gone;

	if (err == SP_ENOTFOUND)
		return err;
	gone = server_remove(path); /* even when it could not be overwritten */
	return err != SP_OK ? err : gone;
}
