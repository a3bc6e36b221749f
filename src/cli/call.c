/* call.c - see call.h. */
#include "cli/call.h"

#include "base/text.h"
#include "cli/args.h"
#include "cli/print.h"
#include "sys/fd.h"

void
json_done(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

int
call_no_server(const struct cli *c)
{
	if (cli_no_instance(c))
		return cli_fail(SP_ENOTRUNNING,
		    "%s: there is no instance here; name its folder with -C, or make one with: "
		    "sallyport init %s",
		    c->dir, c->dir);
	return cli_fail(SP_ENOTRUNNING,
	    "the server is not running; start it with: sallyport -C %s serve", c->dir);
}

int
call_open(const struct cli *c, struct call *ret)
{
	char path[4096];
	int fd, rc = cli_path(c, "run/control.sock", path, sizeof(path));

	if (rc != SP_OK)
		return rc;
	fd = sock_connect_local(path);
	if (fd == SP_ENOTRUNNING || fd == SP_ENOTFOUND)
		return call_no_server(c);
	if (fd < 0)
		return cli_fail(fd, "%s: %s", path, sp_strerror(fd));
	ret->c = c;
	ret->buf = mem_alloc(IPC_MAX);
	chan_init(&ret->chan, fd, ROOM_CLI, ROOM_BROKER);
	if (ret->buf == NULL) {
		chan_close(&ret->chan);
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	return SP_OK;
}

void
call_close(struct call *k)
{
	if (k->buf == NULL)
		return;
	chan_close(&k->chan);
	mem_free(k->buf);
	k->buf = NULL;
}

json_t *
call_args(const struct cli *c)
{
	json_t *args = json_object();
	char key[64];

	for (size_t i = 0; args != NULL && i < c->n_values; i++) {
		args_key(c->values[i].name, key, sizeof(key));
		if (strcmp(key, "password-stdin") == 0)
			continue;
		if (json_object_set_new(args, key, json_string(c->values[i].value)) != 0) {
			json_decref(args);
			return NULL;
		}
	}
	return args;
}

static int
send_call(struct call *k, const char *verb, json_t *args, struct span secret)
{
	char *text = args != NULL ? json_dumps(args, JSON_COMPACT) : NULL;
	struct ipc_call m = {
	    .verb = span_str(verb), .args = span_str(text != NULL ? text : "{}"), .secret = secret};
	int rc;

	if (args != NULL && text == NULL)
		return cli_fail(SP_ESYNTAX, "an argument is not valid UTF-8");
	rc = chan_send_call(&k->chan, &m, -1);
	if (text != NULL)
		mem_wipe(text, strlen(text));
	mem_free(text); /* jansson's own allocator */
	if (rc == SP_ERANGE)
		return cli_fail(SP_ETOOBIG, "the arguments are too long");
	return rc == SP_OK ? SP_OK : cli_fail(rc, "the server: %s", sp_strerror(rc));
}

/* merge - a later part: rows behind the rows before, everything else replaces. */
static int
merge(json_t **sum, json_t *part)
{
	json_t *rows, *more;

	if (*sum == NULL) {
		*sum = part;
		return SP_OK;
	}
	rows = json_object_get(*sum, "rows");
	more = json_object_get(part, "rows");
	if (json_is_array(rows) && json_is_array(more) && json_array_extend(rows, more) == 0)
		(void)json_object_del(part, "rows"); /* may be absent */
	if (json_object_update(*sum, part) != 0) {
		json_decref(part);
		return SP_ENOMEM;
	}
	json_decref(part);
	return SP_OK;
}

/* said - the server's sentence, or that of the error. */
static int
said(const struct ipc_answer *a, json_t *j)
{
	const char *detail = json_string_value(json_object_get(j, "detail"));
	int err = -(int)a->err;

	return cli_fail(err, "%s", detail != NULL && detail[0] != '\0' ? detail : sp_strerror(err));
}

int
call_verb(struct call *k, const char *verb, json_t *args, struct span secret, json_t **ret)
{
	DEFER(json_done) json_t *sum = NULL;
	struct ipc_answer a = {.more = 1};
	int rc = send_call(k, verb, args, secret);

	if (rc != SP_OK)
		return rc;
	while (a.more != 0) {
		struct chan_msg m;
		json_t *part;

		rc = chan_recv(&k->chan, PH_ANY, /* wait= */ true, k->buf, IPC_MAX, &m);
		if (rc == SP_ECLOSED)
			return cli_fail(
			    SP_EUNAVAIL, "the server ended the conversation; see its log");
		if (rc < 0)
			return cli_fail(rc, "the server's answer: %s", sp_strerror(rc));
		if (m.id != IPC_ANSWER || ipc_get_answer(m.body, &a) != SP_OK)
			return cli_fail(
			    SP_EUNKNOWNMSG, "the server's answer: %s", sp_strerror(SP_EUNKNOWNMSG));
		part = json_loadb((const char *)a.json.ptr, a.json.len, 0, NULL);
		if (a.err != 0) {
			DEFER(json_done) json_t *why = part;

			return said(&a, why);
		}
		if (!json_is_object(part)) {
			json_decref(part);
			return cli_fail(SP_ESYNTAX, "the server's answer is not a JSON object");
		}
		rc = merge(&sum, part);
		if (rc != SP_OK)
			return cli_fail(rc, "%s", sp_strerror(rc));
	}
	*ret = TAKE_PTR(sum);
	return SP_OK;
}

/* pages - call until the answer has no "next"; each page is printed as it comes. */
static int
pages(struct call *k, const struct cli *c, json_t *args, struct span secret)
{
	struct print p;
	int rc;

	print_begin(&p, c->json);
	for (;;) {
		DEFER(json_done) json_t *page = NULL;
		json_t *next;

		rc = call_verb(k, c->command->words, args, secret, &page);
		if (rc != SP_OK)
			return rc;
		print_page(&p, page);
		next = json_object_get(page, "next");
		if (next == NULL)
			break;
		if (json_object_set(args, "after", next) != 0)
			return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	print_end(&p);
	return cli_out_done();
}

int
cli_call_secret(struct cli *c, struct span secret)
{
	DEFER(json_done) json_t *args = call_args(c);
	DEFER(call_close) struct call k = {.buf = NULL};
	int rc;

	if (args == NULL)
		return cli_fail(SP_ESYNTAX, "an argument is not valid UTF-8");
	rc = call_open(c, &k);
	return rc == SP_OK ? pages(&k, c, args, secret) : rc;
}

int
cmd_call(struct cli *c)
{
	return cli_call_secret(c, span_of(NULL, 0));
}
