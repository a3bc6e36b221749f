/* conn.c - the loop of one connection: read a head, find its route, prove who asks, reply, again.
 */
#include "rooms/gate/https/conn.h"

#include "rooms/gate/https/router.h"
#include "rooms/gate/https/scan.h"
#include "rooms/gate/https/session.h"
#include "sys/clock.h"
#include "sys/log.h"

#define LINGER_MS 3000 /* for a client that still sends, to read our refusal */
#define LINGER_SILENCE_MS 500
#define LINGER_BYTES (64u << 20)

static int
buffers(struct conn *c)
{
	if (c->in == NULL)
		c->in = mem_alloc(CONN_IN_BYTES);
	if (c->out == NULL)
		c->out = mem_alloc(REPLY_HEAD_BYTES + REPLY_BODY_BYTES);
	return c->in != NULL && c->out != NULL ? SP_OK : SP_ENOMEM;
}

void
conn_done(struct conn *c)
{
	if (c->in != NULL)
		mem_wipe(c->in, CONN_IN_BYTES);
	if (c->out != NULL)
		mem_wipe(c->out, REPLY_HEAD_BYTES + REPLY_BODY_BYTES);
	mem_freep(&c->in);
	mem_freep(&c->out);
	mem_wipe(c->token, sizeof(c->token));
}

/* Forget the request in hand; what follows it in the buffer is the beginning of the next. */
static void
request_forget(struct conn *c)
{
	size_t rest = c->have - c->at, old = c->have;

	if (c->in != NULL) {
		memmove(c->in, c->in + c->at, rest);
		mem_wipe(c->in + rest, old - rest);
	}
	if (c->out != NULL) {
		mem_wipe(c->reply.head.buf, c->reply.head.len);
		mem_wipe(c->reply.body.buf, c->reply.body.len);
	}
	c->head_len = c->at = 0;
	c->have = rest;
	c->path = c->query = span_of(NULL, 0);
	c->body = (struct body){.ended = true, .pending = span_of(NULL, 0)};
	c->ring->fault.detail[0] = '\0';
	c->ring->fault.retry_after = 0;
	c->head.minor = 1;
	c->head.n_fields = 0;
	c->sent = c->head_method = c->token_shown = c->parsed = false;
	c->nonce_shown = false;
	c->route = NULL;
}

/* Wait for the first byte of a request without holding anything up. */
static int
await_request(struct conn *c, conn_idle_fn idle, void *arg)
{
	int64_t s = c->requests == 0 ? c->conf->request_timeout : c->conf->keepalive_timeout;

	if (c->have != 0 || tls_pending(c->tls))
		return idle(arg, -1, 0) == SP_ECLOSED ? SP_ECLOSED : SP_OK;
	tls_rest(c->tls);
	return idle(arg, tls_descriptor(c->tls), (int)(s * 1000));
}

/* Read a whole head: 1 when there is one, 0 when the client has gone or said nothing, else the
 * error. */
static int
read_head(struct conn *c)
{
	struct http_scan scan = {0};
	int64_t end = clock_mono_ms() + c->conf->request_timeout * 1000;

	for (;;) {
		int64_t left, got;
		int n = c->have != 0 ? http_head_scan(&scan, span_of(c->in, c->have)) : 0;

		if (n < 0)
			return n;
		if (n > 0) {
			c->head_len = c->at = (size_t)n;
			return 1;
		}
		left = end - clock_mono_ms();
		got = left > 0 ? conn_read(c, c->in + c->have, CONN_IN_BYTES - c->have, (int)left)
			       : SP_ETIMEOUT;
		if (got == SP_ETIMEOUT && c->have != 0)
			return SP_ETIMEOUT;
		if (got < 0)
			return 0;
		c->have += (size_t)got;
	}
}

/* User-Agent as the broker takes it: valid UTF-8 without control characters, at most 255 bytes. */
static void
agent_set(struct conn *c)
{
	struct span v = span_of(NULL, 0);

	c->agent[0] = '\0';
	if (http_single(&c->head, "User-Agent", &v) != 1 || !utf8_valid(v))
		return;
	if (v.len >= sizeof(c->agent)) {
		v.len = sizeof(c->agent) - 1;
		while (v.len != 0 && !utf8_valid(v))
			v.len--;
	}
	memcpy(c->agent, v.ptr, v.len);
	c->agent[v.len] = '\0';
}

/* The refusal of a request that shows no token, with what it should have shown. */
static int
no_bearer(struct conn *c, const char *why)
{
	struct text t = text_of(c->ring->fault.detail, sizeof(c->ring->fault.detail));

	text_str(&t, why);
	return SP_EAUTH;
}

