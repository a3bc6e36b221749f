/* spawn.h - starting the processes of the rooms and hearing of their end.  Only the supervisor uses
 * it. */
#ifndef SP_SYS_SPAWN_H
#define SP_SYS_SPAWN_H

#include "base/err.h"
#include "base/mem.h"

/* How a process ended. */
struct spawn_end {
	int32_t pid;
	int status;	/* exit status, or -1 when a signal ended it */
	int signal;	/* 0, or the signal */
	bool sandboxed; /* the signal was SIGSYS: a system call that its filter does not allow */
};

/* A program to be started. */
struct spawn {
	int binary;	  /* descriptor of the executable: spawn_binary */
	const char *room; /* argv[0] is sallyport-<room> */
	int fd3;	  /* becomes its descriptor 3; stays the caller's */
	int log;	  /* becomes its descriptor 2; -1: ours; stays the caller's */
	uint32_t uid;	  /* runs as this uid and gid without any capability; 0: as the caller */
};

/* spawn_binary - open an executable file for later starts (O_PATH), so that it is the same file
 * whatever happens to its name and whatever folders the new process may not enter. errors
 * SP_ENOTFOUND, SP_EPERM (not executable) */
int spawn_binary(const char *path) MUST_USE;

/* spawn_room - start s: descriptors 0 and 1 are /dev/null, 2 is s->log or ours, 3 is s->fd3,
 * nothing else; a session of its own, so that a terminal's signals do not reach it; killed when the
 * caller ends; no_new_privs; an empty environment but for, when the caller has them,
 * JOURNAL_STREAM, ASAN_OPTIONS, UBSAN_OPTIONS and SALLYPORT_LANDLOCK_ABI. returns  the
 * process number */
int spawn_room(const struct spawn *s) MUST_USE;

/* spawn_reap - the next child that has ended: 1, or 0 when there is none now.  Never blocks. */
int spawn_reap(struct spawn_end *ret) MUST_USE;

/* spawn_is_crash - does a process die of this signal by its own doing, and not because somebody
 * ended it or it used up what it was given? */
bool spawn_is_crash(int signal);

/* spawn_kill - SIGKILL a child that has not been reaped. */
void spawn_kill(int32_t pid);

/* spawn_signals - block SIGCHLD, SIGTERM, SIGINT and SIGHUP and give a descriptor that tells of
 * them, owned by the caller.  spawn_signal_next - the next one's number; 0 when there is none now.
 */
int spawn_signals(void) MUST_USE;
int spawn_signal_next(int fd) MUST_USE;

/* spawn_am_root - may this process give its children other uids? */
bool spawn_am_root(void);
/* spawn_own_pid, spawn_own_uid - of this process. */
int32_t spawn_own_pid(void);
uint32_t spawn_own_uid(void);
/* spawn_self_dir - the folder of the running executable, without a slash at its end.  SP_ESPACE */
int spawn_self_dir(char *ret, size_t cap) MUST_USE;
#endif
