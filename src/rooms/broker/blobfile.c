/* blobfile.c - blob files: named by their identifier, written once by one descriptor, then read
 * only. */
#include <fcntl.h>

#include "base/text.h"
#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "sys/fd.h"
#include "sys/log.h"

#define BLOB_MODE 0400 /* no one can open it for writing again */

/* "ab/cdef…"; dir gets "ab" */
static void
names(const uint8_t blob[16], char dir[3], char path[34])
{
	char hex[33];
	struct text t = text_of(hex, sizeof(hex));

	text_hex(&t, span_of(blob, 16));
	memcpy(dir, hex, 2);
	dir[2] = '\0';
	memcpy(path, hex, 2);
	path[2] = '/';
	memcpy(path + 3, hex + 2, 31);
}

int
blobfile_make(struct broker *b, const uint8_t blob[16], int *ret_fd)
{
	char dir[3], path[34];
	int fd;

	names(blob, dir, path);
	fd = file_open_at(b->blob_dir, path, O_WRONLY | O_CREAT | O_EXCL, BLOB_MODE);
	if (fd == SP_ENOTFOUND) {
		int err = dir_make_at(b->blob_dir, dir, 0700);

		if (err != SP_OK && err != SP_EEXISTS)
			return err;
		if (err == SP_OK && (err = file_sync_all(b->blob_dir)) != SP_OK)
			return err;
		fd = file_open_at(b->blob_dir, path, O_WRONLY | O_CREAT | O_EXCL, BLOB_MODE);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return SP_OK;
}

int
blobfile_open(struct broker *b, const uint8_t blob[16], int *ret_fd)
{
	char dir[3], path[34];
	int fd;

	names(blob, dir, path);
	fd = file_open_at(b->blob_dir, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return SP_OK;
}

static int
sync_folder(struct broker *b, const char *dir)
{
	DEFER(close_fd) int folder = file_open_at(b->blob_dir, dir, O_RDONLY | O_DIRECTORY, 0);

	return folder < 0 ? folder : file_sync_all(folder);
}

static int
sync_both(struct broker *b, int fd, const char *dir)
{
	int err = file_sync(fd);

	return err == SP_OK ? sync_folder(b, dir) : err;
}

int
blobfile_name_sync(struct broker *b, const uint8_t blob[16])
{
	char dir[3], path[34];

	names(blob, dir, path);
	return sync_folder(b, dir);
}

int
blobfile_protect(struct broker *b, const uint8_t blob[16])
{
	DEFER(close_fd) int fd = -1;
	int err = blobfile_open(b, blob, &fd);

	return err == SP_OK ? file_mode(fd, BLOB_MODE) : err;
}

int
blobfile_reopen(struct broker *b, const uint8_t blob[16], int *ret_fd)
{
	DEFER(close_fd) int fd = -1;
	DEFER(close_fd) int both = -1;
	char dir[3], path[34];
	int err = blobfile_open(b, blob, &fd);

	if (err != SP_OK)
		return err;
	/* a worker that ended without its process: the descriptor is still there */
	if ((err = lease_read(fd)) != SP_OK || (err = lease_drop(fd)) != SP_OK ||
	    (err = file_mode(fd, BLOB_MODE | 0200)) != SP_OK)
		return err;
	names(blob, dir, path);
	both = file_open_at(b->blob_dir, path, O_RDWR, 0);
	if ((err = file_mode(fd, BLOB_MODE)) != SP_OK || both < 0)
		return err != SP_OK ? err : both;
	*ret_fd = TAKE_FD(both);
	return SP_OK;
}

int
blobfile_seal(struct broker *b, const uint8_t blob[16], uint64_t size, uint32_t segment)
{
	DEFER(close_fd) int fd = -1;
	char dir[3], path[34];
	int64_t have = 0;
	int err = blobfile_open(b, blob, &fd);

	if (err != SP_OK)
		return err;
	names(blob, dir, path);
	/* the lease says that no writer was left, the mode that none can come */
	if ((err = lease_read(fd)) != SP_OK)
		return err;
	if ((err = lease_drop(fd)) != SP_OK || (err = file_size(fd, &have)) != SP_OK)
		return err;
	if ((uint64_t)have != floe_ciphertext_len(size, segment))
		return SP_EDAMAGED;
	return sync_both(b, fd, dir);
}

bool
blobfile_left(struct broker *b, const uint8_t blob[16])
{
	DEFER(close_fd) int fd = -1;

	if (blobfile_open(b, blob, &fd) != SP_OK)
		return false;
	return lease_read(fd) == SP_ECONFLICT;
}

uint64_t
blobfile_size(struct broker *b, const uint8_t blob[16])
{
	DEFER(close_fd) int fd = -1;
	int64_t size = 0;

	if (blobfile_open(b, blob, &fd) != SP_OK || file_size(fd, &size) != SP_OK)
		return 0;
	return (uint64_t)size;
}

void
blobfile_remove(struct broker *b, const uint8_t blob[16])
{
	char dir[3], path[34];
	int err;

	names(blob, dir, path);
	err = file_remove_at(b->blob_dir, path);
	if (err != SP_OK && err != SP_ENOTFOUND)
		log_warning("blob %s could not be removed: %s", path, sp_strerror(err));
}
