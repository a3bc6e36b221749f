/* stream_played.h - the stream of the tests: two queues between the server's thread and the test,
 * which plays the client. */
#ifndef SP_GATE_SFTP_STREAM_PLAYED_H
#define SP_GATE_SFTP_STREAM_PLAYED_H

#include "rooms/gate/sftp/stream.h"

#define PLAYED_OUT_MAX                                                                             \
	(8u << 20) /* bytes that the client has not taken: then stream_send waits                  \
		    */

struct stream *played_new(void);
void played_free(struct stream *s);
/* played_step - at most so many bytes come at a time. */
void played_step(struct stream *s, size_t step);
/* played_put - the client sends.  played_get - the client waits for exactly n bytes; false: the
 * server has ended before them. played_close - the client closes its side.  played_break - the
 * connection breaks.  played_over - the server has ended. */
void played_put(struct stream *s, struct span in);
bool played_get(struct stream *s, void *out, size_t n);
void played_close(struct stream *s);
void played_break(struct stream *s);
void played_over(struct stream *s);
/* played_heard - how often the server looked for the end of the connection during its work. */
unsigned played_heard(struct stream *s);
/* played_left - bytes that the client has not taken. */
size_t played_left(struct stream *s);
#endif
