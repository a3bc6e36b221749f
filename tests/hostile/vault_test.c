/* vault_test.c - the real vault, with a ledger and a broker that belong to an attacker.
 *
 * A stolen broker chooses every field of an order but its number and entry; a stolen ledger chooses
 * those too. Neither may make a key arrive anywhere but at the worker that a good order names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/wrap.h"
#include "stage.h"
#include "sys/fd.h"

#define EXIT_CONFIG 78
#define ORG 3u
#define USER 9u

struct play {
	struct stage s;
	struct chan ledger, a, b; /* two workers: serials 100 and 200 */
	uint64_t order, entry;
	int state; /* the state file */
	uint8_t wrap[WRAP_BYTES], key[KEY_BYTES];
	ipc_b16 blob;
};

static const uint8_t root[KEY_BYTES] = {0xaa, 1, 2, 3};

static int
dup_of(int fd)
{
	int d = dup(fd);

	assert_true(d >= 0);
	return d;
}

/* raise_curtain - the vault with its files, before GO. */
static void
raise_curtain(struct play *p, bool with_key)
{
	stage_start(&p->s, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&p->s, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_file(&p->s, FILE_VAULT_STATE, dup_of(p->state));
	if (with_key)
		stage_bytes(&p->s, FILE_ROOT_KEY, span_of(root, sizeof(root)));
	p->ledger = stage_link(&p->s, ROOM_LEDGER);
}

static void
expect_state(struct play *p, unsigned open)
{
	struct ipc_v_state m;

	assert_int_equal(ipc_get_v_state(stage_take(&p->s, &p->ledger, IPC_V_STATE), &m), SP_OK);
	assert_int_equal(m.open, open);
}

static struct ipc_v_result
result(struct play *p)
{
	struct ipc_v_result r;

	assert_int_equal(ipc_get_v_result(stage_take(&p->s, &p->ledger, IPC_V_RESULT), &r), SP_OK);
	assert_true(r.order == p->order);
	if (r.err != 0)
		assert_int_equal(r.wrap.len, 0);
	return r;
}

static struct ipc_v_result
org_key(struct play *p, uint64_t org, unsigned op, uint32_t epoch)
{
	struct ipc_v_org_key m = {.order = ++p->order,
	    .entry = ++p->entry,
	    .org = org,
	    .op = (uint8_t)op,
	    .epoch = epoch};

	assert_int_equal(chan_send_v_org_key(&p->ledger, &m, -1), SP_OK);
	return result(p);
}

static struct ipc_key
take_key(struct play *p, struct chan *worker)
{
	struct ipc_key k;

	assert_int_equal(ipc_get_key(stage_take(&p->s, worker, IPC_KEY), &k), SP_OK);
	assert_int_equal(k.key.len, KEY_BYTES);
	return k;
}

/* new_key - for the play's blob, to worker 100; keeps wrap and key. */
static void
new_key(struct play *p, uint64_t limit)
{
	struct ipc_v_key_new m = {
	    .order = ++p->order, .serial = 100, .org = ORG, .blob = p->blob, .limit = limit};
	struct ipc_v_result r;
	struct ipc_key k;

	assert_int_equal(chan_send_v_key_new(&p->ledger, &m, -1), SP_OK);
	r = result(p);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.wrap.len, WRAP_BYTES);
	memcpy(p->wrap, r.wrap.ptr, WRAP_BYTES);
	k = take_key(p, &p->a);
	assert_int_equal(k.fresh, 1);
	assert_true(k.length == limit);
	memcpy(p->key, k.key.ptr, KEY_BYTES);
}

static struct ipc_v_release
good_release(struct play *p)
{
	return (struct ipc_v_release){
	    .order = ++p->order,
	    .entry = ++p->entry,
	    .serial = 100,
	    .org = ORG,
	    .user = USER,
	    .blob = p->blob,
	    .wrap = span_of(p->wrap, WRAP_BYTES),
	};
}

static void
send_release(struct play *p, const struct ipc_v_release *m)
{
	assert_int_equal(chan_send_v_release(&p->ledger, m, -1), SP_OK);
}

/* still_works - a good order is obeyed, for that worker only. */
static void
still_works(struct play *p)
{
	struct ipc_v_release m = good_release(p);
	struct ipc_key k;

	send_release(p, &m);
	assert_int_equal(result(p).err, 0);
	k = take_key(p, &p->a);
	assert_int_equal(k.fresh, 0);
	assert_true(k.entry == m.entry);
	assert_memory_equal(k.key.ptr, p->key, KEY_BYTES);
	stage_silent(&p->s, &p->b);
}

