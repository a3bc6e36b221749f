/* sandbox.h - taking powers away for good: seccomp, Landlock, limits.
 *
 * The filters are compiled at build time by tools/mkseccomp from sys/seccomp.def (libseccomp) and
 * loaded ready-made; no room links libseccomp.  In sanitizer builds the same filters hold, with the
 * few calls added that the sanitizer's run-time needs (rows marked SANITIZE).
 */
#ifndef SP_SYS_SANDBOX_H
#define SP_SYS_SANDBOX_H
#include "base/err.h"
#include "base/mem.h"

/* What the kernel gave: shown by `sallyport status`. */
struct sandbox_state {
	bool seccomp;
	int landlock_abi; /* 0: the kernel has none */
};

/* of a path grant; OPTIONAL: it need not be there */
enum { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_OPTIONAL = 4 };
struct sandbox_path {
	const char *path;
	unsigned access; /* files below it may be read; read, written, made and removed */
};
#define SANDBOX_ADDRESS_SPARE (1u << 30) /* for code, stacks, malloc's empty arenas */
struct sandbox_limits {
	uint64_t memory_bytes; /* RLIMIT_DATA, 0: leave (not applied in sanitizer builds); with it
				* RLIMIT_AS, SANDBOX_ADDRESS_SPARE more: page tables are counted by
				* neither */
	uint64_t cpu_seconds;
	uint64_t files;	     /* RLIMIT_NOFILE */
	uint64_t file_bytes; /* RLIMIT_FSIZE, 0: none may be written */
	bool no_file_limit;  /* leave RLIMIT_FSIZE alone */
	bool threads;	     /* may start threads (never processes) */
	bool
	    connects; /* may connect to TCP ports; other rooms may not, where Landlock knows them */
	uint64_t tasks; /* RLIMIT_NPROC of a room with threads whose uid is its own, 0: leave */
};

/* sandbox_prepare - at the start of every room: not dumpable, no_new_privs, no core, close_range
 * above the last descriptor given, umask 077, signals to default but SIGPIPE, SIGIO and SIGXFSZ
 * ignored. */
int sandbox_prepare(int last_fd) MUST_USE;

/* sandbox_drop_ids - to uid and gid (the same number), all groups and capabilities dropped; checks
 * that it holds.  uid 0 does nothing: run by an ordinary user. */
int sandbox_drop_ids(uint32_t uid) MUST_USE;

/* sandbox_template - what a template of workers needs no more once it has opened all that it opens:
 * Landlock without any path; started by root, the capabilities to change uid and gid and no other.
 * Its twins come out of it by sandbox_drop_ids and sandbox_enter.
 *   ret_abi  Landlock's ABI; 0: the kernel has none */
int sandbox_template(bool as_root, int *ret_abi) MUST_USE;

/* sandbox_enter - limits, Landlock with the given paths only (none: no path at all; ABI 2 rights
 * are the base, later ABIs add network, ioctl and scope denial; SALLYPORT_LANDLOCK_ABI=2 in the
 * environment of the supervisor holds it to 2), then the seccomp filter called `profile` (a row of
 * rooms.def). why  SP_ESYS with a log line that says which part the kernel refused. A kernel
 * without Landlock is no error (state says so); a kernel without seccomp is. */
int sandbox_enter(const char *profile, const struct sandbox_path *paths, size_t n_paths,
    const struct sandbox_limits *limits, struct sandbox_state *ret) MUST_USE;

/* sandbox_paths - a program of the operator that listens: no new powers, no program, and no path but these.
 * ret_abi  of Landlock; 0: the kernel has none */
int sandbox_paths(const struct sandbox_path *paths, size_t n_paths, int *ret_abi) MUST_USE;
#endif
