/* conn.h - one SSH connection from its first byte to its last, as the worker starts it. */
#ifndef SP_GATE_SFTP_CONN_H
#define SP_GATE_SFTP_CONN_H

#include "rooms/gate/ring.h"

struct conf;
struct ssh_conn_start {
	int fd;		     /* the connection; the caller's */
	const char *address; /* of the client, text with port */
	struct ring *ring;
	struct chan *signer;
	unsigned host_keys; /* set of enum ssh_host_key: what the signer has */
	const struct conf *conf;
	/* idle - wait until fd is readable: SP_OK, SP_ETIMEOUT, SP_ECLOSED (the server stops); timeout_ms -1: for ever */
	int (*idle)(void *arg, int fd, int timeout_ms);
	void *arg;
};

/* ssh_conn_serve - returns when the connection is over; what went wrong was told to the client and to the log. */
void ssh_conn_serve(struct ssh_conn_start *start);
#endif
