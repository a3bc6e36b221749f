/* tlog_writer.h - inside of the audit log's writer; private to tlog_append.c and tlog_flush.c. */
#ifndef SP_STORE_TLOG_WRITER_H
#define SP_STORE_TLOG_WRITER_H

#include "store/tlog_append.h"
#include "store/tlog_wal.h"

struct tile_file {
	char path[TLOG_PATH_MAX];
	uint8_t *buf; /* owned */
	size_t len;
};
struct file_list {
	struct tile_file *v;
	size_t n, cap;
};
struct folder {
	char path[TLOG_PATH_MAX];
};

enum flush_stage {
	FLUSH_NONE,
	FLUSH_FILES,
	FLUSH_SYNC,
	FLUSH_FOLDERS,
	FLUSH_NOTE,
	FLUSH_NAME,
	FLUSH_NAME_SYNC
};

struct flush {
	enum flush_stage stage;
	uint64_t size; /* the checkpoint that is being made */
	struct hash root;
	struct file_list files;
	size_t file, synced;	/* next of files to write, to sync */
	struct folder *folders; /* whose names have to be synced */
	size_t n_folders, folders_cap, folder;
};

struct tlog_writer {
	struct tlog_fs fs;
	char origin[TLOG_ORIGIN_MAX + 1];
	const uint8_t *seed;
	int wal; /* handle */
	struct wal_head head;
	unsigned zone;
	size_t pos;   /* in the zone: where the next group goes */
	bool broken;  /* a sync failed */
	bool failing; /* tiles could not be written, last time it was tried */
	struct tiles tiles;
	uint8_t *bundle; /* entries of the open level 0 tile */
	size_t bundle_len, bundle_cap;
	uint64_t flushed;
	uint8_t *group; /* WAL_GROUP_MAX bytes */
	size_t group_len;
	uint64_t staged;
	struct file_list full; /* tiles that became full since the last flush began */
	struct flush flush;
};

/* files_add - take over buf (also on failure).  files_done - free all. */
int files_add(struct file_list *l, int level, uint64_t index, unsigned width, uint8_t *buf,
    size_t len) MUST_USE;
void files_done(struct file_list *l);
/* flush_done - free what a flush holds. */
void flush_done(struct flush *f);
#endif
