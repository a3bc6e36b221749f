/* put.h - receiving a file: a place from the broker, a key from the vault, content from the client,
 *commit.
 *
 *	put_init -> put_place -> put_room/put_fill ... -> put_finish -> put_commit
 *
 * A small file may be placed after its content has arrived (put_init with small, fill, put_place).
 *put_done gives up what was not committed.
 */
#ifndef SP_GATE_HTTPS_PUT_H
#define SP_GATE_HTTPS_PUT_H

#include "rooms/gate/https/conn.h"
#include "store/blob.h"

struct put {
	struct conn *c;
	struct placed placed;
	bool is_placed, is_committed;
	bool small;
	uint8_t *plain; /* content of a small file, INLINE_MAX bytes, owned */
	size_t plain_len;
	struct blob_writer *writer;
	uint64_t size;
	uint8_t sha256[32], proof[32];
	uint32_t crc32;
};

/* put_init - small: the content is at most INLINE_MAX bytes and goes through memory. errors
 * SP_ENOMEM */
int put_init(struct put *p, struct conn *c, bool small) MUST_USE;
/* put_place - ask for a place; m->small is set here.  errors as ring_put */
int put_place(struct put *p, struct ipc_put *m) MUST_USE;
/* put_room - where the next bytes go, and how many fit; NULL: a small file that has grown too
 * large. put_fill - n bytes were put there. errors SP_ETOOBIG, SP_EQUOTA, SP_EDISKFULL, SP_EIO */
uint8_t *put_room(struct put *p, size_t *ret_room);
int put_fill(struct put *p, size_t n) MUST_USE;
/* put_add - the same with a copy. */
int put_add(struct put *p, struct span s) MUST_USE;
/* put_body - the rest of the request's body. */
int put_body(struct put *p) MUST_USE;
/* put_finish - hash known, content on disk (a small file: in memory). */
int put_finish(struct put *p) MUST_USE;
/* put_commit - the file becomes visible.
 *   checked  the client sent a digest, and it matched
 *   ret      spans in the ring's buffer */
int put_commit(struct put *p, bool checked, struct span comment, struct ipc_entry *ret) MUST_USE;
/* put_taken - of put_place and put_commit with mode 1: that a name is taken is a conflict to MOVEit's
 * clients, not a precondition.  returns  rc, or SP_EEXISTS with a sentence for the client */
int put_taken(struct conn *c, int rc) MUST_USE;
/* put_done - for DEFER. */
void put_done(struct put *p);
#endif
