/* framing.c - where a request's body ends, who it is for, and whether the connection persists. */
#include "proto/http/head.h"
#include "base/text.h"

static size_t
count_field(const struct http_head *h, const char *name, struct span *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		if (span_ieq_str(h->fields[i].name, name)) {
			*ret = h->fields[i].value;
			n++;
		}
	return n;
}

int
http_framing(const struct http_head *h, enum http_framing *ret, uint64_t *ret_len)
{
	struct span cl = span_of(NULL, 0), te = span_of(NULL, 0);
	size_t n_cl = count_field(h, "Content-Length", &cl);
	size_t n_te = count_field(h, "Transfer-Encoding", &te);
	uint64_t len = 0;

	if (n_cl > 1 || n_te > 1 || (n_cl != 0 && n_te != 0) || (n_te != 0 && h->minor == 0))
		return SP_ESYNTAX;
	if (n_te != 0) {
		if (te.len == 0)
			return SP_ESYNTAX;
		if (!span_eq_str(te, "chunked"))
			return SP_ENOTIMPL;
		*ret = HTTP_CHUNKED;
		*ret_len = 0;
		return SP_OK;
	}
	if (n_cl != 0 && parse_u64(cl, INT64_MAX, &len) < 0)
		return SP_ESYNTAX;
	*ret = n_cl != 0 && len != 0 ? HTTP_LENGTH : HTTP_NO_BODY;
	*ret_len = len;
	return SP_OK;
}

bool
http_keep_alive(const struct http_head *h)
{
	if (http_has_token(h, "Connection", "close"))
		return false;
	return h->minor == 1 || http_has_token(h, "Connection", "keep-alive");
}

/* RFC 3986 section 3.2.2: reg-name, IPv4 or an IP literal in brackets; then an optional port. */
static bool
host_valid(struct span s)
{
	size_t i = 0;

	if (s.len == 0 || s.len > 260)
		return false;
	if (s.ptr[0] == '[') {
		for (i = 1; i < s.len && s.ptr[i] != ']'; i++)
			if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == ':' ||
				s.ptr[i] == '.' ||
				((s.ptr[i] | 0x20) >= 'a' && (s.ptr[i] | 0x20) <= 'f')))
				return false;
		if (i == s.len || i == 1)
			return false;
		i++;
	} else {
		for (; i < s.len && s.ptr[i] != ':'; i++) {
			uint8_t c = s.ptr[i];
			bool alnum =
			    (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

			if (!alnum && c != '-' && c != '.' && c != '_')
				return false;
		}
		if (i == 0)
			return false;
	}
	if (i < s.len) {
		uint64_t port;
		struct span digits = span_skip(s, i + 1);

		return s.ptr[i] == ':' &&
		       (digits.len == 0 || parse_u64(digits, 65535, &port) == SP_OK);
	}
	return true;
}

static bool
span_ieq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t x = a.ptr[i], y = b.ptr[i];

		if (x >= 'A' && x <= 'Z')
			x = (uint8_t)(x | 0x20);
		if (y >= 'A' && y <= 'Z')
			y = (uint8_t)(y | 0x20);
		if (x != y)
			return false;
	}
	return true;
}

/* Is every byte allowed in a path and query (RFC 3986 section 3.3, 3.4), percent signs well formed?
 */
static bool
target_valid(struct span s)
{
	static const char other[] = "-._~!$&'()*+,;=:@/?%";

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];
		uint8_t byte;

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80))
			continue;
		if (c == 0 || memchr(other, c, sizeof(other) - 1) == NULL)
			return false;
		if (c == '%' &&
		    (s.len - i < 3 || parse_hex(span_of(s.ptr + i + 1, 2), &byte, 1) < 0))
			return false;
	}
	return true;
}

int
http_target(const struct http_head *h, struct span *ret_path, struct span *ret_query)
{
	struct span host = span_of(NULL, 0), t = h->target;
	int n_host = http_single(h, "Host", &host);
	size_t q;

	if (n_host < 0 || (n_host == 0 && h->minor == 1))
		return SP_ESYNTAX;
	if (n_host == 1 && !host_valid(host))
		return SP_ESYNTAX;
	if (t.len > 8 && span_ieq_str(span_cut(t, 8), "https://")) {
		struct span authority = span_skip(t, 8);

		authority = span_cut(authority, span_find(authority, '/'));
		t = span_skip(t, 8 + authority.len);
		if (!host_valid(authority) || (n_host == 1 && !span_ieq(host, authority)))
			return SP_ESYNTAX;
	}
	if (t.len == 0 || t.ptr[0] != '/' || !target_valid(t))
		return SP_ESYNTAX;
	q = span_find(t, '?');
	*ret_path = span_cut(t, q);
	*ret_query = span_skip(t, q + 1);
	return SP_OK;
}
