/* decoy.h - what the commands about decoys share. */
#ifndef SP_CLI_DECOY_H
#define SP_CLI_DECOY_H

#include "base/decoy.h"
#include "cli/call.h"

/* decoy_change - have the supervisor mark (op 0) or unmark (op 1) it; errors are said already. */
int decoy_change(const struct cli *c, uint8_t op, const struct decoy *d) MUST_USE;
/* decoy_mark_files - find the blobs of these paths in an organisation, and mark them.  The whole
 * list of versions is read, so that the broker is not told which ones are wanted. k       open call
 * to the broker paths   array of strings; errors are said already: SP_ENOTFOUND names the first
 * that is not there marked  array that gets an object a decoy */
int decoy_mark_files(
    const struct cli *c, struct call *k, const char *org, json_t *paths, json_t *marked) MUST_USE;
/* decoy_org - the name of --org, or of the first organisation; errors are said already. */
int decoy_org(struct call *k, const char *given, char *buf, size_t cap) MUST_USE;
/* decoy_print - rows, for people or as JSON. */
int decoy_print(struct cli *c, json_t *rows) MUST_USE;
/* decoy_row - an object for the list. */
json_t *decoy_row(const struct decoy *d, size_t number) MUST_USE;
#endif
