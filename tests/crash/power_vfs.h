/* power_vfs.h - SQLite on a disk that loses what was not synced (power_disk.h). */
#ifndef SP_TEST_POWER_VFS_H
#define SP_TEST_POWER_VFS_H

#include "power_disk.h"

/* power_vfs_set - from now on SQLite's files are on this disk, by their last name: the file layer
 * of everything that opens a database.  As SQLite's own it syncs the folder with the first sync of
 * a log or journal that it made, and promises nothing more than that a write leaves its
 * neighbours alone.
 *   disk  borrowed until the next call */
void power_vfs_set(struct power_disk *disk);
#endif
