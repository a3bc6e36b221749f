/* token.c - POST /token and /token/revoke: errors in OAuth's form (RFC 6749 section 5.2). */
#include "rooms/gate/https/router.h"
#include "rooms/gate/https/session.h"

#define FORM_MAX 8192u /* bytes of a token request */

static int
oauth_error(struct conn *c, int status, const char *error, int err)
{
	const struct sp_err_row *row = sp_err_row(err);
	const char *text = c->ring->fault.detail[0] != '\0' ? c->ring->fault.detail : row->text;
	struct json *j;

	reply_begin(c, status);
	if (c->ring->fault.retry_after != 0)
		reply_field(c, "Retry-After", "%u", c->ring->fault.retry_after);
	reply_field(c, "Content-Type", "application/json; charset=utf-8");
	c->reply.json = json_of(&c->reply.body);
	j = &c->reply.json;
	json_open(j, '{');
	json_kstr(j, "error", span_str(error));
	json_kstr(j, "error_description", span_str(text));
	json_ku64(j, "error_code", (uint64_t)row->moveit);
	json_close(j, '}');
	return reply_send(c);
}

/* The password was right, and the account has a second factor: MOVEit's RequestTokenMfaError.  Only
 * codes of an authenticator app are there. */
static int
code_required(struct conn *c)
{
	const struct sp_err_row *row = sp_err_row(SP_ENEEDCODE);
	const struct ipc_ticket_get ask = {0};
	struct ipc_ticket t;
	struct json *j;
	int rc = ring_ticket_get(c->ring, &ask, &t); /* without one the password is sent again */

	reply_begin(c, 401);
	reply_field(c, "Content-Type", "application/json; charset=utf-8");
	c->reply.json = json_of(&c->reply.body);
	j = &c->reply.json;
	json_open(j, '{');
	json_kstr(j, "error", SPAN_LIT("mfa_required"));
	json_kstr(j, "error_description", span_str(row->text));
	json_ku64(j, "error_code", (uint64_t)row->moveit);
	if (rc == SP_OK)
		json_kstr(j, "mfa_access_token", t.ticket);
	json_key(j, "mfa_supported_methods");
	json_open(j, '{');
	json_kbool(j, "is_mfa_authenticator_enabled", true);
	json_kbool(j, "is_mfa_email_enabled", false);
	json_close(j, '}');
	json_close(j, '}');
	rc = reply_send(c);
	ring_wipe(c->ring);
	return rc;
}

/* A grant that failed: what the client did wrong is 400, as MOVEit says it; what we could not do is
 * said as it is. */
static int
grant_failed(struct conn *c, int err)
{
	switch (err) {
	case SP_ENEEDCODE:
		return code_required(c);
	case SP_EAUTH:
	case SP_ESESSION:
		return oauth_error(c, 400, "invalid_grant", err);
	case SP_ESYNTAX:
	case SP_ERANGE:
	case SP_ETOOBIG:
	case SP_ESPACE:
		return oauth_error(c, 400, "invalid_request", SP_ESYNTAX);
	case SP_ENOTIMPL:
		return oauth_error(c, 400, "unsupported_grant_type", err);
	case SP_EMISDIRECT:
		c->keep = false;
		return oauth_error(c, 421, "invalid_request", err);
	case SP_EPROOF: /* RFC 9449 sections 5 and 8 */
	case SP_ENONCE:
		session_nonce(c);
		return oauth_error(
		    c, 400, err == SP_ENONCE ? "use_dpop_nonce" : "invalid_dpop_proof", err);
	case SP_ELOCKOUT:
		return oauth_error(c, 429, "temporarily_unavailable", err);
	default:
		return oauth_error(c, sp_err_row(err)->http >= 500 ? sp_err_row(err)->http : 400,
		    "temporarily_unavailable", err);
	}
}

static int
granted(struct conn *c, const struct ipc_session *s)
{
	struct json *j;
	int rc;

	reply_begin(c, 200);
	j = reply_json(c);
	json_open(j, '{');
	json_kstr(j, "access_token", s->access);
	json_kstr(j, "token_type", SPAN_LIT("bearer"));
	json_ku64(j, "expires_in", s->expires_s);
	json_kstr(j, "refresh_token", s->refresh);
	json_close(j, '}');
	rc = reply_send(c);
	ring_wipe(c->ring);
	return rc;
}

