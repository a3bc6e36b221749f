/* ssh.h - SSH-2 packets: payloads in, structures out, and the other way round.  Pure: no keys, no state, no I/O.
 *
 * A payload begins with its message number.  ssh_get_<message> takes the whole payload, number included, and refuses bytes
 * behind the message (SP_ETRAIL) unless it says otherwise.  Spans point into the payload.  ssh_put_<message> appends a payload
 * to a writer.  `string` and `mpint` are RFC 4251 section 5's.
 */
#ifndef SP_PROTO_SSH_H
#define SP_PROTO_SSH_H

#include "base/err.h"
#include "base/wire.h"
#include "base/defer.h"

#define SSH_PACKET_MAX 262144u	/* packet_length, bytes, that we accept: as OpenSSH */
#define SSH_NAME_MAX 64u	/* bytes of one algorithm, service, method, channel or request name, RFC 4251 section 6 */
#define SSH_USER_MAX 255u	/* bytes of a user name */
#define SSH_LIST_MAX 4096u	/* bytes of a name-list */
#define SSH_VERSION_MAX 255u	/* bytes of the version line with CR LF, RFC 4253 section 4.2 */

enum ssh_msg {
#define SSH_ROW(NAME, number, take, drop) SSH_MSG_##NAME = (number),
#include "proto/ssh/messages.def"
#undef SSH_ROW
	SSH_MSG_USERAUTH_INFO_REQUEST = SSH_MSG_USERAUTH_PK_OK, /* 60 means what the method says */
};
enum ssh_disconnect {
	SSH_DISCONNECT_HOST_NOT_ALLOWED = 1,
	SSH_DISCONNECT_PROTOCOL_ERROR = 2,
	SSH_DISCONNECT_KEY_EXCHANGE_FAILED = 3,
	SSH_DISCONNECT_MAC_ERROR = 5,
	SSH_DISCONNECT_SERVICE_NOT_AVAILABLE = 7,
	SSH_DISCONNECT_PROTOCOL_VERSION = 8,
	SSH_DISCONNECT_CONNECTION_LOST = 10,
	SSH_DISCONNECT_BY_APPLICATION = 11,
	SSH_DISCONNECT_TOO_MANY_CONNECTIONS = 12,
	SSH_DISCONNECT_AUTH_CANCELLED = 13,
	SSH_DISCONNECT_NO_MORE_AUTH_METHODS = 14,
	SSH_DISCONNECT_ILLEGAL_USER_NAME = 15,
};
enum ssh_open_failure {
	SSH_OPEN_PROHIBITED = 1,
	SSH_OPEN_CONNECT_FAILED = 2,
	SSH_OPEN_UNKNOWN_TYPE = 3,
	SSH_OPEN_RESOURCE_SHORTAGE = 4,
};

/* ---- who may send what, and when ----
 * messages.def has a row for each message number: the phases of a connection in which a client may send it to a server.  A
 * known number out of its phases, or a server's own, ends the connection (libssh's CVE-2018-10933 took USERAUTH_SUCCESS from
 * a client).  An unknown one is answered UNIMPLEMENTED where the RFCs allow it. */
