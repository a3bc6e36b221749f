/* sink.h - a file that is being stored: bytes in a row, in memory while they are few, else in a
 * blob of its own.
 *
 * Nothing can be seen of it before sink_commit, and what sink_commit said is stored is durable.
 */
#ifndef SP_GATE_SFTP_SINK_H
#define SP_GATE_SFTP_SINK_H

#include "rooms/gate/sftp/sftp.h"
#include "store/blob.h"

#define SINK_PROGRESS_BYTES                                                                        \
	(256ull << 20) /* so many more bytes are made durable and told to the broker */

/* What to store; all borrowed until sink_end. */
struct sink_how {
	struct span path;
	uint64_t size;	/* bytes; UINT64_MAX: not known */
	uint8_t mode;	/* as in PUT */
	uint64_t match; /* likewise */
};
struct sink {
	const struct sftp_session *session;
	struct sink_how how;
	struct placed placed;
	bool is_placed, is_small, is_hashed;
	uint8_t *plain; /* of a small file: INLINE_MAX bytes */
	struct blob_writer *writer;
	uint64_t position; /* bytes taken */
	uint64_t told;	   /* of them, durable and known to the broker */
	int err;	   /* sticky: what it has cannot become a file */
};

/* sink_begin - ask for a place.  sink_resume - go on with the caller's own unfinished upload of the
 * path; position is then where. s       sink_end is called also after an error errors  what the
 * ring answers; SP_EEXISTS (mode 1) */
int sink_begin(struct sink *k, const struct sftp_session *s, const struct sink_how *how) MUST_USE;
int sink_resume(struct sink *k, const struct sftp_session *s, const struct sink_how *how) MUST_USE;
/* sink_add - more bytes.  errors SP_EQUOTA, SP_ETOOBIG, SP_EDISKFULL, ...: they stay. */
int sink_add(struct sink *k, struct span s) MUST_USE;
/* sink_sync - all bytes so far are durable, and kept for their owner should the connection end. */
int sink_sync(struct sink *k) MUST_USE;
/* sink_commit - it is a file now.  Nothing but sink_end may follow, whatever the result.
 *   modified_us   0: now
 *   errors  what the broker answers */
int sink_commit(struct sink *k, uint64_t modified_us, struct ipc_entry *ret) MUST_USE;
/* sink_passes - may what failed with this error succeed later, so that what was acknowledged of it
 * is worth keeping? */
bool sink_passes(int err);
/* sink_end - free.  What was not committed is given up, or kept when `keep` is set and enough of it
 * is there to be continued. ring.fault stays as it is. */
void sink_end(struct sink *k, bool keep);
#endif
