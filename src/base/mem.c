/* mem.c - the program's only calls of malloc, free and their kin. */
#include "base/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The fault hook is the one mutable global of base/: tests set it, nobody else. */
static _Atomic unsigned long fail_countdown;

void
mem_fail_at(unsigned long nth)
{
	fail_countdown = nth;
}

static bool
fails_now(void)
{
	unsigned long left = fail_countdown;

	if (__builtin_expect(left == 0, 1))
		return false;
	fail_countdown = left - 1;
	return left == 1;
}

void *
mem_alloc(size_t n)
{
	return fails_now() ? NULL : calloc(1, n != 0 ? n : 1);
}

void *
mem_array(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	return mem_alloc(n);
}

void *
mem_grow(void *p, size_t old, size_t n)
{
	uint8_t *q = fails_now() ? NULL : realloc(p, n != 0 ? n : 1);

	if (q != NULL && n > old)
		memset(q + old, 0, n - old);
	return q;
}

char *
mem_dup(struct span s)
{
	char *p = s.len < SIZE_MAX ? mem_alloc(s.len + 1) : NULL;

	if (p != NULL && s.len != 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_freep(void *p)
{
	void **pp = p;

	free(*pp);
	*pp = NULL;
}

void
mem_wipe(void *p, size_t n)
{
	if (n != 0)
		explicit_bzero(p, n);
}

bool
secret_eq(struct span a, struct span b)
{
	volatile uint8_t diff = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		diff = (uint8_t)(diff | (a.ptr[i] ^ b.ptr[i]));
	return diff == 0;
}

/* ---- secrets: [guard page][pages of the secret][guard page] ---- */

static size_t
page_bytes(void)
{
	long n = sysconf(_SC_PAGESIZE);

	return n > 0 ? (size_t)n : 4096;
}

static size_t
secret_pages_bytes(size_t n, size_t page)
{
	size_t want = n != 0 ? n : 1;

	return want > SIZE_MAX / 2 ? 0 : (want + page - 1) / page * page;
}

void *
secret_new(size_t n)
{
	size_t page = page_bytes(), len = secret_pages_bytes(n, page);
	uint8_t *p;

	if (len == 0 || fails_now())
		return NULL;
	p = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p + page, len, PROT_READ | PROT_WRITE) != 0 || mlock(p + page, len) != 0 ||
	    madvise(p + page, len, MADV_DONTDUMP) != 0) {
		(void)munmap(p, len + 2 * page); /* nothing in it yet */
		return NULL;
	}
	return p + page;
}

void
secret_free(void *p, size_t n)
{
	size_t page = page_bytes(), len = secret_pages_bytes(n, page);

	if (p == NULL)
		return;
	mem_wipe(p, n);
	(void)munmap((uint8_t *)p - page, len + 2 * page); /* wiped already */
}

/* ---- arenas ---- */

#define ARENA_BLOCK 4096u

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	_Alignas(max_align_t) uint8_t data[];
};

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){NULL, 0, max};
}

void
arena_done(struct arena *a)
{
	while (a->first != NULL) {
		struct arena_block *b = a->first;

		a->first = b->next;
		mem_free(b);
	}
	a->total = 0;
}

static struct arena_block *
arena_block_new(struct arena *a, size_t n)
{
	size_t cap = n > ARENA_BLOCK ? n : ARENA_BLOCK;
	struct arena_block *b = mem_alloc(sizeof *b + cap);

	if (b == NULL)
		return NULL;
	b->cap = cap;
	b->next = a->first;
	a->first = b;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *b = a->first;
	void *p;

	if (n > a->max || n > SIZE_MAX / 2)
		return NULL;
	n = (n + align - 1) / align * align;
	if (n > a->max - a->total)
		return NULL;
	if (b == NULL || n > b->cap - b->used)
		b = arena_block_new(a, n);
	if (b == NULL)
		return NULL;
	p = b->data + b->used;
	b->used += n;
	a->total += n;
	return p;
}

char *
arena_str(struct arena *a, struct span s)
{
	char *p = s.len < SIZE_MAX / 2 ? arena_alloc(a, s.len + 1) : NULL;

	if (p != NULL && s.len != 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *keep = a->first;

	if (keep == NULL)
		return;
	a->first = keep->next;
	arena_done(a);
	mem_wipe(keep->data, keep->used); /* arena memory is handed out zeroed */
	keep->used = 0;
	keep->next = NULL;
	a->first = keep;
}
