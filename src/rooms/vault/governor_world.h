/* governor_world.h - for tests of the governor: one on a disk in memory, and who asks it. */
#ifndef SP_VAULT_GOVERNOR_WORLD_H
#define SP_VAULT_GOVERNOR_WORLD_H

#include "rooms/vault/egress_stage.h"
#include "rooms/vault/governor.h"

struct world {
	struct egress_stage *s;
	struct governor *g;
	struct limits limits;
	struct governor_no no; /* of the last ask */
	uint64_t key;	       /* of the next ask: every file is another one */
};

/* set - the limits of a kind; nothing is learned. */
void set(struct world *w, enum principal_kind kind, int64_t files_hour, int64_t files_day,
    int64_t bytes_hour, int64_t bytes_day);
/* open_again - another governor on the same disk, without settling the one before: a crash. */
enum governor_start open_again(struct world *w, bool is_known);
int setup(void **state);
int teardown(void **state);
/* ask - a release to a user at 192.0.2.host.  give - ask, and what comes of it. */
struct governor_ask ask(struct world *w, uint64_t user, uint8_t host, uint64_t bytes);
int give(struct world *w, uint64_t user, uint8_t host, uint64_t bytes);
/* row - of a principal by number, all zero when there is none.  files - its files of the hour. */
struct governor_row row(struct world *w, enum principal_kind kind, uint64_t number);
uint32_t files(struct world *w, enum principal_kind kind, uint64_t number);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#endif
