/* compose.h - a batch of alarms as a message: subject, text for people, JSON for machines, and its
 * number.  Pure. */
#ifndef SP_COURIER_COMPOSE_H
#define SP_COURIER_COMPOSE_H

#include "base/text.h"
#include "rooms/courier/state.h"

#define MESSAGE_TEXT_MAX 16384u
#define MESSAGE_JSON_MAX 24576u

/* compose_id - "NAME-KIND-FIRST-LAST": the same for the same batch. */
void compose_id(struct text *t, const char *name, enum alarm kind, const struct batch *b);
/* compose_subject - one line of at most 255 bytes; compose_text - lines that end with \n, the
 * command to look further among them. */
void compose_subject(struct text *t, const char *name, enum alarm kind, const struct batch *b);
void compose_text(struct text *t, const char *name, enum alarm kind, const struct batch *b);
/* compose_json - {"type":"alarm.KIND","timestamp":...,"data":{...}}, the shape of Standard
 * Webhooks. */
void compose_json(struct text *t, const char *name, enum alarm kind, const struct batch *b);
/* compose_log - one alarm on one line, for the server's log. */
void compose_log(struct text *t, enum alarm kind, const struct line *l);
#endif
