/* serve.c - sallyport serve: become the supervisor. */
#include "base/conf.h"
#include "base/text.h"
#include "cli/program.h"
#include "sys/operator.h"

int
program_find(const char *name, char *buf, size_t cap)
{
	struct text t;
	char self[4096];

	if (op_self_dir(self, sizeof(self)) == SP_OK) {
		t = text_of(buf, cap);
		text_fmt(&t, "%s/%s", self, name);
		if (!t.bad && op_is_program(buf))
			return SP_OK;
	}
	t = text_of(buf, cap);
	text_fmt(&t, "%s/%s", SALLYPORT_LIBEXEC, name);
	if (!t.bad && op_is_program(buf))
		return SP_OK;
	return cli_fail(
	    SP_ENOTFOUND, "%s is neither beside this program nor in %s", name, SALLYPORT_LIBEXEC);
}

bool
program_running(const struct cli *c)
{
	char path[4096];
	struct text t = text_of(path, sizeof(path));

	text_fmt(&t, "%s/run/pid", c->dir);
	return !t.bad && op_lock_probe(path) == 1;
}

int
cmd_serve(struct cli *c)
{
	char supervisor[4096], dir[4096];
	char *argv[] = {supervisor, dir, NULL};
	struct conf conf;
	int rc = cli_conf(c, &conf);

	if (rc == SP_OK && op_absolute(c->dir, dir, sizeof(dir)) != SP_OK)
		rc = cli_fail(SP_EUSAGE, "%s: the path is too long", c->dir);
	if (rc == SP_OK && program_running(c))
		rc = cli_fail(SP_ERUNNING, "%s: %s", c->dir, sp_strerror(SP_ERUNNING));
	if (rc == SP_OK)
		rc = program_find("sallyport-supervisor", supervisor, sizeof(supervisor));
	if (rc != SP_OK)
		return rc;
	rc = op_exec(supervisor, argv);
	return cli_fail(rc, "%s: %s", supervisor, sp_strerror(rc));
}
