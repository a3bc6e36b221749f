/* blob_bench.c - how fast are blobs written and read, and at what cost in processor time?
 *
 *   blob_bench FOLDER [MEBIBYTES]
 *
 * Writes a blob into FOLDER and reads it back (from the page cache), for the segment lengths that
 * sallyport.conf allows; prints MB/s (10^6) and processor seconds per GiB.  The plaintext is what
 * happens to lie in the buffer: receiving it is not measured, nor is the key.
 */
#include "base/text.h"
#include "store/blob.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

static const uint8_t key[32] = {1}, blob[16] = {2};

struct sample {
	int64_t ms;
	double cpu_s;
};

static struct sample
sample(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (struct sample){
	    clock_mono_ms(), (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
				 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6};
}

static void
print(const char *what, uint32_t segment, uint64_t size, struct sample from)
{
	struct sample to = sample();
	double s = (double)(to.ms - from.ms) / 1000;

	printf("%-16s segment %4u KiB  %6.0f MB/s  %.3f CPU s/GiB\n", what, segment / 1024,
	    (double)size / 1e6 / s, (to.cpu_s - from.cpu_s) / ((double)size / (1u << 30)));
}

static int
write_one(int fd, uint32_t segment, uint64_t size, bool hashed)
{
	struct blob_writer *w = NULL;
	uint8_t sha[32], proof[32];
	uint32_t crc;
	uint64_t done = 0;
	struct sample from = sample();
	int r = blob_writer_new(fd, key, blob, segment, size, hashed, &w);

	while (r == SP_OK && done < size) {
		size_t room = 0;
		uint8_t *p = blob_writer_room(w, &room);

		/* as TLS gives it: 16 KiB a record */
		room = room < 16384 ? room : 16384;
		room = room < size - done ? room : (size_t)(size - done);
		p[0] = (uint8_t)done;
		r = blob_writer_fill(w, room);
		done += room;
	}
	print(hashed ? "write, hashed" : "write", segment, size, from);
	if (r == SP_OK)
		r = blob_writer_finish(w, &done, sha, &crc, proof);
	print(hashed ? "  and synced" : "  and synced", segment, size, from);
	blob_writer_free(w);
	return r;
}

static int
read_one(int fd, uint32_t segment, uint64_t size)
{
	struct blob_reader *b = NULL;
	struct sample from = sample();
	struct span s = {0};
	int r = blob_reader_new(fd, key, blob, segment, size, &b);

	for (uint64_t at = 0; r == SP_OK && at < size; at += s.len)
		r = blob_reader_at(b, at, &s);
	print("read", segment, size, from);
	blob_reader_free(b);
	return r;
}

int
main(int argc, char **argv)
{
	static const uint32_t segments[] = {64, 128, 256};
	uint64_t mib = 1024;

	if (argc < 2 || (argc > 2 && parse_u64(span_str(argv[2]), 1u << 20, &mib) != SP_OK)) {
		(void)fprintf(stderr, "usage: blob_bench FOLDER [MEBIBYTES]\n");
		return 64;
	}
	for (size_t i = 0; i < ARRAY_LEN(segments) * 2; i++) {
		DEFER(close_fd) int fd = open(argv[1], O_TMPFILE | O_RDWR, 0600);
		uint32_t segment = segments[i / 2] * 1024;
		int r = fd < 0 ? SP_EIO : write_one(fd, segment, mib << 20, i % 2 == 0);

		if (r == SP_OK)
			r = read_one(fd, segment, mib << 20);
		if (r != SP_OK) {
			(void)fprintf(stderr, "blob_bench: %s\n", sp_strerror(r));
			return 1;
		}
	}
	return 0;
}
