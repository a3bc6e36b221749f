/* What a room may not do, tried in a forked child inside the real sandbox of each profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/sandbox.h"
#include "sys/spawn.h"

enum {
	LEDGER = 1,
	VAULT = 2,
	SIGNER = 4,
	BROKER = 8,
	AUTH = 16,
	GATE = 32,
	WORKER = 64,
	SCRUBBER = 128,
	SFTP_GATE = 256,
	SFTP_WORKER = 512
};
enum {
	NOBODY = 0,
	PATHS = LEDGER | BROKER,
	GATES = GATE | SFTP_GATE,
	WORKERS = WORKER | SFTP_WORKER,
	THREADS = LEDGER | BROKER | WORKERS,
	SENDERS = BROKER | GATES
};

static const struct profile {
	const char *name;
	unsigned bit;
} profiles[] = {
    {"ledger", LEDGER},
    {"vault", VAULT},
    {"signer", SIGNER},
    {"broker", BROKER},
    {"authenticator", AUTH},
    {"gate-https", GATE},
    {"worker-https", WORKER},
    {"scrubber", SCRUBBER},
    {"gate-sftp", SFTP_GATE},
    {"worker-sftp", SFTP_WORKER},
};

/* How a child came out. */
enum outcome { DONE = 0, FAILED = 1, SETUP = 2, KILLED = 3, OTHER = 4 };

static enum outcome
outcome_of(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : OTHER;
	return WEXITSTATUS(status) <= SETUP ? (enum outcome)WEXITSTATUS(status) : OTHER;
}

/* The world that the attempts find: descriptors 3 and 4 are a socket pair, 5 a file open for
 * reading. */
static void
make_world(int file)
{
	int pair[2];

	if (sock_pair(pair) != SP_OK)
		_exit(SETUP);
	int a = fcntl(pair[0], F_DUPFD, 20), b = fcntl(pair[1], F_DUPFD, 20),
	    f = fcntl(file, F_DUPFD, 20);

	if (a == -1 || b == -1 || f == -1 || dup2(a, 3) == -1 || dup2(b, 4) == -1 ||
	    dup2(f, 5) == -1)
		_exit(SETUP);
	if (sandbox_prepare(5) != SP_OK)
		_exit(SETUP);
}

/* Run attempt in the sandbox of a profile: it returns 0 when it got what it wanted. */
static enum outcome
run(const struct profile *p, const struct sandbox_path *paths, size_t n, int (*attempt)(void))
{
	struct sandbox_limits limits = {.files = 64,
	    .cpu_seconds = 60,
	    .no_file_limit = (p->bit & PATHS) != 0,
	    .threads = (p->bit & THREADS) != 0};
	struct sandbox_state state;
	int status, file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();

	assert_true(pid >= 0 && file >= 0);
	if (pid == 0) {
		make_world(file);
		if (sandbox_enter(p->name, paths, n, &limits, &state) != SP_OK || !state.seccomp)
			_exit(SETUP);
		_exit(attempt() == 0 ? DONE : FAILED);
	}
	close(file);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return outcome_of(status);
}

/* ---- what is refused: a call that succeeds returns 0 ---- */

#define ATTEMPT(name, expression)                                                                  \
	static int try_##name(void)                                                                \
	{                                                                                          \
		return (expression) == -1 ? 1 : 0;                                                 \
	}

ATTEMPT(open, open("/etc/passwd", O_RDONLY))
ATTEMPT(openat2, syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0))
ATTEMPT(stat, syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &(struct stat){0}, 0))
ATTEMPT(name_to_handle, syscall(SYS_name_to_handle_at, AT_FDCWD, "/etc", NULL, NULL, 0))
ATTEMPT(chdir, chdir("/"))
ATTEMPT(socket, socket(AF_INET, SOCK_STREAM, 0))
ATTEMPT(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}))
ATTEMPT(connect, connect(3, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, 16))
ATTEMPT(bind, bind(3, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, 16))
ATTEMPT(listen, listen(3, 1))
ATTEMPT(accept, accept4(3, NULL, NULL, 0))
ATTEMPT(sendto_address,
    sendto(3, "x", 1, 0, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, 16))
ATTEMPT(
    sendmsg, sendmsg(3, &(struct msghdr){.msg_iov = &(struct iovec){"x", 1}, .msg_iovlen = 1}, 0))
