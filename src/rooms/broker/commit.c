/* commit.c - COMMIT: seal the wrap, make sure that the content is there and stays, record the
 * intent, apply it.
 *
 * After the record is durable nothing is decided any more: either the database takes it, or the
 * record of its failure follows. */
#include "crypto/floe.h"
#include "crypto/wrap.h"
#include "rooms/broker/login.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "store/blob.h"
#include "sys/log.h"

struct committing {
	struct op op;
	struct broker *broker;
	struct upload *upload; /* owned from here on */
	struct name_lock lock;
	uint64_t size;
	uint8_t sha256[32], wrap[96];
	bool has_sha256; /* an upload that was continued: the scrubber computes it */
	uint32_t crc32, epoch;
	bool checked;
	int64_t modified_us;
	char comment[1025];
	uint8_t *content; /* owned, small files */
	size_t content_len;
	int64_t file, version, old_version; /* old_version 0: a new file */
	uint64_t entry;
};

static void
committing_clean(struct op *op)
{
	struct committing *c = (struct committing *)op;

	unlock_name(c->broker, &c->lock);
	mem_free(c->content);
	if (c->upload != NULL)
		upload_forget(c->broker, c->upload);
}

/* Nothing is wrong with the upload itself: who can go on with it may try to finish it again. */
static bool
may_try_again(struct broker *b, const struct upload *u, int err)
{
	static const int passing[] = {
	    SP_EUNAVAIL, SP_ELOCKED, SP_EDISKFULL, SP_EIO, SP_ENOMEM, SP_ECONFLICT};
	bool is_passing = false;

	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		is_passing = is_passing || err == passing[i];
	return is_passing && u->acked != 0 && !blobfile_left(b, u->blob);
}

/* after the record of the intent: it was not carried out */
static void
record_undone(struct broker *b, const struct committing *c, const char *why)
{
	struct record rec;

	record_init(&rec, EVENT_RECONCILED, &c->op.actor, c->upload->serial);
	rec.path = span_str(c->upload->path);
	record_num(&rec, "intent", (int64_t)c->entry);
	record_num(&rec, "upload", c->upload->id);
	record_text(&rec, "reason", span_str(why));
	ledger_note(b, &rec);
}

/* the upload is over: what was staged goes, the worker hears why */
static void
commit_fail(struct broker *b, struct committing *c, int err, const char *why)
{
	struct upload *u = c->upload;

	if (u != NULL && c->entry != 0)
		record_undone(b, c, why);
	if (u != NULL && may_try_again(b, u, err)) {
		upload_keep(b, u, &c->op.actor);
	} else if (u != NULL)
		upload_drop(b, u, &c->op.actor, why);
	c->upload = NULL;
	op_fail(b, &c->op, err, 0);
}

/* ---- last: the database ---- */

static int
hold_old(struct broker *b, struct committing *c, int64_t *ret_old_size)
{
	struct file f;
	int err = file_get(b->db, c->file, &f);

	if (err != 1)
		return err < 0 ? err : SP_ECONFLICT;
	if (f.version != c->old_version)
		return SP_ECONFLICT;
	*ret_old_size = f.size;
	return version_hold(b, f.version, c->upload->path);
}

static int
add_content(struct broker *b, struct committing *c)
{
	const struct upload *u = c->upload;
	struct span blob = span_of(u->blob, sizeof(u->blob));
	const struct actor *who = &c->op.actor;
	int err = sql_run(b->db, SQL_BLOB_ADD, SB(blob), SI(u->org), SI(c->epoch),
	    SB(span_of(c->wrap, sizeof(c->wrap))), SI(c->size), SI(u->is_small ? 0 : b->segment));

	if (err == SP_OK && u->is_small)
		err = sql_run(
		    b->db, SQL_CONTENT_ADD, SB(blob), SB(span_of(c->content, c->content_len)));
	if (err == SP_OK)
		err = sql_run(b->db, SQL_VERSION_ADD, SI(c->version), SI(c->file), SI(u->org),
		    SI(c->size), SB(span_of(c->sha256, c->has_sha256 ? 32 : 0)), SI(c->crc32),
		    SI(b->wall_us()), SI(c->entry), SI(u->user), ST(span_str(who->address)),
		    ST(span_str(who->agent)), ST(span_str(c->comment)), SI(c->checked), SI(0));
	if (err == SP_OK)
		err = sql_run(
		    b->db, SQL_EXTENT_ADD, SI(c->version), SI(0), SI(c->size), SB(blob), SI(0));
	return err;
}

