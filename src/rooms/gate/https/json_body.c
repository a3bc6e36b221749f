/* json_body.c - the JSON object in a request's body. */
#include "rooms/gate/https/json_body.h"

#include "base/name.h"

int
json_body(struct conn *c, json_t **ret)
{
	DEFER(mem_freep) uint8_t *text = mem_alloc(JSON_BODY_MAX);
	int64_t len;
	json_error_t why;

	*ret = NULL;
	if (text == NULL)
		return SP_ENOMEM;
	len = body_all(c, text, JSON_BODY_MAX);
	if (len < 0)
		return (int)len;
	*ret = json_loadb((const char *)text, (size_t)len, JSON_REJECT_DUPLICATES, &why);
	return json_is_object(*ret) ? SP_OK : SP_ESYNTAX;
}

void
json_body_done(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

const json_t *
json_member(const json_t *object, const char *name)
{
	void *at = json_object_iter((json_t *)(uintptr_t)object);

	for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at))
		if (span_ieq_str(span_str(json_object_iter_key(at)), name))
			return json_object_iter_value(at);
	return NULL;
}

int
json_member_name(const json_t *object, const char *name, uint8_t buf[256], struct span *ret)
{
	const json_t *v = json_member(object, name);
	struct span s;

	if (!json_is_string(v))
		return SP_ESYNTAX;
	s = span_of(json_string_value(v), json_string_length(v));
	if (name_check(s) != SP_OK)
		return SP_ENAME;
	memcpy(buf, s.ptr, s.len);
	*ret = span_of(buf, s.len);
	return SP_OK;
}

int
json_member_id(const json_t *object, const char *name, uint64_t *ret)
{
	const json_t *v = json_member(object, name);
	json_int_t n;

	if (json_is_string(v)) {
		struct span s = span_of(json_string_value(v), json_string_length(v));

		return parse_u64(s, INT64_MAX, ret) == SP_OK && *ret != 0 ? SP_OK : SP_ENOTFOUND;
	}
	if (!json_is_integer(v))
		return SP_ESYNTAX;
	n = json_integer_value(v);
	*ret = (uint64_t)n;
	return n > 0 ? SP_OK : SP_ENOTFOUND;
}
