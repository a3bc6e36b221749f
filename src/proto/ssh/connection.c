/* connection.c - messages 80 to 127: RFC 4254. */
#include "proto/ssh/message.h"

int
ssh_get_global_request(struct span payload, struct ssh_global_request *ret)
{
	struct ssh_global_request m;
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_GLOBAL_REQUEST, &r);

	if (rc < 0)
		return rc;
	m.name = ssh_take_string(&r);
	m.want_reply = ssh_take_bool(&r);
	m.rest = ssh_take_rest(&r);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	if (m.name.len > SSH_NAME_MAX)
		return SP_ERANGE;
	*ret = m;
	return SP_OK;
}

void
ssh_put_global_request(struct wr *w, struct span name, bool want_reply)
{
	wr_uint(w, SSH_MSG_GLOBAL_REQUEST, 1);
	ssh_put_string(w, name);
	wr_uint(w, want_reply, 1);
}

void
ssh_put_number(struct wr *w, enum ssh_msg number)
{
	PRECOND(number == SSH_MSG_NEWKEYS || number == SSH_MSG_USERAUTH_SUCCESS ||
		number == SSH_MSG_REQUEST_SUCCESS || number == SSH_MSG_REQUEST_FAILURE);
	wr_uint(w, number, 1);
}

int
ssh_get_channel_open(struct span payload, struct ssh_channel_open *ret)
{
	struct ssh_channel_open m;
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_CHANNEL_OPEN, &r);

	if (rc < 0)
		return rc;
	m.type = ssh_take_string(&r);
	m.peer = ssh_take_u32(&r);
	m.window = ssh_take_u32(&r);
	m.packet_max = ssh_take_u32(&r);
	m.rest = span_of(NULL, 0);
	if (!span_eq_str(m.type, "session"))
		m.rest = ssh_take_rest(&r);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	if (m.type.len > SSH_NAME_MAX)
		return SP_ERANGE;
	*ret = m;
	return SP_OK;
}

void
ssh_put_open_confirmation(
    struct wr *w, uint32_t peer, uint32_t own, uint32_t window, uint32_t packet_max)
{
	wr_uint(w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 1);
	wr_uint(w, peer, 4);
	wr_uint(w, own, 4);
	wr_uint(w, window, 4);
	wr_uint(w, packet_max, 4);
}

void
ssh_put_open_failure(struct wr *w, uint32_t peer, uint32_t reason, struct span text)
{
	wr_uint(w, SSH_MSG_CHANNEL_OPEN_FAILURE, 1);
	wr_uint(w, peer, 4);
	wr_uint(w, reason, 4);
	ssh_put_string(w, text);
	ssh_put_string(w, SPAN_LIT("")); /* language */
}

int
ssh_get_channel_msg(struct span payload, struct ssh_channel_msg *ret)
{
	struct ssh_channel_msg m = {.data = span_of(NULL, 0)};
	struct rd r = rd_of(payload);
	unsigned number = (unsigned)rd_uint(&r, 1);
	int rc;

	m.channel = ssh_take_u32(&r);
	switch (number) {
	case SSH_MSG_CHANNEL_WINDOW_ADJUST:
		m.adjust = ssh_take_u32(&r);
		break;
	case SSH_MSG_CHANNEL_EXTENDED_DATA:
		m.data_type = ssh_take_u32(&r);
		m.data = ssh_take_string(&r);
		break;
	case SSH_MSG_CHANNEL_DATA:
		m.data = ssh_take_string(&r);
		break;
	case SSH_MSG_CHANNEL_EOF:
	case SSH_MSG_CHANNEL_CLOSE:
	case SSH_MSG_CHANNEL_SUCCESS:
	case SSH_MSG_CHANNEL_FAILURE:
		break;
	default:
		return payload.len == 0 ? SP_ESHORT : SP_ESYNTAX;
	}
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	*ret = m;
	return SP_OK;
}

int
ssh_get_channel_request(struct span payload, struct ssh_channel_request *ret)
{
	struct ssh_channel_request m;
	struct rd r;
	int rc = ssh_msg_begin(payload, SSH_MSG_CHANNEL_REQUEST, &r);

	if (rc < 0)
		return rc;
	m.channel = ssh_take_u32(&r);
	m.type = ssh_take_string(&r);
	m.want_reply = ssh_take_bool(&r);
	m.rest = ssh_take_rest(&r);
	rc = ssh_msg_end(&r);
	if (rc < 0)
		return rc;
	if (m.type.len > SSH_NAME_MAX)
		return SP_ERANGE;
	*ret = m;
	return SP_OK;
}

int
ssh_get_request_string(const struct ssh_channel_request *m, struct span *ret)
{
	struct rd r = rd_of(m->rest);
	struct span s = ssh_take_string(&r);
	int rc = ssh_msg_end(&r);

	if (rc < 0)
		return rc;
	*ret = s;
	return SP_OK;
}

void
ssh_put_window_adjust(struct wr *w, uint32_t peer, uint32_t n)
{
	wr_uint(w, SSH_MSG_CHANNEL_WINDOW_ADJUST, 1);
	wr_uint(w, peer, 4);
	wr_uint(w, n, 4);
}

void
ssh_put_data_head(struct wr *w, uint32_t peer, uint32_t len)
{
	wr_uint(w, SSH_MSG_CHANNEL_DATA, 1);
	wr_uint(w, peer, 4);
	wr_uint(w, len, 4);
}

void
ssh_put_extended_data(struct wr *w, uint32_t peer, uint32_t type, struct span data)
{
	wr_uint(w, SSH_MSG_CHANNEL_EXTENDED_DATA, 1);
	wr_uint(w, peer, 4);
	wr_uint(w, type, 4);
	ssh_put_string(w, data);
}

void
ssh_put_channel(struct wr *w, enum ssh_msg number, uint32_t peer)
{
	PRECOND(number == SSH_MSG_CHANNEL_EOF || number == SSH_MSG_CHANNEL_CLOSE ||
		number == SSH_MSG_CHANNEL_SUCCESS || number == SSH_MSG_CHANNEL_FAILURE);
	wr_uint(w, number, 1);
	wr_uint(w, peer, 4);
}

void
ssh_put_exit_status(struct wr *w, uint32_t peer, uint32_t status)
{
	wr_uint(w, SSH_MSG_CHANNEL_REQUEST, 1);
	wr_uint(w, peer, 4);
	ssh_put_string(w, SPAN_LIT("exit-status"));
	wr_uint(w, false, 1); /* RFC 4254 section 6.10: no reply */
	wr_uint(w, status, 4);
}
