/* store_tree.h - inside of the store of the tests. */
#ifndef SP_GATE_SFTP_STORE_TREE_H
#define SP_GATE_SFTP_STORE_TREE_H

#include "rooms/gate/sftp/store_played.h"

extern const uint8_t played_key[KEY_BYTES], played_blob[BLOB_ID_BYTES];

struct node *played_add(struct store *s, const char *path, bool is_folder);
void played_drop(struct node *n);
void played_set_content(struct node *n, const void *content, size_t size);
struct node *played_find(struct store *s, struct span path);
struct node *played_target(struct store *s, uint8_t by, uint64_t id, struct span path);
struct span played_parent_of(struct span path);
struct span played_name_of(const char *path);
bool played_is_in(const struct node *n, const struct node *folder);
struct pending *played_upload_by_id(struct store *s, uint64_t id);
int played_scratch(void);
void played_make_blob(struct node *n);
uint8_t *played_read_blob(int fd, size_t size);
#endif
