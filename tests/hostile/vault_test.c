/* vault_test.c - the real vault, with a ledger and a broker that belong to an attacker.
 *
 * A stolen broker chooses every field of an order but its number and entry; a stolen ledger chooses
 * those too. Neither may make a key arrive anywhere but at the worker that a good order names.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "vault_play.h"

/* ---- orders ---- */

static void
test_replay(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);

	send_release(p, &m);
	assert_int_equal(take_result(p).err, 0);
	(void)take_key(p, &p->a);
	send_release(p, &m); /* the very same bytes */
	stage_violation(&p->s, 0);
	stage_closed(&p->s, &p->ledger);
	stage_silent(&p->s, &p->a);
	new_ledger(p);
	m.order = ++p->order; /* the same entry through a new socket */
	not_obeyed(p, &m);
	still_works(p);
}

static void
test_entries_and_orders(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);

	p->entry += 100;
	m.entry = p->entry;
	send_release(p, &m);
	assert_int_equal(take_result(p).err, 0);
	(void)take_key(p, &p->a);
	for (uint64_t back = 0; back < 4; back++) {
		m.order = ++p->order;
		m.entry = back == 3 ? 0 : p->entry - back;
		not_obeyed(p, &m);
	}
	still_works(p);
	m = good_release(p);
	m.order = 1;
	send_release(p, &m);
	stage_violation(&p->s, 0);
	stage_closed(&p->s, &p->ledger);
	new_ledger(p);
	still_works(p);
}

static void
test_wrong_anything(void **state)
{
	struct play *p = *state;
	uint8_t bad[WRAP_BYTES + 1];
	struct ipc_v_release m;

	m = good_release(p);
	m.serial = 300; /* nobody */
	not_obeyed(p, &m);
	m = good_release(p);
	m.serial = 0;
	not_obeyed(p, &m);
	m = good_release(p);
	m.serial = UINT64_MAX;
	not_obeyed(p, &m);
	m = good_release(p);
	m.user = USER + 1; /* on a worker that is USER's */
	not_obeyed(p, &m);
	m = good_release(p);
	m.org = ORG + 1;
	not_obeyed(p, &m);
	m = good_release(p);
	m.org = 0;
	not_obeyed(p, &m);
	m = good_release(p);
	m.blob.b[0] ^= 1;
	not_obeyed(p, &m);
	for (size_t i = 0; i < WRAP_BYTES; i += 5) { /* its length among them: bytes 40 to 47 */
		memcpy(bad, p->wrap, WRAP_BYTES);
		bad[i] ^= 0x10;
		m = good_release(p);
		m.wrap = span_of(bad, WRAP_BYTES);
		send_release(p, &m);
		assert_int_not_equal(take_result(p).err, 0);
	}
	for (size_t n = 0; n < WRAP_BYTES; n += 19) {
		m = good_release(p);
		m.wrap = span_of(p->wrap, n);
		send_release(p, &m);
		assert_int_not_equal(take_result(p).err, 0);
	}
	stage_silent(&p->s, &p->a);
	still_works(p);
}

/* A worker that ended is nobody, even when its successor has the same socket number or asks at
 * once. */
static void
test_worker_gone(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);
	struct chan c;

	stage_gone(&p->s, 200);
	stage_closed(&p->s, &p->b);
	m.serial = 200;
	send_release(p, &m);
	assert_int_not_equal(take_result(p).err, 0);
	/* registered and ordered in one breath: known, because the supervisor is heard first */
	c = stage_worker(&p->s, 300, ROOM_SCRUBBER);
	m = good_release(p);
	m.serial = 300;
	m.user = 0;
	send_release(p, &m);
	assert_int_equal(take_result(p).err, 0);
	(void)take_key(p, &c);
	stage_silent(&p->s, &p->a);
	chan_close(&c);
	/* its socket is closed: the key goes nowhere, and the vault goes on */
	m = good_release(p);
	m.serial = 300;
	m.user = 0;
	send_release(p, &m);
	assert_int_not_equal(take_result(p).err, 0);
	chan_close(&p->b);
	p->b = stage_worker(&p->s, 400, ROOM_WORKER_HTTPS);
	still_works(p);
}