/* The same to a browser: the token goes into a cookie, and its script gets the hash that its proofs
 * have to name. */
static int
granted_browser(struct conn *c, const struct ipc_session *s)
{
	uint8_t hash[SHA256_BYTES];
	char ath[48];
	struct text t = text_of(ath, sizeof(ath));
	struct json *j;
	int rc = sha256(s->access, hash);

	if (rc < 0)
		return rc;
	base64url_put(&t, span_of(hash, sizeof(hash)));
	reply_begin(c, 200);
	text_str(reply_text(c), "Set-Cookie: " SESSION_COOKIE "=");
	text_add(reply_text(c), s->access);
	text_str(reply_text(c), "; Path=/; Secure; HttpOnly; SameSite=Strict\r\n");
	j = reply_json(c);
	json_open(j, '{');
	json_kstr(j, "token_type", SPAN_LIT("DPoP"));
	json_ku64(j, "expires_in", s->expires_s);
	json_kstr(j, "ath", text_span(&t));
	json_close(j, '}');
	rc = reply_send(c);
	ring_wipe(c->ring);
	return rc;
}

/* A required field of the form: its length, or an error. */
static int
form_need(struct span form, const char *name, uint8_t *out, size_t cap)
{
	int n = http_form_get(form, name, out, cap);

	return n == HTTP_FORM_NONE || n == 0 ? SP_ESYNTAX : n;
}

static int
grant_password(
    struct conn *c, struct span form, const struct session_proof *proof, struct ipc_session *ret)
{
	uint8_t user[255], password[1024], org[24], code[16];
	struct ipc_login_password m = {.agent = span_str(c->agent),
	    .proof = proof->jwt,
	    .method = proof->method,
	    .url = proof->url};
	int n = form_need(form, "username", user, sizeof(user));
	int k = form_need(form, "password", password, sizeof(password));
	int o = http_form_get(form, "orgId", org, sizeof(org));
	int t = http_form_get(form, "otp", code, sizeof(code));
	int rc = n < 0 ? n : k < 0 ? k : SP_OK;

	if (rc == SP_OK && t < 0 && t != HTTP_FORM_NONE)
		rc = t;

	if (rc == SP_OK && o > 0 && !span_eq_str(span_of(org, (size_t)o), "-1"))
		rc = parse_u64(span_of(org, (size_t)o), INT64_MAX, &m.org);
	if (rc == SP_OK) {
		m.user = span_of(user, (size_t)n);
		m.password = span_of(password, (size_t)k);
		m.code = span_of(code, t > 0 ? (size_t)t : 0);
		rc = ring_login_password(c->ring, &m, ret);
	}
	mem_wipe(password, sizeof(password));
	mem_wipe(code, sizeof(code));
	return rc;
}

/* The second half of a login whose password was right: MOVEit's grant "otp". */
static int
grant_otp(
    struct conn *c, struct span form, const struct session_proof *proof, struct ipc_session *ret)
{
	uint8_t ticket[255], code[16];
	struct ipc_login_ticket m = {.agent = span_str(c->agent),
	    .proof = proof->jwt,
	    .method = proof->method,
	    .url = proof->url};
	int n = form_need(form, "mfa_access_token", ticket, sizeof(ticket));
	int k = form_need(form, "otp", code, sizeof(code));
	int rc = n < 0 ? n : k < 0 ? k : SP_OK;

	if (rc == SP_OK) {
		m.ticket = span_of(ticket, (size_t)n);
		m.code = span_of(code, (size_t)k);
		rc = ring_login_ticket(c->ring, &m, ret);
	}
	mem_wipe(ticket, sizeof(ticket));
	mem_wipe(code, sizeof(code));
	return rc;
}

