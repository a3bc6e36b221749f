/* router.c - a path against the patterns of routes.def. */
#include "rooms/gate/https/router.h"

enum { AUTH_NONE = 0, AUTH_BEARER = 1 };

static const struct route routes[] = {
#define ROUTE(method, pattern, listener, auth, handler, summary)                                   \
	{method, pattern, LISTENER_##listener, AUTH_##auth == AUTH_BEARER, handler, summary},
#include "rooms/gate/https/routes.def"
#undef ROUTE
};

/* Take "/part" off *s. */
static struct span
take_part(struct span *s)
{
	struct span rest = span_skip(*s, 1);
	size_t n = span_find(rest, '/');

	*s = span_skip(rest, n);
	return span_cut(rest, n);
}

static bool
part_matches(struct span want, struct span got)
{
	if (want.len != got.len)
		return false;
	for (size_t i = 0; i < want.len; i++) {
		uint8_t c = got.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c | 0x20);
		if (c != want.ptr[i])
			return false;
	}
	return true;
}

static bool
matches(const char *pattern, struct span path, struct span param[ROUTE_PARAMS_MAX])
{
	struct span want = span_str(pattern);
	size_t n = 0;

	while (want.len != 0) {
		struct span part = take_part(&want), got;

		if (path.len == 0)
			return false;
		if (part.len > 4 && memcmp(part.ptr + part.len - 4, "...}", 4) == 0) {
			param[n] = path;
			return true;
		}
		got = take_part(&path);
		if (part.len != 0 && part.ptr[0] == '{') {
			if (got.len == 0)
				return false;
			param[n++] = got;
		} else if (!part_matches(part, got)) {
			return false;
		}
	}
	return path.len == 0 || span_eq_str(path, "/");
}

/* HEAD is answered wherever GET is: RFC 9110 section 9.1. */
static bool
method_matches(const char *want, struct span got)
{
	return span_eq_str(got, want) || (span_eq_str(got, "HEAD") && strcmp(want, "GET") == 0);
}

/* Row i, if its pattern is that of the path: the first that matches.  /a/b is not also an /a/{id}. */
static bool
is_of(size_t i, unsigned listener, struct span path, const char **pattern,
    struct span param[ROUTE_PARAMS_MAX])
{
	if (routes[i].listener != listener ||
	    (*pattern != NULL && strcmp(*pattern, routes[i].pattern) != 0) ||
	    !matches(routes[i].pattern, path, param))
		return false;
	*pattern = routes[i].pattern;
	return true;
}

int
router_find(unsigned listener, struct span method, struct span path, const struct route **ret,
    struct span ret_param[ROUTE_PARAMS_MAX])
{
	const char *pattern = NULL;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct span param[ROUTE_PARAMS_MAX] = {span_of(NULL, 0), span_of(NULL, 0)};

		if (!is_of(i, listener, path, &pattern, param))
			continue;
		if (!method_matches(routes[i].method, method))
			continue;
		*ret = &routes[i];
		memcpy(ret_param, param, sizeof(param));
		return SP_OK;
	}
	return pattern != NULL ? SP_EMETHOD : SP_ENOROUTE;
}

void
router_allow(unsigned listener, struct span path, struct text *t)
{
	const char *pattern = NULL;
	bool has_options = false;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct span param[ROUTE_PARAMS_MAX];

		if (!is_of(i, listener, path, &pattern, param))
			continue;
		if (t->len != 0)
			text_str(t, ", ");
		text_str(t, routes[i].method);
		if (strcmp(routes[i].method, "GET") == 0)
			text_str(t, ", HEAD");
		has_options = has_options || strcmp(routes[i].method, "OPTIONS") == 0;
	}
	if (t->len != 0 && !has_options)
		text_str(t, ", OPTIONS");
}

bool
router_is_tus(const struct route *r)
{
	return r != NULL && span_starts(span_str(r->pattern), SPAN_LIT("/api/v1/tus"));
}
