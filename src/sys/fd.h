/* fd.h - descriptors and files: the program's only calls of open, read, write and their kin.
 *
 * All functions retry EINTR and return SP_OK, a count, or an enum sp_err; errno text is in the log
 * only.  Full disk is SP_EDISKFULL, everything else SP_EIO or SP_ESYS; SP_ENOTFOUND, SP_EEXISTS,
 * SP_EPERM where open says so.
 */
#ifndef SP_SYS_FD_H
#define SP_SYS_FD_H

#include "base/err.h"
#include "base/mem.h"

/* close_fd - for DEFER: closes *fd unless negative, sets it to -1. */
void close_fd(int *fd);

/* file_open_at - open a file below dirfd (AT_FDCWD: below the working directory); never follows a link in
 * the last component, O_CLOEXEC always.  flags as open(2).  returns a descriptor owned by the caller. */
int file_open_at(int dirfd, const char *path, int flags, unsigned mode) MUST_USE;
/* file_read_all - a whole small file; *ret is owned by the caller (mem_free), NUL-terminated beyond *ret_len.
 *   max  SP_ETOOBIG when it is longer */
int file_read_all(int fd, size_t max, uint8_t **ret, size_t *ret_len) MUST_USE;
/* file_pread - up to n bytes at offset; returns how many (less only at the end). */
int64_t file_pread(int fd, void *buf, size_t n, int64_t offset) MUST_USE;
/* file_pwrite - all n bytes at offset, or an error. */
int file_pwrite(int fd, const void *buf, size_t n, int64_t offset) MUST_USE;
int file_sync(int fd) MUST_USE;	    /* fdatasync */
int file_sync_all(int fd) MUST_USE; /* fsync: a folder, or metadata too */
int file_size(int fd, int64_t *ret) MUST_USE;
int file_truncate(int fd, int64_t size) MUST_USE;
int file_mode(int fd, unsigned mode) MUST_USE; /* fchmod */
/* disk_space - of the file system that a folder is on: bytes in all, bytes and files that may still be stored there by us. */
int disk_space(int dirfd, uint64_t *ret_total, uint64_t *ret_free, uint64_t *ret_files) MUST_USE;
/* file_write_new - make a file below dirfd that is there entirely or not at all: temporary name, write,
 * sync, rename, sync of the folder.  SP_EEXISTS unless replace. */
int file_write_new(int dirfd, const char *path, struct span content, unsigned mode, bool replace) MUST_USE;
int dir_make_at(int dirfd, const char *path, unsigned mode) MUST_USE; /* SP_EEXISTS when there */
int file_remove_at(int dirfd, const char *path) MUST_USE;
int file_rename_at(int dirfd, const char *from, const char *to) MUST_USE;
/* file_private - what this process makes from now on is its user's alone (umask 077); a room begins so. */
void file_private(void);

/* memfd_of - a sealed (unchangeable) memory file with this content, position 0. */
int memfd_of(const char *name, struct span content) MUST_USE;

/* lease_read - take a read lease: SP_ECONFLICT while anyone has the file open for writing. lease_drop ends it.
 * After a lease was had on a file with no write permission left (mode 0400), it can't be written again. */
int lease_read(int fd) MUST_USE;
int lease_drop(int fd) MUST_USE;

/* Stream sockets and pipes. */
int64_t sock_read(int fd, void *buf, size_t n) MUST_USE; /* 0 at the end */
int sock_write_all(int fd, const void *buf, size_t n) MUST_USE;
/* sock_write_some - as much as the kernel takes now of a socket that does not block; SP_EFULL: nothing. */
int64_t sock_write_some(int fd, const void *buf, size_t n) MUST_USE;
/* sock_wait_either - wait until a connection can be written; *ret_in tells that it can (also) be read, which ends the wait
 * too when `in` is set.  errors SP_ETIMEOUT, SP_ECLOSED */
int sock_wait_either(int fd, bool in, int timeout_ms, bool *ret_in) MUST_USE;
/* sock_wait - wait until readable (or writable): SP_OK, SP_ETIMEOUT, SP_ECLOSED on hang-up only. */
int sock_wait(int fd, bool for_write, int timeout_ms) MUST_USE;
/* sock_listen_tcp - "ADDRESS:PORT" or "[V6]:PORT"; congestion may be "" ; SO_REUSEADDR, not REUSEPORT.
 *   why, cap  a sentence on failure ("127.0.0.1:8443: address already in use") */
int sock_listen_tcp(const char *addr, const char *congestion, char *why, size_t cap) MUST_USE;
/* sock_listen_local - a SOCK_SEQPACKET listener at a path (made anew, mode given). sock_connect_local - to it. */
int sock_listen_local(const char *path, unsigned mode) MUST_USE;
int sock_connect_local(const char *path) MUST_USE;
/* sock_send_local - one datagram to the local socket at a path. */
int sock_send_local(const char *path, struct span datagram) MUST_USE;
/* sock_connect_tcp - to "ADDRESS:PORT"; only numbers: nobody is asked for a name.
 *   errors  SP_ESYNTAX (no address), SP_ETIMEOUT, SP_ENOTRUNNING (refused), SP_ESYS */
int sock_connect_tcp(const char *addr, int timeout_ms) MUST_USE;
/* sock_accept - next connection, O_CLOEXEC, blocking; peer as "ADDRESS:PORT" text.
 *   errors  SP_EFULL (none now), SP_ECLOSED (it was shut and never listens again), those of accept4(2) */
int sock_accept(int listener, char *peer, size_t cap) MUST_USE;
/* sock_peer_cred - user and process of a local peer. */
int sock_peer_cred(int fd, uint32_t *ret_uid, int32_t *ret_pid) MUST_USE;
/* sock_pair - a SOCK_SEQPACKET pair with buffers of at least 1 MiB where the kernel allows. */
int sock_pair(int ret[2]) MUST_USE;
int fd_nonblock(int fd, bool on) MUST_USE;
#endif
