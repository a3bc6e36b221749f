/* ledger.h - the state of the audit log's room.  docs/internals/ring.md tells the story.
 *
 * Whatever is ready is read and staged; when nothing more is ready, one commit makes all of it
 * durable (append.c), and only then do answers go to the broker and orders to the vault.
 */
#ifndef SP_LEDGER_LEDGER_H
#define SP_LEDGER_LEDGER_H

#include "base/decoy.h"
#include "ipc/room.h"
#include "rooms/ledger/entry.h"
#include "rooms/ledger/link.h"
#include "rooms/ledger/seats.h"
#include "rooms/ledger/watch.h"
#include "store/tlog.h"
#include "store/tlog_append.h"

#define ORDERS_MAX 4096u /* orders between broker and vault, waiting ones included */
#define ORDERS_AT_VAULT                                                                            \
	192u /* that the vault has and has not answered: its answers must fit our socket */
#define BATCH_MAX 512u /* messages taken in one go */

enum { EXIT_SOFTWARE = 70, EXIT_IO = 74, EXIT_CONFIG = 78 };

/* What the broker asked the vault for, until it is answered. */
struct order {
	struct order *next;
	/* IPC_RELEASE, IPC_KEY_NEW, IPC_SEAL, IPC_REWRAP, IPC_ORG_KEY, IPC_V_FREEZE; IPC_RECORD: of
	 * a deletion */
	uint16_t kind;
	uint64_t broker; /* generation of the link that asked */
	uint64_t number; /* on the vault's link */
	uint64_t ref, entry, serial, org, user, length;
	uint8_t blob[16], wrap[96], proof[32];
	size_t wrap_len;
	uint8_t op;
	uint32_t epoch;
	uint64_t file, version, files; /* files: that are deleted */
	uint8_t *record; /* owned; IPC_RECORD: what is to be recorded when the vault allows it */
	size_t record_len;
	char user_name[65], org_name[65];
	char *path; /* owned; NULL: none */
};
struct order_list {
	struct order *first, *last;
	size_t n;
};

/* What follows when an entry is durable. */
enum then { THEN_NOTHING, THEN_RECORDED, THEN_ORDER, THEN_REFUSED, THEN_NOTED, THEN_TOUCHED };
/* Who touched a decoy. */
struct touch {
	uint64_t serial, number; /* number: of the user; 0: not known */
	char user[65], address[65];
};
/* The decoys, as the supervisor has told. */
struct decoys {
	uint8_t *content;   /* owned */
	struct decoy *list; /* owned; spans point into content */
	size_t n;
};
struct pending {
	enum then then;
	uint64_t broker, ref, entry;
	uint16_t err;
	uint16_t rule; /* event that LockdownOn names; 0: none */
	uint32_t retry_after;
	uint8_t kind, budget, froze; /* as in V_RESULT */
	struct order *order; /* owned */
	struct touch *touch; /* owned */
};

struct ledger {
	struct decoys decoys;
	struct room_start room;
	struct loop *loop;
	struct link broker, vault, courier;
	struct alarms *alarms; /* owned */
	struct seats seats;
	struct watch watch;
	uint8_t *seed; /* secret, 32 bytes */
	uint8_t public_key[32];
	int dirfd;
	struct tlog_fs fs;
	struct tlog_writer *log;
	char *json; /* ENTRY_MAX + 1 */
	uint8_t *sup_buf, *buf;
	struct pending *pending; /* of the group that is staged */
	size_t n_pending, pending_cap;
	struct order_list waiting, sent;
	uint64_t asking; /* generation of the broker whose message is being served */
	uint64_t order_number;
	bool vault_open;
	uint64_t checkpoint_timer, step_timer, intents_timer, stop_timer; /* 0: none */
	bool flush_failed;						  /* said already */
	struct tlog *intents; /* being told to the broker; NULL: none */
	uint64_t intents_ref, intents_next, intents_broker;
	bool started, stopping;
};

/* ---- append.c ---- */

/* ledger_open_log - open, recover; records log.created or log.recovered.  Dies with a sentence. */
void ledger_open_log(struct ledger *l);
/* ledger_stage - append an entry to the group; n, t_us and salt of e are filled in here.
 *   then    what follows; its entry is filled in here; its order and touch are owned by the group
 * from now on, and freed on failure errors  SP_EDISKFULL, SP_ENOMEM, SP_ECRYPTO */
