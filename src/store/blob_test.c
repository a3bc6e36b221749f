/* blob_test.c - blobs written and read; every damage found; full disks; small files in memory. */
#include "store/blob.h"
#include "sys/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <cmocka.h>

#define SEG 128u
#define FULL (SEG - 32u)

static const uint8_t key[32] = {1, 2, 3}, blob[16] = {4, 5, 6};

static int
new_file(void)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Byte i of the test content. */
static uint8_t
content(uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 7 + 1);
}

/* Write n content bytes, at most `step` a time. */
static int
put(struct blob_writer *w, uint64_t from, uint64_t n, size_t step)
{
	for (uint64_t i = from; i < from + n;) {
		size_t room = 0, part;
		uint8_t *p = blob_writer_room(w, &room);
		int r;

		assert_true(room > 0);
		part = room < step ? room : step;
		if (part > from + n - i)
			part = (size_t)(from + n - i);
		for (size_t k = 0; k < part; k++)
			p[k] = content(i + k);
		r = blob_writer_fill(w, part);
		if (r != SP_OK)
			return r;
		i += part;
	}
	return SP_OK;
}

/* A finished blob of n bytes in fd. */
static void
make(int fd, uint32_t segment, uint64_t n, size_t step, bool hashed)
{
	struct blob_writer *w = NULL;
	struct sha256 *h = sha256_new();
	uint8_t sha[32] = {1}, want[32] = {0}, proof[32], want_proof[32];
	uint64_t size = 0;
	uint32_t crc = 1, want_crc = 0;
	int64_t on_disk = 0;

	assert_non_null(h);
	assert_int_equal(blob_writer_new(fd, key, blob, segment, n, hashed, &w), SP_OK);
	assert_int_equal(put(w, 0, n, step), SP_OK);
	assert_int_equal(blob_writer_finish(w, &size, sha, &crc, proof), SP_OK);
	assert_int_equal(size, n);
	for (uint64_t i = 0; hashed && i < n; i++) {
		uint8_t c = content(i);

		assert_int_equal(sha256_add(h, span_of(&c, 1)), SP_OK);
		want_crc = crc32_add(want_crc, span_of(&c, 1));
	}
	if (hashed)
		assert_int_equal(sha256_get(h, want), SP_OK);
	assert_memory_equal(sha, want, 32);
	assert_int_equal(crc, want_crc);
	assert_int_equal(seal_proof(key, blob, n, want_proof), SP_OK);
	assert_memory_equal(proof, want_proof, 32);
	assert_int_equal(file_size(fd, &on_disk), SP_OK);
	assert_int_equal(on_disk, floe_ciphertext_len(n, segment));
	assert_true(blob_writer_fill(w, 1) < 0);
	assert_true(blob_writer_finish(w, &size, sha, &crc, proof) < 0);
	blob_writer_free(w);
	sha256_free(h);
}

/* Read all of it; the first error, or SP_OK when every byte is right. */
static int
check(int fd, uint32_t segment, uint64_t n)
{
	struct blob_reader *r = NULL;
	struct span s;
	int err = blob_reader_new(fd, key, blob, segment, n, &r);

	for (uint64_t i = 0; err == SP_OK && i < n; i += s.len) {
		err = blob_reader_at(r, i, &s);
		if (err != SP_OK)
			break;
		assert_true(s.len > 0 && s.len <= n - i);
		for (size_t k = 0; k < s.len; k++)
			assert_int_equal(s.ptr[k], content(i + k));
	}
	blob_reader_free(r);
	return err;
}

static void
test_sizes(void **state)
{
	(void)state;
	for (uint64_t n = 0; n <= 5 * FULL + 2; n += n > 2 * FULL + 2 ? 31 : 1) {
		DEFER(close_fd) int fd = new_file();

		make(fd, SEG, n, 1 + n % 200, n % 3 != 0);
		assert_int_equal(check(fd, SEG, n), SP_OK);
		if (n > 0)
			assert_int_equal(check(fd, SEG, n - 1), SP_EDAMAGED);
		assert_int_equal(check(fd, SEG, n + 1), SP_EDAMAGED);
	}
}

/* Real segment lengths, so that the helper thread works for a while. */
static void
test_large(void **state)
{
	static const uint32_t segments[] = {65536, 131072, 262144};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(segments); i++) {
		DEFER(close_fd) int fd = new_file();
		uint64_t n = (uint64_t)(segments[i] - 32) * 5 + i * 1000;

		make(fd, segments[i], n, 16384, true);
		assert_int_equal(check(fd, segments[i], n), SP_OK);
	}
}

