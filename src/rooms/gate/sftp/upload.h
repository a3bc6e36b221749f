/* upload.h - a handle that is being written: blocks at offsets become a file that is written once,
 * from its beginning to its end.
 *
 * The new version may begin with what is there: content of an older version (which is copied as far
 * as the client leaves it alone), or the caller's own unfinished upload.  Blocks that come a little
 * too early are held.
 */
#ifndef SP_GATE_SFTP_UPLOAD_H
#define SP_GATE_SFTP_UPLOAD_H

#include "rooms/gate/sftp/hold.h"
#include "rooms/gate/sftp/sink.h"
#include "rooms/gate/sftp/source.h"

#define UPLOAD_ZEROS_MAX                                                                           \
	(1ull << 30) /* bytes of a file that a client may have us write by setting a size */
#define UPLOAD_WHY_BYTES 160u

/* How it begins. */
struct upload_how {
	struct span path;  /* borrowed until upload_end */
	bool appends;	   /* FXF_APPEND */
	bool is_exclusive; /* only if there is no such file */
	bool continues;	   /* the caller's own unfinished upload */
	bool has_base;	   /* an older version: */
	uint64_t base_file, base_version, base_size;
};
struct upload {
	const struct sftp_session *session;
	struct source_pool *pool;
	struct upload_how how;
	struct sink sink;
	struct hold hold;
	struct source *base;  /* opened when first needed; owned */
	uint64_t base_end;    /* bytes of the older version that still count */
	uint64_t extended;    /* the size that the client set; 0: none */
	uint64_t zeros;	      /* bytes that were written for it */
	uint64_t shift;	      /* of an appending client that counts from 0 */
	uint64_t modified_us; /* 0: not set */
	bool is_touched;      /* written, or given a size */
	bool is_aimed;	      /* the first write has told what an appending client counts from */
	bool is_held;	      /* the block that is coming goes to the hold, as number `block` */
	size_t block;
	int err;		    /* sticky: a write was refused */
	char why[UPLOAD_WHY_BYTES]; /* of the last error, "": its own sentence will do */
};

/* upload_begin - a place for it; upload_end is called also after an error.
 *   held    bytes held by the connection; borrowed until upload_end */
int upload_begin(struct upload *u, const struct sftp_session *s, struct source_pool *pool,
    size_t *held, const struct upload_how *how) MUST_USE;

/* A write: upload_at, then upload_put until all len bytes came, then upload_done_with.
 * upload_at - may these bytes come now?
 *   errors  SP_ERANGE with why; what the ring, the disk or a quota refuses.  They stay, and
 * upload_close gives them again. */
int upload_at(struct upload *u, uint64_t offset, uint64_t len) MUST_USE;
int upload_put(struct upload *u, struct span s) MUST_USE;
int upload_done_with(struct upload *u) MUST_USE;
/* upload_spoil - what was to be written cannot be had: it does not become the file.  returns  rc */
int upload_spoil(struct upload *u, int rc);

/* upload_size - bytes that the file would have now.  upload_set_size - SP_ENOTIMPL with why. */
uint64_t upload_size(const struct upload *u);
int upload_set_size(struct upload *u, uint64_t size) MUST_USE;
/* upload_sync - what came is durable, and kept for its owner should the connection end. */
int upload_sync(struct upload *u) MUST_USE;
/* upload_close - it becomes the file, durably; nothing but upload_end may follow.  An older version
 * that was not touched stays. */
int upload_close(struct upload *u) MUST_USE;
/* upload_end - free.  keep: what can be continued is kept for its owner. */
void upload_end(struct upload *u, bool keep);
#endif
