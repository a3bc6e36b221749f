/* tar.c - pax archives: ustar headers, and a pax header before those that ustar cannot say.
 * source POSIX.1-2017, pax, "Extended Description" */
#include "proto/archive/formats.h"

#include "base/text.h"

#define BLOCK 512u
#define USTAR_NAME 100u
#define USTAR_SIZE_MAX 077777777777ull /* eleven octal digits */
#define END_BLOCKS 2u

static void
zeros(struct wr *w, size_t n)
{
	static const uint8_t none[BLOCK];

	wr_bytes(w, span_of(none, n));
}

static void
pad(struct wr *w, uint64_t size)
{
	zeros(w, (size_t)((BLOCK - size % BLOCK) % BLOCK));
}

/* `width` bytes: octal digits and a zero byte */
static void
octal(uint8_t *at, uint64_t v, size_t width)
{
	at[width - 1] = 0;
	for (size_t i = width - 1; i-- > 0; v >>= 3)
		at[i] = (uint8_t)('0' + (v & 7));
}

static void
put_header(
    struct wr *w, struct span name, char kind, unsigned mode, uint64_t size, uint64_t seconds)
{
	uint8_t b[BLOCK] = {0};
	unsigned sum = 0;

	memcpy(b, name.ptr, name.len < USTAR_NAME ? name.len : USTAR_NAME);
	octal(b + 100, mode, 8);
	octal(b + 108, 0, 8);
	octal(b + 116, 0, 8);
	octal(b + 124, size <= USTAR_SIZE_MAX ? size : 0, 12);
	octal(b + 136, seconds <= USTAR_SIZE_MAX ? seconds : 0, 12);
	memset(b + 148, ' ', 8);
	b[156] = (uint8_t)kind;
	memcpy(b + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += b[i];
	octal(b + 148, sum, 7);
	wr_bytes(w, span_of(b, BLOCK));
}

static bool
is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] >= 0x80)
			return false;
	return name.len <= USTAR_NAME;
}

/* "LENGTH key=value\n", where LENGTH counts itself */
static void
put_record(struct text *t, const char *key, struct span value)
{
	size_t rest = strlen(key) + value.len + 3, len = rest + 1;
	char number[24];

	for (;;) {
		struct text n = text_of(number, sizeof(number));

		text_fmt(&n, "%zu", len);
		if (n.len + rest == len)
			break;
		len = n.len + rest;
	}
	text_fmt(t, "%zu %s=", len, key);
	text_add(t, value);
	text_chr(t, '\n');
}

void
tar_head(const struct archive_entry *e, struct wr *w)
{
	bool folder = is_folder(e);
	char records[ARCHIVE_NAME_MAX + 128], size[24];
	struct text t = text_of(records, sizeof(records)), s = text_of(size, sizeof(size));

	if (!is_plain(e->name))
		put_record(&t, "path", e->name);
	if (e->size > USTAR_SIZE_MAX) {
		text_fmt(&s, "%llu", (unsigned long long)e->size);
		put_record(&t, "size", text_span(&s));
	}
	if (t.len != 0) {
		put_header(w, SPAN_LIT("pax"), 'x', 0644, t.len, 0);
		wr_bytes(w, text_span(&t));
		pad(w, t.len);
	}
	w->bad = w->bad || t.bad;
	put_header(w, e->name, folder ? '5' : '0', folder ? 0755 : 0644, e->size,
	    e->modified_us / 1000000);
}

void
tar_foot(const struct archive_entry *e, struct wr *w)
{
	pad(w, e->size);
}

void
tar_end(struct wr *w)
{
	for (unsigned i = 0; i < END_BLOCKS; i++)
		zeros(w, BLOCK);
}
