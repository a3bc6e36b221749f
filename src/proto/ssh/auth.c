/* auth.c - messages 50 to 79: RFC 4252, RFC 4256. */
#include "proto/ssh/message.h"

static void
get_none(struct rd *r, struct ssh_userauth *m)
{
	(void)r; /* RFC 4252 section 5.2: nothing follows */
	(void)m;
}

static void
get_publickey(struct rd *r, struct ssh_userauth *m)
{
	m->has_signature = ssh_take_bool(r);
	m->algorithm = ssh_take_string(r);
	m->key = ssh_take_string(r);
	if (m->has_signature)
		m->signature = ssh_take_string(r);
}

static void
get_password(struct rd *r, struct ssh_userauth *m)
{
	m->changes = ssh_take_bool(r);
	m->password = ssh_take_string(r);
	if (m->changes)
		(void)ssh_take_string(r); /* the new one: changing is not offered */
}

static void
get_interactive(struct rd *r, struct ssh_userauth *m)
{
	(void)ssh_take_string(r); /* language: deprecated, RFC 4256 section 3.1 */
	m->submethods = ssh_take_string(r);
}

static const struct method {
	const char *name;
	enum ssh_method method;
	void (*get)(struct rd *r, struct ssh_userauth *m);
} methods[] = {
    {"none", SSH_METHOD_NONE, get_none},
    {"publickey", SSH_METHOD_PUBLICKEY, get_publickey},
    {"password", SSH_METHOD_PASSWORD, get_password},
    {"keyboard-interactive", SSH_METHOD_INTERACTIVE, get_interactive},
};

static void
get_method(struct rd *r, struct ssh_userauth *m)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (span_eq_str(m->method_name, methods[i].name)) {
			m->method = methods[i].method;
			methods[i].get(r, m);
			return;
		}
	m->method = SSH_METHOD_OTHER;
	(void)ssh_take_rest(r);
}

int
ssh_get_userauth(struct span payload, struct ssh_userauth *ret)
{
	struct span none = span_of(NULL, 0);
	struct ssh_userauth m = {.algorithm = none,
	    .key = none,
	    .signature = none,
	    .password = none,
	    .submethods = none};
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_USERAUTH_REQUEST, &r);

	if (rc < 0)
		return rc;
	m.user = ssh_take_string(&r);
	m.service = ssh_take_string(&r);
	m.method_name = ssh_take_string(&r);
	get_method(&r, &m);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	if (m.user.len > SSH_USER_MAX || m.service.len > SSH_NAME_MAX ||
	    m.method_name.len > SSH_NAME_MAX || m.algorithm.len > SSH_NAME_MAX)
		return SP_ERANGE;
	*ret = m;
	return SP_OK;
}

void
ssh_userauth_signed(struct wr *w, struct span session, struct span user, struct span service,
    struct span algorithm, struct span key)
{
	ssh_put_string(w, session);
	wr_uint(w, SSH_MSG_USERAUTH_REQUEST, 1);
	ssh_put_string(w, user);
	ssh_put_string(w, service);
	ssh_put_string(w, SPAN_LIT("publickey"));
	wr_uint(w, true, 1);
	ssh_put_string(w, algorithm);
	ssh_put_string(w, key);
}

void
ssh_put_userauth_failure(struct wr *w, struct span names, bool partial)
{
	wr_uint(w, SSH_MSG_USERAUTH_FAILURE, 1);
	ssh_put_string(w, names);
	wr_uint(w, partial, 1);
}

void
ssh_put_userauth_success(struct wr *w)
{
	ssh_put_number(w, SSH_MSG_USERAUTH_SUCCESS);
}

void
ssh_put_userauth_banner(struct wr *w, struct span text)
{
	wr_uint(w, SSH_MSG_USERAUTH_BANNER, 1);
	ssh_put_string(w, text);
	ssh_put_string(w, SPAN_LIT("")); /* language */
}

void
ssh_put_pk_ok(struct wr *w, struct span algorithm, struct span key)
{
	wr_uint(w, SSH_MSG_USERAUTH_PK_OK, 1);
	ssh_put_string(w, algorithm);
	ssh_put_string(w, key);
}

void
ssh_put_info_request(
    struct wr *w, struct span name, struct span instruction, struct span prompt, bool echo)
{
	wr_uint(w, SSH_MSG_USERAUTH_INFO_REQUEST, 1);
	ssh_put_string(w, name);
	ssh_put_string(w, instruction);
	ssh_put_string(w, SPAN_LIT("")); /* language */
	wr_uint(w, prompt.len != 0, 4);
	if (prompt.len == 0) /* section 3.2: "the prompt field(s) MUST NOT be empty strings" */
		return;
	ssh_put_string(w, prompt);
	wr_uint(w, echo, 1);
}

int
ssh_get_info_response(struct span payload, uint32_t n, struct span *ret_answer)
{
	struct span answer = span_of(NULL, 0);
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_USERAUTH_INFO_RESPONSE, &r);

	PRECOND(n <= 1);
	if (rc < 0)
		return rc;
	if (ssh_take_u32(&r) != n && !r.bad)
		return SP_ESYNTAX;
	if (n == 1)
		answer = ssh_take_string(&r);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	*ret_answer = answer;
	return SP_OK;
}