enum ssh_phase {
	SSH_PHASE_KEXINIT = 1,	 /* waiting for the client's KEXINIT (the first packet of all) */
	SSH_PHASE_KEX = 2,	 /* waiting for ECDH_INIT */
	SSH_PHASE_NEWKEYS = 4,	 /* waiting for NEWKEYS */
	SSH_PHASE_SERVICE = 8,	 /* waiting for SERVICE_REQUEST ssh-userauth */
	SSH_PHASE_AUTH = 16,	 /* USERAUTH_REQUEST */
	SSH_PHASE_PROMPT = 32,	 /* as AUTH, and an INFO_REQUEST is open */
	SSH_PHASE_OPEN = 64,	 /* logged in */
};
enum ssh_verdict {
	SSH_TAKE,	   /* hand it on */
	SSH_DROP,	   /* legal and without meaning: IGNORE, DEBUG, UNIMPLEMENTED */
	SSH_UNKNOWN,	   /* answer UNIMPLEMENTED */
	SSH_FORBIDDEN,	   /* disconnect with PROTOCOL_ERROR */
};
/* ssh_judge - what to do with a message from a client.
 *   phase    what is waited for.  From our KEXINIT until the client's own, messages above 49 are still legal: the phase stays
 *            SERVICE, AUTH, PROMPT or OPEN.  From the client's KEXINIT to its NEWKEYS it is KEX, then NEWKEYS
 *   strict   strict key exchange and the first exchange not yet over: nothing but what is awaited, and DISCONNECT.  No
 *            meaning behind the first three phases
 * Not judged here: the packet after a wrong guess (first_follows), which is dropped unread if its number is 30 to 49; that
 * the client's KEXINIT was the first packet when it asks for strict key exchange; a second EXT_INFO.
 *   source   RFC 4253 sections 7.1, 11; RFC 4252 sections 5.3, 6; RFC 8308 sections 2.4, 3.2; OpenSSH PROTOCOL section 1.9 */
enum ssh_verdict ssh_judge(uint8_t number, enum ssh_phase phase, bool strict);

/* ---- the version line ---- */
/* ssh_get_version - a line without CR LF: "SSH-2.0-softwareversion [comments]".  Minus signs in softwareversion are let pass,
 * since many clients have them.
 *   errors  SP_ESYNTAX (also: over SSH_VERSION_MAX with CR LF); SP_EVERSION (another protocol version; 1.99 is 2.0)
 *   source  RFC 4253 section 4.2: printable US-ASCII, no NUL; section 5.1 */
int ssh_get_version(struct span line) MUST_USE;

/* ---- strings and lists ---- */
/* ssh_take_string - a string off a reader; sticky-bad when short.  ssh_put_string - append.  source RFC 4251 section 5 */
struct span ssh_take_string(struct rd *r);
void ssh_put_string(struct wr *w, struct span s);
/* ssh_put_mpint - an unsigned big-endian number as mpint: without leading zero bytes, one in front when its top bit is set.
 *   source  RFC 4251 section 5: "Unnecessary leading bytes with the value 0 or 255 MUST NOT be included" */
void ssh_put_mpint(struct wr *w, struct span number);
/* ssh_list_next - take the first name off a comma-separated list; false at the end. */
bool ssh_list_next(struct span *list, struct span *ret_name);
/* ssh_list_has - is name one of them? */
bool ssh_list_has(struct span list, const char *name);
/* ssh_list_ok - is this a name-list: no empty name, printable US-ASCII without space, each at most 64 bytes?  Empty is one.
 *   source  RFC 4251 sections 5 and 6 */
bool ssh_list_ok(struct span list);
/* ssh_choose - the first name of the client's list that is also in ours; false when there is none.
 *   ours    without markers that are no algorithms (ext-info-s, kex-strict-s-v00@openssh.com): they must not be chosen
 *   source  RFC 4253 section 7.1 */
bool ssh_choose(struct span client, struct span ours, struct span *ret);

/* ---- transport: RFC 4253 ----
 * Errors of every ssh_get_<message>: SP_ESHORT (truncated), SP_ETRAIL (bytes behind it), SP_ESYNTAX (another message's
 * number); more where a function says so.  A boolean is true unless it is 0 (RFC 4251 section 5). */
enum { SSH_KEX_LIST, SSH_HOSTKEY_LIST, SSH_CIPHER_IN, SSH_CIPHER_OUT, SSH_MAC_IN, SSH_MAC_OUT, SSH_ZIP_IN, SSH_ZIP_OUT, SSH_LANG_IN, SSH_LANG_OUT, SSH_KEXINIT_LISTS };
#define SSH_COOKIE 16u /* bytes */
struct ssh_kexinit {
	struct span cookie;		     /* SSH_COOKIE bytes */
	struct span list[SSH_KEXINIT_LISTS]; /* IN: client to server */
	bool first_follows;
};
/* ssh_get_kexinit - the reserved number at its end may be anything.
 *   errors  SP_ERANGE (a list over SSH_LIST_MAX), SP_ESYNTAX (not ssh_list_ok)
 *   source  RFC 4253 section 7.1 */
