/* power_vfs.c - see power_vfs.h.  source: sqlite.org/c3ref/vfs.html, io_methods.html */
#include "power_vfs.h"

#include <sqlite3.h>
#include <stdio.h>

#include "base/defer.h"

struct power_file {
	sqlite3_file base; /* first: SQLite's own part */
	int handle;
	bool is_new_log; /* its name is not durable yet */
};

static struct power_disk *the_disk;

static struct tlog_fs
fs(void)
{
	return power_disk_fs(the_disk);
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ---- one file ---- */

static int
file_close(sqlite3_file *f)
{
	(void)f;
	return SQLITE_OK;
}

static int
file_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 offset)
{
	int handle = ((struct power_file *)f)->handle;
	int64_t got = fs().pread(the_disk, handle, buf, (size_t)n, offset);

	if (got < 0)
		return SQLITE_IOERR_READ;
	memset((uint8_t *)buf + got, 0, (size_t)(n - got));
	return got == n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 offset)
{
	int handle = ((struct power_file *)f)->handle;

	return fs().pwrite(the_disk, handle, buf, (size_t)n, offset) == SP_OK ? SQLITE_OK
									      : SQLITE_IOERR_WRITE;
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int handle = ((struct power_file *)f)->handle;

	return power_disk_truncate(the_disk, handle, (size_t)size) == SP_OK ? SQLITE_OK
									    : SQLITE_IOERR_TRUNCATE;
}

static int
file_sync(sqlite3_file *f, int flags)
{
	struct power_file *p = (struct power_file *)f;

	(void)flags;
	if (fs().sync(the_disk, p->handle) != SP_OK)
		return SQLITE_IOERR_FSYNC;
	if (p->is_new_log && fs().sync_dir(the_disk, "") != SP_OK)
		return SQLITE_IOERR_DIR_FSYNC;
	p->is_new_log = false;
	return SQLITE_OK;
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	int64_t n = fs().size(the_disk, ((struct power_file *)f)->handle);

	*ret = n;
	return n >= 0 ? SQLITE_OK : SQLITE_IOERR_FSTAT;
}

/* one process has it: nobody else locks */
static int
file_lock(sqlite3_file *f, int level)
{
	(void)f;
	(void)level;
	return SQLITE_OK;
}

static int
file_is_locked(sqlite3_file *f, int *ret)
{
	(void)f;
	*ret = 0;
	return SQLITE_OK;
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int
file_sector(sqlite3_file *f)
{
	(void)f;
	return 512;
}

static int
file_promises(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* no shared memory: it must be opened exclusively, as the broker does */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_is_locked,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_promises,
};

/* ---- the folder ---- */

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
	struct power_file *p = (struct power_file *)f;
	struct tlog_fs d = fs();
	bool is_log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
	int handle = d.open(the_disk, last_name(path), TLOG_OPEN_WRITE);

	(void)vfs;
	p->base.pMethods = NULL;
	p->is_new_log = false;
	if (handle == SP_ENOTFOUND && (flags & SQLITE_OPEN_CREATE) != 0) {
		handle = d.open(the_disk, last_name(path), TLOG_OPEN_CREATE);
		p->is_new_log = is_log;
	}
	if (handle < 0)
		return SQLITE_CANTOPEN;
	p->handle = handle;
	p->base.pMethods = &methods;
	if (ret_flags != NULL)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	int err = fs().remove(the_disk, last_name(path));

	(void)vfs;
	if (err == SP_ENOTFOUND)
		return SQLITE_IOERR_DELETE_NOENT;
	if (err == SP_OK && sync_dir)
		err = fs().sync_dir(the_disk, "");
	return err == SP_OK ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	(void)vfs;
	(void)flags;
	*ret = fs().open(the_disk, last_name(path), TLOG_OPEN_READ) >= 0;
	return SQLITE_OK;
}

static int
vfs_full_name(sqlite3_vfs *vfs, const char *path, int cap, char *ret)
{
	(void)vfs;
	return snprintf(ret, (size_t)cap, "%s", path) < cap ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int
vfs_random(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	memset(ret, 0x5a, (size_t)n); /* every run is the same */
	return n;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int
vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2461000.5; /* a Julian day */
	return SQLITE_OK;
}

static int
vfs_last_error(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	(void)n;
	(void)ret;
	return 0;
}

void
power_vfs_set(struct power_disk *disk)
{
	static sqlite3_vfs vfs = {
	    .iVersion = 1,
	    .szOsFile = sizeof(struct power_file),
	    .mxPathname = 512,
	    .zName = "power",
	    .xOpen = vfs_open,
	    .xDelete = vfs_delete,
	    .xAccess = vfs_access,
	    .xFullPathname = vfs_full_name,
	    .xRandomness = vfs_random,
	    .xSleep = vfs_sleep,
	    .xCurrentTime = vfs_time,
	    .xGetLastError = vfs_last_error,
	};

	the_disk = disk;
	VERIFY(sqlite3_vfs_register(&vfs, /* make_default= */ 1) == SQLITE_OK);
}
