/* args.h - arguments of a command, parsed by its row's usage text. */
#ifndef SP_CLI_ARGS_H
#define SP_CLI_ARGS_H

#include "cli/cli.h"

/* One word of a usage text. */
struct args_item {
	struct span name; /* "--org" or "NAME" */
	struct span meta; /* of an option with a value: "NAME"; else empty */
	bool option;	  /* begins with "--" */
	bool required;
};

/* args_next - walk a usage text.
 *   rest   in: what is left; out: the rest
 *   depth  open brackets; 0 at the start
 *   returns false at the end */
bool args_next(struct span *rest, unsigned *depth, struct args_item *ret);

/* args_parse - match argv against c->command->usage into c->values.
 *   argv    argc strings behind the command's words; borrowed for c's life
 *   why     one sentence on failure
 *   errors  SP_EUSAGE */
int args_parse(struct cli *c, int argc, char **argv, char *why, size_t cap) MUST_USE;

/* args_key - the name of an item as a JSON member: "--full-name" is "full-name", "NAME" is "name".
 */
void args_key(struct span name, char *buf, size_t cap);
#endif
