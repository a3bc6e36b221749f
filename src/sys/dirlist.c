/* dirlist.c - reading a folder. */
#include "sys/dirlist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys/fail.h"
#include "sys/fd.h"

static void
close_dir(DIR **d)
{
	if (*d != NULL)
		(void)closedir(*d); /* nothing was written */
}

int
dir_each_at(int dirfd, const char *path, int (*fn)(void *arg, const char *name), void *arg)
{
	int fd = file_open_at(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	DEFER(close_dir) DIR *d = NULL;
	struct dirent *e;
	int err = SP_OK;

	if (fd < 0)
		return fd;
	if ((d = fdopendir(fd)) == NULL) {
		err = sys_fail("fdopendir");
		close_fd(&fd);
		return err;
	}
	while (err == SP_OK) {
		errno = 0;
		if ((e = readdir(d)) == NULL)
			return errno != 0 ? sys_fail("readdir") : SP_OK;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			err = fn(arg, e->d_name);
	}
	return err;
}
