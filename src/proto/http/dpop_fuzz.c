/* dpop_fuzz.c - a hostile proof: what is taken has all its parts inside its buffer. */
#include "base/err.h"
#include "proto/http/dpop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
inside(const uint8_t *buf, struct span s)
{
	VERIFY(s.len == 0 || (s.ptr >= buf && s.ptr + s.len <= buf + DPOP_MAX));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t buf[DPOP_MAX];
	char text[DPOP_THUMB_TEXT];
	struct dpop d;

	if (dpop_parse(span_of(data, len), buf, &d) < 0)
		return 0;
	inside(buf, d.jti), inside(buf, d.htm), inside(buf, d.htu), inside(buf, d.nonce);
	VERIFY(d.jti.len != 0 && d.htm.len != 0 && d.htu.len != 0 && d.input.len < len);
	VERIFY(dpop_thumbprint_text(&d, text).len > 100);
	return 0;
}
