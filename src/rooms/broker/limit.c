/* limit.c - LIMIT_HIT: a connection ends because of a limit that its worker counts. */
#include "base/text.h"
#include "rooms/broker/broker.h"

/* Whose connection it is: after the login the account, before it the name that was tried. */
static struct actor
limited_actor(const struct worker *w)
{
	struct span name = ssh_tried_name(w);
	struct actor a = w->actor;

	a.listener = w->listener;
	if (!w->is_authed && name.len != 0 && utf8_valid(name))
		(void)memccpy(a.name, name.ptr, '\0', name.len < 64 ? name.len : 64);
	return a;
}

/* On record like a failed login: a stranger cannot fill the log, and neither can a worker that
 * lies: a connection ends once. */
int
handle_limit_hit(struct broker *b, struct worker *w, struct span body)
{
	const struct ipc_done done = {0};
	struct ipc_limit_hit m;
	struct actor a = limited_actor(w);
	struct record rec;
	int err = ipc_get_limit_hit(body, &m);

	if (err != SP_OK)
		return err;
	if (w->is_limited)
		return SP_EDENIEDMSG;
	w->is_limited = true;
	if (w->is_authed || flood_admit(b, a.address)) {
		record_init(&rec, EVENT_LIMIT, &a, w->serial);
		record_text(&rec, "limit", m.limit);
		record_text(&rec, "reason", m.detail);
		ledger_note(b, &rec);
	}
	REPLY(b, w->serial, DONE, done, &done, -1);
	return SP_OK;
}
