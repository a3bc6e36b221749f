/* watch.h - does the wall clock go straight?  Pure: times are given.
 *
 * The time of an entry is the wall clock's.  It is held, never set back, for jitter below a second;
 * a greater difference between wall and monotonic clock is a step: it is recorded as clock.step,
 * which says what time was expected and what time it was, and from then on the wall clock counts
 * again. So a reader can tell true intervals, and a wrong clock that is set right does not spoil
 * all later entries.
 */
#ifndef SP_LEDGER_WATCH_H
#define SP_LEDGER_WATCH_H

#include "base/err.h"
#include "base/mem.h"

#define WATCH_STEP_US 1000000 /* smaller ones are adjusted for quietly */

struct watch {
	int64_t wall_us, mono_us; /* read together, last time */
	int64_t t_us;		  /* given last */
};

/* watch_start - last_t_us: time of the newest entry, 0: none. */
void watch_start(struct watch *w, int64_t last_t_us, int64_t wall_us, int64_t mono_us);
/* watch_take - the time for an entry.
 *   ret_expected  set when the result is true: what the time would be without the step
 *   returns       the clock was stepped since the last call: record that first */
bool watch_take(
    struct watch *w, int64_t wall_us, int64_t mono_us, int64_t *ret_t_us, int64_t *ret_expected);
#endif
