/* head.c - request line and fields. */
#include "proto/http/head.h"

/* One byte more of the head: SP_ESYNTAX for what may never be in one. */
static int
scan_byte(struct http_scan *s, uint8_t c)
{
	if (s->cr && c != '\n')
		return SP_ESYNTAX;
	if (c == '\n' && !s->cr)
		return SP_ESYNTAX;
	if ((c < 0x20 && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
		return SP_ESYNTAX;
	s->cr = c == '\r';
	return SP_OK;
}

int
http_head_scan(struct http_scan *s, struct span in)
{
	size_t skip = in.len >= 2 && in.ptr[0] == '\r' && in.ptr[1] == '\n' ? 2 : 0;

	for (; s->at < in.len; s->at++) {
		size_t line = s->at - s->line_at;

		if (s->at >= HTTP_HEAD_MAX)
			return SP_EHDRLONG;
		if (s->lines == (skip != 0) && line >= HTTP_LINE_MAX)
			return SP_EURILONG;
		if (scan_byte(s, in.ptr[s->at]) < 0)
			return SP_ESYNTAX;
		if (in.ptr[s->at] != '\n')
			continue;
		if (line == 1 && s->lines > (skip != 0)) {
			s->at++;
			return (int)s->at;
		}
		if (line == 1 && s->at != 1)
			return SP_ESYNTAX; /* a second empty line before the request */
		s->lines++;
		s->line_at = s->at + 1;
	}
	return 0;
}

bool
http_is_tchar(uint8_t c)
{
	static const char other[] = "!#$%&'*+-.^_`|~";

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != 0 && memchr(other, c, sizeof(other) - 1) != NULL;
}

bool
http_is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!http_is_tchar(s.ptr[i]))
			return false;
	return s.len != 0;
}

/* Take one line off *in, without its CRLF; false when there is none. */
static bool
take_line(struct span *in, struct span *ret)
{
	size_t n = span_find(*in, '\r');

	if (n == in->len || in->len - n < 2 || in->ptr[n + 1] != '\n')
		return false;
	*ret = span_cut(*in, n);
	*in = span_skip(*in, n + 2);
	return true;
}

static int
parse_version(struct span v, unsigned *ret_minor)
{
	if (v.len != 8 || !span_starts(v, SPAN_LIT("HTTP/")) || v.ptr[6] != '.')
		return SP_ESYNTAX;
	if (v.ptr[5] < '0' || v.ptr[5] > '9' || v.ptr[7] < '0' || v.ptr[7] > '9')
		return SP_ESYNTAX;
	if (v.ptr[5] != '1' || v.ptr[7] > '1')
		return SP_EVERSION;
	*ret_minor = (unsigned)(v.ptr[7] - '0');
	return SP_OK;
}

static int
parse_request_line(struct span line, struct http_head *h)
{
	size_t n = span_find(line, ' ');

	h->method = span_cut(line, n);
	if (!http_is_token(h->method) || h->method.len > HTTP_METHOD_MAX || n == line.len)
		return SP_ESYNTAX;
	line = span_skip(line, n + 1);
	n = span_find(line, ' ');
	h->target = span_cut(line, n);
	if (n == line.len || h->target.len == 0)
		return SP_ESYNTAX;
	if (h->target.len > HTTP_TARGET_MAX)
		return SP_EURILONG;
	for (size_t i = 0; i < h->target.len; i++)
		if (h->target.ptr[i] <= 0x20 || h->target.ptr[i] >= 0x7f)
			return SP_ESYNTAX;
	return parse_version(span_skip(line, n + 1), &h->minor);
}

int
http_field_line(struct span line, struct http_field *ret)
{
	size_t n = span_find(line, ':');
	struct http_field f = {span_cut(line, n), span_trim(span_skip(line, n + 1))};

	if (n == line.len || !http_is_token(f.name))
		return SP_ESYNTAX;
	for (size_t i = 0; i < f.value.len; i++) {
		uint8_t c = f.value.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return SP_ESYNTAX;
	}
	*ret = f;
	return SP_OK;
}

int
http_head_parse(struct span head, struct http_head *ret)
{
	struct span line;
	int rc;

	if (span_starts(head, SPAN_LIT("\r\n")))
		head = span_skip(head, 2);
	ret->n_fields = 0;
	if (!take_line(&head, &line))
		return SP_ESYNTAX;
	rc = parse_request_line(line, ret);
	if (rc < 0)
		return rc;
	for (;;) {
		if (!take_line(&head, &line))
			return SP_ESYNTAX;
		if (line.len == 0)
			return head.len == 0 ? SP_OK : SP_ESYNTAX;
		if (ret->n_fields == HTTP_FIELDS_MAX)
			return SP_EHDRLONG;
		rc = http_field_line(line, &ret->fields[ret->n_fields]);
		if (rc < 0)
			return rc;
		ret->n_fields++;
	}
}

int
http_single(const struct http_head *h, const char *name, struct span *ret)
{
	struct span found = span_of(NULL, 0);
	int n = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (!span_ieq_str(h->fields[i].name, name))
			continue;
		if (n++ != 0)
			return SP_ESYNTAX;
		found = h->fields[i].value;
	}
	if (n == 1)
		*ret = found;
	return n;
}

/* Length of the first member of a list: up to a comma outside quotes. */
static size_t
member_len(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			quoted = !quoted;
		else if (s.ptr[i] == ',' && !quoted)
			return i;
	}
	return s.len;
}

bool
http_list_next(const struct http_head *h, const char *name, struct http_list *at, struct span *ret)
{
	for (;;) {
		size_t n;
		struct span m;

		if (!at->inside) {
			while (at->field < h->n_fields &&
			       !span_ieq_str(h->fields[at->field].name, name))
				at->field++;
			if (at->field == h->n_fields)
				return false;
			at->rest = h->fields[at->field++].value;
			at->inside = true;
		}
		n = member_len(at->rest);
		m = span_trim(span_cut(at->rest, n));
		at->inside = n < at->rest.len;
		at->rest = span_skip(at->rest, n + 1);
		if (m.len != 0) {
			*ret = m;
			return true;
		}
	}
}

bool
http_has_token(const struct http_head *h, const char *name, const char *token)
{
	struct http_list at = {0};
	struct span m;

	while (http_list_next(h, name, &at, &m))
		if (span_ieq_str(m, token))
			return true;
	return false;
}
