/* scp.h - the older scp protocol (`scp -O`), as OpenSSH's scp speaks it with `scp -t` (take files)
 * and `scp -f` (give files). */
#ifndef SP_GATE_SFTP_SCP_H
#define SP_GATE_SFTP_SCP_H

#include "rooms/gate/sftp/sftp.h"

#define SCP_COMMAND_MAX 8192u /* bytes of a command */

/* scp_wanted - is this an exec command of scp's, in one of the forms that clients send?  Anything
 * else is to be refused. */
bool scp_wanted(struct span command);

/* scp_serve - do what the command says, for which scp_wanted is true.
 *   ret_status  the exit status to send: 0, or 1 when a file failed; set on success
 *   returns     as sftp_serve */
int scp_serve(const struct sftp_session *s, struct span command, int *ret_status) MUST_USE;
#endif
