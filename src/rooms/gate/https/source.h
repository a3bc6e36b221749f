/* source.h - the content of one opened file, decrypted piece by piece on its way to the client. */
#ifndef SP_GATE_HTTPS_SOURCE_H
#define SP_GATE_HTTPS_SOURCE_H

#include "rooms/gate/https/conn.h"
#include "store/blob.h"

struct source {
	struct conn *c;
	struct ipc_open request;
	struct opened opened; /* its entry's spans are good until the next call of the ring */
	struct blob_reader *reader;
	uint8_t *small; /* plaintext of a small file, owned */
	uint64_t file, version, size;
	char name[256]; /* of the file, for the sentence about damage */
};

/* source_open - ask the ring for content and key.  errors as ring_open; SP_EDAMAGED */
int source_open(struct conn *c, const struct ipc_open *m, struct source *ret) MUST_USE;
/* source_done - for DEFER: closes, wipes; also half-open ones. */
void source_done(struct source *s);

/* source_piece - as many bytes at offset (below size) as come in one piece; good until the next call.
 *   errors  SP_EDAMAGED (told to the broker); those of ring_open, for the next extent */
int source_piece(struct source *s, uint64_t offset, struct span *ret) MUST_USE;
/* source_write - n bytes at offset to the client.
 *   errors  SP_EDAMAGED (told to the broker; nothing of the bad segment was sent), those of
 * conn_write */
int source_write(struct source *s, uint64_t offset, uint64_t n) MUST_USE;
/* source_reply - the reply whose fields are set, with n bytes at offset as its body.  The first
 * piece is decrypted before the head leaves, so that damage there is an error and no cut. */
int source_reply(struct source *s, uint64_t offset, uint64_t n) MUST_USE;
#endif
