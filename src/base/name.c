/* name.c - names and paths of the virtual tree. */
#include "base/name.h"
#include "base/err.h"
#include "base/text.h"

static bool
cp_allowed(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == '/')
		return false;
	if (cp == 0x2028 || cp == 0x2029)
		return false;
	if ((cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
		return false;
	if ((cp & 0xfffe) == 0xfffe || (cp >= 0xfdd0 && cp <= 0xfdef))
		return false;
	return true;
}

int
name_check(struct span s)
{
	if (s.len == 0 || s.len > NAME_MAX_BYTES)
		return SP_ENAME;
	if (span_eq_str(s, ".") || span_eq_str(s, ".."))
		return SP_ENAME;
	while (s.len != 0) {
		uint32_t cp = 0;
		size_t n = utf8_next(s, &cp);

		if (n == 0 || !cp_allowed(cp))
			return SP_ENAME;
		s = span_skip(s, n);
	}
	return SP_OK;
}

int
path_next(struct span *path, struct span *ret_name)
{
	struct span rest = *path, name;

	if (rest.len > PATH_MAX_BYTES)
		return SP_EDEPTH;
	if (rest.len != 0 && rest.ptr[0] != '/')
		return SP_ENAME;
	while (rest.len != 0 && rest.ptr[0] == '/')
		rest = span_skip(rest, 1);
	if (rest.len == 0) {
		*path = rest;
		return 0;
	}
	name = span_cut(rest, span_find(rest, '/'));
	if (name_check(name) < 0)
		return SP_ENAME;
	*path = span_skip(rest, name.len);
	*ret_name = name;
	return 1;
}

int
path_check(struct span path)
{
	struct span name;
	unsigned depth = 0;
	int rc;

	if (path.len == 0)
		return SP_ENAME;
	while ((rc = path_next(&path, &name)) > 0)
		if (++depth > PATH_MAX_DEPTH)
			return SP_EDEPTH;
	return rc;
}

static bool
is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int
account_check(struct span s)
{
	if (s.len == 0 || s.len > 64 || !is_alnum(s.ptr[0]))
		return SP_ENAME;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && (s.ptr[i] == 0 || strchr("._@+-", s.ptr[i]) == NULL))
			return SP_ENAME;
	return SP_OK;
}
