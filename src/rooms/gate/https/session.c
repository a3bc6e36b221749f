/* session.c - see session.h. */
#include "rooms/gate/https/session.h"

#include "rooms/gate/https/model.h"
#include "rooms/gate/https/router.h"
#include "sys/clock.h"

#define NONCE_FRESH_MS 30000 /* the broker makes another each minute, and takes those of five */

/* The session's token: RFC 6265 section 4.2.  1, 0 when there is none, SP_ESYNTAX when there are
 * two: no telling whose they are. */
static int
cookie(const struct conn *c, struct span *ret)
{
	const struct span name = SPAN_LIT(SESSION_COOKIE "=");
	struct span all = span_of(NULL, 0);
	int n = http_single(&c->head, "Cookie", &all), found = 0;

	while (n == 1 && all.len != 0) {
		struct span one = span_trim(span_cut(all, span_find(all, ';')));

		all = span_skip(all, span_find(all, ';'));
		all = span_skip(all, all.len != 0 ? 1 : 0);
		if (!span_starts(one, name))
			continue;
		*ret = span_skip(one, name.len);
		found++;
	}
	return n < 0 || found > 1 ? SP_ESYNTAX : found;
}

bool
session_is_shown(const struct conn *c)
{
	struct span v;

	return http_single(&c->head, "Authorization", &v) == 0 && cookie(c, &v) != 0;
}

void
session_nonce(struct conn *c)
{
	const struct ipc_nonce_get m = {0};
	struct fault why = c->ring->fault; /* of the error that led here */
	struct ipc_nonce got;
	int64_t now = clock_mono_ms();

	if (c->nonce[0] == '\0' || now - c->nonce_ms > NONCE_FRESH_MS) {
		c->nonce[0] = '\0';
		if (ring_nonce_get(c->ring, &m, &got) == SP_OK &&
		    got.nonce.len < sizeof(c->nonce)) {
			memcpy(c->nonce, got.nonce.ptr, got.nonce.len);
			c->nonce[got.nonce.len] = '\0';
			c->nonce_ms = now;
		}
	}
	c->ring->fault = why;
	c->nonce_shown = c->nonce[0] != '\0';
}

int
session_proof_get(struct conn *c, struct session_proof *ret)
{
	struct text url = text_of(ret->text, sizeof(ret->text));
	struct span host = span_of(NULL, 0), jwt = span_of(NULL, 0);

	if (http_single(&c->head, "DPoP", &jwt) != 1 || jwt.len > DPOP_MAX || !utf8_valid(jwt) ||
	    http_single(&c->head, "Host", &host) != 1)
		return SP_EPROOF;
	text_str(&url, "https://");
	text_add(&url, host);
	text_add(&url, c->path);
	if (url.bad || !utf8_valid(text_span(&url)) || c->head.method.len > SESSION_METHOD_MAX)
		return SP_EPROOF;
	ret->jwt = jwt;
	ret->method = c->head.method;
	ret->url = text_span(&url);
	return SP_OK;
}

/* What a browser downloads itself, where no script is there to prove anything. */
static bool
takes_ticket(const struct route *r)
{
	return r->handler == file_download || r->handler == folder_archive;
}

/* Such a download: the ticket stands for the proof. */
static int
prove_by_ticket(struct conn *c, struct span token)
{
	struct ipc_login_pass m = {.token = token, .agent = span_str(c->agent)};
	struct ipc_principal who;
	uint8_t pass[128];
	int n = query_str(c, "ticket", pass, sizeof(pass));
	int rc = n < 0 ? n : param_id(c, 0, &m.id);

	if (rc < 0)
		return rc;
	m.pass = span_of(pass, (size_t)n);
	m.folder = c->route->handler == folder_archive;
	return ring_login_pass(c->ring, &m, &who);
}

int
session_prove(struct conn *c)
{
	struct ipc_login_token m = {.agent = span_str(c->agent)};
	struct ipc_principal who;
	struct session_proof p;
	uint8_t pass[128];
	int rc = cookie(c, &m.token);

	if (rc != 1 || m.token.len == 0 || m.token.len > 255 || !utf8_valid(m.token))
		return SP_EAUTH;
	c->token_shown = true;
	c->token_len =
	    0; /* a token that was proved before on this connection is to be proved again */
	if (takes_ticket(c->route) && query_str(c, "ticket", pass, sizeof(pass)) != 0)
		return prove_by_ticket(c, m.token);
	if (session_proof_get(c, &p) == SP_OK) { /* that there is none is the broker's to record */
		m.proof = p.jwt;
		m.method = p.method;
		m.url = p.url;
	}
	rc = ring_login_token(c->ring, &m, &who);
	if (rc == SP_OK)
		session_nonce(c);
	return rc;
}

/* The cookie goes with its session; who has none is told to forget it all the same. */
static int
ended(struct conn *c, uint64_t session)
{
	struct ipc_session_end m = {.session = session};
	struct ipc_done done;
	int rc = ring_session_end(c->ring, &m, &done);

	if (rc < 0)
		return rc;
	c->token_len = 0;
	reply_begin(c, 204);
	if (session == 0)
		reply_field(c, "Set-Cookie",
		    "%s=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", SESSION_COOKIE);
	return reply_send(c);
}

int
session_end(struct conn *c)
{
	return ended(c, 0);
}

int
session_revoke(struct conn *c)
{
	uint64_t id;
	int rc = param_id(c, 0, &id);

	return rc < 0 ? rc : id == 0 ? SP_ENOTFOUND : ended(c, id);
}

int
sessions_get(struct conn *c)
{
	struct ipc_session_next m = {.after = 0};
	struct ipc_session_row row;
	struct json *j = NULL;
	int rc;

	while ((rc = ring_session_next(c->ring, &m, &row)) == SP_OK) {
		if (j == NULL) {
			reply_begin(c, 200);
			j = reply_json(c);
			json_open(j, '{');
			json_key(j, "items");
			json_open(j, '[');
		}
		model_session(j, &row);
		m.after = row.id;
		rc = reply_flush(c);
		if (rc < 0)
			return rc;
	}
	if (rc != SP_ENOTFOUND || j == NULL) /* there is the one that asks */
		return rc;
	json_close(j, ']');
	json_close(j, '}');
	return reply_send(c);
}

/* An address with a ticket: `what` is the route's part before the number, `where` that behind it.
 */
static int
ticket(struct conn *c, bool folder, const char *what, const char *where)
{
	struct ipc_pass_get m = {.folder = folder};
	struct ipc_pass p;
	char url[256];
	struct text t = text_of(url, sizeof(url));
	struct json *j;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = ring_pass_get(c->ring, &m, &p);
	if (rc < 0)
		return rc;
	text_fmt(&t, "/api/v1/%s/%llu/%s?ticket=", what, (unsigned long long)m.id, where);
	text_add(&t, p.pass);
	VERIFY(!t.bad);
	reply_begin(c, 201);
	j = reply_json(c);
	json_open(j, '{');
	json_kstr(j, "url", text_span(&t));
	json_ku64(j, "expires_in", p.expires_s);
	json_close(j, '}');
	rc = reply_send(c);
	mem_wipe(url, sizeof(url));
	ring_wipe(c->ring);
	return rc;
}

int
file_ticket(struct conn *c)
{
	return ticket(c, false, "files", "download");
}

int
folder_ticket(struct conn *c)
{
	return ticket(c, true, "folders", "archive");
}
