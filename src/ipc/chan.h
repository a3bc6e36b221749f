/* chan.h - a SOCK_SEQPACKET socket between two rooms: one recvmsg is one message with its descriptors. */
#ifndef SP_IPC_CHAN_H
#define SP_IPC_CHAN_H

#include "ipc/ipc.h"

struct chan {
	int fd;		 /* owned; -1: closed */
	enum room self;	 /* whose end this is */
	enum room peer;	 /* who is at the other end: the identity of all that arrives here */
};

struct chan_msg {
	uint16_t id;
	struct span body; /* points into the caller's buffer */
	int fd;		  /* -1, or the one descriptor: owned by whoever takes it; see chan_msg_done */
};

/* chan_init - fd is owned by the channel from now on.  chan_close - closes it; safe twice. */
void chan_init(struct chan *c, int fd, enum room self, enum room peer);
void chan_close(struct chan *c);

/* chan_send - one message; never blocks.
 *   fd      -1 or a descriptor to pass (stays the caller's)
 *   errors  SP_EFULL (the peer does not read: kill it), SP_ECLOSED, SP_ESYS; SP_EDENIEDMSG, SP_EFDS: our own bug */
int chan_send(struct chan *c, uint16_t id, struct span body, int fd) MUST_USE;

/* chan_recv - the next message, checked against its row.
 *   buf, cap  at least IPC_MAX bytes; holds the body
 *   phase     what the receiver knows of the sender's session (PH_ANY where no phases are kept)
 *   wait      block until there is one
 *   returns   1 with a message, 0 when there is none now (never with wait), SP_ECLOSED when the peer is gone;
 *             anything else is a violation: descriptors are closed already, do not answer, have the peer killed;
 *             ret->id is then the id as far as known */
int chan_recv(struct chan *c, enum phase phase, bool wait, uint8_t *buf, size_t cap, struct chan_msg *ret) MUST_USE;

/* chan_msg_done - closes the descriptor if nobody took it (TAKE_FD(msg.fd)). */
void chan_msg_done(struct chan_msg *m);

/* chan_send_<name> - encode and send in one call. */
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	int chan_send_##name(struct chan *c, const struct ipc_##name *m, int fd) MUST_USE;
#include "ipc/protocol.def"
#undef IPC_MSG
#endif
