/* json_body.h - the JSON object in a request's body, and its members. */
#ifndef SP_GATE_HTTPS_JSON_BODY_H
#define SP_GATE_HTTPS_JSON_BODY_H

#include "rooms/gate/https/conn.h"

#include <jansson.h>

/* json_body - read and parse the body, at most JSON_BODY_MAX bytes.
 *   ret     owned by the caller (DEFER(json_body_done))
 *   errors  those of body_all; SP_ESYNTAX: no JSON object, or a member twice */
int json_body(struct conn *c, json_t **ret) MUST_USE;
void json_body_done(json_t **j);

/* json_member - by name without regard to case: clients differ.  returns  NULL: there is none; borrowed */
const json_t *json_member(const json_t *object, const char *name);

/* json_member_name - a member that is the name of a file or folder, into buf.
 *   errors  SP_ESYNTAX: it is missing or no text; SP_ENAME: name_check */
int json_member_name(const json_t *object, const char *name, uint8_t buf[256], struct span *ret) MUST_USE;

/* json_member_id - a member that is a number, as such or as text: MOVEit has both.
 *   errors  SP_ESYNTAX: it is missing or neither; SP_ENOTFOUND: nothing has such a number */
int json_member_id(const json_t *object, const char *name, uint64_t *ret) MUST_USE;
#endif
