/* control.h - the command line's local socket.
 *
 *	control_start(b, TAKE_FD(b->start.file[FILE_CONTROL_SOCKET]))   when the broker begins to
 *serve, once control_stop(b)                                                 when it ends
 */
#ifndef SP_BROKER_CONTROL_H
#define SP_BROKER_CONTROL_H

#include "rooms/broker/broker.h"

/* control_start - serve the command line on a listening local socket (owned from now on), and go on
 * with a key rotation that was interrupted. errors  SP_ENOMEM, SP_ESYS */
int control_start(struct broker *b, int listener) MUST_USE;
/* control_stop - close the socket and all connections; safe twice. */
void control_stop(struct broker *b);
#endif
