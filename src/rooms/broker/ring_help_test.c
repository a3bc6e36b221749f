/* ring_help_test.c - see ring_stage.h: what the played workers do with files. */
#include <stdio.h>
#include <unistd.h>

#include "rooms/broker/ring_stage.h"

#include "crypto/floe.h"
#include "store/blob.h"
#include "sys/fd.h"

int64_t
entry_version(struct worker_end *w)
{
	struct ipc_entry m;

	assert_int_equal(w->id, IPC_ENTRY);
	assert_int_equal(ipc_get_entry(span_of(w->body, w->len), &m), SP_OK);
	return (int64_t)m.version;
}

/* a small file: the content is never looked at by the broker */
uint16_t
put_small(struct worker_end *w, const char *path, uint64_t size)
{
	static const uint8_t content[INLINE_CT_MAX];
	struct ipc_upload_small up;

	if (ASK(w, put, .path = TEXT(path), .size = size, .small = 1) != IPC_UPLOAD_SMALL)
		return w->id;
	assert_int_equal(ipc_get_upload_small(span_of(w->body, w->len), &up), SP_OK);
	assert_int_equal(up.limit, size);
	return ASK(w, commit, .upload = up.upload, .size = size, .has_sha256 = 1,
	    .content = span_of(content, size + 106));
}

uint64_t
begin_big(struct worker_end *w, const char *path, uint64_t size)
{
	struct ipc_upload up;

	assert_int_equal(ASK(w, put, .path = TEXT(path), .size = size), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
	assert_true(w->fd >= 0);
	return up.upload;
}

void
fill(struct worker_end *w, uint64_t size)
{
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(size, 65536)), SP_OK);
	close_fd(&w->fd);
}

unsigned
count_events(const struct stage *s, uint16_t event)
{
	unsigned n = 0;

	for (uint64_t i = 0; i <= s->entry; i++)
		n += s->events[i] == event;
	return n;
}

unsigned
count_blobs(const struct stage *s)
{
	char command[160];
	unsigned n = 0;
	int pipes[2];
	char buf[4096];
	ssize_t len;

	assert_int_equal(pipe(pipes), 0);
	(void)snprintf(command, sizeof(command), "%s", s->blob_dir);
	if (fork() == 0) {
		(void)dup2(pipes[1], 1);
		(void)execlp("find", "find", command, "-type", "f", (char *)NULL);
		_exit(1);
	}
	(void)close(pipes[1]);
	while ((len = read(pipes[0], buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < len; i++)
			n += buf[i] == '\n';
	(void)close(pipes[0]);
	return n;
}

/* ---- uploads that are continued ---- */

/* an upload of which acked bytes are on record; its worker holds the descriptor */
uint64_t
begin_acked(struct worker_end *w, const char *path, uint64_t size, uint64_t acked)
{
	uint64_t up = begin_big(w, path, size);

	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(acked, 65536)), SP_OK);
	assert_int_equal(ASK(w, progress, .upload = up, .acked = acked), IPC_DONE);
	return up;
}

/* the same, and the connection ends */
void
leave_partial(struct stage *s, const char *user, const char *path, uint64_t acked)
{
	struct worker_end *w = login_sftp(s, user);

	(void)begin_acked(w, path, BIG, acked);
	worker_free(w);
	run_ms(s, 10);
}

struct ipc_upload_resumed
resume(struct worker_end *w, const char *path)
{
	struct ipc_upload_resumed m;

	close_fd(&w->fd);
	if (ASK(w, resume, .path = TEXT(path)) != IPC_UPLOAD_RESUMED)
		fail_msg("resume: %s", sp_strerror(failure(w)));
	assert_int_equal(ipc_get_upload_resumed(span_of(w->body, w->len), &m), SP_OK);
	assert_true(w->fd >= 0);
	return m;
}

struct ipc_entry
entry(struct worker_end *w)
{
	struct ipc_entry e;

	assert_int_equal(w->id, IPC_ENTRY);
	assert_int_equal(ipc_get_entry(span_of(w->body, w->len), &e), SP_OK);
	return e;
}

uint64_t
partial_size(struct worker_end *w, const char *path)
{
	struct ipc_entry e;

	assert_int_equal(ASK(w, stat, .path = TEXT(path), .partial = 1), IPC_ENTRY);
	e = entry(w);
	assert_int_equal(e.kind, 1);
	assert_int_equal(e.id, 0);
	assert_int_equal(e.version, 0);
	assert_span(e.path, path);
	return e.size;
}

/* ---- the tree ---- */

void
make(struct worker_end *w, const char *path)
{
	assert_int_equal(ASK(w, folder_make, .path = TEXT(path), .inherit = 1), IPC_ENTRY);
}

struct ipc_entry
at(struct worker_end *w, const char *path)
{
	assert_int_equal(ASK(w, stat, .path = TEXT(path)), IPC_ENTRY);
	return entry(w);
}

void
let(struct stage *s, int64_t folder, int64_t user, int64_t rights)
{
	assert_int_equal(sql_run(s->b->db, SQL_ACL_SET, SI(folder), SI(SUBJECT_USER), SI(user),
			     SI(rights), SI(0)),
	    SP_OK);
	broker_policy_changed(s->b);
}

void
set_quota(struct stage *s, int64_t folder, int64_t bytes)
{
	assert_int_equal(sql_run(s->b->db, SQL_FOLDER_SET_QUOTA, SI(folder), SI(bytes)), SP_OK);
}
