/* store_served.c - what the tree in memory answers. */
#include "rooms/gate/sftp/store_tree.h"

#include "base/text.h"
#include "sys/fd.h"

#include <stdio.h>

/* ---- replies ---- */

static void
say_failed(struct store *s, int err, const char *detail)
{
	struct ipc_failed m = {.err = (uint16_t)-err, .detail = span_str(detail)};

	VERIFY(chan_send_failed(&s->broker, &m, -1) == SP_OK);
}

static void
say_done(struct store *s)
{
	struct ipc_done m = {0};

	VERIFY(chan_send_done(&s->broker, &m, -1) == SP_OK);
}

static void
say_key(struct store *s, uint64_t length, bool fresh)
{
	struct ipc_key m = {.entry = 1,
	    .length = length,
	    .fresh = fresh,
	    .key = span_of(played_key, sizeof(played_key))};

	memcpy(m.blob.b, played_blob, sizeof(m.blob.b));
	VERIFY(chan_send_key(&s->vault, &m, -1) == SP_OK);
}

static struct ipc_entry
entry_of(const struct node *n)
{
	struct ipc_entry e = {.kind = !n->is_folder,
	    .id = n->id,
	    .version = n->version,
	    .size = n->size,
	    .modified_us = n->modified_us,
	    .rights = n->rights,
	    .has_sha256 = n->has_sha256,
	    .name = played_name_of(n->path),
	    .path = span_str(n->path),
	    .owner_name = SPAN_LIT("alice")};

	memcpy(e.sha256.b, n->sha256, 32);
	return e;
}

static void
say_entry(struct store *s, const struct node *n)
{
	struct ipc_entry e = entry_of(n);

	VERIFY(chan_send_entry(&s->broker, &e, -1) == SP_OK);
}

/* ---- requests ---- */

static void
do_self(struct store *s, struct span body)
{
	struct ipc_user u = {.id = 1, .org = 1, .name = SPAN_LIT("alice")};
	struct node *home = played_find(s, SPAN_LIT("/Home/alice"));

	(void)body;
	u.home = home != NULL ? home->id : 0;
	VERIFY(chan_send_user(&s->broker, &u, -1) == SP_OK);
}

static void
do_org_get(struct store *s, struct span body)
{
	struct ipc_org m = {.id = 1, .name = SPAN_LIT("acme")};

	(void)body;
	VERIFY(chan_send_org(&s->broker, &m, -1) == SP_OK);
}

static void
do_stat(struct store *s, struct span body)
{
	struct ipc_stat m;
	struct node *n;

	VERIFY(ipc_get_stat(body, &m) == SP_OK);
	n = played_target(s, m.by, m.id, m.path);
	if (n != NULL) {
		say_entry(s, n);
		return;
	}
	for (size_t i = 0; m.partial && i < PLAYED_UPLOADS; i++) {
		struct pending *u = &s->uploads[i];

		if (u->is_used && u->acked != 0 && span_eq_str(m.path, u->path)) {
			struct ipc_entry e = {.kind = 1,
			    .size = u->acked,
			    .rights = RIGHT_ALL,
			    .modified_us = PLAYED_TIME_US};

			VERIFY(chan_send_entry(&s->broker, &e, -1) == SP_OK);
			return;
		}
	}
	say_failed(s, SP_ENOTFOUND, "");
}

/* Rows of /huge: f1000000 and so on. */
static uint32_t
huge_rows(const struct store *s, const struct ipc_list *m, struct wr *w)
{
	uint64_t from = 1000000;
	uint32_t n = 0;
	char name[20];

	if (m->from == 2) {
		VERIFY(m->after.len == 8 &&
		       parse_u64(span_skip(m->after, 1), 99999999, &from) == SP_OK);
		from++;
	}
	for (; n < m->limit && from + n < 1000000 + s->huge; n++) {
		struct ipc_entry_rec e = {.kind = 1,
		    .id = from + n,
		    .version = 1,
		    .modified_us = PLAYED_TIME_US,
		    .rights = RIGHT_ALL};

		(void)snprintf(name, sizeof(name), "f%07u", (unsigned)(from + n));
		e.name = span_str(name);
		VERIFY(ipc_put_entry_rec(w, &e) == SP_OK);
	}
	return n;
}

