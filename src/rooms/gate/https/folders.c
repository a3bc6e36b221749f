/* folders.c - folders by number: details, lists, making, deleting. */
#include "rooms/gate/https/json_body.h"
#include "rooms/gate/https/list.h"
#include "rooms/gate/https/router.h"

enum { WHAT_FOLDERS = 1, WHAT_FILES = 2, WHAT_TREE = 4 };

int
folder_get(struct conn *c)
{
	struct ipc_stat m = {.by = BY_FOLDER, .counts = 1};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = ring_stat(c->ring, &m, &e);
	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	reply_begin(c, 200);
	model_folder_details(reply_json(c), &rec);
	return reply_send(c);
}

int
folder_delete(struct conn *c)
{
	struct ipc_remove m = {.by = BY_FOLDER, .kind = 0};
	struct ipc_done done;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = ring_remove(c->ring, &m, &done);
	if (rc < 0)
		return rc;
	reply_begin(c, 204);
	return reply_send(c);
}

static int
list_folder(struct conn *c, uint8_t what, const char *sort, model_fn row)
{
	struct listing l = {
	    .request = {.by = BY_FOLDER, .what = what, .counts = 1}, .sort = sort, .row = row};
	int rc = param_id(c, 0, &l.request.id);

	if (rc == SP_OK && what == WHAT_FILES)
		rc = query_bool(c, "newOnly", &l.only_new);
	return rc < 0 ? rc : list_reply(c, &l);
}

int
folder_subfolders_get(struct conn *c)
{
	return list_folder(c, WHAT_FOLDERS, "name", model_folder);
}

int
folder_content_get(struct conn *c)
{
	return list_folder(c, WHAT_FOLDERS | WHAT_FILES, "type", model_content);
}

int
folder_files_get(struct conn *c)
{
	return list_folder(c, WHAT_FILES, "name", model_file);
}

int
folders_get(struct conn *c)
{
	struct listing l = {.request = {.by = BY_PATH,
				.path = SPAN_LIT("/"),
				.what = WHAT_FOLDERS | WHAT_TREE,
				.counts = 1},
	    .sort = "path",
	    .row = model_folder};
	uint8_t mask[1024];
	int n = query_str(c, "path", mask, sizeof(mask));

	if (n < 0)
		return n;
	if (n > 1 && mask[n - 1] == '/') /* "/Home/" is "/Home" */
		n--;
	l.path_mask = span_of(mask, (size_t)n);
	return list_reply(c, &l);
}

/* AddFolderModel: {name, inheritPermissions: None | CopyOnly | Always, or a boolean, also as a
 * string}. */
static int
folder_body(struct conn *c, uint8_t name[256], struct ipc_folder_make *m)
{
	DEFER(json_body_done) json_t *root = NULL;
	const json_t *inherit;
	int rc = json_body(c, &root);

	if (rc == SP_OK)
		rc = json_member_name(root, "name", name, &m->name);
	if (rc < 0)
		return rc;
	inherit = json_member(root, "inheritPermissions");
	m->inherit = 1;
	if (json_is_false(inherit))
		m->inherit = 0;
	if (json_is_string(inherit)) {
		struct span s = span_of(json_string_value(inherit), json_string_length(inherit));

		m->inherit = !span_ieq_str(s, "None") && !span_ieq_str(s, "false");
	}
	return SP_OK;
}

int
folder_subfolders_post(struct conn *c)
{
	struct ipc_folder_make m = {.by = BY_FOLDER};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	uint8_t name[256];
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = folder_body(c, name, &m);
	if (rc == SP_OK)
		rc = ring_folder_make(c->ring, &m, &e);
	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	reply_begin(c, 201);
	reply_field(c, "Location", "/api/v1/folders/%llu", (unsigned long long)e.id);
	model_folder_details(reply_json(c), &rec);
	return reply_send(c);
}

/* ---- addresses that lead to the canonical one (rows 20 to 23) ---- */

static int
redirect(struct conn *c, const char *kind, size_t param, const char *tail)
{
	uint64_t folder, id;
	int rc = param_id(c, 0, &folder);

	if (rc == SP_OK)
		rc = param_id(c, param, &id);
	if (rc < 0)
		return rc;
	reply_begin(c, 302);
	reply_field(c, "Location", "/api/v1/%s/%llu%s", kind, (unsigned long long)id, tail);
	return reply_send(c);
}

int
folder_file_redirect(struct conn *c)
{
	return redirect(c, "files", 1, "");
}

int
folder_download_redirect(struct conn *c)
{
	return redirect(c, "files", 1, "/download");
}

int
folder_folder_redirect(struct conn *c)
{
	return redirect(c, "folders", 1, "");
}
