/* operator.h - what only the command line asks of the kernel: programs, terminals, trees of files.
 *
 * No room links this: a room runs nothing, asks nobody and walks no folder.
 */
#ifndef SP_SYS_OPERATOR_H
#define SP_SYS_OPERATOR_H

#include "base/err.h"
#include "base/mem.h"

/* op_uid - effective user id of this process.  op_gid - effective group id. */
uint32_t op_uid(void);
uint32_t op_gid(void);

/* op_no_core - this process, which is given passwords, leaves no core dump and cannot be looked
 * into by others of the same user.  errors SP_ESYS */
int op_no_core(void) MUST_USE;

/* op_pipe_ignore - a peer that closes a connection is an error of the write, and not our end. */
int op_pipe_ignore(void) MUST_USE;

/* op_self_dir - the folder of the running binary, absolute.  errors SP_ESYS, SP_ESPACE */
int op_self_dir(char *buf, size_t cap) MUST_USE;

/* op_absolute - path as an absolute path, without touching links; it need not exist.
 *   errors  SP_ESPACE, SP_ESYS (no working directory) */
int op_absolute(const char *path, char *buf, size_t cap) MUST_USE;

/* op_host_name - name of this machine, or "localhost". */
void op_host_name(char *buf, size_t cap);

/* op_is_program - may path be executed? */
bool op_is_program(const char *path);

/* op_exec - become another program.  Returns only on failure: SP_ENOTFOUND, SP_EPERM, SP_ESYS. */
int op_exec(const char *path, char *const argv[]);

/* op_run - run a program and wait for it; standard output goes to standard error.
 *   returns its exit status (0 to 255; 255 when a signal ended it), or SP_ESYS */
int op_run(const char *path, char *const argv[]) MUST_USE;

/* op_run_lines - run a program, give each line of its standard output, without its end, to fn.
 *   fn       SP_OK to go on; anything else ends the program
 *   returns  its exit status as op_run; the first error of fn; SP_ETOOBIG (a line over 128 KiB) */
typedef int (*op_line_fn)(void *arg, struct span line);
int op_run_lines(const char *path, char *const argv[], op_line_fn fn, void *arg) MUST_USE;

/* op_secret_prompt - ask on the terminal, without echo.
 *   prompt  printed to the terminal
 *   buf     receives the line without its end, not NUL-terminated; the caller wipes it
 *   errors  SP_ENOTFOUND (no terminal), SP_ETOOBIG, SP_ECLOSED (end of input, interrupted) */
int op_secret_prompt(const char *prompt, char *buf, size_t cap, size_t *ret_len) MUST_USE;
/* op_secret_stdin - the first line of standard input, without its end; errors as above. */
int op_secret_stdin(char *buf, size_t cap, size_t *ret_len) MUST_USE;

/* op_signals_hold - from here on SIGINT, SIGQUIT, SIGTERM, SIGHUP and SIGTSTP wait, so that what
 * was begun is finished or cleaned up first. ret  for op_signals_release, where those that came act
 *   errors SP_ESYS
 * op_signals_came - has one come? */
struct op_signals; /* opaque */
int op_signals_hold(struct op_signals **ret) MUST_USE;
bool op_signals_came(const struct op_signals *s); /* accepts NULL */
void op_signals_release(struct op_signals *s);	  /* accepts NULL; frees */

/* op_dir_empty - 1: an empty folder; 0: not empty; SP_ENOTFOUND, SP_ENOTFOLDER, SP_EPERM, SP_EIO.
 */
int op_dir_empty(const char *path) MUST_USE;

/* op_dir_each - call fn for every name but "." and ".." in the folder dirfd, in no order.
 *   fn       returns SP_OK to go on; anything else ends the walk and is returned
 *   returns  SP_OK or the first error */
typedef int (*op_name_fn)(void *arg, int dirfd, const char *name);
int op_dir_each(int dirfd, op_name_fn fn, void *arg) MUST_USE;

enum op_kind { OP_FILE, OP_DIR, OP_OTHER };
struct op_stat {
	enum op_kind kind;
	int64_t size;	/* bytes */
	uint64_t inode; /* tells whether two names are the same file */
	uint32_t uid, gid, mode;
};
/* op_stat_at - about a name below dirfd; links are not followed. */
int op_stat_at(int dirfd, const char *path, struct op_stat *ret) MUST_USE;

/* op_link_at - what a link below dirfd points to.  errors SP_ENOTFOUND, SP_EPERM, SP_ESPACE, SP_ESYS
 * op_open_exe - /proc/PID/exe, to read: the file that the process runs.  errors the same */
int op_link_at(int dirfd, const char *path, char *buf, size_t cap) MUST_USE;
int op_open_exe(int proc, const char *path) MUST_USE;

/* op_chown_tree - give path and all below it to uid and gid (the same number). */
int op_chown_tree(const char *path, uint32_t uid) MUST_USE;
/* op_mode - set permissions, whatever the umask was. */
int op_mode(const char *path, uint32_t mode) MUST_USE;
/* op_closed_parent - the first folder above path (absolute) that other users cannot pass, into buf.
 *   returns  1 there is one, 0 there is none, SP_ESPACE */
int op_closed_parent(const char *path, char *buf, size_t cap) MUST_USE;
/* op_remove_tree - remove path and all below it; never follows a link.  SP_OK also when it is not
 * there. */
int op_remove_tree(const char *path) MUST_USE;
/* op_copy_file - copy a file to a new name, with mode, synced.
 *   stop    SP_ECLOSED when a signal has come meanwhile; NULL: none is looked for
 *   errors  SP_EEXISTS, SP_ENOTFOUND, SP_EDISKFULL, SP_EIO */
int op_copy_file(int from_dir, const char *from, int to_dir, const char *to, unsigned mode,
    const struct op_signals *stop) MUST_USE;
/* op_rename - rename a folder onto an empty or absent one.  SP_EEXISTS when it is not empty,
 * SP_ECONFLICT when it is a mount point. */
int op_rename(const char *from, const char *to) MUST_USE;
/* op_mount_point - is path the top of another file system than its parent? */
bool op_mount_point(const char *path);

/* op_lock_probe - is a file locked for writing by another process (flock)?  1 yes, 0 no,
 * SP_ENOTFOUND. */
int op_lock_probe(const char *path) MUST_USE;
#endif
