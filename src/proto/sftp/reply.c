/* reply.c - replies of SFTP version 3. */
#include "proto/sftp/sftp.h"

#define HALF_YEAR_S INT64_C(15768000) /* what OpenSSH's ls takes for recent */

void
sftp_put_status(struct wr *w, uint32_t id, enum sftp_status status, struct span text)
{
	size_t at = sftp_begin(w, SFTP_STATUS, id);

	wr_uint(w, status, 4);
	sftp_put_str(w, text);
	sftp_put_str(w, SPAN_LIT(""));
	sftp_end(w, at);
}

void
sftp_put_handle(struct wr *w, uint32_t id, struct span handle)
{
	size_t at = sftp_begin(w, SFTP_HANDLE, id);

	sftp_put_str(w, handle);
	sftp_end(w, at);
}

void
sftp_put_data_head(struct wr *w, uint32_t id, uint32_t n)
{
	wr_uint(w, 9 + (uint64_t)n, 4);
	wr_uint(w, SFTP_DATA, 1);
	wr_uint(w, id, 4);
	wr_uint(w, n, 4);
}

void
sftp_put_attrs(struct wr *w, uint32_t id, const struct sftp_attrs *a)
{
	size_t at = sftp_begin(w, SFTP_ATTRS, id);

	sftp_attrs_put(w, a);
	sftp_end(w, at);
}

void
sftp_put_version(struct wr *w)
{
	static const struct {
		const char *wire, *data;
		bool is_told;
	} rows[] = {
#define SFTP_REQ(number, NAME, name)
#define SFTP_EXT(wire, data, NAME, name, told) {wire, data, told},
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	};
	size_t at = sftp_begin(w, SFTP_VERSION_REPLY, SFTP_VERSION);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!rows[i].is_told)
			continue;
		sftp_put_str(w, span_str(rows[i].wire));
		sftp_put_str(w, span_str(rows[i].data));
	}
	sftp_end(w, at);
}

struct sftp_names
sftp_names_begin(struct wr *w, uint32_t id)
{
	struct sftp_names n = {.w = w};

	n.begun = sftp_begin(w, SFTP_NAME, id);
	n.count_at = w->len;
	wr_uint(w, 0, 4);
	return n;
}

bool
sftp_names_add(
    struct sftp_names *n, struct span name, struct span longname, const struct sftp_attrs *a)
{
	struct wr before = *n->w;

	sftp_put_str(n->w, name);
	sftp_put_str(n->w, longname);
	sftp_attrs_put(n->w, a);
	if (n->w->bad) {
		*n->w = before;
		return false;
	}
	n->n++;
	return true;
}

void
sftp_names_end(struct sftp_names *n)
{
	struct wr count;

	if (n->w->bad)
		return;
	count = wr_of(n->w->buf + n->count_at, 4);
	wr_uint(&count, n->n, 4);
	sftp_end(n->w, n->begun);
}

/* ---- longname ---- */

static void
put_mode(struct text *t, uint32_t mode)
{
	static const char rwx[] = "rwxrwxrwx";
	uint32_t kind = mode & 0170000;

	text_chr(t, kind == SFTP_MODE_FOLDER ? 'd' : kind == SFTP_MODE_FILE ? '-' : '?');
	for (unsigned i = 0; i < 9; i++)
		text_chr(t, (mode & (0400u >> i)) != 0 ? rwx[i] : '-');
}

static void
put_padded(struct text *t, struct span s, size_t width)
{
	text_add(t, s);
	for (size_t n = s.len; n < width; n++)
		text_chr(t, ' ');
	text_chr(t, ' ');
}

/* "Nov 23 21:09", or "Nov 23  2026" of what is old or not yet; UTC. */
static void
put_time(struct text *t, int64_t s, int64_t now_s)
{
	char buf[40];
	struct text h = text_of(buf, sizeof(buf));

	time_http(&h, s * 1000000); /* "Mon, 23 Nov 2026 21:09:41 GMT" */
	text_fmt(t, "%.3s %c%c ", buf + 8, buf[5] == '0' ? ' ' : buf[5], buf[6]);
	if (s > now_s || now_s - s > HALF_YEAR_S)
		text_fmt(t, " %.4s ", buf + 12);
	else
		text_fmt(t, "%.5s ", buf + 17);
}

void
sftp_longname(struct text *t, struct span name, const struct sftp_attrs *a, struct span owner,
    struct span group, int64_t now_s)
{
	put_mode(t, a->permissions);
	text_fmt(t, " %3u ", 1u);
	put_padded(t, owner, 8);
	put_padded(t, group, 8);
	text_fmt(t, "%8llu ", (unsigned long long)a->size);
	put_time(t, a->mtime, now_s);
	text_add(t, name);
}
