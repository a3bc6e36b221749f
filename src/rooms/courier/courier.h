/* courier.h - the room that makes messages of alarms.  docs/alarms.md tells the story.
 *
 *   ledger -ALARM-> take (queue.c) -> state is saved -> ALARM_TAKEN; what is due -> DELIVER to a
 * messenger -> DELIVERED
 *
 * Nothing is acknowledged, and no message sent for the first time, before the state that says so is
 * on the disk.
 */
#ifndef SP_COURIER_COURIER_H
#define SP_COURIER_COURIER_H

#include "ipc/room.h"
#include "base/text.h"
#include "rooms/courier/queue.h"
#include "sys/loop.h"

#define MESSENGERS_MAX 16u
#define SECRET_MAX 1024u
#define JOB_MS 90000 /* a messenger that has not answered by then is ended */
#define TICK_MS 1000
#define SAVE_AGAIN_MS 5000 /* after the disk was full */

struct courier;
struct messenger {
	struct courier *courier; /* NULL: this place is free */
	uint64_t serial;
	struct chan chan;
	struct loop_watch *watch;
	bool has_job;
	enum way way; /* of its job */
	int64_t since_ms;
};

struct courier {
	struct room_start room;
	struct loop *loop;
	struct state *state;
	int dirfd;
	int none; /* an empty file, in the place of one with authorities */
	int64_t (*wall_us)(void);
	int64_t (*mono_ms)(void);
	struct chan ledger, broker;
	struct loop_watch *ledger_watch, *broker_watch;
	struct messenger messengers[MESSENGERS_MAX];
	bool busy[WAY_COUNT];
	uint8_t *secret[WAY_COUNT]; /* SECRET_MAX + 1 bytes each, locked */
	size_t secret_len[WAY_COUNT];
	uint8_t *buf; /* IPC_MAX bytes, locked */
	bool dirty, save_failed;
	int64_t save_ms; /* not before */
	bool owes_taken; /* ALARM_TAKEN of taken */
	uint64_t taken;
	uint64_t timer;
};

/* ---- links.c: ledger, broker, supervisor ---- */
int courier_link(struct courier *c, enum room room, int fd) MUST_USE;
void courier_unlink(struct courier *c, enum room room);
/* courier_note - an event of ours in the ledger. */
void courier_note(struct courier *c, uint16_t event, enum way way, const char *text);
void supervisor_take(void *arg, struct chan_msg *m);
void supervisor_ready(void *arg, int fd, unsigned events);

/* ---- work.c: what to do next ---- */
/* courier_take - an entry from the ledger.  errors SP_ESYNTAX, SP_EDENIEDMSG (not in order) */
int courier_take(struct courier *c, const struct ipc_alarm *m) MUST_USE;
/* courier_idle - a loop_idle_fn: save, acknowledge, give out jobs. */
void courier_idle(void *arg);
int messenger_add(struct courier *c, uint64_t serial, int fd) MUST_USE;
void messenger_gone(struct courier *c, uint64_t serial);
void courier_job_ends(struct courier *c, enum way way, bool good, const char *why);
/* job_send - the flying batch of a way to a messenger. */
int job_send(struct courier *c, struct messenger *m, enum way way) MUST_USE;

/* ---- main.c ---- */
/* secrets_read - from the files that the supervisor has sent. */
void secrets_read(struct courier *c);

/* ---- report.c ---- */
/* report_json - what `sallyport alarm list` shows. */
void report_json(struct text *t, const struct state *s, const struct conf *conf);
#endif
