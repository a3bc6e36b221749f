/* ring_hostile_test.c - a worker that says whatever the table lets it say, with every field at its
 * limits. */
#include "rooms/broker/ring_stage.h"

#include <unistd.h>

#include "rooms/broker/login.h"
#include "sys/fd.h"

/* how fields are filled: everything empty, everything at its greatest, numbers 1 and a real path,
 * half-true */
enum fill { LEAST, MOST, ONE, FILLS };

static uint8_t padding[IPC_MAX];

static uint64_t
number(enum fill how, uint64_t max)
{
	return how == LEAST ? 0 : how == MOST ? max : max != 0;
}

static struct span
bytes(enum fill how, uint64_t max)
{
	static const char path[] = "/Home/alice/f";

	if (how == LEAST)
		return span_of(NULL, 0);
	if (how == ONE && max >= sizeof(path) - 1)
		return span_of(path, sizeof(path) - 1);
	return span_of(padding, max);
}

#define FILL_u8(max) (ipc_u8) number(how, (max))
#define FILL_u16(max) (ipc_u16) number(how, (max))
#define FILL_u32(max) (ipc_u32) number(how, (max))
#define FILL_u64(max) number(how, (max))
#define FILL_str(max) bytes(how, (max))
#define FILL_blob(max) bytes(how, (max))
#define FILL_secret(max) bytes(how, (max))
#define FILL_b16(max)                                                                              \
	(ipc_b16)                                                                                  \
	{                                                                                          \
		{                                                                                  \
			(uint8_t) how                                                              \
		}                                                                                  \
	}
#define FILL_b32(max)                                                                              \
	(ipc_b32)                                                                                  \
	{                                                                                          \
		{                                                                                  \
			(uint8_t) how                                                              \
		}                                                                                  \
	}
#define F(type, name, max) m.name = FILL_##type(max);
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	static int encode_##name(struct wr *w, enum fill how)                                      \
	{                                                                                          \
		struct ipc_##name m;                                                               \
                                                                                                   \
		IPC_FIELDS_##name(F) return ipc_put_##name(w, &m);                                 \
	}
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

static const struct {
	uint16_t id;
	int (*encode)(struct wr *w, enum fill how);
} messages[] = {
#define IPC_MSG(id, NAME, name, from, to, phase, fds) {IPC_##NAME, encode_##name},
#include "ipc/protocol.def"
#undef IPC_MSG
};

static struct worker_end *
again(struct stage *s, struct worker_end *w, bool authed)
{
	if (w != NULL && !w->is_closed)
		return w;
	if (w != NULL)
		worker_free(w);
	return authed ? login(s, "alice", NULL) : connect_worker(s, 0);
}

static bool
may_send(uint16_t id)
{
	const struct ipc_rule *r = ipc_rule(id);

	return (r->from & R_WORKER_HTTPS) != 0 && (r->to & R_BROKER) != 0;
}

/* one message; the broker answers it, or ends the worker; nothing else */
static struct worker_end *
say(struct stage *s, struct worker_end *w, size_t i, enum fill how, bool authed, size_t cut)
{
	static uint8_t buf[IPC_MAX];
	struct wr out = wr_of(buf, sizeof(buf));

	w = again(s, w, authed);
	assert_int_equal(messages[i].encode(&out, how), SP_OK);
	if (out.len < cut)
		return w;
	w->has = false;
	if (chan_send(&w->chan, messages[i].id, span_of(buf, out.len - cut), -1) != SP_OK)
		return w;
	(void)wait_reply(w);
	assert_true(w->has || w->is_closed);
	return w;
}

static void
run(struct stage *s, bool authed)
{
	struct worker_end *w = NULL;

	memset(padding, 'x', sizeof(padding));
	add_authenticator(s);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		if (!may_send(messages[i].id))
			continue;
		for (int how = LEAST; how < FILLS; how++)
			for (size_t cut = 0; cut < 2; cut++)
				w = say(s, w, i, (enum fill)how, authed, cut);
	}
	worker_free(w);
	/* whoever comes next is served */
	w = login(s, "bob", NULL);
	assert_int_equal(put_small(w, "/Home/bob/f", 3), IPC_ENTRY);
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/bob/f")), IPC_FILE_INLINE);
	worker_free(w);
}

