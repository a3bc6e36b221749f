/* twin_test.c - copies of a process, as a template makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sys/twin.h"

struct seen {
	pid_t pid, parent, session, thread;
	int death_signal, dumpable, other_fd;
};

static void
look(int fd)
{
	struct seen s = {.pid = getpid(),
	    .parent = getppid(),
	    .session = getsid(0),
	    .thread = gettid(),
	    .other_fd = fcntl(fd, F_GETFD) == -1 ? errno : 0};

	(void)prctl(PR_GET_PDEATHSIG, &s.death_signal);
	s.dumpable = prctl(PR_GET_DUMPABLE);
	if (write(3, &s, sizeof(s)) != sizeof(s))
		_exit(1);
	/* until it is let go */
	if (read(3, &s, 1) != 1)
		_exit(2);
	_exit(7);
}

/* In the place of a template: its copy's number to whom it may concern. */
static void
be_template(int out, int twin_end)
{
	int pid = twin_new(twin_end, 0);

	if (pid == 0)
		look(twin_end);
	if (write(out, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	_exit(0);
}

static void
test_is_ours(void **state)
{
	struct seen s;
	int to_template[2], v[2], pid = 0, status;
	pid_t maker;

	(void)state;
	assert_int_equal(pipe(to_template), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, v), 0);
	assert_int_not_equal(v[1], 3);
	maker = fork();
	if (maker == 0)
		be_template(to_template[1], fcntl(v[1], F_DUPFD, 20));
	assert_int_equal(read(to_template[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(maker, &status, 0), maker);
	assert_int_equal(status, 0);
	assert_true(pid > 1 && pid != maker);

	/* it lives on without the template, which was not its parent */
	assert_int_equal(read(v[0], &s, sizeof(s)), sizeof(s));
	assert_int_equal(s.pid, pid);
	assert_int_equal(s.thread, pid);
	assert_int_equal(s.parent, getpid());
	assert_int_equal(s.session, pid);
	assert_int_equal(s.death_signal, SIGKILL);
	assert_int_equal(s.dumpable, 0);
	assert_int_equal(s.other_fd, EBADF);

	/* and its end is ours to hear of */
	assert_int_equal(write(v[0], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void
test_refuses_its_own_place(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		_exit(twin_new(3, 0) < 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status)); /* a broken promise of the caller's */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_is_ours), cmocka_unit_test(test_refuses_its_own_place)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
