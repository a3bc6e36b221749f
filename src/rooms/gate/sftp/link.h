/* link.h - packets over one connection: framing, protection, buffers.  It knows no message but by
 * its bytes.
 *
 * The descriptor does not block.  What is sent is gathered and leaves at link_flush, or when the
 * buffer is full.
 */
#ifndef SP_GATE_SFTP_LINK_H
#define SP_GATE_SFTP_LINK_H

#include "base/err.h"
#include "base/mem.h"
#include "crypto/ssh_cipher.h"

#define LINK_HEAD                                                                                  \
	5u /* bytes that a sender leaves free in front of a payload: packet and padding length */
#define LINK_IN_BYTES 589824u  /* two of the largest packets, and more */
#define LINK_OUT_BYTES 589824u /* likewise */
#define LINK_GATHER 196608u    /* bytes that are worth a write(2) */
#define LINK_UNHEARD                                                                               \
	33554432u /* bytes of input after which `starved` has a turn, though more is there: it has \
		     clocks and the supervisor to look after */

struct link_side {
	struct ssh_cipher *cipher;
	uint32_t seq;
	uint64_t bytes, packets; /* under these keys */
};

struct link {
	int fd;		     /* borrowed */
	int stall_ms;	     /* a client that takes nothing for so long is gone */
	int64_t deadline_ms; /* clock_mono_ms: nothing is waited for beyond it, whatever moves */
	bool is_late;	     /* it was not taken in time */
	int dead;	     /* sending failed with this error, for good; 0: it did not */
	/* starved - nothing can be read now: flush, and wait until something can, unless the flush
	 * took something in already; an error ends the connection */
	int (*starved)(void *arg);
	void *arg;
	size_t unheard;	   /* bytes that came since then */
	uint8_t *in, *out; /* owned */
	size_t at, have, out_len;
	size_t most; /* of have, ever: what is to be wiped */
	struct link_side rx, tx;
};

/* link_init - buffers, no protection yet.  errors SP_ENOMEM, SP_ECRYPTO.  link_done - wipes and
 * frees; also half-made ones. */
int link_init(struct link *l, int fd, int stall_ms, int (*starved)(void *), void *arg) MUST_USE;
void link_done(struct link *l);

/* link_line - a line of at most max bytes, without its line end (CR LF, or LF alone); before any
 * packet. ret     borrowed until the next call errors  SP_ETOOBIG, SP_ECLOSED, those of starved
 * link_raw - bytes as they are, before any packet. */
int link_line(struct link *l, size_t max, struct span *ret) MUST_USE;
int link_raw(struct link *l, struct span s) MUST_USE;

/* link_recv - the payload of the next packet, at least 1 byte.
 *   ret      borrowed until the next call of link_recv
 *   ret_seq  its sequence number
 *   errors   SP_ERANGE (length), SP_EBADTAG, SP_ESYNTAX (padding), SP_ECLOSED, those of starved */
int link_recv(struct link *l, struct span *ret, uint32_t *ret_seq) MUST_USE;
/* link_ready - would link_recv return without waiting?  What has come is taken in.  As link_recv,
 * it ends the loan of the last payload. */
bool link_ready(struct link *l);
/* link_send - one packet.
 *   packet   LINK_HEAD free bytes, then len bytes of payload; changed
 *   body     the rest of the payload, may be empty
 *   errors   those of link_flush; SP_ECRYPTO */
int link_send(struct link *l, uint8_t *packet, size_t len, struct span body) MUST_USE;
/* link_flush - all that was sent is the kernel's.  Input that arrives meanwhile is taken in, as far
 * as there is room. errors   SP_ETIMEOUT (stall_ms without progress, or the deadline), SP_ECLOSED
 */
int link_flush(struct link *l) MUST_USE;

/* link_rekey - new protection of one side; the old is wiped.  reset: sequence numbers begin anew
 * (strict key exchange). */
void link_rekey(struct link_side *side, struct ssh_cipher *cipher, bool reset);
#endif
