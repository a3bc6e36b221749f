/* Chunked and multipart decoding give the same bytes whatever the pieces they arrive in. */
#include "base/mem.h"
#include "proto/http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sum over the content, and how it ended. */
struct outcome {
	uint64_t sum, bytes, parts;
	int rc;
};

static void
outcome_add(struct outcome *o, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		o->sum = o->sum * 1099511628211u + s.ptr[i] + 1;
	o->bytes += s.len;
}

static struct outcome
dechunk(struct span in, size_t step)
{
	struct http_chunked c = {0};
	struct outcome o = {0};
	size_t have = 0, from = 0;

	for (;;) {
		struct span s = span_of(in.ptr + from, have - from), d;

		o.rc = http_chunked_next(&c, &s, &d);
		VERIFY(s.len <= have - from);
		from = have - s.len;
		if (o.rc == HTTP_DATA) {
			outcome_add(&o, d);
			continue;
		}
		if (o.rc != HTTP_MORE || have == in.len)
			return o;
		have = have + step < in.len ? have + step : in.len;
	}
}

static struct outcome
demultipart(struct span in, size_t step)
{
	struct http_multipart m;
	struct outcome o = {0};
	size_t have = 0, from = 0;

	if (http_multipart_init(&m, SPAN_LIT("b")) < 0)
		return o;
	for (;;) {
		struct span s = span_of(in.ptr + from, have - from), d;
		struct http_part p;

		o.rc = http_multipart_next(&m, &s, &p, &d);
		VERIFY(s.len <= have - from);
		from = have - s.len;
		if (o.rc == HTTP_DATA) {
			outcome_add(&o, d);
			continue;
		}
		if (o.rc == HTTP_PART) {
			o.parts++;
			continue;
		}
		if (o.rc != HTTP_MORE || have == in.len)
			return o;
		have = have + step < in.len ? have + step : in.len;
	}
}

static void
same(struct outcome a, struct outcome b)
{
	if (a.rc >= 0 && b.rc >= 0)
		VERIFY(a.rc == b.rc && a.sum == b.sum && a.bytes == b.bytes && a.parts == b.parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	same(dechunk(in, 1), dechunk(in, size + 1));
	same(demultipart(in, 1), demultipart(in, size + 1));
	return 0;
}
