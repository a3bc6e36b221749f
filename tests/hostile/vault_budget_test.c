/* vault_budget_test.c - the real vault, and a thief who holds workers, then the broker: how much
 * does it give?
 *
 * The thief chooses every field of an order; what the supervisor says (which room, which address)
 * and what the wrap authenticates are beyond reach.
 */
#include "vault_play.h"

#include "base/limits.h"
#include "base/mem.h"
#include "sys/fd.h"

static void
limit(struct play *p, const char *file)
{
	stage_bytes(&p->s, FILE_LIMITS, span_str(file));
}

static void
say_peer(struct play *p, uint64_t serial, const char *address)
{
	struct ipc_worker_peer m = {.serial = serial, .address = span_str(address)};

	assert_int_equal(chan_send_worker_peer(&p->s.supervisor, &m, -1), SP_OK);
}

/* ask - a release of the play's blob to a worker; the vault's answer. */
static struct ipc_v_result
ask(struct play *p, uint64_t serial, uint64_t user)
{
	struct ipc_v_release m = good_release(p);

	m.serial = serial;
	m.user = user;
	send_release(p, &m);
	return take_result(p);
}

/* haul - as many keys as n workers get, one each, as users and from addresses that differ. */
static unsigned
haul(struct play *p, unsigned n, bool users, bool addresses)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t serial = 1000 + i;
		struct chan c = stage_worker(&p->s, serial, ROOM_WORKER_HTTPS);
		char peer[32] = "10.1.1.1:4000";

		peer[5] = (char)('0' + (addresses ? i % 10 : 0));
		peer[3] = (char)('0' + (addresses ? i / 10 : 0));
		say_peer(p, serial, peer);
		if (ask(p, serial, users ? 100 + i : 100).err == 0) {
			(void)take_key(p, &c);
			got++;
		} else {
			stage_silent(&p->s, &c);
		}
		stage_gone(&p->s, serial);
		chan_close(&c);
	}
	return got;
}

/* ---- stolen workers ---- */

static void
test_workers_share_one_budget(void **state)
{
	struct play *p = *state;
	struct ipc_v_result r;

	limit(p, "UserFilesPerHour 5\n");
	/* every connection another address, so that nothing is read again */
	assert_int_equal(haul(p, 20, false, true), 5);
	r = ask(p, 100, USER); /* who is no victim of it */
	assert_int_equal(r.err, 0);
	(void)take_key(p, &p->a);
}

static void
test_what_is_said(void **state)
{
	struct play *p = *state;
	struct ipc_v_result r;

	limit(p, "UserBytesPerHour 1500\nAddressFilesPerDay 3\n"); /* the blob has 1000 */
	r = ask(p, 100, USER);					   /* one was released before */
	assert_int_equal(r.err, -SP_EBUDGET);
	assert_int_equal(r.kind, PRINCIPAL_USER);
	assert_int_equal(r.budget, BUDGET_BYTES_HOUR);
	assert_true(r.retry_after > 3000 && r.retry_after <= 3900);
	stage_silent(&p->s, &p->a);
}

/* ---- a stolen broker ---- */

static void
test_invented_users(void **state)
{
	struct play *p = *state;

	limit(p, "UserFilesPerHour 2\nAddressFilesPerHour 6\n");
	assert_int_equal(haul(p, 20, true, false), 6);
}

static void
test_invented_users_everywhere(void **state)
{
	struct play *p = *state;

	limit(p, "UserFilesPerHour 2\nAddressFilesPerHour 2\nOrgFilesPerHour 9\n");
	assert_int_equal(haul(p, 20, true, true), 9 - 1); /* one was released before */
	new_key(p, 1000); /* another file: the same again would be free */
	limit(p, "ServerFilesPerHour 12\n");
	assert_int_equal(haul(p, 20, true, true), 12 - 9);
}

/* The supervisor's word, which comes on another socket, counts even when the order is quicker. */
static void
test_address_is_the_supervisors(void **state)
{
	struct play *p = *state;
	struct chan c = stage_worker(&p->s, 300, ROOM_WORKER_SFTP);

	limit(p, "AddressFilesPerHour 1\n");
	say_peer(p, 300, "192.0.2.7:1");
	assert_int_equal(ask(p, 300, 50).err, 0);
	(void)take_key(p, &c);
	chan_close(&c);
	stage_gone(&p->s, 300);
	c = stage_worker(&p->s, 301, ROOM_WORKER_SFTP);
	say_peer(p, 301, "192.0.2.7:2"); /* another port is no other client */
	assert_int_equal(ask(p, 301, 51).err, -SP_EBUDGET);
	stage_silent(&p->s, &c);
	chan_close(&c);
}

/* What is for the scrubber is no way round: it goes to the scrubber, and a worker is never the
 * server itself. */
