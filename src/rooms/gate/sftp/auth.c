/* auth.c - RFC 4252 and RFC 4256: the worker relays proof, the broker judges it.
 *
 * What is decided here is only what the client is told and how often it may try.  The broker fixes
 * the user name at the first message it gets, verifies signatures against the session identifier
 * that the signer vouched for, and counts failures. */
#include "rooms/gate/sftp/engine.h"

#include "base/conf.h"
#include "base/text.h"
#include "sys/log.h"

#define METHODS "publickey,password,keyboard-interactive"
#define REQUESTS_MAX 64u /* authentication requests of one connection, whatever they are */

struct auth {
	struct stream *s;
	int64_t failures;
	unsigned requests;
	bool wants_code; /* the next question is for the one-time code */
	bool banner_sent;
};

static int
fail(struct auth *a, struct span methods, bool partial)
{
	struct stream *s = a->s;
	struct wr w = conn_writer(s);

	if (!partial && ++a->failures >= s->start->conf->auth_tries)
		return conn_limited(s, "MaxAuthTries", SSH_DISCONNECT_NO_MORE_AUTH_METHODS,
		    "too many authentication failures", SP_EAUTH);
	ssh_put_userauth_failure(&w, methods.len != 0 ? methods : SPAN_LIT(METHODS), partial);
	return conn_send(s, &w);
}

/* The broker did not answer the question. */
static int
not_judged(struct auth *a, int err)
{
	struct stream *s = a->s;
	const char *detail = s->start->ring->fault.detail;

	switch (err) {
	case SP_ERANGE: /* over what a message can hold: no such proof exists */
		return fail(a, span_of(NULL, 0), false);
	case SP_EMISDIRECT:
		return conn_disconnect(
		    s, SSH_DISCONNECT_ILLEGAL_USER_NAME, "the user name must not change", err);
	case SP_ELOCKOUT:
		return conn_disconnect(
		    s, SSH_DISCONNECT_NO_MORE_AUTH_METHODS, sp_strerror(err), err);
	case SP_EAUTH:
		return fail(a, span_of(NULL, 0), false);
	default:
		return conn_disconnect(s, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    detail[0] != '\0' ? detail : sp_strerror(err), err);
	}
}

static int
succeed(struct auth *a, const struct ipc_ssh_auth *m)
{
	struct stream *s = a->s;
	struct wr w = conn_writer(s);
	struct text t = text_of(s->name, sizeof(s->name));

	text_add(&t, m->name);
	s->phase = SSH_PHASE_OPEN;
	s->link.deadline_ms = INT64_MAX;
	s->used = true;
	ssh_put_userauth_success(&w);
	return conn_send(s, &w);
}

static int
ask(struct auth *a)
{
	struct stream *s = a->s;
	struct wr w = conn_writer(s);

	ssh_put_info_request(&w, span_of(NULL, 0), span_of(NULL, 0),
	    a->wants_code ? SPAN_LIT("Verification code: ") : SPAN_LIT("Password: "), false);
	s->phase = SSH_PHASE_PROMPT;
	return conn_send(s, &w);
}

/* What the broker says of a proof; key and algorithm of a publickey request, else empty. */
static int
judged(struct auth *a, const struct ipc_ssh_auth *m, struct span algorithm, struct span key)
{
	struct wr w = conn_writer(a->s);

	switch (m->state) {
	case SSH_AUTH_DONE:
		return succeed(a, m);
	case SSH_AUTH_KEY_OK:
		ssh_put_pk_ok(&w, algorithm, key);
		return conn_send(a->s, &w);
	case SSH_AUTH_CODE:
		a->wants_code = true;
		return ask(a);
	case SSH_AUTH_PARTIAL:
		a->wants_code = m->code != 0;
		return fail(a, m->methods, true);
	default:
		a->wants_code = m->code != 0;
		return fail(a, m->methods, false);
	}
}

static int
by_key(struct auth *a, const struct ssh_userauth *u)
{
	struct stream *s = a->s;
	struct ipc_login_key m = {
	    .user = u->user,
	    .algorithm = u->algorithm,
	    .key = u->key,
	    .signature = u->has_signature ? u->signature : span_of(NULL, 0),
	    .algorithms = span_str(s->algorithms),
	    .agent = span_str(s->v_c),
	};
	struct ipc_ssh_auth r;
	int rc;

	/* an empty signature would be a question, whose yes must not be taken for a proof */
	if (u->has_signature && u->signature.len == 0)
		return fail(a, span_of(NULL, 0), false);
	rc = ring_login_key(s->start->ring, &m, &r);
	if (rc < 0)
		return not_judged(a, rc);
	if (r.state == SSH_AUTH_KEY_OK && u->has_signature)
		return fail(a, span_of(NULL, 0), false);
	if (r.state == SSH_AUTH_REFUSED && !u->has_signature)
		a->failures--; /* a client offers all its keys: fail() counts it back */
	return judged(a, &r, u->algorithm, u->key);
}

/* The broker hears of a name without a proof, since the first one that it hears is fixed and
 * another one goes on record. */
static int
tell_name(struct auth *a, struct span user)
{
	struct stream *s = a->s;
	struct ipc_login_key m = {.user = user,
	    .algorithm = SPAN_LIT("none"),
	    .algorithms = span_str(s->algorithms),
	    .agent = span_str(s->v_c)};
	struct ipc_ssh_auth r;

	return ring_login_key(s->start->ring, &m, &r);
}

/* The first request of most clients: which methods are there?  No failure. */
static int
by_none(struct auth *a)
{
	a->failures--;
	return fail(a, span_of(NULL, 0), false);
}

