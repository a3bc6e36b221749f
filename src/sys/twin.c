/* twin.c - see twin.h. */
#include "sys/twin.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sys/fail.h"
#include "sys/sandbox.h"

enum { FD_CONTROL = 3, EXIT_CANNOT_START = 71 };

/* Where the C library keeps the number of this thread: fork(2) has the kernel write it there, so we
 * do.  NULL where the kernel does not say: the number is then the template's, and only a recursive
 * lock would look at it. */
static void *
thread_number(void)
{
	void *at = NULL;

	return prctl(PR_GET_TID_ADDRESS, &at, 0, 0, 0) == 0 ? at : NULL;
}

/* clone(2) with CLONE_PARENT, which fork(3) does not offer.  The last two arguments change places
 * between machines; the one that is not the address of the number is not looked at. */
static long
copy_process(void)
{
	void *number = thread_number();
	unsigned long flags = CLONE_PARENT | SIGCHLD;

	if (number != NULL)
		flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	return syscall(SYS_clone, flags, NULL, NULL, number, number);
}

static bool
become(int fd, uint32_t uid, pid_t parent)
{
	if (dup2(fd, FD_CONTROL) == -1 || syscall(SYS_close_range, FD_CONTROL + 1, ~0U, 0) == -1 ||
	    setsid() == -1)
		return false;
	if (sandbox_drop_ids(uid) != SP_OK)
		return false;
	/* after the change of uid, which clears the first and sets the second */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

int
twin_new(int fd, uint32_t uid)
{
	pid_t parent = getppid();
	long pid;

	PRECOND(fd > FD_CONTROL);
	pid = copy_process();
	if (pid == -1)
		return sys_fail("clone");
	if (pid == 0 && !become(fd, uid, parent))
		_exit(EXIT_CANNOT_START);
	return (int)pid;
}
