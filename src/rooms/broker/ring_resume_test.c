/* ring_resume_test.c - several uploads of one worker, uploads that are continued, and the hashes
 * that they lack, against the whole broker. */
#include "rooms/broker/ring_stage.h"

#include <unistd.h>

#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "rooms/broker/rotate.h"
#include "store/blob.h"
#include "sys/fd.h"

#define PATH "/Home/alice/big"

static void
put_bytes(struct blob_writer *writer, uint8_t c, size_t n)
{
	while (n != 0) {
		size_t room = 0;
		uint8_t *p = blob_writer_room(writer, &room);

		if (room > n)
			room = n;
		memset(p, c, room);
		assert_int_equal(blob_writer_fill(writer, room), SP_OK);
		n -= room;
	}
}

/* ---- going on ---- */

static void
test_resume(void **state)
{
	struct stage *s = *state;
	struct worker_end *w, *bob = login_sftp(s, "bob"), *two;
	struct ipc_upload_resumed m;
	struct ipc_entries page;
	struct ipc_entry e;

	leave_partial(s, "alice", PATH, 70000);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 0);
	w = login_sftp(s, "alice");
	/* it is nowhere but where it is asked for, and only its owner can */
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(PATH));
	assert_int_equal(partial_size(w, PATH), 70000);
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/Home/alice"), .what = 3, .limit = 9), IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.count, 0);
	REFUSES(w, SP_ENOTFOUND, open, .path = TEXT(PATH));
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT("/Home/alice/other"));
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT(PATH), .partial = 1);
	REFUSES(bob, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	m = resume(w, PATH);
	assert_int_equal(m.acked, 70000);
	assert_int_equal(m.limit, BIG);
	assert_int_equal(m.segment, 65536);
	assert_int_equal(s->n_releases, 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_RESUMED), 1);
	/* while it is written nobody else gets it */
	two = login_sftp(s, "alice");
	REFUSES(two, SP_ECONFLICT, resume, .path = TEXT(PATH));
	assert_int_equal(partial_size(two, PATH), 70000);
	/* the descriptor reads and writes */
	assert_int_equal(file_pwrite(w->fd, "x", 1, 0), SP_OK);
	assert_int_equal(file_pread(w->fd, &(char){0}, 1, 0), 1);
	fill(w, BIG);
	assert_int_equal(
	    ASK(w, commit, .upload = m.upload, .size = BIG, .modified_us = 77), IPC_ENTRY);
	e = entry(w);
	assert_int_equal(e.has_sha256, 0);
	assert_int_equal(e.modified_us, 77);
	assert_int_equal(e.size, BIG);
	assert_int_equal(s->b->n_uploads, 0);
	REFUSES(two, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	assert_int_equal(count_blobs(s), 1);
	worker_free(w), worker_free(bob), worker_free(two);
}

