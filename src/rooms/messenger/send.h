/* send.h - one message over the network, with libcurl: blocking, bounded in time, certificates
 * always checked. */
#ifndef SP_MESSENGER_SEND_H
#define SP_MESSENGER_SEND_H

#include "ipc/ipc.h"

#define CA_MAX (4u << 20) /* bytes of the file of authorities */

/* send_ready - load what libcurl, OpenSSL and the resolver load at first use; before the sandbox.
 * SP_ECRYPTO, SP_ENOMEM */
int send_ready(void) MUST_USE;
/* send_message - do the job.
 *   ca        the authorities, PEM
 *   why, cap  one sentence on failure: never the secret
 *   errors    SP_EUNAVAIL: not delivered */
int send_message(const struct ipc_deliver *job, struct span ca, char *why, size_t cap) MUST_USE;
#endif
