/* address_link.h - the gate's ear at the broker: which addresses are slowed, which refused.  The
 * broker can turn anybody away but those in AllowAddresses, which the gate reads for itself. */
#ifndef SP_GATE_ADDRESS_LINK_H
#define SP_GATE_ADDRESS_LINK_H

#include "base/conf.h"
#include "ipc/chan.h"
#include "rooms/gate/rules.h"
#include "sys/loop.h"

struct address_link {
	struct loop *loop;
	struct chan broker; /* fd -1: none now; what was said holds until it ends by itself */
	struct loop_watch *watch;
	struct rules *rules;
	struct prefix_list allowed;
	uint8_t *buf; /* IPC_MAX bytes, borrowed */
};

/* address_link_init - knows nothing yet.  errors SP_ENOMEM.  address_link_done - close, free. */
int address_link_init(
    struct address_link *a, struct loop *loop, enum room self, uint8_t *buf) MUST_USE;
void address_link_done(struct address_link *a);
/* address_link_conf - take up AllowAddresses. */
void address_link_conf(struct address_link *a, const struct conf *c);
/* address_link_set - a new socket to the broker; owned. */
void address_link_set(struct address_link *a, int fd);
/* address_link_take - one message of the broker's.  errors SP_EDENIEDMSG, those of the codec */
int address_link_take(struct address_link *a, const struct chan_msg *m, int64_t now_ms) MUST_USE;
/* address_link_state - how to treat a connection of this peer ("ADDRESS:PORT"). */
enum address_state address_link_state(
    const struct address_link *a, const char *peer, int64_t now_ms);
#endif