static void
test_random_reads(void **state)
{
	enum { N = 7 * FULL + 13 };
	DEFER(close_fd) int fd = new_file();
	struct blob_reader *r = NULL;
	struct span s;

	(void)state;
	make(fd, SEG, N, 1000, false);
	assert_int_equal(blob_reader_new(fd, key, blob, SEG, N, &r), SP_OK);
	for (uint64_t k = 0; k < 3000; k++) {
		uint64_t at = k * 7919 % N;

		assert_int_equal(blob_reader_at(r, at, &s), SP_OK);
		assert_int_equal(s.len, at / FULL == N / FULL ? N - at : FULL - at % FULL);
		for (size_t i = 0; i < s.len; i++)
			assert_int_equal(s.ptr[i], content(at + i));
	}
	assert_int_equal(blob_reader_at(r, N, &s), SP_ERANGE);
	assert_int_equal(blob_reader_at(r, UINT64_MAX, &s), SP_ERANGE);
	blob_reader_free(r);
	blob_reader_free(NULL);
}

/* Each byte changed in turn: the whole is never read without an error, and what lies elsewhere
 * still is. */
static void
test_every_flip(void **state)
{
	enum { N = 2 * FULL + 20 };
	DEFER(close_fd) int fd = new_file();
	int64_t size = 0;
	uint8_t c;

	(void)state;
	make(fd, SEG, N, 1000, false);
	assert_int_equal(file_size(fd, &size), SP_OK);
	for (int64_t i = 0; i < size; i++) {
		assert_int_equal(file_pread(fd, &c, 1, i), 1);
		c ^= (uint8_t)(1u << i % 8);
		assert_int_equal(file_pwrite(fd, &c, 1, i), SP_OK);
		assert_int_equal(check(fd, SEG, N), SP_EDAMAGED);
		if (i >= (int64_t)FLOE_HEADER_BYTES) { /* only its own segment is lost */
			struct blob_reader *r = NULL;
			struct span s;
			uint64_t hit = ((uint64_t)i - FLOE_HEADER_BYTES) / SEG;

			assert_int_equal(blob_reader_new(fd, key, blob, SEG, N, &r), SP_OK);
			for (uint64_t k = 0; k < 3; k++) {
				assert_int_equal(blob_reader_at(r, k * FULL, &s),
				    k == hit ? SP_EDAMAGED : SP_OK);
				assert_true(k == hit || s.ptr[0] == content(k * FULL));
			}
			blob_reader_free(r);
		}
		c ^= (uint8_t)(1u << i % 8);
		assert_int_equal(file_pwrite(fd, &c, 1, i), SP_OK);
	}
	assert_int_equal(check(fd, SEG, N), SP_OK);
}

static void
test_wrong_length_key_blob(void **state)
{
	enum { N = 3 * FULL };
	DEFER(close_fd) int fd = new_file();
	struct blob_reader *r = NULL;
	uint8_t other[32] = {0};
	int64_t size = 0;

	(void)state;
	make(fd, SEG, N, 1000, false);
	assert_int_equal(blob_reader_new(fd, other, blob, SEG, N, &r), SP_EDAMAGED);
	assert_int_equal(blob_reader_new(fd, key, other, SEG, N, &r), SP_EDAMAGED);
	assert_int_equal(blob_reader_new(fd, key, blob, SEG * 2, N, &r), SP_EDAMAGED);
	assert_int_equal(blob_reader_new(fd, key, blob, 63, N, &r), SP_ERANGE);
	assert_int_equal(blob_reader_new(fd, key, blob, (1u << 20) + 1, N, &r), SP_ERANGE);
	assert_int_equal(blob_reader_new(fd, key, blob, SEG, UINT64_MAX, &r), SP_ERANGE);
	assert_null(r);
	assert_int_equal(file_size(fd, &size), SP_OK);
	assert_int_equal(file_truncate(fd, size + 1), SP_OK);
	assert_int_equal(check(fd, SEG, N), SP_EDAMAGED);
	for (int64_t n = size - 1; n >= 0; n--) {
		assert_int_equal(file_truncate(fd, n), SP_OK);
		assert_int_equal(check(fd, SEG, N), SP_EDAMAGED);
	}
}

/* A blob cut at a segment border, claimed to be shorter: the last segment left is no final one. */
static void
test_cut_at_border(void **state)
{
	DEFER(close_fd) int fd = new_file();

	(void)state;
	make(fd, SEG, 3 * FULL, 1000, false);
	assert_int_equal(file_truncate(fd, FLOE_HEADER_BYTES + 2 * SEG), SP_OK);
	assert_int_equal(check(fd, SEG, 2 * FULL), SP_EDAMAGED);
}

