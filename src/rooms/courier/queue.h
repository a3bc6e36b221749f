/* queue.h - when which message leaves which way: digests, trying again, giving up.  Pure, given the
 * time. */
#ifndef SP_COURIER_QUEUE_H
#define SP_COURIER_QUEUE_H

#include "rooms/courier/state.h"

#define RETRY_FIRST_US (5 * INT64_C(1000000))
#define RETRY_MOST_US (3600 * INT64_C(1000000))
#define GIVE_UP_US (7 * 86400 * INT64_C(1000000))
#define GIVE_UP_ATTEMPTS 100u /* and so often: a clock that was stepped ahead is no week */
#define FAILING_US (3600 * INT64_C(1000000)) /* after that the ledger hears of it */

/* queue_take - an alarm of this kind, for every way that is configured. */
void queue_take(struct state *s, const struct conf *c, enum alarm kind, const struct line *line);
/* queue_pick - make what is next on a way its flying batch, when there is none: a test first, then
 * by severity, then by age. returns  whether the state has changed */
bool queue_pick(struct state *s, const struct conf *c, enum way way, int64_t now_us);
/* queue_due - is it time to (again) try the flying batch? */
bool queue_due(const struct way_state *w, int64_t now_us);
/* queue_waits - does anything wait on this way, now or later? */
bool queue_waits(const struct way_state *w);
/* queue_done - the flying batch was delivered.  queue_failed - it was not.
 *   returns  QUEUE_SAY_FAILING: this way is now known not to work, tell the ledger; QUEUE_SAY_LOST:
 * it was given up (s->lost) */
enum queue_say { QUEUE_SAY_NOTHING, QUEUE_SAY_FAILING, QUEUE_SAY_LOST };
void queue_done(struct state *s, const struct conf *c, enum way way, int64_t now_us);
enum queue_say queue_failed(struct state *s, enum way way, const char *why, int64_t now_us);
#endif
