/* supervisor.h - the state of the one process that starts all others.  docs/internals/ring.md tells
 * the story.
 *
 * A seat is a room of which there is one process (ledger, vault, signer, broker, gates); a pool
 * keeps processes idle that do one job each (workers of a listener, authenticators, the scrubber).
 */
#ifndef SP_SUPERVISOR_H
#define SP_SUPERVISOR_H

#include "base/limits.h"
#include "ipc/chan.h"
#include "rooms/supervisor/lockfile.h"
#include "sys/loop.h"

/* What a worker's connections come from: WORKER_NEW.listener. */
enum { LISTENER_PUBLIC, LISTENER_ADMIN, LISTENER_NONE };

/* Listening sockets. */
enum { SOCKET_HTTPS, SOCKET_ADMIN, SOCKET_SFTP, SOCKET_COUNT };
struct socket_row {
	const char *keyword;
	enum room gate;
	uint8_t listener;
};
extern const struct socket_row socket_rows[SOCKET_COUNT];

/* Exit statuses, of sysexits.h. */
enum {
	EXIT_USAGE = 64,
	EXIT_UNAVAILABLE = 69,
	EXIT_SOFTWARE = 70,
	EXIT_SYSTEM = 71,
	EXIT_CONFIG = 78
};

/* What the supervisor itself has to tell the audit log. */
enum sup_event {
#define EVENT(NAME, number, name, severity, text) EVENT_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};

/* ROOM_STATE.state */
enum room_state { ROOM_DOWN, ROOM_STARTING, ROOM_UP, ROOM_STOPPING };

struct sup;

struct seat {
	struct sup *sup;
	enum room room;
	struct chan chan; /* fd -1: not running */
	struct loop_watch *watch;
	int32_t pid; /* 0: no process */
	enum room_state state;
	bool gone_to; /* GO was sent */
	uint32_t restarts;
	int64_t since_us, started_ms, backoff_ms;
	uint64_t timer; /* of the next start; 0: none */
	uint8_t landlock_abi;
	char note[512];
};

enum worker_state {
	WORKER_STARTING, /* before READY */
	WORKER_IDLE,	 /* registered everywhere */
	WORKER_RETIRED,	 /* of an old generation; ends unless a connection was on its way to it */
	WORKER_TAKEN,	 /* has a connection */
};

struct pool;
struct worker {
	struct pool *pool;
	uint64_t serial;
	int32_t pid;
	struct chan chan;
	struct loop_watch *watch;
	enum worker_state state;
	bool doomed;	   /* we killed it: its end is no news */
	uint64_t template; /* number of what it is a copy of; 0: a program of its own */
	int gate_fd;	   /* the gate's end of its socket, until it is ready; else -1 */
	unsigned told;	   /* set of the rooms that know it */
	uint32_t slot;	   /* of its uid */
	int64_t retired_ms;
	char address[65];
	struct worker *next, *prev;
};

/* A process that workers are copied from: template.c. */
struct template
{
	struct pool *pool;
	uint64_t number; /* never given again while we run */
	int32_t pid;
	struct chan chan;
	struct loop_watch *watch;
	bool is_ready;
	int64_t forks;
};

struct pool {
	struct sup *sup;
	enum room room;
	uint8_t listener;
	uint32_t uid_offset; /* uid of a process is UidBase + this + slot */
	uint32_t slots, next_slot;
	uint8_t *slot_used; /* slots bytes */
	size_t idle;	    /* starting and idle ones */
	size_t total;
	uint8_t landlock_abi; /* of the last that was ready */
	uint32_t failures;    /* ends before READY in a row */
	uint64_t timer;	      /* of the next try; 0: none */
	struct worker *workers;
	struct template *template[2]; /* in use, and the next; NULL: none */
};
enum {
	POOL_PUBLIC,
	POOL_ADMIN,
	POOL_SFTP,
	POOL_AUTHENTICATOR,
	POOL_SCRUBBER,
	POOL_MESSENGER,
	POOL_COUNT
};

/* The instance: its folder, settings and open files. */
struct instance {
	char dir[1024];
	struct conf conf;
	int conf_fd;		    /* sealed copy of the settings in force */
	int limits_fd;		    /* sealed copy of limits.conf, for the vault */
	struct limits limits;	    /* what it says */
	int certificate_fd;	    /* sealed copy */
	int scanner_fd;		    /* sealed copy of ScannerFile; empty: none */
	int lock;		    /* run/pid */
	int control;		    /* run/control.sock, listening */
	int operator;		    /* run/operator.sock, listening */
	int listener[SOCKET_COUNT]; /* -1: that door stays closed */
	struct lockdown lockdown;   /* as DIR/lockdown has it */
	uint64_t serial,
	    serial_end; /* next worker's serial number, and where the reserved ones end */
};

/* A line for the audit log that waits for the ledger. */
struct notice {
	uint64_t ref; /* 0: no answer is wanted */
	uint16_t event;
	uint64_t serial;
	char room[33], text[513];
};
enum { NOTICES_MAX = 64 };

/* A raise that waits for its confirmation; number 0: none. */
struct raise {
	uint32_t number, person;
	int64_t until_ms;
	struct ipc_limits_change m;
};
enum { RAISES_MAX = 16 };

#define LOG_BYTES_MOST (8u << 20)     /* of the rooms, at once */
#define LOG_BYTES_A_SECOND (1u << 18) /* and then on and on */

struct pool_seen {
	size_t total, idle;
};

struct sup {
	struct instance inst;
	struct loop *loop;
	struct seat seats[ROOM_COUNT]; /* by room; only the kinds ONE are used */
	struct pool pools[POOL_COUNT];
	struct pool_seen seen[ROOM_COUNT]; /* what the broker was told of the pools */
	int binaries[ROOM_COUNT];
	int signals;
	int log[2]; /* pipe that the rooms log to; -1: they have our standard error */
	/* bytes of it that may be copied, so that a taken-over room does not fill the disk; what
	 * was thrown away */
	uint64_t log_budget, log_thrown;
	uint64_t generation;
	uint64_t templates; /* started so far */
	bool as_root;
	bool started;  /* every room was ready once */
	bool stopping; /* no new process, whatever ends */
	int64_t stop_deadline_ms;
	struct notice notices[NOTICES_MAX];
	size_t n_notices;
	struct operator* operators; /* those that are being served */
	struct raise raises[RAISES_MAX]; /* that wait for a second operator */
	uint32_t last_raise;
	size_t n_operators;
	uint64_t last_ref;    /* of notice_first */
	uint64_t vault_timer; /* the vault has to forget its keys until then; 0: none */
	char *decoys;	      /* content of DIR/decoys, owned */
	size_t decoys_len;
	int lock_err; /* how the last lockdown went, and what the operator has to know */
	char lock_note[513];
	struct crashes *crashes; /* owned; NULL: none yet */
	uint8_t *buf;		 /* IPC_MAX bytes for messages */
	int exit_status;
};

/* ---- instance.c: everything that can be wrong before anything is started ---- */

/* instance_path - path below the instance, or path itself when it is absolute. */
int instance_path(const struct instance *in, const char *path, char *ret, size_t cap) MUST_USE;
/* instance_read - a whole small file, owned by the caller (mem_free). */
int instance_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len) MUST_USE;
/* instance_root_path - where the root key is: a path; SP_ENOTFOUND when only the operator's
 * passphrase gives it */
