/* store.h - what changes the tree in the database; each inside the caller's transaction.
 * Command-line verbs use these too. */
#ifndef SP_BROKER_STORE_H
#define SP_BROKER_STORE_H

#include "rooms/broker/tree.h"

/* folder_add - make a folder.
 *   owner    whose home it is, 0: nobody's      creator  gets rights of an own entry when the
 * folder does not inherit errors   SP_EEXISTS, SP_ENOTFOUND (the parent is gone) */
int folder_add(struct broker *b, int64_t org, int64_t parent, struct span name, bool inherit,
    int64_t owner, int64_t creator, int64_t *ret) MUST_USE;
/* file_remove - a file goes out of the tree; its version is held. */
int file_remove(struct broker *b, const struct file *f, const char *path) MUST_USE;
/* folder_remove - a folder with all it holds; files are held.  ret_files, ret_bytes: what was held.
 */
int folder_remove(
    struct broker *b, int64_t folder, int64_t *ret_files, int64_t *ret_bytes) MUST_USE;
/* folder_is_protected - "/", "/Home", and home folders cannot be removed by a worker. */
bool folder_is_protected(const struct folder *f);
/* version_hold - keep a version aside from now on, and give its bytes back to its uploader's quota.
 */
int version_hold(struct broker *b, int64_t version, const char *path) MUST_USE;
/* denied - record (or count, when there are many) that a worker asked for what it may not do. */
void denied(struct broker *b, struct worker *w, const char *action, const char *path);
#endif
