/* conn.c - see conn.h. */
#include "rooms/gate/sftp/conn.h"

#include "sys/log.h"

void
ssh_conn_serve(struct ssh_conn_start *start)
{
	log_debug("%s: closed", start->address);
}
