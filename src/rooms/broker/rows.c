/* rows.c - see rows.h. */
#include "rooms/broker/rows.h"

#include "crypto/crypto.h"
#include "rooms/broker/db.h"

#define DIGEST_BYTES 16u

static const struct {
	const char *name;
	enum sql_id sql;
	unsigned keys, position;
} tables[] = {
#define ROWS(NAME, name, table, keys, position, key, columns)                                      \
	{name, SQL_ROWS_##NAME, keys, position},
#include "ipc/rows.def"
#undef ROWS
};

const char *
rows_name(enum rows_kind kind)
{
	return tables[kind].name;
}

enum rows_kind
rows_kind_of(struct span name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(tables) && !span_eq_str(name, tables[i].name))
		i++;
	return (enum rows_kind)i;
}

/* The text is a JSON object: the digest becomes its last member. */
static int
put_digest(struct text *t, struct span secret)
{
	uint8_t digest[SHA256_BYTES];
	int err = sha256(secret, digest);

	if (err != SP_OK)
		return err;
	VERIFY(t->len != 0 && t->buf[t->len - 1] == '}');
	t->len--;
	text_str(t, ",\"digest\":\"");
	text_hex(t, span_of(digest, DIGEST_BYTES));
	text_str(t, "\"}");
	return SP_OK;
}

static int
take(struct sql *q, struct rows_key *key, struct text *text)
{
	struct span secret;
	int rc = sql_step(q);

	if (rc != 1)
		return rc;
	key->a = sql_i64(q);
	key->b = sql_i64(q);
	key->c = sql_i64(q);
	text_add(text, sql_text(q));
	secret = sql_blob(q);
	if (secret.len != 0 && (rc = put_digest(text, secret)) != SP_OK)
		return rc;
	return text->bad ? SP_ETOOBIG : 1;
}

struct rows_key
rows_first(void)
{
	return (struct rows_key){INT64_MIN, INT64_MIN, INT64_MIN};
}

bool
rows_after(enum rows_kind kind, struct rows_key *key)
{
	int64_t *at[] = {&key->a, &key->b, &key->c};
	unsigned first = tables[kind].position, i = first + tables[kind].keys;

	while (i-- > first) {
		if (*at[i] != INT64_MAX) {
			++*at[i];
			return true;
		}
		*at[i] = INT64_MIN;
	}
	return false;
}

int
rows_next(struct db *db, enum rows_kind kind, struct rows_key *key, struct text *text)
{
	const int64_t at[3] = {key->a, key->b, key->c};
	struct sql_arg args[3];

	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		args[i] = SI(i < tables[kind].keys ? at[tables[kind].position + i] : 0);
	DEFER(sql_end) struct sql q = sql_query_args(db, tables[kind].sql, args, tables[kind].keys);
	return take(&q, key, text);
}

int
rows_get(struct db *db, enum rows_kind kind, const struct rows_key *key, struct text *text)
{
	struct rows_key found = *key;
	int rc = rows_next(db, kind, &found, text);

	if (rc == 1 && (found.a != key->a || found.b != key->b || found.c != key->c))
		rc = 0;
	return rc;
}

/* ---- on record ---- */

/* row_there - is there a row of this one number? */
static int
row_there(struct db *db, enum rows_kind kind, int64_t id)
{
	char buf[ROWS_LINE_MAX];
	struct text t = text_of(buf, sizeof(buf));

	return rows_get(db, kind, &(const struct rows_key){id, 0, 0}, &t);
}

/* went_along - 1: a row that is gone, as one is that it belonged to; 0: it was removed by itself.
 */
static int
went_along(struct db *db, enum rows_kind kind, const struct rows_key *k)
{
	int first, second = 1;

	switch (kind) {
	case ROWS_TOKEN:
	case ROWS_SSH_KEY:
	case ROWS_OTP:
		first = row_there(db, ROWS_USER, k->a);
		break;
	case ROWS_MEMBER:
		first = row_there(db, ROWS_GROUP, k->a);
		second = row_there(db, ROWS_USER, k->b);
		break;
	case ROWS_ACL:
		first = row_there(db, ROWS_FOLDER, k->a);
		second = row_there(db, k->b == 0 ? ROWS_USER : ROWS_GROUP, k->c);
		break;
	default:
		return 0;
	}
	return first < 0 ? first : second < 0 ? second : first == 0 || second == 0;
}

