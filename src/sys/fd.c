#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "sys/fail.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

void
close_fd(int *fd)
{
	/* EINTR after close is not retried: on Linux the descriptor is gone either way. */
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int
file_open_at(int dirfd, const char *path, int flags, unsigned mode)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, (mode_t)mode);
	while (fd == -1 && errno == EINTR);
	return fd >= 0 ? fd : sys_fail("open");
}

int
file_size(int fd, int64_t *ret)
{
	struct stat st;

	/* Not fstat(3): glibc turns that into newfstatat, which could name a path and is denied to
	 * workers. */
	if (syscall(SYS_fstat, fd, &st) == -1)
		return sys_fail("fstat");
	*ret = (int64_t)st.st_size;
	return SP_OK;
}

/* Rooms share the position of a descriptor that was passed to all of them, so files are read by
 * offset. */
static ssize_t
read_at(int fd, void *buf, size_t n, off_t offset)
{
	ssize_t r = pread(fd, buf, n, offset);

	return r == -1 && errno == ESPIPE ? read(fd, buf, n) : r;
}

int
file_read_all(int fd, size_t max, uint8_t **ret, size_t *ret_len)
{
	DEFER(mem_freep) uint8_t *buf = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= cap) {
			size_t more = cap == 0 ? 4096 : cap * 2;
			uint8_t *grown;

			if (more > max + 2)
				more = max +
				       2; /* one byte to see that there is too much, one for NUL */
			grown = mem_grow(buf, cap, more);
			if (grown == NULL)
				return SP_ENOMEM;
			buf = grown;
			cap = more;
		}
		n = read_at(fd, buf + len, cap - 1 - len, (off_t)len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return sys_fail("read");
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return SP_ETOOBIG;
	}
	buf[len] = 0;
	*ret = TAKE_PTR(buf);
	*ret_len = len;
	return SP_OK;
}

int64_t
file_pread(int fd, void *buf, size_t n, int64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (uint8_t *)buf + done, n - done, offset + (int64_t)done);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return sys_fail("pread");
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

int
file_pwrite(int fd, const void *buf, size_t n, int64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r =
		    pwrite(fd, (const uint8_t *)buf + done, n - done, offset + (int64_t)done);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return sys_fail("pwrite");
		if (r == 0)
			return SP_EIO;
		done += (size_t)r;
	}
	return SP_OK;
}

int
file_sync(int fd)
{
	while (fdatasync(fd) == -1)
		if (errno != EINTR)
			return sys_fail("fdatasync");
	return SP_OK;
}

int
file_sync_all(int fd)
{
	while (fsync(fd) == -1)
		if (errno != EINTR)
			return sys_fail("fsync");
	return SP_OK;
}

int
file_truncate(int fd, int64_t size)
{
	while (ftruncate(fd, size) == -1)
		if (errno != EINTR)
			return sys_fail("ftruncate");
	return SP_OK;
}

/* The folder that holds path: a descriptor of it, owned by the caller. */
static int
parent_open(int dirfd, const char *path)
{
	char dir[1100];
	const char *slash = strrchr(path, '/');
	struct text t = text_of(dir, sizeof(dir));

	if (slash == NULL)
		text_chr(&t, '.');
	else if (slash == path)
		text_chr(&t, '/');
	else
		text_add(&t, span_of(path, (size_t)(slash - path)));
	if (t.bad)
		return SP_ERANGE;
	return file_open_at(dirfd, dir, O_RDONLY | O_DIRECTORY, 0);
}

/* Write content to the new file at temp and give it its name; the caller removes temp on failure.
 */
static int
write_and_name(
    int dirfd, const char *temp, const char *path, struct span content, unsigned mode, bool replace)
{
	DEFER(close_fd) int fd = file_open_at(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL, mode);
	int err;

	if (fd < 0)
		return fd;
	/* the umask of rooms is 077; the mode asked for is meant */
	if (fchmod(fd, (mode_t)mode) == -1)
		return sys_fail("fchmod");
	err = file_pwrite(fd, content.ptr, content.len, 0);
	if (err == SP_OK)
		err = file_sync_all(fd);
	if (err != SP_OK)
		return err;
	if (renameat2(dirfd, temp, dirfd, path, replace ? 0 : RENAME_NOREPLACE) == -1)
		return sys_fail("rename");
	return SP_OK;
}

int
file_write_new(int dirfd, const char *path, struct span content, unsigned mode, bool replace)
{
	char temp[1100];
	struct text t = text_of(temp, sizeof(temp));
	DEFER(close_fd) int dir = -1;
	int err;

	text_str(&t, path);
	text_str(&t, ".new");
	if (t.bad)
		return SP_ERANGE;
	dir = parent_open(dirfd, path);
	if (dir < 0)
		return dir;
	/* left over from a crash: never complete, so never of use */
	(void)unlinkat(dirfd, temp, 0);
	err = write_and_name(dirfd, temp, path, content, mode, replace);
	if (err != SP_OK) {
		(void)unlinkat(dirfd, temp, 0);
		return err;
	}
	return file_sync_all(dir);
}

int
dir_make_at(int dirfd, const char *path, unsigned mode)
{
	if (mkdirat(dirfd, path, (mode_t)mode) == -1)
		return sys_fail("mkdir");
	return SP_OK;
}

int
file_remove_at(int dirfd, const char *path)
{
	if (unlinkat(dirfd, path, 0) == -1)
		return sys_fail("unlink");
	return SP_OK;
}

int
file_rename_at(int dirfd, const char *from, const char *to)
{
	if (renameat(dirfd, from, dirfd, to) == -1)
		return sys_fail("rename");
	return SP_OK;
}

int
memfd_of(const char *name, struct span content)
{
	DEFER(close_fd)
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int err;

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return sys_fail("memfd_create");
	err = file_pwrite(fd, content.ptr, content.len, 0);
	if (err != SP_OK)
		return err;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == -1)
		return sys_fail("F_ADD_SEALS");
	return TAKE_FD(fd);
}

void
file_private(void)
{
	(void)umask(077);
}

int
file_mode(int fd, unsigned mode)
{
	return fchmod(fd, (mode_t)mode) == 0 ? SP_OK : sys_fail("fchmod");
}

int
disk_space(int dirfd, uint64_t *ret_total, uint64_t *ret_free, uint64_t *ret_files)
{
	struct statfs fs;
	uint64_t unit;

	if (fstatfs(dirfd, &fs) == -1)
		return sys_fail("fstatfs");
	unit = (uint64_t)(fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize); /* as statvfs(3) does */
	if (!mul_ok(fs.f_blocks, unit, ret_total) || !mul_ok(fs.f_bavail, unit, ret_free))
		return SP_ERANGE;
	*ret_files = fs.f_ffree;
	return SP_OK;
}

int
lease_read(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return SP_OK;
	return errno == EAGAIN || errno == EBUSY ? SP_ECONFLICT : sys_fail("F_SETLEASE");
}

int
lease_drop(int fd)
{
	return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 ? SP_OK : sys_fail("F_SETLEASE");
}

int
fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return sys_fail("F_GETFL");
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) == 0 ? SP_OK : sys_fail("F_SETFL");
}
