/* operators.h - what an operator asks about budgets, through the supervisor: LIMITS_GET and
 * LIMITS_CHANGE.  Their answers go to the supervisor and nobody else.
 */
#ifndef SP_VAULT_OPERATORS_H
#define SP_VAULT_OPERATORS_H

#include "ipc/chan.h"
#include "rooms/vault/governor.h"

/* operators_get, operators_change - serve one message and answer it.
 *   errors  of the codec: not our supervisor's; SP_ECLOSED and the like when it does not listen */
int operators_get(struct governor *g, struct span body, struct chan *supervisor) MUST_USE;
int operators_change(struct governor *g, struct span body, struct chan *supervisor) MUST_USE;
#endif
