/* request.h - what a log sends to a witness: a checkpoint, and the proof that it extends an older
 * one.
 *
 *   old <size>\n  (<hash in base64>\n)*  \n  <checkpoint>
 *
 * source  C2SP tlog-witness, add-checkpoint
 */
#ifndef SP_PROTO_WITNESS_REQUEST_H
#define SP_PROTO_WITNESS_REQUEST_H

#include "base/err.h"
#include "base/mem.h"

#define WITNESS_PROOF_MAX 63u /* "The client MUST NOT send more than 63 consistency proof lines"   \
			       */
#define WITNESS_BODY_MAX 131072u /* ours: a checkpoint of 64 KiB, and the proof */

struct witness_request {
	uint64_t old_size;
	size_t n;
	uint8_t proof[WITNESS_PROOF_MAX][32];
	struct span note; /* the checkpoint; borrowed from the body */
};

/* witness_request_get - parse a body.  What the note says is not looked at.
 *   errors  SP_ESYNTAX, SP_ETOOBIG */
int witness_request_get(struct span body, struct witness_request *ret) MUST_USE;

/* witness_answer_get - a log's side: an HTTP/1 answer, whole.
 *   ret_status  100 to 999
 *   ret_body    behind the empty line; borrowed
 *   errors      SP_ESYNTAX */
int witness_answer_get(struct span answer, unsigned *ret_status, struct span *ret_body) MUST_USE;
#endif