/* what a worker does with the two descriptors, by the code that workers use */
static void
test_content(void **state)
{
	static const uint8_t key[32] = {9};
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct blob_writer *writer = NULL;
	struct blob_reader *reader = NULL;
	struct ipc_upload_resumed m;
	uint8_t sha256[32], proof[32];
	uint64_t acked = 0, size = 0;
	uint32_t crc;
	bool hashed;
	struct span got;

	struct ipc_upload up;
	assert_int_equal(ASK(w, put, .path = TEXT(PATH), .size = UINT64_MAX), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
	assert_int_equal(
	    blob_writer_new(w->fd, key, up.blob.b, up.segment, up.limit, true, &writer), SP_OK);
	put_bytes(writer, 'a', 70000);
	assert_int_equal(blob_writer_ack(writer, &acked), SP_OK);
	assert_int_equal(ASK(w, progress, .upload = up.upload, .acked = acked), IPC_DONE);
	put_bytes(writer, 'x', 70000); /* never acknowledged */
	blob_writer_free(writer);
	worker_free(w);
	w = login_sftp(s, "alice");
	m = resume(w, PATH);
	assert_int_equal(m.acked, 70000);
	assert_int_equal(
	    blob_writer_resume(w->fd, key, m.blob.b, m.segment, m.limit, m.acked, &writer, &hashed),
	    SP_OK);
	put_bytes(writer, 'b', 80000);
	assert_int_equal(blob_writer_finish(writer, &size, sha256, &crc, proof), SP_OK);
	blob_writer_free(writer);
	close_fd(&w->fd);
	assert_int_equal(size, 150000);
	assert_int_equal(ASK(w, commit, .upload = m.upload, .size = size), IPC_ENTRY);
	assert_int_equal(count_events(s, EVENT_KEY_SEALED), 1);
	assert_int_equal(ASK(w, open, .path = TEXT(PATH)), IPC_FILE_OPEN);
	assert_int_equal(blob_reader_new(w->fd, key, m.blob.b, m.segment, size, &reader), SP_OK);
	for (uint64_t i = 0; i < size; i += got.len) {
		assert_int_equal(blob_reader_at(reader, i, &got), SP_OK);
		assert_int_equal(got.ptr[0], i < 70000 ? 'a' : 'b');
		assert_int_equal(got.ptr[got.len - 1], i + got.len <= 70000 ? 'a' : 'b');
	}
	blob_reader_free(reader);
	worker_free(w);
}

/* the file cannot be opened for writing by anybody, before and after */
static void
test_mode(void **state)
{
	struct stage *s = *state;
	struct worker_end *w;
	int64_t size = 0;
	int fd = -1;

	leave_partial(s, "alice", PATH, 70000);
	w = login_sftp(s, "alice");
	(void)resume(w, PATH);
	assert_int_equal(blobfile_open(s->b, s->b->uploads->blob, &fd), SP_OK);
	assert_int_equal(file_size(fd, &size), SP_OK);
	assert_int_equal(size, floe_ciphertext_len(70000, 65536));
	assert_int_equal(lease_read(fd), SP_ECONFLICT);
	close_fd(&w->fd);
	assert_int_equal(lease_read(fd), SP_OK);
	if (geteuid() != 0) {
		char path[128];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		assert_int_equal(access(path, W_OK), -1);
	}
	close_fd(&fd);
	worker_free(w);
}

static void
test_restart(void **state)
{
	struct stage *s = *state;
	struct worker_end *w, *dies;
	struct ipc_upload_resumed m;

	leave_partial(s, "alice", PATH, 70000);
	/* in order */
	broker_down(s);
	broker_up(s);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(count_blobs(s), 1);
	/* kill -9, while one is written that is on record and one that is not */
	w = login_sftp(s, "alice");
	m = resume(w, PATH);
	assert_int_equal(ASK(w, progress, .upload = m.upload, .acked = 80000), IPC_DONE);
	dies = login_sftp(s, "alice");
	(void)begin_big(dies, "/Home/alice/dies", BIG);
	assert_int_equal(count_blobs(s), 2);
	end_free(w), end_free(dies);
	broker_killed(s);
	broker_up(s);
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	assert_int_equal(count_blobs(s), 1);
	w = login_sftp(s, "alice");
	assert_int_equal(partial_size(w, PATH), 80000);
	m = resume(w, PATH);
	assert_int_equal(m.acked, 80000);
	fill(w, BIG);
	assert_int_equal(ASK(w, commit, .upload = m.upload, .size = BIG), IPC_ENTRY);
	/* a blob file that is gone, a time that is over */
	worker_free(w);
	leave_partial(s, "alice", "/Home/alice/nofile", 70000);
	blobfile_remove(s->b, s->b->uploads->blob);
	broker_down(s);
	broker_up(s);
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 2);
	leave_partial(s, "alice", "/Home/alice/old", 70000);
	broker_down(s);
	now_us += 25 * 3600 * 1000000ll;
	broker_up(s);
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, 0);
	assert_int_equal(count_blobs(s), 1);
}

/* a worker that has ended for us and whose process is still there */
static void
test_writer_left(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	int left;

	(void)begin_acked(w, PATH, BIG, 70000);
	left = TAKE_FD(w->fd);
	chan_close(&w->chan);
	loop_unwatch(s->b->loop, w->watch);
	w->watch = NULL;
	run_ms(s, 10);
	assert_int_equal(s->b->n_kept, 1);
	struct worker_end *two = login_sftp(s, "alice");
	REFUSES(two, SP_ECONFLICT, resume, .path = TEXT(PATH));
	assert_int_equal(s->n_releases, 0); /* not asked for in vain */
	int fd = -1;
	assert_int_equal(blobfile_reopen(s->b, s->b->uploads->blob, &fd), SP_ECONFLICT);
	/* it is ended after a while, and then it goes */
	run_ms(s, 11000);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	(void)close(left);
	assert_int_equal(resume(two, PATH).acked, 70000);
	worker_free(w), worker_free(two);
}

