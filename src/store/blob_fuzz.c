/* blob_fuzz.c - files from outside, and good files with changes: sealed, staged, and small ones in
 * memory.
 *
 * Input: what (1) | length (2) | then a whole file, or changes: place (2), kind and byte (2).
 * Whatever the file is, what is read is what was written, or an error.
 */
#include "base/wire.h"
#include "store/blob.h"
#include "sys/fd.h"

#include <sys/mman.h>

#define SEG 96u
#define PT_MAX 600u
#define FILE_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t key[32] = {1, 2, 3}, blob[16] = {4};

static uint8_t
content(uint64_t i)
{
	return (uint8_t)(i * 31 + 5);
}

static int
file_of(struct span s)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	VERIFY(fd >= 0 && (s.len == 0 || file_pwrite(fd, s.ptr, s.len, 0) == SP_OK));
	return fd;
}

static int
put(struct blob_writer *w, uint64_t from, uint64_t n)
{
	int r = SP_OK;

	for (uint64_t i = from; i < from + n && r == SP_OK; i++) {
		size_t room = 0;

		*blob_writer_room(w, &room) = content(i);
		r = blob_writer_fill(w, 1);
	}
	return r;
}

static int
finish(struct blob_writer *w)
{
	uint8_t sha[32], proof[32];
	uint64_t size = 0;
	uint32_t crc = 0;

	return blob_writer_finish(w, &size, sha, &crc, proof);
}

/* Read all: every byte that comes out is right. */
static int
check(int fd, uint64_t n)
{
	struct blob_reader *b = NULL;
	struct span s = {0};
	int r = blob_reader_new(fd, key, blob, SEG, n, &b);

	for (uint64_t i = 0; r == SP_OK && i < n; i += s.len) {
		r = blob_reader_at(b, i, &s);
		for (size_t k = 0; r == SP_OK && k < s.len; k++)
			VERIFY(s.ptr[k] == content(i + k));
	}
	blob_reader_free(b);
	return r;
}

/* Change the file as the input says: bytes, its length, pieces copied to elsewhere. */
static bool
change(int fd, struct rd *r)
{
	uint8_t piece[SEG];
	bool changed = false;

	while (r->left >= 4) {
		int64_t at = (int64_t)(rd_uint(r, 2) % FILE_MAX), size = 0, n;
		unsigned kind = (unsigned)rd_uint(r, 1) % 4;
		uint8_t by = (uint8_t)rd_uint(r, 1), c = 0;

		VERIFY(file_size(fd, &size) == SP_OK);
		changed = true;
		if (kind == 0 && at < size) {
			VERIFY(file_pread(fd, &c, 1, at) == 1);
			c ^= by;
			VERIFY(file_pwrite(fd, &c, 1, at) == SP_OK);
		} else if (kind == 1) {
			VERIFY(file_truncate(fd, at) == SP_OK);
		} else if (kind >= 2) { /* a segment or slot to another place */
			n = file_pread(fd, piece, SEG, FLOE_HEADER_BYTES + (at % 16) * SEG);
			VERIFY(n >= 0);
			VERIFY(file_pwrite(fd, piece, (size_t)n,
				   FLOE_HEADER_BYTES + (by % 16) * (int64_t)SEG) == SP_OK);
		}
	}
	return changed;
}

static void
sealed(uint64_t n, struct rd *r)
{
	DEFER(close_fd) int fd = file_of(span_of(NULL, 0));
	struct blob_writer *w = NULL;
	int err;

	VERIFY(blob_writer_new(fd, key, blob, SEG, n, false, &w) == SP_OK);
	VERIFY(put(w, 0, n) == SP_OK && finish(w) == SP_OK);
	blob_writer_free(w);
	bool changed = change(fd, r);

	err = check(fd, n);
	VERIFY(err == SP_OK || (changed && err == SP_EDAMAGED));
}

static void
staged(uint64_t n, struct rd *r)
{
	DEFER(close_fd) int fd = file_of(span_of(NULL, 0));
	struct blob_writer *w = NULL;
	uint64_t acked = 0;
	bool hashed, changed;
	int err;

	VERIFY(blob_writer_new(fd, key, blob, SEG, 2 * PT_MAX, false, &w) == SP_OK);
	VERIFY(put(w, 0, n / 2) == SP_OK && blob_writer_ack(w, &acked) == SP_OK);
	VERIFY(
	    put(w, n / 2, n - n / 2) == SP_OK && blob_writer_ack(w, &acked) == SP_OK && acked == n);
	blob_writer_free(w);
	w = NULL;
	changed = change(fd, r);
	err = blob_writer_resume(fd, key, blob, SEG, 2 * PT_MAX, acked, &w, &hashed);
	VERIFY(err == SP_OK || (changed && err == SP_EDAMAGED));
	if (err == SP_OK) {
		VERIFY(put(w, acked, 50) == SP_OK && finish(w) == SP_OK);
		err = check(fd, acked + 50);
		VERIFY(err == SP_OK || (changed && err == SP_EDAMAGED));
	}
	blob_writer_free(w);
}

/* Bytes that nobody made with the key. */
static void
foreign(uint64_t n, struct span s)
{
	static uint8_t out[INLINE_MAX];
	DEFER(close_fd) int fd = file_of(s);
	struct blob_writer *w = NULL;
	struct blob_reader *b = NULL;
	uint64_t pt = 0;
	size_t len = 0;
	bool hashed;

	VERIFY(blob_inline_open(key, blob, s, out, sizeof(out), &len) == SP_EDAMAGED);
	if (floe_plaintext_len(s.len, SEG, &pt) == SP_OK)
		VERIFY(blob_reader_new(fd, key, blob, SEG, pt, &b) == SP_EDAMAGED);
	VERIFY(blob_reader_new(fd, key, blob, SEG, n, &b) == SP_EDAMAGED);
	VERIFY(blob_writer_resume(fd, key, blob, SEG, PT_MAX, 1 + n, &w, &hashed) == SP_EDAMAGED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd r = rd_of(span_of(data, len));
	uint64_t what = rd_uint(&r, 1), n = rd_uint(&r, 2) % PT_MAX;

	if (r.bad || len > FILE_MAX)
		return 0;
	if (what % 3 == 0)
		foreign(n, span_of(r.ptr, r.left));
	else if (what % 3 == 1)
		sealed(n, &r);
	else
		staged(n, &r);
	return 0;
}
