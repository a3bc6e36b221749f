/* lockdown.c - sallyport lockdown: asked of the supervisor, so that no broker is needed. */
#include <stdio.h>

#include "base/text.h"
#include "cli/call.h"
#include "cli/print.h"

/* take_doors - --door, or all of them; with --keys alone no door is meant to be lifted. */
static int
take_doors(const struct cli *c, struct ipc_lockdown *m)
{
	const char *door = cli_opt(c, "--door");

	m->doors = door == NULL || strcmp(door, "all") == 0 ? LOCK_ALL : 0;
	for (size_t i = 0; door != NULL && i < IPC_LOCKS; i++)
		if (strcmp(door, ipc_locks[i].word) == 0)
			m->doors = ipc_locks[i].bit;
	if (m->doors != 0)
		return SP_OK;
	if (strcmp(door, "ftps") == 0)
		return cli_fail(SP_EUSAGE, "this server has no FTPS door yet: nothing was locked");
	return cli_fail(SP_EUSAGE, "--door %s: there is no such door: nothing was locked", door);
}

/* put_doors - the words of what is locked, as an array. */
static json_t *
doors_json(uint8_t doors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < IPC_LOCKS; i++)
		if ((doors & ipc_locks[i].bit) != 0 &&
		    json_array_append_new(list, json_string(ipc_locks[i].word)) != 0)
			break;
	return list;
}

static json_t *
state_json(const struct ipc_lockdown_done *d)
{
	bool any = d->doors != 0 || d->keys != 0;
	char since[40] = "", by[24];
	struct text t = text_of(since, sizeof(since)), u = text_of(by, sizeof(by));
	json_t *o = json_object();
	int bad = json_object_set_new(o, "locked", json_boolean(any));

	time_rfc3339(&t, (int64_t)d->since_us);
	if (d->by == UINT32_MAX)
		text_str(&u, "alarm rule");
	else
		text_fmt(&u, "user id %u", d->by);
	bad |= json_object_set_new(o, "doors", doors_json(d->doors));
	bad |= json_object_set_new(o, "keys", json_boolean(d->keys != 0));
	bad |= json_object_set_new(o, "since", any ? json_string(since) : json_null());
	bad |= json_object_set_new(o, "by", any ? json_string(by) : json_null());
	if (d->note.len != 0)
		bad |= json_object_set_new(
		    o, "note", json_stringn((const char *)d->note.ptr, d->note.len));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

int
lockdown_ask(
    const struct cli *c, const struct ipc_lockdown *m, struct ipc_lockdown_done *ret, uint8_t *buf)
{
	uint8_t request[IPC_SIZE_LOCKDOWN];
	struct wr w = wr_of(request, sizeof(request));
	struct span body;
	int rc = ipc_put_lockdown(&w, m);

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = call_supervisor(c, IPC_LOCKDOWN, wr_span(&w), IPC_LOCKDOWN_DONE, buf, &body);
	if (rc == SP_OK && ipc_get_lockdown_done(body, ret) != SP_OK)
		rc = cli_fail(SP_EUNKNOWNMSG, "the server: %s", sp_strerror(SP_EUNKNOWNMSG));
	return rc;
}

int
cmd_lockdown(struct cli *c)
{
	uint8_t buf[IPC_MAX];
	struct ipc_lockdown m = {.keys = cli_has(c, "--keys")};
	struct ipc_lockdown_done done;
	DEFER(json_done) json_t *o = NULL;
	struct print p;
	int rc = take_doors(c, &m);

	if (rc == SP_OK && cli_has(c, "--lift") && m.keys != 0)
		rc = cli_fail(SP_EUSAGE,
		    "keys are not lifted: sallyport key unlock opens the vault, and with "
		    "--restore-automatic the automatic copy of the root key is made anew");
	if (rc != SP_OK)
		return rc;
	m.op = cli_has(c, "--lift")   ? LOCKDOWN_LIFT
	       : cli_has(c, "--show") ? LOCKDOWN_SHOW
				      : LOCKDOWN_LOCK;
	rc = lockdown_ask(c, &m, &done, buf);
	if (rc != SP_OK)
		return rc;
	o = state_json(&done);
	if (o == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	print_begin(&p, c->json);
	print_page(&p, o);
	print_end(&p);
	return cli_out_done();
}
