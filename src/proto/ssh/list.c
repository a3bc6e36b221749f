/* list.c - the version line, strings, numbers and name-lists. */
#include "proto/ssh/ssh.h"

#define VERSION_20 "2.0"
#define VERSION_199 "1.99" /* RFC 4253 section 5.1: a peer that speaks 2.0 and older */

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

/* How many digits are at the start of s? */
static size_t
digits(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

/* Is this a protocol version: digits, a point, digits? */
static bool
is_protocol(struct span s)
{
	size_t major = digits(s), minor;

	if (major == 0 || major == s.len || s.ptr[major] != '.')
		return false;
	minor = digits(span_skip(s, major + 1));
	return minor != 0 && major + 1 + minor == s.len;
}

int
ssh_get_version(struct span line)
{
	struct span rest, protocol;

	if (line.len > SSH_VERSION_MAX - 2 || !is_printable(line) ||
	    !span_starts(line, SPAN_LIT("SSH-")))
		return SP_ESYNTAX;
	rest = span_skip(line, 4);
	protocol = span_cut(rest, span_find(rest, '-'));
	rest = span_skip(rest, protocol.len);
	if (!is_protocol(protocol) || rest.len == 0)
		return SP_ESYNTAX;
	if (!span_eq_str(protocol, VERSION_20) && !span_eq_str(protocol, VERSION_199))
		return SP_EVERSION;
	rest = span_skip(rest, 1);
	return rest.len != 0 && rest.ptr[0] != ' ' ? SP_OK : SP_ESYNTAX;
}

struct span
ssh_take_string(struct rd *r)
{
	size_t len = (size_t)rd_uint(r, 4);

	return rd_take(r, len);
}

void
ssh_put_string(struct wr *w, struct span s)
{
	if (s.len > UINT32_MAX)
		w->bad = true;
	wr_uint(w, s.len, 4);
	wr_bytes(w, s);
}

void
ssh_put_mpint(struct wr *w, struct span number)
{
	bool is_high;

	while (number.len != 0 && number.ptr[0] == 0)
		number = span_skip(number, 1);
	is_high = number.len != 0 && (number.ptr[0] & 0x80) != 0;
	if (number.len >= UINT32_MAX)
		w->bad = true;
	wr_uint(w, number.len + is_high, 4);
	if (is_high)
		wr_uint(w, 0, 1);
	wr_bytes(w, number);
}

bool
ssh_list_next(struct span *list, struct span *ret_name)
{
	struct span name;

	if (list->len == 0)
		return false;
	name = span_cut(*list, span_find(*list, ','));
	*list = span_skip(*list, name.len + 1);
	*ret_name = name;
	return true;
}

static bool
list_has(struct span list, struct span name)
{
	struct span s;

	while (ssh_list_next(&list, &s))
		if (span_eq(s, name))
			return true;
	return false;
}

bool
ssh_list_has(struct span list, const char *name)
{
	return list_has(list, span_str(name));
}

bool
ssh_list_ok(struct span list)
{
	struct span name;

	if (list.len != 0 && list.ptr[list.len - 1] == ',') /* an empty name at the end */
		return false;
	while (ssh_list_next(&list, &name))
		if (name.len == 0 || name.len > SSH_NAME_MAX || !is_printable(name) ||
		    span_find(name, ' ') != name.len)
			return false;
	return true;
}

bool
ssh_choose(struct span client, struct span ours, struct span *ret)
{
	struct span name;

	while (ssh_list_next(&client, &name))
		if (list_has(ours, name)) {
			*ret = name;
			return true;
		}
	return false;
}
