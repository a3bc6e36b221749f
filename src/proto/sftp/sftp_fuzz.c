/* Any bytes as packets of a client: what is understood is written again and is the same request.
 *
 * source draft-ietf-secsh-filexfer-02: one encoding per request, but for attributes whose extended
 * pairs are dropped. */
#include "base/mem.h"
#include "proto/sftp/sftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_BYTES 16384u

static uint8_t first[OUT_BYTES], second[OUT_BYTES];

/* Parsed, written, parsed and written again: both texts are equal, and no longer than what came. */
#define SFTP_REQ(number, NAME, name)                                                               \
	static void check_##name(const struct sftp_packet *p, size_t came)                         \
	{                                                                                          \
		struct wr a = wr_of(first, OUT_BYTES), b = wr_of(second, OUT_BYTES);               \
		struct sftp_packet again;                                                          \
		struct sftp_##name m;                                                              \
                                                                                                   \
		if (sftp_get_##name(p, &m) < 0)                                                    \
			return;                                                                    \
		sftp_put_##name(&a, &m);                                                           \
		VERIFY(!a.bad && a.len <= came + 4);                                               \
		VERIFY(sftp_get_packet(span_skip(wr_span(&a), 4), &again) == SP_OK);               \
		VERIFY(sftp_get_##name(&again, &m) == SP_OK);                                      \
		sftp_put_##name(&b, &m);                                                           \
		VERIFY(!b.bad && span_eq(wr_span(&a), wr_span(&b)));                               \
	}
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT

static void
check_extended(const struct sftp_packet *p, size_t came)
{
	switch (sftp_extension(p->name)) {
	case SFTP_EXT_NONE:
		return;
#define SFTP_REQ(number, NAME, name)
#define SFTP_EXT(wire, data, NAME, name, told)                                                     \
	case SFTP_EXT_##NAME:                                                                      \
		check_##name(p, came);                                                             \
		return;
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	}
}

static void
check(struct span s)
{
	struct sftp_packet p;

	if (sftp_get_packet(s, &p) < 0)
		return;
	switch (p.type) {
#define SFTP_REQ(number, NAME, name)                                                               \
	case (number):                                                                             \
		check_##name(&p, s.len);                                                           \
		return;
#define SFTP_EXT(wire, data, NAME, name, told)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	case SFTP_EXTENDED:
		check_extended(&p, s.len);
		return;
	default:
		return;
	}
}

/* A name of a listing: the line is whole or says that it was cut. */
static void
longname(struct span s)
{
	char buf[SFTP_LONGNAME_MAX];
	struct text t = text_of(buf, sizeof(buf));
	struct rd r = rd_of(s);
	struct sftp_attrs a;

	if (sftp_attrs_take(&r, &a) < 0)
		return;
	sftp_longname(&t, span_cut(span_of(r.ptr, r.left), 255), &a, SPAN_LIT("owner"),
	    SPAN_LIT("group"), 1795428581);
	VERIFY(!t.bad && t.len > 50);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_of(span_of(data, size));
	size_t n;

	if (size > OUT_BYTES - 64)
		return 0;
	longname(span_of(data, size));
	if (size >= 13 && sftp_write_head_bytes(span_of(data, size), &n) == SP_OK)
		VERIFY(n <= SFTP_WRITE_HEAD_MAX && n >= 25);
	while (r.left != 0) {
		uint64_t len = rd_uint(&r, 4);
		struct span s = rd_take(&r, len < r.left ? (size_t)len : r.left);

		if (r.bad)
			break;
		check(s);
	}
	return 0;
}
