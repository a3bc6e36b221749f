/* fault.h - the nth allocation, system call or thread fails, for every n.
 *
 * Each scenario runs again and again, each time with the next one failing, until a run meets no
 * failure any more.  A run that met one ends with an error (or did without what it could not have),
 * hands out nothing, leaves OpenSSL's error queue empty and no descriptor open; leaks are found by
 * the sanitizer's build.  Our own allocations fail through mem_fail_at, OpenSSL's through its
 * allocator's hooks, calls of sys/ and pthread_create through ld --wrap.
 */
#ifndef SP_TESTS_FAULT_H
#define SP_TESTS_FAULT_H

#include "base/mem.h"
#include "base/test.h"
#include "crypto/crypto.h"

enum kind { NONE, OPENSSL, SYSTEM, THREAD, MEMORY };

/* fault_ready - first of all, before OpenSSL allocates anything. */
bool fault_ready(void) MUST_USE;
/* fails_now - for wrappers of a test's own: is it this call's turn to fail? */
bool fails_now(enum kind kind);
/* every_failure - run a scenario (SP_OK or the first error; what it makes it frees) with the nth
 * failing, until one run is not hit; how many ended with an error. */
unsigned every_failure(int (*scenario)(void), enum kind kind);
#endif