ATTEMPT(sendmmsg, syscall(SYS_sendmmsg, 3, NULL, 0, 0))
ATTEMPT(execve, execve("/bin/true", (char *[]){"true", NULL}, (char *[]){NULL}))
ATTEMPT(execveat, syscall(SYS_execveat, 5, "", NULL, NULL, AT_EMPTY_PATH))
ATTEMPT(fork, syscall(SYS_fork))
ATTEMPT(vfork, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
ATTEMPT(namespace,
    syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, 0, 0, 0, 0))
ATTEMPT(unshare, unshare(CLONE_NEWUSER))
ATTEMPT(map_exec,
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
											      : 0)
ATTEMPT(map_shared,
    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
											      : 0)
ATTEMPT(map_file_exec, mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE, 5, 0) == MAP_FAILED ? -1 : 0)
ATTEMPT(
    protect_exec, mprotect((void *)((uintptr_t)&profiles & ~4095UL), 4096, PROT_READ | PROT_EXEC))
ATTEMPT(pkey_exec, syscall(SYS_pkey_mprotect, (uintptr_t)&profiles & ~4095UL, 4096, PROT_EXEC, -1))
ATTEMPT(memfd, memfd_create("x", 0))
ATTEMPT(ptrace, ptrace(PTRACE_ATTACH, getppid(), 0, 0))
ATTEMPT(vm_read, syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0))
ATTEMPT(kill, kill(1, 0))
ATTEMPT(tgkill, syscall(SYS_tgkill, 1, 1, SIGTERM))
ATTEMPT(tkill, syscall(SYS_tkill, 1, SIGTERM))
ATTEMPT(sigqueue, syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, NULL))
ATTEMPT(pidfd_open, syscall(SYS_pidfd_open, 1, 0))
ATTEMPT(set_owner, fcntl(3, F_SETOWN, 1))
ATTEMPT(set_owner_ex, fcntl(3, F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, 1}))
ATTEMPT(set_signal, fcntl(3, F_SETSIG, SIGKILL))
ATTEMPT(async, fcntl(3, F_SETFL, O_ASYNC))
ATTEMPT(notify, fcntl(5, F_NOTIFY, DN_ACCESS))
ATTEMPT(ioctl_async, ioctl(3, FIOASYNC, &(int){1}))
ATTEMPT(ioctl_tiocsti, ioctl(2, TIOCSTI, "x"))
ATTEMPT(timer, syscall(SYS_timer_create, CLOCK_REALTIME, &(struct sigevent){0}, &(int){0}))
ATTEMPT(itimer, syscall(SYS_setitimer, 0, NULL, NULL))
ATTEMPT(raise_limit, prlimit(0, RLIMIT_NOFILE, &(struct rlimit){64, 64}, NULL))
ATTEMPT(other_limit, prlimit(1, RLIMIT_NOFILE, NULL, &(struct rlimit){0, 0}))
ATTEMPT(dumpable, prctl(PR_SET_DUMPABLE, 1))
ATTEMPT(subreaper, prctl(PR_SET_CHILD_SUBREAPER, 1))
ATTEMPT(setuid, syscall(SYS_setuid, 0))
ATTEMPT(bpf, syscall(SYS_bpf, 0, NULL, 0))
ATTEMPT(userfault, syscall(SYS_userfaultfd, 0))
ATTEMPT(io_uring, syscall(SYS_io_uring_setup, 1, NULL))
ATTEMPT(keyctl, syscall(SYS_keyctl, 0, 0))
ATTEMPT(mount, syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL))
ATTEMPT(perf, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
ATTEMPT(shm, syscall(SYS_shmget, 1, 4096, 0600))
ATTEMPT(msgq, syscall(SYS_msgget, 1, 0600))
ATTEMPT(seccomp, syscall(SYS_seccomp, 0, 0, NULL))
ATTEMPT(attach_filter, setsockopt(3, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0))
ATTEMPT(tcp_ulp, setsockopt(3, IPPROTO_TCP, TCP_ULP, "tls", 4))
ATTEMPT(peer_cred, getsockopt(3, SOL_SOCKET, SO_PEERCRED, &(struct ucred){0}, &(socklen_t){12}))
ATTEMPT(lease, fcntl(5, F_SETLEASE, F_RDLCK))
ATTEMPT(lock, fcntl(5, F_SETLK, &(struct flock){.l_type = F_RDLCK}))
ATTEMPT(clone3, syscall(SYS_clone3, NULL, 0))
ATTEMPT(x32, syscall(0x40000000 + SYS_getpid))

/* can: the profiles that get past seccomp with it (and may then be refused by Landlock or the
 * kernel). soft: an error instead of death in builds with sanitizers. */
static const struct refusal {
	const char *what;
	int (*attempt)(void);
	unsigned can;
	bool soft;
} refusals[] = {
    {"open", try_open, PATHS, true},
    {"openat2", try_openat2, NOBODY, false},
    {"stat by path", try_stat, PATHS, true},
    {"name_to_handle_at", try_name_to_handle, NOBODY, false},
    {"chdir", try_chdir, NOBODY, false},
    {"socket", try_socket, NOBODY, false},
    {"socketpair", try_socketpair, NOBODY, false},
    {"connect", try_connect, NOBODY, false},
    {"bind", try_bind, NOBODY, false},
    {"listen", try_listen, NOBODY, false},
    {"accept", try_accept, SENDERS, false},
    {"sendto an address", try_sendto_address, NOBODY, false},
    {"sendmsg", try_sendmsg, SENDERS, false},
    {"sendmmsg", try_sendmmsg, NOBODY, false},
    {"execve", try_execve, NOBODY, false},
    {"execveat", try_execveat, NOBODY, false},
    {"fork", try_fork, NOBODY, false},
    {"clone of a process", try_vfork, NOBODY, false},
    {"clone into a namespace", try_namespace, NOBODY, false},
    {"unshare", try_unshare, NOBODY, false},
    {"executable memory", try_map_exec, NOBODY, false},
    {"executable mapping of a file", try_map_file_exec, NOBODY, false},
    {"shared memory that no limit counts", try_map_shared, BROKER, false},
    {"mprotect to executable", try_protect_exec, NOBODY, false},
    {"pkey_mprotect", try_pkey_exec, NOBODY, false},
    {"memfd_create", try_memfd, NOBODY, false},
    {"ptrace", try_ptrace, NOBODY, false},
    {"process_vm_readv", try_vm_read, NOBODY, false},
    {"kill", try_kill, NOBODY, false},
    {"tgkill", try_tgkill, NOBODY, false},
    {"tkill", try_tkill, NOBODY, false},
    {"rt_sigqueueinfo", try_sigqueue, NOBODY, false},
    {"pidfd_open", try_pidfd_open, NOBODY, false},
    {"F_SETOWN", try_set_owner, NOBODY, false},
    {"F_SETOWN_EX", try_set_owner_ex, NOBODY, false},
    {"F_SETSIG", try_set_signal, NOBODY, false},
    {"O_ASYNC", try_async, NOBODY, false},
    {"F_NOTIFY", try_notify, NOBODY, false},
    {"FIOASYNC", try_ioctl_async, NOBODY, true},
    {"TIOCSTI", try_ioctl_tiocsti, NOBODY, true},
    {"timer_create", try_timer, NOBODY, false},
    {"setitimer", try_itimer, NOBODY, false},
    {"a limit set", try_raise_limit, NOBODY, false},
    {"another's limit read", try_other_limit, NOBODY, false},
    {"PR_SET_DUMPABLE", try_dumpable, NOBODY, false},
    {"PR_SET_CHILD_SUBREAPER", try_subreaper, NOBODY, false},
    {"setuid", try_setuid, NOBODY, false},
    {"bpf", try_bpf, NOBODY, false},
    {"userfaultfd", try_userfault, NOBODY, false},
    {"io_uring", try_io_uring, NOBODY, false},
    {"keyctl", try_keyctl, NOBODY, false},
    {"mount", try_mount, NOBODY, false},
    {"perf_event_open", try_perf, NOBODY, false},
    {"shared memory", try_shm, NOBODY, false},
    {"message queue", try_msgq, NOBODY, false},
    {"seccomp", try_seccomp, NOBODY, false},
    {"SO_ATTACH_FILTER", try_attach_filter, NOBODY, false},
    {"TCP_ULP", try_tcp_ulp, NOBODY, false},
    {"SO_PEERCRED", try_peer_cred, BROKER, false},
    {"F_SETLEASE", try_lease, BROKER, false},
    {"F_SETLK", try_lock, BROKER, false},
    {"a call by its x32 number", try_x32, NOBODY, false},
};

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
			const struct refusal *r = &refusals[i];
			enum outcome want = KILLED, got = run(&profiles[p], NULL, 0, r->attempt);

#ifdef SP_SANITIZE
			if (r->soft)
				want = FAILED;
#endif
			if ((r->can & profiles[p].bit) != 0)
				want = got == DONE ? DONE : FAILED;
			if (got != want)
				print_error(
				    "%s: %s: outcome %d\n", profiles[p].name, r->what, (int)got);
			assert_int_equal(got, want);
		}
	}
}

