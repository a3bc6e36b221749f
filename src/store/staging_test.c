/* staging_test.c - acknowledged bytes of a staged blob survive a power loss at any moment.
 *
 * The writer's file_pwrite, file_sync and file_truncate are wrapped (ld --wrap): each call is
 * noted.  From the notes the test makes files as a disk could hold them after a power loss: all
 * that was synced, and of what came later any part, torn in the middle too.  From each of them an
 * upload is resumed at the number that was on record, is continued with other bytes than the first
 * time, and has to give exactly that.
 */
#include "store/blob.h"
#include "sys/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

#define SEG 96u
#define FULL (SEG - 32u)
#define FILE_MAX 4096u
#define NOTES_MAX 512u
#define LIMIT 2000u

static const uint8_t key[32] = {1, 2, 3}, other_key[32] = {7}, blob[16] = {4, 5, 6};

/* ---- what was done to the file ---- */

enum kind { WRITE, SYNC, TRUNCATE, RECORD /* the broker put `at` on record as acknowledged */ };
struct note {
	enum kind kind;
	int64_t at;
	size_t len;
	uint8_t bytes[SEG];
};
static struct note notes[NOTES_MAX];
static size_t n_notes;
static bool noting;
static size_t fail_after = SIZE_MAX; /* calls until one fails */

int __real_file_pwrite(int fd, const void *buf, size_t n, int64_t offset);
int __real_file_sync(int fd);
int __real_file_truncate(int fd, int64_t size);
int __wrap_file_pwrite(int fd, const void *buf, size_t n, int64_t offset);
int __wrap_file_sync(int fd);
int __wrap_file_truncate(int fd, int64_t size);

static void
note(enum kind kind, int64_t at, const void *bytes, size_t n)
{
	if (!noting)
		return;
	assert_true(n_notes < NOTES_MAX && n <= SEG);
	notes[n_notes] = (struct note){.kind = kind, .at = at, .len = n};
	if (n > 0)
		memcpy(notes[n_notes].bytes, bytes, n);
	n_notes++;
}

static bool
fails_now(void)
{
	return fail_after != SIZE_MAX && fail_after-- == 0;
}

int
__wrap_file_pwrite(int fd, const void *buf, size_t n, int64_t offset)
{
	if (fails_now())
		return SP_EDISKFULL;
	note(WRITE, offset, buf, n);
	return __real_file_pwrite(fd, buf, n, offset);
}

int
__wrap_file_sync(int fd)
{
	if (fails_now())
		return SP_EIO;
	note(SYNC, 0, NULL, 0);
	return __real_file_sync(fd);
}

int
__wrap_file_truncate(int fd, int64_t size)
{
	if (fails_now())
		return SP_EIO;
	note(TRUNCATE, size, NULL, 0);
	return __real_file_truncate(fd, size);
}

/* ---- a file as a disk may hold it ---- */

struct disk {
	uint8_t bytes[FILE_MAX];
	size_t len;
};

static void
disk_apply(struct disk *d, const struct note *n, size_t len)
{
	size_t end = (size_t)n->at + len;

	if (n->kind == TRUNCATE) {
		if ((size_t)n->at < d->len)
			memset(d->bytes + n->at, 0, d->len - (size_t)n->at);
		d->len = (size_t)n->at;
	} else if (n->kind == WRITE && len > 0) {
		assert_true(end <= FILE_MAX);
		memcpy(d->bytes + n->at, n->bytes, len);
		d->len = end > d->len ? end : d->len;
	}
}

/* After the first `upto` notes: all before the last sync there, then whatever the bits of `luck`
 * let through; the last one that gets through may be torn. */
static void
disk_at(struct disk *d, const struct disk *start, size_t upto, unsigned luck)
{
	size_t synced = 0;

	*d = *start;
	for (size_t i = 0; i < upto; i++)
		synced = notes[i].kind == SYNC ? i : synced;
	for (size_t i = 0; i < synced; i++)
		disk_apply(d, &notes[i], notes[i].len);
	for (size_t i = synced; i < upto; i++) {
		unsigned bit = luck >> (i - synced) % 8 & 1;

		if (bit != 0)
			disk_apply(d, &notes[i],
			    i + 1 == upto && luck % 3 == 0 ? notes[i].len / 2 : notes[i].len);
	}
}

