/* verify_entry.c - see verify_entry.h; the other side is rooms/broker/rows.h and the records of
 * commit.c, rename.c, folder.c and reap.c. */
#include "cli/verify_entry.h"

#include "store/tlog_json.h"

#define NAME_BYTES 4200u

static const char *const kinds[] = {
#define ROWS(NAME, name, ...) name,
#include "ipc/rows.def"
#undef ROWS
};

const char *
row_kind_name(enum row_kind kind)
{
	return kinds[kind];
}

static bool
take_i64(struct span *rest, int64_t *ret)
{
	struct span word = span_cut(*rest, span_find(*rest, ' '));
	bool negative = word.len != 0 && word.ptr[0] == '-';
	uint64_t v = 0;

	*rest = span_skip(*rest, word.len + 1);
	if (parse_u64(span_skip(word, negative), INT64_MAX, &v) != SP_OK)
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

/* member_i64 - a number that the details hold as a string. */
static bool
member_i64(struct span detail, const char *key, int64_t *ret)
{
	char text[32];
	struct span rest;

	tlog_json_text(detail, key, text, sizeof(text));
	rest = span_str(text);
	return rest.len != 0 && take_i64(&rest, ret);
}

/* ---- "rows": one line a row ---- */

/* A folder's place is a member of its text; the text is JSON that SQLite wrote. */
static int64_t
folder_above(struct span text)
{
	struct span value;
	uint64_t v = 0;

	if (tlog_json_get(text, "parent", &value) != SP_OK || tlog_json_u64(value, &v) != SP_OK)
		return 0;
	return (int64_t)v;
}

static int
one_line(struct span line, entry_row_fn fn, void *arg)
{
	struct span name = span_cut(line, span_find(line, ' ')),
		    rest = span_skip(line, name.len + 1);
	struct entry_row row = {.gone = false};
	size_t kind = 0;

	while (kind < ARRAY_LEN(kinds) && !span_eq_str(name, kinds[kind]))
		kind++;
	if (kind == ARRAY_LEN(kinds) || !take_i64(&rest, &row.key.a) ||
	    !take_i64(&rest, &row.key.b) || !take_i64(&rest, &row.key.c))
		return SP_ESYNTAX;
	row.key.kind = (enum row_kind)kind;
	row.gone = span_eq_str(rest, "-");
	row.text = rest;
	if (row.key.kind == ROW_FOLDER && !row.gone)
		row.above = folder_above(rest);
	return fn(arg, &row);
}

static int
all_lines(struct span detail, const char *key, entry_row_fn fn, void *arg)
{
	DEFER(mem_freep) char *buf = NULL;
	struct span value, rest;
	size_t len = 0;
	int rc = SP_OK;

	if (tlog_json_get(detail, key, &value) != SP_OK)
		return SP_OK;
	buf = mem_alloc(value.len + 1);
	if (buf == NULL)
		return SP_ENOMEM;
	if (tlog_json_str(value, buf, value.len + 1, &len) != SP_OK)
		return SP_ESYNTAX;
	for (rest = span_of(buf, len); rest.len != 0 && rc == SP_OK;) {
		struct span line = span_cut(rest, span_find(rest, '\n'));

		rc = one_line(line, fn, arg);
		rest = span_skip(rest, line.len + 1);
	}
	return rc;
}

/* ---- files ---- */

static struct span
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_str(slash != NULL ? slash + 1 : path);
}

static int
say_file(
    int64_t file, int64_t folder, int64_t version, const char *path, entry_row_fn fn, void *arg)
{
	char buf[NAME_BYTES];
	struct text t = text_of(buf, sizeof(buf));
	struct entry_row row = {.key = {.kind = ROW_FILE, .a = file}, .above = folder};

	text_fmt(&t, "folder=%lld version=%lld name=", (long long)folder, (long long)version);
	text_add(&t, last_name(path));
	row.text = text_span(&t);
	return t.bad ? SP_ESYNTAX : fn(arg, &row);
}

static int
say_gone(enum row_kind kind, int64_t id, entry_row_fn fn, void *arg)
{
	const struct entry_row row = {.key = {.kind = kind, .a = id}, .gone = true};

	return fn(arg, &row);
}

static int
stored(uint64_t n, struct span entry, struct span detail, entry_row_fn fn, void *arg)
{
	char path[4097 + 1], blob[40], hash[72], buf[256];
	struct text t = text_of(buf, sizeof(buf));
	struct entry_row row = {.key = {.kind = ROW_VERSION}};
	int64_t file, folder, version;
	struct span value;
	uint64_t size = 0;
	int rc;

	if (!member_i64(detail, "file", &file) || !member_i64(detail, "folder", &folder) ||
	    !member_i64(detail, "version", &version) ||
	    (tlog_json_get(entry, "size", &value) == SP_OK && tlog_json_u64(value, &size) != SP_OK))
		return SP_ESYNTAX;
	tlog_json_text(entry, "path", path, sizeof(path));
	tlog_json_text(detail, "blob", blob, sizeof(blob));
	tlog_json_text(detail, "sha256", hash, sizeof(hash));
	text_fmt(&t, "file=%lld entry=%llu size=%llu blob=%s sha256=%s", (long long)file,
	    (unsigned long long)n, (unsigned long long)size, blob, hash);
	row.key.a = version;
	row.text = text_span(&t);
	row.any_hash = hash[0] == '\0';
	rc = say_file(file, folder, version, path, fn, arg);
	return rc == SP_OK ? fn(arg, &row) : rc;
}

