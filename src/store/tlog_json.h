/* tlog_json.h - reading members of a stored entry: a scanner for JSON objects, no tree, no
 * allocation. */
#ifndef SP_STORE_TLOG_JSON_H
#define SP_STORE_TLOG_JSON_H

#include "base/err.h"
#include "base/mem.h"

/* tlog_json_get - the value of a member of an object, as it is written.
 *   object  "{...}"; white space is allowed around tokens
 *   key     compared without unescaping: our own keys have no escapes
 *   ret     borrowed from object; strings with their quotes
 *   errors  SP_ENOTFOUND, SP_ESYNTAX (not an object, nested deeper than 16, cut off) */
int tlog_json_get(struct span object, const char *key, struct span *ret) MUST_USE;
/* tlog_json_next - walk the members of an object.
 *   rest  in: the object at first, then what is left; out: the rest
 *   returns 1 with key (without quotes) and value, 0 at the end, SP_ESYNTAX */
int tlog_json_next(struct span *rest, struct span *ret_key, struct span *ret_value) MUST_USE;
/* tlog_json_item - walk the items of an array, in the same way. */
int tlog_json_item(struct span *rest, struct span *ret_value) MUST_USE;
/* tlog_json_str - a string value without quotes and escapes.
 *   buf  receives *ret_len bytes and a NUL; a surrogate without its other half becomes U+FFFD
 *   errors  SP_ESYNTAX, SP_ESPACE */
int tlog_json_str(struct span value, char *buf, size_t cap, size_t *ret_len) MUST_USE;
/* tlog_json_u64 - a number without sign, fraction and exponent. */
int tlog_json_u64(struct span value, uint64_t *ret) MUST_USE;
/* tlog_json_text - member key of object as a string; "" when there is none or it is no string. */
void tlog_json_text(struct span object, const char *key, char *buf, size_t cap);
#endif
