/* ready.h - wait for several descriptors at once, without an event loop: a worker between two rooms.
 */
#ifndef SP_SYS_READY_H
#define SP_SYS_READY_H

#include "base/defer.h"
#include "base/err.h"
#include <stddef.h>

#define FD_WAIT_MAX 8u

/* fd_wait_any - wait until one of n descriptors (at most FD_WAIT_MAX; negative ones are skipped) is
 * readable or has hung up. timeout_ms  -1: none ret_ready   bit i: fds[i] errors      SP_ETIMEOUT,
 * SP_ESYS */
int fd_wait_any(const int *fds, size_t n, int timeout_ms, unsigned *ret_ready) MUST_USE;
#endif
