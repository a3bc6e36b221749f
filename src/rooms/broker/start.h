/* start.h - the broker's life, from main.c and from tests. */
#ifndef SP_BROKER_START_H
#define SP_BROKER_START_H

#include "rooms/broker/control.h"
#include "rooms/broker/put.h"

/* broker_new - a broker that has a loop and nothing else; ends the process without memory. */
struct broker *broker_new(void) MUST_USE;
/* broker_take - a message of the supervisor, also before GO. */
void broker_take(void *broker, struct chan_msg *m);
/* broker_open - database and blob folder, by the names in start.file_name; ends the process with a
 * sentence. */
void broker_open(struct broker *b);
/* broker_begin - watch the supervisor, take up the ledger; the loop does the rest. */
int broker_begin(struct broker *b) MUST_USE;
/* broker_end - answer what is in hand, close everything, free. */
void broker_end(struct broker *b);
#endif
