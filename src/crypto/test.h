/* test.h - the files of tests/vectors/ssh, for the tests of ssh_*.c. */
#ifndef SP_CRYPTO_TEST_H
#define SP_CRYPTO_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "base/text.h"
#include "crypto/ssh_inner.h"
#include "crypto/ssh_key.h"

struct bytes {
	size_t len;
	uint8_t b[8192];
};

static inline struct span
bytes_span(const struct bytes *b)
{
	return span_of(b->b, b->len);
}

/* vector_read - a whole file. */
static inline void
vector_read(const char *name, struct bytes *ret)
{
	const char *dir = getenv("VECTORS");
	char path[1024];
	struct text t = text_of(path, sizeof(path));
	FILE *f;

	assert_non_null(dir);
	text_fmt(&t, "%s/ssh/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s is missing", path);
	else
		ret->len = fread(ret->b, 1, sizeof(ret->b), f);
	(void)fclose(f);
	while (ret->len != 0 && ret->b[ret->len - 1] == '\n')
		ret->len--;
}

/* vector_blob - the second field of a file, decoded: of "type base64 comment". */
static inline void
vector_blob(const char *name, struct bytes *ret)
{
	struct bytes file;
	struct span s;

	vector_read(name, &file);
	s = bytes_span(&file);
	s = span_skip(s, span_find(s, ' ') + 1);
	s = span_cut(s, span_find(s, ' '));
	assert_int_equal(base64_get(s, ret->b, sizeof(ret->b), &ret->len), SP_OK);
}
#endif
