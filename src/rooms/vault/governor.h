/* governor.h - how much each principal has been given: the one place where a release is admitted or
 * not.
 *
 * Every release of an existing key passes governor_admit with the length that the wrap itself
 * authenticates.  It counts files and bytes for each principal of this run.  A charge is made
 * before the key leaves and is never taken back, whatever happens to the key afterwards.
 */
#ifndef SP_VAULT_GOVERNOR_H
#define SP_VAULT_GOVERNOR_H

#include "base/err.h"
#include "base/defer.h"
#include "base/span.h"

/* Principals that are counted at most; another one is refused (SP_EFULL) rather than not counted.
 */
#define GOVERNOR_PRINCIPALS 1048576u

struct governor;

struct governor_count {
	uint64_t files, bytes; /* released since the vault started; they stop at UINT64_MAX */
};

struct governor *governor_new(void) MUST_USE; /* NULL: no memory */
void governor_free(struct governor *g);	      /* accepts NULL */

/* governor_admit - may this principal be given one more file of that many bytes?  Charges it if so.
 *   user             number of the principal; 0: the server itself (the scrubber)
 *   bytes            length from the wrap's authenticated data
 *   ret_retry_after  seconds until it may be worth asking again; 0: not known; set on refusal too
 *   errors           SP_EBUDGET (refused), SP_EFULL, SP_ENOMEM */
int governor_admit(
    struct governor *g, uint64_t user, uint64_t bytes, uint32_t *ret_retry_after) MUST_USE;

/* governor_count - what a principal was given in this run; zeroes for one that never asked. */
struct governor_count governor_count(const struct governor *g, uint64_t user);
#endif