int instance_root_path(const struct instance *in, char *ret, size_t cap) MUST_USE;

/* instance_open - read and check the instance at dir, lock it, bind its sockets.  Dies with one
 * sentence. */
void instance_open(struct instance *in, const char *dir, bool as_root);
/* instance_reload - read settings and certificate anew.
 *   why, cap  one sentence on failure; nothing has changed then */
int instance_reload(struct instance *in, char *why, size_t cap) MUST_USE;
/* instance_bind - make one listening socket; -1 stays where its door is not wanted.
 *   why, cap  one sentence on failure */
int instance_bind(struct instance *in, size_t socket, char *why, size_t cap) MUST_USE;
/* instance_limits - limits.conf, which only its owner may write: root, or the user who runs the
 * instance.  One that is not there says what an empty one says: an instance of an older version has
 * none.
 *   ret_fd    a sealed copy, for the vault
 *   why, cap  one sentence on failure; errors SP_ECONFIG */
int instance_limits(const struct instance *in, struct limits *ret, int *ret_fd, char *why,
    size_t cap) MUST_USE;
/* instance_counters - an instance of an older version has no counters yet: an empty file.  The vault
 * knows whether there were any before.  Dies with a sentence. */
void instance_counters(const struct instance *in);
/* instance_file - open what a room's row needs: a descriptor owned by the caller, and the absolute
 * path. returns  SP_ENOTFOUND where there is none (a root key that only a passphrase gives) */
