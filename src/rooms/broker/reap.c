/* reap.c - what time does: held versions are shredded, sessions and failures expire, blob files
 * without a row go. */
#include <stdio.h>

#include "base/text.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/put.h"
#include "rooms/broker/scrub.h"
#include "rooms/broker/store.h"
#include "rooms/broker/trial.h"
#include "sys/dirlist.h"
#include "sys/log.h"

#define TICK_MS 1000
#define SLOW_TICKS 30 /* sessions, failures, floods */
#define COUNT_TICKS 5 /* downloads */
#define SHRED_BATCH 32
#define STEP_US (60 * 1000000ll)
#define STEADY_MS (3600 * 1000ll)
#define SWEEP_MS 20
#define EXTENTS_MAX 4096u /* blobs of one version */

/* ---- shredding ---- */

struct shred {
	struct op op;
	int64_t version, org, size;
	uint64_t entry;
	uint8_t (*blobs)[16]; /* owned: files to remove after the commit */
	size_t n_blobs;
};

static void
shred_clean(struct op *op)
{
	mem_free(((struct shred *)op)->blobs);
}

static void
shred_over(struct broker *b, struct op *op)
{
	op_end(b, op);
	if (b->shredding > 0 && --b->shredding == 0)
		b->wants_checkpoint = true; /* no old page stays in the log */
}

static void
shredded(struct broker *b, struct op *op, const struct answer *a)
{
	struct shred *s = (struct shred *)op;

	for (size_t i = 0; i < s->n_blobs && a->err == SP_OK; i++)
		blobfile_remove(b, s->blobs[i]);
	if (a->err == SP_OK)
		b->count.shredded++;
	else
		ledger_undone(b, op, s->entry, sp_strerror(a->err));
	shred_over(b, op);
}

/* the version's blobs, each once, with whether it has a file */
static int
collect(struct broker *b, struct shred *s, bool *ret_files)
{
	int64_t after = -1;

	*ret_files = false;
	for (;;) {
		DEFER(sql_end)
		struct sql q = sql_query(b->db, SQL_EXTENT_NEXT, SI(s->version), SI(after));
		struct span id;
		int err = sql_step(&q);
		void *p;

		if (err != 1)
			return err;
		after = sql_i64(&q);
		(void)sql_i64(&q);
		id = sql_blob(&q);
		if (id.len != 16 || s->n_blobs == EXTENTS_MAX)
			return SP_EDAMAGED;
		if ((p = mem_grow(s->blobs, s->n_blobs * 16, (s->n_blobs + 1) * 16)) == NULL)
			return SP_ENOMEM;
		s->blobs = p;
		memcpy(s->blobs[s->n_blobs++], id.ptr, 16);
		(void)sql_i64(&q), (void)sql_i64(&q);
		*ret_files = *ret_files || sql_i64(&q) != 0;
	}
}

static int
shred_blob(struct broker *b, const uint8_t blob[16])
{
	struct span id = span_of(blob, 16);
	int64_t one;
	int err = sql_get(b->db, SQL_BLOB_USED, &one, SB(id));

	if (err != 0)
		return err < 0 ? err : SP_OK; /* another version needs it */
	/* the wrap is overwritten where it lies, then its row goes (secure_delete) */
	if ((err = sql_run(b->db, SQL_BLOB_WIPE, SB(id))) != SP_OK ||
	    (err = sql_run(b->db, SQL_CONTENT_REMOVE, SB(id))) != SP_OK)
		return err;
	return sql_run(b->db, SQL_BLOB_REMOVE, SB(id));
}

static int
shred_rows(struct broker *b, struct shred *s)
{
	bool files;
	int err = collect(b, s, &files);

	if (err != SP_OK || (err = sql_run(b->db, SQL_EXTENTS_REMOVE, SI(s->version))) != SP_OK)
		return err;
	for (size_t i = 0; i < s->n_blobs && err == SP_OK; i++)
		err = shred_blob(b, s->blobs[i]);
	if (!files)
		s->n_blobs = 0;
	if (err != SP_OK || (err = sql_run(b->db, SQL_HELD_REMOVE, SI(s->version))) != SP_OK ||
	    (err = sql_run(b->db, SQL_VERSION_REMOVE, SI(s->version))) != SP_OK)
		return err;
	return sql_run(b->db, SQL_ORG_USE, SI(s->org), SI(-s->size));
}

