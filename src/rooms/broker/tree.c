/* tree.c - rows of folders, files and versions; paths; targets as a caller sees them. */
#include "rooms/broker/tree.h"

#include "base/text.h"

int
folder_get(struct db *db, int64_t id, struct folder *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_FOLDER_BY_ID, SI(id));
	int err = sql_step(&q);

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->org = sql_i64(&q);
	ret->parent = sql_i64(&q);
	sql_text_of(&q, ret->name, sizeof(ret->name));
	ret->inherit = sql_i64(&q) != 0;
	ret->type = (uint8_t)(sql_i64(&q) & 15);
	ret->system = sql_i64(&q) != 0;
	ret->owner = sql_i64(&q);
	ret->quota = sql_i64(&q);
	ret->files = sql_i64(&q);
	ret->folders = sql_i64(&q);
	ret->bytes = sql_i64(&q);
	ret->created_us = sql_i64(&q);
	ret->modified_us = sql_i64(&q);
	return 1;
}

int
file_get(struct db *db, int64_t id, struct file *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_FILE_BY_ID, SI(id));
	int err = sql_step(&q);

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->org = sql_i64(&q);
	ret->folder = sql_i64(&q);
	sql_text_of(&q, ret->name, sizeof(ret->name));
	ret->version = sql_i64(&q);
	ret->size = sql_i64(&q);
	ret->created_us = sql_i64(&q);
	ret->modified_us = sql_i64(&q);
	ret->downloads = sql_i64(&q);
	return 1;
}

int
version_get(struct db *db, int64_t id, struct version *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_VERSION_BY_ID, SI(id));
	struct span sha256;
	int err = sql_step(&q);

	if (err != 1)
		return err;
	ret->id = sql_i64(&q);
	ret->file = sql_i64(&q);
	ret->org = sql_i64(&q);
	ret->size = sql_i64(&q);
	sha256 = sql_blob(&q);
	ret->has_sha256 = sha256.len == sizeof(ret->sha256);
	memset(ret->sha256, 0, sizeof(ret->sha256));
	if (ret->has_sha256)
		memcpy(ret->sha256, sha256.ptr, sizeof(ret->sha256));
	ret->crc32 = (uint32_t)sql_i64(&q);
	ret->created_us = sql_i64(&q);
	ret->entry = sql_i64(&q);
	ret->uploader = sql_i64(&q);
	sql_text_of(&q, ret->address, sizeof(ret->address));
	sql_text_of(&q, ret->agent, sizeof(ret->agent));
	sql_text_of(&q, ret->comment, sizeof(ret->comment));
	ret->checked = sql_i64(&q) != 0;
	ret->damaged = sql_i64(&q);
	return 1;
}

/* ---- paths ---- */

