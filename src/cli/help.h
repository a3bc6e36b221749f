/* help.h - what commands.def says, printed for people, for man and for bash. */
#ifndef SP_CLI_HELP_H
#define SP_CLI_HELP_H

#include <stdio.h>

#include "cli/cli.h"

/* help_command - usage and sentence of one command. */
void help_command(FILE *out, const struct cli_command *c);
/* help_all - one line a command; word: only those that begin with it (NULL: all). */
void help_all(FILE *out, const char *word);
/* help_count - how many commands begin with this word? */
size_t help_count(const char *word);
#endif