int ledger_stage(struct ledger *l, struct entry *e, struct pending then) MUST_USE;
/* ledger_note - an event of the ledger's own, with up to two details (NULL:
 * none). */
void ledger_note(struct ledger *l, enum event event, const struct seat *seat, uint64_t serial,
    const char *key1, struct span value1, const char *key2, struct span value2);
/* ledger_notice - an event of the supervisor's, which is told when it is durable if it wants to be.
 *   seat  of its serial; NULL: none */
void ledger_notice(struct ledger *l, const struct seat *seat, const struct ipc_notice *m);
/* ledger_commit - make the group durable and do what follows.  Dies when a sync fails. */
void ledger_commit(struct ledger *l);
/* ledger_idle - a loop_idle_fn: commit, then see to checkpoints and the end. */
void ledger_idle(void *arg);
/* ledger_finish - the last commit and checkpoint. */
void ledger_finish(struct ledger *l);

/* ledger_key - origin and public key, as a reader needs them. */
void ledger_key(const struct ledger *l, struct tlog_key *ret);

/* ---- broker.c ---- */
void broker_ready(void *arg, int fd, unsigned events);
/* answer_* - to the broker that asked; dropped when that one is gone. */
void answer_recorded(struct ledger *l, uint64_t broker, uint64_t ref, uint64_t entry);
void answer_refused(struct ledger *l, uint64_t broker, uint64_t ref, int err, uint32_t retry_after);
/* answer_no - the same, with the limit that the vault named. */
void answer_no(struct ledger *l, const struct pending *p);
void answer_order(struct ledger *l, const struct order *o, const struct ipc_v_result *r);
/* seat_of - the worker of a serial; the supervisor's messages are served first when it is not
 * known. */
struct seat *seat_of(struct ledger *l, uint64_t serial);

/* ---- orders.c ---- */
void order_free(struct order *o); /* accepts NULL */
/* order_pass - queue an order for the vault; its entry, if it has one, is durable. */
void order_pass(struct ledger *l, struct order *o);
/* orders_push - send what fits. */
void orders_push(struct ledger *l);
/* orders_fail - the vault is gone: every order is answered with err. */
void orders_fail(struct ledger *l, int err);
void vault_ready(void *arg, int fd, unsigned events);

/* ---- decoys.c ---- */
/* decoys_take - a new list (fd is closed).  SP_ESYNTAX and the like: the old one stays. */
int decoys_take(struct ledger *l, int fd) MUST_USE;
void decoys_done(struct ledger *l);
/* decoys_look - is what was just staged the touching of a decoy?  Then that is staged, too.
 *   released  e is the release of a key to a worker
 *   user      its number; 0: not known */
void decoys_look(struct ledger *l, const struct entry *e, bool released, uint64_t user);
/* decoys_tell - supervisor, vault and broker act on it. */
void decoys_tell(struct ledger *l, const struct touch *t, uint64_t entry);

/* ---- intents.c ---- */
/* intents_begin - answer INTENTS_GET, a piece at a time. */
void intents_begin(struct ledger *l, const struct ipc_intents_get *m);
void intents_end(struct ledger *l);

/* ---- alarms.c ---- */
int alarms_init(struct ledger *l) MUST_USE; /* SP_ENOMEM */
/* alarms_end - the courier is gone, or asks anew. */
void alarms_end(struct ledger *l);
/* alarms_staged - an entry of this event was staged.  alarms_committed - what was staged is durable:
 * now the courier hears of it. */
void alarms_staged(struct ledger *l, uint16_t event);
void alarms_committed(struct ledger *l);
void courier_ready(void *arg, int fd, unsigned events);

/* ---- supervisor.c ---- */
/* answer_noted - tell the supervisor of the entry that it waits for. */
void answer_noted(struct ledger *l, uint64_t ref, int err, uint64_t entry);
void supervisor_drain(struct ledger *l);
void supervisor_ready(void *arg, int fd, unsigned events);
/* supervisor_take - one message.  Errors: we no longer understand our own supervisor. */
int supervisor_take(struct ledger *l, struct chan_msg *m) MUST_USE;
/* ledger_lies - a room broke the rules: close its socket, tell the supervisor. */
void ledger_lies(struct ledger *l, struct link *k, uint16_t message, int err);
#endif
