/* head.h - the head of an HTTP/1.1 request: request line, fields, framing of the body, Host.
 *
 * Strict where RFC 9112 lets a server be strict: what two programs could read in two ways is
 * refused, never repaired.  Nothing is copied: spans point into the caller's buffer.
 */
#ifndef SP_PROTO_HTTP_HEAD_H
#define SP_PROTO_HTTP_HEAD_H

#include "base/defer.h"
#include "base/err.h"
#include "base/span.h"

#define HTTP_HEAD_MAX 32768u /* bytes of a whole head */
#define HTTP_FIELDS_MAX 100u
#define HTTP_TARGET_MAX 8192u /* bytes of the request target */
#define HTTP_METHOD_MAX 24u
/* longest request line that is worth waiting for: method, target, "HTTP/1.1", two spaces, CRLF */
#define HTTP_LINE_MAX (HTTP_METHOD_MAX + HTTP_TARGET_MAX + 12u)

struct http_field {
	struct span name, value; /* value without white space around it */
};
struct http_head {
	struct span method, target;
	unsigned minor; /* HTTP/1.minor: 0 or 1 */
	size_t n_fields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* struct http_scan - how far the search for the end of a head has come; all zero to begin. */
struct http_scan {
	size_t at;	/* bytes looked at */
	size_t lines;	/* line ends seen */
	size_t line_at; /* where the current line begins */
	bool cr;	/* the last byte was CR */
};

/* http_head_scan - is the head complete?  Call again with more bytes of the same head.
 *   in       everything received so far; borrowed
 *   returns  its length with the empty line, 0: more is needed
 *   errors   SP_ESYNTAX (control character, CR or LF alone: found before the end arrives),
 *            SP_EURILONG, SP_EHDRLONG
 *   source   RFC 9112 sections 2.2 (one empty line before the request is skipped), 3, 5 */
int http_head_scan(struct http_scan *s, struct span in) MUST_USE;

/* http_head_parse - request line and fields of a complete head.
 *   head     what http_head_scan measured; borrowed by *ret
 *   errors   SP_ESYNTAX, SP_EVERSION (not HTTP/1.0 or 1.1), SP_EURILONG, SP_EHDRLONG (too many
 *            fields)
 *   source   RFC 9112 sections 3, 5: "No whitespace is allowed between the field name and colon",
 *            "A server that receives an obs-fold MUST reject the message" (or replace it: we do
 * not) */
int http_head_parse(struct span head, struct http_head *ret) MUST_USE;

/* http_field_line - one field line without its CRLF.  errors SP_ESYNTAX.  source RFC 9112 section 5
 */
int http_field_line(struct span line, struct http_field *ret) MUST_USE;

/* http_single - the value of a field that may come at most once.
 *   returns  1, 0 when it is not there; SP_ESYNTAX when it comes twice */
int http_single(const struct http_head *h, const char *name, struct span *ret) MUST_USE;

/* http_list_next - the values of a list field, over all its lines, one member at a time.
 *   at       state: all zero to begin
 *   returns  true with a member (never empty, white space trimmed, commas in quotes kept) */
struct http_list {
	size_t field;
	struct span rest;
	bool inside;
};
bool http_list_next(
    const struct http_head *h, const char *name, struct http_list *at, struct span *ret);
/* http_has_token - does a list field have this member, without regard to case? */
bool http_has_token(const struct http_head *h, const char *name, const char *token);

/* How the body is delimited. */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

/* http_framing - where does the body of this request end?
 *   ret_len  bytes for HTTP_LENGTH, else 0
 *   errors   SP_ESYNTAX (two lengths even if equal, length with Transfer-Encoding,
 * Transfer-Encoding in HTTP/1.0, a number that is not only digits), SP_ENOTIMPL (any coding but
 * exactly "chunked") source   RFC 9112 section 6 */
int http_framing(const struct http_head *h, enum http_framing *ret, uint64_t *ret_len) MUST_USE;

/* http_keep_alive - does the client want the connection to persist?  source RFC 9112 section 9.3 */
bool http_keep_alive(const struct http_head *h);

/* http_target - split the target into path and query.
 *   ret_path   begins with '/'; still percent-encoded
 *   ret_query  without '?'; empty when there is none
 * Checks Host: exactly one in HTTP/1.1, at most one in 1.0, valid; an absolute target's authority
 * must be the same.  errors SP_ESYNTAX.  source RFC 9112 section 3.2, RFC 3986 */
int http_target(const struct http_head *h, struct span *ret_path, struct span *ret_query) MUST_USE;

/* http_is_token - RFC 9110 section 5.6.2. */
bool http_is_token(struct span s);
bool http_is_tchar(uint8_t c);
#endif
