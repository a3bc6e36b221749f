/* tls_input_fuzz.c - whatever is accepted has one of the five lengths, and is one thing only. */
#include "proto/tls/tls_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	enum tls_input kind;

	if (tls_input_check(s, &kind) != SP_OK)
		return 0;
	if (tls_input_13(s) == tls_input_12(s))
		__builtin_trap();
	if (kind == TLS_INPUT_13 ? size != 130 && size != 146
				 : size != 133 && size != 165 && size != 100)
		__builtin_trap();
	return 0;
}
