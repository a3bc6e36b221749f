/* field.h - the values of fields: parameters, media types, ranges, conditions, digests, dates. */
#ifndef SP_PROTO_HTTP_FIELD_H
#define SP_PROTO_HTTP_FIELD_H

#include "base/text.h"
#include "proto/http/head.h"

/* http_param - a parameter of a value like `text/plain; charset="utf-8"`.
 *   ret      raw: with its quotes when it has them
 *   returns  1, 0 when it is not there, SP_ESYNTAX (malformed, or there twice)
 *   source   RFC 9110 section 5.6.6 */
int http_param(struct span value, const char *name, struct span *ret) MUST_USE;

/* http_unquote - the text of a token or a quoted-string.  Only \" and \\ are escapes: browsers send
 * a Windows path's backslashes bare. returns  its length, at most cap; SP_ESYNTAX, SP_ESPACE */
int http_unquote(struct span raw, uint8_t *out, size_t cap) MUST_USE;

/* http_media_is - is the media type of a Content-Type value this one ("type/subtype", lower case)?
 */
bool http_media_is(struct span value, const char *type);

#define HTTP_RANGES_MAX 16u
struct http_range {
	uint64_t first, last; /* inclusive */
};
/* http_ranges - resolve a Range value against a representation of size bytes.
 *   ret, ret_n  ranges in the order asked for; overlapping and touching ones merged into the
 * earlier returns     SP_OK errors      SP_ESYNTAX (not understood: the field is to be ignored),
 * SP_ENORANGE (none satisfiable, or more than HTTP_RANGES_MAX) source      RFC 9110
 * section 14.1.2, 14.2 */
int http_ranges(struct span value, uint64_t size, struct http_range ret[HTTP_RANGES_MAX],
    size_t *ret_n) MUST_USE;

/* Entity tags. `tag`: opaque part of our strong tag, without quotes.
 * http_etag_match - does If-Match (strong) or If-None-Match (weak) name it?
 *   exists   is there a current representation at all ("*")
 *   returns  1, 0; -1 when the field is absent; SP_ESYNTAX
 *   source   RFC 9110 sections 13.1.1, 13.1.2, 8.8.3.2 */
#define HTTP_ABSENT 2
int http_etag_match(const struct http_head *h, const char *field, bool exists, struct span tag,
    bool strong) MUST_USE;

/* http_date - IMF-fixdate, and the two obsolete forms a recipient must accept, in seconds since
 * 1970. now_s    for the two-digit year of RFC 850 dates errors   SP_ESYNTAX.  source RFC 9110
 * section 5.6.7 */
int http_date(struct span s, int64_t now_s, int64_t *ret_s) MUST_USE;

/* What the preconditions say (RFC 9110 section 13.2.2, in that order). */
enum http_cond { HTTP_COND_GO, HTTP_COND_NOT_MODIFIED, HTTP_COND_FAILED };
struct http_now {
	bool exists;
	struct span tag;    /* opaque part of the strong entity tag */
	int64_t modified_s; /* Last-Modified */
	int64_t now_s;
	bool reading; /* GET or HEAD */
};
/* http_conditions - evaluate If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since.
 *   errors SP_ESYNTAX (a tag list that is none; dates that are none are ignored) */
int http_conditions(
    const struct http_head *h, const struct http_now *now, enum http_cond *ret) MUST_USE;
/* http_if_range - may Range be honoured (If-Range absent, or it names exactly this representation)?
 */
bool http_if_range(const struct http_head *h, const struct http_now *now);

/* http_sha256_field - the sha-256 member of a Repr-Digest or Content-Digest.
 *   returns  1, 0: no such field, or only other algorithms; SP_ESYNTAX
 *   source   RFC 9530 section 2, RFC 8941 section 3.2 (of members that come twice the last counts)
 */
int http_sha256_field(const struct http_head *h, const char *field, uint8_t ret[32]) MUST_USE;
/* http_wants_sha256 - does Want-Repr-Digest ask for sha-256 (weight over 0)?  Absent: true.
 * source RFC 9530 section 4 */
bool http_wants_sha256(const struct http_head *h, const char *field);
/* http_sha256_put - "sha-256=:...:" appended to t. */
void http_sha256_put(struct text *t, const uint8_t sha256[32]);

/* http_disposition_put - `attachment; filename="..."; filename*=UTF-8''...` (RFC 6266 appendix D).
 */
void http_disposition_put(struct text *t, struct span name);
#endif
