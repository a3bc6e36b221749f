/* policy.c - effective rights and what can be seen. */
#include <stdlib.h>
#include <utf8proc.h>

#include "base/name.h"
#include "rooms/broker/policy.h"

#define CHAIN_MAX (PATH_MAX_DEPTH + 2)

void
access_done(struct access *a)
{
	mem_free(a->groups);
	mem_free(a->leads);
	a->groups = a->leads = NULL;
	a->n_groups = a->n_leads = 0;
}

static int
push(int64_t **list, size_t *n, int64_t v)
{
	/* powers of two: grown when full */
	if ((*n & (*n - 1)) == 0) {
		size_t cap = *n == 0 ? 1 : *n * 2;
		int64_t *p = mem_grow(*list, *n * sizeof(**list), cap * sizeof(**list));

		if (p == NULL)
			return SP_ENOMEM;
		*list = p;
	}
	(*list)[(*n)++] = v;
	return SP_OK;
}

static int
load_groups(struct db *db, int64_t user, struct access *a)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_GROUPS_OF, SI(user));
	int err;

	while ((err = sql_step(&q)) == 1)
		if ((err = push(&a->groups, &a->n_groups, sql_i64(&q))) != SP_OK)
			return err;
	return err;
}

/* the folders above one that the actor has a right in; inheritance does not matter for the way */
static int
lead_from(struct db *db, int64_t folder, struct access *a)
{
	for (unsigned i = 0; i < CHAIN_MAX && folder != 0; i++) {
		DEFER(sql_end) struct sql q = sql_query(db, SQL_FOLDER_WALK, SI(folder));
		int err = sql_step(&q);

		if (err != 1)
			return err;
		if (sql_i64(&q) != a->org)
			return SP_OK;
		if ((err = push(&a->leads, &a->n_leads, folder)) != SP_OK)
			return err;
		folder = sql_i64(&q);
	}
	return SP_OK;
}

static int
lead_from_subject(struct db *db, enum subject_kind kind, int64_t subject, struct access *a)
{
	DEFER(mem_freep) int64_t *folders = NULL;
	size_t n = 0;
	int err;
	{
		DEFER(sql_end)
		struct sql q = sql_query(db, SQL_ACL_OF_SUBJECT, SI(kind), SI(subject));

		while ((err = sql_step(&q)) == 1) {
			int64_t folder = sql_i64(&q);

			if (sql_i64(&q) != 0 && (err = push(&folders, &n, folder)) != SP_OK)
				return err;
		}
	}
	for (size_t i = 0; i < n && err == SP_OK; i++)
		err = lead_from(db, folders[i], a);
	return err;
}

static int
compare(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return a < b ? -1 : a > b;
}

int
access_load(struct db *db, const struct actor *actor, struct access *ret)
{
	int64_t home = 0;
	int err;

	access_done(ret);
	ret->user = actor->user;
	ret->org = actor->org;
	ret->scopes = actor->scopes;
	ret->everywhere = 0;
	if (actor->listener == 1 && actor->level == LEVEL_ADMIN)
		ret->everywhere = RIGHT_ALL;
	else if (actor->listener == 1 && actor->level == LEVEL_FILE_ADMIN)
		ret->everywhere = RIGHT_ALL & ~RIGHT_ADMIN;
	if ((err = load_groups(db, actor->user, ret)) != SP_OK ||
	    (err = lead_from_subject(db, SUBJECT_USER, actor->user, ret)) != SP_OK)
		return err;
	for (size_t i = 0; i < ret->n_groups; i++)
		if ((err = lead_from_subject(db, SUBJECT_GROUP, ret->groups[i], ret)) != SP_OK)
			return err;
	err = sql_get(db, SQL_FOLDER_OF_OWNER, &home, SI(actor->user));
	if (err == 1)
		err = lead_from(db, home, ret);
	if (err == SP_OK && ret->n_leads != 0)
		qsort(ret->leads, ret->n_leads, sizeof(*ret->leads), compare);
	return err;
}

/* state of a walk from a folder up */
struct walk {
	uint16_t rights;
	bool user_stopped;   /* an override on the user: nothing more counts */
	bool *group_stopped; /* by group */
};

static int
take_entry(struct db *db, int64_t folder, enum subject_kind kind, int64_t subject, struct walk *w,
    bool *stop)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_ACL_GET, SI(folder), SI(kind), SI(subject));
	int err = sql_step(&q);

	if (err != 1)
		return err;
	w->rights |= (uint16_t)(sql_i64(&q) & RIGHT_ALL);
	if (sql_i64(&q) != 0)
		*stop = true;
	return SP_OK;
}

