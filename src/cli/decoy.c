/* decoy.c - sallyport decoy mark, list, remove: the list is the supervisor's, not the broker's. */
#include "cli/decoy.h"

#include "cli/print.h"
#include "sys/clock.h"

int
decoy_change(const struct cli *c, uint8_t op, const struct decoy *d)
{
	char line[DECOY_LINE_MAX];
	struct text t = text_of(line, sizeof(line));
	uint8_t request[IPC_SIZE_DECOY_CHANGE];
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	struct wr w = wr_of(request, sizeof(request));
	struct ipc_decoy_change m = {.op = op};
	struct span body;
	int rc = buf != NULL ? decoy_put(&t, d) : SP_ENOMEM;

	m.line = text_span(&t);
	if (rc == SP_OK)
		rc = ipc_put_decoy_change(&w, &m);
	if (rc != SP_OK)
		return cli_fail(rc, "%.*s: %s", (int)d->name.len, (const char *)d->name.ptr,
		    rc == SP_ERANGE ? "this name cannot be a decoy's" : sp_strerror(rc));
	return call_supervisor(c, IPC_DECOY_CHANGE, wr_span(&w), IPC_DECOY_DONE, buf, &body);
}

json_t *
decoy_row(const struct decoy *d, size_t number)
{
	char when[40];
	struct text t = text_of(when, sizeof(when));
	json_t *o = json_object();
	int bad = json_object_set_new(o, "number", json_integer((json_int_t)number));

	time_rfc3339(&t, d->planted_us);
	bad |= json_object_set_new(o, "kind", json_string(decoy_word(d->kind)));
	bad |= json_object_set_new(o, "org", json_stringn((const char *)d->org.ptr, d->org.len));
	bad |= json_object_set_new(o, "name", json_stringn((const char *)d->name.ptr, d->name.len));
	bad |= json_object_set_new(o, "planted", json_string(when));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- the list ---- */

typedef int (*decoy_fn)(void *arg, const struct decoy *d, size_t number);

/* each - every decoy, by number from 1; fn ends the walk with anything but SP_OK. */
static int
each(const struct cli *c, decoy_fn fn, void *arg)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_decoy_list ask = {0};
	struct ipc_decoy_rows rows = {.count = 1};

	while (buf != NULL && rows.count != 0) {
		uint8_t request[IPC_SIZE_DECOY_LIST];
		struct wr w = wr_of(request, sizeof(request));
		struct span body;
		struct decoy d;
		int rc = ipc_put_decoy_list(&w, &ask);

		if (rc != SP_OK)
			return cli_fail(rc, "%s", sp_strerror(rc));
		rc = call_supervisor(c, IPC_DECOY_LIST, wr_span(&w), IPC_DECOY_ROWS, buf, &body);
		if (rc != SP_OK)
			return rc;
		if (ipc_get_decoy_rows(body, &rows) != SP_OK)
			return cli_fail(
			    SP_EUNKNOWNMSG, "the server: %s", sp_strerror(SP_EUNKNOWNMSG));
		while (decoy_next(&rows.lines, &d) == 1)
			if ((rc = fn(arg, &d, ++ask.from)) != SP_OK)
				return rc;
	}
	return buf != NULL ? SP_OK : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
}

static int
add_row(void *arg, const struct decoy *d, size_t number)
{
	json_t *row = decoy_row(d, number);

	return row != NULL && json_array_append_new(arg, row) == 0
		   ? SP_OK
		   : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
}

