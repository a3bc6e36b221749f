#include "sys/dir.h"

#include <fcntl.h>
#include <unistd.h>

#include "sys/fail.h"

int
dir_remove_at(int dirfd, const char *path)
{
	if (unlinkat(dirfd, path, AT_REMOVEDIR) == -1)
		return sys_fail("rmdir");
	return SP_OK;
}
