/* ring_uploads_test.c - several uploads of one worker, what is kept of them and how much, and the
 * hashes that the scrubber fills in, against the whole broker. */
#include "rooms/broker/ring_stage.h"

#include "crypto/floe.h"
#include "rooms/broker/put.h"
#include "sys/fd.h"

#define PATH "/Home/alice/big"

/* ---- several at once ---- */

static void
test_several(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *web = login(s, "alice", NULL);
	uint64_t up[UPLOADS_PER_WORKER];
	char path[64];

	for (unsigned i = 0; i < UPLOADS_PER_WORKER; i++) {
		(void)snprintf(path, sizeof(path), "/Home/alice/f%u", i);
		up[i] = begin_big(w, path, BIG);
		if (i != 3)
			close_fd(&w->fd);
		else
			fill(w, BIG);
	}
	REFUSES(w, SP_EFULL, put, .path = TEXT("/Home/alice/more"), .size = 1);
	REFUSES(w, SP_EFULL, resume, .path = TEXT("/Home/alice/more"));
	/* each by its number, in any order */
	assert_int_equal(ASK(w, commit, .upload = up[3], .size = BIG, .has_sha256 = 1), IPC_ENTRY);
	REFUSES(w, SP_ENOTFOUND, commit, .upload = up[3], .size = BIG);
	assert_int_equal(ASK(w, abort, .upload = up[7]), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, progress, .upload = up[7], .acked = 1);
	assert_int_equal(ASK(w, put, .path = TEXT("/Home/alice/more"), .size = 1), IPC_UPLOAD);
	close_fd(&w->fd);
	/* another connection's are not one's own, the same user's either */
	REFUSES(web, SP_ENOTFOUND, abort, .upload = up[0]);
	REFUSES(web, SP_ENOTFOUND, commit, .upload = up[0], .size = BIG);
	/* HTTPS has one */
	(void)begin_big(web, "/Home/alice/w1", BIG);
	close_fd(&web->fd);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	(void)begin_big(web, "/Home/alice/w2", BIG);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 2);
	assert_int_equal(s->b->n_uploads, UPLOADS_PER_WORKER - 2 + 1 + 1);
	worker_free(w);
	run_ms(s, 20);
	assert_int_equal(s->b->n_uploads, 1);
	assert_int_equal(s->b->n_kept, 0);
	worker_free(web);
	run_ms(s, 20);
	assert_int_equal(count_blobs(s), 1);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 0);
}

/* ---- what is kept, and how much ---- */

static void
test_progress_refusals(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *bob = login_sftp(s, "bob");
	uint64_t up = begin_big(w, PATH, BIG);
	struct ipc_upload_small small;

	REFUSES(w, SP_ERANGE, progress, .upload = up, .acked = 0);
	REFUSES(w, SP_ERANGE, progress, .upload = up, .acked = BIG + 1);
	REFUSES(w, SP_ENOTFOUND, progress, .upload = up + 1, .acked = 1);
	REFUSES(bob, SP_ENOTFOUND, progress, .upload = up, .acked = 1);
	assert_int_equal(ASK(w, progress, .upload = up, .acked = 5), IPC_DONE);
	REFUSES(w, SP_ERANGE, progress, .upload = up, .acked = 4);
	assert_int_equal(ASK(w, progress, .upload = up, .acked = 5), IPC_DONE);
	assert_int_equal(ASK(w, put, .path = TEXT("/Home/alice/small"), .size = 5, .small = 1),
	    IPC_UPLOAD_SMALL);
	assert_int_equal(ipc_get_upload_small(span_of(w->body, w->len), &small), SP_OK);
	REFUSES(w, SP_ERANGE, progress, .upload = small.upload, .acked = 5);
	/* given up for good */
	close_fd(&w->fd);
	assert_int_equal(ASK(w, abort, .upload = up), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	assert_int_equal(count_blobs(s), 0);
	worker_free(w), worker_free(bob);
}

static void
test_new_upload_drops(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *web = login(s, "alice", NULL);

	leave_partial(s, "alice", PATH, 70000);
	/* the web door leaves it alone */
	assert_int_equal(put_small(web, PATH, 5), IPC_ENTRY);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(ASK(w, remove, .path = TEXT(PATH), .kind = 1), IPC_DONE);
	/* what is kept does not stand in the way of its successor */
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(BIG)), SP_OK);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/other"), .size = BIG);
	(void)begin_big(w, PATH, BIG);
	assert_int_equal(s->b->n_kept, 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	run_ms(s, 10);
	assert_int_equal(count_blobs(s), 1);
	/* of two connections that ended, the later one's is kept */
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(0)), SP_OK);
	struct worker_end *one = login_sftp(s, "alice"), *two = login_sftp(s, "alice");
	(void)begin_acked(one, "/Home/alice/both", BIG, 60000);
	(void)begin_acked(two, "/Home/alice/both", BIG, 70000);
	worker_free(one), worker_free(two);
	run_ms(s, 10);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(partial_size(w, "/Home/alice/both"), 70000);
	worker_free(w), worker_free(web);
}

