/* admin.c - what all verbs share: the table, arguments, pages, records. */
#include "rooms/broker/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/name.h"
#include "base/text.h"

#define ROW_READ(fn) fn, NULL, ADMIN_READ
#define ROW_WRITE(fn) fn, NULL, ADMIN_WRITE
#define ROW_PASSWORD(fn) fn, NULL, ADMIN_PASSWORD
#define ROW_LONG(fn) NULL, fn, ADMIN_LONG
static const struct admin_row rows[] = {
#define ADMIN(verb, fn, kind, args) {verb, ROW_##kind(fn), args},
#include "rooms/broker/admin.def"
#undef ADMIN
};

const struct admin_row *
admin_find(struct span verb)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_eq_str(verb, rows[i].verb))
			return &rows[i];
	return NULL;
}

/* ---- arguments ---- */

/* spec_next - "name org?": the next word; *ret_required without its question mark. */
static bool
spec_next(struct span *rest, struct span *ret, bool *ret_required)
{
	*rest = span_trim(*rest);
	if (rest->len == 0)
		return false;
	*ret = span_cut(*rest, span_find(*rest, ' '));
	*rest = span_skip(*rest, ret->len);
	*ret_required = ret->ptr[ret->len - 1] != '?';
	if (!*ret_required)
		ret->len--;
	return true;
}

static bool
spec_has(const char *spec, const char *key)
{
	struct span rest = span_str(spec), word;
	bool required;

	while (spec_next(&rest, &word, &required))
		if (span_eq_str(word, key))
			return true;
	return false;
}

int
admin_check_args(const struct admin_row *row, json_t *args, char *why, size_t cap)
{
	struct span rest = span_str(row->args), word;
	const char *key;
	json_t *v;
	bool required;

	if (!json_is_object(args)) {
		(void)snprintf(why, cap, "the arguments are not a JSON object");
		return SP_EUSAGE;
	}
	json_object_foreach(args, key, v)
	{
		if (spec_has(row->args, key) && json_is_string(v))
			continue;
		(void)snprintf(
		    why, cap, "%s: argument %.64s is unknown or no string", row->verb, key);
		return SP_EUSAGE;
	}
	while (spec_next(&rest, &word, &required)) {
		char name[64];
		struct text t = text_of(name, sizeof(name));

		text_add(&t, word);
		if (!required || json_object_get(args, name) != NULL)
			continue;
		(void)snprintf(why, cap, "%s: argument %s is missing", row->verb, name);
		return SP_EUSAGE;
	}
	return SP_OK;
}

const char *
admin_arg(const struct admin_call *a, const char *name)
{
	return json_string_value(json_object_get(a->args, name));
}

int
admin_no(struct admin_call *a, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	return err;
}

int
admin_org(struct admin_call *a, int64_t *ret_org)
{
	const char *name = admin_arg(a, "org");
	int rc;

	if (name != NULL) {
		rc = sql_get(a->db, SQL_ORG_BY_NAME, ret_org, ST(span_str(name)));
		return rc == 0	? admin_no(a, SP_ENOORG, "%.64s: no such organisation", name)
		       : rc < 0 ? rc
				: SP_OK;
	}
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ORG_NEXT, SI(0));
	rc = sql_step(&q);
	if (rc != 1)
		return rc == 0 ? SP_ENOORG : rc;
	*ret_org = sql_i64(&q);
	return SP_OK;
}

int
admin_user(struct admin_call *a, const char *name, int64_t *ret_user, int64_t *ret_org)
{
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_USER_BY_NAME, ST(span_str(name)));
	int64_t want;
	int rc = sql_step(&q);

	if (rc < 0)
		return rc;
	if (rc == 1) {
		*ret_user = sql_i64(&q);
		*ret_org = sql_i64(&q);
		sql_end(&q);
		if (admin_arg(a, "org") == NULL)
			return SP_OK;
		rc = admin_org(a, &want);
		if (rc != SP_OK || want == *ret_org)
			return rc;
	}
	return admin_no(a, SP_ENOUSER, "%.64s: no such user", name);
}

int
admin_size(struct admin_call *a, const char *text, int64_t *ret)
{
	static const char units[] = "KMGT";
	struct span s = span_str(text);
	uint64_t v = 0, factor = 1;

	if (span_eq_str(s, "none")) {
		*ret = 0;
		return SP_OK;
	}
	if (s.len > 1) {
		const char *u = strchr(units, s.ptr[s.len - 1] & ~0x20);

		if (u != NULL && *u != '\0') {
			factor = (uint64_t)1 << (10 * (u - units + 1));
			s.len--;
		}
	}
	if (parse_u64(s, INT64_MAX, &v) != SP_OK || !mul_ok(v, factor, &v) || v > INT64_MAX)
		return admin_no(
		    a, SP_EUSAGE, "%.64s is no size: a number with K, M, G or T, or none", text);
	*ret = (int64_t)v;
	return SP_OK;
}

