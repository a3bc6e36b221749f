/* source.h - a stored file that is being read.
 *
 * A READ may need several encrypted segments at once, each in a reader of its own, so that all of
 * it is known to be good before a byte of it is sent, and nothing is copied.  All sources of a
 * connection share a number of readers.
 */
#ifndef SP_GATE_SFTP_SOURCE_H
#define SP_GATE_SFTP_SOURCE_H

#include "proto/sftp/sftp.h"
#include "rooms/gate/ring.h"
#include "store/blob.h"

#define SOURCE_READERS                                                                             \
	6u /* of one source: a READ of 255 KiB touches at most 5 segments of 64 KiB */
#define SOURCE_READERS_ALL                                                                         \
	32u /* of a connection: 4 MiB with segments of 128 KiB; SOURCE_READERS more while one is   \
	       lent */

struct source;
struct source_pool {
	unsigned n_readers;
	struct source *first;
};
struct source {
	struct ring *ring;
	struct source_pool *pool;
	struct source *next; /* in the pool */
	bool is_listed;
	bool is_lent; /* what it gave is still needed: it keeps its readers whatever others want */
	struct opened opened; /* the extent in hand */
	struct blob_reader *reader[SOURCE_READERS];
	bool is_due;		      /* the key is under way: `opened` is not complete */
	int err;		      /* what came of that; why: */
	struct fault *fault;	      /* owned; NULL: nothing was wrong */
	uint8_t *small;		      /* all of a small file */
	uint8_t *spill;		      /* SFTP_READ_MAX bytes, for what is not in one extent */
	uint64_t file, version, size; /* what is known of it, for as long as it is open */
	uint64_t modified_us;
	uint16_t rights;
	bool has_sha256;
	uint8_t sha256[32];
	char name[256];
};
/* Bytes in a row, in pieces. */
struct source_view {
	struct span part[SOURCE_READERS];
	size_t n;
	uint64_t total;
};

/* source_open - ask for the file, on record.
 *   s        stays where it is until source_done, which is called also after an error
 *   m        its spans are not needed any more afterwards
 *   errors   what the ring answers; SP_EDAMAGED (told to the broker; ring.fault says where) */
int source_open(struct source *s, struct ring *ring, struct source_pool *pool,
    const struct ipc_open *m) MUST_USE;
/* source_begin - the same, but of a small file only what the broker says is awaited.  The key comes
 * while the client makes up its mind; what ledger, vault or the content itself have against it, the
 * first source_read says. */
int source_begin(struct source *s, struct ring *ring, struct source_pool *pool,
    const struct ipc_open *m) MUST_USE;
void source_done(struct source *s);

/* source_read - the bytes at offset: n of them, or fewer at the end of the file, in front of
 * damage, or over SFTP_READ_MAX. ret      total 0: offset is at the end or behind it; borrowed
 * until the next call for any source of the pool errors   as source_open, about the first byte */
int source_read(struct source *s, uint64_t offset, uint64_t n, struct source_view *ret) MUST_USE;
#endif