static int
apply(struct broker *b, struct committing *c)
{
	const struct upload *u = c->upload;
	int64_t old_size = 0, size = (int64_t)c->size, now_us = b->wall_us();
	int64_t modified_us = c->modified_us != 0 ? c->modified_us : now_us;
	int err;

	if (c->old_version != 0) {
		if ((err = hold_old(b, c, &old_size)) != SP_OK ||
		    (err = sql_run(b->db, SQL_FILE_SET_VERSION, SI(c->file), SI(c->version),
			 SI(size), SI(modified_us))) != SP_OK)
			return err;
	} else {
		err = sql_run(b->db, SQL_FILE_ADD, SI(c->file), SI(u->org), SI(u->folder),
		    ST(span_str(u->name)), SI(c->version), SI(size), SI(now_us));
		if (err != SP_OK)
			return err == SP_EEXISTS ? SP_ECONFLICT : err;
		if (modified_us != now_us &&
		    (err = sql_run(b->db, SQL_FILE_TOUCH, SI(c->file), SI(modified_us))) != SP_OK)
			return err;
	}
	if ((err = add_content(b, c)) != SP_OK ||
	    (err = sql_run(b->db, SQL_FOLDER_COUNT_FILES, SI(u->folder), SI(c->old_version == 0),
		 SI(now_us))) != SP_OK ||
	    (err = folder_account(b->db, u->folder, size - old_size)) != SP_OK ||
	    (err = sql_run(b->db, SQL_USER_USE, SI(u->user), SI(size))) != SP_OK ||
	    (err = sql_run(b->db, SQL_ORG_USE, SI(u->org), SI(size))) != SP_OK)
		return err;
	return u->has_row ? sql_run(b->db, SQL_UPLOAD_REMOVE, SI(u->id)) : SP_OK;
}

/* what the uploader sees of it: also who may write only gets the entry of the own upload */
static int
reply_stored(struct broker *b, struct committing *c)
{
	struct access access = {0};
	struct node n = {.is_file = true};
	int err = access_load(b->db, &c->op.actor, &access);

	if (err == SP_OK)
		err = access_rights(b->db, &access, c->upload->folder, &n.rights);
	access_done(&access);
	if (err != SP_OK)
		return err;
	if ((err = file_get(b->db, c->file, &n.file)) != 1 ||
	    (err = folder_get(b->db, c->upload->folder, &n.folder)) != 1)
		return err < 0 ? err : SP_ENOTFOUND;
	memcpy(n.path, c->upload->path, sizeof(n.path));
	return entry_reply(b, c->op.serial, &n, c->old_version == 0);
}

static void
commit_done(struct broker *b, struct op *op, const struct answer *a)
{
	struct committing *c = (struct committing *)op;
	int err = a->err;

	if (err != SP_OK) {
		commit_fail(b, c, err, "the database did not take it");
		return;
	}
	b->count.door[op->door].bytes_in += c->size;
	b->count.door[op->door].files_in++;
	if ((err = reply_stored(b, c)) != SP_OK)
		op_fail(b, op, err, 0);
	else
		op_end(b, op);
}

static void
commit_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct committing *c = (struct committing *)op;
	int err = a->err;

	c->entry = a->entry;
	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = apply(b, c)) == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
	}
	if (err != SP_OK)
		commit_fail(b, c, err, sp_strerror(err));
	else
		op_commit(b, op, commit_done);
}

/* ---- before: the record of the intent ---- */

static int
record_intent(struct broker *b, struct committing *c)
{
	const struct upload *u = c->upload;
	struct record rec;
	struct file old;

	record_init(&rec, c->old_version == 0 ? EVENT_FILE_CREATED : EVENT_FILE_REPLACED,
	    &c->op.actor, u->serial);
	rec.path = span_str(u->path);
	rec.size = (int64_t)c->size;
	if (c->old_version != 0 && file_get(b->db, c->file, &old) == 1)
		record_takes(&rec, c->op.actor.user, u->org, 1, old.size);
	record_num(&rec, "upload", u->id);
	record_num(&rec, "file", c->file);
	record_num(&rec, "folder", u->folder);
	record_num(&rec, "version", c->version);
	if (c->has_sha256)
		record_hex(&rec, "sha256", span_of(c->sha256, 32));
	record_hex(&rec, "blob", span_of(u->blob, 16));
	if (c->comment[0] != '\0')
		record_text(&rec, "comment", span_str(c->comment));
	return ledger_record(b, &c->op, &rec, commit_recorded);
}