static void
shred_recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct shred *s = (struct shred *)op;
	int err = b->hold_shredding ? SP_ECONFLICT : a->err;

	s->entry = a->entry;

	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = shred_rows(b, s)) == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
	}
	if (err == SP_OK) {
		op_commit(b, op, shredded);
		return;
	}
	ledger_undone(b, op, s->entry, sp_strerror(err));
	log_warning("version %lld was not shredded: %s", (long long)s->version, sp_strerror(err));
	shred_over(b, op);
}

static int
shred_one(struct broker *b, struct sql *q)
{
	struct shred *s = op_new(b, NULL, sizeof(*s));
	struct record rec;
	int err;

	if (s == NULL)
		return SP_ENOMEM;
	s->op.clean = shred_clean;
	s->version = sql_i64(q);
	s->org = sql_i64(q);
	record_init(&rec, EVENT_FILE_SHREDDED, &s->op.actor, 0);
	rec.path = sql_text(q);
	rec.size = s->size = sql_i64(q);
	record_num(&rec, "version", s->version);
	if ((err = ledger_record(b, &s->op, &rec, shred_recorded)) != SP_OK)
		op_end(b, &s->op);
	else
		b->shredding++;
	return err;
}

/* A clock that jumps must not shred what was deleted yesterday: after a step nothing is for a
 * while, so that it can be set right. */
static bool
is_steady(struct broker *b)
{
	int64_t wall_us = b->wall_us(), mono_ms = b->mono_ms();
	int64_t step_us = wall_us - b->wall_seen_us - (mono_ms - b->mono_seen_ms) * 1000;

	if (b->wall_seen_us != 0 && (step_us > STEP_US || step_us < -STEP_US)) {
		log_warning(
		    "the clock was stepped by %lld seconds: nothing is shredded for an hour",
		    (long long)(step_us / 1000000));
		b->steady_from_ms = mono_ms + STEADY_MS;
	}
	b->wall_seen_us = wall_us;
	b->mono_seen_ms = mono_ms;
	return mono_ms >= b->steady_from_ms;
}

static void
shred_some(struct broker *b)
{
	int64_t until_us = b->wall_us() - b->start.conf.delete_hold * 1000000;
	bool steady = is_steady(b);

	if (!steady || b->hold_shredding || b->shredding != 0 || b->ledger.fd < 0 || b->is_stopping)
		return;
	DEFER(sql_end)
	struct sql q = sql_query(b->db, SQL_HELD_OLD, SI(until_us), SI(SHRED_BATCH), SI(0));
	while (sql_step(&q) == 1)
		if (shred_one(b, &q) != SP_OK)
			return;
}

/* ---- blob files that no row names: uploads that a crash cut off ---- */

struct sweep {
	struct broker *b;
	char dir[3];
};

static int
sweep_file(void *arg, const char *name)
{
	struct sweep *s = arg;
	char hex[33];
	uint8_t id[16];
	int64_t one;

	if (strlen(name) != 30)
		return SP_OK;
	(void)snprintf(hex, sizeof(hex), "%s%s", s->dir, name);
	if (parse_hex(span_str(hex), id, sizeof(id)) != SP_OK || upload_has_blob(s->b, id))
		return SP_OK;
	if (sql_get(s->b->db, SQL_BLOB_KNOWN, &one, SB(span_of(id, 16))) != 0)
		return SP_OK;
	log_info("blob %s belongs to nothing: removed", hex);
	blobfile_remove(s->b, id);
	return SP_OK;
}

/* one folder of the 256 at a time, so that serving goes on */
static void
sweep(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct sweep s = {.b = b};
	int err;

	(void)fd;
	(void)events;
	/* what was rolled back must not be judged by, nor what is not committed yet */
	if (db_is_open(b->db) || b->committing != NULL) {
		if (loop_timer(b->loop, SWEEP_MS, sweep, b) == 0)
			log_warning("the sweep of the blob folder stops: no memory");
		return;
	}
	(void)snprintf(s.dir, sizeof(s.dir), "%02x", b->swept & 0xffu);
	err = dir_each_at(b->blob_dir, s.dir, sweep_file, &s);
	if (err != SP_OK && err != SP_ENOTFOUND)
		log_warning("blob folder %s: %s", s.dir, sp_strerror(err));
	if (++b->swept < 256 && loop_timer(b->loop, SWEEP_MS, sweep, b) == 0)
		log_warning("the sweep of the blob folder stops: no memory");
}

/* ---- the ticks ---- */

