/* store_played.c - a tree in memory. */
#include "rooms/gate/sftp/store_tree.h"

#include "base/text.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>

const uint8_t played_key[KEY_BYTES] = {7};
const uint8_t played_blob[BLOB_ID_BYTES] = {9};

/* ---- the tree ---- */

struct node *
played_add(struct store *s, const char *path, bool is_folder)
{
	for (size_t i = 0; i < PLAYED_NODES; i++) {
		struct node *n = &s->nodes[i];

		if (n->is_used)
			continue;
		*n = (struct node){.is_used = true,
		    .is_folder = is_folder,
		    .id = ++s->last_id,
		    .version = is_folder ? 0 : ++s->last_id,
		    .modified_us = PLAYED_TIME_US,
		    .rights = RIGHT_ALL,
		    .fd = -1};
		VERIFY(strlen(path) < sizeof(n->path));
		memcpy(n->path, path, strlen(path) + 1);
		return n;
	}
	VERIFY(false); /* more nodes */
	return NULL;
}

void
played_drop(struct node *n)
{
	mem_free(n->plain);
	close_fd(&n->fd);
	*n = (struct node){.fd = -1};
}

void
played_set_content(struct node *n, const void *content, size_t size)
{
	mem_free(n->plain);
	close_fd(&n->fd);
	n->plain = mem_alloc(size + 1);
	VERIFY(n->plain != NULL);
	if (size != 0)
		memcpy(n->plain, content, size);
	n->size = size;
	n->has_sha256 = true;
	VERIFY(sha256(span_of(n->plain, size), n->sha256) == SP_OK);
}

struct node *
store_add_folder(struct store *s, const char *path)
{
	return played_add(s, path, true);
}

struct node *
store_add_file(struct store *s, const char *path, const void *content, size_t size)
{
	struct node *n = played_add(s, path, false);

	played_set_content(n, content, size);
	return n;
}

struct node *
played_find(struct store *s, struct span path)
{
	for (size_t i = 0; i < PLAYED_NODES; i++)
		if (s->nodes[i].is_used && span_eq_str(path, s->nodes[i].path))
			return &s->nodes[i];
	return NULL;
}

struct node *
store_find(struct store *s, const char *path)
{
	return played_find(s, span_str(path));
}

static struct node *
by_id(struct store *s, uint64_t id)
{
	for (size_t i = 0; i < PLAYED_NODES; i++)
		if (s->nodes[i].is_used && s->nodes[i].id == id)
			return &s->nodes[i];
	return NULL;
}

struct node *
played_target(struct store *s, uint8_t by, uint64_t id, struct span path)
{
	return by == BY_PATH ? played_find(s, path) : by_id(s, id);
}

struct span
played_parent_of(struct span path)
{
	while (path.len > 1 && path.ptr[path.len - 1] != '/')
		path.len--;
	if (path.len > 1)
		path.len--;
	return path;
}

struct span
played_name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_str(slash != NULL ? slash + 1 : path);
}

bool
played_is_in(const struct node *n, const struct node *folder)
{
	return n->is_used && n != folder &&
	       span_eq_str(played_parent_of(span_str(n->path)), folder->path);
}

struct pending *
store_upload(struct store *s, const char *path)
{
	for (size_t i = 0; i < PLAYED_UPLOADS; i++)
		if (s->uploads[i].is_used && strcmp(s->uploads[i].path, path) == 0)
			return &s->uploads[i];
	return NULL;
}

struct pending *
played_upload_by_id(struct store *s, uint64_t id)
{
	for (size_t i = 0; i < PLAYED_UPLOADS; i++)
		if (s->uploads[i].is_used && s->uploads[i].id == id)
			return &s->uploads[i];
	return NULL;
}

unsigned
store_asked(const struct store *s, uint16_t id)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->n_asked; i++)
		n += s->asked[i] == id;
	return n;
}

/* ---- blobs ---- */

int
played_scratch(void)
{
	int fd = file_open_at(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600);

	VERIFY(fd >= 0);
	return fd;
}

void
played_make_blob(struct node *n)
{
	struct blob_writer *w = NULL;
	uint8_t sha[32], proof[32];
	struct span s = span_of(n->plain, n->size);
	uint64_t size;
	uint32_t crc;

	n->fd = played_scratch();
	VERIFY(blob_writer_new(n->fd, played_key, played_blob, PLAYED_SEGMENT, n->size, true, &w) ==
	       SP_OK);
	while (s.len != 0) {
		size_t room;
		uint8_t *p = blob_writer_room(w, &room);

		room = room < s.len ? room : s.len;
		memcpy(p, s.ptr, room);
		VERIFY(blob_writer_fill(w, room) == SP_OK);
		s = span_skip(s, room);
	}
	VERIFY(blob_writer_finish(w, &size, sha, &crc, proof) == SP_OK);
	blob_writer_free(w);
}

void
store_spoil(struct node *n, size_t at)
{
	int64_t offset = (int64_t)(FLOE_HEADER_BYTES +
				   at / (PLAYED_SEGMENT - FLOE_OVERHEAD) * PLAYED_SEGMENT + 40);
	uint8_t byte;

	if (n->fd < 0)
		played_make_blob(n);
	VERIFY(file_pread(n->fd, &byte, 1, offset) == 1);
	byte ^= 1;
	VERIFY(file_pwrite(n->fd, &byte, 1, offset) == SP_OK);
}

/* What an upload's blob holds. */
uint8_t *
played_read_blob(int fd, size_t size)
{
	uint8_t *out = mem_alloc(size + 1);
	struct blob_reader *r = NULL;
	struct span s;

	VERIFY(out != NULL);
	VERIFY(blob_reader_new(fd, played_key, played_blob, PLAYED_SEGMENT, size, &r) == SP_OK);
	for (uint64_t at = 0; at < size; at += s.len) {
		VERIFY(blob_reader_at(r, at, &s) == SP_OK);
		memcpy(out + at, s.ptr, s.len);
	}
	blob_reader_free(r);
	return out;
}