/* A worker that does not read is killed, and holds nobody up. */
static void
test_worker_stalls(void **state)
{
	struct play *p = *state;
	struct ipc_v_key_new m = {.serial = 200, .org = ORG, .blob = p->blob, .limit = 1};
	unsigned err = 0;

	for (unsigned i = 0; i < 100000 && err == 0; i++) {
		m.order = ++p->order;
		assert_int_equal(chan_send_v_key_new(&p->ledger, &m, -1), SP_OK);
		err = take_result(p).err;
	}
	assert_int_not_equal(err, 0);
	stage_violation(&p->s, 200);
	/* registered still, but nothing goes there any more */
	m.order = ++p->order;
	assert_int_equal(chan_send_v_key_new(&p->ledger, &m, -1), SP_OK);
	assert_int_not_equal(take_result(p).err, 0);
	stage_gone(&p->s, 200);
	chan_close(&p->b);
	p->b = stage_worker(&p->s, 500, ROOM_WORKER_HTTPS);
	still_works(p);
}

/* ---- lengths ---- */

static struct ipc_v_result
seal(struct play *p, uint64_t length, const uint8_t key[KEY_BYTES], uint64_t proven)
{
	struct ipc_v_seal m = {
	    .order = ++p->order,
	    .entry = ++p->entry,
	    .org = ORG,
	    .blob = p->blob,
	    .wrap = span_of(p->wrap, WRAP_BYTES),
	    .length = length,
	};

	assert_int_equal(seal_proof(key, p->blob.b, proven, m.proof.b), SP_OK);
	assert_int_equal(chan_send_v_seal(&p->ledger, &m, -1), SP_OK);
	return take_result(p);
}

static void
test_length_understated(void **state)
{
	struct play *p = *state;
	uint8_t guess[KEY_BYTES] = {0};
	struct ipc_v_result r;
	struct ipc_v_release m;

	new_key(p, 1u << 30);
	assert_int_not_equal(seal(p, 1, p->key, 900u << 20).err, 0); /* the worker said 900 MiB */
	assert_int_not_equal(seal(p, 1, guess, 1).err, 0);	     /* the broker has no key */
	assert_int_not_equal(seal(p, UINT64_C(2) << 30, p->key, UINT64_C(2) << 30).err, 0);
	stage_silent(&p->s, &p->a);
	r = seal(p, 900u << 20, p->key, 900u << 20);
	assert_int_equal(r.err, 0);
	memcpy(p->wrap, r.wrap.ptr, WRAP_BYTES);
	assert_int_not_equal(seal(p, 1, p->key, 1).err, 0); /* sealed once */
	m = good_release(p);
	send_release(p, &m);
	assert_int_equal(take_result(p).err, 0);
	assert_true(take_key(p, &p->a).length == 900u << 20);
}

static void
test_rotation(void **state)
{
	struct play *p = *state;
	struct ipc_v_rewrap m = {.org = ORG, .blob = p->blob, .wrap = span_of(p->wrap, WRAP_BYTES)};
	struct ipc_v_release old;
	struct ipc_v_result r;
	uint8_t fresh[WRAP_BYTES];

	r = org_key(p, ORG, 1, 0);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.epoch, 2);
	m.order = ++p->order;
	m.entry = ++p->entry;
	assert_int_equal(chan_send_v_rewrap(&p->ledger, &m, -1), SP_OK);
	r = take_result(p);
	assert_int_equal(r.err, 0);
	memcpy(fresh, r.wrap.ptr, WRAP_BYTES);
	stage_silent(&p->s, &p->a); /* nothing left the vault but a wrap */
	assert_int_not_equal(org_key(p, ORG, 2, 3).err, 0);
	assert_int_equal(org_key(p, ORG, 2, 2).err, 0);
	old = good_release(p);
	not_obeyed(p, &old);
	memcpy(p->wrap, fresh, WRAP_BYTES);
	still_works(p);
}

/* ---- bytes ---- */

struct sweep {
	struct play *p;
	unsigned sent, refused, dropped;
};

/* Every message of the table from the ledger's socket.  Orders that are well-formed are answered
 * with an error; all the rest costs the ledger its socket.  No worker ever hears of it. */
