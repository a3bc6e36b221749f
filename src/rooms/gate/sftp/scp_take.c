/* scp_take.c - `scp -t`: files and folders come from the client.
 *
 * "C mode size name" is a file: it is acknowledged, its bytes come, a byte that says whether all
 * was well, and it is acknowledged again, now durable.  "D mode 0 name" enters a folder, "E" leaves
 * it, "T" gives the times of what follows.
 */
#include "rooms/gate/sftp/scp_server.h"

struct take {
	struct scp *c;
	struct path at; /* where things go */
	bool is_folder; /* it is one: things go into it; else it is what the one thing will be
			   called */
	size_t depth;
	size_t len[PATH_MAX_DEPTH + 1];	    /* of `at`, outside each folder */
	uint64_t mtime[PATH_MAX_DEPTH + 1]; /* of each folder, for when it is left; 0: not said */
	uint64_t mtime_s;		    /* of what follows; 0: not said */
};

/* Where something of that name goes. */
static int
place_of(const struct take *t, struct span name, struct path *ret)
{
	*ret = t->at;
	return t->is_folder || t->depth != 0 ? path_join(ret, name) : SP_OK;
}

/* The protocol is broken: the last word. */
static int
screw_up(struct take *t, const char *why)
{
	char buf[160];
	struct text text = text_of(buf, sizeof(buf));

	t->c->has_failed = true;
	text_fmt(&text, "\1scp: protocol error: %s\n", why);
	return stream_send(t->c->stream, text_span(&text), span_of(NULL, 0)) < 0 ? SP_ECLOSED
										 : SCP_ENDED;
}

static int
say(struct take *t, const struct path *p, int err)
{
	int rc = scp_say(t->c, path_span(p), err);

	return rc == SP_OK && scp_fatal(t->c, err) ? err : rc;
}

/* ---- a file ---- */

/* Its bytes; what the sink refuses is dropped, and *ret_err says why. */
static int
take_bytes(struct take *t, struct sink *k, uint64_t n, int *ret_err)
{
	*ret_err = SP_OK;
	while (n != 0) {
		struct span s;
		int rc = stream_some(
		    t->c->stream, n < STREAM_WANT_MAX ? (size_t)n : STREAM_WANT_MAX, &s);

		if (rc <= 0)
			return rc < 0 ? rc : SP_ECLOSED;
		if (*ret_err == SP_OK)
			*ret_err = sink_add(k, s);
		stream_take(t->c->stream, s.len);
		n -= s.len;
	}
	return SP_OK;
}

static int
take_content(struct take *t, struct sink *k, const struct path *p, uint64_t size)
{
	struct ipc_entry e;
	bool is_good = false;
	int err = SP_OK, rc = scp_ack(t->c);

	if (rc == SP_OK)
		rc = take_bytes(t, k, size, &err);
	if (rc == SP_OK)
		rc = scp_response(t->c, &is_good);
	if (rc != SP_OK)
		return rc == SCP_ENDED ? SP_ECLOSED : rc;
	if (!is_good) /* the client could not read all of it */
		return scp_ack(t->c);
	if (err == SP_OK)
		err = sink_commit(k, t->mtime_s * 1000000, &e);
	return err == SP_OK ? scp_ack(t->c) : say(t, p, err);
}

static int
take_file(struct take *t, const struct scp_entry *e)
{
	struct sink_how how = {.size = e->size};
	struct sink k = {0};
	struct path p;
	int rc = place_of(t, e->name, &p), err;

	how.path = path_span(&p);
	err = rc == SP_OK ? sink_begin(&k, t->c->session, &how) : rc;
	if (err == SP_OK)
		rc = take_content(t, &k, &p, e->size);
	else
		rc = say(t, &p, err);
	/* a connection that breaks leaves what can be continued */
	sink_end(&k, /* keep= */ rc < 0);
	t->mtime_s = 0;
	return rc;
}

/* ---- a folder ---- */

static int
make_folder(struct take *t, const struct path *p)
{
	struct ipc_folder_make m = {
	    .by = BY_PATH, .path = path_span(p), .name = span_of(NULL, 0), .inherit = 1};
	struct ipc_entry e;
	int rc = ring_folder_make(t->c->ring, &m, &e);

	if (rc != SP_EEXISTS)
		return rc;
	rc = scp_stat(t->c, p, &e);
	return rc == SP_OK && e.kind != 0 ? SP_ENOTFOLDER : rc;
}