int instance_file(
    const struct instance *in, enum ipc_file_what what, char *ret_name, size_t cap) MUST_USE;
/* instance_scanner - ScannerFile, checked.
 *   ret_fd    a sealed copy, owned; empty when there is none
 *   why, cap  one sentence on failure: "DIR/file: line 3: a score is 1 to 1000"
 *   errors    SP_ECONFIG */
int instance_scanner(const struct instance *in, const struct conf *c, int *ret_fd, char *why,
    size_t cap) MUST_USE;
/* instance_serial - a number that no worker has had, in this run or an earlier one.  SP_EIO and the
 * like */
int instance_serial(struct instance *in, uint64_t *ret) MUST_USE;

/* ---- instance_lock.c ---- */

/* instance_lock_read - the state of a lockdown, as the last run left it. */
void instance_lock_read(struct instance *in);
/* instance_lock_keep - make the state of a lockdown durable; no lockdown: remove the file. */
int instance_lock_keep(const struct instance *in, const struct lockdown *l) MUST_USE;
/* instance_has_recovery - is there a keys/root.recovery, so that a passphrase gives the root key?
 */
bool instance_has_recovery(const struct instance *in);
/* instance_root_destroy - destroy the automatic copy of the root key.
 *   path      where it was, or which credential it is
 *   returns   SP_OK (also where there is none); SP_EPERM: a credential, which is not ours to
 * destroy; SP_ENOTFOUND: there is no keys/root.recovery, so that it is the only copy: nothing was
 * done */
int instance_root_destroy(const struct instance *in, char *path, size_t cap) MUST_USE;
/* instance_root_check - is the automatic copy of the root key there and in order?
 *   why, cap  one sentence when it is not */
int instance_root_check(const struct instance *in, char *why, size_t cap) MUST_USE;

/* ---- alarms.c: what the courier is given ---- */

/* alarms_check - do the settings of alarms fit together, and are their files there and nobody else's to read?
 *   why, cap  one sentence on failure: SP_ECONFIG */
int alarms_check(const struct instance *in, char *why, size_t cap) MUST_USE;
/* alarms_path - of FILE_ALARM_*.  SP_ENOTFOUND: the setting names none */
int alarms_path(const struct instance *in, enum ipc_file_what what, char *ret, size_t cap) MUST_USE;
/* alarms_folder - make the courier's folder in an instance of before there were alarms.  Dies with a sentence. */
void alarms_folder(const struct instance *in, bool as_root);

/* ---- seats.c ---- */

/* seat_is_locked - is it a gate that a lockdown keeps closed? */
bool seat_is_locked(const struct seat *seat);
/* seat_start - start it when it does not run. */
void seat_open(struct seat *seat);
/* seat_is_one - is there a seat for this room? */
bool seat_is_one(enum room room);
/* seats_start - start every room; GO follows in order as they get ready.  Dies when one cannot be
 * started. */
