/* move.c - files and folders by number: another name, another folder, a copy. */
#include "base/name.h"
#include "rooms/gate/https/json_body.h"
#include "rooms/gate/https/model.h"
#include "rooms/gate/https/put.h"
#include "rooms/gate/https/router.h"
#include "rooms/gate/https/source.h"

/* What a request is about, and where it shall be; copied: the ring's buffer is used again. */
struct moving {
	uint8_t by; /* BY_FILE or BY_FOLDER */
	uint64_t id;
	char path[PATH_MAX_BYTES + 1], to[PATH_MAX_BYTES + 1];
};

/* path_of - the path of a file or folder by its number, as the caller sees it. */
static int
path_of(struct conn *c, uint8_t by, uint64_t id, char ret[PATH_MAX_BYTES + 1])
{
	const struct ipc_stat m = {.by = by, .id = id};
	struct text t = text_of(ret, PATH_MAX_BYTES + 1);
	struct ipc_entry e;
	int rc = ring_stat(c->ring, &m, &e);

	if (rc < 0)
		return rc;
	text_add(&t, e.path);
	return t.bad ? SP_EDEPTH : SP_OK;
}

static struct span
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_str(slash != NULL ? slash + 1 : path);
}

/* join - "folder/name"; the root is "/". */
static int
join(char ret[PATH_MAX_BYTES + 1], struct span folder, struct span name)
{
	struct text t = text_of(ret, PATH_MAX_BYTES + 1);

	if (folder.len > 0 && folder.ptr[folder.len - 1] == '/')
		folder.len--;
	text_add(&t, folder);
	text_str(&t, "/");
	text_add(&t, name);
	return t.bad ? SP_EDEPTH : SP_OK;
}

/* begin - the target of the route, and the request's body. */
static int
begin(struct conn *c, uint8_t by, struct moving *ret, json_t **ret_body)
{
	int rc = param_id(c, 0, &ret->id);

	ret->by = by;
	if (rc == SP_OK)
		rc = json_body(c, ret_body);
	return rc == SP_OK ? path_of(c, by, ret->id, ret->path) : rc;
}

/* finish - the broker judges and does it; the reply is what it is now. */
static int
finish(struct conn *c, const struct moving *v)
{
	const struct ipc_rename m = {.by = v->by, .id = v->id, .to = span_str(v->to)};
	struct ipc_entry e;
	struct ipc_entry_rec rec;
	int rc = ring_rename(c->ring, &m, &e);

	if (rc < 0)
		return rc;
	ring_rec_of_entry(&e, &rec);
	reply_begin(c, 200);
	(v->by == BY_FILE ? model_file_details : model_folder_details)(reply_json(c), &rec);
	return reply_send(c);
}

/* FilePatchModel, FolderPatchModel: of their members only the name can be changed. */
static int
patch(struct conn *c, uint8_t by)
{
	DEFER(json_body_done) json_t *body = NULL;
	struct moving v;
	uint8_t buf[256];
	struct span name, old;
	int rc = begin(c, by, &v, &body);

	if (rc == SP_OK && json_member(body, "name") == NULL)
		return reply_problem(c, SP_ENOTIMPL, "only the name can be changed: {\"name\": \"new name\"}");
	if (rc == SP_OK)
		rc = json_member_name(body, "name", buf, &name);
	if (rc < 0)
		return rc;
	old = last_name(v.path);
	rc = join(v.to, span_of(v.path, strlen(v.path) - old.len), name);
	return rc < 0 ? rc : finish(c, &v);
}

/* into - the path of the folder that the body names. */
static int
into(struct conn *c, const json_t *body, uint64_t *ret_id, char ret[PATH_MAX_BYTES + 1])
{
	int rc = json_member_id(body, "destinationFolderId", ret_id);

	return rc < 0 ? rc : path_of(c, BY_FOLDER, *ret_id, ret);
}

/* FileCopyMoveModel, FolderCopyMoveModel */
static int
move(struct conn *c, uint8_t by)
{
	DEFER(json_body_done) json_t *body = NULL;
	char folder[PATH_MAX_BYTES + 1];
	struct moving v;
	uint64_t id;
	int rc = begin(c, by, &v, &body);

	if (rc == SP_OK)
		rc = into(c, body, &id, folder);
	if (rc == SP_OK)
		rc = join(v.to, span_str(folder), last_name(v.path));
	return rc < 0 ? rc : finish(c, &v);
}

int
file_patch(struct conn *c)
{
	return patch(c, BY_FILE);
}

int
folder_patch(struct conn *c)
{
	return patch(c, BY_FOLDER);
}

int
file_move(struct conn *c)
{
	return move(c, BY_FILE);
}

int
folder_move(struct conn *c)
{
	return move(c, BY_FOLDER);
}

/* ---- copies: content under a key of its own ---- */

static int
copy_content(struct source *from, struct put *to)
{
	for (uint64_t at = 0; at < from->size;) {
		struct span s;
		int rc = source_piece(from, at, &s);

		if (rc == SP_OK)
			rc = put_add(to, s);
		if (rc < 0)
			return rc;
		at += s.len;
	}
	return put_finish(to);
}

static int
copy_created(struct conn *c, const struct ipc_entry *e)
{
	struct ipc_entry_rec rec;

	ring_rec_of_entry(e, &rec);
	reply_begin(c, 200); /* as MOVEit: 201 is for uploads */
	reply_field(c, "Location", "/api/v1/files/%llu", (unsigned long long)e->id);
	model_file_details(reply_json(c), &rec);
	return reply_send(c);
}

/* copy_to - a place is asked for first: what may not be stored releases no key. */
static int
copy_to(struct conn *c, const struct ipc_stat *file, uint64_t folder, uint64_t size, struct span name)
{
	DEFER(put_done) struct put put = {.c = c, .placed = {.fd = -1}};
	DEFER(source_done) struct source from = {.c = c, .opened = {.fd = -1}};
	const struct ipc_open open = {.by = BY_FILE, .id = file->id};
	struct ipc_put place = {.by = BY_FOLDER, .id = folder, .name = name, .size = size, .mode = 1};
	struct ipc_entry e;
	int rc = put_init(&put, c, size <= INLINE_MAX);

	if (rc == SP_OK)
		rc = put_taken(c, put_place(&put, &place));
	if (rc == SP_OK)
		rc = source_open(c, &open, &from);
	if (rc == SP_OK && from.size != size)
		rc = SP_ECONFLICT; /* a new version came in between */
	if (rc == SP_OK)
		rc = copy_content(&from, &put);
	if (rc == SP_OK)
		rc = put_taken(c, put_commit(&put, /* checked= */ false, span_of(NULL, 0), &e));
	return rc < 0 ? rc : copy_created(c, &e);
}

int
file_copy(struct conn *c)
{
	DEFER(json_body_done) json_t *body = NULL;
	struct ipc_stat m = {.by = BY_FILE};
	struct ipc_entry e;
	uint8_t name[256];
	uint64_t folder = 0, size;
	size_t len;
	int rc = param_id(c, 0, &m.id);

	if (rc == SP_OK)
		rc = json_body(c, &body);
	if (rc == SP_OK)
		rc = json_member_id(body, "destinationFolderId", &folder);
	if (rc == SP_OK)
		rc = ring_stat(c->ring, &m, &e);
	if (rc < 0)
		return rc;
	len = e.name.len < sizeof(name) ? e.name.len : sizeof(name) - 1;
	memcpy(name, e.name.ptr, len);
	size = e.size;
	return copy_to(c, &m, folder, size, span_of(name, len));
}
