#include "store/tlog_fs.h"

#include <fcntl.h>

#include "base/text.h"
#include "sys/advise.h"
#include "sys/dir.h"
#include "sys/fd.h"

static int
real_open(void *arg, const char *path, enum tlog_open_how how)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT | O_TRUNC};

	return file_open_at(*(int *)arg, path, flags[how], 0600);
}

static void
real_close(void *arg, int handle)
{
	(void)arg;
	close_fd(&handle);
}

static int64_t
real_pread(void *arg, int handle, void *buf, size_t n, int64_t offset)
{
	(void)arg;
	return file_pread(handle, buf, n, offset);
}

static int
real_pwrite(void *arg, int handle, const void *buf, size_t n, int64_t offset)
{
	(void)arg;
	return file_pwrite(handle, buf, n, offset);
}

static int64_t
real_size(void *arg, int handle)
{
	int64_t size = 0;
	int err = file_size(handle, &size);

	(void)arg;
	return err != SP_OK ? err : size;
}

static void
real_start(void *arg, int handle)
{
	(void)arg;
	file_write_behind(handle, 0, 0); /* to the end */
}

static int
real_sync(void *arg, int handle)
{
	(void)arg;
	return file_sync(handle);
}

static int
real_mkdir(void *arg, const char *path)
{
	return dir_make_at(*(int *)arg, path, 0700);
}

static int
real_sync_dir(void *arg, const char *path)
{
	DEFER(close_fd)
	int fd = file_open_at(*(int *)arg, *path != '\0' ? path : ".", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? fd : file_sync_all(fd);
}

static int
real_rename(void *arg, const char *from, const char *to)
{
	return file_rename_at(*(int *)arg, from, to);
}

static int
real_remove(void *arg, const char *path)
{
	return file_remove_at(*(int *)arg, path);
}

static int
real_remove_dir(void *arg, const char *path)
{
	return dir_remove_at(*(int *)arg, path);
}

struct tlog_fs
tlog_fs_of(int *dirfd)
{
	return (struct tlog_fs){
	    .arg = dirfd,
	    .open = real_open,
	    .close = real_close,
	    .pread = real_pread,
	    .pwrite = real_pwrite,
	    .size = real_size,
	    .start = real_start,
	    .sync = real_sync,
	    .mkdir = real_mkdir,
	    .sync_dir = real_sync_dir,
	    .rename = real_rename,
	    .remove = real_remove,
	    .remove_dir = real_remove_dir,
	};
}

static int
read_open_file(const struct tlog_fs *fs, int handle, size_t max, uint8_t **ret, size_t *ret_len)
{
	DEFER(mem_freep) uint8_t *buf = NULL;
	int64_t size = fs->size(fs->arg, handle), got;

	if (size < 0)
		return (int)size;
	if ((uint64_t)size > max)
		return SP_ETOOBIG;
	buf = mem_alloc((size_t)size + 1);
	if (buf == NULL)
		return SP_ENOMEM;
	got = fs->pread(fs->arg, handle, buf, (size_t)size, 0);
	if (got < 0)
		return (int)got;
	*ret_len = (size_t)got;
	*ret = TAKE_PTR(buf);
	return SP_OK;
}

int
tlog_fs_read(const struct tlog_fs *fs, const char *path, size_t max, uint8_t **ret, size_t *ret_len)
{
	int handle = fs->open(fs->arg, path, TLOG_OPEN_READ), err;

	if (handle < 0)
		return handle;
	err = read_open_file(fs, handle, max, ret, ret_len);
	fs->close(fs->arg, handle);
	return err;
}

/* Make every folder above path. */
static int
make_folders(const struct tlog_fs *fs, const char *path)
{
	char dir[128];

	for (size_t i = 0; path[i] != '\0'; i++) {
		int err;

		if (i >= sizeof(dir))
			return SP_ESPACE;
		if (path[i] == '/') {
			dir[i] = '\0';
			err = fs->mkdir(fs->arg, dir);
			if (err != SP_OK && err != SP_EEXISTS)
				return err;
		}
		dir[i] = path[i];
	}
	return SP_OK;
}

static int
put_open(const struct tlog_fs *fs, const char *path, struct span content, int *ret_handle,
    bool *ret_made)
{
	int handle = fs->open(fs->arg, path, TLOG_OPEN_CREATE), err;

	*ret_made = false;
	if (handle == SP_ENOTFOUND) {
		err = make_folders(fs, path);
		if (err != SP_OK)
			return err;
		*ret_made = true;
		handle = fs->open(fs->arg, path, TLOG_OPEN_CREATE);
	}
	if (handle < 0)
		return handle;
	err = fs->pwrite(fs->arg, handle, content.ptr, content.len, 0);
	if (err != SP_OK)
		fs->close(fs->arg, handle);
	else
		*ret_handle = handle;
	return err;
}

int
tlog_fs_put(const struct tlog_fs *fs, const char *path, struct span content, bool *ret_made)
{
	int handle = -1, err = put_open(fs, path, content, &handle, ret_made);

	if (err != SP_OK)
		return err;
	fs->start(fs->arg, handle);
	fs->close(fs->arg, handle);
	return SP_OK;
}

int
tlog_fs_sync(const struct tlog_fs *fs, const char *path)
{
	int handle = fs->open(fs->arg, path, TLOG_OPEN_WRITE), err;

	if (handle < 0)
		return handle;
	err = fs->sync(fs->arg, handle);
	fs->close(fs->arg, handle);
	return err;
}

int
tlog_fs_write(const struct tlog_fs *fs, const char *path, struct span content, bool *ret_made)
{
	int handle = -1, err = put_open(fs, path, content, &handle, ret_made);

	if (err != SP_OK)
		return err;
	err = fs->sync(fs->arg, handle);
	fs->close(fs->arg, handle);
	return err;
}
