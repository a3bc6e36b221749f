/* folders.c - folders by number: details, lists, making, deleting. */
#include "rooms/gate/https/list.h"
#include "rooms/gate/https/router.h"

#include <jansson.h>

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

/* A member of a JSON object by name without regard to case: clients differ. */
static const json_t *
member(const json_t *object, const char *name)
{
	void *at = json_object_iter((json_t *)(uintptr_t)object);

	for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at))
		if (span_ieq_str(span_str(json_object_iter_key(at)), name))
			return json_object_iter_value(at);
	return NULL;
}

/* AddFolderModel: {name, inheritPermissions: None | CopyOnly | Always, or a boolean, also as a
 * string}. */
static int
folder_of_json(const json_t *root, uint8_t name[255], struct ipc_folder_make *m)
{
	const json_t *v = member(root, "name"), *inherit = member(root, "inheritPermissions");

	if (!json_is_object(root) || !json_is_string(v) || json_string_length(v) == 0)
		return SP_ESYNTAX;
	if (json_string_length(v) > 255)
		return SP_ENAME;
	memcpy(name, json_string_value(v), json_string_length(v));
	m->name = span_of(name, json_string_length(v));
	m->inherit = 1;
	if (json_is_false(inherit))
		m->inherit = 0;
	if (json_is_string(inherit)) {
		struct span s = span_of(json_string_value(inherit), json_string_length(inherit));

		m->inherit = !span_ieq_str(s, "None") && !span_ieq_str(s, "false");
	}
	return SP_OK;
}

static int
folder_body(struct conn *c, uint8_t name[255], struct ipc_folder_make *m)
{
	DEFER(mem_freep) uint8_t *text = mem_alloc(JSON_BODY_MAX);
	int64_t len;
	json_error_t why;
	json_t *root;
	int rc;

	if (text == NULL)
		return SP_ENOMEM;
	len = body_all(c, text, JSON_BODY_MAX);
	if (len < 0)
		return (int)len;
	root = json_loadb((const char *)text, (size_t)len, JSON_REJECT_DUPLICATES, &why);
	rc = root != NULL ? folder_of_json(root, name, m) : SP_ESYNTAX;
	json_decref(root);
	return rc;
}

int
folder_subfolders_post(struct conn *c)
{
	struct ipc_folder_make m = {.by = BY_FOLDER};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	uint8_t name[255];
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
