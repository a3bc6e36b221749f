/* landlock.h - the paths, ports and signals a process may still reach; private to sys/, used by
 * sandbox.c. */
#ifndef SP_SYS_LANDLOCK_H
#define SP_SYS_LANDLOCK_H

#include "sys/sandbox.h"

/* landlock_enter - from now on only the given paths; no TCP port (with connects: none of its own),
 * device ioctl, signal or abstract socket of others where the kernel's Landlock knows these (ABI 4,
 * 5, 6). ret_abi  the ABI in force; 0 when the kernel has no Landlock, which is no error errors
 * SP_ESYS, logged */
int landlock_enter(
    const struct sandbox_path *paths, size_t n_paths, bool connects, int *ret_abi) MUST_USE;
#endif
