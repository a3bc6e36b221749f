/* kinds.h - an entry of the audit log: which kinds of alarm it is, and what a message tells of it.
 * Pure. */
#ifndef SP_COURIER_KINDS_H
#define SP_COURIER_KINDS_H

#include "base/text.h"
#include "rooms/courier/state.h"

/* kinds_of - bits 1 << enum alarm, whatever the switches say.  entry: the JSON object as it stands
 * in the log. */
uint64_t kinds_of(struct span entry);
/* kinds_condition - is there such a condition (alarms.def, behind the colon)? */
bool kinds_condition(struct span when);
/* line_of - the entry in clean text; entry and t_us 0 where it says none.  errors SP_ESYNTAX: no
 * JSON object */
int line_of(struct span entry, struct line *ret) MUST_USE;
/* clean_put - text from outside on one line: control characters, separators, and what turns the
 * direction of writing round are written as \u{202E}; bytes that are no UTF-8 as U+FFFD.  Stops
 * where the next would not fit (t never becomes bad). */
void clean_put(struct text *t, struct span s);
#endif