/* Landlock refuses what seccomp lets the rooms with paths try. */
static void
test_paths_need_a_grant(void **state)
{
	(void)state;
	assert_int_equal(run(&profiles[0], NULL, 0, try_open), FAILED);
	assert_int_equal(run(&profiles[3], NULL, 0, try_open), FAILED);
}

static int
try_clone3_fails_softly(void)
{
	return try_clone3() != 0 && errno == ENOSYS ? 0 : 1;
}

/* ---- what must go on working ---- */

static int
do_everyday(void)
{
	struct iovec v = {(char[8]){0}, 8};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	int64_t size = 0;
	void *secret = secret_new(32), *big = mem_alloc(8 << 20);

	if (secret == NULL || big == NULL)
		return 1;
	mem_free(big);
	secret_free(secret, 32);
	if (send(3, "hello", 5, MSG_DONTWAIT | MSG_NOSIGNAL) != 5 ||
	    sock_wait(4, false, 1000) != SP_OK)
		return 1;
	if (recvmsg(4, &m, 0) != 5 || fd_nonblock(4, true) != SP_OK ||
	    fd_nonblock(4, false) != SP_OK)
		return 1;
	if (file_size(5, &size) != SP_OK || size == 0 || clock_wall_us() == 0)
		return 1;
	clock_sleep_ms(1);
	return getrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
}

