/* scp_give.c - `scp -f`: files and folders go to the client, which answers every line and every
 * file with a byte. */
#include "rooms/gate/sftp/scp_server.h"

#define PAGE 16u
#define ZEROS 4096u

/* A row of a folder: what outlives the ring's buffer. */
struct row {
	bool is_folder;
	uint64_t id, modified_us;
	size_t len;
	char name[NAME_MAX_BYTES + 1];
};
/* A folder in the middle of its rows. */
struct level {
	struct level *up;
	uint64_t folder;
	size_t path_len; /* of the give's path, with this folder's name */
	uint8_t from;	 /* as in LIST; 0: not begun */
	bool is_ended;
	size_t n, next;
	struct row rows[PAGE];
};
struct give {
	struct scp *c;
	struct path at;
	struct level *level;
	size_t depth;
};

/* An error about what is at hand; the next thing can come. */
static int
say(struct give *g, int err)
{
	int rc = scp_say(g->c, path_span(&g->at), err);

	return rc == SP_OK && scp_fatal(g->c, err) ? err : rc;
}

/* A line, and what the client says to it. */
static int
send_line(struct give *g, const struct text *t, bool *ret_good)
{
	int rc = stream_send(g->c->stream, text_span(t), span_of(NULL, 0));

	return rc == SP_OK ? scp_response(g->c, ret_good) : rc;
}

static int
send_times(struct give *g, uint64_t modified_us, bool *ret_good)
{
	char buf[64];
	struct text t = text_of(buf, sizeof(buf));
	unsigned long long s = modified_us / 1000000;

	*ret_good = true;
	if (!g->c->command.preserves)
		return SP_OK;
	text_fmt(&t, "T%llu 0 %llu 0\n", s, s);
	return send_line(g, &t, ret_good);
}

static int
send_entry(struct give *g, const char *mode, uint64_t size, bool *ret_good)
{
	char buf[NAME_MAX_BYTES + 40];
	struct text t = text_of(buf, sizeof(buf));
	struct span name = path_name(&g->at);

	text_fmt(&t, "%s %llu ", mode, (unsigned long long)size);
	text_add(&t, name.len != 0 ? name : SPAN_LIT("root"));
	text_chr(&t, '\n');
	return send_line(g, &t, ret_good);
}

/* ---- a file ---- */

/* As many bytes as were announced must come, whatever they are: the answer after them says that
 * they are none. */
static int
send_zeros(struct give *g, uint64_t n)
{
	static const uint8_t zeros[ZEROS];
	int rc = SP_OK;

	for (; rc == SP_OK && n != 0; n -= n < ZEROS ? n : ZEROS)
		rc = stream_send(
		    g->c->stream, span_of(zeros, n < ZEROS ? (size_t)n : ZEROS), span_of(NULL, 0));
	return rc;
}

static int
send_bytes(struct give *g, struct source *s, int *ret_err)
{
	uint64_t at = 0;
	int rc = SP_OK;

	*ret_err = SP_OK;
	while (rc == SP_OK && at < s->size) {
		struct source_view v = {0};

		*ret_err = source_read(s, at, SFTP_READ_MAX, &v);
		if (*ret_err == SP_OK && v.total == 0)
			*ret_err = SP_EDAMAGED;
		if (*ret_err < 0)
			return send_zeros(g, s->size - at);
		for (size_t i = 0; rc == SP_OK && i < v.n; i++)
			rc = stream_send(g->c->stream, v.part[i], span_of(NULL, 0));
		at += v.total;
	}
	return rc;
}

static int
send_content(struct give *g, struct source *s)
{
	bool is_good = false;
	int err, rc = send_times(g, s->modified_us, &is_good);

	if (rc == SP_OK && is_good)
		rc = send_entry(g, "C0644", s->size, &is_good);
	if (rc != SP_OK || !is_good)
		return rc;
	rc = send_bytes(g, s, &err);
	if (rc == SP_OK)
		rc = err == SP_OK ? scp_ack(g->c) : say(g, err);
	return rc == SP_OK ? scp_response(g->c, &is_good) : rc;
}

static int
give_file(struct give *g, uint64_t file)
{
	struct ipc_open m = {.by = BY_FILE, .id = file, .path = span_of(NULL, 0)};
	struct source s;
	int rc = source_open(&s, g->c->ring, &g->c->pool, &m);

	rc = rc == SP_OK ? send_content(g, &s) : say(g, rc);
	source_done(&s);
	return rc;
}

/* ---- a folder ---- */

/* More rows, when all were taken. */
static int
next_page(struct give *g, struct level *l)
{
	struct ipc_list m = {.by = BY_FOLDER,
	    .id = l->folder,
	    .path = span_of(NULL, 0),
	    .what = 3,
	    .limit = PAGE,
	    .mask = span_of(NULL, 0)};
	const struct row *last = l->n != 0 ? &l->rows[l->n - 1] : NULL;
	struct ipc_entries page;
	struct rd r;
	int rc;

	m.from = l->from != 0 ? l->from : 1;
	m.after = last != NULL ? span_of(last->name, last->len) : span_of(NULL, 0);
	rc = ring_list(g->c->ring, &m, &page);
	if (rc < 0)
		return rc;
	l->n = l->next = 0;
	r = rd_of(page.rows);
	for (uint32_t i = 0; i < page.count && i < PAGE; i++) {
		struct row *row = &l->rows[l->n];
		struct ipc_entry_rec e;

		rc = ipc_take_entry_rec(&r, &e);
		if (rc == SP_OK && (e.name.len == 0 || e.name.len > NAME_MAX_BYTES))
			rc = SP_ERANGE;
		if (rc < 0)
			return rc;
		*row = (struct row){.is_folder = e.kind == 0,
		    .id = e.id,
		    .modified_us = e.modified_us,
		    .len = e.name.len};
		memcpy(row->name, e.name.ptr, e.name.len);
		l->from = e.kind == 0 ? 1 : 2;
		l->n++;
	}
	l->is_ended = l->n == 0;
	return SP_OK;
}

