#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/text.h"
#include "sys/fail.h"
#include "sys/fd.h"
#include "sys/sandbox.h"

enum { ENV_MAX = 8, FD_CONTROL = 3, FD_BINARY = 4, EXIT_CANNOT_START = 71 };

/* What a room's environment may take over from ours. */
static const char *const inherited[] = {
    "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "SALLYPORT_LANDLOCK_ABI"};

int
spawn_binary(const char *path)
{
	int fd;

	if (access(path, X_OK) == -1)
		return sys_fail("access");
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd >= 0 ? fd : sys_fail("open");
}

struct environment {
	char text[ENV_MAX][256];
	char *list[ENV_MAX + 1];
	size_t n;
};

static void
env_add(struct environment *e, const char *key, const char *value)
{
	struct text t = text_of(e->text[e->n], sizeof(e->text[0]));

	VERIFY(e->n < ENV_MAX);
	text_fmt(&t, "%s=%s", key, value);
	if (t.bad)
		return;
	e->list[e->n] = e->text[e->n];
	e->n++;
}

static void
env_build(struct environment *e)
{
	for (size_t i = 0; i < ARRAY_LEN(inherited); i++) {
		const char *v = getenv(inherited[i]);

		if (v != NULL)
			env_add(e, inherited[i], v);
	}
}

static void
child_write(const char *s)
{
	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		return;
}

/* Put the descriptors in their places: nothing but 0 to 4 is left, and 4 goes with exec. */
static int
child_descriptors(const struct spawn *s)
{
	/* both out of the way first, so that neither is overwritten by the other */
	int control = fcntl(s->fd3, F_DUPFD_CLOEXEC, 10),
	    binary = fcntl(s->binary, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (s->log >= 0 && dup2(s->log, STDERR_FILENO) == -1)
		return -1;
	if (control == -1 || binary == -1 || null == -1)
		return -1;
	if (dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    dup2(control, FD_CONTROL) == -1 || dup3(binary, FD_BINARY, O_CLOEXEC) == -1)
		return -1;
	return (int)syscall(SYS_close_range, FD_BINARY + 1, ~0U, 0);
}

/* In the child.  Returns on failure only. */
static void
child_exec(const struct spawn *s, struct environment *e, pid_t parent)
{
	char name[64];
	char *argv[] = {name, NULL};
	struct text t = text_of(name, sizeof(name));
	sigset_t none;

	text_fmt(&t, "sallyport-%s", s->room);
	sigemptyset(&none);
	if (child_descriptors(s) == -1 || setsid() == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		return;
	if (s->uid != 0 && sandbox_drop_ids(s->uid) != SP_OK)
		return;
	/* after the change of uid, which clears it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return;
	(void)syscall(SYS_execveat, FD_BINARY, "", argv, e->list, AT_EMPTY_PATH);
}

int
spawn_room(const struct spawn *s)
{
	struct environment e = {0};
	pid_t parent = getpid(), pid;

	env_build(&e);
	pid = fork();
	if (pid == -1)
		return sys_fail("fork");
	if (pid == 0) {
		child_exec(s, &e, parent);
		child_write("sallyport: cannot start ");
		child_write(s->room);
		child_write("\n");
		_exit(EXIT_CANNOT_START);
	}
	return (int)pid;
}

int
spawn_reap(struct spawn_end *ret)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(-1, &status, WNOHANG);
	while (pid == -1 && errno == EINTR);
	if (pid <= 0)
		return 0;
	*ret = (struct spawn_end){.pid = (int32_t)pid, .status = -1};
	if (WIFEXITED(status)) {
		ret->status = WEXITSTATUS(status);
	} else {
		ret->signal = WTERMSIG(status);
		ret->sandboxed = ret->signal == SIGSYS;
	}
	return 1;
}

bool
spawn_is_crash(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
	       signal == SIGABRT || signal == SIGSYS || signal == SIGTRAP;
}

void
spawn_kill(int32_t pid)
{
	/* A child that is not reaped keeps its number, so this can hit no other process. */
	if (pid > 1)
		(void)kill((pid_t)pid, SIGKILL);
}

int
spawn_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return sys_fail("sigprocmask");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : sys_fail("signalfd");
}

int
spawn_signal_next(int fd)
{
	struct signalfd_siginfo si;
	ssize_t n = read(fd, &si, sizeof(si));

	return n == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}

bool
spawn_am_root(void)
{
	return geteuid() == 0;
}

int32_t
spawn_own_pid(void)
{
	return (int32_t)getpid();
}

uint32_t
spawn_own_uid(void)
{
	return (uint32_t)geteuid();
}

int
spawn_self_dir(char *ret, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", ret, cap);

	if (n < 0)
		return sys_fail("readlink");
	if ((size_t)n >= cap)
		return SP_ESPACE;
	while (n > 1 && ret[n - 1] != '/')
		n--;
	ret[n > 1 ? n - 1 : n] = '\0';
	return SP_OK;
}
