#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "rooms/gate/https/list.h"
#include "rooms/gate/https/router.h"

static void
test_find(void **state)
{
	static const struct {
		const char *method, *path;
		unsigned listener;
		int err;
		int (*handler)(struct conn *c);
		const char *a, *b;
	} rows[] = {
	    {"POST", "/api/v1/token", 0, 0, token_post, "", ""},
	    {"POST", "/API/V1/Token/", 0, 0, token_post, "", ""},
	    {"GET", "/api/v1/token", 0, SP_EMETHOD, NULL, "", ""},
	    {"POST", "/api/v1/token", 1, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/api/v1/files", 0, 0, files_get, "", ""},
	    {"GET", "/api/v1/files/12", 0, 0, file_get, "12", ""},
	    /* the first pattern that matches is the path's */
	    {"GET", "/api/v1/files/detailed", 0, 0, files_detailed_get, "", ""},
	    {"DELETE", "/api/v1/files/detailed", 0, SP_EMETHOD, NULL, "", ""},
	    {"DELETE", "/api/v1/sessions/current", 0, 0, session_end, "", ""},
	    {"DELETE", "/api/v1/sessions/7", 0, 0, session_revoke, "7", ""},
	    {"POST", "/api/v1/files/by-path/copy", 0, SP_EMETHOD, NULL, "", ""},
	    {"GET", "/api/v1/files/12/", 0, 0, file_get, "12", ""},
	    {"GET", "/api/v1/files/12/download", 0, 0, file_download, "12", ""},
	    {"GET", "/api/v1/files/12/download/x", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/api/v1/files//download", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/api/v1/files/by-path/a/b%20c", 0, 0, bypath_get, "/a/b%20c", ""},
	    {"GET", "/api/v1/files/by-path/download", 0, 0, bypath_get, "/download", ""},
	    {"HEAD", "/api/v1/files/by-path/a", 0, 0, bypath_get, "/a", ""},
	    {"HEAD", "/api/v1/info", 0, 0, info_get, "", ""},
	    {"HEAD", "/api/v1/token", 0, SP_EMETHOD, NULL, "", ""},
	    {"head", "/api/v1/info", 0, SP_EMETHOD, NULL, "", ""},
	    {"PUT", "/api/v1/files/by-path/a", 0, 0, bypath_put, "/a", ""},
	    {"GET", "/api/v1/files/by-path/", 0, 0, bypath_get, "/", ""},
	    {"POST", "/api/v1/files/by-path/a", 0, SP_EMETHOD, NULL, "", ""},
	    {"GET", "/api/v1/folders/3/files/4", 0, 0, folder_file_redirect, "3", "4"},
	    {"DELETE", "/api/v1/folders/3/subfolders/4", 0, 0, folder_folder_redirect, "3", "4"},
	    {"GET", "/api/v1/folders/3/archive", 0, 0, folder_archive, "3", ""},
	    {"POST", "/api/v1/folders/3/ticket", 0, 0, folder_ticket, "3", ""},
	    {"GET", "/metrics", 1, 0, metrics_get, "", ""},
	    {"GET", "/metrics", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/", 0, 0, page_get, "", ""},
	    {"HEAD", "/", 0, 0, page_get, "", ""},
	    {"POST", "/", 0, SP_EMETHOD, NULL, "", ""},
	    {"GET", "/", 1, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/app/folder/7", 0, 0, page_place_get, "/folder/7", ""},
	    {"GET", "/assets/app-0.js", 0, 0, page_asset_get, "app-0.js", ""},
	    {"GET", "/assets/", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/assets/a/b", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "/api/v1", 0, SP_ENOROUTE, NULL, "", ""},
	    {"GET", "//api/v1/files", 0, SP_ENOROUTE, NULL, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route *r = NULL;
		struct span param[ROUTE_PARAMS_MAX];
		int rc = router_find(
		    rows[i].listener, span_str(rows[i].method), span_str(rows[i].path), &r, param);

		if (rc != rows[i].err)
			fail_msg("row %zu: %d", i, rc);
		if (rc < 0)
			continue;
		assert_ptr_equal(r->handler, rows[i].handler);
		assert_true(span_eq_str(param[0], rows[i].a));
		assert_true(span_eq_str(param[1], rows[i].b));
	}
}

static void
test_which_routes_need_no_token(void **state)
{
	static const char *const open[] = {"/", "/app/{path...}", "/assets/{asset}", "/api/v1/token", "/api/v1/token/revoke", "/api/v1/info",
	    "/api/v1/tus", "/metrics", "/health"};
	size_t n = 0;

	(void)state;
#define ROUTE(method, pattern, listener, auth, handler, summary)                                   \
	if (strcmp(#auth, "NONE") == 0) {                                                          \
		assert_true(n < ARRAY_LEN(open));                                                  \
		assert_string_equal(pattern, open[n]);                                             \
		n++;                                                                               \
	}
#include "rooms/gate/https/routes.def"
#undef ROUTE
	assert_int_equal(n, ARRAY_LEN(open));
}

static void
test_allow(void **state)
{
	char buf[128];
	struct text t = text_of(buf, sizeof(buf));

	(void)state;
	router_allow(LISTENER_PUBLIC, SPAN_LIT("/api/v1/files/by-path/a"), &t);
	assert_string_equal(buf, "GET, HEAD, PUT, DELETE, OPTIONS");
	t = text_of(buf, sizeof(buf));
	router_allow(LISTENER_PUBLIC, SPAN_LIT("/metrics"), &t);
	assert_int_equal(t.len, 0);
}

static void
test_masks(void **state)
{
	static const struct {
		const char *mask, *s;
		bool want;
	} rows[] = {{"", "", true}, {"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true},
	    {"a*c", "ABC", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
	    {"?", "\xc3\xa9", true}, {"*b*", "abc", true}, {"/Home/*", "/Home/x/y", true},
	    {"/Home/*", "/Home", false}, {"a", "ab", false}, {"ab", "a", false},
	    {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (mask_matches(span_str(rows[i].mask), span_str(rows[i].s)) != rows[i].want)
			fail_msg("row %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_which_routes_need_no_token),
	    cmocka_unit_test(test_allow),
	    cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
