/* files.c - files by number. */
#include "rooms/gate/https/get.h"
#include "rooms/gate/https/list.h"
#include "rooms/gate/https/router.h"

/* "2026-11-23 10:00:00", "2026-11-23T10:00:00", with or without a zone: in UTC. */
static int
since_date(struct conn *c, uint64_t *ret_us)
{
	uint8_t text[40];
	int64_t us;
	int n = query_str(c, "sinceDate", text, sizeof(text) - 1);

	if (n <= 0)
		return n;
	if (n >= 19 && text[10] == ' ')
		text[10] = 'T';
	if (n == 19)
		text[n++] = 'Z';
	if (time_parse(span_of(text, (size_t)n), INT64_MAX, &us) < 0 || us < 0)
		return SP_ESYNTAX;
	*ret_us = (uint64_t)us;
	return SP_OK;
}

int
files_get(struct conn *c)
{
	struct listing l = {.request = {.by = BY_PATH, .path = SPAN_LIT("/"), .what = 2 | 4},
	    .sort = "path",
	    .row = model_file,
	    .stamp = true};
	int rc = since_date(c, &l.request.newer_than_us);

	if (rc == SP_OK)
		rc = query_bool(c, "newOnly", &l.only_new);
	return rc < 0 ? rc : list_reply(c, &l);
}

/* MOVEit's search: both masks are needed; no pages. */
int
files_detailed_get(struct conn *c)
{
	struct listing l = {.request = {.by = BY_PATH, .path = SPAN_LIT("/"), .what = 2 | 4},
	    .sort = "path",
	    .row = model_file_details,
	    .bare = true};
	uint8_t folder[1024], name[255];
	int n = query_str(c, "pathMask", folder, sizeof(folder));
	int k = query_str(c, "fileMask", name, sizeof(name));
	int rc = n < 0 ? n : k < 0 ? k : SP_OK;

	if (rc == SP_OK && (n == 0 || k == 0))
		return reply_problem(c, SP_ESYNTAX, "pathMask and fileMask are needed");
	if (n > 1 && folder[n - 1] == '/') /* as in a path */
		n--;
	l.folder_mask = span_of(folder, n > 0 ? (size_t)n : 0);
	l.request.mask = span_of(name, k > 0 ? (size_t)k : 0);
	if (rc == SP_OK)
		rc = query_bool(c, "recursive", &l.below);
	if (rc == SP_OK)
		rc = since_date(c, &l.request.newer_than_us);
	if (rc == SP_OK)
		rc = query_bool(c, "newOnly", &l.only_new);
	return rc < 0 ? rc : list_reply(c, &l);
}

int
file_get(struct conn *c)
{
	struct ipc_stat m = {.by = BY_FILE, .counts = 1};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = ring_stat(c->ring, &m, &e);
	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	reply_begin(c, 200);
	model_file_details(reply_json(c), &rec);
	return reply_send(c);
}

int
file_versions_get(struct conn *c)
{
	struct listing l = {
	    .request = {.by = BY_FILE}, .sort = "version", .row = model_version, .versions = true};
	int rc = param_id(c, 0, &l.request.id);

	return rc < 0 ? rc : list_reply(c, &l);
}

int
file_delete(struct conn *c)
{
	struct ipc_remove m = {.by = BY_FILE, .kind = 1};
	struct ipc_done done;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = ring_remove(c->ring, &m, &done);
	if (rc < 0)
		return rc;
	reply_begin(c, 204);
	return reply_send(c);
}

int
file_download(struct conn *c)
{
	struct ipc_stat m = {.by = BY_FILE};
	int rc = param_id(c, 0, &m.id);

	return rc < 0 ? rc : file_send(c, &m);
}