static void
test_staged_counts(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct ipc_upload up;

	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(200000)), SP_OK);
	leave_partial(s, "alice", PATH, 70000);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/b"), .size = 150000);
	/* its size is not known: what becomes durable is held against the quota at once */
	assert_int_equal(
	    ASK(w, put, .path = TEXT("/Home/alice/b"), .size = UINT64_MAX), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
	close_fd(&w->fd);
	assert_true(up.limit < 130000 && up.limit > 120000);
	assert_int_equal(ASK(w, progress, .upload = up.upload, .acked = 100000), IPC_DONE);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/c"), .size = 50000);
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(180000)), SP_OK);
	REFUSES(w, SP_EQUOTA, progress, .upload = up.upload, .acked = 115000);
	/* also after a restart, and what lies on disk beyond the last acknowledgement */
	worker_free(w);
	broker_down(s);
	broker_up(s);
	w = login_sftp(s, "alice");
	assert_int_equal(s->b->n_kept, 2);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/c"), .size = 20000);
	worker_free(w);
	w = login_sftp(s, "bob");
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(2), SI(100000)), SP_OK);
	(void)begin_big(w, "/Home/bob/x", BIG);
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(90000, 65536)), SP_OK);
	assert_int_equal(
	    ASK(w, progress, .upload = (uint64_t)s->b->uploads->id, .acked = 1), IPC_DONE);
	worker_free(w);
	w = login_sftp(s, "bob");
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/bob/y"), .size = 20000);
	worker_free(w);
}

/* one that wrote more than it may is not kept */
static void
test_over_its_limit(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");

	(void)begin_acked(w, PATH, BIG, 70000);
	assert_int_equal(file_truncate(w->fd, 4 << 20), SP_OK);
	run_ms(s, 1200);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	assert_int_equal(s->b->n_uploads, 0);
	assert_int_equal(count_blobs(s), 0);
	worker_free(w);
}

/* A process whose socket is gone still has the descriptor until it is ended: what it writes then is
 * looked at when it has. */
static void
test_over_its_limit_later(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *two = login_sftp(s, "alice");

	(void)begin_acked(w, PATH, BIG, 70000);
	chan_close(&w->chan);
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, 1);
	assert_int_equal(file_truncate(w->fd, 4 << 20), SP_OK);
	worker_free(w);
	assert_int_equal(s->b->n_kept, 0);
	REFUSES(two, SP_ENOTFOUND, resume, .path = TEXT(PATH));
	assert_int_equal(count_blobs(s), 0);
	/* less than its limit counts */
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(BIG)), SP_OK);
	w = login_sftp(s, "alice");
	(void)begin_acked(w, PATH, BIG, 10);
	chan_close(&w->chan);
	run_ms(s, 20);
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(90000, 65536)), SP_OK);
	worker_free(w);
	assert_int_equal(s->b->n_kept, 1);
	REFUSES(two, SP_EQUOTA, put, .path = TEXT("/Home/alice/b"), .size = 20000);
	worker_free(two);
}