/* one by one: a session is kept while an upload that began under it is not finished */
static int
expire_sessions(struct broker *b, int64_t now_us)
{
	int64_t idle_us = now_us - b->start.conf.session_idle * 1000000, last = 0;
	int err;

	while (
	    (err = sql_get(b->db, SQL_SESSION_OVER, &last, SI(now_us), SI(idle_us), SI(last))) == 1)
		if (!session_is_needed(b, last) &&
		    (err = sql_run(b->db, SQL_SESSION_REMOVE, SI(last))) != SP_OK)
			return err;
	return err;
}

static void
expire(struct broker *b)
{
	int64_t now_us = b->wall_us(), one;
	int64_t forgotten_us =
	    now_us - (b->start.conf.lockout_failures + 1) * b->start.conf.lockout_time * 1000000;
	int err = expire_sessions(b, now_us);

	/* a look first: nothing expired must not cost a commit */
	if (err == SP_OK && sql_get(b->db, SQL_FAILURE_EXPIRED, &one, SI(forgotten_us)) == 1)
		err = sql_run(b->db, SQL_FAILURE_EXPIRE, SI(forgotten_us));
	if (err != SP_OK)
		log_warning("what has expired could not be removed: %s", sp_strerror(err));
}

static void
tick(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	if (b->wants_checkpoint && !db_is_open(b->db)) {
		b->wants_checkpoint = false;
		if (db_checkpoint(b->db) != SP_OK)
			b->wants_checkpoint = true;
	}
	shred_some(b);
	uploads_watch(b);
	workers_watch(b);
	addresses_tick(b);
	backfill_tick(b);
	if (++b->ticks % SLOW_TICKS == 0) {
		expire(b);
		kept_expire(b);
		flood_flush(b);
	}
	if (b->ticks % COUNT_TICKS == 0)
		downloads_flush(b);
	if (b->is_full)
		broker_idle(b); /* has it room again?  Tried with nobody's reply in the group */
	if (loop_timer(b->loop, TICK_MS, tick, b) == 0)
		log_error("the broker's clock stops: no memory");
}

void
reap_start(struct broker *b)
{
	if (loop_timer(b->loop, TICK_MS, tick, b) == 0 ||
	    loop_timer(b->loop, SWEEP_MS, sweep, b) == 0)
		log_error("the broker's clock does not start: no memory");
}

/* ---- first keys of organisations ---- */

#define KEYS_AGAIN_MS 200

struct first_key {
	struct op op;
	int64_t org;
};

static void
keys_again(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	b->keys_timer = 0;
	org_keys_make(b);
}

static void
key_over(struct broker *b, struct op *op, int err)
{
	op_end(b, op);
	b->keys_in_hand--;
	if (err != SP_OK && b->keys_timer == 0)
		b->keys_timer = loop_timer(b->loop, KEYS_AGAIN_MS, keys_again, b);
}

static void
key_committed(struct broker *b, struct op *op, const struct answer *a)
{
	key_over(b, op, a->err);
}

static void
key_made(struct broker *b, struct op *op, const struct answer *a)
{
	struct first_key *k = (struct first_key *)op;
	int err = a->err;

	if (err == SP_OK)
		err = sql_run(
		    b->db, SQL_ORG_SET_EPOCH, SI(k->org), SI(a->epoch), SI(/* rotating= */ 0));
	if (err == SP_OK) {
		op_commit(b, op, key_committed);
		return;
	}
	log_debug("organisation %lld has no key yet: %s", (long long)k->org, sp_strerror(err));
	key_over(b, op, err);
}

static int
make_key(struct broker *b, int64_t org, struct span name)
{
	struct ipc_org_key m = {
	    .org = (uint64_t)org, .op = 0, .org_name = name, .user = span_of(NULL, 0)};
	struct first_key *k = op_new(b, NULL, sizeof(*k));
	int err;

	if (k == NULL)
		return SP_ENOMEM;
	k->org = org;
	if ((err = ledger_org_key(b, &k->op, &m, key_made)) != SP_OK)
		op_end(b, &k->op);
	else
		b->keys_in_hand++;
	return err;
}

void
org_keys_make(struct broker *b)
{
	int64_t last = 0;

	if (b->keys_in_hand != 0)
		return;
	for (;;) {
		DEFER(sql_end) struct sql q = sql_query(b->db, SQL_ORG_NEXT, SI(last));
		struct span name;

		if (sql_step(&q) != 1)
			return;
		last = sql_i64(&q);
		name = sql_text(&q);
		if (sql_i64(&q) == 0 && make_key(b, last, name) != SP_OK)
			return;
	}
}