static int
disk_file(const struct disk *d)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(__real_file_truncate(fd, (int64_t)d->len), SP_OK);
	if (d->len > 0)
		assert_int_equal(__real_file_pwrite(fd, d->bytes, d->len, 0), SP_OK);
	return fd;
}

static void
file_disk(int fd, struct disk *d)
{
	int64_t n = file_pread(fd, d->bytes, FILE_MAX, 0);

	assert_true(n >= 0);
	d->len = (size_t)n;
}

/* ---- uploads ---- */

/* Byte i of what client number `who` sends. */
static uint8_t
content(unsigned who, uint64_t i)
{
	return (uint8_t)(i * 31 + who * 97 + (i >> 7));
}

static int
put(struct blob_writer *w, unsigned who, uint64_t from, uint64_t n)
{
	int r = SP_OK;

	for (uint64_t i = from; i < from + n && r == SP_OK; i++) {
		size_t room = 0;

		*blob_writer_room(w, &room) = content(who, i);
		r = blob_writer_fill(w, 1);
	}
	return r;
}

/* What is right now: the bytes below `base` are as `want` has them, what follows is by `who`. */
struct truth {
	uint8_t want[LIMIT];
	uint64_t acked; /* on record */
};

static void
record(struct truth *t, unsigned who, uint64_t from, uint64_t acked)
{
	for (uint64_t i = from; i < acked; i++)
		t->want[i] = content(who, i);
	t->acked = acked;
	note(RECORD, (int64_t)acked, NULL, 0);
}

static int
finish(struct blob_writer *w)
{
	uint8_t sha[32], proof[32];
	uint64_t size;
	uint32_t crc;

	return blob_writer_finish(w, &size, sha, &crc, proof);
}

