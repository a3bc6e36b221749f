/* operator.c - programs, terminals and names. */
#include "sys/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/fd.h"

uint32_t
op_uid(void)
{
	return geteuid();
}

uint32_t
op_gid(void)
{
	return getegid();
}

int
op_pipe_ignore(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	return sigaction(SIGPIPE, &ignore, NULL) == 0 ? SP_OK : SP_ESYS;
}

int
op_no_core(void)
{
	struct rlimit no_core = {0, 0};

	/* the limit does not bind a core_pattern that is a program: that asks whether it may be
	 * dumped */
	if (setrlimit(RLIMIT_CORE, &no_core) == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return SP_ESYS;
	return SP_OK;
}

int
op_self_dir(char *buf, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", buf, cap);
	char *slash;

	if (n < 0)
		return SP_ESYS;
	if ((size_t)n >= cap)
		return SP_ESPACE;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (slash == NULL)
		return SP_ESYS;
	*slash = '\0';
	return SP_OK;
}

int
op_absolute(const char *path, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	char cwd[4096];

	if (path[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return SP_ESYS;
		text_str(&t, cwd);
		text_chr(&t, '/');
	}
	text_str(&t, path);
	while (t.len > 1 && buf[t.len - 1] == '/')
		buf[--t.len] = '\0';
	return t.bad ? SP_ESPACE : SP_OK;
}

void
op_host_name(char *buf, size_t cap)
{
	if (gethostname(buf, cap) != 0 || memchr(buf, '\0', cap) == NULL || buf[0] == '\0')
		(void)snprintf(buf, cap, "localhost");
}

bool
op_is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

int
op_exec(const char *path, char *const argv[])
{
	(void)execv(path, argv); /* returns only on failure */
	if (errno == ENOENT)
		return SP_ENOTFOUND;
	return errno == EACCES ? SP_EPERM : SP_ESYS;
}

/* start - a child that runs path with its standard output at `out`; the pid or SP_ESYS */
static pid_t
start(const char *path, char *const argv[], int out)
{
	pid_t pid = fork();

	if (pid < 0)
		return SP_ESYS;
	if (pid == 0) {
		sigset_t none;

		(void)sigemptyset(&none); /* cannot fail */
		(void)sigprocmask(
		    SIG_SETMASK, &none, NULL); /* what we hold back is not the program's business */
		if (dup2(out, STDOUT_FILENO) >= 0)
			(void)execv(path, argv); /* returns only on failure */
		_exit(127);
	}
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return SP_ESYS;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int
op_run(const char *path, char *const argv[])
{
	pid_t pid = start(path, argv, STDERR_FILENO);

	return pid < 0 ? SP_ESYS : wait_for(pid);
}

#define LINE_MAX_BYTES 131072u

/* give_lines - all whole lines in buf to fn; what is left moves to the front. */
static int
give_lines(char *buf, size_t *len, op_line_fn fn, void *arg)
{
	struct span rest = span_of(buf, *len);
	int rc = SP_OK;

	for (;;) {
		size_t n = span_find(rest, '\n');

		if (n == rest.len || rc != SP_OK)
			break;
		rc = fn(arg, span_cut(rest, n));
		rest = span_skip(rest, n + 1);
	}
	memmove(buf, rest.ptr, rest.len);
	*len = rest.len;
	return rc == SP_OK && *len == LINE_MAX_BYTES ? SP_ETOOBIG : rc;
}

int
op_run_lines(const char *path, char *const argv[], op_line_fn fn, void *arg)
{
	DEFER(mem_freep) char *buf = mem_alloc(LINE_MAX_BYTES);
	DEFER(close_fd) int in = -1;
	int pipes[2], rc = SP_OK, status;
	size_t len = 0;
	pid_t pid;

	if (buf == NULL || pipe2(pipes, O_CLOEXEC) == -1)
		return buf == NULL ? SP_ENOMEM : SP_ESYS;
	in = pipes[0];
	pid = start(path, argv, pipes[1]);
	close_fd(&pipes[1]);
	if (pid < 0)
		return SP_ESYS;
	while (rc == SP_OK) {
		int64_t n = sock_read(in, buf + len, LINE_MAX_BYTES - len);

		if (n <= 0) {
			rc = n < 0 ? (int)n : SP_OK;
			break;
		}
		len += (size_t)n;
		rc = give_lines(buf, &len, fn, arg);
	}
	close_fd(&in); /* a program that has more to say ends of it */
	status = wait_for(pid);
	return rc != SP_OK ? rc : status;
}

/* read_line - one line from fd, a byte at a time so that nothing behind it is taken. */
static int
read_line(int fd, char *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	char c;

	for (;;) {
		int64_t n = sock_read(fd, &c, 1);

		if (n < 0)
			return (int)n;
		if (n == 0 && len == 0)
			return SP_ECLOSED;
		if (n == 0 || c == '\n')
			break;
		if (len == cap)
			return SP_ETOOBIG;
		buf[len++] = c;
	}
	if (len != 0 && buf[len - 1] == '\r')
		len--;
	*ret_len = len;
	return SP_OK;
}

struct op_signals {
	int fd;
	sigset_t before;
};

int
op_signals_hold(struct op_signals **ret)
{
	static const int held[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
	struct op_signals *s = mem_alloc(sizeof(*s));
	sigset_t set;

	if (s == NULL)
		return SP_ENOMEM;
	(void)sigemptyset(&set); /* cannot fail */
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		(void)sigaddset(&set, held[i]); /* cannot fail */
	if (sigprocmask(SIG_BLOCK, &set, &s->before) != 0) {
		mem_free(s);
		return SP_ESYS;
	}
	s->fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (s->fd < 0) {
		op_signals_release(s);
		return SP_ESYS;
	}
	*ret = s;
	return SP_OK;
}

bool
op_signals_came(const struct op_signals *s)
{
	struct pollfd p = {.events = POLLIN};

	if (s == NULL)
		return false;
	p.fd = s->fd;
	return poll(&p, 1, 0) > 0;
}

void
op_signals_release(struct op_signals *s)
{
	if (s == NULL)
		return;
	close_fd(&s->fd);
	(void)sigprocmask(SIG_SETMASK, &s->before, NULL); /* here those that came act */
	mem_free(s);
}

/* wait_line - until the terminal has a line; SP_ECLOSED when a signal came first. */
static int
wait_line(int tty, const struct op_signals *signals)
{
	struct pollfd fds[2] = {
	    {.fd = tty, .events = POLLIN}, {.fd = signals->fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return SP_EIO;
	return fds[1].revents != 0 ? SP_ECLOSED : SP_OK;
}

int
op_secret_prompt(const char *prompt, char *buf, size_t cap, size_t *ret_len)
{
	DEFER(close_fd) int tty = file_open_at(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY, 0);
	struct op_signals *signals = NULL;
	struct termios old, quiet;
	int rc;

	if (tty < 0 || tcgetattr(tty, &old) != 0)
		return SP_ENOTFOUND;
	/* a signal must not leave the terminal without echo: it is held back, and acts when all is
	 * as it was */
	rc = op_signals_hold(&signals);
	if (rc != SP_OK)
		return rc;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		rc = SP_ENOTFOUND;
	if (rc == SP_OK)
		rc = sock_write_all(tty, prompt, strlen(prompt));
	if (rc == SP_OK)
		rc = wait_line(tty, signals);
	if (rc == SP_OK)
		rc = read_line(tty, buf, cap, ret_len);
	(void)tcsetattr(tty, TCSAFLUSH, &old); /* nothing to do about a terminal that is gone */
	op_signals_release(signals);
	return rc;
}

int
op_secret_stdin(char *buf, size_t cap, size_t *ret_len)
{
	return read_line(STDIN_FILENO, buf, cap, ret_len);
}

int
op_lock_probe(const char *path)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : SP_ESYS;
}
