/* store_played.h - broker and vault of the tests: a small tree in memory, on a thread of its own.
 *
 * Blobs are real ciphertexts under one key.  What was asked is kept, and any kind of request can be
 * made to fail.
 */
#ifndef SP_GATE_SFTP_STORE_PLAYED_H
#define SP_GATE_SFTP_STORE_PLAYED_H

#include "ipc/chan.h"
#include "store/blob.h"

#define PLAYED_NODES 64u
#define PLAYED_UPLOADS 16u
#define PLAYED_ASKED 4096u
#define PLAYED_SEGMENT 65536u
#define PLAYED_TIME_US 1700000000000000u

struct node {
	bool is_used, is_folder;
	uint64_t id, version, modified_us;
	uint16_t rights;
	char path[300];
	uint8_t *plain; /* content */
	size_t size;
	int fd;	       /* its blob; -1: none was asked for yet */
	bool is_split; /* shown as two extents */
	bool is_lied;  /* the wrap (of the second extent) says another length */
	bool has_sha256;
	uint8_t sha256[32];
	char agent[64];
};
struct pending {
	bool is_used, is_small, is_kept;
	uint64_t id, limit, acked, match;
	uint8_t mode;
	char path[300];
	int fd;
};
struct store {
	struct chan broker, vault; /* the other ends */
	struct node nodes[PLAYED_NODES];
	struct pending uploads[PLAYED_UPLOADS];
	uint64_t last_id;
	uint64_t quota; /* most bytes of an upload */
	uint32_t huge;	/* rows of the folder /huge */
	uint16_t asked[PLAYED_ASKED];
	size_t n_asked;
	uint16_t fail_id; /* the next of these requests */
	int fail_err;	  /* fails with this */
	struct ipc_damaged damaged;
	unsigned max_open; /* uploads that were open at once */
};

/* store_run - the thread: until the worker's end is closed. */
void *store_run(void *store);
void store_done(struct store *s);
/* store_add_folder, store_add_file - before or between requests.  store_find - NULL: none.
 * store_upload - of a path. */
struct node *store_add_folder(struct store *s, const char *path);
struct node *store_add_file(struct store *s, const char *path, const void *content, size_t size);
struct node *store_find(struct store *s, const char *path);
struct pending *store_upload(struct store *s, const char *path);
/* store_spoil - change the byte of the blob that holds this plaintext byte. */
void store_spoil(struct node *n, size_t at);
/* store_asked - how many of these requests came. */
unsigned store_asked(const struct store *s, uint16_t id);
#endif