int
decoy_print(struct cli *c, json_t *rows)
{
	DEFER(json_done) json_t *page = json_pack("{s:O}", "rows", rows);
	struct print p;

	if (page == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	print_begin(&p, c->json);
	print_page(&p, page);
	print_end(&p);
	return cli_out_done();
}

int
cmd_decoy_list(struct cli *c)
{
	DEFER(json_done) json_t *rows = json_array();
	int rc = each(c, add_row, rows);

	return rc == SP_OK ? decoy_print(c, rows) : rc;
}

/* ---- removing ---- */

struct wanted {
	const struct cli *c;
	size_t number;
	bool found;
};

static int
remove_one(void *arg, const struct decoy *d, size_t number)
{
	struct wanted *w = arg;

	if (number != w->number)
		return SP_OK;
	w->found = true;
	return decoy_change(w->c, 1, d);
}

int
cmd_decoy_remove(struct cli *c)
{
	struct wanted w = {.c = c};
	const char *text = cli_opt(c, "NUMBER");
	uint64_t v;
	int rc;

	if (parse_u64(span_str(text), DECOYS_MAX, &v) != SP_OK)
		return cli_fail(SP_EUSAGE, "%s: this is no number of sallyport decoy list", text);
	w.number = (size_t)v;
	rc = each(c, remove_one, &w);
	if (rc == SP_OK && !w.found)
		return cli_fail(SP_ENOTFOUND, "there is no decoy %s", text);
	return rc;
}

/* ---- marking ---- */

struct marking {
	const struct cli *c;
	const char *org;
	json_int_t org_id;
	json_t *paths, *marked;
};

/* mark_row - is this version one of those?  All its blobs are marked; most have one. */
static int
mark_row(struct marking *m, json_t *row)
{
	const char *path = json_string_value(json_object_get(row, "path"));
	json_t *blobs = json_object_get(row, "blobs"), *want, *blob;
	size_t i, k;

	if (path == NULL || json_integer_value(json_object_get(row, "org")) != m->org_id)
		return SP_OK;
	json_array_foreach(m->paths, i, want)
	{
		if (strcmp(json_string_value(want), path) != 0)
			continue;
		json_array_foreach(blobs, k, blob)
		{
			struct decoy d = {.kind = DECOY_FILE,
			    .planted_us = clock_wall_us(),
			    .org = span_str(m->org),
			    .name = span_str(path)};
			const char *hex = json_string_value(json_object_get(blob, "id"));
			int rc = parse_hex(span_str(hex), d.blob, sizeof(d.blob));

			if (rc != SP_OK)
				return cli_fail(rc, "the server's answer: %s", sp_strerror(rc));
			rc = decoy_change(m->c, 0, &d);
			if (rc == SP_OK)
				rc = add_row(m->marked, &d, json_array_size(m->marked) + 1);
			if (rc != SP_OK)
				return rc;
		}
	}
	return SP_OK;
}

static int
org_number(struct call *k, const char *org, json_int_t *ret)
{
	DEFER(json_done) json_t *args = json_pack("{s:s}", "name", org);
	DEFER(json_done) json_t *answer = NULL;
	int rc = args != NULL ? call_verb(k, "org show", args, span_of(NULL, 0), &answer)
			      : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));

	if (rc == SP_OK)
		*ret = json_integer_value(json_object_get(answer, "id"));
	return rc;
}

int
decoy_mark_files(
    const struct cli *c, struct call *k, const char *org, json_t *paths, json_t *marked)
{
	struct marking m = {.c = c, .org = org, .paths = paths, .marked = marked};
	DEFER(json_done) json_t *args = json_object();
	size_t before = json_array_size(marked);
	int rc = org_number(k, org, &m.org_id);

	while (rc == SP_OK) {
		DEFER(json_done) json_t *page = NULL;
		json_t *row, *next;
		size_t i;

		rc = call_verb(k, "fsck versions", args, span_of(NULL, 0), &page);
		json_array_foreach(json_object_get(page, "rows"), i, row)
		{
			if (rc == SP_OK)
				rc = mark_row(&m, row);
		}
		next = json_object_get(page, "next");
		if (next == NULL || rc != SP_OK)
			break;
		if (json_object_set(args, "after", next) != 0)
			rc = cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	if (rc == SP_OK && json_array_size(marked) - before < json_array_size(paths))
		rc = cli_fail(SP_ENOTFOUND, "%s in %s: %s",
		    json_string_value(json_array_get(paths, 0)), org, sp_strerror(SP_ENOTFOUND));
	return rc;
}

int
decoy_org(struct call *k, const char *given, char *buf, size_t cap)
{
	DEFER(json_done) json_t *answer = NULL;
	struct text t = text_of(buf, cap);
	int rc;

	if (given == NULL) { /* the first, as everywhere */
		rc = call_verb(k, "org list", NULL, span_of(NULL, 0), &answer);
		if (rc != SP_OK)
			return rc;
		given = json_string_value(
		    json_object_get(json_array_get(json_object_get(answer, "rows"), 0), "name"));
	}
	if (given != NULL)
		text_str(&t, given);
	return given != NULL && !t.bad ? SP_OK : cli_fail(SP_ENOORG, "%s", sp_strerror(SP_ENOORG));
}

int
cmd_decoy_mark(struct cli *c)
{
	DEFER(json_done) json_t *paths = json_pack("[s]", cli_opt(c, "PATH"));
	DEFER(json_done) json_t *marked = json_array();
	DEFER(call_close) struct call k = {.buf = NULL};
	char org[65];
	int rc;

	if (paths == NULL || marked == NULL)
		return cli_fail(SP_ESYNTAX, "an argument is not valid UTF-8");
	rc = call_open(c, &k);
	if (rc == SP_OK)
		rc = decoy_org(&k, cli_opt(c, "--org"), org, sizeof(org));
	if (rc == SP_OK)
		rc = decoy_mark_files(c, &k, org, paths, marked);
	return rc == SP_OK ? decoy_print(c, marked) : rc;
}
