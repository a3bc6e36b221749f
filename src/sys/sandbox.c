#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "sys/fail.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/log.h"

struct filter_row {
	const char *profile;
	const struct sock_filter *filter;
	size_t n;
};

#include "seccomp_filters.inc"

#ifdef SP_SANITIZE
/* The leak checker stops all threads with ptrace from a clone of the process: not inside the
 * sandbox.  It asks this hook (sanitizer/lsan_interface.h) at exit. */
static int sandboxed;
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int
__lsan_is_turned_off(void)
{
	return sandboxed;
}
#define MARK_SANDBOXED() (sandboxed = 1)
#else
#define MARK_SANDBOXED() ((void)0)
#endif

/* The part of the sandbox that the kernel refused is named once, here. */
static int
refused(const char *what)
{
	const char *text = strerrordesc_np(errno);

	log_error("sandbox: %s: %s", what, text != NULL ? text : "unknown error");
	return SP_ESYS;
}

static int
default_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, plain = {.sa_handler = SIG_DFL}, now;
	sigset_t none;

	/* exec has reset every handler; what the parent ignored is still ignored */
	for (int sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
		    now.sa_handler == SIG_IGN)
			(void)sigaction(sig, &plain, NULL);
	/* SIGIO comes when a read lease is broken, SIGXFSZ at RLIMIT_FSIZE, where write fails as
	 * well */
	if (sigaction(SIGPIPE, &ignore, NULL) == -1 || sigaction(SIGIO, &ignore, NULL) == -1 ||
	    sigaction(SIGXFSZ, &ignore, NULL) == -1)
		return refused("sigaction");
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		return refused("sigprocmask");
	return SP_OK;
}

int
sandbox_prepare(int last_fd)
{
	struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return refused("PR_SET_DUMPABLE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return refused("PR_SET_NO_NEW_PRIVS");
	if (setrlimit(RLIMIT_CORE, &no_core) == -1)
		return refused("RLIMIT_CORE");
	if (syscall(SYS_close_range, (unsigned)last_fd + 1, ~0U, 0) == -1)
		return refused("close_range");
	file_private();
	return default_signals();
}

/* Clear the bounding and ambient sets, so that no later exec could bring a capability back. */
static int
drop_capability_sets(void)
{
	for (int cap = 0; cap <= 63; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has == -1)
			break; /* past the kernel's last */
		if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			return refused("PR_CAPBSET_DROP");
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return refused("PR_CAP_AMBIENT");
	return SP_OK;
}

static int
check_dropped(uint32_t uid)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) == -1 || r != uid || e != uid || s != uid)
		return refused("the uid did not change");
	if (setuid(0) != -1)
		return refused("the uid could be changed back");
	if (syscall(SYS_capget, &head, data) == -1 || data[0].effective != 0 ||
	    data[1].effective != 0 || data[0].permitted != 0 || data[1].permitted != 0)
		return refused("capabilities are left");
	return SP_OK;
}

int
sandbox_drop_ids(uint32_t uid)
{
	int err;

	if (uid == 0)
		return SP_OK;
	err = drop_capability_sets();
	if (err != SP_OK)
		return err;
	if (setgroups(0, NULL) == -1)
		return refused("setgroups");
	if (setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == -1)
		return refused("setresgid");
	if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) == -1)
		return refused("setresuid");
	return check_dropped(uid);
}

/* What is left is what sandbox_drop_ids needs; the sets that could bring more back are empty. */
static int
keep_ids_only(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = 1u << CAP_SETUID | 1u << CAP_SETGID,
	    .permitted = 1u << CAP_SETUID | 1u << CAP_SETGID}};
	int err = drop_capability_sets();

	if (err == SP_OK && syscall(SYS_capset, &head, data) == -1)
		err = refused("capset");
	return err;
}

int
sandbox_template(bool as_root, int *ret_abi)
{
	int err = as_root ? keep_ids_only() : SP_OK;

	if (err == SP_OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err = refused("PR_SET_DUMPABLE");
	return err == SP_OK ? landlock_enter(NULL, 0, /* connects= */ false, ret_abi) : err;
}

static int
limit(__rlimit_resource_t what, const char *name, uint64_t value)
{
	struct rlimit now, want;

	if (getrlimit(what, &now) == -1)
		return refused(name);
	/* never above what we have: an ordinary user could not, and nobody needs to */
	want.rlim_max = value < now.rlim_max ? value : now.rlim_max;
	want.rlim_cur = want.rlim_max;
	return setrlimit(what, &want) == 0 ? SP_OK : refused(name);
}

static int
apply_limits(const struct sandbox_limits *l)
{
	int err = SP_OK;

#ifndef SP_SANITIZE /* whose shadow memory is terabytes */
	if (l->memory_bytes != 0)
		err = limit(RLIMIT_DATA, "RLIMIT_DATA", l->memory_bytes);
	if (err == SP_OK && l->memory_bytes != 0)
		err = limit(RLIMIT_AS, "RLIMIT_AS", l->memory_bytes + SANDBOX_ADDRESS_SPARE);
#endif
	if (err == SP_OK && l->cpu_seconds != 0)
		err = limit(RLIMIT_CPU, "RLIMIT_CPU", l->cpu_seconds);
	if (err == SP_OK && l->files != 0)
		err = limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", l->files);
	if (err == SP_OK && !l->no_file_limit)
		err = limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", l->file_bytes);
	/* counts all processes and threads of the uid: without a uid of one's own it can only say
	 * none at all */
	if (err == SP_OK && (!l->threads || l->tasks != 0))
		err = limit(RLIMIT_NPROC, "RLIMIT_NPROC", l->threads ? l->tasks : 0);
	return err;
}

static int
apply_seccomp(const char *profile)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct sock_fprog prog = {.len = (unsigned short)filters[i].n,
		    .filter = (struct sock_filter *)(uintptr_t)filters[i].filter};

		if (strcmp(filters[i].profile, profile) != 0)
			continue;
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			&prog) != 0)
			return refused("seccomp");
		return SP_OK;
	}
	log_error("sandbox: there is no seccomp profile called %s", profile);
	return SP_ESYS;
}

int
sandbox_enter(const char *profile, const struct sandbox_path *paths, size_t n_paths,
    const struct sandbox_limits *limits, struct sandbox_state *ret)
{
	struct sandbox_state state = {.seccomp = true};
	int err = apply_limits(limits);

	/* again: a change of uid sets it back */
	if (err == SP_OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err = refused("PR_SET_DUMPABLE");
	if (err == SP_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err = refused("PR_SET_NO_NEW_PRIVS");
	if (err == SP_OK)
		err = landlock_enter(paths, n_paths, limits->connects, &state.landlock_abi);
	if (err == SP_OK)
		err = apply_seccomp(profile);
	MARK_SANDBOXED();
	if (err == SP_OK)
		*ret = state;
	return err;
}

int
sandbox_paths(const struct sandbox_path *paths, size_t n_paths, int *ret_abi)
{
	const struct sandbox_limits limits = {.files = 64, .no_file_limit = true, .tasks = 0};
	int err = apply_limits(&limits);

	if (err == SP_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err = refused("PR_SET_NO_NEW_PRIVS");
	return err == SP_OK ? landlock_enter(paths, n_paths, /* connects= */ false, ret_abi) : err;
}
