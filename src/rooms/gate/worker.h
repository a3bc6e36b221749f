/* worker.h - what the workers of all doors have in common: they are started idle, take one
 * connection, serve it and end.
 *
 *   worker_enter(&w, ROOM_WORKER_X, argc, argv, warm, arg);   links and settings are there
 *   ... whatever else needs a file or much of the kernel, or is random ...
 *   worker_jail(&w, memory_bytes, files);            the sandbox is on, the supervisor knows
 *   if (worker_await(&w, &fd) == SP_OK) ...          the one connection
 *   worker_done(&w);
 */
#ifndef SP_GATE_WORKER_H
#define SP_GATE_WORKER_H

#include "ipc/room.h"
#include "rooms/gate/ring.h"

#define WORKER_ADDRESS_TEXT 65 /* bytes: CONNECTION.address and NUL */

struct worker {
	struct room_start start;
	struct chan gate, signer;
	struct ring ring;
	uint8_t listener;		   /* of the connection: 0 public, 1 administration */
	char address[WORKER_ADDRESS_TEXT]; /* "ADDRESS:PORT" of the client; empty before
					      worker_await */
	bool stopping;			   /* the supervisor said so: finish what is in hand */
	int64_t stop_ms;		   /* then: on the monotonic clock, until when */
	const unsigned
	    *in_hand; /* borrowed: transfers that a stop waits for; NULL: whoever idles has none */
};

/* worker_enter - become a worker of the room self; started as a template, serve as one: then this
 * returns in each of its copies.  Dies when the supervisor did not send what every worker needs.
 *   warm  what takes time and is the same in every worker, called once: in the template before it
 * is copied, or else in the worker.  It has the settings and files, and no link.  What it leaves in
 * memory every copy has: nothing random that anybody relies on, no secret */
void worker_enter(
    struct worker *w, enum room self, int argc, char **argv, void (*warm)(void *arg), void *arg);
/* worker_jail - enter the sandbox of the room; threads are for the helper that hashes beside a
 * transfer. memory_bytes  most data memory files         most descriptors */
void worker_jail(struct worker *w, uint64_t memory_bytes, uint64_t files);
/* worker_await - wait for the one connection of this worker.
 *   ret_fd  owned by the caller
 *   errors  SP_ECLOSED (there will be none), SP_ESYNTAX (the gate lies) */
int worker_await(struct worker *w, int *ret_fd) MUST_USE;
/* worker_idle - wait until fd is readable; the supervisor may end the wait.
 *   arg         the struct worker
 *   fd          -1: just wait
 *   timeout_ms  -1: no end
 *   errors      SP_ETIMEOUT (SP_OK when there is no fd), SP_ECLOSED (the server stops and nothing
 * is in hand or no time is left for it, or the supervisor is gone) */
int worker_idle(void *arg, int fd, int timeout_ms) MUST_USE;
/* worker_drain - read what the peer has sent already, or the kernel's reset would overtake our last
 * words. */
void worker_drain(int fd);
void worker_done(struct worker *w);
#endif
