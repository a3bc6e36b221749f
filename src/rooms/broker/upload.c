/* upload.c - uploads that are open: names that are locked, what quotas leave, who writes what. */
#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "rooms/broker/tree.h"
#include "sys/log.h"

#define UPLOAD_SPARE (1u << 20) /* tail slots */

/* ---- names that are about to change ---- */

int
lock_name(struct broker *b, struct name_lock *l, int64_t folder, struct span name)
{
	for (const struct name_lock *o = b->locks; o != NULL; o = o->next)
		if (o->folder == folder && span_eq_str(name, o->name))
			return SP_ECONFLICT;
	VERIFY(name.len < sizeof(l->name));
	l->folder = folder;
	memcpy(l->name, name.ptr, name.len);
	l->name[name.len] = '\0';
	l->next = b->locks;
	b->locks = l;
	return SP_OK;
}

void
unlock_name(struct broker *b, struct name_lock *l)
{
	for (struct name_lock **p = &b->locks; *p != NULL; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

/* ---- quotas ---- */

static uint64_t
reserved_by(
    const struct broker *b, const struct upload *except, int64_t user, int64_t org, int64_t folder)
{
	uint64_t sum = 0;

	for (const struct upload *u = b->uploads; u != NULL; u = u->next) {
		bool hit = (user != 0 && u->user == user) || (org != 0 && u->org == org);

		for (size_t i = 0; i < u->n_chain && folder != 0 && !hit; i++)
			hit = u->chain[i] == folder;
		if (hit && u != except)
			sum += u->reserved;
	}
	return sum;
}

static void
cap_by(struct room_left *left, int64_t quota, int64_t used, uint64_t reserved)
{
	uint64_t taken = (uint64_t)used + reserved;

	if (quota == 0)
		return;
	if ((uint64_t)quota < left->total)
		left->total = (uint64_t)quota;
	if ((uint64_t)quota <= taken)
		left->free = 0;
	else if ((uint64_t)quota - taken < left->free)
		left->free = (uint64_t)quota - taken;
}

int
quota_left(struct broker *b, int64_t user, int64_t org, const int64_t *chain, size_t n_chain,
    const struct upload *except, struct room_left *ret)
{
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_USER_QUOTA, SI(user));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ESESSION;
		int64_t quota = sql_i64(&q), used = sql_i64(&q);
		cap_by(ret, quota, used, quota != 0 ? reserved_by(b, except, user, 0, 0) : 0);
	}
	{
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_ORG_BY_ID, SI(org));

		if ((err = sql_step(&q)) != 1)
			return err < 0 ? err : SP_ENOORG;
		(void)sql_i64(&q), (void)sql_text(&q), (void)sql_i64(&q), (void)sql_i64(&q);
		int64_t quota = sql_i64(&q), used = sql_i64(&q);
		cap_by(ret, quota, used, quota != 0 ? reserved_by(b, except, 0, org, 0) : 0);
	}
	return folders_left(b, chain, n_chain, except, ret);
}

int
folders_left(struct broker *b, const int64_t *chain, size_t n_chain, const struct upload *except,
    struct room_left *ret)
{
	for (size_t i = 0; i < n_chain; i++) {
		struct folder f;
		int err = folder_get(b->db, chain[i], &f);

		if (err != 1)
			return err < 0 ? err : SP_ENOTFOUND;
		cap_by(
		    ret, f.quota, f.bytes, f.quota != 0 ? reserved_by(b, except, 0, 0, f.id) : 0);
	}
	return SP_OK;
}

int
upload_left(struct broker *b, int64_t user, int64_t org, const int64_t *chain, size_t n_chain,
    const struct upload *except, uint64_t *ret)
{
	struct room_left left = {.free = (uint64_t)b->start.conf.body_max, .total = UINT64_MAX};
	int err = quota_left(b, user, org, chain, n_chain, except, &left);

	if (err == SP_OK)
		*ret = left.free;
	return err;
}

/* ---- the list of uploads ---- */

