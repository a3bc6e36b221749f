/* chunked.c - the chunked transfer coding, byte by byte outside the content, never inside it. */
#include "proto/http/body.h"

enum { ST_SIZE, ST_EXT, ST_SIZE_LF, ST_DATA, ST_DATA_CR, ST_DATA_LF, ST_TRAILER, ST_END };

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int
size_byte(struct http_chunked *c, uint8_t byte)
{
	int v = hex_digit(byte);

	if (v >= 0) {
		if (c->digits == 16 || c->left > (uint64_t)INT64_MAX >> 4)
			return SP_ETOOBIG;
		c->left = c->left << 4 | (unsigned)v;
		c->digits++;
		return SP_OK;
	}
	if (c->digits == 0)
		return SP_ESYNTAX;
	if (byte == '\r')
		c->state = ST_SIZE_LF;
	else if (byte == ';')
		c->state = ST_EXT;
	else
		return SP_ESYNTAX;
	return SP_OK;
}

/* Extensions are read and forgotten (RFC 9112 section 7.1.1), within bounds. */
static int
ext_byte(struct http_chunked *c, uint8_t byte)
{
	if (byte == '\r') {
		c->state = ST_SIZE_LF;
		return SP_OK;
	}
	if ((byte < 0x20 && byte != '\t') || byte >= 0x7f)
		return SP_ESYNTAX;
	if (++c->ext > HTTP_CHUNK_EXT_MAX || ++c->overhead > HTTP_CHUNK_OVERHEAD_MAX)
		return SP_EHDRLONG;
	return SP_OK;
}

static int
frame_byte(struct http_chunked *c, uint8_t byte)
{
	switch (c->state) {
	case ST_SIZE:
		return size_byte(c, byte);
	case ST_EXT:
		return ext_byte(c, byte);
	case ST_SIZE_LF:
		if (byte != '\n')
			return SP_ESYNTAX;
		c->state = c->left != 0 ? ST_DATA : ST_TRAILER;
		return SP_OK;
	case ST_DATA_CR:
		c->state = ST_DATA_LF;
		return byte == '\r' ? SP_OK : SP_ESYNTAX;
	default: /* ST_DATA_LF */
		c->state = ST_SIZE;
		c->digits = 0;
		c->ext = 0;
		return byte == '\n' ? SP_OK : SP_ESYNTAX;
	}
}

/* A field that must never be a trailer: framing, routing, authentication (RFC 9110 section 6.5.1).
 */
static bool
trailer_forbidden(struct span name)
{
	static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Host",
	    "Trailer", "Connection", "Authorization", "Expect", "Content-Encoding", "Content-Type",
	    "Content-Range", "Range", "TE", "Upgrade", "Cookie"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_ieq_str(name, names[i]))
			return true;
	return false;
}

/* The trailer section has to lie in the buffer as a whole; it is checked and dropped. */
static int
take_trailer(struct http_chunked *c, struct span *in)
{
	struct span s = *in;

	for (size_t n_fields = 0;; n_fields++) {
		struct http_field f;
		size_t n = span_find(s, '\n');

		if (in->len - s.len + n >= HTTP_TRAILER_MAX)
			return SP_EHDRLONG;
		if (n == s.len)
			return HTTP_MORE;
		if (n == 0 || s.ptr[n - 1] != '\r')
			return SP_ESYNTAX;
		if (n == 1)
			break;
		if (n_fields == HTTP_TRAILER_FIELDS_MAX)
			return SP_EHDRLONG;
		if (http_field_line(span_cut(s, n - 1), &f) < 0 || trailer_forbidden(f.name))
			return SP_ESYNTAX;
		s = span_skip(s, n + 1);
	}
	*in = span_skip(s, 2);
	c->state = ST_END;
	return HTTP_END;
}

int
http_chunked_next(struct http_chunked *c, struct span *in, struct span *ret_data)
{
	for (;;) {
		int rc;

		if (c->state == ST_END)
			return HTTP_END;
		if (c->state == ST_TRAILER)
			return take_trailer(c, in);
		if (in->len == 0)
			return HTTP_MORE;
		if (c->state == ST_DATA) {
			*ret_data = c->left < in->len ? span_cut(*in, (size_t)c->left) : *in;
			*in = span_skip(*in, ret_data->len);
			http_chunked_took(c, ret_data->len);
			return HTTP_DATA;
		}
		rc = frame_byte(c, in->ptr[0]);
		if (rc < 0)
			return rc;
		*in = span_skip(*in, 1);
	}
}

uint64_t
http_chunked_direct(const struct http_chunked *c)
{
	return c->state == ST_DATA ? c->left : 0;
}

void
http_chunked_took(struct http_chunked *c, uint64_t n)
{
	PRECOND(c->state == ST_DATA && n <= c->left);
	c->left -= n;
	if (c->left == 0)
		c->state = ST_DATA_CR;
}
