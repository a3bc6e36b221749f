/* fault.c - see fault.h. */
#include "fault.h"

#include "sys/fd.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#define MOST 4000u /* failing points of one scenario */

/* ---- what fails ---- */

static unsigned long countdown; /* 0: nothing; else the nth call of the kind that is on fails */
static enum kind on;

bool
fails_now(enum kind kind)
{
	return on == kind && countdown != 0 && --countdown == 0;
}

static void *
openssl_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return fails_now(OPENSSL) ? NULL : malloc(n);
}

static void *
openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return fails_now(OPENSSL) ? NULL : realloc(p, n);
}

static void
openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

int __real_file_pwrite(int fd, const void *buf, size_t n, int64_t offset);
int64_t __real_file_pread(int fd, void *buf, size_t n, int64_t offset);
int __real_file_sync(int fd);
int __real_file_truncate(int fd, int64_t size);
int __real_file_size(int fd, int64_t *ret);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_file_pwrite(int fd, const void *buf, size_t n, int64_t offset);
int64_t __wrap_file_pread(int fd, void *buf, size_t n, int64_t offset);
int __wrap_file_sync(int fd);
int __wrap_file_truncate(int fd, int64_t size);
int __wrap_file_size(int fd, int64_t *ret);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

int
__wrap_file_pwrite(int fd, const void *buf, size_t n, int64_t offset)
{
	return fails_now(SYSTEM) ? SP_EDISKFULL : __real_file_pwrite(fd, buf, n, offset);
}

int64_t
__wrap_file_pread(int fd, void *buf, size_t n, int64_t offset)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_file_pread(fd, buf, n, offset);
}

int
__wrap_file_sync(int fd)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_file_sync(fd);
}

int
__wrap_file_truncate(int fd, int64_t size)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_file_truncate(fd, size);
}

int
__wrap_file_size(int fd, int64_t *ret)
{
	return fails_now(SYSTEM) ? SP_EIO : __real_file_size(fd, ret);
}

int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	return fails_now(THREAD) ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

bool
fault_ready(void)
{
	return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1 &&
	       crypto_ready() == SP_OK;
}

/* ---- one after the other ---- */

static unsigned
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* SP_OK, or one of the errors that a failure of this kind may become. */
static bool
expected(enum kind kind, int r)
{
	switch (kind) {
	case MEMORY:
		return r == SP_OK || r == SP_ENOMEM || r == SP_ECRYPTO;
	case OPENSSL:
		return r == SP_OK || r == SP_ENOMEM || r == SP_ECRYPTO ||
		       r == SP_EVERIFY; /* a signature that could not be checked */
	case SYSTEM:
		return r == SP_EIO || r == SP_EDISKFULL;
	default:
		return r == SP_OK; /* without a thread it goes on alone */
	}
}

unsigned
every_failure(int (*scenario)(void), enum kind kind)
{
	unsigned fds = open_descriptors(), errors = 0;

	for (unsigned n = 1; n < MOST; n++) {
		bool hit;
		int r;

		on = kind;
		countdown = n;
		if (kind == MEMORY)
			mem_fail_at(n);
		r = scenario();
		hit = kind == MEMORY ? r != SP_OK : countdown == 0;
		on = NONE;
		mem_fail_at(0);
		assert_int_equal(open_descriptors(), fds);
		assert_int_equal(ERR_peek_error(), 0);
		if (!hit) {
			print_message("%u points\n", n);
			assert_int_equal(r, SP_OK);
			return errors;
		}
		if (!expected(kind, r))
			fail_msg("kind %d, call %u: error %d", (int)kind, n, r);
		errors += r != SP_OK;
	}
	fail_msg("never without a failure");
	return 0;
}