static void
test_limit(void **state)
{
	(void)state;
	for (uint64_t limit = 0; limit < 3 * FULL; limit += 17) {
		DEFER(close_fd) int fd = new_file();
		struct blob_writer *w = NULL;
		uint64_t size;
		uint32_t crc;
		uint8_t out[32];

		assert_int_equal(blob_writer_new(fd, key, blob, SEG, limit, true, &w), SP_OK);
		assert_int_equal(put(w, 0, limit, 50), SP_OK);
		assert_int_equal(put(w, limit, 1, 1), SP_ETOOBIG);
		assert_int_equal(put(w, limit, 0, 1), SP_OK); /* puts nothing */
		assert_int_equal(blob_writer_fill(w, 0), SP_ETOOBIG);
		assert_int_equal(blob_writer_finish(w, &size, out, &crc, out), SP_ETOOBIG);
		blob_writer_free(w);
	}
	struct blob_writer *w = NULL;

	assert_int_equal(blob_writer_new(-1, key, blob, 63, 1, true, &w), SP_ERANGE);
	assert_int_equal(blob_writer_new(-1, key, blob, SEG, UINT64_MAX, true, &w), SP_ERANGE);
	assert_true(blob_writer_new(-1, key, blob, SEG, 10, true, &w) < 0); /* no such descriptor */
	assert_null(w);
	blob_writer_free(NULL);
}

/* A device that is always full; and files that may not grow past any given length. */
static void
test_disk_full(void **state)
{
	enum { N = 3 * FULL + 5 };
	struct rlimit old, now;
	struct blob_writer *w = NULL;
	int full = file_open_at(AT_FDCWD, "/dev/full", O_WRONLY, 0);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(blob_writer_new(full, key, blob, SEG, 10, false, &w), SP_EDISKFULL);
	assert_null(w);
	close_fd(&full);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	for (uint64_t limit = 0; limit < floe_ciphertext_len(N, SEG); limit += 9) {
		DEFER(close_fd) int fd = new_file();
		uint64_t size;
		uint32_t crc;
		uint8_t sha[32], proof[32];
		int r;

		now = (struct rlimit){limit, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
		r = blob_writer_new(fd, key, blob, SEG, N, true, &w);
		if (r == SP_OK)
			r = put(w, 0, N, 40);
		if (r == SP_OK)
			r = blob_writer_finish(w, &size, sha, &crc, proof);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(r, SP_ETOOBIG); /* EFBIG */
		if (w != NULL) {		 /* sticky, and with room */
			size_t room = 0;

			assert_int_equal(blob_writer_finish(w, &size, sha, &crc, proof), r);
			assert_non_null(blob_writer_room(w, &room));
			assert_true(room > 0);
			assert_int_equal(blob_writer_fill(w, 1), r);
		}
		blob_writer_free(w);
		w = NULL;
	}
}

static void
test_inline(void **state)
{
	static uint8_t pt[INLINE_MAX + 1], ct[INLINE_CT_MAX + 1], out[INLINE_MAX];
	static const size_t sizes[] = {0, 1, 100, 10240, INLINE_MAX};
	uint8_t other[32] = {0};
	size_t n = 0, m = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(pt); i++)
		pt[i] = content(i);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t want = sizes[i] + FLOE_HEADER_BYTES + FLOE_OVERHEAD,
		       step = want > 1000 ? 97 : 1;

		assert_int_equal(
		    blob_inline_seal(key, blob, span_of(pt, sizes[i]), ct, want - 1, &n),
		    SP_ESPACE);
		assert_int_equal(
		    blob_inline_seal(key, blob, span_of(pt, sizes[i]), ct, want, &n), SP_OK);
		assert_int_equal(n, want);
		assert_int_equal(
		    blob_inline_open(key, blob, span_of(ct, n), out, sizeof(out), &m), SP_OK);
		assert_int_equal(m, sizes[i]);
		assert_memory_equal(out, pt, m);
		if (m > 0)
			assert_int_equal(
			    blob_inline_open(key, blob, span_of(ct, n), out, m - 1, &m), SP_ESPACE);
		assert_int_equal(
		    blob_inline_open(other, blob, span_of(ct, n), out, sizeof(out), &m),
		    SP_EDAMAGED);
		assert_int_equal(blob_inline_open(key, other, span_of(ct, n), out, sizeof(out), &m),
		    SP_EDAMAGED);
		for (size_t k = 0; k < n; k += step) {
			ct[k] ^= 1;
			assert_int_equal(
			    blob_inline_open(key, blob, span_of(ct, n), out, sizeof(out), &m),
			    SP_EDAMAGED);
			ct[k] ^= 1;
			assert_int_equal(
			    blob_inline_open(key, blob, span_of(ct, k), out, sizeof(out), &m),
			    SP_EDAMAGED);
		}
		assert_int_equal(
		    blob_inline_open(key, blob, span_of(ct, n + 1), out, sizeof(out), &m),
		    SP_EDAMAGED);
	}
	assert_int_equal(
	    blob_inline_seal(key, blob, span_of(pt, INLINE_MAX + 1), ct, sizeof(ct), &n),
	    SP_ETOOBIG);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_random_reads),
	    cmocka_unit_test(test_every_flip),
	    cmocka_unit_test(test_wrong_length_key_blob),
	    cmocka_unit_test(test_cut_at_border),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_disk_full),
	    cmocka_unit_test(test_inline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