/* not_obeyed - an error comes back, and no key anywhere. */
static void
not_obeyed(struct play *p, const struct ipc_v_release *m)
{
	send_release(p, m);
	assert_int_not_equal(result(p).err, 0);
	stage_silent(&p->s, &p->a);
	stage_silent(&p->s, &p->b);
}

static void
new_ledger(struct play *p)
{
	chan_close(&p->ledger);
	p->ledger = stage_link(&p->s, ROOM_LEDGER);
	expect_state(p, 1);
	p->order = 0;
}

static int
setup(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	p->state = memfd_create("state", 0);
	memset(p->blob.b, 0xb0, 16);
	raise_curtain(p, true);
	stage_go(&p->s);
	expect_state(p, 1);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	assert_int_equal(org_key(p, ORG, 0, 0).err, 0);
	assert_int_equal(org_key(p, ORG + 1, 0, 0).err, 0);
	new_key(p, 1000);
	still_works(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	close_fd(&p->state);
	mem_free(p);
	return 0;
}

/* ---- orders ---- */

static void
test_replay(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);

	send_release(p, &m);
	assert_int_equal(result(p).err, 0);
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
	assert_int_equal(result(p).err, 0);
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
		assert_int_not_equal(result(p).err, 0);
	}
	for (size_t n = 0; n < WRAP_BYTES; n += 19) {
		m = good_release(p);
		m.wrap = span_of(p->wrap, n);
		send_release(p, &m);
		assert_int_not_equal(result(p).err, 0);
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
	assert_int_not_equal(result(p).err, 0);
	/* registered and ordered in one breath: known, because the supervisor is heard first */
	c = stage_worker(&p->s, 300, ROOM_SCRUBBER);
	m = good_release(p);
	m.serial = 300;
	m.user = 0;
	send_release(p, &m);
	assert_int_equal(result(p).err, 0);
	(void)take_key(p, &c);
	stage_silent(&p->s, &p->a);
	chan_close(&c);
	/* its socket is closed: the key goes nowhere, and the vault goes on */
	m = good_release(p);
	m.serial = 300;
	m.user = 0;
	send_release(p, &m);
	assert_int_not_equal(result(p).err, 0);
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
		err = result(p).err;
	}
	assert_int_not_equal(err, 0);
	stage_violation(&p->s, 200);
	/* registered still, but nothing goes there any more */
	m.order = ++p->order;
	assert_int_equal(chan_send_v_key_new(&p->ledger, &m, -1), SP_OK);
	assert_int_not_equal(result(p).err, 0);
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
	return result(p);
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
	assert_int_equal(result(p).err, 0);
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
	r = result(p);
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