static int
by_secret(struct auth *a, enum ssh_secret kind, struct span secret)
{
	struct stream *s = a->s;
	struct ipc_login_secret m = {
	    .user = span_str(s->user),
	    .kind = (uint8_t)kind,
	    .secret = secret,
	    .algorithms = span_str(s->algorithms),
	    .agent = span_str(s->v_c),
	};
	struct ipc_ssh_auth r;
	int rc = ring_login_secret(s->start->ring, &m, &r);

	return rc < 0 ? not_judged(a, rc) : judged(a, &r, span_of(NULL, 0), span_of(NULL, 0));
}

static int
answered(struct auth *a, struct span payload)
{
	struct span answer;
	int rc = ssh_get_info_response(payload, 1, &answer);

	a->s->phase = SSH_PHASE_AUTH;
	if (rc == SP_ESYNTAX) /* another number of answers: RFC 4256 section 3.4 */
		return fail(a, span_of(NULL, 0), false);
	if (rc < 0)
		return conn_disconnect(
		    a->s, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed answer to a question", rc);
	rc = by_secret(a, a->wants_code ? SSH_SECRET_CODE : SSH_SECRET_PROMPTED, answer);
	mem_wipe(a->s->link.in + (payload.ptr - a->s->link.in), payload.len);
	return rc;
}

static int
banner(struct auth *a)
{
	const char *text = a->s->start->conf->sftp_banner;
	struct wr w = conn_writer(a->s);
	char line[1100];
	struct text t = text_of(line, sizeof(line));

	if (a->banner_sent || strcmp(text, "none") == 0)
		return SP_OK;
	a->banner_sent = true;
	text_fmt(&t, "%s\r\n", text);
	ssh_put_userauth_banner(&w, text_span(&t));
	return conn_send(a->s, &w);
}

/* The name is that of the first request; the broker sees to it as well, and writes down who changes
 * it. */
static int
fix_user(struct auth *a, const struct ssh_userauth *u)
{
	struct stream *s = a->s;
	int rc = SP_OK;

	if (!s->has_user) {
		/* what no message can hold is nobody's name */
		if (u->user.len >= sizeof(s->user) || span_find(u->user, 0) != u->user.len) {
			rc = tell_name(a, span_of(NULL, 0));
			return conn_disconnect(s, SSH_DISCONNECT_ILLEGAL_USER_NAME,
			    "this is no user name", rc < 0 ? rc : SP_EAUTH);
		}
		memcpy(s->user, u->user.ptr, u->user.len);
		s->user[u->user.len] = '\0';
		s->has_user = true;
		/* the messages of these two say it */
		if (u->method != SSH_METHOD_PUBLICKEY && u->method != SSH_METHOD_PASSWORD)
			rc = tell_name(a, u->user);
		return rc == SP_OK || rc == SP_EAUTH ? SP_OK : not_judged(a, rc);
	}
	if (span_eq_str(u->user, s->user))
		return SP_OK;
	rc = tell_name(a, u->user);
	return conn_disconnect(s, SSH_DISCONNECT_ILLEGAL_USER_NAME, "the user name must not change",
	    rc < 0 ? rc : SP_EMISDIRECT);
}

static int
by_method(struct auth *a, const struct ssh_userauth *u)
{
	switch (u->method) {
	case SSH_METHOD_NONE:
		return by_none(a);
	case SSH_METHOD_PUBLICKEY:
		return by_key(a, u);
	case SSH_METHOD_PASSWORD:
		return u->changes ? fail(a, span_of(NULL, 0), false)
				  : by_secret(a, SSH_SECRET_PASSWORD, u->password);
	case SSH_METHOD_INTERACTIVE:
		return ask(a);
	default:
		return fail(a, span_of(NULL, 0), false);
	}
}

static int
request(struct auth *a, struct span payload)
{
	struct stream *s = a->s;
	struct ssh_userauth u;
	int rc = ssh_get_userauth(payload, &u);

	s->phase = SSH_PHASE_AUTH; /* a question that was open is given up */
	if (rc < 0)
		return conn_disconnect(
		    s, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed authentication request", rc);
	if (++a->requests > REQUESTS_MAX)
		return conn_limited(s, "authentication requests",
		    SSH_DISCONNECT_NO_MORE_AUTH_METHODS, "too many authentication requests",
		    SP_EAUTH);
	if (!span_eq_str(u.service, "ssh-connection"))
		return conn_disconnect(s, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    "there is no such service", SP_ENOROUTE);
	rc = fix_user(a, &u);
	if (rc == SP_OK)
		rc = banner(a);
	if (rc == SP_OK)
		rc = by_method(a, &u);
	if (u.method == SSH_METHOD_PASSWORD)
		mem_wipe(s->link.in + (payload.ptr - s->link.in), payload.len);
	return rc;
}

static int
service(struct stream *s, struct span payload)
{
	struct wr w = conn_writer(s);
	struct span name;
	int rc = ssh_get_service_request(payload, &name);

	if (rc < 0 || !span_eq_str(name, "ssh-userauth"))
		return conn_disconnect(s, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    "there is no such service", rc < 0 ? rc : SP_ENOROUTE);
	s->phase = SSH_PHASE_AUTH;
	ssh_put_service_accept(&w, name);
	return conn_send(s, &w);
}

int
auth_run(struct stream *s)
{
	struct auth a = {.s = s};
	int rc = SP_OK;

	while (rc == SP_OK && s->phase != SSH_PHASE_OPEN) {
		struct span p;

		rc = conn_next(s, &p);
		if (rc < 0)
			break;
		if (p.ptr[0] == SSH_MSG_SERVICE_REQUEST)
			rc = service(s, p);
		else if (p.ptr[0] == SSH_MSG_USERAUTH_INFO_RESPONSE)
			rc = answered(&a, p);
		else
			rc = request(&a, p);
	}
	return rc;
}
