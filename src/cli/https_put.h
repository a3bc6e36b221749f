/* https_put.h - one upload through the server's own HTTPS door, as any client does it. */
#ifndef SP_CLI_HTTPS_PUT_H
#define SP_CLI_HTTPS_PUT_H

#include "base/conf.h"
#include "cli/cli.h"

/* https_put - store a new file; errors are said already.
 *   token    of a user who may write there
 *   path     of the file, as the user sees it
 *   returns  SP_OK; SP_EEXISTS (not said): there is a file of that name */
int https_put(const struct cli *c, const struct conf *conf, const char *token, const char *path,
    struct span content) MUST_USE;
#endif
