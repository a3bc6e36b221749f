/* put.h - uploads that are open. */
#ifndef SP_BROKER_PUT_H
#define SP_BROKER_PUT_H

#include "base/name.h"
#include "rooms/broker/broker.h"

/* struct upload - staged content: a blob that is being written, or a small file's key that was
 * handed out. */
struct upload {
	int64_t id;
	uint64_t serial; /* the worker that writes; 0: it is gone */
	int64_t org, user, folder;
	int64_t chain[PATH_MAX_DEPTH + 2]; /* the folder and all above it */
	size_t n_chain;
	uint8_t blob[16], wrap[96];
	bool has_wrap, is_small, is_committing, has_row;
	uint64_t limit;	   /* most plaintext bytes */
	uint64_t reserved; /* of the quotas: the size when it was known */
	uint32_t epoch;	   /* of the wrap */
	int64_t created_us;
	uint8_t mode; /* as in PUT */
	int64_t match;
	char name[NAME_MAX_BYTES + 1];
	char path[PATH_MAX_BYTES + 1];
	struct upload *prev, *next;
};

/* upload_lost - the worker is gone: what it was not yet committing is dropped and recorded. */
void upload_lost(struct broker *b, struct worker *w);
/* upload_drop - forget an upload: row, blob file, memory; recorded with this reason. */
void upload_drop(struct broker *b, struct upload *u, const struct actor *actor, const char *why);
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
/* blobfile_size - 0 when there is none. */
uint64_t blobfile_size(struct broker *b, const uint8_t blob[16]);
void blobfile_remove(struct broker *b, const uint8_t blob[16]);
#endif
