/* request_fuzz.c - whatever is taken as add-checkpoint, or as its answer, is within its bounds. */
#include "proto/witness/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size), body;
	struct witness_request r;
	unsigned status;

	if (witness_request_get(s, &r) == SP_OK) {
		/* the note is the end of the body, and one proof line takes 45 bytes */
		if (r.n > WITNESS_PROOF_MAX || r.note.len == 0 ||
		    r.note.ptr + r.note.len != data + size || r.n * 45 + r.note.len > size)
			__builtin_trap();
	}
	if (witness_answer_get(s, &status, &body) == SP_OK &&
	    (status < 100 || status > 999 || body.ptr + body.len != data + size))
		__builtin_trap();
	return 0;
}
