/* zip.c - ZIP with stored entries; ZIP64 where a number needs it.  source APPNOTE.TXT 6.3.10 */
#include "proto/archive/formats.h"

#include "base/text.h"

#define SIG_LOCAL 0x04034b50u
#define SIG_DESCRIPTOR 0x08074b50u
#define SIG_CENTRAL 0x02014b50u
#define SIG_END64 0x06064b50u
#define SIG_LOCATOR64 0x07064b50u
#define SIG_END 0x06054b50u
#define FLAG_UTF8 0x0800u	/* 4.4.4 bit 11 */
#define FLAG_DESCRIPTOR 0x0008u /* bit 3: CRC and sizes stand behind the content */
#define NEEDS_20 20u
#define NEEDS_64 45u
#define MADE_BY_UNIX (3u << 8 | NEEDS_64)
#define MODE_FILE 0100644u
#define MODE_FOLDER 0040755u
#define DOS_FOLDER 0x10u
#define EXTRA_64 0x0001u
#define EXTRA_TIME 0x5455u /* Info-ZIP's "UT": seconds since 1970, where DOS has two of some zone  \
			    */
#define MAX_16 UINT16_MAX
#define MAX_32 UINT32_MAX
#define END64_BYTES 56u

static void
le(struct wr *w, uint64_t v, size_t width)
{
	uint8_t b[8];

	for (size_t i = 0; i < width; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	wr_bytes(w, span_of(b, width));
}

static unsigned
digits(const char *s, size_t n)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(s[i] - '0');
	return v;
}

/* 4.4.6: date in the upper half, time in the lower; UTC, from 1980 to 2107 */
static uint32_t
dos_time(uint64_t us)
{
	char s[40]; /* 2026-11-23T21:09:41 */
	struct text t = text_of(s, sizeof(s));
	unsigned year;

	time_plain(&t, (int64_t)us);
	year = digits(s, 4);
	if (t.len != 19 || year < 1980)
		return 1u << 21 | 1u << 16;
	if (year > 2107)
		return 127u << 25 | 12u << 21 | 31u << 16;
	return (year - 1980) << 25 | digits(s + 5, 2) << 21 | digits(s + 8, 2) << 16 |
	       digits(s + 11, 2) << 11 | digits(s + 14, 2) << 5 | digits(s + 17, 2) / 2;
}

/* Windows takes '\' for a separator: no name may lead out of where it is unpacked. */
static void
put_name(struct wr *w, struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		wr_uint(w, name.ptr[i] == '\\' ? '_' : name.ptr[i], 1);
}

static void
put_time(struct wr *w, uint64_t us)
{
	le(w, EXTRA_TIME, 2);
	le(w, 5, 2);
	le(w, 1, 1); /* time of modification alone */
	le(w, us / 1000000 < INT32_MAX ? us / 1000000 : INT32_MAX, 4);
}

static uint64_t
flags_of(const struct archive_entry *e)
{
	return FLAG_UTF8 | (e->has_crc32 ? 0 : FLAG_DESCRIPTOR);
}

/* 4.3.7.  What has no CRC yet has a descriptor, which is in the long form. */
void
zip_head(const struct archive_entry *e, struct wr *w)
{
	bool is_long = e->size >= MAX_32 || !e->has_crc32;

	le(w, SIG_LOCAL, 4);
	le(w, is_long ? NEEDS_64 : NEEDS_20, 2);
	le(w, flags_of(e), 2);
	le(w, 0, 2); /* stored */
	le(w, dos_time(e->modified_us), 4);
	le(w, e->has_crc32 ? e->crc32 : 0, 4);
	for (int i = 0; i < 2; i++)
		le(w, is_long ? MAX_32 : e->size, 4);
	le(w, e->name.len, 2);
	le(w, (is_long ? 20 : 0) + 9, 2);
	put_name(w, e->name);
	if (is_long) { /* 4.5.3: here it always has both sizes */
		le(w, EXTRA_64, 2);
		le(w, 16, 2);
		for (int i = 0; i < 2; i++)
			le(w, e->has_crc32 ? e->size : 0, 8);
	}
	put_time(w, e->modified_us);
}

/* 4.3.9 */
void
zip_foot(const struct archive_entry *e, struct wr *w)
{
	if (e->has_crc32)
		return;
	le(w, SIG_DESCRIPTOR, 4);
	le(w, e->crc32, 4);
	le(w, e->size, 8);
	le(w, e->size, 8);
}

/* 4.3.12 */
void
zip_index(const struct archive_entry *e, uint64_t offset, struct wr *w)
{
	bool big = e->size >= MAX_32, far = offset >= MAX_32;
	unsigned extra = (big ? 16u : 0) + (far ? 8u : 0);

	le(w, SIG_CENTRAL, 4);
	le(w, MADE_BY_UNIX, 2);
	le(w, extra != 0 || !e->has_crc32 ? NEEDS_64 : NEEDS_20, 2);
	le(w, flags_of(e), 2);
	le(w, 0, 2);
	le(w, dos_time(e->modified_us), 4);
	le(w, e->crc32, 4);
	for (int i = 0; i < 2; i++)
		le(w, big ? MAX_32 : e->size, 4);
	le(w, e->name.len, 2);
	le(w, (extra != 0 ? extra + 4 : 0) + 9, 2);
	le(w, 0, 2); /* no comment */
	le(w, 0, 2); /* on the only disk */
	le(w, 0, 2);
	le(w, is_folder(e) ? MODE_FOLDER << 16 | DOS_FOLDER : MODE_FILE << 16, 4);
	le(w, far ? MAX_32 : offset, 4);
	put_name(w, e->name);
	if (extra != 0) {
		le(w, EXTRA_64, 2);
		le(w, extra, 2);
		for (int i = 0; big && i < 2; i++)
			le(w, e->size, 8);
		if (far)
			le(w, offset, 8);
	}
	put_time(w, e->modified_us);
}

/* 4.3.14, 4.3.15 */
static void
put_end64(uint64_t n, uint64_t offset, uint64_t len, struct wr *w)
{
	le(w, SIG_END64, 4);
	le(w, END64_BYTES - 12, 8);
	le(w, MADE_BY_UNIX, 2);
	le(w, NEEDS_64, 2);
	le(w, 0, 4);
	le(w, 0, 4);
	le(w, n, 8);
	le(w, n, 8);
	le(w, len, 8);
	le(w, offset, 8);
	le(w, SIG_LOCATOR64, 4);
	le(w, 0, 4);
	le(w, offset + len, 8);
	le(w, 1, 4);
}

/* 4.3.16 */
void
zip_end(uint64_t n, uint64_t offset, uint64_t len, struct wr *w)
{
	if (n >= MAX_16 || offset >= MAX_32 || len >= MAX_32)
		put_end64(n, offset, len, w);
	le(w, SIG_END, 4);
	le(w, 0, 2);
	le(w, 0, 2);
	le(w, n < MAX_16 ? n : MAX_16, 2);
	le(w, n < MAX_16 ? n : MAX_16, 2);
	le(w, len < MAX_32 ? len : MAX_32, 4);
	le(w, offset < MAX_32 ? offset : MAX_32, 4);
	le(w, 0, 2);
}
