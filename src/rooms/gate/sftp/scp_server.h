/* scp_server.h - inside of the scp server: what its two sides share. */
#ifndef SP_GATE_SFTP_SCP_SERVER_H
#define SP_GATE_SFTP_SCP_SERVER_H

#include "rooms/gate/sftp/path.h"
#include "rooms/gate/sftp/scp_command.h"
#include "rooms/gate/sftp/sink.h"
#include "rooms/gate/sftp/source.h"

#define SCP_LINE_MAX 4608u /* bytes of a line of the protocol */
#define SCP_ENDED 1	   /* the client closed its side */

struct scp {
	const struct sftp_session *session;
	struct stream *stream;
	struct ring *ring;
	struct path home;
	struct scp_command command;
	struct source_pool pool;
	bool has_failed; /* for the exit status */
	uint8_t line[SCP_LINE_MAX];
};

/* All of these return SP_OK, SCP_ENDED or the stream's error.
 * scp_line - the next line, without its line end, of which `first` was read already; borrowed until
 * the next one.  SP_ETOOBIG scp_byte - the next byte. scp_ack - "\0": go on.  scp_say - an error
 * that concerns one file: the client goes on with the next. scp_response - the client's answer: 0
 * good, 1 it does not want this one.  SP_ECLOSED: it ends everything */
int scp_byte(struct scp *c, uint8_t *ret) MUST_USE;
int scp_line(struct scp *c, uint8_t first, struct span *ret) MUST_USE;
int scp_ack(struct scp *c) MUST_USE;
int scp_say(struct scp *c, struct span what, int err) MUST_USE;
int scp_response(struct scp *c, bool *ret_good) MUST_USE;
/* scp_stat - of a path. */
int scp_stat(struct scp *c, const struct path *p, struct ipc_entry *ret) MUST_USE;
/* scp_fatal - after an error of a file: can the connection not go on? */
bool scp_fatal(const struct scp *c, int err);

/* scp_take - `scp -t`.  scp_give - `scp -f`. */
int scp_take(struct scp *c) MUST_USE;
int scp_give(struct scp *c) MUST_USE;
#endif
