/* conn.h - one connection: its buffers, the request in hand, and the reply to it.
 *
 * A handler reads the request from struct conn, asks the ring, and sends one reply with reply_*. It
 * returns SP_OK when it replied, else the error, and the loop in conn.c turns that into a problem
 * reply.
 */
#ifndef SP_GATE_HTTPS_CONN_H
#define SP_GATE_HTTPS_CONN_H

#include "base/conf.h"
#include "base/text.h"
#include "proto/http/body.h"
#include "proto/http/field.h"
#include "proto/http/uri.h"
#include "rooms/gate/ring.h"
#include "rooms/gate/https/tls.h"

#define CONN_IN_BYTES 65536u	 /* read buffer: a whole head, and a window of the body behind it */
#define REPLY_HEAD_BYTES 20480u	 /* a reply's head: Location may be long */
#define REPLY_BODY_BYTES 66560u	 /* a reply's body, or the piece of it that is being made */
#define REPLY_FLUSH_BYTES 32768u /* a longer body is sent on in pieces */
#define JSON_BODY_MAX 65536u	 /* bytes of a JSON or form body */
#define ROUTE_PARAMS_MAX 2u

struct route;

/* The body of the request in hand. */
struct body {
	enum http_framing framing;
	uint64_t length; /* as declared: HTTP_LENGTH only */
	uint64_t left;
	struct http_chunked chunked;
	struct span pending; /* content in the read buffer that was not taken yet */
	int64_t end_ms; /* when a small body must be here in full; 0: only StallTimeout counts */
	bool expects;	/* the client waits for 100 (Continue) */
	bool ended;
};

struct reply {
	struct text head; /* status line and fields */
	struct text body;
	struct json json;
	int status;
	bool no_body;	/* HEAD, 204, 304 */
	bool streaming; /* the head is out, the body follows in pieces */
	bool chunked;	/* pieces in the chunked coding; else the connection's end ends it */
};

struct conn {
	struct ring *ring;
	const struct conf *conf;
	struct tls *tls;
	const char *address;
	unsigned listener;	   /* 0 public, 1 administration */
	const struct span *probes; /* rows of ScannerFile, checked; NULL: nobody is reported */

	uint8_t *in;	 /* CONN_IN_BYTES, owned; NULL while idle */
	size_t head_len; /* of the request in hand */
	size_t at, have; /* bytes behind the head that were not looked at: [at, have) */
	uint8_t *out;	 /* REPLY_HEAD_BYTES + REPLY_BODY_BYTES, owned; NULL while idle */

	struct http_head head;
	struct span path, query;
	struct span param[ROUTE_PARAMS_MAX];
	const struct route *route;
	char agent[256]; /* User-Agent, made valid */
	struct body body;
	struct reply reply;

	bool head_method; /* HEAD */
	bool parsed;	  /* head is that of the request in hand */
	bool sent;	  /* a reply has begun */
	bool keep;	  /* the connection persists after this reply */
	bool broken;	  /* reading or writing failed: nothing more can be said */
	uint64_t requests;
	unsigned contacts; /* requests that were reported as a scanner's */
	bool token_shown;  /* this request carried a token */
	char token[256]; /* the bearer token that was proved on this connection; wiped at the end */
	size_t token_len;
	char nonce[64];	   /* for the next proof of a browser's session; empty: it has none */
	int64_t nonce_ms;  /* when it was asked for */
	bool nonce_shown;  /* this request's reply carries it */
};

/* conn_idle_fn - wait until fd is readable: SP_OK, SP_ETIMEOUT, SP_ECLOSED (the server stops). */
typedef int (*conn_idle_fn)(void *arg, int fd, int timeout_ms);
/* conn_serve - requests until the connection ends; idle waits between them.  What goes wrong is
 * told to the client, or cannot be. */
void conn_serve(struct conn *c, conn_idle_fn idle, void *arg);
/* conn_done - wipe and free the buffers. */
void conn_done(struct conn *c);

/* ---- the request ---- */

