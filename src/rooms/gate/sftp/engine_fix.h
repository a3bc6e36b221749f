/* engine_fix.h - for tests of the transport: the real engine in a thread of its own, with a played
 * client, signer, broker and server on its channel. */
#ifndef SP_GATE_SFTP_ENGINE_FIX_H
#define SP_GATE_SFTP_ENGINE_FIX_H

#include "crypto/ssh_key.h"
#include "rooms/gate/sftp/conn.h"
#include "rooms/gate/sftp/peer_played.h"
#include "rooms/gate/sftp/scp.h"

#include <pthread.h>

struct engine {
	struct conf conf;
	struct ring ring;
	struct chan signer;
	struct ssh_conn_start start;
	struct chan broker, signers; /* the other ends */
	struct ssh_host_key_pair *key;
	struct peer *peer;
	pthread_t server, broker_thread, signer_thread;
	_Atomic bool stops; /* idle says so */
	_Atomic bool signer_refuses;
	_Atomic unsigned asked; /* logins that the broker was asked about */
	_Atomic unsigned signs;
	char user[64], limit[65]; /* the last that the broker heard of; read when it is over */
	bool has_user;
	unsigned limits;
	unsigned contacts, contact; /* how often the client was accused, and last of what */
};

/* engine_new - a connection of which nothing was sent; settings may be changed before engine_start.
 */
struct engine *engine_new(void);
void engine_start(struct engine *e);
/* engine_begin - started, with the client logged in and its channel open. */
struct peer *engine_begin(struct engine *e, uint32_t window, uint32_t packet_max);
/* engine_end - the client hangs up; the engine ends.  engine_over - the engine has ended, or ends
 * by itself; everything is joined and can be looked at.  engine_free - after either. */
void engine_over(struct engine *e);
void engine_end(struct engine *e);

/* What runs on the channel: on sftp and on scp. */
typedef int (*served_fn)(const struct sftp_session *s, int *ret_status);
void engine_serves(served_fn fn);
/* Servers: every byte comes back (in pieces of at most n); what comes is counted and checked, and
 * "ok" is the answer at its end; n bytes of a pattern, then the end. */
int serve_echo(const struct sftp_session *s, int *ret_status);
int serve_sink(const struct sftp_session *s, int *ret_status);
int serve_source(const struct sftp_session *s, int *ret_status);
extern _Atomic size_t echo_step, source_bytes, sink_bytes;
uint8_t engine_byte(size_t i);
#endif