/* Resume at what is on record, send `more` bytes of who's, finish, read all. */
static void
resume_and_check(const struct disk *d, const struct truth *t, unsigned who, uint64_t more)
{
	DEFER(close_fd) int fd = disk_file(d);
	struct blob_writer *w = NULL;
	struct blob_reader *r = NULL;
	struct span s = {0};
	bool hashed = false;
	uint64_t n = t->acked + more;

	assert_int_equal(
	    blob_writer_resume(fd, key, blob, SEG, LIMIT, t->acked, &w, &hashed), SP_OK);
	assert_int_equal(hashed, t->acked == 0);
	assert_int_equal(put(w, who, t->acked, more), SP_OK);
	assert_int_equal(finish(w), SP_OK);
	blob_writer_free(w);
	assert_int_equal(blob_reader_new(fd, key, blob, SEG, n, &r), SP_OK);
	for (uint64_t i = 0; i < n; i += s.len) {
		assert_int_equal(blob_reader_at(r, i, &s), SP_OK);
		for (size_t k = 0; k < s.len; k++)
			assert_int_equal(
			    s.ptr[k], i + k < t->acked ? t->want[i + k] : content(who, i + k));
	}
	blob_reader_free(r);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* One session of a worker on the file, from what is on record: some pieces, most of them
 * acknowledged, some of those recorded; perhaps the end.  Each session sends other bytes. */
static void
session(const struct disk *start, struct truth *t, unsigned who, uint32_t *seed)
{
	DEFER(close_fd) int fd = disk_file(start);
	struct blob_writer *w = NULL;
	bool hashed;
	uint64_t at = t->acked, acked = 0;
	unsigned rounds = 1 + next_random(seed) % 5;

	n_notes = 0;
	noting = true;
	assert_int_equal(blob_writer_resume(fd, key, blob, SEG, LIMIT, at, &w, &hashed), SP_OK);
	for (unsigned i = 0; i < rounds && at < LIMIT - 400; i++) {
		static const uint64_t lens[] = {
		    1, 7, FULL / 2, FULL - 1, FULL, FULL + 1, 3 * FULL, 3 * FULL + 5, 0};
		uint64_t n = lens[next_random(seed) % ARRAY_LEN(lens)];

		assert_int_equal(put(w, who, at, n), SP_OK);
		at += n;
		if (next_random(seed) % 4 == 0)
			continue; /* no acknowledgement here */
		assert_int_equal(blob_writer_ack(w, &acked), SP_OK);
		assert_int_equal(acked, at);
		if (i + 1 == rounds && next_random(seed) % 2 == 0)
			break; /* the power goes before it is on record */
		note(RECORD, (int64_t)acked, NULL, 0);
	}
	if (next_random(seed) % 3 == 0) /* finished, but never committed */
		assert_int_equal(finish(w), SP_OK);
	blob_writer_free(w);
	noting = false;
}

/* Every prefix of a session's calls with a few kinds of luck; the last one goes on as the next
 * session's start. */
static void
cut_everywhere(struct disk *d, struct truth *t, unsigned who, uint32_t *seed)
{
	struct disk start = *d, cut;
	struct truth now = *t;
	size_t total, keep;

	session(&start, t, who, seed);
	total = n_notes;
	keep = next_random(seed) % (total + 1);
	for (size_t upto = 0; upto <= total; upto++) {
		if (upto > 0 && notes[upto - 1].kind == RECORD)
			record(&now, who, now.acked, (uint64_t)notes[upto - 1].at);
		for (unsigned k = 0; k < 6; k++) {
			unsigned luck = k == 0 ? 0 : k == 1 ? 255 : next_random(seed) % 256;

			disk_at(&cut, &start, upto, luck);
			resume_and_check(&cut, &now, 99, next_random(seed) % (2 * FULL));
		}
		if (upto == keep) { /* remember this one */
			disk_at(d, &start, upto, next_random(seed) % 256);
			*t = now;
		}
	}
}

static void
test_power_loss(void **state)
{
	static struct disk d;
	static struct truth t;

	(void)state;
	for (uint32_t run = 0; run < 60; run++) {
		uint32_t seed = run * 7919 + 1;

		memset(&d, 0, sizeof(d));
		memset(&t, 0, sizeof(t));
		for (unsigned who = 1; who <= 6 && t.acked < LIMIT - 500; who++)
			cut_everywhere(&d, &t, who, &seed);
	}
}

/* A full disk or a failing one at each call: an error, sticky; what was acknowledged stays. */
static void
test_failures(void **state)
{
	static struct disk d;
	static struct truth t;

	(void)state;
	for (size_t nth = 0; nth < 40; nth++) {
		DEFER(close_fd) int fd = memfd_create("f", MFD_CLOEXEC);
		struct blob_writer *w = NULL;
		uint64_t acked = 0, at = 0;
		int r;

		memset(&t, 0, sizeof(t));
		assert_int_equal(blob_writer_new(fd, key, blob, SEG, LIMIT, true, &w), SP_OK);
		fail_after = nth;
		for (r = SP_OK; r == SP_OK && at < 15 * FULL; at += FULL / 2 + 3) {
			r = put(w, 1, at, FULL / 2 + 3);
			if (r == SP_OK)
				r = blob_writer_ack(w, &acked);
			if (r == SP_OK)
				record(&t, 1, t.acked, acked);
		}
		fail_after = SIZE_MAX;
		assert_true(r == SP_EDISKFULL || r == SP_EIO);
		assert_int_equal(blob_writer_ack(w, &acked), r);
		assert_int_equal(finish(w), r);
		blob_writer_free(w);
		file_disk(fd, &d);
		resume_and_check(&d, &t, 2, 200);
	}
}

/* A staged file that lost acknowledged bytes is damaged, and said to be. */
static void
test_damage(void **state)
{
	static struct disk d, bad;
	DEFER(close_fd) int fd = memfd_create("f", MFD_CLOEXEC);
	struct blob_writer *w = NULL;
	uint64_t acked = 0;
	bool hashed;

	(void)state;
	assert_int_equal(blob_writer_new(fd, key, blob, SEG, LIMIT, true, &w), SP_OK);
	assert_int_equal(put(w, 1, 0, 2 * FULL + 20), SP_OK);
	assert_int_equal(blob_writer_ack(w, &acked), SP_OK);
	blob_writer_free(w);
	file_disk(fd, &d);
	for (size_t i = 0; i < d.len; i++) {
		bool slot = i >= FLOE_HEADER_BYTES + 3 * SEG,
		     last = i >= FLOE_HEADER_BYTES + SEG && i < FLOE_HEADER_BYTES + 2 * SEG;

		bad = d;
		bad.bytes[i] ^= 1;
		DEFER(close_fd) int f = disk_file(&bad);

		w = NULL;
		if (i < FLOE_HEADER_BYTES || slot || last)
			assert_int_equal(
			    blob_writer_resume(f, key, blob, SEG, LIMIT, acked, &w, &hashed),
			    SP_EDAMAGED);
	}
	for (size_t n = 0; n < d.len; n++) {
		bad = d;
		bad.len = n;
		DEFER(close_fd) int f = disk_file(&bad);

		assert_int_equal(
		    blob_writer_resume(f, key, blob, SEG, LIMIT, acked, &w, &hashed), SP_EDAMAGED);
	}
	for (uint64_t other = 1; other < LIMIT;
	     other++) { /* any other number than the one on record */
		DEFER(close_fd) int f = disk_file(&d);

		w = NULL;
		int r = blob_writer_resume(f, key, blob, SEG, LIMIT, other, &w, &hashed);

		assert_true(r == SP_EDAMAGED || (r == SP_OK && other <= acked));
		blob_writer_free(w);
	}
	w = NULL;
	assert_int_equal(
	    blob_writer_resume(fd, key, blob, SEG, LIMIT, LIMIT + 1, &w, &hashed), SP_ETOOBIG);
	assert_int_equal(
	    blob_writer_resume(fd, other_key, blob, SEG, LIMIT, acked, &w, &hashed), SP_EDAMAGED);
	assert_null(w);
}

/* What an earlier attempt wrote beyond the acknowledged bytes never stands in for a slot that is
 * damaged. */
static void
test_stale_segment(void **state)
{
	DEFER(close_fd) int fd = memfd_create("f", MFD_CLOEXEC);
	int64_t slot = (int64_t)(FLOE_HEADER_BYTES + 2 * SEG + 20);
	struct blob_writer *w = NULL;
	uint64_t acked = 0;
	uint8_t c = 0;
	bool hashed;

	(void)state;
	assert_int_equal(blob_writer_new(fd, key, blob, SEG, LIMIT, true, &w), SP_OK);
	assert_int_equal(put(w, 1, 0, 10), SP_OK);
	assert_int_equal(blob_writer_ack(w, &acked), SP_OK);   /* the slot at place 1 */
	assert_int_equal(put(w, 1, 10, 2 * FULL - 10), SP_OK); /* segment 0 goes to its place */
	blob_writer_free(w);
	w = NULL;
	assert_int_equal(blob_writer_resume(fd, key, blob, SEG, LIMIT, 10, &w, &hashed), SP_OK);
	assert_int_equal(put(w, 2, 10, 40), SP_OK);
	assert_int_equal(blob_writer_ack(w, &acked), SP_OK); /* the slot at place 2 */
	blob_writer_free(w);
	w = NULL;
	assert_int_equal(file_pread(fd, &c, 1, slot), 1);
	c ^= 1;
	assert_int_equal(file_pwrite(fd, &c, 1, slot), SP_OK);
	assert_int_equal(
	    blob_writer_resume(fd, key, blob, SEG, LIMIT, 50, &w, &hashed), SP_EDAMAGED);
	c ^= 1;
	assert_int_equal(file_pwrite(fd, &c, 1, slot), SP_OK);
	assert_int_equal(blob_writer_resume(fd, key, blob, SEG, LIMIT, 50, &w, &hashed), SP_OK);
	blob_writer_free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_loss),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_stale_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
