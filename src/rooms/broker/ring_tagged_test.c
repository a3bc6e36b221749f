/* ring_tagged_test.c - uploads that their client has a name for: kept from their beginning on,
 * against the whole broker. */
#include "rooms/broker/ring_stage.h"

#include <unistd.h>

#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "sys/fd.h"

#define PATH "/Home/alice/big"
#define TAG 77u

static uint64_t
begin(struct worker_end *w, uint64_t tag, uint8_t mode)
{
	struct ipc_upload up;

	close_fd(&w->fd);
	assert_int_equal(
	    ASK(w, put, .path = TEXT(PATH), .size = BIG, .tag = tag, .mode = mode), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
	return up.upload;
}

/* One that nothing was written into, whose connection has ended. */
static void
leave(struct stage *s, const char *user, uint64_t tag, uint8_t mode)
{
	struct worker_end *w = login(s, user, NULL);

	(void)begin(w, tag, mode);
	worker_free(w);
	run_ms(s, 10);
}

static struct ipc_upload_resumed
go_on(struct worker_end *w, uint64_t tag)
{
	struct ipc_upload_resumed m;

	close_fd(&w->fd);
	assert_int_equal(ASK(w, resume, .path = TEXT(PATH), .tag = tag), IPC_UPLOAD_RESUMED);
	assert_int_equal(ipc_get_upload_resumed(span_of(w->body, w->len), &m), SP_OK);
	return m;
}

static void
test_kept_while_empty(void **state)
{
	struct stage *s = *state;
	int64_t expiry_us = s->b->start.conf.upload_expiry * 1000000;
	struct worker_end *w;

	s->b->steady_from_ms = 0;
	leave(s, "alice", TAG, 1);
	kept_expire(s->b);
	assert_int_equal(s->b->n_kept, 1);
	now_us += expiry_us - 2000000;
	kept_expire(s->b);
	assert_int_equal(s->b->n_kept, 1);
	w = login(s, "alice", NULL);
	assert_int_equal(ASK(w, stat, .path = TEXT(PATH), .partial = 1, .tag = TAG), IPC_ENTRY);
	assert_int_equal(entry(w).size, 0);
	assert_int_equal((int64_t)entry(w).modified_us <= now_us - expiry_us + 2000000, true);
	now_us += 2000000;
	kept_expire(s->b);
	assert_int_equal(s->b->n_kept, 0);
	run_ms(s, 10);
	assert_int_equal(count_blobs(s), 0);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(PATH), .partial = 1, .tag = TAG);
	worker_free(w);
}

/* By its tag, by its owner, and by nothing else: what SFTP left of the path is another thing. */
static void
test_whose(void **state)
{
	struct stage *s = *state;
	struct worker_end *w, *bob = login(s, "bob", NULL), *sftp = login_sftp(s, "alice");

	leave(s, "alice", TAG, 1);
	w = login(s, "alice", NULL);
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT(PATH), .tag = TAG + 1);
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT(PATH), .partial = 1);
	REFUSES(w, SP_ENOTFOUND, upload_drop, .path = TEXT(PATH), .tag = TAG + 1);
	REFUSES(w, SP_ENOTFOUND, upload_drop, .path = TEXT(PATH));
	REFUSES(sftp, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	REFUSES(sftp, SP_ENOTFOUND, stat, .path = TEXT(PATH), .partial = 1);
	REFUSES(bob, SP_ENOTFOUND, resume, .path = TEXT(PATH), .tag = TAG);
	REFUSES(bob, SP_ENOTFOUND, upload_drop, .path = TEXT(PATH), .tag = TAG);
	assert_int_equal(s->b->n_kept, 1);
	/* SFTP's own has no tag: nobody gives it up by one */
	(void)begin_acked(sftp, "/Home/alice/other", BIG, 70000);
	worker_free(sftp);
	run_ms(s, 10);
	REFUSES(w, SP_ENOTFOUND, upload_drop, .path = TEXT("/Home/alice/other"));
	assert_int_equal(s->b->n_kept, 2);
	/* another upload of the name takes the place of the first */
	(void)begin(w, TAG + 1, 1);
	struct worker_end *three = login(s, "alice", NULL);
	REFUSES(three, SP_ENOTFOUND, resume, .path = TEXT(PATH), .tag = TAG);
	worker_free(w), worker_free(bob), worker_free(three);
}

static void
test_given_up(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *two = login(s, "alice", NULL);

	(void)begin(w, TAG, 1);
	REFUSES(two, SP_ECONFLICT, upload_drop, .path = TEXT(PATH), .tag = TAG); /* it is written */
	worker_free(w);
	run_ms(s, 10);
	assert_int_equal(ASK(two, upload_drop, .path = TEXT(PATH), .tag = TAG), IPC_DONE);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	assert_int_equal(s->b->n_kept, 0);
	run_ms(s, 10);
	assert_int_equal(count_blobs(s), 0);
	/* also by who may not write there any more, but sees the folder; going on he may not */
	struct worker_end *bob = login(s, "bob", NULL);
	int64_t folder;
	make(two, "/Home/alice/d");
	folder = (int64_t)at(two, "/Home/alice/d").id;
	let(s, folder, 2, RIGHT_LIST | RIGHT_WRITE);
	w = login(s, "bob", NULL);
	assert_int_equal(
	    ASK(w, put, .path = TEXT("/Home/alice/d/x"), .size = BIG, .tag = TAG), IPC_UPLOAD);
	worker_free(w);
	run_ms(s, 10);
	let(s, folder, 2, RIGHT_LIST);
	REFUSES(bob, SP_EPERM, resume, .path = TEXT("/Home/alice/d/x"), .tag = TAG);
	assert_int_equal(
	    ASK(bob, upload_drop, .path = TEXT("/Home/alice/d/x"), .tag = TAG), IPC_DONE);
	assert_int_equal(s->b->n_kept, 0);
	worker_free(bob);
	worker_free(two);
}

/* After kill -9 of the broker it is there, as it was made: not to overwrite anything. */
static void
test_restart(void **state)
{
	struct stage *s = *state;
	struct worker_end *w;
	struct ipc_upload_resumed m;

	leave(s, "alice", TAG, 1);
	broker_killed(s);
	broker_up(s);
	w = login(s, "alice", NULL);
	m = go_on(w, TAG);
	assert_int_equal(m.acked, 0);
	fill(w, BIG);
	struct worker_end *two = login(s, "alice", NULL);
	assert_int_equal(put_small(two, PATH, 5), IPC_ENTRY); /* the name is taken meanwhile */
	REFUSES(w, SP_EPRECOND, commit, .upload = m.upload, .size = BIG);
	worker_free(w), worker_free(two);
}

/* What a worker that has lost its upload still writes is judged when its process is gone. */
static void
test_written_afterwards(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	int left;

	(void)begin(w, TAG, 1);
	left = dup(w->fd);
	chan_close(&w->chan);
	loop_unwatch(s->b->loop, w->watch);
	w->watch = NULL;
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(file_truncate(left, (int64_t)floe_ciphertext_len(BIG, 65536) * 99), SP_OK);
	close_fd(&left);
	worker_free(w);
	assert_int_equal(s->b->n_kept, 0);
	run_ms(s, 10);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_kept_while_empty),
	    RING(test_whose),
	    RING(test_given_up),
	    RING(test_restart),
	    RING(test_written_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
