/* request.c - see request.h. */
#include "proto/witness/request.h"

#include "base/text.h"

static bool
take_line(struct span *rest, struct span *ret)
{
	size_t n = span_find(*rest, '\n');

	if (n == rest->len)
		return false;
	*ret = span_cut(*rest, n);
	*rest = span_skip(*rest, n + 1);
	return true;
}

int
witness_request_get(struct span body, struct witness_request *ret)
{
	struct span old = SPAN_LIT("old "), line;
	size_t len = 0;

	if (body.len > WITNESS_BODY_MAX)
		return SP_ETOOBIG;
	/* "an ASCII decimal with no leading zeroes": parse_u64 takes no others */
	if (!take_line(&body, &line) || !span_starts(line, old) ||
	    parse_u64(span_skip(line, old.len), INT64_MAX, &ret->old_size) != SP_OK)
		return SP_ESYNTAX;
	for (ret->n = 0; take_line(&body, &line); ret->n++) {
		if (line.len == 0) {
			ret->note = body;
			return body.len != 0 ? SP_OK : SP_ESYNTAX;
		}
		if (ret->n == WITNESS_PROOF_MAX ||
		    base64_get(line, ret->proof[ret->n], 32, &len) != SP_OK || len != 32)
			return SP_ESYNTAX;
	}
	return SP_ESYNTAX;
}

int
witness_answer_get(struct span answer, unsigned *ret_status, struct span *ret_body)
{
	struct span end = SPAN_LIT("\r\n\r\n"), line = span_cut(answer, span_find(answer, '\r'));
	uint64_t status = 0;

	if (!span_starts(line, SPAN_LIT("HTTP/1.")) || line.len < 12 || line.ptr[8] != ' ' ||
	    parse_u64(span_cut(span_skip(line, 9), 3), 999, &status) != SP_OK || status < 100)
		return SP_ESYNTAX;
	for (size_t i = 0; i + end.len <= answer.len; i++) {
		if (!span_starts(span_skip(answer, i), end))
			continue;
		*ret_status = (unsigned)status;
		*ret_body = span_skip(answer, i + end.len);
		return SP_OK;
	}
	return SP_ESYNTAX;
}