/* Everything is judged once more: much may have happened while the content came in. */
static int
judge_again(struct broker *b, struct committing *c)
{
	struct upload *u = c->upload;
	struct access access = {0};
	struct place p;
	uint64_t left = 0;
	int err = access_load(b->db, &c->op.actor, &access);

	if (err == SP_OK)
		err = place_find(
		    b->db, &access, BY_FOLDER, u->folder, span_of(NULL, 0), span_str(u->name), &p);
	access_done(&access);
	if (err != SP_OK || (err = may_store(p.rights, p.file != 0)) != SP_OK)
		return err;
	if (p.child != 0)
		return SP_EISFOLDER;
	c->file = p.file;
	if (p.file != 0) {
		struct file f;

		if ((err = file_get(b->db, p.file, &f)) != 1)
			return err < 0 ? err : SP_ECONFLICT;
		c->old_version = f.version;
	}
	if ((u->mode == 1 && p.file != 0) || (u->mode == 2 && c->old_version != u->match))
		return SP_EPRECOND;
	memcpy(u->path, p.path, sizeof(u->path)); /* a folder above may have a new name */
	if ((err = folder_chain(b->db, u->folder, u->chain, &u->n_chain)) != SP_OK ||
	    (err = upload_left(b, u->user, u->org, u->chain, u->n_chain, u, &left)) != SP_OK)
		return err;
	if (c->size > left)
		return SP_EQUOTA;
	/* until it is in the database nobody else may have this room, also when its size was not
	 * said before */
	u->reserved = c->size;
	return SP_OK;
}

static void
seal_and_record(struct broker *b, struct committing *c)
{
	struct upload *u = c->upload;
	int err = judge_again(b, c);

	if (err == SP_OK)
		err = lock_name(b, &c->lock, u->folder, span_str(u->name));
	if (err == SP_OK && !u->is_small)
		err = blobfile_seal(b, u->blob, c->size, b->segment);
	if (err == SP_OK) {
		if (c->file == 0)
			c->file = broker_id(b);
		c->version = broker_id(b);
		err = record_intent(b, c);
	}
	if (err != SP_OK)
		commit_fail(b, c, err, sp_strerror(err));
}

static void
commit_sealed(struct broker *b, struct op *op, const struct answer *a)
{
	struct committing *c = (struct committing *)op;
	struct wrap_info info = {0};
	int err = a->err;

	if (err == SP_OK && (wrap_peek(a->wrap, &info) != SP_OK || info.length != c->size))
		err = SP_EUNAVAIL;
	if (err != SP_OK) {
		commit_fail(b, c, err, "the vault did not seal it");
		return;
	}
	memcpy(c->wrap, a->wrap.ptr, sizeof(c->wrap));
	c->epoch = info.epoch;
	seal_and_record(b, c);
}

/* The length in the wrap is what the governor charges: when it is not the size yet, the vault
 * writes it, convinced by a proof that only the writer can make. */
static int
order_seal(struct broker *b, struct committing *c, const ipc_b32 *proof)
{
	const struct upload *u = c->upload;
	struct ipc_seal m = {
	    .serial = u->serial,
	    .org = (uint64_t)u->org,
	    .wrap = span_of(u->wrap, sizeof(u->wrap)),
	    .length = c->size,
	    .proof = *proof,
	};

	memcpy(m.blob.b, u->blob, 16);
	return ledger_seal(b, &c->op, &m, commit_sealed);
}

static int
take_commit(struct committing *c, const struct ipc_commit *m)
{
	const struct upload *u = c->upload;

	c->size = m->size;
	c->has_sha256 = m->has_sha256 != 0;
	c->crc32 = c->has_sha256 ? m->crc32 : 0;
	c->checked = c->has_sha256 && m->checked != 0;
	c->modified_us = (int64_t)m->modified_us;
	c->epoch = u->epoch;
	memcpy(c->wrap, u->wrap, sizeof(c->wrap));
	memcpy(c->sha256, m->sha256.b, 32);
	memcpy(c->comment, m->comment.ptr, m->comment.len);
	if (m->size > u->limit)
		return SP_ETOOBIG;
	if (c->modified_us > TIME_MAX_US)
		return SP_ERANGE;
	if (!u->is_small)
		return m->content.len == 0 ? SP_OK : SP_ERANGE;
	if (m->content.len != floe_ciphertext_len(m->size, INLINE_SEGMENT))
		return SP_EDAMAGED;
	if ((c->content = mem_alloc(m->content.len)) == NULL)
		return SP_ENOMEM;
	memcpy(c->content, m->content.ptr, m->content.len);
	c->content_len = m->content.len;
	return SP_OK;
}

int
handle_commit(struct broker *b, struct worker *w, struct span body)
{
	struct ipc_commit m;
	struct committing *c;
	struct upload *u;
	int err = ipc_get_commit(body, &m);

	if (err != SP_OK)
		return err;
	if ((u = upload_of(w, m.upload)) == NULL)
		return SP_ENOTFOUND;
	if ((c = op_new(b, w, sizeof(*c))) == NULL)
		return SP_EUNAVAIL;
	c->broker = b;
	c->op.clean = committing_clean;
	c->upload = u;
	u->is_committing = true;
	upload_take(b, u);
	agent_take(&c->op.actor, m.agent);
	if ((err = take_commit(c, &m)) != SP_OK)
		commit_fail(b, c, err, sp_strerror(err));
	else if (c->size == c->upload->limit)
		seal_and_record(b, c);
	else if ((err = order_seal(b, c, &m.proof)) != SP_OK)
		commit_fail(b, c, err, sp_strerror(err));
	return SP_OK;
}
