/* conn.h - one SSH connection, from the version line to its end. */
#ifndef SP_GATE_SFTP_CONN_H
#define SP_GATE_SFTP_CONN_H

#include "base/conf.h"
#include "rooms/gate/ring.h"

/* What a worker has when its connection begins; all of it borrowed. */
struct ssh_conn_start {
	int fd;		     /* the connection; the caller closes it */
	const char *address; /* "ADDRESS:PORT" of the client */
	struct ring *ring;
	struct chan *signer;
	unsigned host_keys; /* set of enum ssh_host_key, never empty */
	uint8_t cookie[16]; /* of the first KEXINIT: the signer drew it */
	const struct conf *conf;
	/* idle - wait until fd is readable.  fd -1: just wait; timeout_ms -1: no end.
	 *   errors  SP_ETIMEOUT (SP_OK when there is no fd), SP_ECLOSED (the server stops) */
	int (*idle)(void *arg, int fd, int timeout_ms);
	void *arg;
	unsigned in_hand; /* files that are being transferred, counted by those who serve: idle may
			     let a stop wait for them */
};

/* ssh_conn_serve - serve it; returns when it is over. */
void ssh_conn_serve(struct ssh_conn_start *start);
#endif
