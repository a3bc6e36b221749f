/* users.c - who the caller is, and the organisation's public facts. */
#include "rooms/gate/https/json_body.h"
#include "rooms/gate/https/model.h"
#include "rooms/gate/https/router.h"

#define PASSWORD_MAX 1024u /* bytes; the broker takes no longer ones */

int
users_self_get(struct conn *c)
{
	struct ipc_self m = {0};
	struct ipc_user u;
	int rc = ring_self(c->ring, &m, &u);

	if (rc < 0)
		return rc;
	reply_begin(c, 200);
	model_user(reply_json(c), &u);
	return reply_send(c);
}

/* A member that is a secret, as text. */
static int
secret_member(const json_t *body, const char *name, struct span *ret)
{
	const json_t *v = json_member(body, name);

	if (!json_is_string(v))
		return SP_ESYNTAX;
	*ret = span_of((const uint8_t *)json_string_value(v), json_string_length(v));
	return SP_OK;
}

static void
wipe_member(const json_t *body, const char *name)
{
	const json_t *v = json_member(body, name);

	if (json_is_string(v))
		mem_wipe((void *)(uintptr_t)json_string_value(v), json_string_length(v));
}

/* MOVEit changes all kinds of things of a user here; its own password is what is here. */
int
users_self_patch(struct conn *c)
{
	DEFER(json_body_done) json_t *body = NULL;
	struct ipc_password_set m;
	struct ipc_done done;
	int rc = json_body(c, &body);

	if (rc < 0)
		return rc;
	if (secret_member(body, "currentPassword", &m.current) < 0 ||
	    secret_member(body, "password", &m.next) < 0)
		return reply_problem(
		    c, SP_ESYNTAX, "currentPassword and password are needed, both as text");
	rc = m.current.len > PASSWORD_MAX || m.next.len > PASSWORD_MAX
		 ? SP_EWEAKPASS
		 : ring_password_set(c->ring, &m, &done);
	wipe_member(body, "currentPassword");
	wipe_member(body, "password");
	ring_wipe(c->ring);
	if (rc == SP_EAUTH) /* 401 would say that the session is over */
		return reply_problem(c, SP_EPERM, "the current password is wrong");
	return rc < 0 ? rc : users_self_get(c);
}

int
info_get(struct conn *c)
{
	struct ipc_org_get m = {0};
	struct ipc_org o;
	uint8_t id[24];
	int n = query_str(c, "orgId", id, sizeof(id));
	int rc = n < 0 ? n : SP_OK;

	/* MOVEit's default is -1: not said */
	if (n > 0 && !span_eq_str(span_of(id, (size_t)n), "-1"))
		rc = parse_u64(span_of(id, (size_t)n), INT64_MAX, &m.org);
	if (rc == SP_OK)
		rc = ring_org_get(c->ring, &m, &o);
	if (rc < 0)
		return rc;
	reply_begin(c, 200);
	model_org(reply_json(c), &o);
	return reply_send(c);
}
