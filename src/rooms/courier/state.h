/* state.h - what the courier keeps: which entries it has taken, what waits for each way, what is on
 * its way.
 *
 * The audit log is the queue (ledger/alarms.c); this says how far it was read and holds what was
 * read and not delivered yet, counted and bounded: for each way and kind one batch that waits, for
 * each way one that is being delivered and does not change any more, so that a message that is sent
 * again is the same message with the same number.
 */
#ifndef SP_COURIER_STATE_H
#define SP_COURIER_STATE_H

#include "base/err.h"
#include "base/mem.h"
#include "ipc/alarm.h"

#define LINES_MAX 4u	     /* alarms of a batch that are told in full; the rest is counted */
#define LOST_MAX 16u	     /* alarms that were given up and are still shown */
#define STATE_MAX (1u << 20) /* bytes of the file */

/* One entry, as far as messages tell it.  Text is clean: UTF-8 on one line, nothing that steers a
 * terminal or a mail. */
struct line {
	uint64_t entry;
	int64_t t_us;
	char event[33], user[129], org[129], addr[73], path[385], detail[513];
};
struct batch {
	uint64_t count;	      /* 0: empty */
	uint64_t first, last; /* entries */
	int64_t first_us, last_us;
	uint32_t n_lines;
	struct line lines[LINES_MAX];
};
struct lane {
	struct batch waiting;
	int64_t next_us; /* the next message not before; 0: at once */
};
struct way_state {
	struct lane lane[ALARM_COUNT];
	struct batch flying; /* count 0: none */
	enum alarm flying_kind;
	int64_t flying_us;  /* since it was made */
	uint32_t attempts;  /* of it that failed */
	int64_t retry_us;   /* the next not before */
	int64_t failing_us; /* nothing could be delivered since; 0: all is well */
	bool said_failing;  /* the ledger was told */
	uint64_t delivered; /* messages, ever */
	uint64_t last_entry;
	int64_t delivered_us;
	char error[257];     /* of the last attempt; "" */
	uint64_t test_entry; /* of the last test; 0: none */
	uint8_t test_result; /* enum test_result */
	char test_text[257];
};
enum test_result { TEST_RUNS, TEST_GOOD, TEST_FAILED };
struct lost {
	enum way way;
	enum alarm kind;
	uint64_t count, first, last;
	int64_t at_us;
};
struct state {
	uint64_t next;	  /* entries below are taken */
	int64_t floor_us; /* entries before this time raise nothing: set where there was no state */
	uint64_t journal_test; /* entry of the last test that was written to the journal */
	struct way_state way[WAY_COUNT];
	uint32_t n_lost;
	struct lost lost[LOST_MAX]; /* newest last */
};

/* state_put - the bytes of the file: a header, what is not empty, SHA-256.  errors SP_ESPACE,
 * SP_ECRYPTO state_get - read them; kinds and ways that are no longer known are left out.  ret:
 * zeroed by the caller, of no use on failure; errors SP_EDAMAGED (torn, changed, or not such a
 * file), SP_ECRYPTO */
int state_put(const struct state *s, uint8_t *buf, size_t cap, size_t *ret_len) MUST_USE;
int state_get(struct span file, struct state *ret) MUST_USE;

/* state_load - from the courier's folder.  A file that is damaged is put aside as state.damaged.
 *   returns  1 when it was there, 0 when not (ret is zeroed); errors SP_EIO and the like
 * state_save - there entirely or not at all (file_write_new). */
int state_load(int dirfd, struct state *ret) MUST_USE;
int state_save(int dirfd, const struct state *s) MUST_USE;
#endif
