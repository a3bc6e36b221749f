/* kept.c - unfinished uploads without a worker: they wait on disk for their owner, with their rows,
 * until UploadExpiry.
 *
 * In memory they stay in the list of uploads, so that quotas and key rotation see them; a restart
 * finds them by their rows. */
#include "crypto/wrap.h"
#include "rooms/broker/put.h"
#include "rooms/broker/tree.h"
#include "sys/log.h"

static bool
is_named(const struct upload *u, int64_t user, int64_t folder, const char *name)
{
	return u->user == user && u->folder == folder && strcmp(u->name, name) == 0;
}

struct upload *
kept_find(const struct broker *b, int64_t user, int64_t folder, const char *name)
{
	for (struct upload *u = b->uploads; u != NULL; u = u->next)
		if (u->is_kept && is_named(u, user, folder, name))
			return u;
	return NULL;
}

void
kept_drop_named(struct broker *b, const struct upload *u, const struct actor *actor)
{
	struct upload *old = kept_find(b, u->user, u->folder, u->name);

	if (old != NULL)
		upload_drop(b, old, actor, "the same user began anew");
}

/* one more of this user: the oldest makes room */
static void
make_room(struct broker *b, int64_t user, const struct actor *actor)
{
	struct upload *oldest = NULL;
	unsigned n = 0;

	for (struct upload *u = b->uploads; u != NULL; u = u->next) {
		if (!u->is_kept || u->user != user)
			continue;
		n++;
		if (oldest == NULL || u->touched_us < oldest->touched_us)
			oldest = u;
	}
	if (n >= KEPT_PER_USER)
		upload_drop(b, oldest, actor, "too many unfinished uploads");
}

/* What lies on the disk counts, also what was written beyond the last acknowledgement. */
static void
reserve(struct broker *b, struct upload *u)
{
	uint64_t size = blobfile_size(b, u->blob);

	u->reserved = size > u->acked ? size : u->acked;
}

static void
mark_kept(struct broker *b, struct upload *u)
{
	u->writer = u->serial;
	u->serial = 0;
	u->is_committing = false;
	u->is_kept = true;
	reserve(b, u);
	b->n_kept++;
}

/* Is there more on disk than it may have?  What is on record was held against the quotas; what was
 * written beyond that, by several at once perhaps, was not. */
static const char *
too_much(struct broker *b, const struct upload *u)
{
	uint64_t left = 0;

	if (upload_is_over(b, u))
		return "more was written than it may have";
	if (upload_exceeds(b, u, u->acked) &&
	    (upload_left(b, u->user, u->org, u->chain, u->n_chain, u, &left) != SP_OK ||
		upload_exceeds(b, u, left)))
		return "more was written than the quotas leave";
	return NULL;
}

void
upload_keep(struct broker *b, struct upload *u, const struct actor *actor)
{
	const char *why = NULL;

	VERIFY(!u->is_kept && (u->acked != 0 || u->tag != 0) && u->has_row);
	if (folder_chain(b->db, u->folder, u->chain, &u->n_chain) != SP_OK)
		why = "its folder is gone";
	else if (b->n_kept >= KEPT_MAX)
		why = "too many unfinished uploads";
	else
		why = too_much(b, u);
	if (why != NULL) {
		upload_drop(b, u, actor, why);
		return;
	}
	kept_drop_named(b, u, actor);
	make_room(b, u->user, actor);
	mark_kept(b, u);
}

void
kept_settle(struct broker *b, uint64_t serial)
{
	const struct actor nobody = {0};

	for (struct upload *u = b->uploads, *next; u != NULL; u = next) {
		const char *why;

		next = u->next;
		if (!u->is_kept || u->writer != serial)
			continue;
		u->writer = 0;
		if ((why = too_much(b, u)) != NULL)
			upload_drop(b, u, &nobody, why);
		else
			reserve(b, u);
	}
}

/* ---- at the start ---- */

static int
set_path(struct broker *b, struct upload *u)
{
	char base[PATH_MAX_BYTES + 1];
	int err = folder_path(b->db, u->folder, base, sizeof(base), NULL);

	return err == SP_OK ? path_join(base, span_str(u->name), u->path, sizeof(u->path)) : err;
}

static int
take_row(struct sql *q, struct upload *u)
{
	struct wrap_info info;
	struct span blob, wrap;
	int err;

	u->id = sql_i64(q);
	u->org = sql_i64(q);
	u->user = sql_i64(q);
	u->folder = sql_i64(q);
	sql_text_of(q, u->name, sizeof(u->name));
	blob = sql_blob(q);
	wrap = sql_blob(q);
	u->limit = (uint64_t)sql_i64(q);
	u->acked = (uint64_t)sql_i64(q);
	u->created_us = sql_i64(q);
	u->touched_us = sql_i64(q);
	u->tag = (uint64_t)sql_i64(q);
	u->mode = (uint8_t)sql_i64(q);
	u->has_row = u->has_wrap = true;
	if (blob.len != sizeof(u->blob) || wrap.len != sizeof(u->wrap))
		return SP_EDAMAGED;
	memcpy(u->blob, blob.ptr, sizeof(u->blob));
	memcpy(u->wrap, wrap.ptr, sizeof(u->wrap));
	if ((err = wrap_peek(wrap, &info)) == SP_OK)
		u->epoch = info.epoch;
	return err;
}

