/* server.h - what only the supervisor asks of the host: its lock, its limits, systemd. */
#ifndef SP_SYS_SERVER_H
#define SP_SYS_SERVER_H

#include "base/err.h"
#include "base/mem.h"

/* server_lock - make or open the file at path, lock it and write our process number into it.  The
 * lock lives as long as the descriptor (owned by the caller), even through `kill -9`. errors
 * SP_ERUNNING (another holds it), SP_EPERM (also a read-only disk), SP_ENOTFOUND */
int server_lock(const char *path) MUST_USE;

/* server_private - is the open file a regular one that only its owner can read? */
bool server_private(int fd);
/* server_unwritable - is it a regular one that is root's or ours, and that nobody else can change? */
bool server_unwritable(int fd);
/* server_writable - may this process make files in the folder?  SP_EPERM (also a read-only disk),
 * SP_ENOTFOUND */
int server_writable(const char *path) MUST_USE;
/* server_folder - make a folder (0700), for this user when we are root and uid is not 0. SP_EEXISTS
 * when it is there */
int server_folder(const char *path, uint32_t uid) MUST_USE;
/* server_passable - as root: may every user pass the folder and those above it?  Rooms have users
 * of their own. ret  the folder that is closed, when the answer is no */
bool server_passable(const char *path, char *ret, size_t cap);

/* server_descriptors - raise our limit of open descriptors to `want` or as far as we may; returns
 * the limit. */
uint64_t server_descriptors(uint64_t want);

/* server_notify - tell systemd "READY=1", "STOPPING=1", "WATCHDOG=1", ...; nothing happens without
 * systemd. source  sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names */
void server_notify(const char *state);
/* server_login_uid - as whom the user of a process logged in on this machine (pam_loginuid(8)), which su and
 * sudo do not change; other: where the kernel does not know. */
uint32_t server_login_uid(int32_t pid, uint32_t other);
/* server_watchdog_ms - how often systemd wants to hear WATCHDOG=1 (half of its limit); 0: not at
 * all. */
int64_t server_watchdog_ms(void);
/* server_credentials_dir - where systemd puts credentials (systemd.exec(5)); NULL: nowhere. */
const char *server_credentials_dir(void);
/* server_environment - the value of a variable for development use: NULL for root or a set-uid
 * program. */
const char *server_environment(const char *name);

/* server_log_pipe - when standard error is neither a socket nor a pipe: a pipe for the rooms to log
 * to, so that none of them holds the log file (which it could cut) or the terminal. ret reading and
 * writing end, owned by the caller; the reading end never blocks returns  1, or 0 when rooms may
 * have our standard error itself */
int server_log_pipe(int ret[2]) MUST_USE;
/* server_log_relay - copy what the pipe holds now to standard error.
 *   budget   bytes that may still be copied, counted down; what is more is read and thrown away
 *   returns  bytes thrown away */
uint64_t server_log_relay(int fd, uint64_t *budget) MUST_USE;

/* server_shutdown - end a listening socket for every process that holds it: none accepts from it
 * any more, and what waits in its queue is reset. */
void server_shutdown(int fd);
/* server_destroy - overwrite a small file, make that durable, remove it, make that durable.
 *   errors  SP_ENOTFOUND, SP_EPERM, SP_EIO: it may be there still */
int server_destroy(const char *path) MUST_USE;
/* server_remove - remove a file and make that durable; one that is not there is removed. */
int server_remove(const char *path) MUST_USE;

/* server_in_child - run fn(arg) in a child process and give its result (0 to 100), so that what it
 * reads or breaks stays there.  SP_ESYS: it could not be run or was killed. */
int server_in_child(int (*fn)(void *), void *arg) MUST_USE;
#endif
