/* stage.h - a real room on a stage: the test plays the supervisor and every other room.
 *
 * The binaries are the ones that are shipped, with their sandbox on.  ROOMS in the environment
 * names the folder that holds bin/ or libexec/ with sallyport-<room>.
 */
#ifndef SP_TESTS_HOSTILE_STAGE_H
#define SP_TESTS_HOSTILE_STAGE_H

#include <sys/types.h>

#include "base/test.h"
#include "base/wire.h"
#include "ipc/chan.h"

#define STAGE_WAIT_MS 10000 /* for what must come */
#define STAGE_QUIET_MS 60   /* for what must not */

struct stage {
	pid_t pid;
	enum room room;
	struct chan supervisor; /* our end */
	int log;		/* a memory file that takes its standard error */
	uint8_t *buf;		/* IPC_MAX bytes: the last message that was taken */
};

/* stage_start - exec the room of that binary (a path).  Nothing is sent yet. */
void stage_start(struct stage *s, enum room room, const char *binary);
/* stage_file - FILE with a descriptor that is closed here. */
void stage_file(struct stage *s, unsigned what, int fd);
void stage_bytes(struct stage *s, unsigned what, struct span content);
/* stage_folder - FILE with a folder and its absolute path. */
void stage_folder(struct stage *s, unsigned what, const char *path);
/* stage_link - LINK: our end plays room `who`. */
struct chan stage_link(struct stage *s, enum room who);
/* stage_pair - LINK both: two real rooms on one socket. */
void stage_pair(struct stage *a, struct stage *b);
/* stage_worker - WORKER_NEW: our end plays that worker. */
struct chan stage_worker(struct stage *s, uint64_t serial, enum room who);
void stage_gone(struct stage *s, uint64_t serial);
/* stage_go - GO, and wait for READY. */
void stage_go(struct stage *s);

/* stage_take - the next message on c must be id; its body points into s->buf. */
struct span stage_take(struct stage *s, struct chan *c, uint16_t id);
/* stage_poll - 1 with a message, 0 when nothing came in that time, SP_ECLOSED. */
int stage_poll(struct stage *s, struct chan *c, int timeout_ms, struct chan_msg *ret);
/* stage_violation - the next message to the supervisor must be a VIOLATION by that serial; any
 * message, any error. */
void stage_violation(struct stage *s, uint64_t serial);
/* stage_silent - c gives nothing (closed is silent too). */
void stage_silent(struct stage *s, struct chan *c);
/* stage_closed - c is closed by the room, and nothing more came on it. */
void stage_closed(struct stage *s, struct chan *c);
/* stage_raw - any bytes as one packet: what a taken-over process would send. */
void stage_raw(struct chan *c, uint16_t id, struct span body, int n_fds);

/* stage_end - the supervisor goes; the room must end by itself.  Returns its exit status. */
int stage_end(struct stage *s);
/* stage_died - the room must have ended already with this status; its log must contain text. */
void stage_died(struct stage *s, int status, const char *text);

/* every_message - all rows of protocol.def with fields at their limits and beyond.
 *   fn  called for each: id, name, the body, and whether a decoder must refuse it */
typedef void (*stage_fn)(
    void *arg, uint16_t id, const char *name, struct span body, bool malformed);
void every_message(stage_fn fn, void *arg);
#endif