static int
enter(struct take *t, const struct scp_entry *e)
{
	struct path p;
	int rc = t->depth < PATH_MAX_DEPTH ? place_of(t, e->name, &p) : SP_EDEPTH;

	if (rc == SP_OK)
		rc = make_folder(t, &p);
	else
		p = t->at;
	if (rc < 0) {
		t->mtime_s = 0;
		return say(t, &p, rc);
	}
	t->len[t->depth] = t->at.len;
	t->mtime[t->depth] = t->mtime_s;
	t->depth++;
	t->mtime_s = 0;
	t->at = p;
	return scp_ack(t->c);
}

static int
leave(struct take *t)
{
	struct ipc_touch m = {.by = BY_PATH, .path = path_span(&t->at)};
	struct ipc_done done;
	int rc = SP_OK;

	if (t->depth == 0)
		return screw_up(t, "unexpected E");
	t->depth--;
	m.modified_us = t->mtime[t->depth] * 1000000;
	if (m.modified_us != 0)
		rc = ring_touch(t->c->ring, &m, &done);
	if (rc < 0) {
		rc = say(t, &t->at, rc);
	} else {
		rc = scp_ack(t->c);
	}
	t->at.len = t->len[t->depth];
	t->at.text[t->at.len] = '\0';
	return rc;
}

/* ---- lines ---- */

static int
one_line(struct take *t, uint8_t first)
{
	struct scp_entry e;
	struct span line;
	int rc = scp_line(t->c, first, &line);

	if (rc != SP_OK)
		return rc == SP_ETOOBIG ? screw_up(t, "the line is too long") : rc;
	switch (first) {
	case 'C':
	case 'D':
		rc = scp_entry_parse(line, &e);
		if (rc == SP_ENAME)
			return screw_up(t, "unexpected filename");
		if (rc < 0)
			return screw_up(t, "mode or size not delimited");
		if (e.is_folder && !t->c->command.recursive)
			return screw_up(t, "received directory without -r");
		return e.is_folder ? enter(t, &e) : take_file(t, &e);
	case 'T':
		if (scp_times_parse(line, &t->mtime_s) < 0)
			return screw_up(t, "times not delimited");
		if (!t->c->command.preserves)
			t->mtime_s = 0;
		return scp_ack(t->c);
	case 'E':
		return line.len == 1 ? leave(t) : screw_up(t, "unexpected E");
	case 1: /* a warning about a file that will not come */
		t->c->has_failed = true;
		return SP_OK;
	case 2:
		t->c->has_failed = true;
		return SCP_ENDED;
	default:
		return screw_up(t, "expected control record");
	}
}

/* Where the command says that things go. */
static int
find_target(struct take *t)
{
	const struct scp_path *target = &t->c->command.paths[0];
	struct ipc_entry e;
	int rc = path_resolve(path_span(&t->c->home), target->text, &t->at);

	if (rc < 0)
		return rc;
	rc = scp_stat(t->c, &t->at, &e);
	if (rc < 0 && rc != SP_ENOTFOUND)
		return rc;
	t->is_folder = rc == SP_OK && e.kind == 0;
	if (!t->is_folder && t->c->command.folder)
		return rc == SP_OK ? SP_ENOTFOLDER : rc;
	return SP_OK;
}

int
scp_take(struct scp *c)
{
	DEFER(mem_freep) struct take *t = mem_alloc(sizeof(*t));
	int rc;

	if (t == NULL)
		return SP_ENOMEM;
	t->c = c;
	rc = find_target(t);
	if (rc < 0) {
		int sent = scp_say(c, c->command.paths[0].text, rc);

		return sent == SP_OK && scp_fatal(c, rc) ? rc : sent;
	}
	rc = scp_ack(c);
	while (rc == SP_OK) {
		uint8_t first;

		rc = scp_byte(c, &first);
		if (rc == SP_OK)
			rc = one_line(t, first);
	}
	return rc == SCP_ENDED ? SP_OK : rc;
}