static int
put_line(struct db *db, enum rows_kind kind, const struct rows_key *k, struct text *text)
{
	char buf[ROWS_LINE_MAX];
	struct text row = text_of(buf, sizeof(buf));
	int there = rows_get(db, kind, k, &row), rc = there;

	if (there == 0)
		rc = went_along(db, kind, k);
	if (rc < 0 || (there == 0 && rc == 1))
		return rc < 0 ? rc : SP_OK;
	if (text->len != 0)
		text_chr(text, '\n');
	text_fmt(text, "%s %lld %lld %lld ", rows_name(kind), (long long)k->a, (long long)k->b,
	    (long long)k->c);
	text_add(text, there == 1 ? text_span(&row) : SPAN_LIT("-"));
	return text->bad ? SP_ETOOBIG : SP_OK;
}

int
rows_record(struct db *db, struct text *text)
{
	int64_t kind = -1;
	struct rows_key k = {-1, -1, -1};
	int rc;

	for (;;) {
		{
			DEFER(sql_end)
			struct sql q =
			    sql_query(db, SQL_TOUCHED_NEXT, SI(kind), SI(k.a), SI(k.b), SI(k.c));

			rc = sql_step(&q);
			if (rc != 1)
				break;
			kind = sql_i64(&q);
			k.a = sql_i64(&q);
			k.b = sql_i64(&q);
			k.c = sql_i64(&q);
		}
		rc = put_line(db, (enum rows_kind)kind, &k, text);
		if (rc != SP_OK)
			return rc;
	}
	return rc < 0 ? rc : rows_forget(db);
}

int
rows_touch(struct db *db, enum rows_kind kind, int64_t id)
{
	return sql_run(db, SQL_TOUCHED_ADD, SI(kind), SI(id));
}

int
rows_forget(struct db *db)
{
	return sql_run_args(db, SQL_TOUCHED_FORGET, NULL, 0);
}

/* ---- the schema ---- */

struct schema_row {
	int64_t id;
	char type[16], name[128];
	char text[4096];
};

static int
schema_next(struct db *db, struct schema_row *r)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_SCHEMA_NEXT, SI(r->id));
	int rc = sql_step(&q);

	if (rc != 1)
		return rc;
	r->id = sql_i64(&q);
	sql_text_of(&q, r->type, sizeof(r->type));
	sql_text_of(&q, r->name, sizeof(r->name));
	sql_text_of(&q, r->text, sizeof(r->text));
	return 1;
}

static int
schema_compare(struct db *db, struct db *should, char *why, size_t cap)
{
	DEFER(mem_freep) struct schema_row *is = mem_alloc(sizeof(*is));
	DEFER(mem_freep) struct schema_row *want = mem_alloc(sizeof(*want));
	struct text t = text_of(why, cap);

	if (is == NULL || want == NULL)
		return SP_ENOMEM;
	for (;;) {
		int rc = schema_next(db, is), other = schema_next(should, want);

		if (rc < 0 || other < 0)
			return rc < 0 ? rc : other;
		if (rc == 0 && other == 0)
			return SP_OK;
		if (rc == 1 && other == 1 && strcmp(is->type, want->type) == 0 &&
		    strcmp(is->name, want->name) == 0 && strcmp(is->text, want->text) == 0)
			continue;
		if (rc == 1 && (other == 0 || strcmp(is->name, want->name) != 0))
			text_fmt(&t, "%s %s is none of ours", is->type, is->name);
		else
			text_fmt(&t, "%s %s is not as it was made", want->type, want->name);
		return SP_EDAMAGED;
	}
}

int
db_schema_check(struct db *db, char *why, size_t cap)
{
	struct db *should = NULL;
	int rc = db_open(":memory:", /* create= */ true, &should);

	if (rc == SP_OK)
		rc = schema_compare(db, should, why, cap);
	db_close(should);
	return rc;
}
