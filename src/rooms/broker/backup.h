/* backup.h - what the rest of the broker knows of a backup that is being taken: b->hold_shredding,
 * and its end. */
#ifndef SP_BROKER_BACKUP_H
#define SP_BROKER_BACKUP_H

#include "rooms/broker/broker.h"

#define BACKUP_SNAPSHOT "backup.db"

struct admin_conn;
/* backup_end - drop the snapshot, let shredding go on.
 *   conn  only when this connection takes the backup; NULL: whoever does */
void backup_end(struct broker *b, const struct admin_conn *conn);
#endif
