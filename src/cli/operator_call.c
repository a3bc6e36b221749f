/* operator_call.c - requests to the supervisor, over its own socket: they need no broker. */
#include "base/text.h"
#include "cli/call.h"
#include "sys/fd.h"

static int
connect_to(const struct cli *c, struct chan *ret)
{
	char path[4096];
	int fd, rc = cli_path(c, "run/operator.sock", path, sizeof(path));

	if (rc != SP_OK)
		return rc;
	fd = sock_connect_local(path);
	if (fd == SP_ENOTRUNNING || fd == SP_ENOTFOUND)
		return call_no_server(c);
	if (fd < 0)
		return cli_fail(fd, "%s: %s", path, sp_strerror(fd));
	chan_init(ret, fd, ROOM_CLI, ROOM_SUPERVISOR);
	return SP_OK;
}

/* failed - the server's sentence, or that of the error. */
static int
failed(struct span body)
{
	struct ipc_operator_failed m;
	int rc = ipc_get_operator_failed(body, &m);

	if (rc != SP_OK || m.err == 0)
		return cli_fail(
		    SP_EUNKNOWNMSG, "the server's answer: %s", sp_strerror(SP_EUNKNOWNMSG));
	rc = -(int)m.err;
	if (m.detail.len == 0)
		return cli_fail(rc, "%s", sp_strerror(rc));
	return cli_fail(rc, "%.*s", (int)m.detail.len, (const char *)m.detail.ptr);
}

int
call_supervisor(const struct cli *c, uint16_t id, struct span body, uint16_t answer, uint8_t *buf,
    struct span *ret)
{
	struct chan chan = {.fd = -1};
	struct chan_msg got = {.fd = -1};
	int rc = connect_to(c, &chan);

	if (rc != SP_OK)
		return rc;
	rc = chan_send(&chan, id, body, -1);
	if (rc == SP_OK)
		rc = chan_recv(&chan, PH_ANY, /* wait= */ true, buf, IPC_MAX, &got);
	chan_close(&chan);
	if (rc == SP_ECLOSED)
		return cli_fail(SP_EUNAVAIL, "the server ended the conversation; see its log");
	if (rc < 0)
		return cli_fail(rc, "the server: %s", sp_strerror(rc));
	if (got.id == IPC_OPERATOR_FAILED)
		return failed(got.body);
	if (got.id != answer)
		return cli_fail(
		    SP_EUNKNOWNMSG, "the server's answer: %s", sp_strerror(SP_EUNKNOWNMSG));
	*ret = got.body;
	return SP_OK;
}
