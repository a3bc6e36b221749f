/* put.h - receiving a file: a place from the broker, a key from the vault, content from the client,
 *commit.
 *
 *	put_init -> put_place -> put_room/put_fill ... -> put_finish -> put_commit
 *
 * One with a tag (struct ipc_put) outlives its connection: put_ack makes what has come durable, and
 *another connection goes on with put_resume in place of put_init and put_place.
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
	bool is_kept;	 /* has a tag */
	bool is_hashed;	 /* every byte went through this writer: put_finish knows the hash */
	bool needs_hash; /* put_finish reads back what others wrote, if it has to */
	uint64_t at;	 /* bytes that are there, and of them on record */
	uint64_t told;
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
/* put_resume - go on with the caller's upload of this place and tag; p->at says from where.  errors
 * as ring_resume: SP_ENOTFOUND, SP_ECONFLICT */
int put_resume(struct put *p, struct conn *c, const struct ipc_resume *m) MUST_USE;
/* put_ack - what is there is on disk and on record: p->told says how much, and the client may be
 * told. */
int put_ack(struct put *p) MUST_USE;
/* put_finish - hash known, content on disk (a small file: in memory). */
int put_finish(struct put *p) MUST_USE;
/* put_commit - the file becomes visible.
 *   checked  the client sent a digest, and it matched
 *   ret      spans in the ring's buffer */
int put_commit(struct put *p, bool checked, struct span comment, struct ipc_entry *ret) MUST_USE;
/* put_taken - of put_place and put_commit with mode 1: that a name is taken is a conflict to
 * MOVEit's clients, not a precondition.  returns  rc, or SP_EEXISTS with a sentence for the client
 */
int put_taken(struct conn *c, int rc) MUST_USE;
/* put_done - for DEFER: an upload that was not committed is given up, or, with a tag, left for the
 * next connection; then this one has to end.  put_drop - give it up in any case. */
void put_drop(struct put *p);
void put_done(struct put *p);
#endif