static void
test_everyday(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		assert_int_equal(run(&profiles[p], NULL, 0, do_everyday), DONE);
		assert_int_equal(run(&profiles[p], NULL, 0, try_clone3_fails_softly), DONE);
	}
}

static void *
thread_main(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int
do_thread(void)
{
	pthread_t t;
	int ran = 0;

	if (pthread_create(&t, NULL, thread_main, &ran) != 0 || pthread_join(t, NULL) != 0)
		return 1;
	return ran == 1 ? 0 : 1;
}

static void
test_threads(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++)
		assert_int_equal(run(&profiles[p], NULL, 0, do_thread),
		    (profiles[p].bit & THREADS) != 0 ? DONE : KILLED);
}

/* ---- paths that were granted ---- */

static char folder[64];

static int
do_files(void)
{
	char path[96], other[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/a", folder);
	(void)snprintf(other, sizeof(other), "%s/sub", folder);
	if (dir_make_at(AT_FDCWD, other, 0700) != SP_OK)
		return 1;
	(void)snprintf(other, sizeof(other), "%s/sub/b", folder);
	if (file_write_new(AT_FDCWD, path, SPAN_LIT("content"), 0600, false) != SP_OK ||
	    file_write_new(AT_FDCWD, path, SPAN_LIT("content"), 0600, false) != SP_EEXISTS ||
	    file_rename_at(AT_FDCWD, path, other) != SP_OK)
		return 1;
	fd = file_open_at(AT_FDCWD, other, O_RDWR, 0);
	if (fd < 0 || file_truncate(fd, 0) != SP_OK || file_sync_all(fd) != SP_OK)
		return 1;
	return file_open_at(AT_FDCWD, "/etc/passwd", O_RDONLY, 0) == SP_EPERM ? 0 : 1;
}

static int
do_read_only(void)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/c", folder);
	if (file_open_at(AT_FDCWD, path, O_RDONLY, 0) < 0)
		return 1;
	return file_open_at(AT_FDCWD, path, O_WRONLY, 0) == SP_EPERM ? 0 : 1;
}