int ssh_get_kexinit(struct span payload, struct ssh_kexinit *ret) MUST_USE;
void ssh_put_kexinit(struct wr *w, const struct ssh_kexinit *m);
/* ssh_get_ecdh_init - the client's public value, of any length: which one is right the method knows.
 *   source  RFC 5656 section 4 */
int ssh_get_ecdh_init(struct span payload, struct span *ret_q_c) MUST_USE;
void ssh_put_ecdh_reply(struct wr *w, struct span k_s, struct span q_s, struct span signature);
/* source RFC 4253 section 7.3 */
int ssh_get_newkeys(struct span payload) MUST_USE;
/* ssh_get_service_request - errors SP_ERANGE (over SSH_NAME_MAX).  source RFC 4253 section 10 */
int ssh_get_service_request(struct span payload, struct span *ret_name) MUST_USE;
void ssh_put_service_accept(struct wr *w, struct span name);
/* ssh_put_ext_info - server-sig-algs and what else the caller has.
 *   pairs    name, value, name, value: 2 * n_pairs spans
 *   source   RFC 8308 section 2.3 */
void ssh_put_ext_info(struct wr *w, const struct span *pairs, size_t n_pairs);
struct ssh_disconnect_msg {
	uint32_t reason;
	struct span description; /* any bytes: to be cleaned before a person sees it */
};
/* source RFC 4253 section 11.1 */
int ssh_get_disconnect(struct span payload, struct ssh_disconnect_msg *ret) MUST_USE;
void ssh_put_disconnect(struct wr *w, uint32_t reason, struct span description);
void ssh_put_unimplemented(struct wr *w, uint32_t seq);
void ssh_put_ignore(struct wr *w, struct span data);

/* ---- authentication: RFC 4252, RFC 4256 ---- */
enum ssh_method { SSH_METHOD_OTHER, SSH_METHOD_NONE, SSH_METHOD_PUBLICKEY, SSH_METHOD_PASSWORD, SSH_METHOD_INTERACTIVE };
/* Of a method only its own fields are set; the others are empty spans and false. */
struct ssh_userauth {
	struct span user, service, method_name;
	enum ssh_method method;
	/* publickey */
	bool has_signature;
	struct span algorithm, key, signature;
	/* password */
	bool changes; /* a password change: not offered here */
	struct span password;
	/* keyboard-interactive */
	struct span submethods;
};
/* ssh_get_userauth - of a method that is not known (OTHER) what follows is not looked at.
 *   errors  SP_ERANGE (user over SSH_USER_MAX; service, method, algorithm over SSH_NAME_MAX); user and the rest are any bytes
 *   source  RFC 4252 sections 5, 7, 8; RFC 4256 section 3.1 */
int ssh_get_userauth(struct span payload, struct ssh_userauth *ret) MUST_USE;
/* ssh_userauth_signed - what a publickey signature is over: session identifier and the request without its signature.
 *   source  RFC 4252 section 7 */
void ssh_userauth_signed(struct wr *w, struct span session, struct span user, struct span service, struct span algorithm, struct span key);
void ssh_put_userauth_failure(struct wr *w, struct span methods, bool partial);
void ssh_put_userauth_success(struct wr *w);
void ssh_put_userauth_banner(struct wr *w, struct span text);
void ssh_put_pk_ok(struct wr *w, struct span algorithm, struct span key);
/* ssh_put_info_request - one prompt (prompt.len != 0) or none.  source RFC 4256 section 3.2 */
void ssh_put_info_request(struct wr *w, struct span name, struct span instruction, struct span prompt, bool echo);
/* ssh_get_info_response - exactly n answers are expected, n 0 or 1.
 *   ret_answer  empty when n is 0
 *   errors      SP_ESYNTAX (another number of them: an authentication failure, says the RFC)
 *   source      RFC 4256 section 3.4 */
