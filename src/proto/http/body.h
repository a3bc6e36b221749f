/* body.h - bodies that arrive in pieces: chunked coding and multipart/form-data.
 *
 * Both work inside the caller's read buffer: they take bytes off a span and hand out spans into it.
 * When more is needed the caller keeps what is left, reads on behind it and calls again.
 */
#ifndef SP_PROTO_HTTP_BODY_H
#define SP_PROTO_HTTP_BODY_H

#include "proto/http/head.h"

#define HTTP_CHUNK_EXT_MAX 256u	       /* bytes of extensions of one chunk */
#define HTTP_CHUNK_OVERHEAD_MAX 65536u /* bytes of extensions in a whole body */
#define HTTP_TRAILER_MAX 4096u	       /* bytes of a trailer section */
#define HTTP_TRAILER_FIELDS_MAX 16u

/* struct http_chunked - decoder of the chunked coding; all zero to begin. */
struct http_chunked {
	uint8_t state;
	uint8_t digits;
	uint16_t ext;	   /* bytes of this chunk's extensions */
	uint32_t overhead; /* of all */
	uint64_t left;	   /* of the chunk in hand */
};
enum http_event { HTTP_MORE = 0, HTTP_DATA = 1, HTTP_END = 2, HTTP_PART = 3 };

/* http_chunked_next - take framing off *in and find the next piece of content.
 *   in        in: what was received; out: what is left after the piece
 *   ret_data  HTTP_DATA: the piece, in the buffer
 *   returns   HTTP_DATA, HTTP_MORE (keep what is left and read on), HTTP_END (what is left belongs
 * to the next request) errors    SP_ESYNTAX (anything but hexadecimal digits, CRLF and bounded
 * extensions; trailers that would change the framing), SP_EHDRLONG, SP_ETOOBIG (a size over 2^63-1)
 *   source    RFC 9112 section 7.1 */
int http_chunked_next(struct http_chunked *c, struct span *in, struct span *ret_data) MUST_USE;
/* http_chunked_direct - how much content may be read past the decoder now: bytes left of the chunk
 * in hand, 0 outside one. http_chunked_took - n bytes of the chunk in hand (at most c->left) were
 * read past the decoder. */
uint64_t http_chunked_direct(const struct http_chunked *c);
void http_chunked_took(struct http_chunked *c, uint64_t n);

#define HTTP_BOUNDARY_MAX 70u	 /* RFC 2046 section 5.1.1 */
#define HTTP_PART_HEAD_MAX 4096u /* bytes of one part's fields */
#define HTTP_PART_FIELDS_MAX 16u
#define HTTP_PARTS_MAX 64u
#define HTTP_PREAMBLE_MAX 1024u /* bytes before the first boundary */

/* One part's fields. Spans point into the read buffer: use them before reading on. */
struct http_part {
	struct span name;	  /* raw: in quotes or not; see http_unquote */
	struct span filename;	  /* raw */
	struct span filename_ext; /* of filename*: RFC 8187's form, empty when there is none */
	struct span content_type; /* empty: none */
	bool has_filename;
};
struct http_multipart {
	uint8_t state;
	uint8_t delim_len;
	uint16_t parts;
	uint32_t preamble;
	uint8_t delim[HTTP_BOUNDARY_MAX + 4]; /* CRLF "--" boundary */
};

/* http_multipart_init - boundary: the parameter of the media type, unquoted.
 *   errors  SP_ESYNTAX (empty, over 70 bytes, not of RFC 2046's characters) */
int http_multipart_init(struct http_multipart *m, struct span boundary) MUST_USE;

/* http_multipart_next - the next event.
 *   in        in: content received (a window of at least HTTP_PART_HEAD_MAX + 256 bytes); out: the
 * rest ret_part  HTTP_PART: the fields of a new part ret_data  HTTP_DATA: content of the part in
 * hand returns   HTTP_PART, HTTP_DATA, HTTP_MORE, HTTP_END (after the closing delimiter; an
 * epilogue may follow) errors    SP_ESYNTAX, SP_EHDRLONG, SP_ETOOBIG (parts) source    RFC 7578,
 * RFC 2046 section 5.1 */
int http_multipart_next(struct http_multipart *m, struct span *in, struct http_part *ret_part,
    struct span *ret_data) MUST_USE;
#endif
