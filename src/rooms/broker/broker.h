/* broker.h - the broker's state and the layers that its verbs are built of.
 *
 * One thread, one loop.  A request becomes an operation (struct op) that waits for the ledger or
 *for an authenticator and is continued by a function; what operations write in one wake-up is one
 *transaction, and their replies leave after its commit:
 *
 *	handler -> ledger_record(b, op, &rec, next) ... next: db writes, op_commit(b, op, done) ...
 *done: reply
 *
 * A verb of the command line is the same with op->serial 0 and a reply of its own (see op_new).
 */
#ifndef SP_BROKER_H
#define SP_BROKER_H

#include "ipc/room.h"
#include "rooms/broker/db.h"
#include "rooms/broker/policy.h"
#include "sys/loop.h"

#define OPS_MAX 16384u	    /* operations in flight */
#define AUTH_QUEUE_MAX 256u /* password checks that wait for an authenticator */
#define HASH_SLOTS 4096u    /* of the tables by serial and by ref */
#define DOWNLOAD_SLOTS 256u /* of files that were read and not counted yet */
#define READS_MAX                                                                                  \
	8u /* releases of one worker on their way: it waits for one key before it asks for more */

struct broker;
struct op;
struct admin_op;
struct upload;
struct auth_job;

/* what an operation waited for */
struct answer {
	int err;		     /* SP_OK or an error */
	uint64_t entry;		     /* RECORDED, RELEASED, WRAPPED: entry of the audit log */
	uint32_t retry_after;	     /* seconds, with err */
	uint8_t kind, budget;	     /* REFUSED: the limit that the vault named; budget 0: none */
	bool froze;		     /* REFUSED: and it froze that principal */
	uint32_t epoch;		     /* ORG_KEY_DONE */
	struct span wrap;	     /* WRAPPED */
	struct span phc;	     /* PASSWORD_RESULT after PASSWORD_MAKE */
	const struct ipc_head *head; /* HEAD */
	const struct ipc_scrubbed *scrubbed; /* SCRUBBED */
	const struct ipc_code_made *made;    /* CODE_MADE */
	int64_t step;			     /* CODE_RESULT */
};
typedef void (*op_fn)(struct broker *b, struct op *op, const struct answer *a);

/* struct op - one operation; verbs put it first in a struct of their own. */
/* Doors, as sessions in the database have them.  door_of - the door of a worker's room.  door_name
 * - as figures and lists call it. */
enum door { DOOR_HTTPS, DOOR_SFTP, DOOR_COUNT };
static inline enum door
door_of(enum room room)
{
	return room == ROOM_WORKER_SFTP ? DOOR_SFTP : DOOR_HTTPS;
}
static inline const char *
door_name(enum door door)
{
	return door == DOOR_SFTP ? "sftp" : "https";
}

struct op {
	uint64_t ref;	 /* 0: waits for nothing */
	uint64_t serial; /* worker that waits for a reply; 0: none, or it is gone */
	uint64_t helper; /* authenticator or scrubber at work for it */
	op_fn next;
	void (*clean)(struct op *op); /* frees what the verb's struct owns; NULL: nothing */
	/* replies for operations without a worker (command line); NULL: none */
	void (*fail)(struct broker *b, struct op *op, int err, uint32_t retry_after);
	size_t bytes;
	struct actor actor;   /* who asks, copied */
	enum door door;	      /* through which */
	uint8_t kind, budget; /* a limit of the vault's that it ran into; budget 0: none */
	uint32_t retry_after; /* with it */
	struct auth_job *job; /* one-time codes: the work whose key is on its way; owned */
	struct op *hash_next, *list_next;
};

/* struct worker - one process at the other end of a socket: worker, authenticator or scrubber. */
/* All that a connection may see that came with a pass. */
struct only {
	int64_t id;  /* 0: everything */
	bool folder; /* a folder with what is below it, else a file */
};

struct worker {
	uint64_t serial;
	enum room room;
	uint8_t listener;
	bool is_authed, is_busy, is_dead;
	unsigned contacts; /* how often it has accused its client */
	bool is_limited;   /* worker-sftp: it reported the limit that ends its connection */
	uint32_t dead_s;   /* since it is dead */
	unsigned reads;	   /* releases for it that the ledger has not answered */
	struct chan chan;
	struct loop_watch *watch;
	struct broker *broker;
	struct actor actor;	/* set when authed; address always */
	int64_t token_end_us;	/* of the token that was shown last */
	struct only only;	/* of what its user may see */
	bool is_bound;		/* by a browser's session */
	struct access access;	/* cache, see worker_access */
	struct upload *uploads; /* those that are open, not those being committed */
	unsigned n_uploads;
	struct op *op;	      /* helper: the operation it works for */
	int64_t scrubs;	      /* scrubber: the version it reads */
	uint64_t ticket;      /* number of the one that a right password earned; 0: none */
	struct ssh_seat *ssh; /* worker-sftp: its login, see ssh_login.c; owned, or NULL */
	struct worker *hash_next, *prev, *next;
};

