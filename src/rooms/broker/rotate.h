/* rotate.h - wrapping all file keys of an organisation anew, in the background, while the server
 * serves.
 *
 * org.rotating is the epoch that is being reached; it is set in the same commit as the new epoch,
 * so a rotation goes on after a restart.  The old epochs are destroyed when no wrap needs them: no
 * blob, and no upload that is open.
 */
#ifndef SP_BROKER_ROTATE_H
#define SP_BROKER_ROTATE_H

#include "rooms/broker/broker.h"

/* rotate_next - go on with an organisation whose rotation is not complete, if there is one and none
 * is at work. */
void rotate_next(struct broker *b);
/* rotate_stop - forget the work in hand (what is done stays done). */
void rotate_stop(struct broker *b);
#endif
