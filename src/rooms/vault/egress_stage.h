/* egress_stage.h - for tests: vault/egress in memory, with a clock that the test sets, writes that
 * fail or tear, and syncs that are counted.
 */
#ifndef SP_VAULT_EGRESS_STAGE_H
#define SP_VAULT_EGRESS_STAGE_H

#include "base/test.h"
#include "rooms/vault/egress.h"

struct egress_stage {
	struct egress_disk disk;
	uint8_t *bytes; /* owned; EGRESS_BYTES */
	int64_t boot;	/* what CLOCK_BOOTTIME shows */
	int fail_in;	/* 0: never; 1: the next write fails */
	size_t tear;	/* with fail_in: so many bytes still arrive */
	bool fail_sync;
	unsigned writes, syncs;
};

struct egress_stage *egress_stage_new(void);
void egress_stage_free(struct egress_stage *s);
/* egress_stage_wipe - the file is empty again. */
void egress_stage_wipe(struct egress_stage *s);
/* egress_stage_head, egress_stage_place - the bytes of a copy, to be damaged. */
uint8_t *egress_stage_head(struct egress_stage *s, unsigned copy);
uint8_t *egress_stage_place(struct egress_stage *s, unsigned copy, uint32_t place);
#endif