/* written from the end of buf forwards to its beginning, then moved */
int
folder_path(struct db *db, int64_t id, char *buf, size_t cap, unsigned *ret_depth)
{
	size_t at = cap - 1;
	unsigned depth = 0;

	buf[at] = '\0';
	for (;;) {
		DEFER(sql_end) struct sql q = sql_query(db, SQL_FOLDER_UP, SI(id));
		struct span name;
		int err = sql_step(&q);

		if (err != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		id = sql_i64(&q);
		if (id == 0)
			break;
		(void)sql_i64(&q);
		name = sql_text(&q);
		if (name.len + 1 > at || ++depth > PATH_MAX_DEPTH)
			return SP_EDEPTH;
		at -= name.len;
		memcpy(buf + at, name.ptr, name.len);
		buf[--at] = '/';
	}
	if (depth == 0)
		buf[--at] = '/';
	memmove(buf, buf + at, cap - at);
	if (ret_depth != NULL)
		*ret_depth = depth;
	return SP_OK;
}

int
version_path(struct db *db, const struct version *v, char *buf, size_t cap)
{
	char folder[PATH_MAX_BYTES + 1];
	struct file file;
	struct text t = text_of(buf, cap);
	int err = file_get(db, v->file, &file);

	if (err == 1) {
		err = folder_path(db, file.folder, folder, sizeof(folder), NULL);
		return err == SP_OK ? path_join(folder, span_str(file.name), buf, cap) : err;
	}
	text_str(&t, "(deleted)");
	return err;
}

int
path_join(const char *folder, struct span name, char *buf, size_t cap)
{
	size_t len = strlen(folder);

	if (len == 1)
		len = 0; /* the root: its slash comes next */
	if (len + 1 + name.len > PATH_MAX_BYTES || len + 1 + name.len + 1 > cap)
		return SP_EDEPTH;
	memmove(buf, folder, len);
	buf[len++] = '/';
	memcpy(buf + len, name.ptr, name.len);
	buf[len + name.len] = '\0';
	return SP_OK;
}

int
folder_chain(struct db *db, int64_t id, int64_t *ret, size_t *ret_n)
{
	size_t n = 0;

	while (id != 0) {
		DEFER(sql_end) struct sql q = sql_query(db, SQL_FOLDER_UP, SI(id));
		int err = sql_step(&q);

		if (err != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		if (n == PATH_MAX_DEPTH + 2)
			return SP_EDEPTH;
		ret[n++] = id;
		id = sql_i64(&q);
	}
	*ret_n = n;
	return SP_OK;
}

int
folder_account(struct db *db, int64_t id, int64_t delta)
{
	int64_t chain[PATH_MAX_DEPTH + 2];
	size_t n = 0;
	int err = folder_chain(db, id, chain, &n);

	for (size_t i = 0; i < n && err == SP_OK && delta != 0; i++)
		err = sql_run(db, SQL_FOLDER_USE, SI(chain[i]), SI(delta));
	return err;
}

/* ---- targets ---- */

/* All names are judged before any is looked up: a name that cannot be must not tell whether what
 * stands before it is there. */
static int
names_check(struct span path)
{
	char buf[NAME_MAX_BYTES + 1];
	struct span name, normal;
	int err;

	while ((err = path_next(&path, &name)) == 1)
		if ((err = name_normal(name, buf, sizeof(buf), &normal)) != SP_OK)
			return err;
	return err;
}

/* the folder or file at a path; a file can only be its last name */
static int
walk_path(struct db *db, int64_t org, struct span path, int64_t *ret_folder, int64_t *ret_file)
{
	int64_t folder = 0, file = 0;
	struct span name;
	int err = path_check(path);

	if (err != SP_OK || (err = names_check(path)) != SP_OK)
		return err;
	if ((err = sql_get(db, SQL_FOLDER_ROOT, &folder, SI(org))) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	while ((err = path_next(&path, &name)) == 1) {
		char buf[NAME_MAX_BYTES + 1];
		struct span normal;
		int64_t next = 0;

		if (file != 0)
			return SP_ENOTFOUND;
		if ((err = name_normal(name, buf, sizeof(buf), &normal)) != SP_OK)
			return err;
		if ((err = sql_get(db, SQL_FOLDER_CHILD, &next, SI(folder), ST(normal))) < 0)
			return err;
		if (err == 1)
			folder = next;
		else if ((err = sql_get(db, SQL_FILE_CHILD, &file, SI(folder), ST(normal))) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
	}
	*ret_folder = folder;
	*ret_file = file;
	return err;
}

static int
find_ids(struct db *db, const struct access *a, uint8_t by, int64_t id, struct span path,
    int64_t *ret_folder, int64_t *ret_file)
{
	char buf[NAME_MAX_BYTES + 1];
	struct span normal;
	int err;

	*ret_folder = id;
	*ret_file = 0;
	if (by == BY_PATH)
		return walk_path(db, a->org, path, ret_folder, ret_file);
	if (by == BY_FILE) {
		*ret_file = id;
		*ret_folder = 0;
		return SP_OK;
	}
	if (by == BY_FOLDER && id == 0) {
		err = sql_get(db, SQL_FOLDER_ROOT, ret_folder, SI(a->org));
		return err == 1 ? SP_OK : err < 0 ? err : SP_ENOTFOUND;
	}
	if (by == BY_FOLDER)
		return SP_OK;
	if ((err = name_normal(path, buf, sizeof(buf), &normal)) != SP_OK)
		return err;
	if ((err = sql_get(db, SQL_FILE_CHILD, ret_file, SI(id), ST(normal))) != 0)
		return err < 0 ? err : SP_OK;
	err = sql_get(db, SQL_FOLDER_CHILD, ret_folder, SI(id), ST(normal));
	return err == 1 ? SP_OK : err < 0 ? err : SP_ENOTFOUND;
}

/* A file is seen by who may read, list or delete files where it lies; its folder by access_sees. */
static bool
is_seen(const struct access *a, const struct node *n)
{
	if (n->folder.org != a->org)
		return false;
	if (n->is_file)
		return (n->rights & (RIGHT_READ | RIGHT_LIST | RIGHT_DELETE)) != 0;
	return access_sees(a, n->folder.id, n->rights) == 1;
}

static int
load_node(struct db *db, const struct access *a, int64_t folder, int64_t file, struct node *ret)
{
	char base[PATH_MAX_BYTES + 1];
	int err;

	ret->is_file = file != 0;
	if (file != 0) {
		if ((err = file_get(db, file, &ret->file)) != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		folder = ret->file.folder;
	}
	if ((err = folder_get(db, folder, &ret->folder)) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	if ((err = access_rights(db, a, folder, &ret->rights)) != SP_OK)
		return err;
	if (!is_seen(a, ret))
		return SP_ENOTFOUND;
	if (file == 0)
		return folder_path(db, folder, ret->path, sizeof(ret->path), NULL);
	if ((err = folder_path(db, folder, base, sizeof(base), NULL)) != SP_OK)
		return err;
	return path_join(base, span_str(ret->file.name), ret->path, sizeof(ret->path));
}

int
node_find(struct db *db, const struct access *a, uint8_t by, int64_t id, struct span path,
    struct node *ret)
{
	int64_t folder = 0, file = 0;
	int err = find_ids(db, a, by, id, path, &folder, &file);

	return err == SP_OK ? load_node(db, a, folder, file, ret) : err;
}

/* "/a/b/c" into "/a/b" and "c" */
static int
split_path(struct span path, struct span *ret_folder, struct span *ret_name)
{
	size_t end = path.len, begin;
	int err = path_check(path);

	if (err != SP_OK)
		return err;
	while (end > 1 && path.ptr[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path.ptr[begin - 1] != '/';)
		begin--;
	*ret_name = span_cut(span_skip(path, begin), end - begin);
	*ret_folder = span_cut(path, begin);
	return ret_name->len != 0 ? SP_OK : SP_EEXISTS; /* "/" itself */
}

int
place_find(struct db *db, const struct access *a, uint8_t by, int64_t id, struct span path,
    struct span name, struct place *ret)
{
	int64_t folder = 0, file = 0;
	char base[PATH_MAX_BYTES + 1];
	struct span normal;
	struct node n;
	int err;

	if (name.len == 0 && by != BY_PATH)
		return SP_ENAME;
	if (name.len == 0 && (err = split_path(path, &path, &name)) != SP_OK)
		return err;
	if ((err = find_ids(db, a, by, id, path, &folder, &file)) != SP_OK)
		return err;
	if (file != 0)
		return SP_ENOTFOUND;
	if ((err = load_node(db, a, folder, 0, &n)) != SP_OK ||
	    (err = name_normal(name, ret->name, sizeof(ret->name), &normal)) != SP_OK ||
	    (err = folder_path(db, folder, base, sizeof(base), &ret->depth)) != SP_OK ||
	    (err = path_join(base, normal, ret->path, sizeof(ret->path))) != SP_OK)
		return err;
	if (++ret->depth > PATH_MAX_DEPTH)
		return SP_EDEPTH;
	ret->folder = n.folder;
	ret->rights = n.rights;
	ret->file = ret->child = 0;
	if ((err = sql_get(db, SQL_FILE_CHILD, &ret->file, SI(folder), ST(normal))) < 0 ||
	    (err = sql_get(db, SQL_FOLDER_CHILD, &ret->child, SI(folder), ST(normal))) < 0)
		return err;
	return SP_OK;
}

/* ---- entries ---- */

static int
fill_owner(struct db *db, int64_t user, struct entry *e)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_USER_NAME, SI(user));
	int err;

	e->owner_name[0] = e->owner_full_name[0] = '\0';
	if (user == 0)
		return SP_OK;
	if ((err = sql_step(&q)) == 1) {
		sql_text_of(&q, e->owner_name, sizeof(e->owner_name));
		sql_text_of(&q, e->owner_full_name, sizeof(e->owner_full_name));
	}
	e->m.owner = (uint64_t)user;
	e->m.owner_name = span_str(e->owner_name);
	e->m.owner_full_name = span_str(e->owner_full_name);
	return err < 0 ? err : SP_OK;
}

static int
fill_file(struct db *db, const struct node *n, struct entry *e)
{
	const struct version *v = &e->version;
	struct ipc_entry *m = &e->m;
	int err = version_get(db, n->file.version, &e->version);

	if (err != 1)
		return err < 0 ? err : SP_EDAMAGED;
	m->kind = 1;
	m->id = (uint64_t)n->file.id;
	m->parent = (uint64_t)n->file.folder;
	m->name = span_str(n->file.name);
	m->size = (uint64_t)n->file.size;
	m->created_us = (uint64_t)n->file.created_us;
	m->modified_us = (uint64_t)n->file.modified_us;
	m->version = (uint64_t)v->id;
	m->has_sha256 = v->has_sha256;
	memcpy(m->sha256.b, v->sha256, sizeof(m->sha256.b));
	m->crc32 = v->crc32;
	m->downloads = (uint32_t)n->file.downloads;
	m->comment = span_str(v->comment);
	m->upload_address = span_cut(span_str(v->address), 64);
	m->upload_agent = span_str(v->agent);
	m->checked = v->checked;
	return fill_owner(db, v->uploader, e);
}

static int
fill_folder(struct db *db, const struct node *n, struct entry *e)
{
	const struct folder *f = &n->folder;
	struct ipc_entry *m = &e->m;
	int64_t users = 0, groups = 0;
	int err;

	if ((err = sql_get(db, SQL_ACL_COUNT, &users, SI(f->id), SI(SUBJECT_USER))) < 0 ||
	    (err = sql_get(db, SQL_ACL_COUNT, &groups, SI(f->id), SI(SUBJECT_GROUP))) < 0)
		return err;
	m->id = (uint64_t)f->id;
	m->parent = (uint64_t)f->parent;
	m->name = span_str(f->name);
	m->created_us = (uint64_t)f->created_us;
	m->modified_us = (uint64_t)f->modified_us;
	m->type = f->type;
	m->shared = users + groups != 0;
	m->shared_users = (uint32_t)users;
	m->shared_groups = (uint32_t)groups;
	m->inherit = f->inherit;
	/* how much is in it is for who may list it */
	if ((n->rights & RIGHT_LIST) != 0) {
		m->folders = (uint32_t)f->folders;
		m->files = (uint32_t)f->files;
		m->size = m->used = (uint64_t)f->bytes;
	}
	m->quota = (uint64_t)f->quota;
	return fill_owner(db, f->owner, e);
}

int
entry_of(struct db *db, const struct node *n, struct entry *ret)
{
	struct ipc_entry *m = &ret->m;

	memset(m, 0, sizeof(*m));
	m->org = (uint64_t)n->folder.org;
	m->path = span_str(n->path);
	m->rights = n->rights;
	m->name = m->owner_name = m->owner_full_name = m->comment = m->upload_address =
	    m->upload_agent = span_of(NULL, 0);
	return n->is_file ? fill_file(db, n, ret) : fill_folder(db, n, ret);
}

int
entry_reply(struct broker *b, uint64_t serial, const struct node *n, bool created)
{
	struct entry e;
	int err = entry_of(b->db, n, &e);

	if (err != SP_OK)
		return err;
	e.m.created = created;
	REPLY(b, serial, ENTRY, entry, &e.m, -1);
	return SP_OK;
}
