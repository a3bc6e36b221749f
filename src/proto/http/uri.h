/* uri.h - percent-encoded paths, queries and urlencoded forms. */
#ifndef SP_PROTO_HTTP_URI_H
#define SP_PROTO_HTTP_URI_H

#include "base/defer.h"
#include "base/err.h"
#include "base/span.h"

/* http_path_decode - decode a path or one segment of it.
 *   out, cap  receives the bytes; may not overlap s
 *   returns   the length
 *   errors    SP_ENAME (%2F, %00 or another control character, invalid UTF-8), SP_ESYNTAX (a
 * percent sign that begins nothing), SP_EDEPTH (longer than cap) */
int http_path_decode(struct span s, uint8_t *out, size_t cap) MUST_USE;

/* http_path_put_len - most bytes that http_path_encode needs. */
#define HTTP_PATH_ENCODED_MAX(n) (3u * (n))
struct text;
/* http_path_encode - a path for Location: everything but unreserved characters and '/' as %XX. */
void http_path_encode(struct text *t, struct span path);

/* http_form_next - the next name and value of a query or form body, still encoded.
 *   rest     in: what is left; out: behind this pair
 *   returns  false at the end */
bool http_form_next(struct span *rest, struct span *ret_name, struct span *ret_value);
/* http_form_decode - '+' and %XX; valid UTF-8 without NUL.
 *   returns  the length; errors SP_ESYNTAX, SP_ETOOBIG (over cap) */
int http_form_decode(struct span s, uint8_t *out, size_t cap) MUST_USE;
/* http_form_get - the decoded value of the first pair with this name (compared without case,
 * decoded). returns  its length, HTTP_FORM_NONE when there is none, or the errors of
 * http_form_decode; SP_ESYNTAX also when the name comes twice */
#define HTTP_FORM_NONE (-1000000)
int http_form_get(struct span form, const char *name, uint8_t *out, size_t cap) MUST_USE;
#endif
