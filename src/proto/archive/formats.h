/* formats.h - private to proto/archive: each function of archive.h for one format; w tells whether
 * all found room. */
#ifndef SP_PROTO_ARCHIVE_FORMATS_H
#define SP_PROTO_ARCHIVE_FORMATS_H

#include "proto/archive/archive.h"

void zip_head(const struct archive_entry *e, struct wr *w);
void zip_foot(const struct archive_entry *e, struct wr *w);
void zip_index(const struct archive_entry *e, uint64_t offset, struct wr *w);
void zip_end(uint64_t n, uint64_t offset, uint64_t len, struct wr *w);

void tar_head(const struct archive_entry *e, struct wr *w);
void tar_foot(const struct archive_entry *e, struct wr *w);
void tar_end(struct wr *w);

/* is_folder - by its name. */
static inline bool
is_folder(const struct archive_entry *e)
{
	return e->name.ptr[e->name.len - 1] == '/';
}
#endif