static int
grant_refresh(struct conn *c, struct span form, struct ipc_session *ret)
{
	uint8_t token[255];
	struct ipc_token_refresh m = {.agent = span_str(c->agent)};
	int n = form_need(form, "refresh_token", token, sizeof(token));
	int rc = n;

	if (n > 0) {
		m.token = span_of(token, (size_t)n);
		rc = ring_token_refresh(c->ring, &m, ret);
	}
	mem_wipe(token, sizeof(token));
	return rc;
}

/* Is it a browser that wants its session in a cookie?  Then it says who holds the key. */
static int
form_proof(struct conn *c, struct span form, bool *ret_browser, struct session_proof *ret)
{
	uint8_t value[8];
	int n = http_form_get(form, "cookie", value, sizeof(value));

	*ret_browser = n != HTTP_FORM_NONE;
	if (!*ret_browser)
		return SP_OK;
	if (n < 0 || !span_eq_str(span_of(value, (size_t)n), "1"))
		return SP_ESYNTAX;
	return session_proof_get(c, ret);
}

/* proof NULL: not a browser, whose session is not renewed */
static int
grant_any(struct conn *c, struct span form, struct span kind, const struct session_proof *proof,
    struct ipc_session *ret)
{
	const struct span no = span_of(NULL, 0);
	struct session_proof none = {.jwt = no, .method = no, .url = no};

	if (span_eq_str(kind, "password"))
		return grant_password(c, form, proof != NULL ? proof : &none, ret);
	if (span_eq_str(kind, "otp"))
		return grant_otp(c, form, proof != NULL ? proof : &none, ret);
	if (span_eq_str(kind, "refresh_token") && proof == NULL)
		return grant_refresh(c, form, ret);
	return SP_ENOTIMPL;
}

int
token_post(struct conn *c)
{
	struct session_proof proof;
	bool is_browser = false;
	uint8_t form[FORM_MAX], grant[32];
	struct ipc_session s;
	int64_t len = body_all(c, form, sizeof(form));
	struct span f = span_of(form, len > 0 ? (size_t)len : 0);
	int n, rc;

	if (len == SP_ETIMEOUT || len == SP_ECLOSED) {
		mem_wipe(form, sizeof(form));
		return (int)len;
	}
	n = len < 0 ? (int)len : form_need(f, "grant_type", grant, sizeof(grant));
	rc = n < 0 ? n : form_proof(c, f, &is_browser, &proof);
	if (rc == SP_OK)
		rc = grant_any(c, f, span_of(grant, (size_t)n), is_browser ? &proof : NULL, &s);
	mem_wipe(form, sizeof(form));
	c->token_len = 0; /* which token is proved on this connection is the broker's to say anew */
	if (rc < 0)
		return grant_failed(c, rc);
	return is_browser ? granted_browser(c, &s) : granted(c, &s);
}

static int
revoked(struct conn *c, int status, const char *message)
{
	struct json *j;

	reply_begin(c, status);
	if (status == 401)
		reply_field(c, "WWW-Authenticate", "Bearer realm=\"api\"");
	reply_field(c, "Content-Type", "application/json; charset=utf-8");
	c->reply.json = json_of(&c->reply.body);
	j = &c->reply.json;
	json_open(j, '{');
	json_kstr(j, "message", span_str(message));
	json_close(j, '}');
	return reply_send(c);
}

int
token_revoke_post(struct conn *c)
{
	uint8_t form[FORM_MAX], token[255];
	struct ipc_token_revoke m;
	struct ipc_done done;
	int64_t len = body_all(c, form, sizeof(form));
	int n, rc;

	if (len == SP_ETIMEOUT || len == SP_ECLOSED)
		return (int)len;
	n = len < 0 ? (int)len
		    : form_need(span_of(form, (size_t)len), "token", token, sizeof(token));
	rc = n;
	if (n > 0) {
		m.token = span_of(token, (size_t)n);
		rc = ring_token_revoke(c->ring, &m, &done);
	}
	mem_wipe(form, sizeof(form));
	mem_wipe(token, sizeof(token));
	c->token_len = 0;
	if (rc == SP_OK)
		return revoked(c, 200, "The token was revoked.");
	if (rc == SP_EAUTH || rc == SP_ESESSION)
		return revoked(c, 401, "The token is not valid.");
	return rc;
}
