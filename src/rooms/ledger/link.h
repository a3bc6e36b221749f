/* link.h - a socket to the broker, the vault or the courier, with what waits to be sent on it. */
#ifndef SP_LEDGER_LINK_H
#define SP_LEDGER_LINK_H

#include "ipc/chan.h"
#include "sys/loop.h"

#define LINK_WAITING_MAX 32768u /* messages; a room that reads so little is ended */

struct link_out;
struct link {
	struct loop *loop;
	struct chan chan; /* fd -1: not linked */
	struct loop_watch *watch;
	loop_fn ready; /* called when there is something to read */
	void *arg;
	struct link_out *first, *last;
	size_t waiting;
	uint64_t generation; /* one more for each socket */
};

/* link_init - not linked yet. */
void link_init(struct link *k, struct loop *loop, enum room peer, loop_fn ready, void *arg);
/* link_take - a new socket, owned from now on; what waited for the old one is dropped. SP_ENOMEM */
int link_take(struct link *k, int fd) MUST_USE;
void link_drop(struct link *k);
static inline bool
link_is_up(const struct link *k)
{
	return k->chan.fd >= 0;
}
/* link_send - now, or as soon as the peer reads.  Dropped when not linked.
 *   errors  SP_EFULL (too much waits), SP_ENOMEM, SP_ESYS: the caller reports the peer.  A peer
 * that is gone is no error. */
int link_send(struct link *k, uint16_t id, const struct wr *body) MUST_USE;
/* link_push - send what waits: call when the socket is writable.  Errors as above. */
int link_push(struct link *k) MUST_USE;
#endif
