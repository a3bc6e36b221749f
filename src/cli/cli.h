/* cli.h - the shape of every command of `sallyport`.
 *
 *   sallyport [-C DIR] [--json] COMMAND [SUB-COMMAND] [ARGUMENTS]
 *
 * A command is one row of commands.def and one function.  The row's usage text is what --help, the
 * man page and the completion print, and it is also what the arguments are parsed by: a word in
 * capitals is an argument, "--word" a flag, "--word VALUE" an option, brackets make it optional,
 * and three dots behind an option's value let it be given more than once. So the function is called
 * with arguments that fit its row.
 */
#ifndef SP_CLI_CLI_H
#define SP_CLI_CLI_H

#include "base/err.h"
#include "base/mem.h"

#define CLI_DIR_DEFAULT "/var/lib/sallyport"
#define CLI_ARGS_MAX 48u /* options and arguments of one command */

struct cli;
typedef int (*cli_fn)(struct cli *c);

struct cli_command {
	const char *words; /* "user add" */
	cli_fn fn;
	const char *usage; /* "NAME [--org NAME]" */
	const char *text;  /* one sentence */
};

/* cli_commands - the table, in order; *ret_n rows. */
const struct cli_command *cli_commands(size_t *ret_n);

struct cli_value {
	struct span name;  /* "--org" or "NAME", as the row spells it; borrowed from the row */
	const char *value; /* borrowed from argv; "" for a flag */
};

struct cli {
	const char *dir;		   /* instance folder: -C, SALLYPORT_DIR or the default */
	bool json;			   /* --json: machine-readable output */
	const struct cli_command *command; /* the row */
	struct cli_value values[CLI_ARGS_MAX];
	size_t n_values;
};

/* cli_opt - the value of an option ("--org") or argument ("NAME"); NULL when it was not given.  A
 * flag that was given has the value "". */
const char *cli_opt(const struct cli *c, const char *name);
/* cli_opt_nth - the nth value of an option that may be given more than once, 0 the first; NULL:
 * there are no more. */
const char *cli_opt_nth(const struct cli *c, const char *name, size_t nth);
/* cli_has - was it given? */
bool cli_has(const struct cli *c, const char *name);

/* cli_fail - print one line "sallyport: <sentence>" to standard error.
 *   returns err, so that a command ends with `return cli_fail(SP_EIO, "%s: %s", path,
 * sp_strerror(err))`. What a command returns becomes the exit status: 0 for SP_OK, else the `exit`
 * column of err.def. */
int cli_fail(int err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* cli_path - DIR/name into buf.  errors SP_EUSAGE (said already) when it is too long. */
int cli_path(const struct cli *c, const char *name, char *buf, size_t cap) MUST_USE;

/* cli_no_instance - is there no sallyport.conf in c->dir? */
bool cli_no_instance(const struct cli *c);

/* cli_conf - read and check DIR/sallyport.conf; errors are said already. */
struct conf;
int cli_conf(const struct cli *c, struct conf *ret) MUST_USE;

/* cli_secret - a password or passphrase: the first line of standard input when `option` was given,
 * else asked for on the terminal without echo. twice   ask for it again, and compare buf     of
 * CLI_SECRET_MAX bytes (secret_new); not NUL-terminated errors  said already: SP_EUSAGE when there
 * is no terminal */
#define CLI_SECRET_MAX 1024u
int cli_secret(const struct cli *c, const char *option, const char *prompt, bool twice, char *buf,
    size_t *ret_len) MUST_USE;

/* cli_out_done - flush standard output; SP_EIO (said already) when it could not be written. */
int cli_out_done(void) MUST_USE;

/* One function a row. */
#define CLI(words, fn, usage, text) int fn(struct cli *c);
#include "cli/commands.def"
#undef CLI

#endif
