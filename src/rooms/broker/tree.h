/* tree.h - folders and files as the caller may see them. */
#ifndef SP_BROKER_TREE_H
#define SP_BROKER_TREE_H

#include "base/name.h"
#include "rooms/broker/broker.h"

struct folder {
	int64_t id, org, parent, quota, files, folders, bytes, created_us, modified_us, owner;
	uint8_t type;
	bool inherit, system;
	char name[NAME_MAX_BYTES + 1];
};
struct file {
	int64_t id, org, folder, version, size, created_us, modified_us, downloads;
	char name[NAME_MAX_BYTES + 1];
};
struct version {
	int64_t id, file, org, size, created_us, entry, uploader;
	uint8_t sha256[32];
	bool has_sha256, checked;
	uint32_t crc32;
	int64_t damaged; /* offset + 1 of the first bad byte that was seen; 0: none */
	char address[65], agent[256], comment[1025];
};

/* folder_get, file_get, version_get - a row: 1, 0 when there is none, or an error. */
int folder_get(struct db *db, int64_t id, struct folder *ret) MUST_USE;
int file_get(struct db *db, int64_t id, struct file *ret) MUST_USE;
int version_get(struct db *db, int64_t id, struct version *ret) MUST_USE;
/* folder_path - the path of a folder into buf of PATH_MAX_BYTES + 1 bytes ("/" for the root).
 *   ret_depth  names in it; NULL: not wanted.  errors SP_EDEPTH, SP_ENOTFOUND */
int folder_path(struct db *db, int64_t id, char *buf, size_t cap, unsigned *ret_depth) MUST_USE;
/* path_join - folder path and name. errors SP_EDEPTH */
int path_join(const char *folder, struct span name, char *buf, size_t cap) MUST_USE;
/* version_path - where a version is seen: its file's path; "(deleted)" when that is gone. */
int version_path(struct db *db, const struct version *v, char *buf, size_t cap) MUST_USE;
/* folder_chain - the folder and all above it, nearest first; at most PATH_MAX_DEPTH + 2. */
int folder_chain(struct db *db, int64_t id, int64_t *ret, size_t *ret_n) MUST_USE;
/* folder_account - bytes and sums change in a folder and in all above it. */
int folder_account(struct db *db, int64_t id, int64_t delta) MUST_USE;

/* struct node - what a request is about, found and judged. */
struct node {
	bool is_file;
	struct folder folder; /* the folder itself, or the file's */
	struct file file;
	uint16_t rights; /* in `folder` */
	char path[PATH_MAX_BYTES + 1];
};
/* node_find - resolve a target as the caller sees it.  What is not seen is not there.
 *   errors  SP_ENOTFOUND, SP_ENAME, SP_EDEPTH */
int node_find(struct db *db, const struct access *a, uint8_t by, int64_t id, struct span path,
    struct node *ret) MUST_USE;

/* struct place - a name to be made in a folder. */
struct place {
	struct folder folder;
	uint16_t rights;
	int64_t file, child; /* what has the name now: a file, a folder; 0: nothing */
	char name[NAME_MAX_BYTES + 1], path[PATH_MAX_BYTES + 1];
	unsigned depth; /* names in path */
};
/* place_find - name empty: `path` is the whole path; else the target is the folder.  The folder is
 * seen; its rights are the caller's business.  errors as node_find */
int place_find(struct db *db, const struct access *a, uint8_t by, int64_t id, struct span path,
    struct span name, struct place *ret) MUST_USE;

/* struct entry - an IPC_ENTRY with room for its text. */
struct entry {
	struct ipc_entry m; /* spans point into the fields below and into the node */
	struct version version;
	char owner_name[65], owner_full_name[256];
};
/* entry_of - fill it in from a node, which must live as long. */
int entry_of(struct db *db, const struct node *n, struct entry *ret) MUST_USE;
/* ENTRY_COPY - the common fields between the messages that carry an entry. */
#define ENTRY_COPY_FIELD(type, name, max) entry_to_->name = entry_from_->name;
#define ENTRY_COPY(to, from)                                                                       \
	do {                                                                                       \
		__typeof__(to) entry_to_ = (to);                                                   \
		__typeof__(from) entry_from_ = (from);                                             \
		IPC_ENTRY(ENTRY_COPY_FIELD)                                                        \
	} while (0)
/* entry_reply - ENTRY of a node to a worker. */
int entry_reply(struct broker *b, uint64_t serial, const struct node *n, bool created) MUST_USE;
#endif