static void
with_folder(void)
{
	struct sandbox_path rw = {folder, SANDBOX_READ | SANDBOX_WRITE},
			    ro = {folder, SANDBOX_READ};
	char path[96];

	(void)snprintf(folder, sizeof(folder), "/tmp/sandbox_test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/c", folder);
	assert_int_equal(file_write_new(AT_FDCWD, path, SPAN_LIT("x"), 0600, false), SP_OK);
	assert_int_equal(run(&profiles[3], &ro, 1, do_read_only), DONE);
	assert_int_equal(run(&profiles[3], &rw, 1, do_files), DONE);
	assert_int_equal(file_remove_at(AT_FDCWD, path), SP_OK);
	(void)snprintf(path, sizeof(path), "%s/sub/b", folder);
	assert_int_equal(file_remove_at(AT_FDCWD, path), SP_OK);
	(void)snprintf(path, sizeof(path), "%s/sub", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void
test_granted_paths(void **state)
{
	(void)state;
	with_folder();
	assert_int_equal(setenv("SALLYPORT_LANDLOCK_ABI", "2", 1), 0);
	with_folder();
	assert_int_equal(unsetenv("SALLYPORT_LANDLOCK_ABI"), 0);
}

/* Landlock alone, without seccomp before it: the second wall holds by itself. */
static int
landlock_child(void)
{
	int abi = 0, fd;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	pid_t parent = getppid();

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    landlock_enter(NULL, 0, false, &abi) != SP_OK)
		return SETUP;
	if (abi == 0)
		return DONE;
	if (open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES)
		return FAILED;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (abi >= 4 && (connect(fd, (struct sockaddr *)&a, sizeof(a)) != -1 || errno != EACCES))
		return FAILED;
	if (abi >= 6 && (kill(parent, 0) != -1 || errno != EPERM))
		return FAILED;
	return DONE;
}

static void
test_landlock_alone(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(landlock_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(outcome_of(status), DONE);
}

static int
prepared_child(void)
{
	struct rlimit core;
	struct sigaction now;

	if (dup2(2, 9) == -1 || sandbox_prepare(2) != SP_OK)
		return SETUP;
	if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return FAILED;
	if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_max != 0)
		return FAILED;
	if (fcntl(9, F_GETFD) != -1)
		return FAILED;
	if (sigaction(SIGPIPE, NULL, &now) == -1 || now.sa_handler != SIG_IGN)
		return FAILED;
	return sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL ? DONE : FAILED;
}

static void
test_prepare(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)sigaction(SIGUSR1, &ignore, NULL);
		_exit(prepared_child());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(outcome_of(status), DONE);
}

/* Root gives its powers away; an ordinary user cannot even try another uid. */
static void
test_drop_ids(void **state)
{
	int status;
	bool root = spawn_am_root();
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (sandbox_drop_ids(712007) != SP_OK)
			_exit(FAILED);
		_exit(getuid() == 712007 && open("/etc/shadow", O_RDONLY) == -1 && setuid(0) == -1
			  ? DONE
			  : OTHER);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(outcome_of(status), root ? DONE : FAILED);
}

static int
try_write_file(void)
{
	return write(6, "x", 1) == 1 ? 0 : 1;
}

/* RLIMIT_FSIZE 0 holds even for a descriptor that is open for writing. */
static void
test_file_limit(void **state)
{
	struct sandbox_limits none = {.files = 64};
	struct sandbox_state got;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int fd = memfd_create("x", 0);

		if (fd == -1 || dup2(fd, 6) == -1 || sandbox_prepare(6) != SP_OK)
			_exit(SETUP);
		if (sandbox_enter("vault", NULL, 0, &none, &got) != SP_OK)
			_exit(SETUP);
		_exit(try_write_file());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(outcome_of(status), FAILED);
}

static void
test_unknown_profile(void **state)
{
	struct sandbox_limits none = {.files = 64, .no_file_limit = true};
	struct sandbox_state got;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(sandbox_enter("nobody", NULL, 0, &none, &got) == SP_ESYS ? DONE : FAILED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(outcome_of(status), DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prepare),
	    cmocka_unit_test(test_drop_ids),
	    cmocka_unit_test(test_everyday),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_paths_need_a_grant),
	    cmocka_unit_test(test_granted_paths),
	    cmocka_unit_test(test_landlock_alone),
	    cmocka_unit_test(test_file_limit),
	    cmocka_unit_test(test_unknown_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