static void
test_restart(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	raise_curtain(p, true);
	p->order = 0;
	stage_go(&p->s);
	expect_state(p, 1);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	still_works(p);
	assert_int_not_equal(org_key(p, ORG, 0, 0).err, 0); /* there is one already */
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
	bool order = id >= IPC_V_RELEASE && id <= IPC_V_ORG_KEY;
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
	test_restart(state);
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

static void
to_deaf(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct play *p = arg;

	(void)name;
	(void)malformed;
	if (body.len < 9000)
		stage_raw(&p->b, id, body, 0);
}

/* The vault never reads what workers send: nothing happens, whatever it is. */
static void
test_from_worker(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m = good_release(p);
	uint8_t buf[512];
	struct wr w = wr_of(buf, sizeof(buf));

	assert_int_equal(ipc_put_v_release(&w, &m), SP_OK);
	stage_raw(&p->b, IPC_V_RELEASE, wr_span(&w), 0);
	stage_raw(&p->b, IPC_V_RELEASE, wr_span(&w), 3);
	stage_silent(&p->s, &p->b);
	stage_silent(&p->s, &p->ledger);
	stage_silent(&p->s, &p->s.supervisor);
	still_works(p);
}

static void
test_from_worker_everything(void **state)
{
	struct play *p = *state;
	int big = 16 << 20;

	(void)setsockopt(p->b.fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	every_message(to_deaf, p);
	stage_silent(&p->s, &p->b);
	stage_silent(&p->s, &p->ledger);
	stage_silent(&p->s, &p->s.supervisor);
	still_works(p);
}

/* ---- start ---- */

static void
dies(struct span key, struct span content, bool with_state, const char *sentence)
{
	struct play p = {.state = memfd_create("state", 0)};

	if (content.len != 0)
		assert_int_equal(file_pwrite(p.state, content.ptr, content.len, 0), SP_OK);
	stage_start(&p.s, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&p.s, FILE_CONF, SPAN_LIT("Name test\n"));
	if (with_state)
		stage_file(&p.s, FILE_VAULT_STATE, dup_of(p.state));
	if (key.len != 0)
		stage_bytes(&p.s, FILE_ROOT_KEY, key);
	assert_int_equal(
	    chan_send_go(&p.s.supervisor, &(struct ipc_go){.generation = 1}, -1), SP_OK);
	stage_closed(&p.s, &p.s.supervisor);
	stage_died(&p.s, EXIT_CONFIG, sentence);
	close_fd(&p.state);
}

static void
test_bad_starts(void **state)
{
	static const uint8_t zeros[70000];
	struct span good = span_of(root, sizeof(root));

	(void)state;
	dies(span_cut(good, 31), span_of(NULL, 0), true, "not exactly 32 bytes");
	dies(span_of(zeros, 33), span_of(NULL, 0), true, "not exactly 32 bytes");
	dies(span_of(NULL, 0), span_of(NULL, 0), true, "neither a root key");
	dies(good, span_of(NULL, 0), false, "vault/state is missing");
	dies(good, SPAN_LIT("x"), true, "not written under this root key");
	dies(good, span_of(zeros, sizeof(zeros)), true, "not written under this root key");
}

/* another root key does not begin anew on the state of this one */
static void
test_other_root(void **state)
{
	struct play *p = *state;
	struct play other = {.state = p->state};
	uint8_t key[KEY_BYTES] = {7};

	stage_start(&other.s, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&other.s, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_file(&other.s, FILE_VAULT_STATE, dup_of(p->state));
	stage_bytes(&other.s, FILE_ROOT_KEY, span_of(key, sizeof(key)));
	assert_int_equal(
	    chan_send_go(&other.s.supervisor, &(struct ipc_go){.generation = 1}, -1), SP_OK);
	stage_closed(&other.s, &other.s.supervisor);
	stage_died(&other.s, EXIT_CONFIG, "not written under this root key");
	still_works(p);
}

static struct span
recovery_file(uint8_t out[130])
{
	static const uint8_t none[16], salt[16] = {5};
	struct wrap_info info = {WRAP_ORG, 1, 0};
	uint8_t kek[KEY_BYTES], wrap[WRAP_BYTES];
	struct wr w = wr_of(out, 130);

	assert_int_equal(argon2id_key(SPAN_LIT("open sesame"), salt, 8u << 20, 1, kek), SP_OK);
	assert_int_equal(key_wrap(kek, 0, none, &info, root, wrap), SP_OK);
	wr_bytes(&w, span_of("SPRR1", 6));
	wr_uint(&w, 8u << 20, 8);
	wr_uint(&w, 1, 4);
	wr_bytes(&w, span_of(salt, 16));
	wr_bytes(&w, span_of(wrap, WRAP_BYTES));
	return wr_span(&w);
}

static unsigned
unlock(struct play *p, const char *passphrase)
{
	struct ipc_unlock m = {.passphrase = span_str(passphrase)};
	struct ipc_unlock_result r;

	assert_int_equal(chan_send_unlock(&p->s.supervisor, &m, -1), SP_OK);
	assert_int_equal(
	    ipc_get_unlock_result(stage_take(&p->s, &p->s.supervisor, IPC_UNLOCK_RESULT), &r),
	    SP_OK);
	return r.err;
}

static void
test_locked(void **state)
{
	struct play *p = *state;
	struct ipc_v_release m;
	uint8_t file[130];

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	raise_curtain(p, false);
	stage_bytes(&p->s, FILE_ROOT_RECOVERY, recovery_file(file));
	p->order = 0;
	stage_go(&p->s);
	expect_state(p, 0);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	m = good_release(p);
	send_release(p, &m);
	assert_int_equal(result(p).err, -SP_ELOCKED);
	assert_int_equal(org_key(p, 50, 0, 0).err, -SP_ELOCKED);
	stage_silent(&p->s, &p->a);
	assert_int_equal(unlock(p, "open sesamf"), -SP_EAUTH);
	expect_state(p, 0);
	assert_int_equal(unlock(p, ""), -SP_EAUTH);
	expect_state(p, 0);
	m = good_release(p);
	send_release(p, &m);
	assert_int_equal(result(p).err, -SP_ELOCKED);
	assert_int_equal(unlock(p, "open sesame"), 0);
	expect_state(p, 1);
	still_works(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_replay, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_entries_and_orders, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_anything, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_worker_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_worker_stalls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_length_understated, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_message, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_from_worker, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_from_worker_everything, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
	    cmocka_unit_test(test_bad_starts),
	    cmocka_unit_test_setup_teardown(test_other_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
