/* admin.c - the administration listener: measurements and health. */
#include "rooms/gate/https/router.h"

static int
report(struct conn *c, uint8_t what, const char *type)
{
	struct ipc_report m = {.what = what};
	struct ipc_report_text r;
	int rc = ring_report(c->ring, &m, &r);

	if (rc < 0)
		return rc;
	reply_begin(c, r.healthy ? 200 : 503);
	reply_field(c, "Content-Type", "%s", type);
	text_add(&c->reply.body, r.text);
	return reply_send(c);
}

int
metrics_get(struct conn *c)
{
	return report(c, 0, "text/plain; version=0.0.4; charset=utf-8");
}

int
health_get(struct conn *c)
{
	return report(c, 1, "application/json; charset=utf-8");
}
