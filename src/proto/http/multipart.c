/* multipart.c - multipart/form-data, as browsers, curl and PowerShell send it. */
#include "proto/http/body.h"
#include "proto/http/field.h"

enum { ST_PREAMBLE, ST_AFTER, ST_HEAD, ST_DATA, ST_END };

int
http_multipart_init(struct http_multipart *m, struct span boundary)
{
	static const char other[] = "'()+_,-./:=? ";

	if (boundary.len == 0 || boundary.len > HTTP_BOUNDARY_MAX)
		return SP_ESYNTAX;
	for (size_t i = 0; i < boundary.len; i++) {
		uint8_t c = boundary.ptr[i];
		bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (c >= 0x80 ||
		    (!alnum && (c == 0 || memchr(other, c, sizeof(other) - 1) == NULL)))
			return SP_ESYNTAX;
	}
	if (boundary.ptr[boundary.len - 1] == ' ')
		return SP_ESYNTAX;
	*m = (struct http_multipart){.delim_len = (uint8_t)(boundary.len + 4)};
	memcpy(m->delim, "\r\n--", 4);
	memcpy(m->delim + 4, boundary.ptr, boundary.len);
	return SP_OK;
}

/* How much of s is surely content: up to a delimiter, or to what may be the beginning of one.
 * *ret_found: there is a whole delimiter at that place. */
static size_t
content_len(const struct http_multipart *m, struct span s, bool *ret_found)
{
	const uint8_t *p = s.len != 0 ? memmem(s.ptr, s.len, m->delim, m->delim_len) : NULL;
	size_t from = s.len >= m->delim_len ? s.len - m->delim_len + 1 : 0;

	*ret_found = p != NULL;
	if (p != NULL)
		return (size_t)(p - s.ptr);
	for (; from < s.len; from++)
		if (memcmp(s.ptr + from, m->delim, s.len - from) == 0)
			break;
	return from;
}

/* The first delimiter may stand at the very beginning, without its CRLF. */
static int
preamble(struct http_multipart *m, struct span *in)
{
	struct span bare = span_of(m->delim + 2, m->delim_len - 2u);
	bool found;
	size_t n;

	if (m->preamble == 0) {
		if (in->len < bare.len)
			return HTTP_MORE;
		if (span_starts(*in, bare)) {
			*in = span_skip(*in, bare.len);
			m->state = ST_AFTER;
			return HTTP_MORE;
		}
	}
	n = content_len(m, *in, &found);
	m->preamble += (uint32_t)n;
	if (m->preamble > HTTP_PREAMBLE_MAX)
		return SP_ESYNTAX;
	*in = span_skip(*in, found ? n + m->delim_len : n);
	if (m->preamble == 0)
		m->preamble = 1; /* the beginning is behind us */
	if (found)
		m->state = ST_AFTER;
	return HTTP_MORE;
}

/* Behind a delimiter: "--" ends, CRLF begins a part; white space before it is transport padding. */
static int
after_delim(struct http_multipart *m, struct span *in)
{
	size_t pad = 0;

	while (pad < in->len && pad < 64 && (in->ptr[pad] == ' ' || in->ptr[pad] == '\t'))
		pad++;
	if (in->len - pad < 2)
		return pad == 64 ? SP_ESYNTAX : HTTP_MORE;
	if (pad == 0 && in->ptr[0] == '-' && in->ptr[1] == '-') {
		*in = span_skip(*in, 2);
		m->state = ST_END;
		return HTTP_END;
	}
	if (in->ptr[pad] != '\r' || in->ptr[pad + 1] != '\n')
		return SP_ESYNTAX;
	if (++m->parts > HTTP_PARTS_MAX)
		return SP_ETOOBIG;
	*in = span_skip(*in, pad + 2);
	m->state = ST_HEAD;
	return HTTP_MORE;
}

static int
part_field(const struct http_field *f, struct http_part *p, bool *named)
{
	if (span_ieq_str(f->name, "Content-Disposition")) {
		struct span kind = span_trim(span_cut(f->value, span_find(f->value, ';')));

		if (*named || !span_ieq_str(kind, "form-data"))
			return SP_ESYNTAX;
		if (http_param(f->value, "name", &p->name) != 1)
			return SP_ESYNTAX;
		p->has_filename = http_param(f->value, "filename", &p->filename) == 1;
		/* RFC 7578 has no filename*, .NET sends it beside a filename that it encodes oddly
		 */
		if (p->has_filename && http_param(f->value, "filename*", &p->filename_ext) < 0)
			return SP_ESYNTAX;
		*named = true;
	} else if (span_ieq_str(f->name, "Content-Type")) {
		p->content_type = f->value;
	} else if (span_ieq_str(f->name, "Content-Transfer-Encoding")) {
		if (!span_ieq_str(f->value, "binary") && !span_ieq_str(f->value, "8bit") &&
		    !span_ieq_str(f->value, "7bit"))
			return SP_ESYNTAX;
	}
	return SP_OK;
}

static int
part_head(struct http_multipart *m, struct span *in, struct http_part *ret)
{
	struct http_part p = {.name = span_of(NULL, 0),
	    .filename = span_of(NULL, 0),
	    .filename_ext = span_of(NULL, 0),
	    .content_type = span_of(NULL, 0)};
	struct span s = *in;
	bool named = false;

	for (size_t n_fields = 0;; n_fields++) {
		struct http_field f;
		size_t n = span_find(s, '\n');

		if (in->len - s.len + n >= HTTP_PART_HEAD_MAX)
			return SP_EHDRLONG;
		if (n == s.len)
			return HTTP_MORE;
		if (n == 0 || s.ptr[n - 1] != '\r')
			return SP_ESYNTAX;
		if (n == 1)
			break;
		if (n_fields == HTTP_PART_FIELDS_MAX)
			return SP_EHDRLONG;
		if (http_field_line(span_cut(s, n - 1), &f) < 0 || part_field(&f, &p, &named) < 0)
			return SP_ESYNTAX;
		s = span_skip(s, n + 1);
	}
	if (!named)
		return SP_ESYNTAX;
	*in = span_skip(s, 2);
	m->state = ST_DATA;
	*ret = p;
	return HTTP_PART;
}

static int
part_data(struct http_multipart *m, struct span *in, struct span *ret_data)
{
	bool found;
	size_t n = content_len(m, *in, &found);

	if (n != 0) {
		*ret_data = span_cut(*in, n);
		*in = span_skip(*in, n);
		return HTTP_DATA;
	}
	if (found) {
		*in = span_skip(*in, m->delim_len);
		m->state = ST_AFTER;
	}
	return HTTP_MORE;
}

int
http_multipart_next(
    struct http_multipart *m, struct span *in, struct http_part *ret_part, struct span *ret_data)
{
	for (;;) {
		uint8_t state = m->state;
		int rc;

		switch (state) {
		case ST_PREAMBLE:
			rc = preamble(m, in);
			break;
		case ST_AFTER:
			rc = after_delim(m, in);
			break;
		case ST_HEAD:
			rc = part_head(m, in, ret_part);
			break;
		case ST_DATA:
			rc = part_data(m, in, ret_data);
			break;
		default:
			return HTTP_END;
		}
		if (rc != HTTP_MORE || m->state == state)
			return rc;
	}
}
