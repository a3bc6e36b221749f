/* verify_record.c - verify --record: what was found goes into the audit log, where an alarm is made
 * of it. */
#include "cli/call.h"
#include "cli/verify.h"
#include "sys/fd.h"

#define TEXT_BYTES 480u

/* Names of anybody's making: plain characters only. */
static void
put_plain(struct text *t, const char *s)
{
	for (; s != NULL && *s != '\0' && t->len + 2 < t->cap; s++)
		text_chr(t, *s >= 0x20 && *s < 0x7f ? *s : '?');
}

static void
summary(const struct verify *v, struct text *t)
{
	json_t *d;
	size_t i;

	text_fmt(t, v->found != 0 ? "%llu differences" : "no difference", v->found);
	if (v->unchecked != 0)
		text_fmt(t, ", %llu parts not checked", v->unchecked);
	json_array_foreach(v->differences, i, d)
	{
		const char *what = json_string_value(json_object_get(d, "what"));

		if (t->len + strlen(what) + 24 > t->cap) {
			text_str(t, "; ...");
			break;
		}
		text_str(t, i == 0 ? ": " : "; ");
		put_plain(t, json_string_value(json_object_get(d, "part")));
		text_chr(t, ' ');
		put_plain(t, what);
	}
}

int
verify_record(const struct verify *v)
{
	char line[TEXT_BYTES + 1], path[4096];
	struct text t = text_of(line, sizeof(line));
	struct ipc_verify_result m = {.differences = v->found};
	struct ipc_unlock_result r = {.err = 0};
	uint8_t buf[IPC_MAX];
	struct chan_msg got;
	struct chan chan;
	int fd, rc = cli_path(v->c, "run/unlock.sock", path, sizeof(path));

	if (rc != SP_OK)
		return rc;
	fd = sock_connect_local(path);
	if (fd == SP_ENOTRUNNING || fd == SP_ENOTFOUND)
		return call_no_server(v->c);
	if (fd < 0)
		return cli_fail(fd, "%s: %s", path, sp_strerror(fd));
	summary(v, &t);
	m.text = text_span(&t);
	chan_init(&chan, fd, ROOM_CLI, ROOM_SUPERVISOR);
	rc = chan_send_verify_result(&chan, &m, -1);
	if (rc == SP_OK)
		rc = chan_recv(&chan, PH_ANY, /* wait= */ true, buf, sizeof(buf), &got);
	if (rc >= 0)
		rc = got.id == IPC_UNLOCK_RESULT ? ipc_get_unlock_result(got.body, &r)
						 : SP_EUNKNOWNMSG;
	chan_close(&chan);
	if (rc == SP_OK)
		rc = -(int)r.err;
	return rc == SP_OK ? SP_OK : cli_fail(rc, "not recorded: %s", sp_strerror(rc));
}
