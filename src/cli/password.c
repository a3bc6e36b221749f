/* password.c - commands that need a secret: from the terminal without echo, or from standard input.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/call.h"
#include "cli/init.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define SECRET_MAX CLI_SECRET_MAX

/* ask - twice when it is a new password. */
static int
ask(const char *option, const char *prompt, bool twice, char *buf, size_t *ret_len)
{
	char *again;
	size_t len = 0;
	int rc = op_secret_prompt(prompt, buf, SECRET_MAX, ret_len);

	if (rc == SP_ENOTFOUND)
		return cli_fail(SP_EUSAGE, "there is no terminal to ask on; use %s", option);
	if (rc == SP_ECLOSED)
		return cli_fail(SP_EUSAGE, "nothing was entered");
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	if (!twice)
		return SP_OK;
	again = secret_new(SECRET_MAX);
	if (again == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	rc = op_secret_prompt("The same again: ", again, SECRET_MAX, &len);
	if (rc != SP_OK)
		rc = cli_fail(rc, "%s", sp_strerror(rc));
	else if (!secret_eq(span_of(buf, *ret_len), span_of(again, len)))
		rc = cli_fail(SP_EUSAGE, "the two are not the same");
	secret_free(again, SECRET_MAX);
	return rc;
}

int
cli_secret(const struct cli *c, const char *option, const char *prompt, bool twice, char *buf,
    size_t *ret_len)
{
	int rc;

	if (!cli_has(c, option))
		return ask(option, prompt, twice, buf, ret_len);
	rc = op_secret_stdin(buf, SECRET_MAX, ret_len);
	if (rc == SP_ECLOSED)
		return cli_fail(
		    SP_EUSAGE, "standard input is empty: %s reads a line of it", option);
	return rc == SP_OK ? SP_OK : cli_fail(rc, "standard input: %s", sp_strerror(rc));
}

int
cmd_password(struct cli *c)
{
	char *secret = secret_new(SECRET_MAX), prompt[128];
	struct text t = text_of(prompt, sizeof(prompt));
	struct call probe = {.buf = NULL};
	size_t len = 0;
	int rc;

	if (secret == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	text_fmt(&t, "New password of %.64s: ", cli_opt(c, "NAME"));
	rc = call_open(c, &probe); /* nobody types a password for a server that is not there */
	call_close(&probe);
	if (rc == SP_OK)
		rc = cli_secret(c, "--password-stdin", prompt, /* twice= */ true, secret, &len);
	if (rc == SP_OK)
		rc = cli_call_secret(c, span_of(secret, len));
	secret_free(secret, SECRET_MAX);
	return rc;
}

/* unlock - over the supervisor's own socket. */
static int
unlock(struct cli *c, struct span passphrase)
{
	struct ipc_unlock m = {.passphrase = passphrase};
	struct ipc_unlock_result r;
	uint8_t buf[IPC_MAX], request[IPC_SIZE_UNLOCK];
	struct wr w = wr_of(request, sizeof(request));
	struct span body;
	int rc = ipc_put_unlock(&w, &m);

	if (rc == SP_OK)
		rc = call_supervisor(c, IPC_UNLOCK, wr_span(&w), IPC_UNLOCK_RESULT, buf, &body);
	mem_wipe(request, sizeof(request));
	if (rc == SP_OK && ipc_get_unlock_result(body, &r) != SP_OK)
		rc = cli_fail(SP_EUNKNOWNMSG, "the server: %s", sp_strerror(SP_EUNKNOWNMSG));
	if (rc != SP_OK)
		return rc;
	if (r.err == (uint16_t)-SP_EBADTAG || r.err == (uint16_t)-SP_EAUTH)
		return cli_fail(SP_EAUTH, "the passphrase is wrong");
	if (r.err == (uint16_t)-SP_EEXISTS) {
		(void)fputs(
		    "sallyport: the vault is open already; the passphrase was not tried\n", stderr);
		return SP_OK;
	}
	return r.err == 0
		   ? SP_OK
		   : cli_fail(-(int)r.err, "the vault stays locked: %s", sp_strerror(-(int)r.err));
}

/* restore_automatic - the copy of the root key that a lockdown with --keys destroyed, anew; the
 * server uses it from its next start on. */
static int
restore_automatic(struct cli *c, struct span passphrase)
{
	struct ipc_lockdown m = {.op = LOCKDOWN_LIFT, .keys = 1};
	struct ipc_lockdown_done done;
	DEFER(close_fd) int dir = -1;
	uint8_t buf[IPC_MAX];
	struct conf conf;
	int rc = cli_conf(c, &conf);

	if (rc != SP_OK)
		return rc;
	if (strcmp(conf.root_key, "passphrase") == 0)
		return cli_fail(
		    SP_EUSAGE, "RootKey is passphrase: there is no automatic copy to be restored");
	if (strncmp(conf.root_key, "file:", 5) == 0) {
		dir = file_open_at(AT_FDCWD, c->dir, O_RDONLY | O_DIRECTORY, 0);
		rc = dir < 0 ? cli_fail(dir, "%s: %s", c->dir, sp_strerror(dir))
			     : recovery_open(dir, conf.root_key + 5, passphrase);
	}
	return rc == SP_OK ? lockdown_ask(c, &m, &done, buf) : rc;
}

int
cmd_key_unlock(struct cli *c)
{
	char *secret = secret_new(SECRET_MAX);
	size_t len = 0;
	int rc;

	if (secret == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	rc = cli_secret(
	    c, "--passphrase-stdin", "Recovery passphrase: ", /* twice= */ false, secret, &len);
	if (rc == SP_OK)
		rc = unlock(c, span_of(secret, len));
	if (rc == SP_OK && cli_has(c, "--restore-automatic"))
		rc = restore_automatic(c, span_of(secret, len));
	secret_free(secret, SECRET_MAX);
	return rc;
}
