/* test.h - refusals that every message's parser is held to; for the tests of this folder. */
#ifndef SP_PROTO_SSH_TEST_H
#define SP_PROTO_SSH_TEST_H

#include "base/test.h"
#include "proto/ssh/ssh.h"

#include <stdlib.h>

typedef int get_fn(struct span payload);

/* GETTER - a get_fn that calls a parser and checks that its result is untouched when it refuses. */
#define GETTER(NAME, TYPE, CALL)                                                                   \
	static int NAME(struct span payload)                                                       \
	{                                                                                          \
		TYPE m, before;                                                                    \
		int rc;                                                                            \
                                                                                                   \
		memset(&m, 0xa5, sizeof(m));                                                       \
		memset(&before, 0xa5, sizeof(before));                                             \
		rc = (CALL);                                                                       \
		if (rc < 0)                                                                        \
			assert_memory_equal(&m, &before, sizeof(m));                               \
		return rc;                                                                         \
	}

/* A payload under test, written byte by byte, without the functions that are tested. */
struct bytes {
	uint8_t buf[400000];
	size_t len;
};

static inline void
add_byte(struct bytes *b, unsigned v)
{
	assert_true(b->len < sizeof(b->buf));
	b->buf[b->len++] = (uint8_t)v;
}

static inline void
add_u32(struct bytes *b, uint32_t v)
{
	add_byte(b, v >> 24);
	add_byte(b, v >> 16 & 0xff);
	add_byte(b, v >> 8 & 0xff);
	add_byte(b, v & 0xff);
}

static inline void
add_string(struct bytes *b, const char *s)
{
	add_u32(b, (uint32_t)strlen(s));
	for (; *s != '\0'; s++)
		add_byte(b, (uint8_t)*s);
}

/* A string of n times c. */
static inline void
add_long(struct bytes *b, size_t n, unsigned c)
{
	add_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		add_byte(b, c);
}

/* The result of get for a copy of exactly the payload's size, so that a byte read too many is seen
 * by the sanitizer. */
static inline int
get_copy(get_fn *get, struct span payload)
{
	uint8_t *copy = malloc(payload.len != 0 ? payload.len : 1);
	int rc;

	assert_non_null(copy);
	if (payload.len != 0)
		memcpy(copy, payload.ptr, payload.len);
	rc = get(span_of(payload.len != 0 ? copy : NULL, payload.len));
	free(copy);
	return rc;
}

static inline int
get_bytes(get_fn *get, const struct bytes *b)
{
	return get_copy(get, span_of(b->buf, b->len));
}

/* Taken whole; refused when cut anywhere before `from` or with another message's number. */
static inline void
refuse_cuts(get_fn *get, struct bytes *b, size_t from)
{
	uint8_t number = b->buf[0];

	assert_err(get_bytes(get, b), SP_OK);
	for (size_t n = 0; n < from; n++)
		assert_err(get_copy(get, span_of(b->buf, n)), SP_ESHORT);
	for (unsigned other = 0; other < 256; other++)
		if (other != number) {
			b->buf[0] = (uint8_t)other;
			assert_err(get_bytes(get, b), SP_ESYNTAX);
		}
	b->buf[0] = number;
	assert_err(get_bytes(get, b), SP_OK);
}

/* And refused with anything behind it. */
static inline void
refuse_other(get_fn *get, struct bytes *b)
{
	refuse_cuts(get, b, b->len);
	add_byte(b, 0);
	assert_err(get_bytes(get, b), SP_ETRAIL);
	add_u32(b, 0);
	assert_err(get_bytes(get, b), SP_ETRAIL);
	b->len -= 5;
}

/* The string length at offset `at` claims more than there is: by one, and the greatest values. */
static inline void
refuse_lengths(get_fn *get, struct bytes *b, size_t at)
{
	static const uint32_t values[] = {0x7fffffff, 0x80000000, 0xfffffffb, 0xffffffff};
	uint8_t saved[4];
	size_t end = b->len;

	memcpy(saved, b->buf + at, sizeof(saved));
	for (size_t i = 0; i <= ARRAY_LEN(values); i++) {
		b->len = at;
		add_u32(b, i == 0 ? (uint32_t)(end - at - 4 + 1) : values[i - 1]);
		b->len = end;
		assert_err(get_bytes(get, b), SP_ESHORT);
	}
	memcpy(b->buf + at, saved, sizeof(saved));
	assert_err(get_bytes(get, b), SP_OK);
}

/* What was written is exactly these bytes; one byte of room less is refused. */
static inline void
assert_wire(const struct wr *w, const struct bytes *b)
{
	assert_false(w->bad);
	assert_int_equal(w->len, b->len);
	assert_memory_equal(w->buf, b->buf, b->len);
}

/* PUT_TEST - a put function, called with w, writes exactly b; and in every smaller buffer is
 * sticky-bad, inside it. */
#define PUT_TEST(b, call)                                                                          \
	do {                                                                                       \
		for (size_t cap_ = 0; cap_ <= (b)->len; cap_++) {                                  \
			uint8_t *out_ = malloc(cap_ != 0 ? cap_ : 1);                              \
			struct wr room_ = wr_of(out_, cap_), *w = &room_;                          \
                                                                                                   \
			assert_non_null(out_);                                                     \
			call;                                                                      \
			if (cap_ == (b)->len)                                                      \
				assert_wire(w, (b));                                               \
			else                                                                       \
				assert_true(w->bad && w->len <= cap_);                             \
			free(out_);                                                                \
		}                                                                                  \
	} while (0)
#endif
