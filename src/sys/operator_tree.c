/* operator_tree.c - folders and trees of files, for the command line. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/operator.h"

#define COPY_BYTES (256u * 1024u)

static int
errno_err(void)
{
	switch (errno) {
	case ENOENT:
		return SP_ENOTFOUND;
	case ENOTDIR:
		return SP_ENOTFOLDER;
	case EEXIST:
	case ENOTEMPTY:
		return SP_EEXISTS;
	case EACCES:
	case EPERM:
		return SP_EPERM;
	case EBUSY:
	case EXDEV:
		return SP_ECONFLICT;
	case ENOSPC:
	case EDQUOT:
		return SP_EDISKFULL;
	default:
		return SP_EIO;
	}
}

int
op_dir_each(int dirfd, op_name_fn fn, void *arg)
{
	int rc = SP_OK, copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (copy < 0)
		return errno_err();
	d = fdopendir(copy);
	if (d == NULL) {
		close_fd(&copy);
		return SP_ENOMEM;
	}
	while (rc == SP_OK && (errno = 0, e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = fn(arg, dirfd, e->d_name);
	}
	if (rc == SP_OK && errno != 0)
		rc = SP_EIO;
	(void)closedir(d); /* read only */
	return rc;
}

static int
found_name(void *arg, int dirfd, const char *name)
{
	(void)arg;
	(void)dirfd;
	(void)name;
	return SP_EEXISTS;
}

int
op_dir_empty(const char *path)
{
	DEFER(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return errno_err();
	rc = op_dir_each(fd, found_name, NULL);
	if (rc == SP_EEXISTS)
		return 0;
	return rc == SP_OK ? 1 : rc;
}

int
op_stat_at(int dirfd, const char *path, struct op_stat *ret)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno_err();
	ret->kind = S_ISREG(st.st_mode) ? OP_FILE : S_ISDIR(st.st_mode) ? OP_DIR : OP_OTHER;
	ret->size = st.st_size;
	ret->inode = st.st_ino;
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->mode = st.st_mode & 07777u;
	return SP_OK;
}

static int
chown_name(void *arg, int dirfd, const char *name)
{
	uint32_t uid = *(const uint32_t *)arg;
	struct op_stat st;
	int rc = op_stat_at(dirfd, name, &st);

	if (rc == SP_OK && st.kind == OP_DIR) {
		DEFER(close_fd)
		int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return errno_err();
		rc = op_dir_each(fd, chown_name, arg);
	}
	if (rc == SP_OK && fchownat(dirfd, name, uid, uid, AT_SYMLINK_NOFOLLOW) != 0)
		rc = errno_err();
	return rc;
}

int
op_chown_tree(const char *path, uint32_t uid)
{
	return chown_name(&uid, AT_FDCWD, path);
}

static int
remove_name(void *arg, int dirfd, const char *name)
{
	struct op_stat st;
	int rc = op_stat_at(dirfd, name, &st);

	if (rc != SP_OK)
		return rc == SP_ENOTFOUND ? SP_OK : rc;
	if (st.kind != OP_DIR)
		return unlinkat(dirfd, name, 0) == 0 ? SP_OK : errno_err();
	DEFER(close_fd)
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno_err();
	rc = op_dir_each(fd, remove_name, arg);
	if (rc == SP_OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0)
		rc = errno_err();
	return rc;
}

int
op_remove_tree(const char *path)
{
	return remove_name(NULL, AT_FDCWD, path);
}

int
op_copy_file(int from_dir, const char *from, int to_dir, const char *to, unsigned mode,
    const struct op_signals *stop)
{
	DEFER(close_fd) int in = file_open_at(from_dir, from, O_RDONLY, 0);
	DEFER(close_fd) int out = -1;
	DEFER(mem_freep) uint8_t *buf = mem_alloc(COPY_BYTES);
	int64_t at = 0, n;

	if (in < 0)
		return in;
	if (buf == NULL)
		return SP_ENOMEM;
	out = file_open_at(to_dir, to, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (out < 0)
		return out;
	while ((n = file_pread(in, buf, COPY_BYTES, at)) > 0) {
		int rc = file_pwrite(out, buf, (size_t)n, at);

		if (rc != SP_OK)
			return rc;
		if (op_signals_came(stop))
			return SP_ECLOSED;
		at += n;
	}
	return n < 0 ? (int)n : file_sync_all(out);
}

int
op_rename(const char *from, const char *to)
{
	return rename(from, to) == 0 ? SP_OK : errno_err();
}

int
op_mode(const char *path, uint32_t mode)
{
	return chmod(path, mode) == 0 ? SP_OK : errno_err();
}

int
op_closed_parent(const char *path, char *buf, size_t cap)
{
	struct stat st;

	for (size_t i = 1; path[i] != '\0'; i++) {
		if (path[i] != '/')
			continue;
		if (i >= cap)
			return SP_ESPACE;
		memcpy(buf, path, i);
		buf[i] = '\0';
		if (stat(buf, &st) == 0 && (st.st_mode & S_IXOTH) == 0)
			return 1;
	}
	return 0;
}

bool
op_mount_point(const char *path)
{
	DEFER(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && fstatat(fd, "..", &b, 0) == 0 &&
	       a.st_dev != b.st_dev;
}

static int
link_fail(void)
{
	return errno == ENOENT || errno == ESRCH   ? SP_ENOTFOUND
	       : errno == EACCES || errno == EPERM ? SP_EPERM
						   : SP_ESYS;
}

int
op_link_at(int dirfd, const char *path, char *buf, size_t cap)
{
	ssize_t n = readlinkat(dirfd, path, buf, cap);

	if (n < 0)
		return link_fail();
	if ((size_t)n >= cap)
		return SP_ESPACE;
	buf[n] = '\0';
	return SP_OK;
}

int
op_open_exe(int proc, const char *path)
{
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? link_fail() : fd;
}