/* The next in order behind a row: folders by name, then files by name. */
static const struct node *
next_row(struct store *s, const struct node *folder, uint8_t from, struct span after)
{
	const struct node *best = NULL;

	for (size_t i = 0; i < PLAYED_NODES; i++) {
		const struct node *n = &s->nodes[i];
		char behind[300];
		unsigned rank = n->is_folder ? 1 : 2;

		if (!played_is_in(n, folder) || rank < from)
			continue;
		(void)snprintf(
		    behind, sizeof(behind), "%.*s", (int)after.len, (const char *)after.ptr);
		if (rank == from && strcmp((const char *)played_name_of(n->path).ptr, behind) <= 0)
			continue;
		if (best == NULL || (n->is_folder && !best->is_folder) ||
		    (n->is_folder == best->is_folder && strcmp(n->path, best->path) < 0))
			best = n;
	}
	return best;
}

static void
do_list(struct store *s, struct span body)
{
	static uint8_t buf[61440];
	struct wr w = wr_of(buf, sizeof(buf));
	struct ipc_entries page = {0};
	struct ipc_list m;
	struct node *folder;

	VERIFY(ipc_get_list(body, &m) == SP_OK && m.from != 0);
	folder = played_target(s, m.by, m.id, m.path);
	if (folder == NULL || (folder->rights & RIGHT_LIST) == 0) {
		say_failed(s, folder == NULL ? SP_ENOTFOUND : SP_EPERM, "");
		return;
	}
	if (strcmp(folder->path, "/huge") == 0)
		page.count = huge_rows(s, &m, &w);
	else
		while (page.count < m.limit) {
			const struct node *n = next_row(s, folder, m.from, m.after);
			struct ipc_entry e;
			struct ipc_entry_rec rec;

			if (n == NULL)
				break;
			e = entry_of(n);
#define F(type, name, max) rec.name = e.name;
			IPC_ENTRY(F)
#undef F
			VERIFY(ipc_put_entry_rec(&w, &rec) == SP_OK);
			m.from = n->is_folder ? 1 : 2;
			m.after = played_name_of(n->path);
			page.count++;
		}
	page.rows = wr_span(&w);
	VERIFY(chan_send_entries(&s->broker, &page, -1) == SP_OK);
}

static void
say_inline(struct store *s, const struct node *n)
{
	static uint8_t ct[INLINE_CT_MAX];
	struct ipc_entry e = entry_of(n);
	struct ipc_file_inline m = {0};
	size_t len = 0;

	VERIFY(blob_inline_seal(played_key, played_blob, span_of(n->plain, n->size), ct, sizeof(ct),
		   &len) == SP_OK);
	memcpy(m.blob.b, played_blob, 16);
	m.content = span_of(ct, len);
#define F(type, name, max) m.name = e.name;
	IPC_ENTRY(F)
	VERIFY(chan_send_file_inline(&s->broker, &m, -1) == SP_OK);
	say_key(s, n->is_lied ? n->size + 1 : n->size, false);
}

static void
say_blob(struct store *s, struct node *n, uint64_t offset)
{
	struct ipc_entry e = entry_of(n);
	struct ipc_file_open m = {
	    .length = n->size, .blob_length = n->size, .segment = PLAYED_SEGMENT};
	uint64_t half = n->size / 2 + 1000;

	if (n->fd < 0)
		played_make_blob(n);
	if (n->is_split) {
		m.start = m.blob_offset = offset < half ? 0 : half;
		m.length = offset < half ? half : n->size - half;
	}
	memcpy(m.blob.b, played_blob, 16);
	IPC_ENTRY(F)
#undef F
	VERIFY(chan_send_file_open(&s->broker, &m, n->fd) == SP_OK);
	say_key(s, n->is_lied && m.start != 0 ? n->size + 1 : n->size, false);
}

