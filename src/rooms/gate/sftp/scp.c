/* scp.c - the older protocol: one line, one answer. */
#include "rooms/gate/sftp/scp_server.h"

#include "rooms/gate/sftp/server.h"
#include "sys/log.h"

int
scp_byte(struct scp *c, uint8_t *ret)
{
	struct span s;
	int rc = stream_need(c->stream, 1, &s);

	if (rc <= 0)
		return rc < 0 ? rc : SCP_ENDED;
	*ret = s.ptr[0];
	stream_take(c->stream, 1);
	return SP_OK;
}

int
scp_line(struct scp *c, uint8_t first, struct span *ret)
{
	struct wr w = wr_of(c->line, sizeof(c->line));
	uint8_t b = first;
	int rc = SP_OK;

	while (rc == SP_OK && b != '\n') {
		wr_uint(&w, b, 1);
		if (w.bad)
			return SP_ETOOBIG;
		rc = scp_byte(c, &b);
	}
	*ret = wr_span(&w);
	return rc == SCP_ENDED ? SP_ECLOSED : rc;
}

int
scp_ack(struct scp *c)
{
	return stream_send(c->stream, span_of("", 1), span_of(NULL, 0));
}

int
scp_say(struct scp *c, struct span what, int err)
{
	char buf[1200 + PATH_MAX_BYTES];
	struct text t = text_of(buf, sizeof(buf));

	c->has_failed = true;
	text_str(&t, "\1scp: ");
	text_add(&t, span_cut(what, PATH_MAX_BYTES));
	text_fmt(&t, ": %s", sp_strerror(err));
	if (c->ring->fault.detail[0] != '\0')
		text_fmt(&t, ": %s", c->ring->fault.detail);
	text_chr(&t, '\n');
	c->ring->fault.detail[0] = '\0';
	return stream_send(c->stream, text_span(&t), span_of(NULL, 0));
}

int
scp_response(struct scp *c, bool *ret_good)
{
	struct span text;
	uint8_t b;
	int rc = scp_byte(c, &b);

	if (rc != SP_OK)
		return rc;
	*ret_good = b == 0;
	if (b == 0)
		return SP_OK;
	c->has_failed = true;
	if (b != 1)
		return SP_ECLOSED;
	rc = scp_byte(c, &b);
	return rc == SP_OK ? scp_line(c, b, &text) : rc;
}

int
scp_stat(struct scp *c, const struct path *p, struct ipc_entry *ret)
{
	struct ipc_stat m = {.by = BY_PATH, .path = path_span(p)};

	return ring_stat(c->ring, &m, ret);
}

bool
scp_fatal(const struct scp *c, int err)
{
	return c->ring->dead || err == SP_ESESSION;
}

int
scp_serve(const struct sftp_session *s, struct span command, int *ret_status)
{
	DEFER(mem_freep) struct scp *c = mem_alloc(sizeof(*c));
	int rc;

	if (c == NULL)
		return SP_ENOMEM;
	*c = (struct scp){.session = s, .stream = s->stream, .ring = s->ring};
	rc = scp_parse(command, &c->command);
	if (rc == SP_OK)
		rc = server_home(s, &c->home);
	if (rc == SP_OK)
		rc = c->command.takes ? scp_take(c) : scp_give(c);
	if (rc < 0)
		log_info("scp of %s: %s", s->address, sp_strerror(rc));
	if (rc >= 0)
		rc = stream_flush(s->stream);
	if (rc == SP_OK)
		*ret_status = c->has_failed;
	return rc;
}