static int
renamed(struct span detail, entry_row_fn fn, void *arg)
{
	char to[4097 + 1];
	int64_t file, into, version, victim;
	int rc = SP_OK;

	if (!member_i64(detail, "file", &file) || !member_i64(detail, "into", &into) ||
	    !member_i64(detail, "version", &version))
		return SP_ESYNTAX;
	if (member_i64(detail, "replaced-file", &victim))
		rc = say_gone(ROW_FILE, victim, fn, arg);
	tlog_json_text(detail, "to", to, sizeof(to));
	return rc == SP_OK ? say_file(file, into, version, to, fn, arg) : rc;
}

/* revoke: the tokens of one user, or of all */
static int
revoked(struct span detail, entry_row_fn fn, void *arg)
{
	struct entry_row row = {.key = {.kind = ROW_TOKEN}, .gone = true, .many = true};
	char of[32];

	tlog_json_text(detail, "tokens-of", of, sizeof(of));
	if (strcmp(of, "all") != 0 && !member_i64(detail, "tokens-of", &row.key.a))
		return SP_ESYNTAX;
	return fn(arg, &row);
}

/* ---- sessions ---- */

/* tail_number - the number behind a word; 0 when it is not there */
static uint64_t
tail_number(struct span text, const char *key)
{
	struct span k = span_str(key);

	for (size_t i = 0; i + k.len <= text.len; i++) {
		struct span at = span_skip(text, i);
		uint64_t v = 0;

		if (span_starts(at, k) &&
		    parse_u64(span_cut(span_skip(at, k.len), span_find(span_skip(at, k.len), ' ')),
			UINT64_MAX, &v) == SP_OK)
			return v;
	}
	return 0;
}

int
session_row(struct span text, struct row_key *ret, struct span *ret_rest, uint64_t *ret_door,
    uint64_t *ret_end_us)
{
	struct span head = SPAN_LIT("access="), door = SPAN_LIT(" door=");
	uint8_t id[16];
	size_t n = 0;

	if (!span_starts(text, head) ||
	    parse_hex(span_cut(span_skip(text, head.len), 32), id, sizeof(id)) != SP_OK)
		return SP_ESYNTAX;
	*ret = (struct row_key){.kind = ROW_SESSION};
	memcpy(&ret->a, id, 8);
	memcpy(&ret->b, id + 8, 8);
	text = span_skip(text, head.len + 32);
	while (n < text.len && !span_starts(span_skip(text, n), door))
		n++;
	*ret_rest = span_cut(text, n);
	*ret_door = tail_number(span_skip(text, n), " door=");
	*ret_end_us = tail_number(span_skip(text, n), " end_us=");
	return SP_OK;
}

static int
session_begins(struct span entry, struct span detail, entry_row_fn fn, void *arg)
{
	char tokens[256], t[64];
	struct entry_row row = {.gone = false};
	uint64_t door, end_us;

	tlog_json_text(detail, "tokens", tokens, sizeof(tokens));
	if (tokens[0] == '\0') /* a login without a session of its own: by an API token, say */
		return SP_OK;
	tlog_json_text(entry, "t", t, sizeof(t));
	row.t = span_str(t);
	if (session_row(span_str(tokens), &row.key, &row.text, &door, &end_us) != SP_OK)
		return SP_ESYNTAX;
	return fn(arg, &row);
}

int
entry_rows(uint64_t n, struct span entry, entry_row_fn fn, void *arg)
{
	static const struct {
		const char *event, *member;
		enum row_kind kind;
	} goes[] = {
	    {"file.deleted", "file", ROW_FILE},
	    {"file.shredded", "version", ROW_VERSION},
	    {"folder.deleted", "folder", ROW_FOLDER},
	};
	struct span detail;
	char event[64];
	int64_t id;
	int rc;

	if (tlog_json_get(entry, "detail", &detail) != SP_OK)
		return SP_OK;
	tlog_json_text(entry, "event", event, sizeof(event));
	if (strcmp(event, "file.created") == 0 || strcmp(event, "file.replaced") == 0)
		return stored(n, entry, detail, fn, arg);
	if (strcmp(event, "file.renamed") == 0)
		return renamed(detail, fn, arg);
	if (strcmp(event, "login") == 0 || strcmp(event, "token.refresh") == 0)
		return session_begins(entry, detail, fn, arg);
	for (size_t i = 0; i < ARRAY_LEN(goes); i++)
		if (strcmp(event, goes[i].event) == 0)
			return member_i64(detail, goes[i].member, &id)
				   ? say_gone(goes[i].kind, id, fn, arg)
				   : SP_ESYNTAX;
	if (strcmp(event, "revoked") == 0)
		return revoked(detail, fn, arg);
	rc = all_lines(detail, "rows", fn, arg);
	return rc == SP_OK ? all_lines(detail, "rows-now", fn, arg) : rc;
}

bool
entry_undoes(struct span entry, uint64_t *ret)
{
	struct span detail;
	char event[64];
	int64_t n;

	tlog_json_text(entry, "event", event, sizeof(event));
	if (strcmp(event, "reconciled") != 0 || tlog_json_get(entry, "detail", &detail) != SP_OK ||
	    !member_i64(detail, "intent", &n) || n < 0)
		return false;
	*ret = (uint64_t)n;
	return true;
}
