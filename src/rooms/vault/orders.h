/* orders.h - the ledger's orders: decoded, and each given to its function of the core. */
#ifndef SP_VAULT_ORDERS_H
#define SP_VAULT_ORDERS_H

#include "ipc/chan.h"
#include "rooms/vault/vault_core.h"

/* struct order - one message of the ledger, decoded: the fields that all of them share, and the
 * rest. */
struct order {
	uint16_t id;
	uint64_t number, serial;
	union {
		struct ipc_v_release release;
		struct ipc_v_key_new key_new;
		struct ipc_v_delete remove;
		struct ipc_v_seal seal;
		struct ipc_v_rewrap rewrap;
		struct ipc_v_org_key org_key;
		struct ipc_v_freeze freeze;
	} m;
};

/* order_decode - errors SP_EDENIEDMSG: no order; and those of the codec */
int order_decode(const struct chan_msg *in, struct order *ret) MUST_USE;
/* order_decide - worker: NULL when the serial is not known. */
void order_decide(struct vault_core *c, const struct order *o, struct vault_worker *worker,
    struct vault_answer *ret);
#endif
