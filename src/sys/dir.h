/* dir.h - folders: what fd.h leaves out. */
#ifndef SP_SYS_DIR_H
#define SP_SYS_DIR_H

#include "base/err.h"
#include "base/defer.h"

/* dir_remove_at - remove an empty folder below dirfd.  errors SP_ENOTEMPTY, SP_ENOTFOUND, SP_EPERM
 */
int dir_remove_at(int dirfd, const char *path) MUST_USE;
#endif
