/* hostkey.h - the host keys of the SFTP door. */
#ifndef SP_CLI_HOSTKEY_H
#define SP_CLI_HOSTKEY_H

#include "cli/cli.h"

/* hostkeys_make - make those that are missing.
 *   dirfd, dir  the instance's folder and its name for messages
 *   ret_made    how many were made; set also on failure
 *   errors      said already */
int hostkeys_make(int dirfd, const char *dir, unsigned *ret_made) MUST_USE;
#endif