static void
from_ledger(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct sweep *w = arg;
	struct play *p = w->p;
	bool order = (id >= IPC_V_RELEASE && id <= IPC_V_ORG_KEY) || id == IPC_V_FREEZE;
	struct chan_msg m;
	int err;

	stage_raw(&p->ledger, id, body, 0);
	w->sent++;
	err = stage_poll(&p->s, &p->ledger, STAGE_WAIT_MS, &m);
	if (err == 1) {
		struct ipc_v_result r;

		if (!order || malformed)
			fprintf(stderr, "%s was answered\n", name);
		assert_true(order && !malformed);
		assert_int_equal(m.id, IPC_V_RESULT);
		assert_int_equal(ipc_get_v_result(m.body, &r), SP_OK);
		if (id != IPC_V_FREEZE) /* takes away only, so there is nothing to refuse */
			assert_int_not_equal(r.err, 0);
		w->refused++;
	} else {
		assert_int_equal(err, SP_ECLOSED);
		stage_violation(&p->s, 0);
		w->dropped++;
	}
	new_ledger(p);
}

static void
test_every_message(void **state)
{
	struct play *p = *state;
	struct sweep w = {.p = p};
	struct ipc_v_release m;

	every_message(from_ledger, &w);
	assert_true(w.sent > 500 && w.refused >= 4 && w.dropped > 500);
	stage_silent(&p->s, &p->a);
	stage_silent(&p->s, &p->b);
	/* one of the orders used up the last entry there is: only a new vault releases again */
	m = good_release(p);
	not_obeyed(p, &m);
	play_restart(p);
}

static void
test_descriptors(void **state)
{
	struct play *p = *state;

	for (int n = 1; n <= 4; n++) {
		struct ipc_v_release m = good_release(p);
		uint8_t buf[512];
		struct wr w = wr_of(buf, sizeof(buf));

		assert_int_equal(ipc_put_v_release(&w, &m), SP_OK);
		stage_raw(&p->ledger, IPC_V_RELEASE, wr_span(&w), n);
		stage_violation(&p->s, 0);
		stage_closed(&p->s, &p->ledger);
		stage_silent(&p->s, &p->a);
		new_ledger(p);
	}
	still_works(p);
}

/* A worker says something: it is reported and cut off, and another takes its place. */
static void
speak(struct play *p, uint64_t serial, uint16_t id, struct span body, int n_fds)
{
	stage_raw(&p->b, id, body, n_fds);
	stage_violation(&p->s, serial);
	stage_closed(&p->s, &p->b);
	stage_gone(&p->s, serial);
	chan_close(&p->b);
	p->b = stage_worker(&p->s, serial + 1, ROOM_WORKER_HTTPS);
}

struct speech {
	struct play *p;
	uint64_t serial;
};

static void
to_deaf(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct speech *s = arg;

	(void)name;
	(void)malformed;
	speak(s->p, s->serial++, id, body, 0);
}

/* The vault never reads what workers send: it is nobody's order, whatever it is. */
static void
test_from_worker(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);
	uint8_t buf[512];
	struct wr w = wr_of(buf, sizeof(buf));

	assert_int_equal(ipc_put_v_release(&w, &m), SP_OK);
	speak(p, 200, IPC_V_RELEASE, wr_span(&w), 0);
	speak(p, 201, IPC_V_RELEASE, wr_span(&w), 3);
	stage_silent(&p->s, &p->b);
	stage_silent(&p->s, &p->ledger);
	still_works(p);
}

static void
test_from_worker_everything(void **state)
{
	struct play *p = *state;
	struct speech s = {p, 200};

	every_message(to_deaf, &s);
	assert_true(s.serial > 700);
	stage_silent(&p->s, &p->b);
	stage_silent(&p->s, &p->ledger);
	stage_silent(&p->s, &p->s.supervisor);
	still_works(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_replay, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_entries_and_orders, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_anything, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_worker_gone, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_worker_stalls, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_length_understated, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_rotation, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_every_message, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_descriptors, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_from_worker, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_from_worker_everything, play_setup, play_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