/* two connections ask at once; the one that comes first goes away before it has the key */
static void
test_two_at_once(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *two = login_sftp(s, "alice");
	uint64_t up;

	leave_partial(s, "alice", PATH, 70000);
	s->is_mute = true;
	SEND(w, resume, .path = TEXT(PATH));
	REFUSES(two, SP_ECONFLICT, resume, .path = TEXT(PATH));
	now_us += 25 * 3600 * 1000000ll; /* nor does it expire under the first one's hands */
	s->b->ticks = 29;
	run_ms(s, 1200);
	assert_int_equal(s->b->n_kept, 1);
	worker_free(w);
	s->is_mute = false;
	link_ledger(s, false);
	run_ms(s, 20);
	now_us -= 25 * 3600 * 1000000ll;
	assert_int_equal(s->b->n_kept, 1);
	worker_free(two);
	two = login_sftp(s, "alice");
	up = resume(two, PATH).upload;
	/* dropped by somebody while the key is on its way */
	close_fd(&two->fd);
	worker_free(two);
	run_ms(s, 10);
	two = login_sftp(s, "alice");
	s->is_mute = true;
	SEND(two, resume, .path = TEXT(PATH));
	upload_drop(s->b, upload_find(s->b, (int64_t)up), &(struct actor){0}, "test");
	s->is_mute = false;
	link_ledger(s, false);
	assert_int_equal(wait_reply(two), IPC_FAILED);
	assert_int_equal(s->b->n_kept, 0);
	worker_free(two);
}

static void
test_resume_rights(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob;
	int64_t shared = 0;

	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/in"), .inherit = 1), IPC_ENTRY);
	shared = (int64_t)entry(w).id;
	assert_int_equal(sql_run(s->b->db, SQL_ACL_SET, SI(shared), SI(SUBJECT_USER), SI(2),
			     SI(RIGHT_WRITE | RIGHT_LIST | RIGHT_DELETE), SI(0)),
	    SP_OK);
	broker_policy_changed(s->b);
	leave_partial(s, "bob", "/Home/alice/in/f", 70000);
	/* who owns the folder does not own the upload */
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT("/Home/alice/in/f"));
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/in/f"), .partial = 1);
	/* rights are asked anew */
	assert_int_equal(sql_run(s->b->db, SQL_ACL_SET, SI(shared), SI(SUBJECT_USER), SI(2),
			     SI(RIGHT_LIST), SI(0)),
	    SP_OK);
	broker_policy_changed(s->b);
	bob = login_sftp(s, "bob");
	REFUSES(bob, SP_EPERM, resume, .path = TEXT("/Home/alice/in/f"));
	assert_int_equal(count_events(s, EVENT_DENIED), 1);
	/* a file that came meanwhile would be replaced: that needs the right to delete */
	assert_int_equal(put_small(w, "/Home/alice/in/f", 5), IPC_ENTRY);
	assert_int_equal(sql_run(s->b->db, SQL_ACL_SET, SI(shared), SI(SUBJECT_USER), SI(2),
			     SI(RIGHT_WRITE | RIGHT_LIST), SI(0)),
	    SP_OK);
	broker_policy_changed(s->b);
	REFUSES(bob, SP_EPERM, resume, .path = TEXT("/Home/alice/in/f"));
	assert_int_equal(ASK(bob, stat, .path = TEXT("/Home/alice/in/f"), .partial = 1), IPC_ENTRY);
	assert_int_equal(entry(bob).size, 5);
	assert_int_equal(s->n_releases, 0);
	/* the vault may refuse: it waits on, and nothing else has changed */
	leave_partial(s, "alice", PATH, 70000);
	s->refuses = true;
	REFUSES(w, SP_EBUDGET, resume, .path = TEXT(PATH));
	s->refuses = false;
	assert_int_equal(resume(w, PATH).acked, 70000);
	worker_free(w), worker_free(bob);
}

static void
test_expiry(void **state)
{
	struct stage *s = *state;
	struct worker_end *w;
	struct ipc_upload_resumed m;

	leave_partial(s, "alice", PATH, 70000);
	now_us += 20 * 3600 * 1000000ll;
	w = login_sftp(s, "alice");
	m = resume(w, PATH);
	assert_int_equal(ASK(w, progress, .upload = m.upload, .acked = 80000), IPC_DONE);
	worker_free(w);
	now_us += 20 * 3600 * 1000000ll;
	s->b->ticks = 29;
	run_ms(s, 1200);
	assert_int_equal(s->b->n_kept, 1); /* 20 hours since the last progress */
	clock_step_us += 10 * 3600 * 1000000ll;
	now_us += 10 * 3600 * 1000000ll; /* a clock that jumps takes nothing */
	s->b->ticks = 29;
	run_ms(s, 1200);
	assert_int_equal(s->b->n_kept, 1);
	now_us += 5 * 3600 * 1000000ll;
	s->b->ticks = 29;
	run_ms(s, 1200);
	assert_int_equal(s->b->n_kept, 0);
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	clock_step_us = 0;
}

