/* advise.h - telling the kernel what will be done with a file; a refusal changes nothing but speed.
 */
#ifndef SP_SYS_ADVISE_H
#define SP_SYS_ADVISE_H
#include <stdint.h>

/* file_will_read - the file will be read from front to back: read further ahead. */
void file_will_read(int fd);
/* file_write_behind - begin writing n bytes at offset to the disk, so that the sync at the end has
 * less to do; does not wait, promises nothing. */
void file_write_behind(int fd, int64_t offset, int64_t n);
#endif