static const struct {
	const char *word;
	int64_t bit;
} right_words[] = {{"read", RIGHT_READ}, {"write", RIGHT_WRITE}, {"delete", RIGHT_DELETE},
    {"list", RIGHT_LIST}, {"notify", RIGHT_NOTIFY}, {"subfolders", RIGHT_SUBFOLDERS},
    {"listusers", RIGHT_LIST_USERS}, {"share", RIGHT_SHARE}, {"admin", RIGHT_ADMIN}};

int
admin_rights(struct admin_call *a, const char *text, int64_t *ret)
{
	struct span rest = span_str(text);
	int64_t sum = 0;

	while (rest.len != 0) {
		struct span w = span_cut(rest, span_find(rest, ','));
		int64_t bit = span_eq_str(w, "all") ? RIGHT_ALL : 0;

		for (size_t i = 0; i < ARRAY_LEN(right_words); i++)
			if (span_eq_str(w, right_words[i].word))
				bit = right_words[i].bit;
		if (bit == 0)
			return admin_no(a, SP_EUSAGE,
			    "%.*s is no right: read, write, delete, list, notify, subfolders, "
			    "listusers, share, admin or all",
			    (int)span_cut(w, 64).len, (const char *)w.ptr);
		sum |= bit;
		rest = span_skip(rest, w.len + 1);
	}
	if (sum == 0)
		return admin_no(a, SP_EUSAGE, "no right is named");
	*ret = sum;
	return SP_OK;
}

void
admin_rights_text(int64_t rights, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	for (size_t i = 0; i < ARRAY_LEN(right_words); i++) {
		if ((rights & right_words[i].bit) == 0)
			continue;
		if (t.len != 0)
			text_chr(&t, ',');
		text_str(&t, right_words[i].word);
	}
}

int
admin_after(struct admin_call *a, int64_t *ret)
{
	const char *text = admin_arg(a, "after");
	uint64_t v = 0;

	if (text != NULL && parse_u64(span_str(text), INT64_MAX, &v) != SP_OK)
		return admin_no(a, SP_EUSAGE, "after is no number");
	*ret = (int64_t)v;
	return SP_OK;
}

/* ---- results ---- */

int
admin_begin(struct admin_call *a)
{
	a->result = json_object();
	a->event = 0;
	a->org[0] = a->path[0] = a->why[0] = '\0';
	a->detail = wr_of(a->detail_buf, sizeof(a->detail_buf));
	a->page_bytes = 0;
	a->ends_user = a->ends_session = 0;
	a->ends_all = a->shreds = false;
	return a->result != NULL ? SP_OK : SP_ENOMEM;
}

void
admin_end(struct admin_call *a)
{
	json_decref(a->result);
	a->result = NULL;
}

int
admin_set(struct admin_call *a, const char *key, json_t *v)
{
	return v != NULL && json_object_set_new(a->result, key, v) == 0 ? SP_OK : SP_ENOMEM;
}

int
admin_row_add(struct admin_call *a, json_t *row)
{
	json_t *list = json_object_get(a->result, "rows");
	size_t n = row != NULL ? json_dumpb(row, NULL, 0, JSON_COMPACT) : 0;

	if (list == NULL && admin_set(a, "rows", list = json_array()) != SP_OK)
		list = NULL;
	if (list == NULL || n == 0) {
		json_decref(row);
		return SP_ENOMEM;
	}
	if (json_array_size(list) == ADMIN_PAGE_ROWS || a->page_bytes + n + 1 > ADMIN_PAGE_BYTES) {
		json_decref(row);
		return 0;
	}
	a->page_bytes += n + 1;
	return json_array_append_new(list, row) == 0 ? 1 : SP_ENOMEM;
}

int
admin_next(struct admin_call *a, json_t *next)
{
	return admin_set(a, "next", next);
}

json_t *
admin_text(struct span s)
{
	return json_stringn((const char *)s.ptr, s.len);
}

json_t *
admin_time(int64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	if (us == 0)
		return json_null();
	time_rfc3339(&t, us);
	return json_string(buf);
}

json_t *
admin_limit(int64_t v)
{
	return v == 0 ? json_null() : json_integer(v);
}

int
admin_record(struct admin_call *a, uint16_t event, int64_t org)
{
	a->event = event;
	if (org == 0)
		return SP_OK;
	DEFER(sql_end) struct sql q = sql_query(a->db, SQL_ORG_BY_ID, SI(org));
	int rc = sql_step(&q);

	if (rc != 1)
		return rc == 0 ? SP_ENOORG : rc;
	(void)sql_i64(&q); /* the number, known */
	sql_text_of(&q, a->org, sizeof(a->org));
	return SP_OK;
}

void
admin_detail(struct admin_call *a, const char *key, struct span value)
{
	ipc_pair_put(&a->detail, key, value);
}