/* nor does a restart keep it */
static void
test_over_its_limit_at_the_start(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	int fd;

	(void)begin_acked(w, PATH, BIG, 70000);
	fd = TAKE_FD(w->fd);
	worker_free(w);
	broker_down(s);
	assert_int_equal(file_truncate(fd, 4 << 20), SP_OK);
	close_fd(&fd);
	broker_up(s);
	assert_int_equal(s->b->n_kept, 0);
	run_ms(s, 20);
	assert_int_equal(count_blobs(s), 0);
}

/* Uploads of unknown size: together they are not kept beyond a quota that each could fill alone. */
static void
test_kept_beyond_quota(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice");
	struct ipc_upload up;
	char path[64];

	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(8 << 20)), SP_OK);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "/Home/alice/f%u", i);
		assert_int_equal(ASK(w, put, .path = TEXT(path), .size = UINT64_MAX), IPC_UPLOAD);
		assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
		assert_int_equal(file_truncate(w->fd, 6 << 20), SP_OK);
		close_fd(&w->fd);
		assert_int_equal(ASK(w, progress, .upload = up.upload, .acked = 1), IPC_DONE);
	}
	worker_free(w);
	assert_int_equal(s->b->n_kept, 1);
	run_ms(s, 20);
	assert_int_equal(count_blobs(s), 1);
	/* one that is on record up to the last byte that its quota has is kept, whatever room
	 * encryption takes */
	w = login_sftp(s, "bob");
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(2), SI(BIG)), SP_OK);
	(void)begin_acked(w, "/Home/bob/full", BIG, BIG);
	assert_int_equal(
	    file_truncate(w->fd, (int64_t)floe_ciphertext_len(BIG, 65536) + 65536), SP_OK);
	worker_free(w);
	assert_int_equal(s->b->n_kept, 2);
}

static void
test_too_many(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = NULL;
	char path[64];

	for (unsigned i = 0; i <= KEPT_PER_USER; i++) {
		if (i % UPLOADS_PER_WORKER == 0) {
			if (w != NULL)
				worker_free(w);
			w = login_sftp(s, "alice");
		}
		now_us += 1000;
		(void)snprintf(path, sizeof(path), "/Home/alice/f%u", i);
		(void)begin_acked(w, path, BIG, 10);
		close_fd(&w->fd);
	}
	worker_free(w);
	run_ms(s, 20);
	assert_int_equal(s->b->n_kept, KEPT_PER_USER);
	assert_int_equal(count_blobs(s), KEPT_PER_USER);
	w = login_sftp(s, "alice");
	REFUSES(w, SP_ENOTFOUND, resume, .path = TEXT("/Home/alice/f0"));
	assert_int_equal(resume(w, "/Home/alice/f1").acked, 10);
	worker_free(w);
}

/* ---- the scrubber fills hashes in ---- */

static uint16_t scrub_err; /* what the played scrubber finds */
static unsigned scrubs;

static void
on_scrub(void *arg, int fd, unsigned events)
{
	struct worker_end *w = arg;
	struct ipc_scrubbed out = {.err = scrub_err, .crc32 = 99};
	struct ipc_scrub m;
	struct chan_msg msg;
	int rc = chan_recv(&w->chan, PH_ANY, false, w->s->buf, sizeof(w->s->buf), &msg);

	(void)fd;
	(void)events;
	if (rc == 1 && msg.id == IPC_SCRUB && ipc_get_scrub(msg.body, &m) == SP_OK) {
		out.job = m.job;
		out.length = m.length;
		out.sha256.b[0] = 7;
		scrubs++;
		assert_int_equal(chan_send_scrubbed(&w->chan, &out, -1), SP_OK);
		chan_msg_done(&msg);
	} else if (rc != 0) {
		loop_unwatch(w->s->b->loop, w->watch);
		w->watch = NULL;
	}
}

static struct worker_end *
add_scrubber(struct stage *s)
{
	return add_worker(s, ROOM_SCRUBBER, 2, NULL, on_scrub);
}

