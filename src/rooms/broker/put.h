/* put.h - uploads that are open. */
#ifndef SP_BROKER_PUT_H
#define SP_BROKER_PUT_H

#include "base/name.h"
#include "rooms/broker/tree.h"

/* struct upload - staged content: a blob that is being written, or a small file's key that was
 * handed out. */
struct upload {
	int64_t id;
	uint64_t serial; /* the worker that writes, or did; 0: nobody */
	int64_t org, user, folder;
	int64_t chain[PATH_MAX_DEPTH + 2]; /* the folder and all above it */
	size_t n_chain;
	uint8_t blob[16], wrap[96];
	bool has_wrap, is_small, is_committing, has_row;
	bool is_kept;	  /* without a worker, on disk for its owner */
	bool is_resuming; /* kept, and its key is on the way to a worker */
	uint64_t writer;  /* kept: the worker that did, while its process may have the descriptor */
	uint64_t limit;	  /* most plaintext bytes */
	uint64_t reserved; /* of the quotas: the size when it was known, at least what is staged */
	uint64_t acked;	   /* bytes that are on record as durable; 0: it dies with its connection */
	uint32_t epoch;	   /* of the wrap */
	int64_t created_us, touched_us; /* touched: acked last */
	uint64_t tag; /* as in PUT */
	uint8_t mode;			/* as in PUT */
	int64_t match;
	char name[NAME_MAX_BYTES + 1];
	char path[PATH_MAX_BYTES + 1];
	struct upload *prev, *next;
	struct upload *sibling; /* next one of the same worker */
};

#define TIME_MAX_US (253402300799ll * 1000000) /* of a file: the last second of the year 9999 */
#define UPLOADS_PER_WORKER 16u		       /* that an SFTP connection may have open */
#define KEPT_PER_USER 128u /* unfinished uploads; one more, and the oldest is dropped */
#define KEPT_MAX 8192u	   /* of all users; one more is not kept */

/* uploads_most - how many a worker may have open: HTTPS serves one request after the other, an SFTP client has several files open.
 */
unsigned uploads_most(const struct worker *w);
/* upload_new - an empty one in the list; NULL: no memory.  upload_find - by number, NULL: none. */
struct upload *upload_new(struct broker *b) MUST_USE;
struct upload *upload_find(const struct broker *b, int64_t id);
/* upload_has_blob - is this blob one of an upload? */
bool upload_has_blob(const struct broker *b, const uint8_t blob[16]);
/* upload_of - the open upload of a worker by number; NULL: none (or it is being committed).
 * upload_give - it is this worker's from now on.  upload_take - it is its worker's no more. */
struct upload *upload_of(const struct worker *w, uint64_t id);
void upload_give(struct worker *w, struct upload *u);
void upload_take(struct broker *b, struct upload *u);
/* uploads_lost - the worker is gone: what it was not yet committing is kept for its owner when a
 * part of it is on record as durable, else dropped and recorded. */
void uploads_lost(struct broker *b, struct worker *w);
/* upload_drop - forget an upload: row, blob file, memory; recorded with this reason.
 * upload_scrap - the same, and the record is the caller's business. */
void upload_drop(struct broker *b, struct upload *u, const struct actor *actor, const char *why);
void upload_scrap(struct broker *b, struct upload *u);
/* upload_is_over - has it more on disk than it may?  upload_exceeds - more than so many bytes of
 * content take? */
bool upload_is_over(struct broker *b, const struct upload *u);
bool upload_exceeds(struct broker *b, const struct upload *u, uint64_t bytes);
/* uploads_watch - a worker that writes more than it may, ends: the disk belongs to all. */
void uploads_watch(struct broker *b);
/* upload_forget - memory only: its content has become a version, or was never there. */
void upload_forget(struct broker *b, struct upload *u);
/* may_store - do these rights allow to make a file, or to replace one that exists?  SP_EPERM */
int may_store(uint16_t rights, bool exists) MUST_USE;
/* upload_left - bytes that quotas and BodyMax leave for one more upload into a folder.
 *   chain    the folder and those above it; except  an open upload that is not counted, NULL: none
 */
int upload_left(struct broker *b, int64_t user, int64_t org, const int64_t *chain, size_t n_chain,
    const struct upload *except, uint64_t *ret) MUST_USE;
/* struct room_left - bytes: how much in all, and how much is free. */
struct room_left {
	uint64_t total, free;
};
/* quota_left - lower *ret to what the quotas of user, organisation and folders leave.
 * folders_left - the folders' only. */
