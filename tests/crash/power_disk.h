/* power_disk.h - a disk in memory that loses what was not synced, in any order.
 *
 * Every write is split into sectors of 512 bytes; until its file is synced each of them may be on
 * the disk or not. Every name that is made, moved or removed may be on the disk or not until its
 * folder is synced.  A file's sync says nothing about its name.  power_disk_fail_after makes the
 * power go away at the nth change; what is left then is one of very many disks, picked by a seed.
 */
#ifndef SP_TEST_POWER_DISK_H
#define SP_TEST_POWER_DISK_H

#include "store/tlog_fs.h"

struct power_disk;

struct power_disk *power_disk_new(void);
void power_disk_free(struct power_disk *d);
struct tlog_fs power_disk_fs(struct power_disk *d);
/* power_disk_changes - writes, syncs, names made, moved and removed so far. */
uint64_t power_disk_changes(const struct power_disk *d);
/* power_disk_fail_after - let n more changes happen; then everything fails with SP_EIO. UINT64_MAX:
 * never. */
void power_disk_fail_after(struct power_disk *d, uint64_t n);
bool power_disk_failed(const struct power_disk *d);

enum power_kept { POWER_NOTHING, POWER_ALL, POWER_RANDOM, POWER_NAMES, POWER_CONTENT };
/* power_disk_after - the disk as it may look when the power comes back. kept: what of the unsynced
 * is there. */
struct power_disk *power_disk_after(
    const struct power_disk *d, enum power_kept kept, uint64_t seed);
/* power_disk_truncate - cut a file to len bytes; a change like a write.  SP_EIO */
int power_disk_truncate(struct power_disk *d, int handle, size_t len) MUST_USE;
/* power_disk_full - from now on no file grows and none is made (SP_EDISKFULL), or again they do. */
void power_disk_full(struct power_disk *d, bool full);
#endif
