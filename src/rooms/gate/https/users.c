/* users.c - who the caller is, and the organisation's public facts. */
#include "rooms/gate/https/model.h"
#include "rooms/gate/https/router.h"

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
