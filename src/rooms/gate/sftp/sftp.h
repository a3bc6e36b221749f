/* sftp.h - the SFTP server of a worker: one channel on which somebody is logged in, from its first
 * request to its end. */
#ifndef SP_GATE_SFTP_SFTP_H
#define SP_GATE_SFTP_SFTP_H

#include "rooms/gate/ring.h"
#include "rooms/gate/sftp/stream.h"

struct conf;

/* All borrowed for as long as a call takes. */
struct sftp_session {
	struct stream *stream; /* of the channel whose request was granted */
	struct ring *ring;     /* logged in */
	const struct conf *conf;
	const char *address; /* of the client; goes into log lines */
	const char *agent;   /* the client's version line: goes with what it stores */
	struct span user;    /* the account's name */
	unsigned *in_hand;   /* files that are open: a stop waits for them */
};

/* sftp_serve - answer requests until the client ends.  Uploads that are open then are kept as far
 * as they can be continued. returns  SP_OK when the client closed its side between two requests;
 * else why the connection cannot go on: the stream's error, SP_ESYNTAX (a packet that is none),
 * SP_ETOOBIG (one over its maximum), SP_EUNAVAIL (a room is gone), SP_ESESSION.  What can be said
 * to the client was said and flushed. */
int sftp_serve(const struct sftp_session *s) MUST_USE;
#endif