static void
test_scrubber_is_no_way_out(void **state)
{
	struct play *p = *state;
	struct chan c = stage_worker(&p->s, 300, ROOM_SCRUBBER);
	struct chan d = stage_worker(&p->s, 301, ROOM_WORKER_HTTPS);

	limit(p, "HelperFilesPerHour 3\nUserFilesPerHour 1\n");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(ask(p, 300, 0).err, i < 3 ? 0 : -SP_EBUDGET);
		if (i < 3)
			(void)take_key(p, &c);
	}
	stage_silent(&p->s, &c);
	assert_int_equal(ask(p, 301, 0).err, -SP_EREFUSED);
	stage_silent(&p->s, &d);
	assert_int_equal(ask(p, 100, USER).err, -SP_EBUDGET); /* its own is used up all the same */
	stage_silent(&p->s, &p->a);
	chan_close(&c);
	chan_close(&d);
}

/* Two contents under one blob number are two: what is free is the key, not the number. */
static void
test_one_number_for_two(void **state)
{
	struct play *p = *state;

	say_peer(p, 100, "192.0.2.7:1");
	limit(p, "UserFilesPerHour 2\n");
	assert_int_equal(ask(p, 100, USER).err, 0); /* the second of this user */
	(void)take_key(p, &p->a);
	assert_int_equal(ask(p, 100, USER).err, 0); /* again: free */
	(void)take_key(p, &p->a);
	new_key(p, 1000); /* the same number */
	assert_int_equal(ask(p, 100, USER).err, -SP_EBUDGET);
	stage_silent(&p->s, &p->a);
}

/* A staged blob can be said to reach anything; it is charged ResumeBytes, and a file. */
static void
test_staged(void **state)
{
	struct play *p = *state;

	limit(p, "UserBytesPerHour 5000\nUserFilesPerHour 4\nResumeBytes 1001\n");
	for (unsigned i = 0; i < 4; i++) { /* one file of 1000 bytes was released before */
		new_key(p, UINT64_C(1) << 46);
		assert_int_equal(ask(p, 100, USER).err, i < 3 ? 0 : -SP_EBUDGET);
		if (i < 3)
			(void)take_key(p, &p->a);
	}
	limit(p, "UserBytesPerHour 5000\nResumeBytes 1001\n");
	new_key(p, UINT64_C(1) << 46);
	assert_int_equal(ask(p, 100, USER).err, -SP_EBUDGET); /* 1000 + 3 * 1001 + 1001 */
	stage_silent(&p->s, &p->a);
}

/* Deletions by a taken-over worker: for its own serial, as its own user, within the budget. */
static void
test_deletions(void **state)
{
	struct play *p = *state;
	struct ipc_v_delete m = {.serial = 100, .org = ORG, .user = USER, .files = 3, .bytes = 10};

	limit(p, "DeleteUserFilesPerHour 5\n");
	for (unsigned i = 0; i < 4; i++) {
		m.order = ++p->order;
		m.user = i == 1 ? USER + 1 : USER; /* worker 100 is USER's */
		m.serial = i == 2 ? 999 : 100;
		assert_int_equal(chan_send_v_delete(&p->ledger, &m, -1), SP_OK);
		assert_int_equal(take_result(p).err,
		    i == 0   ? 0
		    : i == 3 ? -SP_EBUDGET
			     : -SP_EREFUSED);
	}
	stage_silent(&p->s, &p->a); /* no key for it */
	still_works(p);
}

/* The ledger's socket is no operator's. */
static void
test_orders_change_no_limit(void **state)
{
	struct play *p = *state;
	struct ipc_limits_change m = {.op = 0, .kind = PRINCIPAL_USER, .files = 1000, .for_s = 60};
	uint8_t buf[IPC_SIZE_LIMITS_CHANGE];
	struct wr w = wr_of(buf, sizeof(buf));

	principal_number(USER, m.id.b);
	limit(p, "UserFilesPerHour 1\n");
	assert_int_equal(ipc_put_limits_change(&w, &m), SP_OK);
	stage_raw(&p->ledger, IPC_LIMITS_CHANGE, wr_span(&w), 0);
	stage_violation(&p->s, 0);
	stage_closed(&p->s, &p->ledger);
	new_ledger(p);
	assert_int_equal(ask(p, 100, USER).err, -SP_EBUDGET);
	stage_silent(&p->s, &p->a);
}

/* ---- again and again ---- */

/* Who can make the vault start anew gains nothing by it; who could empty its file would lose a day.
 */
static void
test_restarts(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m;

	for (unsigned i = 0; i < 3; i++)
		play_restart(p); /* each with a release */
	limit(p, "UserFilesPerHour 4\n");
	assert_int_equal(ask(p, 100, USER).err, -SP_EBUDGET);
	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	assert_int_equal(file_truncate(p->egress, 0), SP_OK);
	play_raise(p, true);
	p->order = 0;
	stage_go(&p->s);
	(void)stage_take(&p->s, &p->ledger, IPC_V_STATE);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	m = good_release(p);
	not_obeyed(p, &m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_workers_share_one_budget),
	    TEST(test_what_is_said),
	    TEST(test_invented_users),
	    TEST(test_invented_users_everywhere),
	    TEST(test_address_is_the_supervisors),
	    TEST(test_scrubber_is_no_way_out),
	    TEST(test_one_number_for_two),
	    TEST(test_staged),
	    TEST(test_deletions),
	    TEST(test_orders_change_no_limit),
	    TEST(test_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
