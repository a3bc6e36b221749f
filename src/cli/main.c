/* main.c - sallyport: find the command, parse its arguments by its row, run it, exit with its
 * status. */
#include <stdio.h>
#include <stdlib.h>

#include "base/conf.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/help.h"
#include "sys/fd.h"
#include "sys/operator.h"

#include <fcntl.h>
#include <stdarg.h>

static const struct cli_command commands[] = {
#define CLI(words, fn, usage, text) {words, fn, usage, text},
#include "cli/commands.def"
#undef CLI
};

const struct cli_command *
cli_commands(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(commands);
	return commands;
}

const char *
cli_opt_nth(const struct cli *c, const char *name, size_t nth)
{
	for (size_t i = 0; i < c->n_values; i++)
		if (span_eq_str(c->values[i].name, name) && nth-- == 0)
			return c->values[i].value;
	return NULL;
}

const char *
cli_opt(const struct cli *c, const char *name)
{
	return cli_opt_nth(c, name, 0);
}

bool
cli_has(const struct cli *c, const char *name)
{
	return cli_opt(c, name) != NULL;
}

int
cli_fail(int err, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("sallyport: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return err;
}

int
cli_path(const struct cli *c, const char *name, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	text_str(&t, c->dir);
	text_chr(&t, '/');
	text_str(&t, name);
	return t.bad ? cli_fail(SP_EUSAGE, "%s: the path is too long", c->dir) : SP_OK;
}

bool
cli_no_instance(const struct cli *c)
{
	DEFER(close_fd) int fd = -1;
	char path[4096];

	if (cli_path(c, "sallyport.conf", path, sizeof(path)) != SP_OK)
		return false;
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	return fd == SP_ENOTFOUND;
}

int
cli_conf(const struct cli *c, struct conf *ret)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(close_fd) int fd = -1;
	char path[4096], why[512];
	size_t len = 0;
	int rc = cli_path(c, "sallyport.conf", path, sizeof(path));

	if (rc != SP_OK)
		return rc;
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (fd == SP_ENOTFOUND)
		return cli_fail(SP_ECONFIG,
		    "%s: there is no sallyport.conf; make an instance with: sallyport init %s",
		    c->dir, c->dir);
	if (fd < 0)
		return cli_fail(fd, "%s: %s", path, sp_strerror(fd));
	rc = file_read_all(fd, 1024u * 1024u, &content, &len);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", path, sp_strerror(rc));
	if (conf_parse(span_of(content, len), ret, why, sizeof(why)) != SP_OK)
		return cli_fail(SP_ECONFIG, "%s: %s", path, why);
	return SP_OK;
}

int
cli_out_done(void)
{
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		return cli_fail(SP_EIO, "standard output: %s", sp_strerror(SP_EIO));
	return SP_OK;
}

int
cmd_version(struct cli *c)
{
	(void)printf(c->json ? "{\"version\":\"%s\"}\n" : "sallyport %s\n", SALLYPORT_VERSION);
	return cli_out_done();
}

/* words_match - how many of argv are the words of this row?  0: it is another command. */
static int
words_match(const char *words, int argc, char **argv)
{
	struct span rest = span_str(words);
	int n = 0;

	while (rest.len != 0) {
		struct span w = span_cut(rest, span_find(rest, ' '));

		if (n == argc || !span_eq_str(w, argv[n]))
			return 0;
		n++;
		rest = span_skip(rest, w.len + 1);
	}
	return n;
}

/* take_globals - pull -C DIR, --json, --help and --version out of argv; what is left moves up. */
static int
take_globals(struct cli *c, int *argc, char **argv, bool *ret_help, bool *ret_version)
{
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		struct span a = span_str(argv[i]);

		if (span_eq_str(a, "--")) {
			while (i < *argc)
				argv[n++] = argv[i++];
		} else if (span_eq_str(a, "-C")) {
			if (++i == *argc || argv[i][0] == '\0')
				return cli_fail(SP_EUSAGE, "-C needs a folder");
			c->dir = argv[i];
		} else if (span_eq_str(a, "--json")) {
			c->json = true;
		} else if (span_eq_str(a, "--help") || span_eq_str(a, "-h")) {
			*ret_help = true;
		} else if (span_eq_str(a, "--version")) {
			*ret_version = true;
		} else {
			argv[n++] = argv[i];
		}
	}
	*argc = n;
	return SP_OK;
}

static int
run(struct cli *c, int argc, char **argv)
{
	bool help = false, version = false;
	char why[512];
	int rc = take_globals(c, &argc, argv, &help, &version);

	if (rc != SP_OK)
		return rc;
	if (version)
		return cmd_version(c);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int n = words_match(commands[i].words, argc, argv);

		if (n == 0)
			continue;
		c->command = &commands[i];
		if (help) {
			help_command(stdout, c->command);
			return cli_out_done();
		}
		if (args_parse(c, argc - n, argv + n, why, sizeof(why)) != SP_OK)
			return cli_fail(SP_EUSAGE, "%s: %s; see: sallyport %s --help",
			    commands[i].words, why, commands[i].words);
		return c->command->fn(c);
	}
	if (help) {
		help_all(stdout, argc > 0 ? argv[0] : NULL);
		return cli_out_done();
	}
	if (argc == 0)
		return cli_fail(SP_EUSAGE, "a command is needed; see: sallyport --help");
	if (help_count(argv[0]) != 0)
		return cli_fail(SP_EUSAGE,
		    "%s needs one of its sub-commands; see: sallyport %s --help", argv[0], argv[0]);
	return cli_fail(SP_EUSAGE, "%s: no such command; see: sallyport --help", argv[0]);
}

int
main(int argc, char **argv)
{
	const char *dir = getenv("SALLYPORT_DIR");
	struct cli c = {.dir = dir != NULL && dir[0] != '\0' ? dir : CLI_DIR_DEFAULT};
	int rc = op_no_core();

	if (rc == SP_OK)
		rc = run(&c, argc > 0 ? argc - 1 : 0, argv + 1);
	return rc < 0 ? sp_err_row(rc)->exit : 0;
}
