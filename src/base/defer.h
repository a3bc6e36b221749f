/* defer.h - cleanup at the end of a scope, and the two ways to give up. */
#ifndef SP_BASE_DEFER_H
#define SP_BASE_DEFER_H

#include <stdnoreturn.h>

/* DEFER(fn) - call fn(&variable) when the variable goes out of scope.
 *   DEFER(close_fd) int fd = ...;      (sys/fd.h)
 *   DEFER(mem_freep) char *p = ...;    (base/mem.h) */
#define DEFER(fn) __attribute__((cleanup(fn)))
/* TAKE_FD, TAKE_PTR - hand the resource out of its scope: the cleanup then finds nothing. */
#define TAKE_FD(v)                                                                                 \
	__extension__({                                                                            \
		int take_ = (v);                                                                   \
		(v) = -1;                                                                          \
		take_;                                                                             \
	})
#define TAKE_PTR(v)                                                                                \
	__extension__({                                                                            \
		__typeof__(v) take_ = (v);                                                         \
		(v) = NULL;                                                                        \
		take_;                                                                             \
	})

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* sp_die - the world is wrong at start: print one sentence to standard error, exit with status. */
noreturn void sp_die(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* sp_bug - we are wrong: print file, line and the broken promise, abort. */
noreturn void sp_bug(const char *file, int line, const char *what);

/* PRECOND checks what a caller promised, VERIFY our own arithmetic.  Always compiled in. */
#define PRECOND(x) ((x) ? (void)0 : sp_bug(__FILE__, __LINE__, "PRECOND " #x))
#define VERIFY(x) ((x) ? (void)0 : sp_bug(__FILE__, __LINE__, "VERIFY " #x))

#endif