static void
do_open(struct store *s, struct span body)
{
	struct ipc_open m;
	struct node *n;

	VERIFY(ipc_get_open(body, &m) == SP_OK);
	n = played_target(s, m.by, m.id, m.path);
	if (n == NULL || (m.version != 0 && m.version != n->version))
		say_failed(s, SP_ENOTFOUND, "");
	else if (n->is_folder)
		say_failed(s, SP_EISFOLDER, "");
	else if ((n->rights & RIGHT_READ) == 0)
		say_failed(s, SP_EPERM, "you may not read in this folder");
	else if (n->size <= INLINE_MAX && n->fd < 0)
		say_inline(s, n);
	else
		say_blob(s, n, m.offset);
}

static void
do_damaged(struct store *s, struct span body)
{
	VERIFY(ipc_get_damaged(body, &s->damaged) == SP_OK);
	say_done(s);
}

static struct pending *
new_upload(struct store *s, struct span path)
{
	unsigned open = 1;
	struct pending *u = NULL;

	for (size_t i = 0; i < PLAYED_UPLOADS; i++) {
		open += s->uploads[i].is_used;
		if (!s->uploads[i].is_used && u == NULL)
			u = &s->uploads[i];
	}
	VERIFY(u != NULL && path.len < sizeof(u->path));
	if (open > s->max_open)
		s->max_open = open;
	*u = (struct pending){.is_used = true, .id = ++s->last_id, .fd = -1};
	memcpy(u->path, path.ptr, path.len);
	return u;
}

static void
drop_upload(struct pending *u)
{
	close_fd(&u->fd);
	*u = (struct pending){.fd = -1};
}

static int
check_put(struct store *s, const struct ipc_put *m)
{
	struct node *n = played_find(s, m->path),
		    *folder = played_find(s, played_parent_of(m->path));

	if (folder == NULL)
		return SP_ENOTFOUND;
	if ((folder->rights & RIGHT_WRITE) == 0)
		return SP_EPERM;
	if (n != NULL && n->is_folder)
		return SP_EISFOLDER;
	if (n != NULL && m->mode == 1)
		return SP_EPRECOND;
	if (m->mode == 2 && (n == NULL || n->version != m->match))
		return SP_EPRECOND;
	return m->size != UINT64_MAX && m->size > s->quota ? SP_EQUOTA : SP_OK;
}

static void
do_put(struct store *s, struct span body)
{
	struct ipc_upload up = {.segment = PLAYED_SEGMENT};
	struct ipc_upload_small small = {0};
	struct pending *u;
	struct ipc_put m;
	int err;

	VERIFY(ipc_get_put(body, &m) == SP_OK);
	err = check_put(s, &m);
	if (err < 0) {
		say_failed(s, err, "");
		return;
	}
	u = new_upload(s, m.path);
	u->is_small = m.small != 0;
	u->mode = m.mode;
	u->match = m.match;
	u->limit = m.size != UINT64_MAX ? m.size : s->quota;
	if (u->is_small && u->limit > INLINE_MAX)
		u->limit = INLINE_MAX;
	if (u->is_small) {
		small = (struct ipc_upload_small){.upload = u->id, .limit = u->limit};
		memcpy(small.blob.b, played_blob, 16);
		VERIFY(chan_send_upload_small(&s->broker, &small, -1) == SP_OK);
	} else {
		u->fd = played_scratch();
		up.upload = u->id;
		up.limit = u->limit;
		memcpy(up.blob.b, played_blob, 16);
		VERIFY(chan_send_upload(&s->broker, &up, u->fd) == SP_OK);
	}
	say_key(s, u->limit, true);
}

static void
commit_content(struct node *n, const struct pending *u, const struct ipc_commit *m)
{
	uint8_t *plain;
	uint8_t proof[32], sha[32];
	size_t len = 0;

	VERIFY(seal_proof(played_key, played_blob, m->size, proof) == SP_OK &&
	       memcmp(proof, m->proof.b, 32) == 0);
	if (u->is_small) {
		plain = mem_alloc(INLINE_MAX);
		VERIFY(plain != NULL &&
		       blob_inline_open(
			   played_key, played_blob, m->content, plain, INLINE_MAX, &len) == SP_OK &&
		       len == m->size);
	} else {
		plain = played_read_blob(u->fd, (size_t)m->size);
	}
	VERIFY(sha256(span_of(plain, (size_t)m->size), sha) == SP_OK);
	VERIFY(!m->has_sha256 || memcmp(sha, m->sha256.b, 32) == 0);
	VERIFY(!m->has_sha256 || crc32_add(0, span_of(plain, (size_t)m->size)) == m->crc32);
	played_set_content(n, plain, (size_t)m->size);
	n->has_sha256 = m->has_sha256;
	mem_free(plain);
}