void
kept_load(struct broker *b)
{
	const struct actor nobody = {0};
	int64_t last = 0;

	for (;;) {
		struct upload *u;
		int err;
		{
			DEFER(sql_end)
			struct sql q = sql_query(b->db, SQL_UPLOAD_KEPT_NEXT, SI(last));

			if (sql_step(&q) != 1)
				return;
			if ((u = upload_new(b)) == NULL) {
				log_error("unfinished uploads wait for the next start: no memory");
				return;
			}
			err = take_row(&q, u);
		}
		last = u->id;
		if (err == SP_OK)
			err = folder_chain(b->db, u->folder, u->chain, &u->n_chain);
		if (err == SP_OK)
			err = set_path(b, u);
		if (err == SP_OK)
			err = b->n_kept < KEPT_MAX ? blobfile_protect(b, u->blob) : SP_EFULL;
		if (err == SP_OK && upload_is_over(b, u))
			err = SP_ETOOBIG;
		if (err == SP_OK)
			mark_kept(b, u);
		else
			upload_drop(b, u, &nobody, "it cannot be continued any more");
	}
}

/* ---- later ---- */

void
kept_expire(struct broker *b)
{
	int64_t until_us = b->wall_us() - b->start.conf.upload_expiry * 1000000;
	const struct actor nobody = {0};

	/* a clock that was stepped must not take what people wait for */
	if (b->mono_ms() < b->steady_from_ms)
		return;
	for (struct upload *u = b->uploads, *next; u != NULL; u = next) {
		next = u->next;
		if (u->is_kept && !u->is_resuming && u->touched_us <= until_us)
			upload_drop(b, u, &nobody, "it was not continued in time");
	}
}

static bool
is_below(const struct upload *u, int64_t folder)
{
	for (size_t i = 0; i < u->n_chain; i++)
		if (u->chain[i] == folder)
			return true;
	return false;
}

void
kept_folder_gone(struct broker *b, const struct actor *actor)
{
	for (struct upload *u = b->uploads, *next; u != NULL; u = next) {
		struct folder f;

		next = u->next;
		if (u->is_kept && folder_get(b->db, u->folder, &f) == 0)
			upload_drop(b, u, actor, "its folder was removed");
	}
}

void
uploads_folder_moved(struct broker *b, int64_t folder)
{
	for (struct upload *u = b->uploads; u != NULL; u = u->next)
		if (is_below(u, folder) &&
		    (folder_chain(b->db, u->folder, u->chain, &u->n_chain) != SP_OK ||
			set_path(b, u) != SP_OK))
			log_warning("upload %lld has lost its folder", (long long)u->id);
}

/* ---- STAT ---- */

struct upload *
upload_own(const struct broker *b, int64_t user, int64_t folder, const char *name, uint64_t tag)
{
	struct upload *best = NULL;

	for (struct upload *u = b->uploads; u != NULL; u = u->next)
		if ((u->acked != 0 || tag != 0) && u->tag == tag &&
		    is_named(u, user, folder, name) && (best == NULL || u->id > best->id))
			best = u;
	return best;
}

int
partial_place(struct broker *b, const struct access *a, uint8_t by, int64_t id, struct span path,
    struct place *ret)
{
	const struct span none = span_of(NULL, 0);

	if (by == BY_PATH)
		return place_find(b->db, a, BY_PATH, 0, path, none, ret);
	if (by == BY_NAME)
		return place_find(b->db, a, BY_FOLDER, id, none, path, ret);
	return SP_ENOTFOUND;
}

int
stat_partial(struct broker *b, struct worker *w, const struct access *a, const struct ipc_stat *m)
{
	const struct upload *u;
	struct ipc_entry e;
	struct place p;
	int err = partial_place(b, a, m->by, (int64_t)m->id, m->path, &p);

	if (err != SP_OK)
		return err;
	if ((p.file != 0 && m->tag == 0) || p.child != 0 ||
	    (u = upload_own(b, w->actor.user, p.folder.id, p.name, m->tag)) == NULL)
		return SP_ENOTFOUND;
	e = (struct ipc_entry){
	    .kind = 1,
	    .parent = (uint64_t)p.folder.id,
	    .org = (uint64_t)p.folder.org,
	    .name = span_str(p.name),
	    .path = span_str(p.path),
	    .size = u->acked,
	    .created_us = (uint64_t)u->created_us,
	    .modified_us = (uint64_t)u->touched_us,
	    .rights = p.rights,
	    .owner = (uint64_t)u->user,
	    .owner_name = span_str(w->actor.name),
	};
	REPLY(b, w->serial, ENTRY, entry, &e, -1);
	return SP_OK;
}
