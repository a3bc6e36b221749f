#include "base/test.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void
allocations_are_zeroed_and_grow(void **state)
{
	uint8_t *p = mem_alloc(16), *q;
	DEFER(mem_freep) char *dup = mem_dup(SPAN_LIT("abc"));

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(p[i], 0);
	p[15] = 9;
	q = mem_grow(p, 16, 4096);
	assert_non_null(q);
	assert_int_equal(q[15], 9);
	for (size_t i = 16; i < 4096; i++)
		assert_int_equal(q[i], 0);
	mem_free(q);
	mem_free(NULL);
	assert_string_equal(dup, "abc");
	assert_null(mem_array(SIZE_MAX / 2, 3));
}

static void
the_nth_allocation_fails_once(void **state)
{
	void *a, *b;

	(void)state;
	mem_fail_at(2);
	a = mem_alloc(1);
	b = mem_alloc(1);
	assert_non_null(a);
	assert_null(b);
	b = mem_alloc(1);
	assert_non_null(b);
	mem_fail_at(1);
	assert_null(mem_grow(b, 1, 2)); /* b stays owned */
	mem_fail_at(1);
	assert_null(secret_new(1));
	mem_fail_at(0);
	mem_free(a);
	mem_free(b);
}

static void
secrets_compare_by_content(void **state)
{
	(void)state;
	assert_true(secret_eq(SPAN_LIT("abc"), SPAN_LIT("abc")));
	assert_false(secret_eq(SPAN_LIT("abc"), SPAN_LIT("abd")));
	assert_false(secret_eq(SPAN_LIT("abc"), SPAN_LIT("ab")));
	assert_true(secret_eq(span_of(NULL, 0), span_of(NULL, 0)));
}

static size_t
page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Does the kernel let us read one byte there?  (write(2) from a bad address fails with EFAULT) */
static bool
is_readable(const uint8_t *p)
{
	int fd[2];
	bool yes;

	assert_int_equal(pipe(fd), 0);
	yes = write(fd[1], p, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return yes;
}

/* The VmFlags line of the mapping that begins at p. */
static void
vm_flags(const void *p, char *out, size_t cap)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], want[32];
	bool here = false;

	assert_non_null(f);
	snprintf(want, sizeof want, "%lx-", (unsigned long)p);
	out[0] = '\0';
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, want, strlen(want)) == 0)
			here = true;
		else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			snprintf(out, cap, "%s", line);
			break;
		}
	}
	fclose(f);
}

static void
a_secret_is_locked_undumped_and_fenced(void **state)
{
	size_t n = page() + 1;
	uint8_t *s = secret_new(n);
	char flags[512];

	(void)state;
	assert_non_null(s);
	assert_int_equal(s[0] | s[n - 1], 0);
	memset(s, 0xaa, n);
	assert_true(is_readable(s));
	assert_true(is_readable(s + 2 * page() - 1));
	assert_false(is_readable(s - 1));
	assert_false(is_readable(s + 2 * page()));
	vm_flags(s, flags, sizeof flags);
	assert_true(IS_SANITIZED || strstr(flags, " lo") != NULL); /* locked */
	assert_non_null(strstr(flags, " dd"));			   /* left out of dumps */
	secret_free(s, n);
	assert_false(is_readable(s));
	secret_free(NULL, 5);
	assert_null(secret_new(SIZE_MAX));
}

static void
an_arena_has_a_limit(void **state)
{
	struct arena a;
	uint8_t *p, *q;

	(void)state;
	arena_init(&a, 10000);
	p = arena_alloc(&a, 1);
	q = arena_alloc(&a, 5000);
	assert_non_null(p);
	assert_non_null(q);
	assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
	assert_int_equal((uintptr_t)q % _Alignof(max_align_t), 0);
	memset(q, 1, 5000);
	assert_string_equal(arena_str(&a, SPAN_LIT("hello")), "hello");
	assert_null(arena_alloc(&a, 6000));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	arena_reset(&a);
	assert_int_equal(a.total, 0);
	q = arena_alloc(&a, 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(q[i], 0); /* zeroed again */
	arena_done(&a);
	arena_done(&a);
}

static void
an_arena_survives_lack_of_memory(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 100000);
	mem_fail_at(1);
	assert_null(arena_alloc(&a, 8));
	assert_non_null(arena_alloc(&a, 8));
	arena_done(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(allocations_are_zeroed_and_grow),
	    cmocka_unit_test(the_nth_allocation_fails_once),
	    cmocka_unit_test(secrets_compare_by_content),
	    cmocka_unit_test(a_secret_is_locked_undumped_and_fenced),
	    cmocka_unit_test(an_arena_has_a_limit),
	    cmocka_unit_test(an_arena_survives_lack_of_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
