/* path.c - the way that a path takes, in its text alone. */
#include "rooms/gate/sftp/path.h"

int
path_join(struct path *p, struct span name)
{
	size_t at = p->len == 1 ? 0 : p->len; /* "/" has its slash already */

	if (at + 1 + name.len > PATH_MAX_BYTES)
		return SP_EDEPTH;
	p->text[at] = '/';
	if (name.len != 0)
		memcpy(p->text + at + 1, name.ptr, name.len);
	p->len = at + 1 + name.len;
	p->text[p->len] = '\0';
	return SP_OK;
}

static void
go_up(struct path *p)
{
	while (p->len > 1 && p->text[p->len - 1] != '/')
		p->len--;
	if (p->len > 1)
		p->len--; /* the slash, but for the first */
	p->text[p->len] = '\0';
}

static int
walk(struct path *p, struct span in)
{
	while (in.len != 0) {
		size_t n = span_find(in, '/');
		struct span name = span_cut(in, n);
		int rc = SP_OK;

		in = span_skip(in, n + 1);
		if (span_eq_str(name, ".."))
			go_up(p);
		else if (name.len != 0 && !span_eq_str(name, "."))
			rc = path_join(p, name);
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

int
path_resolve(struct span base, struct span in, struct path *ret)
{
	struct path p = {.len = 1, .text = "/"};
	int rc = SP_OK;

	if (span_find(in, '\0') != in.len)
		return SP_ENAME;
	if (in.len == 0 || in.ptr[0] != '/')
		rc = walk(&p, base);
	if (rc == SP_OK)
		rc = walk(&p, in);
	if (rc == SP_OK)
		*ret = p;
	return rc;
}

struct span
path_name(const struct path *p)
{
	size_t at = p->len;

	while (at > 0 && p->text[at - 1] != '/')
		at--;
	return span_of(p->text + at, p->len - at);
}

bool
path_matches(struct span pattern, struct span name)
{
	struct span star = span_of(NULL, 0),
		    rest = name; /* behind the last '*', and what it has not taken yet */
	bool has_star = false;

	while (name.len != 0) {
		if (pattern.len != 0 && pattern.ptr[0] == '*') {
			star = pattern = span_skip(pattern, 1);
			rest = name;
			has_star = true;
		} else if (pattern.len != 0 &&
			   (pattern.ptr[0] == '?' || pattern.ptr[0] == name.ptr[0])) {
			pattern = span_skip(pattern, 1);
			name = span_skip(name, 1);
		} else if (has_star) { /* the last '*' takes one more */
			pattern = star;
			name = rest = span_skip(rest, 1);
		} else {
			return false;
		}
	}
	while (pattern.len != 0 && pattern.ptr[0] == '*')
		pattern = span_skip(pattern, 1);
	return pattern.len == 0;
}
