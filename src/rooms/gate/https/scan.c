/* scan.c - see scan.h. */
#include "rooms/gate/https/scan.h"

#include "proto/http/scanner.h"
#include "rooms/gate/https/router.h"
#include "sys/log.h"

#define REQUEST_TEXT_MAX 255u /* CONTACT.request */

/* What browsers and clients of the API ask for without an evil thought. */
static bool
is_innocent(struct span path)
{
	static const char *const whole[] = {"/favicon.ico", "/robots.txt", "/index.html"};
	static const char *const begin[] = {"/api/", "/.well-known/", "/apple-touch-icon"};

	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (span_eq_str(path, whole[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		if (span_starts(path, span_str(begin[i])))
			return true;
	return false;
}

/* Is the target one of ours, with whatever method? */
static bool
is_ours(const struct conn *c, struct span *ret_path)
{
	const struct route *route;
	struct span query, param[ROUTE_PARAMS_MAX];

	return http_target(&c->head, ret_path, &query) == SP_OK &&
	       router_find(c->listener, c->head.method, *ret_path, &route, param) != SP_ENOROUTE;
}

/* errors that only a broken request ends with */
static bool
is_broken(int err)
{
	return err == SP_ESYNTAX || err == SP_EVERSION || err == SP_EURILONG || err == SP_EHDRLONG;
}

/* Any page can make its visitors' browsers ask us for an exploit, and their address would pay for
 * it; browsers say so.  A scanner that says so, too, has weak proof against it, and pays more
 * slowly. */
static bool
is_cross_site(const struct conn *c)
{
	struct span v;

	return http_single(&c->head, "Sec-Fetch-Site", &v) == 1 &&
	       (span_ieq_str(v, "cross-site") || span_ieq_str(v, "same-site"));
}

struct scan
scan_judge(const struct conn *c, int err)
{
	struct scan none = {.probe = span_of(NULL, 0)}, s = none;
	struct span path = span_of(NULL, 0);
	struct probe_request r;
	struct probe p = {.id = span_of(NULL, 0)};

	if (c->route != NULL || (err != SP_ENOROUTE && !is_broken(err)))
		return none;
	if (err != SP_ENOROUTE)
		s.kind = CONTACT_BAD_REQUEST;
	if (!c->parsed || is_ours(c, &path))
		return s;
	probe_request_of(&r, &c->head, span_of(c->in + c->head_len, c->have - c->head_len));
	if (probe_scan(&r, *c->probes, &p) && !is_cross_site(c))
		return (struct scan){CONTACT_PROBE, p.id};
	if (p.id.len != 0)
		return (struct scan){CONTACT_CROSS_SITE, none.probe};
	if (err == SP_ENOROUTE && !is_innocent(path))
		s.kind = CONTACT_UNKNOWN_PATH;
	return s;
}

void
scan_report(struct conn *c, int err)
{
	struct ipc_contact m = {.agent = span_str(c->agent), .request = span_of(NULL, 0)};
	struct ipc_done done;
	struct scan s;

	if (c->probes == NULL || c->contacts == CONTACTS_MAX || c->token_len != 0 || c->ring->dead)
		return;
	s = scan_judge(c, err);
	if (s.kind == 0)
		return;
	m.kind = s.kind;
	m.probe = s.probe;
	if (c->parsed && utf8_valid(c->head.target))
		m.request = span_cut(c->head.target, REQUEST_TEXT_MAX);
	c->contacts++;
	if (ring_contact(c->ring, &m, &done) < 0)
		log_debug("%s: a scanner is not on record", c->address);
}