void seats_start(struct sup *s);
/* seats_go - send GO to every started room whose turn it is. */
void seats_go(struct sup *s);
/* seat_ready - the room said READY. */
void seat_ready(struct seat *seat, const struct ipc_ready *m);
/* seat_ended - its process has ended. how: a few words */
void seat_ended(struct seat *seat, const char *how, int status);
/* seat_kill - end a room that lies or does not read; it is then started again. */
void seat_kill(struct seat *seat, const char *why);
/* seat_sent - look at the result of a chan_send to the room: a full socket ends it. */
void seat_sent(struct seat *seat, int err);
/* seat_report - tell the broker how a room is; seats_report: all of them and the pools. */
void seat_report(struct seat *seat);
void seats_report(struct sup *s);
/* pools_report - tell the broker of pools that have changed since it was told. */
void pools_report(struct sup *s, bool all);
/* verify_prepare, verify_act - VERIFY_RESULT (settings.c). */
struct operator;
struct operator_entry;
int verify_prepare(struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int verify_act(struct operator* o, struct span body) MUST_USE;
/* settings_note - put on record what the files of the settings are (settings.c). */
void settings_note(struct sup *s);
/* notice - a line in the audit log, as soon as the ledger takes it. */
void notice(struct sup *s, uint16_t event, uint64_t serial, enum room room, const char *text);
/* notice_first - the same for what may be done only when it is on record: operator_noted hears ref
 * when it is.  SP_EUNAVAIL: there is no ledger now */
int notice_first(struct sup *s, uint64_t ref, uint16_t event, const char *text) MUST_USE;
/* send_file - one of them.  send_row_files - the files of a room's row; send_files: and what else a
 * new process needs. */
int send_file(struct chan *to, enum ipc_file_what what, const char *name, int fd) MUST_USE;
int send_row_files(struct sup *s, enum room room, struct chan *to) MUST_USE;
int send_files(struct sup *s, enum room room, struct chan *to) MUST_USE;
/* send_limits - limits.conf as it is in force now. */
int send_limits(struct sup *s, struct chan *to) MUST_USE;

/* ---- workers.c ---- */

void pools_init(struct sup *s);
void pools_done(struct sup *s);
/* pools_fill - start idle processes until every pool has enough. */
void pools_fill(struct sup *s);
struct worker *worker_by_serial(struct sup *s, uint64_t serial);
struct worker *worker_by_pid(struct sup *s, int32_t pid);
/* worker_ready - it said READY: the gate may use it. */
void worker_ready(struct worker *w, uint8_t landlock_abi);
/* worker_kill - end it; doomed: its end is then no news. */
void worker_kill(struct worker *w);
/* worker_taken - the gate gave it a connection. */
void worker_taken(struct worker *w, struct span address);
/* worker_ended - its process has ended; signal: what killed it, or 0. */
void worker_ended(struct worker *w, const char *how, int signal, bool sandboxed);
/* workers_forget_seat - a room died: those that cannot do without it are ended, the others no
 * longer known to it. */
void workers_forget_seat(struct sup *s, enum room room);
/* workers_register_all - a new ledger hears of all that live. */
void workers_register_all(struct sup *s);
/* workers_lock - end all of the door of this gate, now. */
void workers_lock(struct sup *s, enum room gate);
/* workers_stop - tell those at work to finish; kill: now. */
void workers_stop(struct sup *s, uint32_t deadline_ms);
void workers_kill_all(struct sup *s);
/* workers_count - processes of the workers' pools; helpers: and of all others. */
size_t workers_count(const struct sup *s, bool helpers);

/* pool_failed - a process of it could not be started, or died before it was ready: it is filled
 * slower and slower. */
void pool_failed(struct pool *p);

/* ---- retire.c ---- */

/* workers_retire - idle ones of the old generation end once the gate has let go of them. */
void workers_retire(struct sup *s);
/* workers_retire_copies - idle copies of a template end. */
void workers_retire_copies(struct pool *p, uint64_t number);

/* ---- template.c ---- */

/* template_can - are workers of this pool to be copied from a template, and is one ready?  Starts
 * one that is missing; pools_fill is called when it is ready. */
enum template_can { TEMPLATE_UNUSED, TEMPLATE_WAIT, TEMPLATE_READY };
enum template_can template_can(struct pool *p) MUST_USE;
/* template_fork - copy a template that is ready.
 *   fd          becomes the copy's socket to us; stays the caller's
 *   uid         0: ours
 *   ret_number  of the template
 *   returns     the process's number: a child of ours.  On failure the template is ended. */
int template_fork(struct pool *p, int fd, uint32_t uid, uint64_t *ret_number) MUST_USE;
/* template_suspect - a worker died otherwise than in order, or lied: whoever did that may know its
 * memory's layout.  No further worker has it: its template and idle siblings end. */
void template_suspect(struct worker *w);
/* template_ended - was the process that has ended a template? */
bool template_ended(struct sup *s, int32_t pid);
/* templates_drop - end all: they hold the settings and certificate of before. */
void templates_drop(struct sup *s);

/* ---- messages.c ---- */

void seat_message(void *arg, int fd, unsigned events);
/* seat_drain - take all messages that have arrived; gates_drain: from every gate. */
void seat_drain(struct seat *seat);
void gates_drain(struct sup *s);
void worker_message(void *arg, int fd, unsigned events);

/* ---- crashes.c: workers that broke, by the address that they served ---- */

/* worker_broke - on record, one by one up to a rate and then counted for its address, and told to
 * the broker, which holds it against the address. event  WORKER_KILLED or WORKER_VIOLATION    kind
 * the broker's; 0: nothing to be held against it */
void worker_broke(struct worker *w, enum sup_event event, unsigned kind, const char *text);
/* crashes_flush - what was only counted; once a second. */
void crashes_flush(struct sup *s);

/* ---- life.c: signals, stopping, reloading ---- */

void life_begin(struct sup *s);
/* life_stop_step - after anything ended while stopping: end what comes next. */
void life_stop_step(struct sup *s);
/* life_started - every room is up for the first time. */
void life_started(struct sup *s);

/* ---- operator.c: requests of operators that do not go through the broker.  A new one is a row
 * there and its functions. ---- */

/* What has to be on record before a request is done. */
struct operator_entry {
	uint16_t event; /* 0: nothing */
	char text[513]; /* of the entry; or, with an error, the sentence for the operator */
};
struct operator;

int operators_begin(struct sup *s) MUST_USE;
void operators_done(struct sup *s);
/* operator_uid - who asks, as the kernel says.  operator_sup - of whom. */
uint32_t operator_uid(const struct operator* o);
/* operator_person - who logged in on this machine, whatever sudo made of them since; the uid where the
 * kernel does not know. */
uint32_t operator_person(const struct operator* o);
struct sup *operator_sup(const struct operator* o);
/* operator_answer, operator_fail - the end of the conversation: o is gone after it. */
void operator_answer(struct operator* o, uint16_t id, struct span body);
void operator_fail(struct operator* o, int err, const char *detail);
/* operator_pass - hand a request to the row's room; its answer is handed back. */
void operator_pass(struct operator* o, uint16_t id, struct span body);
/* operator_passed - a room answered what was handed to it.  SP_EDENIEDMSG: no row says that it may
 */
int operator_passed(struct seat *seat, const struct chan_msg *m) MUST_USE;
/* operator_noted - the entry is durable, or could not be made so. */
void operator_noted(struct sup *s, uint64_t ref, int err);
/* operators_answer - answer all that wait for this request to be done. */
void operators_answer(struct sup *s, uint16_t request, uint16_t id, struct span body);
void operators_fail(struct sup *s, uint16_t request, int err, const char *detail);
/* operators_forget - the room died: nobody waits for it any longer. */
void operators_forget(struct sup *s, enum room room);

/* ---- decoys.c ---- */

/* decoys_open - read DIR/decoys.  Dies with one sentence. */
void decoys_open(struct sup *s);
int decoys_prepare(struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int decoys_act(struct operator* o, struct span body) MUST_USE;
int decoys_list_prepare(struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int decoys_list(struct operator* o, struct span body) MUST_USE;
/* decoys_send - the list, to the ledger. */
int decoys_send(struct sup *s, struct chan *ledger) MUST_USE;
/* decoys_touched - end the connections of whoever did it. */
void decoys_touched(struct sup *s, const struct ipc_decoy_touched *m);
/* workers_end_address - end this worker, and all that serve a connection from this address. */
void workers_end_address(struct sup *s, uint64_t serial, struct span address);

/* ---- lockdown.c ---- */

int limits_get_prepare(struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int limits_change_prepare(
    struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int limits_change_act(struct operator* o, struct span body) MUST_USE;
int limits_confirm_prepare(
    struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int limits_confirm_act(struct operator* o, struct span body) MUST_USE;

int lockdown_prepare(struct operator* o, struct span body, struct operator_entry *ret) MUST_USE;
int lockdown_act(struct operator* o, struct span body) MUST_USE;
/* lockdown_rule - an entry of an event that LockdownOn names was made. */
void lockdown_rule(struct sup *s, uint16_t event, uint64_t entry);
/* lockdown_vault - the vault has forgotten its keys: it said so, or is dead. */
void lockdown_vault(struct sup *s);
/* lockdown_begin - at start: say what is locked, and finish what a crash interrupted. */
void lockdown_begin(struct sup *s);
/* lockdown_report - tell the broker. */
void lockdown_report(struct sup *s);
/* lockdown_event - the name of an event; NULL: there is none. */
const char *lockdown_event(uint16_t number);
/* lockdown_rules_check - are they events? ret: the word that is not */
int lockdown_rules_check(const struct conf *c, char *ret, size_t cap) MUST_USE;
#endif
