/* program.h - the binaries of the rooms, found and run. */
#ifndef SP_CLI_PROGRAM_H
#define SP_CLI_PROGRAM_H

#include "cli/cli.h"

/* program_find - the absolute path of a room's binary: beside our own, else in the installed
 * folder. errors  SP_ENOTFOUND, said already */
int program_find(const char *name, char *buf, size_t cap) MUST_USE;

/* program_running - does a server run on c->dir (its pid file is locked)? */
bool program_running(const struct cli *c);
#endif