static int
walk_folder(struct db *db, const struct access *a, int64_t folder, struct walk *w)
{
	/* entries of one folder count together: the user's override ends the walk only above it */
	int err = take_entry(db, folder, SUBJECT_USER, a->user, w, &w->user_stopped);

	for (size_t i = 0; i < a->n_groups && err == SP_OK; i++)
		if (!w->group_stopped[i])
			err = take_entry(
			    db, folder, SUBJECT_GROUP, a->groups[i], w, &w->group_stopped[i]);
	return err;
}

static int
walk_up(struct db *db, const struct access *a, int64_t folder, struct walk *w)
{
	for (unsigned i = 0; i < CHAIN_MAX && folder != 0 && !w->user_stopped; i++) {
		int64_t org, parent, inherit, owner;
		int err;
		{
			DEFER(sql_end) struct sql q = sql_query(db, SQL_FOLDER_WALK, SI(folder));

			if ((err = sql_step(&q)) != 1)
				return err;
			org = sql_i64(&q), parent = sql_i64(&q), inherit = sql_i64(&q),
			owner = sql_i64(&q);
		}
		if (org != a->org)
			return SP_OK;
		if (i == 0)
			w->rights |= a->everywhere;
		if (owner == a->user && owner != 0)
			w->rights |= RIGHT_ALL & ~RIGHT_ADMIN;
		if ((err = walk_folder(db, a, folder, w)) != SP_OK)
			return err;
		folder = inherit != 0 ? parent : 0;
	}
	return SP_OK;
}

int
access_rights(struct db *db, const struct access *a, int64_t folder, uint16_t *ret)
{
	DEFER(mem_freep) bool *stopped = mem_alloc(a->n_groups + 1);
	struct walk w = {.group_stopped = stopped};
	int err;

	if (stopped == NULL)
		return SP_ENOMEM;
	if ((err = walk_up(db, a, folder, &w)) == SP_OK)
		*ret = w.rights & a->scopes;
	return err;
}

int
access_sees(const struct access *a, int64_t folder, uint16_t rights)
{
	if (rights != 0)
		return 1;
	return a->n_leads != 0 &&
	       bsearch(&folder, a->leads, a->n_leads, sizeof(*a->leads), compare) != NULL;
}

int
name_normal(struct span name, char *buf, size_t cap, struct span *ret)
{
	utf8proc_int32_t points[NAME_MAX_BYTES + 1];
	utf8proc_ssize_t n;

	if (name_check(name) != SP_OK)
		return SP_ENAME;
	n = utf8proc_decompose(name.ptr, (utf8proc_ssize_t)name.len, points,
	    (utf8proc_ssize_t)ARRAY_LEN(points), UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	/* a name whose decomposition has more code points than a name has bytes is no honest one */
	if (n < 0 || (size_t)n >= ARRAY_LEN(points))
		return SP_ENAME;
	n = utf8proc_normalize_utf32(points, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n < 0)
		return SP_ENAME;
	*ret = span_of(buf, 0);
	for (utf8proc_ssize_t i = 0; i < n; i++) {
		utf8proc_uint8_t utf8[4];
		utf8proc_ssize_t len = utf8proc_encode_char(points[i], utf8);

		if (len <= 0 || ret->len + (size_t)len + 1 > cap)
			return SP_ENAME;
		memcpy(buf + ret->len, utf8, (size_t)len);
		ret->len += (size_t)len;
	}
	buf[ret->len] = '\0';
	return name_check(*ret);
}

int
mask_like(struct span mask, char *buf, size_t cap, struct span *ret)
{
	size_t n = 0;

	if (mask.len == 0)
		mask = SPAN_LIT("*");
	for (size_t i = 0; i < mask.len; i++) {
		char c = (char)mask.ptr[i];

		if (n + 2 > cap)
			return SP_ETOOBIG;
		if (c == '*' && n != 0 && buf[n - 1] == '%' && (n == 1 || buf[n - 2] != '\\'))
			continue;
		if (c == '%' || c == '_' || c == '\\')
			buf[n++] = '\\';
		buf[n++] = c == '*' ? '%' : c == '?' ? '_' : c;
	}
	*ret = span_of(buf, n);
	return SP_OK;
}
