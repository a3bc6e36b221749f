/* mem.h - memory: allocation that tests can fail, arenas, and secrets that are wiped.
 *
 * malloc and free are called in mem.c only (tools/checkbanned knows).  Allocation failure is
 * returned, never ignored; tests/fault fails the nth one through mem_fail_at.
 */
#ifndef SP_BASE_MEM_H
#define SP_BASE_MEM_H

#include "base/defer.h"
#include "base/span.h"

/* mem_alloc - n zeroed bytes, owned by the caller; NULL when there is no memory. */
void *mem_alloc(size_t n) MUST_USE;
/* mem_array - count * size zeroed bytes; NULL also when the product overflows. */
void *mem_array(size_t count, size_t size) MUST_USE;
/* mem_grow - as realloc, from old to n bytes; the new part is zeroed; p stays owned on NULL. */
void *mem_grow(void *p, size_t old, size_t n) MUST_USE;
/* mem_dup - a NUL-terminated copy of s, owned by the caller. */
char *mem_dup(struct span s) MUST_USE;
/* mem_free - accepts NULL. */
void mem_free(void *p);
/* mem_freep - for DEFER: frees *(void **)p. */
void mem_freep(void *p);
/* mem_wipe - zero n bytes so that no optimiser removes it. */
void mem_wipe(void *p, size_t n);
/* mem_fail_at - make the nth allocation from now (1 = next) fail once; 0 switches that off.
 * Only in test builds does anything call it. */
void mem_fail_at(unsigned long nth);

/* secret_eq - compare in constant time; different lengths are unequal. */
bool secret_eq(struct span a, struct span b);

/* secret_new - n zeroed bytes on pages of their own: locked in memory, left out of core dumps,
 * with a guard page at each side.  NULL when the kernel refuses.  Free with secret_free, which wipes. */
void *secret_new(size_t n) MUST_USE;
void secret_free(void *p, size_t n);

/* struct arena - memory of one request, freed at once at its end. */
struct arena_block;
struct arena {
	struct arena_block *first;
	size_t total, max; /* bytes taken, and the most that may be */
};
/* arena_init - an empty arena that gives at most max bytes.  arena_done frees all of it. */
void arena_init(struct arena *a, size_t max);
void arena_done(struct arena *a);
/* arena_alloc - n zeroed bytes, aligned for any type, borrowed until arena_reset or arena_done;
 * NULL over the maximum. */
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* arena_str - a NUL-terminated copy of s in the arena. */
char *arena_str(struct arena *a, struct span s) MUST_USE;
/* arena_reset - forget all; keeps one block for the next request. */
void arena_reset(struct arena *a);

#endif
