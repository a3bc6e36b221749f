/* own_session.c - SESSION_NEXT and SESSION_END: where somebody is logged in, and the end of it. Not
 * for API tokens: a script that was given one has no business with its owner's sessions. */
#include "rooms/broker/broker.h"

int
handle_session_next(struct broker *b, struct worker *w, struct span body)
{
	char address[65], agent[256];
	int64_t now_us = b->wall_us(), idle_us = b->start.conf.session_idle * 1000000;
	struct ipc_session_next m;
	struct ipc_session_row out = {0};
	int err = ipc_get_session_next(body, &m);

	if (err != SP_OK)
		return err;
	if (w->actor.token != 0)
		return SP_EPERM;
	{
		DEFER(sql_end)
		struct sql q = sql_query(b->db, SQL_SESSION_OWN_NEXT, SI(w->actor.user),
		    SI(m.after), SI(now_us), SI(now_us - idle_us));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		out.id = (uint64_t)sql_i64(&q);
		out.sftp = sql_i64(&q) != DOOR_HTTPS;
		out.bound = sql_i64(&q) != 0;
		out.created_us = (uint64_t)sql_i64(&q);
		out.used_us = (uint64_t)sql_i64(&q);
		out.end_us = (uint64_t)sql_i64(&q);
		sql_text_of(&q, address, sizeof(address));
		sql_text_of(&q, agent, sizeof(agent));
	}
	out.current = (int64_t)out.id == w->actor.session;
	out.address = span_str(address);
	out.agent = span_str(agent);
	REPLY(b, w->serial, SESSION_ROW, session_row, &out, -1);
	return SP_OK;
}

struct ending {
	struct op op;
	int64_t session;
};

/* Its other connections end now; what they have in hand is not finished. */
static void
ending_done(struct broker *b, struct op *op, const struct answer *a)
{
	const struct ending *e = (const struct ending *)op;

	if (a->err != SP_OK) {
		op_fail(b, op, a->err, 0);
		return;
	}
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (!w->is_dead && w->is_authed && w->serial != op->serial &&
		    w->actor.session == e->session)
			worker_end(b, w);
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static void
ending_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	const struct ending *e = (const struct ending *)op;
	int err = a->err == SP_OK ? sql_run(b->db, SQL_SESSION_REMOVE, SI(e->session)) : a->err;

	if (err != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_commit(b, op, ending_done);
}

/* is there such a session, of this user? */
static int
owned(struct broker *b, const struct worker *w, int64_t session)
{
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_SESSION_BY_ID, SI(session));
	int err = sql_step(&q);

	if (err != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	return sql_i64(&q) == w->actor.user ? SP_OK : SP_ENOTFOUND;
}

int
handle_session_end(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_session_end m;
	struct record rec;
	struct ending *e;
	int64_t session;
	int err = ipc_get_session_end(body, &m);

	if (err != SP_OK)
		return err;
	if (w->actor.token != 0)
		return SP_EPERM;
	session = m.session != 0 ? (int64_t)m.session : w->actor.session;
	if ((err = owned(b, w, session)) != SP_OK)
		return err;
	if ((e = op_new(b, w, sizeof(*e))) == NULL)
		return SP_EUNAVAIL;
	e->session = session;
	record_init(&rec, session == w->actor.session ? EVENT_LOGOUT : EVENT_SESSION_REVOKED,
	    &w->actor, w->serial);
	record_num(&rec, "session", session);
	if ((err = ledger_record(b, &e->op, &rec, ending_recorded)) != SP_OK)
		op_end(b, &e->op);
	return err;
}