/* The bearer token of the request: RFC 6750 section 2.1 (never in the query, sections 2.2, 2.3). */
static int
bearer(struct conn *c, struct span *ret)
{
	struct span v = span_of(NULL, 0);
	int n = http_single(&c->head, "Authorization", &v);

	if (n < 0)
		return n;
	if (n == 0)
		return no_bearer(
		    c, "a token is needed here, in the field Authorization: Bearer TOKEN");
	if (v.len < 8 || !span_ieq_str(span_cut(v, 7), "Bearer "))
		return no_bearer(
		    c, "the only scheme that is taken here is Authorization: Bearer TOKEN");
	v = span_trim(span_skip(v, 7));
	if (v.len == 0 || v.len > 255)
		return SP_EAUTH;
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] <= 0x20 || v.ptr[i] >= 0x7f)
			return SP_EAUTH;
	*ret = v;
	return SP_OK;
}

/* Prove the token to the broker, once a connection for the same token. */
static int
authenticate(struct conn *c)
{
	struct ipc_login_token m = {.agent = span_str(c->agent)};
	struct ipc_principal who;
	int rc;

	if (session_is_shown(c))
		return session_prove(c);
	rc = bearer(c, &m.token);
	if (rc < 0)
		return rc;
	c->token_shown = true;
	if (c->token_len != 0 && secret_eq(m.token, span_of(c->token, c->token_len)))
		return SP_OK;
	rc = ring_login_token(c->ring, &m, &who);
	if (rc < 0)
		return rc;
	memcpy(c->token, m.token.ptr, m.token.len);
	c->token_len = m.token.len;
	return SP_OK;
}

static int
parse_request(struct conn *c)
{
	int rc = http_head_parse(span_of(c->in, c->head_len), &c->head);

	if (rc < 0)
		return rc;
	c->parsed = true;
	c->keep = http_keep_alive(&c->head) && c->requests < (uint64_t)c->conf->keepalive_requests;
	c->head_method = span_eq_str(c->head.method, "HEAD");
	agent_set(c);
	rc = body_begin(c);
	if (rc == SP_OK)
		rc = http_target(&c->head, &c->path, &c->query);
	if (rc < 0)
		c->keep = false; /* who sends such a thing may mean the bytes behind it as something
				    else */
	return rc;
}

/* The methods of an address, for who asks for them (RFC 9110 section 9.3.7) and who uses another
 * (section 15.5.6: MUST).  Neither is told more than the table of routes. */
static int
other_method(struct conn *c)
{
	char allow[128];
	struct text t = text_of(allow, sizeof(allow));

	router_allow(c->listener, c->path, &t);
	if (!span_eq_str(c->head.method, "OPTIONS"))
		return reply_problem_with(c, SP_EMETHOD, NULL, "Allow", allow);
	reply_begin(c, 204);
	reply_field(c, "Allow", "%s", allow);
	return reply_send(c);
}

static int
handle(struct conn *c)
{
	int rc = parse_request(c);

	if (rc < 0)
		return rc;
	rc = router_find(c->listener, c->head.method, c->path, &c->route, c->param);
	if (rc == SP_EMETHOD)
		return other_method(c);
	if (rc == SP_OK && c->route->bearer)
		rc = authenticate(c);
	if (rc == SP_OK)
		rc = c->route->handler(c);
	if (rc == SP_ESESSION || rc == SP_EAUTH || rc == SP_EPROOF || rc == SP_ENONCE ||
	    rc == SP_EMISDIRECT)
		c->token_len = 0;
	if (rc == SP_EPROOF || rc == SP_ENONCE)
		session_nonce(c);
	if (rc == SP_EMISDIRECT)
		c->keep = false; /* one connection, one principal */
	return rc;
}

/* A refused client may still be sending: it has our answer and our end of the stream, and gets the
 * time to read them before the connection is reset. */
static void
linger(struct conn *c)
{
	int64_t end = clock_mono_ms() + LINGER_MS;
	uint64_t n = 0;

	while (n < LINGER_BYTES && clock_mono_ms() < end) {
		int64_t got = conn_read(c, c->in, CONN_IN_BYTES, LINGER_SILENCE_MS);

		if (got < 0)
			return;
		n += (uint64_t)got;
	}
}

/* One request from its first byte on; false: the connection ends. */
static bool
serve_one(struct conn *c)
{
	int rc = read_head(c), outcome;

	if (rc == 0)
		return false;
	c->requests++;
	c->keep = false;
	outcome = rc = rc < 0 ? rc : handle(c);
	if (rc < 0 && !c->sent && !c->broken) {
		if (rc == SP_ETIMEOUT)
			c->keep = false;
		rc = reply_problem(c, rc, NULL);
	}
	if (rc < 0)
		c->broken = true; /* cut in the middle of a reply: never a false end */
	scan_report(c, outcome);
	if (c->ring->dead)
		c->keep = false;
	if (c->keep && body_drop(c))
		return true;
	return false;
}

void
conn_serve(struct conn *c, conn_idle_fn idle, void *arg)
{
	do {
		request_forget(c);
		if (await_request(c, idle, arg) < 0 || buffers(c) < 0)
			break;
	} while (serve_one(c));
	if (c->broken)
		return;
	if (tls_shutdown(c->tls, LINGER_MS) < 0)
		log_debug("the peer was gone before the end");
	else if (c->in != NULL)
		linger(c);
}