int ssh_get_info_response(struct span payload, uint32_t n, struct span *ret_answer) MUST_USE;

/* ---- connection: RFC 4254 ---- */
struct ssh_global_request {
	struct span name;
	bool want_reply;
	struct span rest; /* of a name that has fields */
};
/* ssh_get_global_request - errors SP_ERANGE (name over SSH_NAME_MAX).  source RFC 4254 section 4 */
int ssh_get_global_request(struct span payload, struct ssh_global_request *ret) MUST_USE;
void ssh_put_global_request(struct wr *w, struct span name, bool want_reply);
/* ssh_put_number - messages that are only a number: NEWKEYS, USERAUTH_SUCCESS, REQUEST_SUCCESS, REQUEST_FAILURE. */
void ssh_put_number(struct wr *w, enum ssh_msg number);
struct ssh_channel_open {
	struct span type;
	uint32_t peer, window, packet_max;
	struct span rest; /* of a type that has fields; `session` has none (SP_ETRAIL) */
};
/* ssh_get_channel_open - errors SP_ERANGE (type over SSH_NAME_MAX).  Numbers are any: a packet_max of 0 is the caller's to
 * refuse.  source RFC 4254 sections 5.1, 6.1 */
int ssh_get_channel_open(struct span payload, struct ssh_channel_open *ret) MUST_USE;
void ssh_put_open_confirmation(struct wr *w, uint32_t peer, uint32_t own, uint32_t window, uint32_t packet_max);
void ssh_put_open_failure(struct wr *w, uint32_t peer, uint32_t reason, struct span text);
/* Messages to a channel of ours: its number, and what follows it. */
struct ssh_channel_msg {
	uint32_t channel;
	uint32_t adjust;    /* WINDOW_ADJUST */
	uint32_t data_type; /* EXTENDED_DATA */
	struct span data;   /* DATA, EXTENDED_DATA */
};
/* ssh_get_channel_msg - WINDOW_ADJUST, DATA, EXTENDED_DATA, EOF, CLOSE, SUCCESS, FAILURE (others: SP_ESYNTAX).
 *   source  RFC 4254 sections 5.2 to 5.4 */
int ssh_get_channel_msg(struct span payload, struct ssh_channel_msg *ret) MUST_USE;
struct ssh_channel_request {
	uint32_t channel;
	struct span type;
	bool want_reply;
	struct span rest; /* of a type that has fields */
};
/* ssh_get_channel_request - errors SP_ERANGE (type over SSH_NAME_MAX).  source RFC 4254 section 5.4 */
int ssh_get_channel_request(struct span payload, struct ssh_channel_request *ret) MUST_USE;
/* ssh_get_request_string - the one string of `exec`, `subsystem`.  source RFC 4254 section 6.5 */
int ssh_get_request_string(const struct ssh_channel_request *m, struct span *ret) MUST_USE;
void ssh_put_window_adjust(struct wr *w, uint32_t peer, uint32_t n);
/* ssh_put_data_head - all of CHANNEL_DATA but the data: 9 bytes. */
#define SSH_DATA_HEAD 9u
void ssh_put_data_head(struct wr *w, uint32_t peer, uint32_t len);
void ssh_put_extended_data(struct wr *w, uint32_t peer, uint32_t type, struct span data);
void ssh_put_channel(struct wr *w, enum ssh_msg number, uint32_t peer); /* EOF, CLOSE, SUCCESS, FAILURE */
/* ssh_put_exit_status - source RFC 4254 section 6.10 */
void ssh_put_exit_status(struct wr *w, uint32_t peer, uint32_t status);
#endif
