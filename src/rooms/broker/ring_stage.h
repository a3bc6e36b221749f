/* ring_stage.h - for tests: the whole broker on a stage, where the test plays ledger, supervisor,
 * workers and authenticators. */
#ifndef SP_BROKER_RING_STAGE_H
#define SP_BROKER_RING_STAGE_H

#include <stdio.h>

#include "base/limits.h"
#include "base/test.h"
#include "rooms/broker/start.h"
#include "rooms/broker/store.h"

struct stage {
	struct broker *b;
	char dir[64], db_dir[80], blob_dir[80];
	struct chan ledger; /* the ledger's end */
	struct loop_watch *ledger_watch;
	struct chan supervisor;
	uint64_t entry;	      /* entries so far */
	uint16_t events[512]; /* of entry i */
	char uploads[512][33];
	bool is_mute;			       /* takes orders, answers nothing */
	bool is_holding;		       /* RECORDs are answered by let_go */
	uint64_t held[16], n_held;	       /* their refs */
	char path[4097], from[4097], to[4097]; /* of the last RECORD that was a rename */
	bool refuses;			       /* releases, and RECORDs that take something */
	bool freezes;			       /* and freezes the user with it */
	uint64_t taken_files, taken_bytes;     /* of the last RECORD */
	bool auth_says;			       /* the password is right */
	char said[8192];		       /* the last RECORD: user, then "key=value" a line */
	struct chan signer;		       /* the signer's end */
	unsigned n_releases, n_violations, n_kills;
	struct worker_end *helpers; /* authenticators, freed at the end */
	uint8_t buf[IPC_MAX];
	uint64_t serials;
};

struct worker_end {
	struct stage *s;
	struct chan chan;
	struct loop_watch *watch;
	uint64_t serial;
	bool has, is_closed;
	struct worker_end *next;
	uint16_t id;
	int fd;
	size_t len;
	uint8_t body[IPC_MAX];
};

extern int64_t now_us;	      /* the test's clock */
extern int64_t clock_step_us; /* by how much of it only the wall clock went on */

struct tokens {
	char access[64], refresh[64];
};

#define ASK(w, name, ...)                                                                          \
	__extension__({                                                                            \
		struct ipc_##name ask_ = {__VA_ARGS__};                                            \
		(w)->has = false;                                                                  \
		assert_int_equal(chan_send_##name(&(w)->chan, &ask_, -1), SP_OK);                  \
		wait_reply(w);                                                                     \
	})

#define REFUSES(w, err, ...)                                                                       \
	do {                                                                                       \
		assert_int_equal(ASK(w, __VA_ARGS__), IPC_FAILED);                                 \
		assert_err(failure(w), err);                                                       \
	} while (0)

/* the next request is sent and not waited for */
#define SEND(w, name, ...)                                                                         \
	do {                                                                                       \
		struct ipc_##name send_ = {__VA_ARGS__};                                           \
		(w)->has = false;                                                                  \
		assert_int_equal(chan_send_##name(&(w)->chan, &send_, -1), SP_OK);                 \
		run_ms((w)->s, 20);                                                                \
	} while (0)

/* what the vault says of a limit of the user's: 7 s */
#define REFUSED_BUDGET(s, r)                                                                       \
	{                                                                                          \
		.ref = (r), .err = -SP_EBUDGET, .retry_after = 7, .budget = BUDGET_FILES_HOUR,     \
		.froze = (s)->freezes                                                              \
	}

#define TEXT(s) span_str(s)
#define NOTHING span_of(NULL, 0)

/* setup and teardown of one test */
int stage_begin(void **state);
int stage_end(void **state);
#define RING(fn) cmocka_unit_test_setup_teardown(fn, stage_begin, stage_end)

void run_ms(struct stage *s, int64_t ms);
uint64_t append(struct stage *s, uint16_t event);
/* let_go - answer what was held, and on with all that waited. */
void let_go(struct stage *s);
void link_ledger(struct stage *s, bool at_start);
void link_signer(struct stage *s);
void read_supervisor(struct stage *s);
void broker_up(struct stage *s);
void broker_down(struct stage *s);
/* broker_killed - kill -9: rows as they were committed, files as they lie; free the ends of workers
 * by end_free first. */
void broker_killed(struct stage *s);
void end_free(struct worker_end *w);
void add_authenticator(struct stage *s);
struct worker_end *add_worker(
    struct stage *s, enum room room, uint8_t listener, const char *address, loop_fn fn);
void worker_free(struct worker_end *w);
uint16_t wait_reply(struct worker_end *w);
int failure(struct worker_end *w);
struct worker_end *connect_worker(struct stage *s, uint8_t listener);
void take_tokens(struct worker_end *w, struct tokens *t);
struct worker_end *login(struct stage *s, const char *user, struct tokens *t);
/* login_sftp - a worker of the SFTP door whose login was proved. */
struct worker_end *login_sftp(struct stage *s, const char *user);
int64_t entry_version(struct worker_end *w);
uint16_t put_small(struct worker_end *w, const char *path, uint64_t size);
uint64_t begin_big(struct worker_end *w, const char *path, uint64_t size);
void fill(struct worker_end *w, uint64_t size);
unsigned count_events(const struct stage *s, uint16_t event);
unsigned count_blobs(const struct stage *s);
/* make - a folder.  at - the ENTRY of a path.  let - a user's rights on a folder.  set_quota - of a
 * folder. */
void make(struct worker_end *w, const char *path);
struct ipc_entry at(struct worker_end *w, const char *path);
void let(struct stage *s, int64_t folder, int64_t user, int64_t rights);
void set_quota(struct stage *s, int64_t folder, int64_t bytes);
/* entry - the ENTRY that was the last reply. */
struct ipc_entry entry(struct worker_end *w);
/* begin_acked - an upload of which acked bytes are on record; the worker holds the descriptor.
 * leave_partial - the same, and the connection ends.  resume - go on with it.
 * partial_size - what STAT says of it. */
uint64_t begin_acked(struct worker_end *w, const char *path, uint64_t size, uint64_t acked);
void leave_partial(struct stage *s, const char *user, const char *path, uint64_t acked);
struct ipc_upload_resumed resume(struct worker_end *w, const char *path);
uint64_t partial_size(struct worker_end *w, const char *path);
#define BIG 100000u /* bytes: of such an upload */
void helpers_free(struct stage *s);
void on_reply(void *arg, int fd, unsigned events);
#endif
