/* story_state.h - inside of a story; private to story*.c. */
#ifndef SP_CLI_HUNT_STORY_STATE_H
#define SP_CLI_HUNT_STORY_STATE_H

#include <stdlib.h>

#include "cli/hunt/story.h"

struct reading {
	uint64_t entry, size;
	int64_t t_us;
	uint32_t taken; /* index */
	bool refused;
};

/* A set of numbers: a hash table, 0 is no member. */
struct numbers {
	uint64_t *v;
	size_t n, cap;
};

struct story {
	struct span user, file; /* empty: any; borrowed */
	bool has_address;
	uint8_t ip[16];
	unsigned bits;
	struct numbers ids,
	    blobs;	  /* of the files that `file` names: their numbers, their content */
	uint64_t *chosen; /* entries, in order */
	size_t n_chosen, chosen_cap;
	struct taken *taken; /* in the order of their first reading */
	uint32_t *slot;	     /* hash table of index + 1, by blob */
	size_t n_taken, taken_cap, slots;
	struct reading *reading; /* in order */
	size_t n_readings, readings_cap;
	uint64_t without_blob, unreadable;
	struct arena arena;
};

/* story_page - the story as a page, into a file.  Errors are said. */
int story_page(const struct cli *c, const struct report *r, const struct story *s,
    const struct totals *sum, const char *path) MUST_USE;
#endif
