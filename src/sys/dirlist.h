/* dirlist.h - the names in a folder. */
#ifndef SP_SYS_DIRLIST_H
#define SP_SYS_DIRLIST_H

#include "base/err.h"
#include "base/defer.h"

/* dir_each_at - call fn(arg, name) for every name in a folder but "." and "..", in no order.
 *   path     below dirfd; "." for itself
 *   fn       returns SP_OK to go on, anything else to stop with that; it may remove what it is told
 *   errors   SP_ENOTFOUND, SP_EPERM, SP_EIO and what fn returned */
int dir_each_at(
    int dirfd, const char *path, int (*fn)(void *arg, const char *name), void *arg) MUST_USE;
#endif
