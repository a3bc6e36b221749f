/* scrub_test.c - a whole blob gives its hash; the first bad segment is named; a stop is obeyed. */
#include "rooms/scrubber/scrub.h"
#include "sys/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

#define SEG 256u
#define FULL (SEG - 32u)
#define N (300 * FULL + 17)

static const uint8_t key[32] = {1}, blob[16] = {2};

static int
make(uint64_t n, uint8_t sha[32], uint32_t *ret_crc)
{
	struct blob_writer *w = NULL;
	uint8_t proof[32];
	uint64_t size = 0;
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(blob_writer_new(fd, key, blob, SEG, n, true, &w), SP_OK);
	for (uint64_t i = 0; i < n; i++) {
		size_t room;

		*blob_writer_room(w, &room) = (uint8_t)(i * 7);
		assert_int_equal(blob_writer_fill(w, 1), SP_OK);
	}
	assert_int_equal(blob_writer_finish(w, &size, sha, ret_crc, proof), SP_OK);
	blob_writer_free(w);
	return fd;
}

static void
flip(int fd, int64_t at)
{
	uint8_t c;

	assert_int_equal(file_pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(file_pwrite(fd, &c, 1, at), SP_OK);
}

static void
test_file(void **state)
{
	uint8_t sha[32], none[32] = {0};
	uint32_t crc = 0;
	DEFER(close_fd) int fd = make(N, sha, &crc);
	struct scrub_result r = scrub_file(fd, key, blob, SEG, N, NULL, NULL);

	(void)state;
	assert_int_equal(r.err, SP_OK);
	assert_int_equal(r.offset, N);
	assert_int_equal(r.length, N);
	assert_memory_equal(r.sha256, sha, 32);
	assert_int_equal(r.crc32, crc);
	for (uint64_t k = 0; k <= 300; k += 25) {
		int64_t at = (int64_t)(FLOE_HEADER_BYTES + k * SEG + 20);

		flip(fd, at);
		r = scrub_file(fd, key, blob, SEG, N, NULL, NULL);
		assert_int_equal(r.err, SP_EDAMAGED);
		assert_int_equal(r.offset, k * FULL);
		assert_memory_equal(r.sha256, none, 32);
		assert_int_equal(r.crc32, 0);
		flip(fd, at);
	}
	flip(fd, 30); /* the header */
	r = scrub_file(fd, key, blob, SEG, N, NULL, NULL);
	assert_int_equal(r.err, SP_EDAMAGED);
	assert_int_equal(r.offset, 0);
	flip(fd, 30);
	assert_int_equal(scrub_file(fd, key, blob, SEG, N - 1, NULL, NULL).err, SP_EDAMAGED);
	assert_int_equal(scrub_file(fd, sha, blob, SEG, N, NULL, NULL).err, SP_EDAMAGED);
	assert_int_equal(scrub_file(-1, key, blob, SEG, N, NULL, NULL).err < 0, true);
	assert_int_equal(scrub_file(fd, key, blob, SEG, N, NULL, NULL).err, SP_OK);
}

static bool
stop_at_third(void *arg)
{
	return ++*(int *)arg == 3;
}

static void
test_stop(void **state)
{
	uint8_t sha[32];
	uint32_t crc = 0;
	int asked = 0;
	DEFER(close_fd) int fd = make(N, sha, &crc);
	struct scrub_result r = scrub_file(fd, key, blob, SEG, N, stop_at_third, &asked);

	(void)state;
	assert_int_equal(r.err, SP_ECLOSED);
	assert_true(r.offset < N);
	assert_int_equal(asked, 3);
}

static void
test_inline(void **state)
{
	static uint8_t ct[INLINE_CT_MAX];
	uint8_t sha[32];
	size_t n = 0;

	(void)state;
	assert_int_equal(blob_inline_seal(key, blob, SPAN_LIT("abc"), ct, sizeof(ct), &n), SP_OK);
	struct scrub_result r = scrub_inline(span_of(ct, n), key, blob, 3);

	assert_int_equal(r.err, SP_OK);
	assert_int_equal(r.offset, 3);
	assert_int_equal(sha256(SPAN_LIT("abc"), sha), SP_OK);
	assert_memory_equal(r.sha256, sha, 32);
	assert_int_equal(r.crc32, crc32_add(0, SPAN_LIT("abc")));
	assert_int_equal(scrub_inline(span_of(ct, n), key, blob, 4).err, SP_EDAMAGED);
	assert_int_equal(scrub_inline(span_of(ct, n), key, blob, 2).err, SP_EDAMAGED);
	for (size_t i = 0; i < n; i++) {
		ct[i] ^= 1;
		assert_int_equal(scrub_inline(span_of(ct, n), key, blob, 3).err, SP_EDAMAGED);
		ct[i] ^= 1;
		assert_int_equal(scrub_inline(span_of(ct, i), key, blob, 3).err, SP_EDAMAGED);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_inline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
