/* openapi.c - GET /api/v1/openapi.json: for those who are logged in, for it names the product. */
#include "rooms/gate/https/openapi.h"

#include "rooms/gate/https/router.h"

int
openapi_get(struct conn *c)
{
	int rc;

	reply_begin(c, 200);
	reply_field(c, "Content-Type", "application/json; charset=utf-8");
	rc = reply_send_head(c, openapi_document.len);
	return rc < 0 || c->head_method ? rc : conn_write(c, openapi_document);
}