static void
do_commit(struct store *s, struct span body)
{
	struct ipc_commit m;
	struct pending *u;
	struct node *n;

	VERIFY(ipc_get_commit(body, &m) == SP_OK);
	u = played_upload_by_id(s, m.upload);
	VERIFY(u != NULL && m.size <= u->limit);
	n = played_find(s, span_str(u->path));
	if ((u->mode == 1 && n != NULL) ||
	    (u->mode == 2 && (n == NULL || n->version != u->match))) {
		drop_upload(u);
		say_failed(s, SP_EPRECOND, "");
		return;
	}
	if (n == NULL)
		n = played_add(s, u->path, false);
	commit_content(n, u, &m);
	n->version = ++s->last_id;
	n->modified_us = m.modified_us != 0 ? m.modified_us : PLAYED_TIME_US;
	(void)snprintf(
	    n->agent, sizeof(n->agent), "%.*s", (int)m.agent.len, (const char *)m.agent.ptr);
	drop_upload(u);
	say_entry(s, n);
}

static void
do_abort(struct store *s, struct span body)
{
	struct ipc_abort m;
	struct pending *u;

	VERIFY(ipc_get_abort(body, &m) == SP_OK);
	u = played_upload_by_id(s, m.upload);
	VERIFY(u != NULL);
	drop_upload(u);
	say_done(s);
}

static void
do_progress(struct store *s, struct span body)
{
	struct ipc_progress m;
	struct pending *u;

	VERIFY(ipc_get_progress(body, &m) == SP_OK);
	u = played_upload_by_id(s, m.upload);
	VERIFY(u != NULL && !u->is_small && m.acked >= u->acked);
	u->acked = m.acked;
	say_done(s);
}

static void
do_resume(struct store *s, struct span body)
{
	struct ipc_upload_resumed up = {.segment = PLAYED_SEGMENT};
	struct ipc_resume m;

	VERIFY(ipc_get_resume(body, &m) == SP_OK);
	for (size_t i = 0; i < PLAYED_UPLOADS; i++) {
		struct pending *u = &s->uploads[i];

		if (!u->is_used || u->acked == 0 || !span_eq_str(m.path, u->path))
			continue;
		up.upload = u->id;
		up.limit = u->limit;
		up.acked = u->acked;
		memcpy(up.blob.b, played_blob, 16);
		VERIFY(chan_send_upload_resumed(&s->broker, &up, u->fd) == SP_OK);
		say_key(s, u->limit, false);
		return;
	}
	say_failed(s, SP_ENOTFOUND, "");
}

static void
do_folder_make(struct store *s, struct span body)
{
	struct ipc_folder_make m;
	char path[300];

	VERIFY(ipc_get_folder_make(body, &m) == SP_OK && m.by == BY_PATH && m.name.len == 0);
	(void)snprintf(path, sizeof(path), "%.*s", (int)m.path.len, (const char *)m.path.ptr);
	if (played_find(s, m.path) != NULL)
		say_failed(s, SP_EEXISTS, "");
	else if (played_find(s, played_parent_of(m.path)) == NULL)
		say_failed(s, SP_ENOTFOUND, "");
	else
		say_entry(s, played_add(s, path, true));
}

