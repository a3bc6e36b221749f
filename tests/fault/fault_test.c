/* fault_test.c - crypto/ and store/ under fault.h. */
#include "fault.h"

#include "crypto/merkle.h"
#include "crypto/wrap.h"
#include "store/blob.h"
#include "sys/fd.h"

#include <sys/mman.h>

#define SEG 4096u
#define N (5u * SEG)

static const uint8_t key[32] = {1, 2, 3}, blob[16] = {4, 5, 6}, seed[32] = {7};

/* ---- scenarios: SP_OK or the first error; what they make they free ---- */

static int
primitives(void)
{
	uint8_t out[64], phc[128], public_key[32], sig[64];
	struct sha256 *h = sha256_new();
	int r = h == NULL ? SP_ENOMEM : sha256_add(h, SPAN_LIT("abc"));

	sha256_free(h);
	if (r == SP_OK)
		r = sha256(SPAN_LIT("abc"), out);
	if (r == SP_OK)
		r = hmac_sha256(SPAN_LIT("k"), SPAN_LIT("abc"), out);
	if (r == SP_OK)
		r = hkdf_expand_sha384(span_of(key, 32), SPAN_LIT("abc"), out, 64);
	if (r == SP_OK)
		r = password_hash(SPAN_LIT("abc"), 65536, 1, (char *)phc, sizeof(phc));
	if (r == SP_OK)
		r = password_verify(SPAN_LIT("abc"), (char *)phc);
	if (r == SP_OK)
		r = ed25519_public(seed, public_key);
	if (r == SP_OK)
		r = ed25519_sign(seed, SPAN_LIT("abc"), sig);
	if (r == SP_OK)
		r = ed25519_verify(public_key, SPAN_LIT("abc"), sig);
	return r;
}

static int
wraps(void)
{
	struct wrap_info in = {WRAP_SEALED, 1, 1000}, out;
	uint8_t wrap[WRAP_BYTES], got[32] = {0}, none[32] = {0}, proof[32];
	int r = key_wrap(key, 1, blob, &in, key, wrap);

	if (r != SP_OK)
		return r;
	r = key_unwrap(key, 1, blob, span_of(wrap, sizeof(wrap)), &out, got);
	assert_memory_equal(got, r == SP_OK ? key : none, 32);
	return r == SP_OK ? seal_proof(key, blob, 1000, proof) : r;
}

static int
checkpoints(void)
{
	char buf[512];
	struct text t = text_of(buf, sizeof(buf));
	struct hash root, got;
	uint8_t public_key[32];
	uint64_t size = 99;
	int r = merkle_leaf(SPAN_LIT("entry"), &root);

	if (r == SP_OK)
		r = ed25519_public(seed, public_key);
	if (r == SP_OK)
		r = checkpoint_sign(&t, "example.com/log", 5, &root, seed);
	if (r != SP_OK)
		return r;
	r = checkpoint_open(text_span(&t), "example.com/log", public_key, &size, &got);
	assert_int_equal(size, r == SP_OK ? 5 : 99);
	return r;
}

static int
put(struct blob_writer *w, uint64_t n)
{
	int r = SP_OK;

	while (n > 0 && r == SP_OK) {
		size_t room = 0;
		uint8_t *p = blob_writer_room(w, &room);

		room = room < n ? room : (size_t)n;
		memset(p, 'x', room);
		r = blob_writer_fill(w, room);
		n -= room;
	}
	return r;
}

/* Finish and free w. */
static int
end(struct blob_writer *w, int r, uint64_t want)
{
	uint8_t sha[32], proof[32];
	uint64_t size = 99;
	uint32_t crc;

	if (r == SP_OK) {
		r = blob_writer_finish(w, &size, sha, &crc, proof);
		assert_int_equal(size, r == SP_OK ? want : 99);
	}
	blob_writer_free(w);
	return r;
}

static int
read_all(int fd, uint64_t n)
{
	struct blob_reader *b = NULL;
	struct span s = {0};
	int r = blob_reader_new(fd, key, blob, SEG, n, &b);

	assert_true((r == SP_OK) == (b != NULL));
	for (uint64_t i = 0; r == SP_OK && i < n; i += s.len) {
		r = blob_reader_at(b, i, &s);
		for (size_t k = 0; r == SP_OK && k < s.len; k++)
			assert_int_equal(s.ptr[k], 'x');
	}
	blob_reader_free(b);
	return r;
}

static int
upload(void)
{
	DEFER(close_fd) int fd = memfd_create("blob", MFD_CLOEXEC);
	struct blob_writer *w = NULL;
	int r = blob_writer_new(fd, key, blob, SEG, N, true, &w);

	assert_true((r == SP_OK) == (w != NULL));
	if (r == SP_OK)
		r = end(w, put(w, N), N);
	return r == SP_OK ? read_all(fd, N) : r;
}

static int
resumed(void)
{
	DEFER(close_fd) int fd = memfd_create("blob", MFD_CLOEXEC);
	struct blob_writer *w = NULL;
	uint64_t acked = 0;
	bool hashed;
	int r = blob_writer_new(fd, key, blob, SEG, N, true, &w);

	for (int i = 0; i < 3 && r == SP_OK; i++) {
		r = put(w, N / 5);
		if (r == SP_OK)
			r = blob_writer_ack(w, &acked);
	}
	blob_writer_free(w);
	w = NULL;
	if (r == SP_OK)
		r = blob_writer_resume(fd, key, blob, SEG, N, acked, &w, &hashed);
	if (r == SP_OK)
		r = end(w, put(w, N - acked), N);
	return r == SP_OK ? read_all(fd, N) : r;
}

static int
small(void)
{
	static uint8_t ct[INLINE_CT_MAX], pt[INLINE_MAX];
	size_t n = 0, m = 99;
	int r = blob_inline_seal(key, blob, SPAN_LIT("small"), ct, sizeof(ct), &n);

	if (r != SP_OK)
		return r;
	r = blob_inline_open(key, blob, span_of(ct, n), pt, sizeof(pt), &m);
	assert_int_equal(m, r == SP_OK ? 5 : 99);
	return r;
}

static void
test_memory(void **state)
{
	(void)state;
	assert_true(every_failure(primitives, MEMORY) >= 1);
	assert_int_equal(every_failure(wraps, MEMORY), 0); /* needs none of its own */
	assert_true(every_failure(checkpoints, MEMORY) >= 1);
	assert_true(every_failure(upload, MEMORY) >= 8);
	assert_true(every_failure(resumed, MEMORY) >= 12);
	assert_true(every_failure(small, MEMORY) >= 2);
}

static void
test_openssl_memory(void **state)
{
	(void)state;
	assert_true(every_failure(primitives, OPENSSL) >= 20);
	assert_true(every_failure(wraps, OPENSSL) >= 10);
	assert_true(every_failure(checkpoints, OPENSSL) >= 10);
	assert_true(every_failure(upload, OPENSSL) >= 20);
	assert_true(every_failure(resumed, OPENSSL) >= 20);
	assert_true(every_failure(small, OPENSSL) >= 10);
}

static void
test_system_calls(void **state)
{
	(void)state;
	assert_true(every_failure(upload, SYSTEM) >= 14);
	assert_true(every_failure(resumed, SYSTEM) >= 25);
}

static void
test_no_thread(void **state)
{
	(void)state;
	assert_int_equal(every_failure(upload, THREAD), 0);
	assert_int_equal(every_failure(resumed, THREAD), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_openssl_memory),
	    cmocka_unit_test(test_system_calls),
	    cmocka_unit_test(test_no_thread),
	};

	return fault_ready() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
