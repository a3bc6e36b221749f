/* tlog_fs.h - the file layer below the audit log, as a table of functions.
 *
 * The real one is a folder's descriptor.  tests/crash puts a disk there that forgets whatever was
 * not synced, at every point in turn.  Paths are relative to the log's folder; "" is the folder
 * itself.  All functions return SP_OK (or what they say) or an enum sp_err.
 */
#ifndef SP_STORE_TLOG_FS_H
#define SP_STORE_TLOG_FS_H

#include "base/err.h"
#include "base/mem.h"

enum tlog_open_how {
	TLOG_OPEN_READ,	  /* an existing file */
	TLOG_OPEN_WRITE,  /* an existing file, to read and write */
	TLOG_OPEN_CREATE, /* made when missing, emptied when there */
};

struct tlog_fs {
	void *arg; /* borrowed; first argument of all */
	int (*open)(void *arg, const char *path, enum tlog_open_how how); /* a handle, 0 or more */
	void (*close)(void *arg, int handle);
	int64_t (*pread)(void *arg, int handle, void *buf, size_t n, int64_t offset);
	int (*pwrite)(void *arg, int handle, const void *buf, size_t n, int64_t offset);
	int64_t (*size)(void *arg, int handle); /* bytes */
	void (*start)(void *arg, int handle);	/* begin to write it to the disk: a hint */
	int (*sync)(void *arg, int handle);	/* content and length are durable */
	int (*mkdir)(void *arg, const char *path);
	int (*sync_dir)(void *arg, const char *path); /* names in this folder are durable */
	int (*rename)(void *arg, const char *from, const char *to);
	int (*remove)(void *arg, const char *path);	/* a file */
	int (*remove_dir)(void *arg, const char *path); /* an empty folder */
};

/* tlog_fs_of - the real one.
 *   dirfd  points to an open descriptor of the log's folder (O_PATH is enough); borrowed */
struct tlog_fs tlog_fs_of(int *dirfd);

/* tlog_fs_read - a whole file.
 *   max  bytes; longer is SP_ETOOBIG
 *   ret  owned by the caller (mem_free) */
int tlog_fs_read(const struct tlog_fs *fs, const char *path, size_t max, uint8_t **ret,
    size_t *ret_len) MUST_USE;
/* tlog_fs_put - make a file with this content, not synced yet.  tlog_fs_sync - sync the file at a
 * path: when many were put before, most of the work is done by then. tlog_fs_write - make a file
 * with this content and sync it; its name is durable after sync_dir. Missing folders are made.
 *   ret_made  folders had to be made: all folders above need sync_dir */
int tlog_fs_write(
    const struct tlog_fs *fs, const char *path, struct span content, bool *ret_made) MUST_USE;
int tlog_fs_put(
    const struct tlog_fs *fs, const char *path, struct span content, bool *ret_made) MUST_USE;
int tlog_fs_sync(const struct tlog_fs *fs, const char *path) MUST_USE;
#endif