struct counters {
	uint64_t requests, failed, logins_ok, logins_failed, violations, shredded, aborted, commits;
	struct door_counters {
		uint64_t bytes_out, bytes_in, files_out, files_in;
	} door[DOOR_COUNT];
};

struct room_now {
	uint8_t state;
	uint32_t pid, restarts, count;
	uint64_t since_us;
	uint8_t landlock_abi;
	char note[128];
};

struct outbox; /* replies that wait for the commit, and messages that wait for the ledger to read */

struct broker {
	struct room_start start; /* settings: start.conf */
	struct db *db;
	struct loop *loop;
	int blob_dir;
	uint32_t segment;	  /* bytes */
	int64_t (*wall_us)(void); /* clock_wall_us, or the test's */
	int64_t (*mono_ms)(void);

	struct chan ledger, signer, courier;
	struct loop_watch *signer_watch, *courier_watch;
	struct courier_asked {
		struct admin_op *op; /* NULL: none */
		uint64_t ref;
	} courier_ask[4]; /* questions of the command line that it has not answered */
	uint64_t courier_ref;
	struct loop_watch *ledger_watch, *supervisor_watch, *control_watch;
	struct outbox *ledger_out, *ledger_out_last;
	bool is_reconciling, is_serving, is_stopping;
	uint64_t reconcile_ref;
	uint64_t reconcile_from; /* max_entry when it was asked */
	int64_t start_us;

	struct op *ops[HASH_SLOTS];
	size_t n_ops;
	uint64_t next_ref;
	struct op *committing, **committing_end;
	struct outbox *replies, **replies_end;
	uint64_t max_entry; /* greatest answered by the ledger; written with the next commit */

	struct worker *workers[HASH_SLOTS];
	struct worker *all; /* list */
	size_t n_workers;
	struct auth_job *auth_queue, **auth_queue_end;
	size_t n_auth_queue;
	struct upload *uploads;
	size_t n_uploads, n_kept; /* n_kept: of those, without a worker */
	struct {
		int64_t after;	   /* version that was tried last */
		int64_t from_ms;   /* not before */
		uint64_t scrubber; /* at work; 0: none */
	} backfill;
	struct name_lock *locks;
	struct flood *flood;
	struct addresses *addresses; /* who is slowed, refused; owned */
	struct proofs *proofs;	     /* of browsers' sessions; owned */
	struct tickets *tickets;     /* passwords that were right, until their codes come; owned */
	struct download_count *downloads[DOWNLOAD_SLOTS]; /* by file */
	size_t n_downloads;

	uint64_t policy_gen; /* changes when rights, groups, users or folders change */
	int64_t next_id, ids_end;
	char dummy_phc[256];
	struct room_now rooms[ROOM_COUNT];
	struct ipc_lockdown_state lockdown; /* as the supervisor told */
	struct counters count;
	bool hold_shredding; /* a backup is being taken */
	/* the last commit found no room: what only keeps count is not written, so that reading goes
	 * on */
	bool is_full;
	bool wants_checkpoint;
	unsigned shredding; /* versions in hand */
	unsigned swept;	    /* blob folders looked at since the start, of 256 */
	unsigned ticks;
	int64_t wall_seen_us, mono_seen_ms,
	    steady_from_ms;    /* is the clock to be trusted with shredding? */
	unsigned keys_in_hand; /* first keys of organisations that were asked for */
	uint64_t keys_timer;
	struct rotation *rotation;
	struct fsck *fsck;
	struct admin *admin;
	struct backup *backup;
	uint64_t last_ledger_size;
	uint8_t buf[IPC_MAX], out[IPC_MAX]; /* message in hand, message being made */
};

/* ---- op.c: operations, ledger, commit ---- */

/* op_new - an operation for worker w (its actor and serial are copied), or for nobody (w NULL).
 *   bytes  size of the verb's struct, whose first member is a struct op; zeroed
 *   NULL   no memory, or OPS_MAX in flight */
