/* scan.h - was that a request of a client's, or of somebody who looks for holes?
 *
 * Only requests that are none of our routes are looked at, before a login.  The reply has left by
 * then, and is the same as to any other address that there is not. */
#ifndef SP_GATE_HTTPS_SCAN_H
#define SP_GATE_HTTPS_SCAN_H

#include "rooms/gate/https/conn.h"

/* What it was, for CONTACT. */
struct scan {
	uint8_t kind;	   /* enum contact; 0: nothing to be held against anybody */
	struct span probe; /* of kind CONTACT_PROBE; borrowed from the tables */
};
/* scan_judge - the request in hand, which ended with err. */
struct scan scan_judge(const struct conn *c, int err);
/* scan_report - judge it and tell the broker, CONTACTS_MAX times a connection. */
void scan_report(struct conn *c, int err);
#endif
