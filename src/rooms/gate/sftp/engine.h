/* engine.h - one SSH connection: what its parts (conn.c, kex.c, auth.c, channel.c, stream.c) share.
 */
#ifndef SP_GATE_SFTP_ENGINE_H
#define SP_GATE_SFTP_ENGINE_H

#include "crypto/ssh_kex.h"
#include "proto/ssh/ssh.h"
#include "rooms/gate/sftp/conn.h"
#include "rooms/gate/sftp/link.h"
#include "rooms/gate/sftp/stream.h"

#define SCRATCH_BYTES 40960u /* a payload in the making that is no bulk data */
#define KEXINIT_MAX 16384u   /* bytes of a KEXINIT: SSH_KEX's row */
#define DEFERRED_MAX                                                                               \
	65536u /* bytes of messages that wait for the end of a key exchange that we began */
#define WINDOW_FIRST 16777216u /* bytes: our receive window at first; it grows to SftpWindow */
#define CHANNEL_PACKET_MAX                                                                         \
	131072u		  /* bytes of data in a packet that we accept, and the most that we send */
#define PEND_BYTES 32768u /* small replies that are gathered into one packet */
#define SMALL_SEND 2048u  /* bytes of a reply that is worth gathering */

/* The one channel.  Input lies first in `back`, then in `cur`, which points into the link's buffer.
 */
struct channel {
	bool is_open, is_running, eof_in, close_in, eof_out, close_out;
	uint32_t peer;		 /* its number at the client */
	uint32_t out_max;	 /* bytes of data in a packet to the client */
	uint64_t out_window;	 /* bytes that the client takes */
	uint32_t window, target; /* bytes that the client may still send; what it is raised to */
	uint32_t consumed;	 /* taken, and not yet granted anew */
	int64_t granted_ms;	 /* when that was done last */
	struct span cur;
	uint8_t *back; /* owned */
	size_t back_at, back_len, back_cap;
	uint8_t *pend; /* owned: LINK_HEAD + SSH_DATA_HEAD free, then pend_len bytes */
	size_t pend_len;
};

struct stream {
	struct ssh_conn_start *start;
	struct link link;
	enum ssh_phase phase;
	bool strict, keyed; /* strict key exchange; the first exchange is over */
	bool wants_ext_info;
	bool exchanging; /* our KEXINIT is out: nothing but key exchange may be sent */
	bool is_limited; /* a limit was hit, and that is on record */
	int broken;	 /* the connection is over with this error; 0: it is not */
	char v_c[SSH_VERSION_MAX + 1];
	uint8_t session[SSH_HASH_MAX];
	size_t session_len;
	char algorithms[256]; /* what was agreed on, for the audit log */
	enum ssh_cipher_id cipher_in, cipher_out;
	int64_t keyed_ms; /* when these keys came into use */
	int64_t rekey_ms; /* when the signer's patience for new ones is fully restored */
	uint8_t *scratch, *i_s, *i_c; /* owned */
	size_t i_s_len, i_c_len;
	uint8_t *deferred; /* owned: length (4) and payload, one after the other */
	size_t deferred_len;
	int64_t began_ms, heard_ms, used_ms; /* connection, last packet, last data of the channel */
	bool heard, used;		     /* since we last looked at the clock */
	int64_t alive_asked;		     /* questions without an answer */
	char user[256];			     /* as it was given, fixed at the first request */
	bool has_user;
	char name[65]; /* the account's own spelling, after the login */
	struct channel ch;
};

/* ---- conn.c ---- */
/* conn_writer - a writer for the payload of a message, in scratch.  conn_send - that payload, as a
 * packet. */
struct wr conn_writer(struct stream *s);
int conn_send(struct stream *s, const struct wr *w) MUST_USE;
/* conn_packet - the next packet of any kind.  ret  borrowed until the next call */
int conn_packet(struct stream *s, struct span *ret, uint32_t *ret_seq) MUST_USE;
/* conn_next - the next message that the phase waits for; what any phase has to do with others is
 * done. ret  borrowed until the next call */
int conn_next(struct stream *s, struct span *ret) MUST_USE;
/* conn_one - as conn_next, for one packet: empty when there was nothing in it for the caller. */
int conn_one(struct stream *s, struct span *ret) MUST_USE;
/* conn_judge - SSH_TAKE: it is the caller's; SSH_DROP: nothing is to be done; an error: the client
 * was told, it is over. */
int conn_judge(struct stream *s, uint8_t number, enum ssh_phase phase, uint32_t seq) MUST_USE;
/* conn_disconnect - tell the client why, best effort; returns err, which stays. */
int conn_disconnect(
    struct stream *s, enum ssh_disconnect reason, const char *text, int err) MUST_USE;
/* conn_limit - a limit was hit, which is put on record: the first of a connection.  conn_limited -
 * and the connection ends for it. */
void conn_limit(struct stream *s, const char *limit, const char *detail);
int conn_limited(struct stream *s, const char *limit, enum ssh_disconnect reason, const char *text,
    int err) MUST_USE;

/* ---- kex.c ---- */
/* kex_first - the exchange that opens the connection.  kex_answer - the client's KEXINIT came later
 * on. kex_due - is it time for new keys?  kex_begin - get them. */
int kex_first(struct stream *s) MUST_USE;
int kex_answer(struct stream *s, struct span payload) MUST_USE;
bool kex_due(const struct stream *s);
int kex_begin(struct stream *s) MUST_USE;

/* ---- auth.c ---- */
/* auth_run - until a login is proved.  errors: the connection is over */
int auth_run(struct stream *s) MUST_USE;

/* ---- channel.c ---- */
/* channel_run - sessions, one after the other, until the client ends the connection. */
int channel_run(struct stream *s) MUST_USE;
/* channel_take - a message of phase OPEN.
 *   exchanging  nothing can be sent now: what needs an answer is deferred */
int channel_take(struct stream *s, struct span payload) MUST_USE;
/* channel_deferred - what was deferred. */
int channel_deferred(struct stream *s) MUST_USE;
void channel_done(struct stream *s);

/* ---- stream.c ---- */
/* stream_spend - n bytes of data use up our window.  stream_input - data of the channel;
 * stream_keep - what lies in the link's buffer must survive the next packet. */
int stream_spend(struct stream *s, size_t n) MUST_USE;
int stream_input(struct stream *s, struct span data) MUST_USE;
int stream_keep(struct stream *s) MUST_USE;
/* stream_emit - what small replies were gathered becomes a packet. */
int stream_emit(struct stream *s) MUST_USE;
/* stream_reset - forget all input and output of the channel that ended. */
void stream_reset(struct stream *s);
#endif
