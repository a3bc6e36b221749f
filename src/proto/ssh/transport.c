/* transport.c - messages 1 to 49. */
#include "proto/ssh/message.h"

int
ssh_get_kexinit(struct span payload, struct ssh_kexinit *ret)
{
	struct ssh_kexinit m = {0};
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_KEXINIT, &r);

	if (rc < 0)
		return rc;
	m.cookie = rd_take(&r, SSH_COOKIE);
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++)
		m.list[i] = ssh_take_string(&r);
	m.first_follows = ssh_take_bool(&r);
	(void)ssh_take_u32(&r); /* "reserved for future extension": a future client may use it */
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++) {
		if (m.list[i].len > SSH_LIST_MAX)
			return SP_ERANGE;
		if (!ssh_list_ok(m.list[i]))
			return SP_ESYNTAX;
	}
	*ret = m;
	return SP_OK;
}

void
ssh_put_kexinit(struct wr *w, const struct ssh_kexinit *m)
{
	PRECOND(m->cookie.len == SSH_COOKIE);
	wr_uint(w, SSH_MSG_KEXINIT, 1);
	wr_bytes(w, m->cookie);
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++)
		ssh_put_string(w, m->list[i]);
	wr_uint(w, m->first_follows, 1);
	wr_uint(w, 0, 4);
}

/* A message of one string. */
static int
get_one_string(struct span payload, enum ssh_msg number, struct span *ret)
{
	struct span s;
	struct rd r;
	int rc = ssh_msg_begin(payload, number, &r);

	if (rc < 0)
		return rc;
	s = ssh_take_string(&r);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	*ret = s;
	return SP_OK;
}

int
ssh_get_ecdh_init(struct span payload, struct span *ret_q_c)
{
	return get_one_string(payload, SSH_MSG_KEX_ECDH_INIT, ret_q_c);
}

void
ssh_put_ecdh_reply(struct wr *w, struct span k_s, struct span q_s, struct span signature)
{
	wr_uint(w, SSH_MSG_KEX_ECDH_REPLY, 1);
	ssh_put_string(w, k_s);
	ssh_put_string(w, q_s);
	ssh_put_string(w, signature);
}

int
ssh_get_newkeys(struct span payload)
{
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_NEWKEYS, &r);

	return rc < 0 ? rc : ssh_msg_end(&r);
}

int
ssh_get_service_request(struct span payload, struct span *ret_name)
{
	struct span name;
	int rc = get_one_string(payload, SSH_MSG_SERVICE_REQUEST, &name);

	if (rc < 0)
		return rc;
	if (name.len > SSH_NAME_MAX)
		return SP_ERANGE;
	*ret_name = name;
	return SP_OK;
}

void
ssh_put_service_accept(struct wr *w, struct span name)
{
	wr_uint(w, SSH_MSG_SERVICE_ACCEPT, 1);
	ssh_put_string(w, name);
}

void
ssh_put_ext_info(struct wr *w, const struct span *pairs, size_t n_pairs)
{
	PRECOND(n_pairs <= UINT32_MAX / 2);
	wr_uint(w, SSH_MSG_EXT_INFO, 1);
	wr_uint(w, n_pairs, 4);
	for (size_t i = 0; i < 2 * n_pairs; i++)
		ssh_put_string(w, pairs[i]);
}

int
ssh_get_disconnect(struct span payload, struct ssh_disconnect_msg *ret)
{
	struct ssh_disconnect_msg m;
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_DISCONNECT, &r);

	if (rc < 0)
		return rc;
	m.reason = ssh_take_u32(&r);
	m.description = ssh_take_string(&r);
	(void)ssh_take_string(&r); /* language */
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	*ret = m;
	return SP_OK;
}

void
ssh_put_disconnect(struct wr *w, uint32_t reason, struct span description)
{
	wr_uint(w, SSH_MSG_DISCONNECT, 1);
	wr_uint(w, reason, 4);
	ssh_put_string(w, description);
	ssh_put_string(w, SPAN_LIT("")); /* language */
}

void
ssh_put_unimplemented(struct wr *w, uint32_t seq)
{
	wr_uint(w, SSH_MSG_UNIMPLEMENTED, 1);
	wr_uint(w, seq, 4);
}

void
ssh_put_ignore(struct wr *w, struct span data)
{
	wr_uint(w, SSH_MSG_IGNORE, 1);
	ssh_put_string(w, data);
}
