/* handle.c - open files and folders.  On the wire: a generation (3 bytes) and a place in the table
 * (1): never a pointer. */
#include "rooms/gate/sftp/server.h"

#define GENERATION_MAX 0xffffffu

int
handle_new(struct sftp *x, enum handle_kind kind, const struct path *p, struct handle **ret)
{
	for (size_t i = 0; i < x->n_handles; i++) {
		struct handle *h = &x->handles[i];
		uint32_t generation = h->generation < GENERATION_MAX ? h->generation + 1 : 1;

		if (h->kind != HANDLE_FREE)
			continue;
		*h = (struct handle){.generation = generation};
		h->path = mem_dup(path_span(p));
		if (h->path == NULL)
			return SP_ENOMEM;
		h->path_len = p->len;
		h->kind = kind;
		*x->session->in_hand += kind == HANDLE_FILE;
		*ret = h;
		return SP_OK;
	}
	return answer_why(
	    x, SP_EFULL, "too many open files and folders: at most %zu", x->n_handles);
}

void
handle_close(struct sftp *x, struct handle *h, bool keep)
{
	uint32_t generation = h->generation;

	if (h->source != NULL)
		source_done(h->source);
	mem_free(h->source);
	if (h->upload != NULL)
		upload_end(h->upload, keep);
	mem_free(h->upload);
	mem_free(h->path);
	*x->session->in_hand -= h->kind == HANDLE_FILE;
	*h = (struct handle){.generation = generation};
}

int
handle_send(struct sftp *x, const struct handle *h)
{
	struct wr w = answer_begin(x), wire;
	uint8_t buf[SFTP_HANDLE_BYTES];

	wire = wr_of(buf, sizeof(buf));
	wr_uint(&wire, h->generation, 3);
	wr_uint(&wire, (uint64_t)(h - x->handles), 1);
	sftp_put_handle(&w, x->id, wr_span(&wire));
	return answer_send(x, &w);
}

int
handle_find(struct sftp *x, struct span wire, struct handle **ret)
{
	struct rd r = rd_of(wire);
	uint64_t generation = rd_uint(&r, 3), i = rd_uint(&r, 1);

	if (!rd_done(&r) || i >= x->n_handles || x->handles[i].kind == HANDLE_FREE ||
	    x->handles[i].generation != generation)
		return answer_why(x, SP_EIO, "there is no such handle");
	*ret = &x->handles[i];
	return SP_OK;
}

int
handle_file(struct sftp *x, struct span wire, struct handle **ret)
{
	struct handle *h = NULL;
	int rc = handle_find(x, wire, &h);

	if (rc == SP_OK && h->kind != HANDLE_FILE)
		return answer_why(x, SP_EISFOLDER, "the handle is a folder's");
	if (rc == SP_OK)
		*ret = h;
	return rc;
}

/* What a handle that also writes reads: the version that was there when it was opened, released
 * only now. */
static int
open_old(struct sftp *x, struct handle *h)
{
	struct ipc_open m = {.by = BY_FILE, .id = h->base_file, .version = h->base_version};
	struct source *s = mem_alloc(sizeof(*s));
	int rc;

	if (s == NULL)
		return SP_ENOMEM;
	rc = source_open(s, x->ring, &x->pool, &m);
	if (rc == SP_OK) {
		h->source = s;
		return SP_OK;
	}
	source_done(s);
	mem_free(s);
	return rc;
}

int
handle_reading(struct sftp *x, struct span wire, struct source **ret_source)
{
	struct handle *h = NULL;
	int rc = handle_file(x, wire, &h);

	if (rc < 0)
		return rc;
	if (!h->reads)
		return answer_why(x, SP_EPERM, "the file is not open for reading");
	if (h->source == NULL && h->base_file != 0)
		rc = open_old(x, h);
	if (rc == SP_OK)
		*ret_source = h->source;
	return rc;
}

int
handle_writing(struct sftp *x, struct span wire, struct handle **ret)
{
	struct handle *h = NULL;
	int rc = handle_file(x, wire, &h);

	if (rc == SP_OK && h->upload == NULL)
		return answer_why(x, SP_EPERM, "the file is not open for writing");
	if (rc == SP_OK)
		*ret = h;
	return rc;
}

struct handle *
handle_of_path(struct sftp *x, const struct path *p)
{
	for (size_t i = 0; i < x->n_handles; i++) {
		struct handle *h = &x->handles[i];

		if (h->kind == HANDLE_FILE && h->upload != NULL &&
		    span_eq(handle_path(h), path_span(p)))
			return h;
	}
	return NULL;
}
