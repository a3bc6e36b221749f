/* orders.c - see orders.h. */
#include "rooms/vault/orders.h"

int
order_decode(const struct chan_msg *in, struct order *ret)
{
	struct order o = {.id = in->id};
	int err;

	switch (in->id) {
	case IPC_V_RELEASE:
		err = ipc_get_v_release(in->body, &o.m.release);
		o.number = o.m.release.order;
		o.serial = o.m.release.serial;
		break;
	case IPC_V_KEY_NEW:
		err = ipc_get_v_key_new(in->body, &o.m.key_new);
		o.number = o.m.key_new.order;
		o.serial = o.m.key_new.serial;
		break;
	case IPC_V_DELETE:
		err = ipc_get_v_delete(in->body, &o.m.remove);
		o.number = o.m.remove.order;
		o.serial = o.m.remove.serial;
		break;
	case IPC_V_SEAL:
		err = ipc_get_v_seal(in->body, &o.m.seal);
		o.number = o.m.seal.order;
		break;
	case IPC_V_REWRAP:
		err = ipc_get_v_rewrap(in->body, &o.m.rewrap);
		o.number = o.m.rewrap.order;
		break;
	case IPC_V_ORG_KEY:
		err = ipc_get_v_org_key(in->body, &o.m.org_key);
		o.number = o.m.org_key.order;
		break;
	case IPC_V_FREEZE:
		err = ipc_get_v_freeze(in->body, &o.m.freeze);
		o.number = o.m.freeze.order;
		break;
	default:
		return SP_EDENIEDMSG;
	}
	if (err == SP_OK)
		*ret = o;
	return err;
}

void
order_decide(struct vault_core *c, const struct order *o, struct vault_worker *worker,
    struct vault_answer *ret)
{
	switch (o->id) {
	case IPC_V_RELEASE:
		vault_release(c, &o->m.release, worker, ret);
		break;
	case IPC_V_KEY_NEW:
		vault_key_new(c, &o->m.key_new, worker, ret);
		break;
	case IPC_V_DELETE:
		vault_delete(c, &o->m.remove, worker, ret);
		break;
	case IPC_V_SEAL:
		vault_seal(c, &o->m.seal, ret);
		break;
	case IPC_V_REWRAP:
		vault_rewrap(c, &o->m.rewrap, ret);
		break;
	case IPC_V_FREEZE:
		vault_freeze(c, &o->m.freeze, ret);
		break;
	default:
		vault_org_key(c, &o->m.org_key, ret);
		break;
	}
}