struct upload *
upload_new(struct broker *b)
{
	struct upload *u = mem_alloc(sizeof(*u));

	if (u == NULL)
		return NULL;
	if ((u->next = b->uploads) != NULL)
		b->uploads->prev = u;
	b->uploads = u;
	b->n_uploads++;
	return u;
}

struct upload *
upload_find(const struct broker *b, int64_t id)
{
	struct upload *u = b->uploads;

	while (u != NULL && u->id != id)
		u = u->next;
	return u;
}

bool
upload_has_blob(const struct broker *b, const uint8_t blob[16])
{
	for (const struct upload *u = b->uploads; u != NULL; u = u->next)
		if (memcmp(u->blob, blob, sizeof(u->blob)) == 0)
			return true;
	return false;
}

struct upload *
upload_of(const struct worker *w, uint64_t id)
{
	struct upload *u = w->uploads;

	while (u != NULL && u->id != (int64_t)id)
		u = u->sibling;
	return u;
}

void
upload_give(struct worker *w, struct upload *u)
{
	u->serial = w->serial;
	u->sibling = w->uploads;
	w->uploads = u;
	w->n_uploads++;
}

void
upload_take(struct broker *b, struct upload *u)
{
	struct worker *w = worker_find(b, u->serial);

	if (w == NULL)
		return;
	for (struct upload **p = &w->uploads; *p != NULL; p = &(*p)->sibling)
		if (*p == u) {
			*p = u->sibling;
			u->sibling = NULL;
			w->n_uploads--;
			return;
		}
}

void
upload_forget(struct broker *b, struct upload *u)
{
	upload_take(b, u);
	if (u->is_kept)
		b->n_kept--;
	if (u->prev != NULL)
		u->prev->next = u->next;
	else
		b->uploads = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
	b->n_uploads--;
	mem_wipe(u, sizeof(*u));
	mem_free(u);
}

void
upload_scrap(struct broker *b, struct upload *u)
{
	struct worker *w = worker_find(b, u->serial);
	bool is_left = !u->is_small && blobfile_left(b, u->blob);

	if (!u->is_small)
		blobfile_remove(b, u->blob);
	if (u->has_row && sql_run(b->db, SQL_UPLOAD_REMOVE, SI(u->id)) != SP_OK)
		log_warning("the row of an upload could not be removed");
	b->count.aborted++;
	upload_forget(b, u);
	/* it kept a descriptor, and with it the disk that no name counts any more */
	if (is_left && w != NULL)
		worker_violation(b, w, IPC_UPLOAD, SP_ECONFLICT);
}

void
upload_drop(struct broker *b, struct upload *u, const struct actor *actor, const char *why)
{
	struct record rec;

	record_init(&rec, EVENT_UPLOAD_ABORTED, actor, u->serial);
	rec.path = span_str(u->path);
	record_num(&rec, "upload", u->id);
	record_text(&rec, "reason", span_str(why));
	ledger_note(b, &rec);
	upload_scrap(b, u);
}

void
uploads_lost(struct broker *b, struct worker *w)
{
	/* those that are on their way into the log and the database are finished there */
	while (w->uploads != NULL) {
		struct upload *u = w->uploads;

		upload_take(b, u);
		if (u->acked != 0 || u->tag != 0)
			upload_keep(b, u, &w->actor);
		else
			upload_drop(b, u, &w->actor, "the connection ended");
	}
}

bool
upload_exceeds(struct broker *b, const struct upload *u, uint64_t bytes)
{
	uint64_t most = floe_ciphertext_len(bytes, b->segment) + UPLOAD_SPARE;

	return !u->is_small && blobfile_size(b, u->blob) > most;
}

bool
upload_is_over(struct broker *b, const struct upload *u)
{
	return upload_exceeds(b, u, u->limit);
}

void
uploads_watch(struct broker *b)
{
	for (const struct upload *u = b->uploads; u != NULL; u = u->next) {
		struct worker *w = worker_find(b, u->serial);

		if (w == NULL || w->is_dead || !upload_is_over(b, u))
			continue;
		worker_violation(b, w, IPC_UPLOAD, SP_ETOOBIG); /* takes u away */
		return;
	}
}
