/* stream.h - the bytes of the one channel of a connection, as plain blocking calls.
 *
 * Everything below (packets, windows, rekeying, keepalives) happens inside these calls.  Input is
 * offered where it lies; output is gathered and leaves when input has to be waited for, or at
 * stream_flush.  An error means that the connection is over: SP_ECLOSED (the client closed),
 * SP_ETIMEOUT (idle or silent for too long), or what the client broke; there is nothing more to
 * say.
 */
#ifndef SP_GATE_SFTP_STREAM_H
#define SP_GATE_SFTP_STREAM_H

#include "base/err.h"
#include "base/defer.h"
#include "base/span.h"

struct stream;

#define STREAM_WANT_MAX 66560u /* most that stream_need gives at once: 65 KiB */

/* stream_need - wait until n bytes of input lie in a row.
 *   n        1 to STREAM_WANT_MAX
 *   ret      exactly n bytes; borrowed until the next call of any stream function; they can still
 * be taken behind a stream_send returns  1; 0 when the client closed its side before the first of
 * them; SP_ECLOSED when it did so in the middle */
int stream_need(struct stream *s, size_t n, struct span *ret) MUST_USE;
/* stream_some - whatever input lies there, at least 1 byte and at most n; waits for the first.  As
 * stream_need. */
int stream_some(struct stream *s, size_t n, struct span *ret) MUST_USE;
/* stream_take - n bytes of input are done with: at most what the last stream_need or stream_some
 * gave. */
void stream_take(struct stream *s, size_t n);
/* stream_waiting - is there input that was not taken yet, without waiting? */
bool stream_waiting(struct stream *s);

/* stream_hear - during long work for one request: what has come is kept, up to the receive window,
 * and what is no input is answered; nothing is waited for.  Ends loans as stream_send does.
 *   errors  the connection is over */
int stream_hear(struct stream *s) MUST_USE;

/* stream_send - head, then body, to the client.  Both are copied or encrypted before it returns;
 * neither may be input of this stream.
 * Blocks while the client does not take more; input that arrives meanwhile is kept, up to the
 * receive window. */
int stream_send(struct stream *s, struct span head, struct span body) MUST_USE;
/* stream_send_error - text to the client's standard error (extended data). */
int stream_send_error(struct stream *s, struct span text) MUST_USE;
/* stream_flush - everything that was sent is with the kernel. */
int stream_flush(struct stream *s) MUST_USE;
#endif
