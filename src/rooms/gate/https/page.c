/* page.c - the portal's page and its scripts and styles, for everybody: what is secret comes by the
 * API. */
#include "rooms/gate/https/page.h"

#include "rooms/gate/https/router.h"

#include <stdio.h>

#define KEEP_FOREVER "public, max-age=31536000, immutable" /* the name has the content's hash */
#define KEEP_ASKING "no-cache"				   /* keep it, but ask whether it is new */

/* Whatever the page were made to do: no script, style, picture or connection but this server's, no
 * text that becomes script, nobody's frame. */
#define PAGE_POLICY                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                \
	"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "        \
	"require-trusted-types-for 'script'; trusted-types 'none'"
#define PAGE_FEATURES                                                                              \
	"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "  \
	"microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()"

static const struct page_file *
find(struct span name)
{
	for (size_t i = 0; i < page_files_n; i++)
		if (span_eq_str(name, page_files[i].name))
			return &page_files[i];
	return NULL;
}

/* source RFC 9110 section 12.4.2: a weight of 0 is "not this one" */
static bool
is_refused(struct span coding)
{
	struct span q;

	if (http_param(coding, "q", &q) != 1 || q.len == 0 || q.ptr[0] != '0')
		return false;
	for (size_t i = 1; i < q.len; i++)
		if (q.ptr[i] >= '1' && q.ptr[i] <= '9')
			return false;
	return true;
}

/* Does the client take gzip?  Whoever says nothing does not. */
static bool
takes_gzip(const struct conn *c)
{
	struct http_list at = {0};
	struct span m;

	while (http_list_next(&c->head, "Accept-Encoding", &at, &m))
		if (http_media_is(m, "gzip"))
			return !is_refused(m);
	return false;
}

static int
send_file(struct conn *c, const struct page_file *f, const char *keep)
{
	bool gzip = takes_gzip(c);
	const struct span body = gzip ? f->gzip : f->plain;
	char tag[32];
	int rc;

	(void)snprintf(tag, sizeof(tag), "%s%s", f->tag, gzip ? "-gzip" : "");
	rc = http_etag_match(&c->head, "If-None-Match", true, span_str(tag), false);
	if (rc < 0)
		return rc;
	reply_begin_as(c, rc == 1 ? 304 : 200, keep, PAGE_POLICY);
	reply_field(c, "ETag", "\"%s\"", tag);
	reply_field(c, "Vary", "Accept-Encoding");
	reply_field(c, "Cross-Origin-Opener-Policy", "same-origin");
	reply_field(c, "Permissions-Policy", PAGE_FEATURES);
	if (rc == 1)
		return reply_send(c);
	reply_field(c, "Content-Type", "%s", f->type);
	if (gzip)
		reply_field(c, "Content-Encoding", "gzip");
	rc = reply_send_head(c, body.len);
	return rc < 0 || c->head_method ? rc : conn_write(c, body);
}

/* Every address of the page is the page: its script shows the place. */
int
page_get(struct conn *c)
{
	const struct page_file *f = find(SPAN_LIT("index.html"));

	return f != NULL && c->conf->portal ? send_file(c, f, KEEP_ASKING) : SP_ENOROUTE;
}

int
page_place_get(struct conn *c)
{
	return page_get(c);
}

int
page_asset_get(struct conn *c)
{
	const struct page_file *f = find(c->param[0]);

	if (f == NULL || !c->conf->portal || span_eq_str(c->param[0], "index.html"))
		return SP_ENOROUTE;
	return send_file(c, f, KEEP_FOREVER);
}
