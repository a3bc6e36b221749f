/* vault_world.h - for the tests of the core: a disk of two slots, two workers, and orders. */
#ifndef SP_VAULT_WORLD_H
#define SP_VAULT_WORLD_H

#include "base/test.h"
#include "base/mem.h"
#include "rooms/vault/egress_stage.h"
#include "rooms/vault/vault_core.h"

#define ORG 7u
#define USER 11u

/* A disk of two slots, which can fail or tear the nth write from now. */
struct disk {
	uint8_t bytes[2][8192];
	size_t len[2];
	int fail_in; /* 0: never; 1: the next write fails */
	size_t tear; /* with fail_in: so many bytes still arrive */
	unsigned saves;
};

struct world {
	struct disk disk;
	struct egress_stage *egress;
	struct vault_core *core;
	struct vault_worker worker, other;
	uint64_t order, entry;
	uint8_t root[KEY_BYTES];
	ipc_b16 blob;
};

/* reopen - vault_core_open on what the disk holds.  start_again - another core on the same disk. */
int reopen(struct world *w);
void start_again(struct world *w);
struct vault_answer org_op(struct world *w, uint64_t org, unsigned op, uint32_t epoch);
/* setup - a locked core.  setup_open - an open one with organisations ORG and ORG + 1. */
int setup(void **state);
int setup_open(void **state);
int teardown(void **state);
/* fresh - a new key for the world's blob; keeps its 32 bytes. */
struct vault_answer fresh(struct world *w, uint64_t limit, uint8_t key[KEY_BYTES]);
struct ipc_v_release release_of(struct world *w, const struct vault_answer *wrapped);
/* given - what a user was given within the hour. */
struct spent given(struct world *w, uint64_t user);
/* refused - nothing of a key is in the answer. */
void refused(const struct vault_answer *a, int err);
/* release - order it; key (unless NULL) receives the 32 bytes. */
struct vault_answer release(struct world *w, const struct ipc_v_release *m,
    struct vault_worker *worker, uint8_t key[KEY_BYTES]);
/* seal - with a proof by that key for `proven` bytes. */
struct vault_answer seal(struct world *w, const struct vault_answer *wrapped, uint64_t length,
    const uint8_t key[KEY_BYTES], uint64_t proven);
#endif