int quota_left(struct broker *b, int64_t user, int64_t org, const int64_t *chain, size_t n_chain,
    const struct upload *except, struct room_left *ret) MUST_USE;
int folders_left(struct broker *b, const int64_t *chain, size_t n_chain,
    const struct upload *except, struct room_left *ret) MUST_USE;

/* ---- kept.c: unfinished uploads that wait for their owner ---- */

/* upload_keep - its worker is gone: it waits for its owner, or is dropped when it has more on disk
 * than it may, its folder is gone or there are too many.  kept_settle - now that worker's process
 * is gone too: what it wrote meanwhile is judged. */
void upload_keep(struct broker *b, struct upload *u, const struct actor *actor);
void kept_settle(struct broker *b, uint64_t serial);
/* kept_find - what is kept of a user's upload of that name; NULL: nothing.
 * kept_drop_named - drop it: the user's upload u to the same name began. */
struct upload *kept_find(const struct broker *b, int64_t user, int64_t folder, const char *name);
void kept_drop_named(struct broker *b, const struct upload *u, const struct actor *actor);
/* kept_load - at the start, from the rows: what can still be continued is, the rest is dropped.
 * kept_expire - drop what has had no progress for UploadExpiry. */
void kept_load(struct broker *b);
void kept_expire(struct broker *b);
/* kept_folder_gone - folders were removed: what was kept for them goes.  uploads_folder_moved - one
 * has another place.  After the commit. */
void kept_folder_gone(struct broker *b, const struct actor *actor);
void uploads_folder_moved(struct broker *b, int64_t folder);
/* upload_own - the newest upload of a user to a name and tag that can be continued, now or when its worker
 * has gone; NULL: none.  partial_place - the place that a target (by path or name) of RESUME is.
 *   errors  as place_find; SP_ENOTFOUND for other targets */
struct upload *upload_own(
    const struct broker *b, int64_t user, int64_t folder, const char *name, uint64_t tag);
int partial_place(struct broker *b, const struct access *a, uint8_t by, int64_t id,
    struct span path, struct place *ret) MUST_USE;
/* stat_partial - STAT of a name that has no file: the caller's own unfinished upload of it.
 *   errors  SP_ENOTFOUND, those of place_find */
int stat_partial(
    struct broker *b, struct worker *w, const struct access *a, const struct ipc_stat *m) MUST_USE;

/* name_lock - a name that an operation between its record and its commit is about to make, replace
 * or remove. */
struct name_lock {
	int64_t folder;
	char name[NAME_MAX_BYTES + 1];
	struct name_lock *next;
};
/* lock_name - SP_ECONFLICT when it is taken; the lock is the caller's memory until unlock_name
 * (safe twice). */
int lock_name(struct broker *b, struct name_lock *l, int64_t folder, struct span name) MUST_USE;
void unlock_name(struct broker *b, struct name_lock *l);

/* blob files (blobfile.c): blobs/ab/cdef… */
/* blobfile_make - a new file that only this descriptor may write (mode 0400 from birth). */
int blobfile_make(struct broker *b, const uint8_t blob[16], int *ret_fd) MUST_USE;
/* blobfile_open - for reading. errors SP_ENOTFOUND */
int blobfile_open(struct broker *b, const uint8_t blob[16], int *ret_fd) MUST_USE;
/* blobfile_seal - no writer is left (SP_ECONFLICT), its size is the ciphertext length of `size`
 * (SP_EDAMAGED), and file and folder are on disk. */
int blobfile_seal(
    struct broker *b, const uint8_t blob[16], uint64_t size, uint32_t segment) MUST_USE;
/* blobfile_left - may somebody still write to it? */
bool blobfile_left(struct broker *b, const uint8_t blob[16]);
/* blobfile_reopen - for reading and writing, to go on with it; the mode is 0400 again when this
 * returns.  errors SP_ECONFLICT (a writer is left), SP_ENOTFOUND */
int blobfile_reopen(struct broker *b, const uint8_t blob[16], int *ret_fd) MUST_USE;
/* blobfile_name_sync - its name is on disk.  blobfile_protect - mode 0400 again, if a crash left it
 * otherwise.  errors SP_ENOTFOUND */
int blobfile_name_sync(struct broker *b, const uint8_t blob[16]) MUST_USE;
int blobfile_protect(struct broker *b, const uint8_t blob[16]) MUST_USE;
/* blobfile_size - 0 when there is none. */
uint64_t blobfile_size(struct broker *b, const uint8_t blob[16]);
void blobfile_remove(struct broker *b, const uint8_t blob[16]);
#endif
