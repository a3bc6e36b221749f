/* vault_core.h - what the vault decides, without any socket or file: orders in, answers out.
 *
 * The core holds the root key on locked pages while open, the wrapped organisation keys, the
 * governor and the rules for orders.  Whoever calls it (main.c, the tests) looks the worker up,
 * sends the KEY of an answer to exactly that worker, then the result to the ledger, then calls
 * vault_core_clear.
 */
#ifndef SP_VAULT_CORE_H
#define SP_VAULT_CORE_H

#include "ipc/ipc.h"
#include "rooms/vault/governor.h"
#include "rooms/vault/orgkeys.h"

/* One process that may be given keys.  Its socket is with the caller.  Room and address are the
 * supervisor's word. */
struct vault_worker {
	uint64_t serial;
	enum room room;
	bool has_address;
	uint8_t address[16]; /* zeros: not known */
	bool has_user;	     /* the first release fixes the principal for the worker's life */
	uint64_t user;
};

/* vault_save_fn - write one slot of the state file and make it durable.
 *   slot  0 or 1; content of the slot, at most VAULT_SLOT_STRIDE bytes; borrowed */
typedef int (*vault_save_fn)(void *arg, unsigned slot, struct span content);

/* struct vault_answer - what goes out for one order. */
struct vault_answer {
	uint16_t err; /* positive number of an enum sp_err, or 0 */
	uint32_t retry_after, epoch;
	uint8_t kind, budget; /* enum principal_kind and enum budget: which limit; budget 0: none */
	bool froze;	      /* this refusal froze that principal */
	uint8_t wrap[WRAP_BYTES];
	size_t wrap_len;    /* 0 or WRAP_BYTES */
	bool has_key;	    /* send `key` to the worker first */
	struct ipc_key key; /* its secret points to locked memory, until vault_core_clear */
};

struct vault_core; /* opaque */

/* vault_core_new - a locked core. NULL: no memory, or none that can be locked.
 *   egress  the file of the budgets; borrowed as long as the core lives */
struct vault_core *vault_core_new(
    vault_save_fn save, void *arg, const struct egress_disk *egress) MUST_USE;
void vault_core_free(struct vault_core *c); /* wipes; accepts NULL */

/* vault_core_open - take the root key and the state that belongs to it.
 *   root    32 bytes; copied, the caller wipes its own
 *   slot    the two slots as read from the file, each empty where the file ends before it
 *   fresh   the file has no bytes at all: begin without organisation keys
 *   errors  SP_EDAMAGED: neither slot was written under this root key; SP_ENOMEM, SP_ECRYPTO, and
 * what save says (a slot that was torn is repaired at once).  The core stays locked then. */
int vault_core_open(struct vault_core *c, const uint8_t root[KEY_BYTES], const struct span slot[2],
    bool fresh) MUST_USE;
/* vault_core_lock - forget the root key.  Organisation keys in memory are wrapped and are dropped
 * too.  Always locked after it.
 *   errors  of writing down what was really spent: reservations count as spent then */
int vault_core_lock(struct vault_core *c) MUST_USE;
bool vault_core_is_open(const struct vault_core *c);
/* vault_core_repaired - was one slot of the state unreadable at the last opening? */
bool vault_core_repaired(const struct vault_core *c);

/* vault_root_from_recovery - the root key from keys/root.recovery and the operator's passphrase.
 *   file    the file's bytes
 *   ret     32 bytes, in locked memory of the caller
 *   errors  SP_EAUTH (wrong passphrase), SP_ESYNTAX (not such a file), SP_ENOMEM, SP_ECRYPTO */
int vault_root_from_recovery(
    struct span file, struct span passphrase, uint8_t ret[KEY_BYTES]) MUST_USE;
/* vault_recovery_memory - bytes of memory that opening this file takes; SP_ESYNTAX */
int vault_recovery_memory(struct span file, uint64_t *ret) MUST_USE;

/* vault_order - the number of an order from the ledger, before the order is looked at.
 *   errors  SP_EDENIEDMSG: not greater than the one before: the ledger breaks the rules */
int vault_order(struct vault_core *c, uint64_t order) MUST_USE;
/* vault_ledger_new - a new socket to the ledger: order numbers begin anew.  Entry numbers do not:
 * the log goes on. */
void vault_ledger_new(struct vault_core *c);

/* One function an order; each fills the whole answer.  worker: NULL when the serial is not known.
 */
void vault_release(struct vault_core *c, const struct ipc_v_release *m, struct vault_worker *worker,
    struct vault_answer *ret);
void vault_delete(struct vault_core *c, const struct ipc_v_delete *m, struct vault_worker *worker,
    struct vault_answer *ret);
void vault_key_new(struct vault_core *c, const struct ipc_v_key_new *m, struct vault_worker *worker,
    struct vault_answer *ret);
void vault_seal(struct vault_core *c, const struct ipc_v_seal *m, struct vault_answer *ret);
void vault_rewrap(struct vault_core *c, const struct ipc_v_rewrap *m, struct vault_answer *ret);
void vault_org_key(struct vault_core *c, const struct ipc_v_org_key *m, struct vault_answer *ret);

/* vault_freeze - who touched a decoy is given nothing any more.  SP_ELOCKED: what is frozen is known
 * when the vault is open */
void vault_freeze(struct vault_core *c, const struct ipc_v_freeze *m, struct vault_answer *ret);

/* vault_core_clear - wipe the keys of the last answer. */
void vault_core_clear(struct vault_core *c);
/* vault_core_governor - for limits, reports and changes; borrowed. */
struct governor *vault_core_governor(const struct vault_core *c);
/* vault_core_counters - what was found of the budgets' counters at the last opening. */
enum governor_start vault_core_counters(const struct vault_core *c);
#endif
