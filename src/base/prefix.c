/* prefix.c - see prefix.h. */
#include "base/prefix.h"

#include <arpa/inet.h>

#include "base/err.h"

#define V4_BITS 96u /* before them: ::ffff: */
static const uint8_t v4_head[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int
parse_address(struct span s, struct prefix *ret)
{
	char text[INET6_ADDRSTRLEN];

	if (s.len == 0 || s.len >= sizeof(text) || span_find(s, 0) != s.len)
		return SP_ESYNTAX;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	ret->bits = 128;
	if (span_find(s, ':') != s.len)
		return inet_pton(AF_INET6, text, ret->b) == 1 ? SP_OK : SP_ESYNTAX;
	memcpy(ret->b, v4_head, sizeof(v4_head));
	return inet_pton(AF_INET, text, ret->b + sizeof(v4_head)) == 1 ? SP_OK : SP_ESYNTAX;
}

int
prefix_parse(struct span s, struct prefix *ret)
{
	size_t slash = span_find(s, '/');
	bool v6 = span_find(s, ':') != s.len;
	struct prefix p, cut;
	uint64_t bits = 0;
	int rc = parse_address(span_cut(s, slash), &p);

	if (rc == SP_OK && slash != s.len) {
		rc = parse_u64(span_skip(s, slash + 1), v6 ? 128 : 32, &bits);
		if (rc != SP_OK)
			return rc;
		cut = prefix_cut(&p, (unsigned)bits + (v6 ? 0 : V4_BITS));
		if (memcmp(cut.b, p.b, sizeof(p.b)) != 0)
			return SP_ERANGE;
		p = cut;
	}
	if (rc == SP_OK)
		*ret = p;
	return rc;
}

int
prefix_of_peer(const char *peer, struct prefix *ret)
{
	struct span s = span_str(peer);
	size_t colon = span_find(s, ':');

	if (s.len != 0 && s.ptr[0] == '[')
		return parse_address(span_cut(span_skip(s, 1), span_find(s, ']') - 1), ret);
	/* one colon begins the port; more are those of a bare IPv6 address */
	if (span_find(span_skip(s, colon + 1), ':') == span_skip(s, colon + 1).len)
		s = span_cut(s, colon);
	return parse_address(s, ret);
}

bool
prefix_is_v4(const struct prefix *p)
{
	return p->bits >= V4_BITS && memcmp(p->b, v4_head, sizeof(v4_head)) == 0;
}

struct prefix
prefix_cut(const struct prefix *p, unsigned bits)
{
	struct prefix out = *p;

	if (bits >= p->bits)
		return out;
	out.bits = (uint8_t)bits;
	if (bits % 8 != 0) {
		out.b[bits / 8] = (uint8_t)(out.b[bits / 8] & (0xff00u >> (bits % 8)));
		bits += 8 - bits % 8;
	}
	memset(out.b + bits / 8, 0, sizeof(out.b) - bits / 8);
	return out;
}

struct prefix
prefix_host(const struct prefix *p)
{
	return prefix_cut(p, prefix_is_v4(p) ? 128 : 64);
}

struct prefix
prefix_network(const struct prefix *p)
{
	return prefix_cut(p, prefix_is_v4(p) ? V4_BITS + 24 : 48);
}

bool
prefix_has(const struct prefix *outer, const struct prefix *p)
{
	struct prefix cut = prefix_cut(p, outer->bits);

	return p->bits >= outer->bits && memcmp(cut.b, outer->b, sizeof(cut.b)) == 0;
}

bool
prefix_eq(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

uint64_t
prefix_hash(const struct prefix *p)
{
	uint64_t h = 14695981039346656037u ^ p->bits;

	for (size_t i = 0; i < sizeof(p->b); i++)
		h = (h ^ p->b[i]) * 1099511628211u;
	return h ^ h >> 32;
}

void
prefix_text(struct text *t, const struct prefix *p)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = prefix_is_v4(p);
	unsigned bits = v4 ? p->bits - V4_BITS : p->bits;

	if (v4)
		(void)inet_ntop(AF_INET, p->b + sizeof(v4_head), text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, p->b, text, sizeof(text));
	text_str(t, text);
	if (bits != (v4 ? 32 : 128))
		text_fmt(t, "/%u", bits);
}

/* ---- lists ---- */

static bool
is_gap(uint8_t c)
{
	return c == ',' || c == ' ' || c == '\t';
}

int
prefix_list_parse(struct span s, struct prefix_list *ret)
{
	struct prefix_list l = {0};

	if (span_eq_str(span_trim(s), "none"))
		s = span_of(NULL, 0);
	while (s.len != 0) {
		size_t n = 0;
		int rc;

		if (is_gap(s.ptr[0])) {
			s = span_skip(s, 1);
			continue;
		}
		while (n < s.len && !is_gap(s.ptr[n]))
			n++;
		if (l.n == PREFIX_LIST_MAX)
			return SP_ETOOBIG;
		rc = prefix_parse(span_cut(s, n), &l.p[l.n]);
		if (rc != SP_OK)
			return rc;
		l.n++;
		s = span_skip(s, n);
	}
	*ret = l;
	return SP_OK;
}

bool
prefix_list_has(const struct prefix_list *l, const struct prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (prefix_has(&l->p[i], p))
			return true;
	return false;
}
