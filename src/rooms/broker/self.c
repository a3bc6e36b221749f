/* self.c - SELF and ORG_GET. */
#include "rooms/broker/broker.h"

int
handle_self(struct broker *b, struct worker *w, struct span body)
{
	char name[65], full_name[256], email[256], language[17], notes[1025];
	struct ipc_self none;
	struct ipc_user m = {0};
	int err = ipc_get_self(body, &none);

	if (err != SP_OK)
		return err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_USER_BY_ID, SI(w->actor.user));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ESESSION;
		m.id = (uint64_t)sql_i64(&q);
		m.org = (uint64_t)sql_i64(&q);
		sql_text_of(&q, name, sizeof(name));
		sql_text_of(&q, full_name, sizeof(full_name));
		sql_text_of(&q, email, sizeof(email));
		m.level = (uint8_t)sql_i64(&q);
		m.status = (uint8_t)sql_i64(&q);
		m.home = (uint64_t)sql_i64(&q);
		m.quota = (uint64_t)sql_i64(&q);
		m.used = (uint64_t)sql_i64(&q);
		m.last_login_us = (uint64_t)sql_i64(&q);
		m.password_us = (uint64_t)sql_i64(&q);
		sql_text_of(&q, language, sizeof(language));
		sql_text_of(&q, notes, sizeof(notes));
	}
	m.name = span_str(name);
	m.full_name = span_str(full_name);
	m.email = span_str(email);
	m.language = span_str(language);
	m.notes = span_str(notes);
	REPLY(b, w->serial, USER, user, &m, -1);
	return SP_OK;
}

/* Before a login the first organisation is shown, on the login page; then one's own.  That there
 * are others is nobody's business. */
int
handle_org_get(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_org_get m;
	struct ipc_org out = {0};
	char name[65];
	int64_t id;
	int err = ipc_get_org_get(body, &m);

	if (err != SP_OK)
		return err;
	id = w->is_authed ? w->actor.org : 0;
	{
		DEFER(sql_end)
		struct sql q = sql_query(b->db, id != 0 ? SQL_ORG_BY_ID : SQL_ORG_NEXT, SI(id));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ENOORG;
		out.id = (uint64_t)sql_i64(&q);
		sql_text_of(&q, name, sizeof(name));
	}
	if (m.org != 0 && m.org != out.id)
		return SP_ENOORG;
	out.name = span_str(name);
	REPLY(b, w->serial, ORG, org, &out, -1);
	return SP_OK;
}