static void
test_authed(void **state)
{
	run(*state, true);
}

static void
test_fresh(void **state)
{
	struct stage *s = *state;

	run(s, false);
	assert_int_equal(s->n_releases, 1); /* the next one's */
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 1);
}

/* messages of other rooms, in a worker's voice */
static void
test_borrowed_voice(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = NULL;
	static uint8_t buf[IPC_MAX];

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct wr out = wr_of(buf, sizeof(buf));

		if (may_send(messages[i].id))
			continue;
		w = again(s, w, true);
		assert_int_equal(messages[i].encode(&out, ONE), SP_OK);
		w->chan.self = ROOM_LEDGER; /* its own checks would stop it */
		if (chan_send(&w->chan, messages[i].id, wr_span(&out), -1) != SP_OK)
			continue;
		run_ms(s, 20);
		assert_true(w->is_closed);
	}
	worker_free(w);
	read_supervisor(s);
	assert_true(s->n_violations >= 5);
}

/* many uploads begun and left: each worker has one, what is left goes with it */
static void
test_hoarder(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	for (int i = 0; i < 200; i++) {
		(void)begin_big(w, "/Home/alice/big", 100000);
		if (i < 199)
			close_fd(&w->fd);
	}
	assert_int_equal(s->b->n_uploads, 1);
	assert_int_equal(count_blobs(s), 1);
	worker_free(w);
	run_ms(s, 20);
	assert_int_equal(s->b->n_uploads, 0);
	assert_int_equal(s->b->n_ops, 0);
	assert_int_equal(count_blobs(s), 0);
}

/* a descriptor that is kept would go on filling the disk under no name */
static void
test_parked_writer(void **state)
{
	struct stage *s = *state;

	for (int how = 0; how < 2; how++) {
		struct worker_end *w = login(s, "alice", NULL);
		uint64_t up = begin_big(w, "/Home/alice/big", 100000);
		int parked = TAKE_FD(w->fd);

		assert_int_equal(how == 0 ? ASK(w, abort, .upload = up)
					  : ASK(w, put, .path = TEXT("/Home/alice/big"), .size = 1),
		    0);
		assert_true(w->is_closed);
		assert_int_equal(s->b->n_uploads, 0);
		(void)close(parked);
		worker_free(w);
	}
	read_supervisor(s);
	assert_int_equal(s->n_violations, 2);
}

/* more than it said: within seconds it is ended, and the disk is free again */
static void
test_overflow(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	(void)begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(file_truncate(w->fd, 4 << 20), SP_OK);
	run_ms(s, 1500);
	assert_int_equal(count_blobs(s), 0);
	worker_free(w);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
}

/* The ledger's queue is everybody's: who asks on and on without waiting for a key is told to wait.
 */
static void
test_greedy_reader(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	assert_int_equal(put_small(w, "/Home/alice/f", 4), IPC_ENTRY);
	s->is_mute = true;
	for (unsigned i = 0; i < READS_MAX; i++)
		assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/f")), IPC_FILE_INLINE);
	REFUSES(w, SP_EFULL, open, .path = TEXT("/Home/alice/f"));
	s->is_mute = false;
	worker_free(w);
	/* answered ones do not count */
	w = login(s, "alice", NULL);
	for (unsigned i = 0; i < 3 * READS_MAX; i++) {
		assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/f")), IPC_FILE_INLINE);
		run_ms(s, 5);
	}
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_authed),
	    RING(test_fresh),
	    RING(test_borrowed_voice),
	    RING(test_hoarder),
	    RING(test_parked_writer),
	    RING(test_overflow),
	    RING(test_greedy_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
