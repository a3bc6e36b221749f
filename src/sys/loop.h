/* loop.h - one thread waits for many descriptors (epoll) and timers. */
#ifndef SP_SYS_LOOP_H
#define SP_SYS_LOOP_H
#include "base/err.h"
#include "base/mem.h"

struct loop;	   /* opaque */
struct loop_watch; /* one watched descriptor, owned by the loop until loop_unwatch */
enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_HUP = 4 };
typedef void (*loop_fn)(void *arg, int fd, unsigned events);
typedef void (*loop_idle_fn)(void *arg);

struct loop *loop_new(void) MUST_USE; /* NULL: no memory or descriptors */
void loop_free(struct loop *l);
/* loop_watch - call fn(arg, fd, events) when ready; level-triggered. NULL: no memory. The fd stays the
 * caller's. loop_unwatch is safe inside any callback, also for a watch whose event is pending. */
struct loop_watch *loop_watch(struct loop *l, int fd, unsigned events, loop_fn fn, void *arg) MUST_USE;
void loop_unwatch(struct loop *l, struct loop_watch *w);
int loop_change(struct loop *l, struct loop_watch *w, unsigned events) MUST_USE;
/* loop_priority - watches with priority are served before all others of the same wake-up. */
void loop_priority(struct loop_watch *w);
/* loop_idle - fn runs once after each batch of events: the place for group commit. */
void loop_idle(struct loop *l, loop_idle_fn fn, void *arg);
/* loop_timer - fn(arg, -1, 0) in delay_ms, once; the returned id is for loop_timer_cancel (0: no memory). */
uint64_t loop_timer(struct loop *l, int64_t delay_ms, loop_fn fn, void *arg) MUST_USE;
void loop_timer_cancel(struct loop *l, uint64_t id);
/* loop_run - until loop_stop. */
int loop_run(struct loop *l) MUST_USE;
void loop_stop(struct loop *l);
#endif
