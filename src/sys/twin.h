/* twin.h - copies of the running process, each made for one job.  Only a worker's template uses it.
 */
#ifndef SP_SYS_TWIN_H
#define SP_SYS_TWIN_H

#include "base/err.h"
#include "base/mem.h"

/* twin_new - copy this process, which must have one thread.  The copy is a child of this process's
 * parent: who started the template hears of the end of all its twins.  The twin has descriptors 0
 * to 3 and no other, a session of its own, is killed when that parent ends, and is not dumpable.
 * What was random in the template is the same in every twin until it is made anew: crypto_reseed.
 *   fd       becomes descriptor 3 of the twin; stays the caller's here
 *   uid      the twin runs as this uid and gid without any capability; 0: as the caller
 *   returns  its process number; 0 in the twin, which ends when it cannot be as said
 *   errors   SP_ENOMEM and the like: there is no twin */
int twin_new(int fd, uint32_t uid) MUST_USE;
#endif
