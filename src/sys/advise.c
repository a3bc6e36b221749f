/* advise.c - hints to the page cache. */
#include "sys/advise.h"

#include <fcntl.h>

void
file_will_read(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
}

void
file_write_behind(int fd, int64_t offset, int64_t n)
{
	(void)sync_file_range(fd, offset, n, SYNC_FILE_RANGE_WRITE); /* a hint */
}