static void
test_folders(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct ipc_upload_resumed m;

	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/a"), .inherit = 1), IPC_ENTRY);
	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/a/b"), .inherit = 1), IPC_ENTRY);
	leave_partial(s, "alice", "/Home/alice/a/b/f", 70000);
	/* it goes along with its folder */
	assert_int_equal(
	    ASK(w, rename, .path = TEXT("/Home/alice/a"), .to = TEXT("/Home/alice/c")), IPC_ENTRY);
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT("/Home/alice/a/b/f"));
	assert_int_equal(partial_size(w, "/Home/alice/c/b/f"), 70000);
	/* and counts where it is now */
	make(w, "/Home/alice/q");
	set_quota(s, (int64_t)entry(w).id, 90000);
	assert_int_equal(ASK(w, put, .path = TEXT("/Home/alice/q/x"), .size = 20000), IPC_UPLOAD);
	close_fd(&w->fd);
	assert_int_equal(ASK(w, abort, .upload = (uint64_t)s->b->uploads->id), IPC_DONE);
	assert_int_equal(
	    ASK(w, rename, .path = TEXT("/Home/alice/c"), .to = TEXT("/Home/alice/q/c")),
	    IPC_ENTRY);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/q/x"), .size = 20000);
	assert_int_equal(
	    ASK(w, rename, .path = TEXT("/Home/alice/q/c"), .to = TEXT("/Home/alice/c")),
	    IPC_ENTRY);
	m = resume(w, "/Home/alice/c/b/f");
	/* moved while it is written: it is stored where the folder is */
	assert_int_equal(
	    ASK(w, rename, .path = TEXT("/Home/alice/c/b"), .to = TEXT("/Home/alice/d")),
	    IPC_ENTRY);
	fill(w, BIG);
	assert_int_equal(ASK(w, commit, .upload = m.upload, .size = BIG), IPC_ENTRY);
	assert_span(entry(w).path, "/Home/alice/d/f");
	/* removed with all below it */
	leave_partial(s, "alice", "/Home/alice/d/g", 70000);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/d"), .kind = 0), IPC_DONE);
	run_ms(s, 10);
	assert_int_equal(s->b->n_kept, 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 2);
	assert_int_equal(count_blobs(s), 1); /* the held one */
	/* its folder goes while it is written */
	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/e"), .inherit = 1), IPC_ENTRY);
	struct worker_end *two = login_sftp(s, "alice");
	(void)begin_acked(two, "/Home/alice/e/f", BIG, 70000);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/e"), .kind = 0), IPC_DONE);
	worker_free(two);
	run_ms(s, 10);
	assert_int_equal(s->b->n_kept, 0);
	worker_free(w);
}

/* The end of it could not be put on record or into the database: it can be finished later. */
static void
test_commit_again(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct ipc_upload_resumed m;
	uint64_t up = begin_acked(w, PATH, BIG, 70000);
	struct ipc_commit c = {.upload = up, .size = 90000};

	fill(w, 90000);
	s->is_mute = true;
	w->has = false;
	assert_int_equal(chan_send_commit(&w->chan, &c, -1), SP_OK);
	run_ms(s, 30);
	assert_int_equal(s->events[s->entry], EVENT_FILE_CREATED);
	s->is_mute = false;
	link_ledger(s, false);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EUNAVAIL);
	run_ms(s, 30);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 0);
	/* the wrap is the staged one again, so more can be written */
	m = resume(w, PATH);
	assert_int_equal(m.upload, up);
	assert_int_equal(m.limit, BIG);
	fill(w, BIG);
	assert_int_equal(ASK(w, commit, .upload = m.upload, .size = BIG), IPC_ENTRY);
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 2);
	assert_int_equal(count_blobs(s), 1);
	end_free(w);
	broker_killed(s);
	broker_up(s);
	run_ms(s, 20);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
}

static void
test_rotation(void **state)
{
	struct stage *s = *state;
	struct worker_end *w;
	struct upload *u;

	leave_partial(s, "alice", PATH, 70000);
	u = s->b->uploads;
	assert_int_equal(u->epoch, 1);
	assert_int_equal(sql_run(s->b->db, SQL_ORG_SET_EPOCH, SI(1), SI(2), SI(2)), SP_OK);
	rotate_next(s->b);
	run_ms(s, 50);
	assert_null(s->b->rotation); /* it did not wait for the owner */
	assert_int_equal(u->epoch, 2);
	assert_int_equal(count_events(s, EVENT_KEY_REWRAPPED), 1);
	broker_down(s);
	broker_up(s);
	assert_int_equal(s->b->uploads->epoch, 2);
	w = login_sftp(s, "alice");
	assert_int_equal(resume(w, PATH).acked, 70000);
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_resume),
	    RING(test_content),
	    RING(test_mode),
	    RING(test_restart),
	    RING(test_writer_left),
	    RING(test_two_at_once),
	    RING(test_resume_rights),
	    RING(test_expiry),
	    RING(test_folders),
	    RING(test_commit_again),
	    RING(test_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