static void
pop(struct give *g)
{
	struct level *l = TAKE_PTR(g->level);

	g->level = l->up;
	g->depth--;
	mem_free(l);
}

/* Enter the folder at hand: times, D, and its rows are next. */
static int
enter(struct give *g, uint64_t folder, uint64_t modified_us)
{
	struct level *l;
	bool is_good = false;
	int rc =
	    g->depth < PATH_MAX_DEPTH ? send_times(g, modified_us, &is_good) : say(g, SP_EDEPTH);

	if (rc == SP_OK && is_good)
		rc = send_entry(g, "D0755", 0, &is_good);
	if (rc != SP_OK || !is_good)
		return rc;
	l = mem_alloc(sizeof(*l));
	if (l == NULL)
		return SP_ENOMEM;
	l->up = g->level;
	l->folder = folder;
	l->path_len = g->at.len;
	g->level = l;
	g->depth++;
	return SP_OK;
}

static int
leave(struct give *g)
{
	bool is_good;
	int rc = stream_send(g->c->stream, SPAN_LIT("E\n"), span_of(NULL, 0));

	pop(g);
	return rc == SP_OK ? scp_response(g->c, &is_good) : rc;
}

/* The next row of the folder that we are in. */
static int
step(struct give *g)
{
	struct level *l = g->level;
	const struct row *row;
	int rc = l->next == l->n && !l->is_ended ? next_page(g, l) : SP_OK;

	g->at.len = l->path_len;
	g->at.text[g->at.len] = '\0';
	if (rc < 0) {
		l->is_ended = true;
		l->n = l->next = 0;
		return say(g, rc);
	}
	if (l->is_ended)
		return leave(g);
	row = &l->rows[l->next++];
	rc = path_join(&g->at, span_of(row->name, row->len));
	if (rc < 0)
		return say(g, rc);
	return row->is_folder ? enter(g, row->id, row->modified_us) : give_file(g, row->id);
}

static int
give_folder(struct give *g, uint64_t folder, uint64_t modified_us)
{
	int rc = enter(g, folder, modified_us);

	while (rc == SP_OK && g->level != NULL)
		rc = step(g);
	while (g->level != NULL)
		pop(g);
	return rc;
}

/* ---- what the command names ---- */

static int
give_entry(struct give *g, bool is_folder, uint64_t id, uint64_t modified_us)
{
	if (!is_folder)
		return give_file(g, id);
	return g->c->command.recursive ? give_folder(g, id, modified_us) : say(g, SP_EISFOLDER);
}

static int
give_path(struct give *g)
{
	struct ipc_entry e;
	int rc = scp_stat(g->c, &g->at, &e);

	return rc == SP_OK ? give_entry(g, e.kind == 0, e.id, e.modified_us) : say(g, rc);
}

/* Every name of a folder that matches the pattern; none: as the shell would, the pattern itself. */
static int
give_matches(struct give *g, struct span pattern)
{
	DEFER(mem_freep) struct level *l = mem_alloc(sizeof(*l));
	struct path folder = g->at;
	struct ipc_entry e;
	size_t n = 0;
	int rc = l != NULL ? scp_stat(g->c, &folder, &e) : SP_ENOMEM;

	if (rc == SP_OK && e.kind != 0)
		rc = SP_ENOTFOLDER;
	if (rc < 0)
		return say(g, rc);
	l->folder = e.id;
	while (rc == SP_OK && !l->is_ended) {
		rc = stream_hear(g->c->stream); /* nothing may match for a long time */
		if (rc < 0)
			return rc;
		rc = next_page(g, l);
		if (rc < 0)
			return say(g, rc);
		for (; rc == SP_OK && l->next < l->n; l->next++) {
			const struct row *row = &l->rows[l->next];

			g->at = folder;
			if ((row->name[0] == '.' && pattern.ptr[0] != '.') ||
			    !path_matches(pattern, span_of(row->name, row->len)))
				continue;
			n++;
			rc = path_join(&g->at, span_of(row->name, row->len));
			rc = rc < 0 ? say(g, rc)
				    : give_entry(g, row->is_folder, row->id, row->modified_us);
		}
	}
	return rc == SP_OK && n == 0 ? say(g, SP_ENOTFOUND) : rc;
}

static int
give_argument(struct give *g, const struct scp_path *arg)
{
	struct span base = path_span(&g->c->home), last;
	struct path p;
	int rc = path_resolve(base, arg->text, &p);

	g->at = p;
	if (rc < 0) {
		g->at = g->c->home;
		return say(g, rc);
	}
	last = path_name(&p);
	if (!arg->is_pattern || last.len == 0)
		return give_path(g);
	rc = path_resolve(path_span(&p), SPAN_LIT(".."), &g->at);
	return rc == SP_OK ? give_matches(g, last) : say(g, rc);
}

int
scp_give(struct scp *c)
{
	DEFER(mem_freep) struct give *g = mem_alloc(sizeof(*g));
	bool is_good = true;
	int rc;

	if (g == NULL)
		return SP_ENOMEM;
	g->c = c;
	rc = scp_response(c, &is_good); /* the client's "\0": it is there */
	for (size_t i = 0; rc == SP_OK && is_good && i < c->command.n_paths; i++)
		rc = give_argument(g, &c->command.paths[i]);
	return rc == SCP_ENDED ? SP_OK : rc;
}
