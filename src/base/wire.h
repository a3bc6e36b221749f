/* wire.h - bounded readers and writers with a sticky error.
 *
 * A reader that has failed stays failed and yields zeroes, so a parser reads a whole message
 * straight down and asks once, at the end, whether it was good.  All integers are big-endian.
 */
#ifndef SP_BASE_WIRE_H
#define SP_BASE_WIRE_H

#include "base/span.h"

struct rd {
	const uint8_t *ptr;
	size_t left;
	bool bad;
};
struct wr {
	uint8_t *buf;
	size_t cap, len;
	bool bad;
};

/* rd_of - a reader over s.  wr_of - a writer into cap bytes at buf, borrowed by both. */
static inline struct rd
rd_of(struct span s)
{
	return (struct rd){s.ptr, s.len, false};
}
static inline struct wr
wr_of(uint8_t *buf, size_t cap)
{
	return (struct wr){buf, cap, 0, false};
}

/* rd_done - was everything read, and nothing missing? */
static inline bool
rd_done(const struct rd *r)
{
	return !r->bad && r->left == 0;
}

/* rd_take - the next n bytes, borrowed from what is read; empty and sticky-bad when short. */
static inline struct span
rd_take(struct rd *r, size_t n)
{
	struct span s;

	if (r->bad || n > r->left) {
		r->bad = true;
		return span_of(NULL, 0);
	}
	s = span_of(r->ptr, n);
	r->ptr += n;
	r->left -= n;
	return s;
}

/* rd_uint - an unsigned big-endian integer of width bytes (1 to 8); 0 when short. */
static inline uint64_t
rd_uint(struct rd *r, size_t width)
{
	uint64_t v = 0;
	struct span s = rd_take(r, width);

	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | s.ptr[i];
	return v;
}

/* rd_copy - n bytes into out; out is zeroed when short. */
static inline void
rd_copy(struct rd *r, void *out, size_t n)
{
	struct span s = rd_take(r, n);

	if (s.len == n && n != 0)
		memcpy(out, s.ptr, n);
	else if (n != 0)
		memset(out, 0, n);
}

/* wr_bytes - append s; sticky-bad when it does not fit. */
static inline void
wr_bytes(struct wr *w, struct span s)
{
	if (w->bad || s.len > w->cap - w->len) {
		w->bad = true;
		return;
	}
	if (s.len != 0)
		memcpy(w->buf + w->len, s.ptr, s.len);
	w->len += s.len;
}

/* wr_uint - append v as width bytes (1 to 8), big-endian. */
static inline void
wr_uint(struct wr *w, uint64_t v, size_t width)
{
	uint8_t b[8];

	for (size_t i = 0; i < width; i++)
		b[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
	wr_bytes(w, span_of(b, width));
}

/* wr_span - what was written so far; borrowed from the writer's buffer. */
static inline struct span
wr_span(const struct wr *w)
{
	return span_of(w->buf, w->len);
}

#endif