void *op_new(struct broker *b, struct worker *w, size_t bytes) MUST_USE;
/* op_end - wipes and frees.  op_fail - FAILED to the worker (or op->fail), then op_end. */
void op_end(struct broker *b, struct op *op);
void op_fail(struct broker *b, struct op *op, int err, uint32_t retry_after);
/* op_wait - give op a new ref and its continuation; op_take - find by ref and take out of the
 * table. */
void op_wait(struct broker *b, struct op *op, op_fn next);
struct op *op_take(struct broker *b, uint64_t ref);
/* op_commit - continue op after this wake-up's commit; a->err tells how that went.  When it went
 * wrong all that the operation wrote is gone. */
void op_commit(struct broker *b, struct op *op, op_fn next);
/* broker_idle - the group commit, then the replies; the loop calls it after each batch of events.
 */
void broker_idle(void *broker);
/* broker_id - a new number for a file, version or upload; never used again. */
int64_t broker_id(struct broker *b);
/* broker_policy_changed - after any change to rights, groups, users' levels or the folder tree. */
void broker_policy_changed(struct broker *b);

/* struct record - an entry of the audit log in the making. */
struct record {
	uint16_t event; /* EVENT_*, see events.h */
	uint64_t serial;
	struct span user, org, path;
	int64_t size;
	/* what a worker deletes or overwrites with it, which the vault has to allow; 0: nothing */
	int64_t taken_files, taken_bytes;
	int64_t user_number, org_number;
	struct wr detail;
	uint8_t buf[8192];
};
enum event {
#define EVENT(NAME, number, ...) EVENT_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};
/* record_init - user, organisation, address and agent are those of the actor; spans are borrowed.
 */
void record_init(struct record *r, enum event event, const struct actor *actor, uint64_t serial);
/* record_takes - this deletes or overwrites so many files: refused when that is over a budget. */
void record_takes(struct record *r, int64_t user, int64_t org, int64_t files, int64_t bytes);
/* record_text, record_num, record_hex - one more detail; text is cut to 1024 bytes. */
void record_text(struct record *r, const char *key, struct span value);
void record_num(struct record *r, const char *key, int64_t value);
void record_hex(struct record *r, const char *key, struct span value);
/* ledger_record - RECORD; next is called with the entry when it is durable.  On an error nothing
 * was sent and op is still the caller's: SP_EUNAVAIL.  ledger_note - record without waiting. */
int ledger_record(struct broker *b, struct op *op, const struct record *r, op_fn next) MUST_USE;
void ledger_note(struct broker *b, const struct record *r);
/* the other orders; the same rules */
int ledger_release(struct broker *b, struct op *op, struct ipc_release *m, op_fn next) MUST_USE;
int ledger_key_new(struct broker *b, struct op *op, struct ipc_key_new *m, op_fn next) MUST_USE;
int ledger_seal(struct broker *b, struct op *op, struct ipc_seal *m, op_fn next) MUST_USE;
int ledger_rewrap(struct broker *b, struct op *op, struct ipc_rewrap *m, op_fn next) MUST_USE;
int ledger_org_key(struct broker *b, struct op *op, struct ipc_org_key *m, op_fn next) MUST_USE;
int ledger_head(struct broker *b, struct op *op, op_fn next) MUST_USE;
int ledger_intents(struct broker *b, struct op *op, uint64_t entry, op_fn next) MUST_USE;
/* ledger_link - a new socket to the ledger (owned); what was in flight on the old one is answered
 * SP_EUNAVAIL. */
int ledger_link(struct broker *b, int fd) MUST_USE;
void ledger_lost(struct broker *b);
/* decoy_touched - decoy.c: suspend the user, end the sessions and connections. */
void decoy_touched(struct broker *b, const struct ipc_decoy_touched *m);

/* ---- signer_link.c: session identifiers come from the signer, which made them ---- */

/* signer_link - a new socket to the signer (owned).  signer_lost - it is gone: who is logged in
 * stays so. */
int signer_link(struct broker *b, int fd) MUST_USE;
void signer_lost(struct broker *b);
/* signer_read - take what the signer has sent by now. */
void signer_read(struct broker *b);
/* signer_tell - a login was proved on this worker: it may rekey. */
void signer_tell(struct broker *b, uint64_t serial);
/* ssh_vouch - this is the session identifier of that worker's connection, once and for all.
 *   errors  SP_EDENIEDMSG (it has one, or serves another door) */
int ssh_vouch(struct broker *b, const struct ipc_ssh_vouch *m) MUST_USE;

/* ---- courier_link.c: what the command line wants to know about alarms ---- */

/* courier_link - a new socket to the courier (owned).  courier_lost - it is gone: whoever waits is
 * told. courier_ask - op is answered with the courier's state. errors SP_EUNAVAIL */
int courier_link(struct broker *b, int fd) MUST_USE;
void courier_lost(struct broker *b);
int courier_ask(struct broker *b, struct admin_op *op) MUST_USE;

/* ---- network.c ---- */
/* network_seen - inside the transaction of a login: was this user here before?  If not, that is
 * recorded. */
int network_seen(struct broker *b, const struct actor *actor, uint64_t serial) MUST_USE;

/* ---- worker.c: processes, requests, replies ---- */
int worker_add(struct broker *b, const struct ipc_worker_new *m, int fd) MUST_USE;
void worker_gone(struct broker *b, uint64_t serial);
/* worker_peer - the address that the connection comes from. */
void worker_peer(struct broker *b, uint64_t serial, struct span address);
struct worker *worker_find(struct broker *b, uint64_t serial); /* NULL: none */
void worker_watch_all(struct broker *b);		       /* when the broker begins to serve */
/* workers_watch - once a second: a process that lives on without its socket is ended. */
void workers_watch(struct broker *b);
/* worker_violation - tell the supervisor, close the channel. */
void worker_violation(struct broker *b, struct worker *w, uint16_t message, int err);
/* worker_access - rights of the worker's principal, loaded when they changed. */
int worker_access(struct broker *b, struct worker *w, const struct access **ret) MUST_USE;
/* reply - a message to a worker that waits: at once, or after the commit when a transaction is
 * open. body  encoded by ipc_put_*   fd  owned by reply, -1: none */
void reply(struct broker *b, uint64_t serial, uint16_t id, struct span body, int fd);
void reply_failed(struct broker *b, uint64_t serial, int err, uint32_t retry_after);
/* reply_limit - the same, with the limit that an operation ran into as detail. */
void reply_limit(struct broker *b, const struct op *op, int err, uint32_t retry_after);
void reply_done(struct broker *b, uint64_t serial, uint64_t value);
/* REPLY - encode and reply: REPLY(b, serial, ENTRY, entry, &m, -1) */
#define REPLY(b, serial, NAME, name, m, fd)                                                        \
	do {                                                                                       \
		struct wr reply_w_ = wr_of((b)->out, sizeof((b)->out));                            \
		int reply_err_ = ipc_put_##name(&reply_w_, (m));                                   \
		VERIFY(reply_err_ == SP_OK);                                                       \
		reply((b), (serial), IPC_##NAME, wr_span(&reply_w_), (fd));                        \
	} while (0)
/* worker_end - have the supervisor end this one.  worker_kill - all of a principal or session (0:
 * any). */
void worker_end(struct broker *b, struct worker *w);
void worker_kill(struct broker *b, int64_t user, int64_t session);

/* ---- login.c, token.c, authpool.c, flood.c ---- */
int handle_login_password(struct broker *b, struct worker *w, struct span body);
int handle_login_token(struct broker *b, struct worker *w, struct span body);
int handle_token_refresh(struct broker *b, struct worker *w, struct span body);
int handle_token_revoke(struct broker *b, struct worker *w, struct span body);
int handle_self(struct broker *b, struct worker *w, struct span body);
int handle_org_get(struct broker *b, struct worker *w, struct span body);
int handle_session_next(struct broker *b, struct worker *w, struct span body);
int handle_session_end(struct broker *b, struct worker *w, struct span body);
int handle_password_set(struct broker *b, struct worker *w, struct span body);
int handle_nonce_get(struct broker *b, struct worker *w, struct span body);
int handle_pass_get(struct broker *b, struct worker *w, struct span body);
int handle_login_pass(struct broker *b, struct worker *w, struct span body);
int handle_ticket_get(struct broker *b, struct worker *w, struct span body);
int handle_login_ticket(struct broker *b, struct worker *w, struct span body);
int handle_limit_hit(struct broker *b, struct worker *w, struct span body);
int handle_login_key(struct broker *b, struct worker *w, struct span body);
int handle_login_secret(struct broker *b, struct worker *w, struct span body);
/* user_frozen - the vault has frozen this user: no session, connection or login any more. (frozen.c) */
void user_frozen(struct broker *b, int64_t user);
/* ssh_forget - the worker is gone, or its socket: its session ends with it. */
void ssh_forget(struct broker *b, struct worker *w);
/* ssh_tried_name - the name of a connection's first login request; borrowed from w; empty: none. */
struct span ssh_tried_name(const struct worker *w);
/* session_alive - may this worker's principal still act?  Brings the actor up to date.
 *   finish   only to finish what was begun: then it may have run out, but not been revoked
 *   errors   SP_ESESSION
 * session_is_needed - has a worker of this session an upload open?  Then it is not removed yet. */
int session_alive(struct broker *b, struct worker *w, bool finish) MUST_USE;
bool session_is_needed(const struct broker *b, int64_t session);
#define TOKEN_TEXT 48u /* "spa_" and 43 characters, NUL */
/* token_make - a fresh token of 32 random bytes: its text and the hash that is stored. */
int token_make(const char *prefix, char text[TOKEN_TEXT], uint8_t hash[32]) MUST_USE;
/* session_open - tokens and row of a new session for op's actor; inside the transaction. */
struct session_tokens {
	char access[TOKEN_TEXT], refresh[TOKEN_TEXT];
	uint8_t access_hash[32], refresh_hash[32];
	bool is_made; /* before the record, which says their hashes */
	int64_t session, access_end_us;
	uint8_t jkt[32]; /* of the key that it is bound to, if is_bound */
	bool is_bound;
};
#define PASSWORD_BYTES_MAX 1024u /* a password is shorter */
/* auth_check, auth_make - have an authenticator check a password against phc, or make a PHC string
 * of it. next gets a->err (SP_OK, SP_EAUTH, SP_EUNAVAIL) and a->phc.  errors SP_EUNAVAIL: the queue
 * is full. */
int auth_check(
    struct broker *b, struct op *op, struct span password, const char *phc, op_fn next) MUST_USE;
int auth_make(struct broker *b, struct op *op, struct span password, op_fn next) MUST_USE;
/* auth_code, auth_seed - have an authenticator check a one-time code, or make a seed and seal it
 * (o->org, o->blob).  The key of the seed's blob goes to it from the vault, on record. next gets
 * a->err and a->step (SP_OK, SP_EAUTH: wrong or used up), or a->made and a->wrap. */
struct otp;
int auth_code(
    struct broker *b, struct op *op, const struct otp *o, struct span code, op_fn next) MUST_USE;
int auth_seed(struct broker *b, struct op *op, const struct otp *o, op_fn next) MUST_USE;
void auth_job_free(struct auth_job *j); /* wipes; accepts NULL */
void auth_idle(struct broker *b, struct worker *helper);
void helper_lost(struct broker *b, struct worker *helper);
void auth_drop(struct broker *b);  /* what waits is answered SP_EUNAVAIL */
void auth_dummy(struct broker *b); /* makes the PHC string for users that there are not */
/* flood_admit - may one more event before login from this address be recorded by itself?  If not it
 * is counted. flood_flush - record the counts. */
bool flood_admit(struct broker *b, const char *address);
void flood_flush(struct broker *b);

/* ---- tree.c, list.c, folder.c, get.c, put.c, resume.c, commit.c, rename.c, touch.c ---- */
int handle_stat(struct broker *b, struct worker *w, struct span body);
int handle_list(struct broker *b, struct worker *w, struct span body);
int handle_folder_make(struct broker *b, struct worker *w, struct span body);
int handle_remove(struct broker *b, struct worker *w, struct span body);
int handle_open(struct broker *b, struct worker *w, struct span body);
int handle_damaged(struct broker *b, struct worker *w, struct span body);
int handle_put(struct broker *b, struct worker *w, struct span body);
int handle_commit(struct broker *b, struct worker *w, struct span body);
int handle_abort(struct broker *b, struct worker *w, struct span body);
int handle_progress(struct broker *b, struct worker *w, struct span body);
int handle_resume(struct broker *b, struct worker *w, struct span body);
int handle_upload_drop(struct broker *b, struct worker *w, struct span body);
int handle_versions(struct broker *b, struct worker *w, struct span body);
int handle_rename(struct broker *b, struct worker *w, struct span body);
int handle_touch(struct broker *b, struct worker *w, struct span body);
int handle_space(struct broker *b, struct worker *w, struct span body);
int handle_report(struct broker *b, struct worker *w, struct span body);
void downloads_flush(struct broker *b);

/* ---- reap.c: what time does; reconcile.c ---- */
void reap_start(struct broker *b); /* the timers */
void reconcile_start(struct broker *b);
void reconcile_intent(struct broker *b, const struct ipc_intent *m);
void reconcile_end(struct broker *b, const struct ipc_intents_end *m);
/* org_keys_make - ask the vault for the first key of every organisation that has none; retried
 * until it has. */
void org_keys_make(struct broker *b);
#endif
