/* evil.h - see evil.c. */
#ifndef SP_HOSTILE_EVIL_H
#define SP_HOSTILE_EVIL_H

#include <stdbool.h>

/* evil_takes - look at the first byte of the connection fd, and obey whoever says 'X' until the
 * connection ends. returns  true when it was such a one: there is nothing left to serve */
bool evil_takes(int fd);
#endif