/* stored without a hash */
static void
store_unhashed(struct worker_end *w, const char *path)
{
	uint64_t up = begin_big(w, path, BIG);

	fill(w, BIG);
	assert_int_equal(ASK(w, commit, .upload = up, .size = BIG, .checked = 1), IPC_ENTRY);
	assert_int_equal(entry(w).has_sha256, 0);
	assert_int_equal(entry(w).checked, 0);
}

static void
test_backfill(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *scrubber;
	struct ipc_entry e;

	scrub_err = 0, scrubs = 0;
	store_unhashed(w, PATH);
	store_unhashed(w, "/Home/alice/two");
	assert_int_equal(put_small(w, "/Home/alice/hashed", 5), IPC_ENTRY);
	/* no scrubber was there; after a restart it is still to be done */
	worker_free(w);
	broker_down(s);
	broker_up(s);
	scrubber = add_scrubber(s);
	run_ms(s, 1200);
	assert_int_equal(scrubs, 1);
	assert_int_equal(count_events(s, EVENT_FILE_CHECKED), 1);
	w = login_sftp(s, "alice");
	assert_int_equal(ASK(w, stat, .path = TEXT(PATH)), IPC_ENTRY);
	e = entry(w);
	assert_int_equal(e.has_sha256, 1);
	assert_int_equal(e.sha256.b[0], 7);
	assert_int_equal(e.crc32, 99);
	/* one job a process */
	run_ms(s, 1200);
	assert_int_equal(scrubs, 1);
	worker_free(scrubber);
	scrubber = add_scrubber(s);
	run_ms(s, 1200);
	assert_int_equal(scrubs, 2);
	worker_free(scrubber);
	scrubber = add_scrubber(s);
	run_ms(s, 2200);
	assert_int_equal(scrubs, 2); /* nothing is left */
	worker_free(scrubber), worker_free(w);
}

static void
test_backfill_fails(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login_sftp(s, "alice"), *scrubber = add_scrubber(s);
	int64_t id = 0;

	scrub_err = 0, scrubs = 0;
	store_unhashed(w, PATH);
	s->refuses = true; /* no key: the scrubber is ended */
	scrub_err = (uint16_t)-SP_EUNAVAIL;
	run_ms(s, 1200);
	assert_int_equal(count_events(s, EVENT_FILE_CHECKED), 1);
	worker_free(scrubber);
	s->refuses = false;
	scrub_err = 0;
	scrubber = add_scrubber(s);
	run_ms(s, 2200);
	assert_int_equal(scrubs, 1); /* not at once */
	now_us += 31 * 1000000ll;
	run_ms(s, 2200);
	assert_int_equal(scrubs, 2);
	assert_int_equal(sql_get(s->b->db, SQL_VERSION_UNHASHED, &id, SI(0)), 0);
	worker_free(scrubber);
	/* damage is found once, and is not looked for again and again */
	scrubber = add_scrubber(s);
	scrub_err = (uint16_t)-SP_EDAMAGED;
	store_unhashed(w, "/Home/alice/bad");
	run_ms(s, 1200);
	worker_free(scrubber);
	assert_int_equal(count_events(s, EVENT_FILE_DAMAGED), 1);
	now_us += 31 * 1000000ll;
	scrubber = add_scrubber(s);
	run_ms(s, 2200);
	assert_int_equal(scrubs, 3);
	assert_int_equal(ASK(w, stat, .path = TEXT("/Home/alice/bad")), IPC_ENTRY);
	assert_int_equal(entry(w).has_sha256, 0);
	worker_free(scrubber), worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_several),
	    RING(test_progress_refusals),
	    RING(test_new_upload_drops),
	    RING(test_staged_counts),
	    RING(test_over_its_limit),
	    RING(test_over_its_limit_later),
	    RING(test_over_its_limit_at_the_start),
	    RING(test_kept_beyond_quota),
	    RING(test_too_many),
	    RING(test_backfill),
	    RING(test_backfill_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