static void
do_remove(struct store *s, struct span body)
{
	struct ipc_remove m;
	struct node *n;
	int err = SP_OK;

	VERIFY(ipc_get_remove(body, &m) == SP_OK);
	n = played_target(s, m.by, m.id, m.path);
	if (n == NULL)
		err = SP_ENOTFOUND;
	else if (m.kind == 1 && n->is_folder)
		err = SP_EISFOLDER;
	else if (m.kind == 3 && !n->is_folder)
		err = SP_ENOTFOLDER;
	for (size_t i = 0; err == SP_OK && m.kind == 3 && i < PLAYED_NODES; i++)
		if (played_is_in(&s->nodes[i], n))
			err = SP_ENOTEMPTY;
	if (err < 0) {
		say_failed(s, err, "");
		return;
	}
	played_drop(n);
	say_done(s);
}

static void
do_rename(struct store *s, struct span body)
{
	struct ipc_rename m;
	struct node *n, *to;

	VERIFY(ipc_get_rename(body, &m) == SP_OK);
	n = played_target(s, m.by, m.id, m.path);
	to = played_find(s, m.to);
	if (n == NULL || (to != NULL && !m.replace)) {
		say_failed(s, n == NULL ? SP_ENOTFOUND : SP_EEXISTS, "");
		return;
	}
	if (to != NULL)
		played_drop(to);
	(void)snprintf(n->path, sizeof(n->path), "%.*s", (int)m.to.len, (const char *)m.to.ptr);
	say_entry(s, n);
}

static void
do_touch(struct store *s, struct span body)
{
	struct ipc_touch m;
	struct node *n;

	VERIFY(ipc_get_touch(body, &m) == SP_OK);
	n = played_target(s, m.by, m.id, m.path);
	if (n == NULL) {
		say_failed(s, SP_ENOTFOUND, "");
		return;
	}
	n->modified_us = m.modified_us;
	say_done(s);
}

static void
do_space(struct store *s, struct span body)
{
	struct ipc_space_left left = {.total = 1u << 30, .free = 1u << 20, .files = 1000};
	struct ipc_space m;

	VERIFY(ipc_get_space(body, &m) == SP_OK);
	if (played_target(s, m.by, m.id, m.path) == NULL)
		say_failed(s, SP_ENOTFOUND, "");
	else
		VERIFY(chan_send_space_left(&s->broker, &left, -1) == SP_OK);
}

/* ---- the thread ---- */

static void
serve(struct store *s, uint16_t id, struct span body)
{
	static const struct {
		uint16_t id;
		void (*fn)(struct store *s, struct span body);
	} table[] = {{IPC_SELF, do_self}, {IPC_ORG_GET, do_org_get}, {IPC_STAT, do_stat},
	    {IPC_LIST, do_list}, {IPC_OPEN, do_open}, {IPC_DAMAGED, do_damaged}, {IPC_PUT, do_put},
	    {IPC_COMMIT, do_commit}, {IPC_ABORT, do_abort}, {IPC_PROGRESS, do_progress},
	    {IPC_RESUME, do_resume}, {IPC_FOLDER_MAKE, do_folder_make}, {IPC_REMOVE, do_remove},
	    {IPC_RENAME, do_rename}, {IPC_TOUCH, do_touch}, {IPC_SPACE, do_space}};

	VERIFY(s->n_asked < PLAYED_ASKED);
	s->asked[s->n_asked++] = id;
	if (s->fail_id == id) {
		s->fail_id = 0;
		say_failed(s, s->fail_err, "as the test wants");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].id == id) {
			table[i].fn(s, body);
			return;
		}
	VERIFY(false); /* a request that the server should know */
}

void *
store_run(void *store)
{
	struct store *s = store;
	static uint8_t buf[IPC_MAX];
	struct chan_msg m;

	while (chan_recv(&s->broker, PH_ANY, true, buf, sizeof(buf), &m) == 1) {
		serve(s, m.id, m.body);
		chan_msg_done(&m);
	}
	return NULL;
}

void
store_done(struct store *s)
{
	for (size_t i = 0; i < PLAYED_NODES; i++)
		if (s->nodes[i].is_used)
			played_drop(&s->nodes[i]);
	for (size_t i = 0; i < PLAYED_UPLOADS; i++)
		if (s->uploads[i].is_used)
			drop_upload(&s->uploads[i]);
	chan_close(&s->broker);
	chan_close(&s->vault);
}
