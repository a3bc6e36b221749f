/* template.h - a worker's program that serves no connection itself: it is copied for each. */
#ifndef SP_GATE_TEMPLATE_H
#define SP_GATE_TEMPLATE_H

#include "ipc/room.h"

/* template_serve - give up what a template needs no more, tell the supervisor that it is ready, and
 * make a copy at each FORK.  Returns in the copies alone, which have met their own GO by then and
 * whose random numbers are their own; the template ends with the supervisor's socket.
 *   r     as room_enter left it
 *   name  argv[0]: in a copy it becomes the room's own */
void template_serve(struct room_start *r, char *name);
#endif
