/* router.h - method and path to handler: the rows of routes.def. */
#ifndef SP_GATE_HTTPS_ROUTER_H
#define SP_GATE_HTTPS_ROUTER_H

#include "rooms/gate/https/conn.h"

enum { LISTENER_PUBLIC = 0, LISTENER_ADMIN = 1 };
struct route {
	const char *method, *pattern;
	unsigned listener;
	bool bearer; /* needs a proved bearer token */
	int (*handler)(struct conn *c);
	const char *summary;
};

/* router_find - the route of a request.
 *   path       as received: percent-encoded, begins with '/'
 *   ret_param  the parts that stand for {name} in the pattern, in order; {name...} takes all the
 * rest with its leading '/' errors     SP_ENOROUTE; SP_EMETHOD: the path exists, not with this
 * method Literal parts are compared without case, and one trailing slash is ignored, as MOVEit's
 * clients expect.  HEAD finds the route of GET. */
int router_find(unsigned listener, struct span method, struct span path, const struct route **ret,
    struct span ret_param[ROUTE_PARAMS_MAX]) MUST_USE;

/* router_is_tus - is it an address of resumable uploads, whose every reply says Tus-Resumable?
 * NULL: no. */
bool router_is_tus(const struct route *r);
/* router_allow - the methods of a path, for Allow: "GET, HEAD, PUT, OPTIONS", which every path has,
 * with a row of its own or not.  t begins empty. */
void router_allow(unsigned listener, struct span path, struct text *t);

#define ROUTE(method, pattern, listener, auth, handler, summary)                                   \
	int handler(struct conn *c) MUST_USE;
#include "rooms/gate/https/routes.def"
#undef ROUTE
#endif
