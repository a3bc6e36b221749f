/* vault_play.h - the real vault with two workers and a ledger that the test plays. */
#ifndef SP_TESTS_HOSTILE_VAULT_PLAY_H
#define SP_TESTS_HOSTILE_VAULT_PLAY_H

#include "crypto/wrap.h"
#include "stage.h"

#define EXIT_CONFIG 78
#define ORG 3u
#define USER 9u

struct play {
	struct stage s;
	struct chan ledger, a, b; /* two workers: serials 100 and 200 */
	uint64_t order, entry;
	int state, egress; /* the files of the vault */
	int limits;	   /* limits.conf; 0: none */
	uint8_t wrap[WRAP_BYTES], key[KEY_BYTES];
	ipc_b16 blob;
};

extern const uint8_t root[KEY_BYTES];

/* play_raise - the vault with its files, before GO.  play_dup - a second descriptor of the state
 * file. */
void play_raise(struct play *p, bool with_key);
int play_dup(int fd);
/* play_setup - a vault that works: organisations ORG and ORG + 1, one blob of worker 100 that was
 * released once. */
int play_setup(void **state);
int play_teardown(void **state);
/* play_restart - another vault on the same files: what was stored can be released. */
void play_restart(struct play *p);
/* new_ledger - LINK again: order numbers begin anew. */
void new_ledger(struct play *p);
void expect_state(struct play *p, unsigned open);

/* take_result - the answer to the last order. */
struct ipc_v_result take_result(struct play *p);
struct ipc_v_result org_key(struct play *p, uint64_t org, unsigned op, uint32_t epoch);
struct ipc_key take_key(struct play *p, struct chan *worker);
/* new_key - for the play's blob, to worker 100; keeps wrap and key. */
void new_key(struct play *p, uint64_t limit);
struct ipc_v_release good_release(struct play *p);
void send_release(struct play *p, const struct ipc_v_release *m);
/* still_works - a good order is obeyed, for that worker only. */
void still_works(struct play *p);
/* not_obeyed - an error comes back, and no key anywhere. */
void not_obeyed(struct play *p, const struct ipc_v_release *m);
#endif
