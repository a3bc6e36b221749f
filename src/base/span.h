/* span.h - bytes that somebody else owns.
 *
 * Bytes from outside are a `struct span`, never a char *.  A span says where and how many; it does
 * not own, and it is not NUL-terminated.  It lives as long as what it points into.
 */
#ifndef SP_BASE_SPAN_H
#define SP_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *ptr; /* borrowed; never NULL when made by the functions here */
	size_t len;	    /* bytes */
};

/* SPAN_LIT - the span of a string literal, without its NUL. */
#define SPAN_LIT(s) ((struct span){(const uint8_t *)("" s), sizeof(s) - 1})

/* span_of - a span over len bytes at ptr; borrowed.  A NULL ptr with len 0 is the empty span. */
static inline struct span
span_of(const void *ptr, size_t len)
{
	static const uint8_t none[1];

	return (struct span){ptr != NULL ? (const uint8_t *)ptr : none, len};
}

/* span_str - a span over a NUL-terminated string, without the NUL; borrowed.  NULL is empty. */
static inline struct span
span_str(const char *s)
{
	return span_of(s, s != NULL ? strlen(s) : 0);
}

/* span_eq - are the bytes the same?  Not constant in time: for secrets use secret_eq (mem.h). */
static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* span_eq_str - is the span exactly this NUL-terminated string? */
static inline bool
span_eq_str(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/* span_ieq_str - as span_eq_str, ASCII letters compared without case. */
static inline bool
span_ieq_str(struct span a, const char *s)
{
	if (a.len != strlen(s))
		return false;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t x = a.ptr[i], y = (uint8_t)s[i];

		if (x >= 'A' && x <= 'Z')
			x = (uint8_t)(x | 0x20);
		if (y >= 'A' && y <= 'Z')
			y = (uint8_t)(y | 0x20);
		if (x != y)
			return false;
	}
	return true;
}

/* span_starts - does a begin with b? */
static inline bool
span_starts(struct span a, struct span b)
{
	return a.len >= b.len && memcmp(a.ptr, b.ptr, b.len) == 0;
}

/* span_skip - a without its first n bytes; n over the length gives the empty span at the end. */
static inline struct span
span_skip(struct span a, size_t n)
{
	if (n > a.len)
		n = a.len;
	return (struct span){a.ptr + n, a.len - n};
}

/* span_cut - the first n bytes of a, or all of a when it is shorter. */
static inline struct span
span_cut(struct span a, size_t n)
{
	return (struct span){a.ptr, n < a.len ? n : a.len};
}

/* span_find - offset of the first byte c in a, or a.len when there is none. */
static inline size_t
span_find(struct span a, uint8_t c)
{
	const uint8_t *p = a.len != 0 ? memchr(a.ptr, c, a.len) : NULL;

	return p != NULL ? (size_t)(p - a.ptr) : a.len;
}

/* span_trim - a without ASCII space and tab at both ends. */
static inline struct span
span_trim(struct span a)
{
	while (a.len != 0 && (a.ptr[0] == ' ' || a.ptr[0] == '\t'))
		a = span_skip(a, 1);
	while (a.len != 0 && (a.ptr[a.len - 1] == ' ' || a.ptr[a.len - 1] == '\t'))
		a.len--;
	return a;
}

#endif