/* conn_read - raw bytes of the connection behind what is buffered; marks the connection broken.
 *   errors SP_ETIMEOUT, SP_ECLOSED */
int64_t conn_read(struct conn *c, void *buf, size_t n, int timeout_ms) MUST_USE;
/* conn_write - all of it, within StallTimeout between steps. */
int conn_write(struct conn *c, struct span s) MUST_USE;

/* body_begin - framing of the request in hand.  errors as http_framing; SP_EEXPECT */
int body_begin(struct conn *c) MUST_USE;
/* body_known - the declared length in *ret, or false when it is not known (chunked). */
bool body_known(const struct conn *c, uint64_t *ret);
/* body_wanted - tell a client that waits for it to go on: after rights and preconditions were
 * checked. */
int body_wanted(struct conn *c) MUST_USE;
/* body_read - up to n bytes of content straight into dst.
 *   returns  bytes, 0 at the end of the body; SP_ESYNTAX and the like (framing), SP_ETIMEOUT,
 * SP_ECLOSED */
int64_t body_read(struct conn *c, uint8_t *dst, size_t n) MUST_USE;
/* body_all - the whole of a small body (body_wanted first is done here), within RequestTimeout.
 *   returns  bytes in dst; SP_ETOOBIG over cap, SP_ETIMEOUT */
int64_t body_all(struct conn *c, uint8_t *dst, size_t cap) MUST_USE;
/* body_small - is what is left of the body little enough to read it away after the reply? */
bool body_small(const struct conn *c);
/* body_drop - read away what is left of the body so that the connection can go on; only when that
 * is little. returns  true when the next request begins at c->at */
bool body_drop(struct conn *c);

/* Parameters of the query.  Unknown ones are ignored, malformed values of known ones are
 * SP_ESYNTAX. query_u64 - default when absent.  query_bool - True, true, 1, yes.  query_str -
 * length, 0 when absent. */
int query_u64(
    const struct conn *c, const char *name, uint64_t dflt, uint64_t max, uint64_t *ret) MUST_USE;
int query_bool(const struct conn *c, const char *name, bool *ret) MUST_USE;
int query_str(const struct conn *c, const char *name, uint8_t *out, size_t cap) MUST_USE;

/* param_id - parameter i of the route as a number.  errors SP_ENOTFOUND: nothing has such an id */
int param_id(const struct conn *c, size_t i, uint64_t *ret) MUST_USE;

/* ---- the reply ---- */

/* reply_begin - status line and the fields that every reply has. */
void reply_begin(struct conn *c, int status);
/* reply_begin_as - the same, for what is not a user's: the portal.
 *   keep    Cache-Control          policy  Content-Security-Policy */
void reply_begin_as(struct conn *c, int status, const char *keep, const char *policy);
/* reply_field - one more field. */
void reply_field(struct conn *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* reply_text - to append a field by hand: name, ": ", value, CRLF. */
struct text *reply_text(struct conn *c);
/* reply_json - the body is JSON: returns where to write it. */
struct json *reply_json(struct conn *c);
/* reply_flush - send on what there is of a long body.  errors SP_ECLOSED, SP_ETIMEOUT */
int reply_flush(struct conn *c) MUST_USE;
/* reply_send - the end: what is in reply.body goes out with its length, or as the last piece. */
int reply_send(struct conn *c) MUST_USE;
/* reply_send_head - only the head; `length` bytes follow by conn_write. */
int reply_send_head(struct conn *c, uint64_t length) MUST_USE;

/* reply_problem - RFC 9457 problem that is also MOVEit's ErrorModel.
 *   err     enum sp_err          detail  a sentence more, or NULL */
int reply_problem(struct conn *c, int err, const char *detail) MUST_USE;
/* reply_problem_with - the same with one more field. */
int reply_problem_with(
    struct conn *c, int err, const char *detail, const char *field, const char *value) MUST_USE;
/* problem_body - the JSON of a problem, open: the caller may add members and closes it with '}'. */
struct json *problem_body(struct conn *c, int err, const char *detail);
#endif
