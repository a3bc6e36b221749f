/* vault_play.c - see vault_play.h. */
#include "vault_play.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/fd.h"

const uint8_t root[KEY_BYTES] = {0xaa, 1, 2, 3};

int
play_dup(int fd)
{
	int d = dup(fd);

	assert_true(d >= 0);
	return d;
}

/* raise_curtain - the vault with its files, before GO. */
void
play_raise(struct play *p, bool with_key)
{
	stage_start(&p->s, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&p->s, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_file(&p->s, FILE_VAULT_STATE, play_dup(p->state));
	stage_file(&p->s, FILE_VAULT_EGRESS, play_dup(p->egress));
	if (p->limits != 0)
		stage_file(&p->s, FILE_LIMITS, play_dup(p->limits));
	if (with_key)
		stage_bytes(&p->s, FILE_ROOT_KEY, span_of(root, sizeof(root)));
	p->ledger = stage_link(&p->s, ROOM_LEDGER);
}

void
expect_state(struct play *p, unsigned open)
{
	struct ipc_v_state m;

	assert_int_equal(ipc_get_v_state(stage_take(&p->s, &p->ledger, IPC_V_STATE), &m), SP_OK);
	assert_int_equal(m.open, open);
}

struct ipc_v_result
take_result(struct play *p)
{
	struct ipc_v_result r;

	assert_int_equal(ipc_get_v_result(stage_take(&p->s, &p->ledger, IPC_V_RESULT), &r), SP_OK);
	assert_true(r.order == p->order);
	if (r.err != 0)
		assert_int_equal(r.wrap.len, 0);
	return r;
}

struct ipc_v_result
org_key(struct play *p, uint64_t org, unsigned op, uint32_t epoch)
{
	struct ipc_v_org_key m = {.order = ++p->order,
	    .entry = ++p->entry,
	    .org = org,
	    .op = (uint8_t)op,
	    .epoch = epoch};

	assert_int_equal(chan_send_v_org_key(&p->ledger, &m, -1), SP_OK);
	return take_result(p);
}

struct ipc_key
take_key(struct play *p, struct chan *worker)
{
	struct ipc_key k;

	assert_int_equal(ipc_get_key(stage_take(&p->s, worker, IPC_KEY), &k), SP_OK);
	assert_int_equal(k.key.len, KEY_BYTES);
	return k;
}

/* new_key - for the play's blob, to worker 100; keeps wrap and key. */
void
new_key(struct play *p, uint64_t limit)
{
	struct ipc_v_key_new m = {
	    .order = ++p->order, .serial = 100, .org = ORG, .blob = p->blob, .limit = limit};
	struct ipc_v_result r;
	struct ipc_key k;

	assert_int_equal(chan_send_v_key_new(&p->ledger, &m, -1), SP_OK);
	r = take_result(p);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.wrap.len, WRAP_BYTES);
	memcpy(p->wrap, r.wrap.ptr, WRAP_BYTES);
	k = take_key(p, &p->a);
	assert_int_equal(k.fresh, 1);
	assert_true(k.length == limit);
	memcpy(p->key, k.key.ptr, KEY_BYTES);
}

struct ipc_v_release
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

void
send_release(struct play *p, const struct ipc_v_release *m)
{
	assert_int_equal(chan_send_v_release(&p->ledger, m, -1), SP_OK);
}

/* still_works - a good order is obeyed, for that worker only. */
void
still_works(struct play *p)
{
	struct ipc_v_release m = good_release(p);
	struct ipc_key k;

	send_release(p, &m);
	assert_int_equal(take_result(p).err, 0);
	k = take_key(p, &p->a);
	assert_int_equal(k.fresh, 0);
	assert_true(k.entry == m.entry);
	assert_memory_equal(k.key.ptr, p->key, KEY_BYTES);
	stage_silent(&p->s, &p->b);
}

/* not_obeyed - an error comes back, and no key anywhere. */
void
not_obeyed(struct play *p, const struct ipc_v_release *m)
{
	send_release(p, m);
	assert_int_not_equal(take_result(p).err, 0);
	stage_silent(&p->s, &p->a);
	stage_silent(&p->s, &p->b);
}

void
new_ledger(struct play *p)
{
	chan_close(&p->ledger);
	p->ledger = stage_link(&p->s, ROOM_LEDGER);
	expect_state(p, 1);
	p->order = 0;
}

int
play_setup(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	p->state = memfd_create("state", 0);
	p->egress = memfd_create("egress", 0);
	memset(p->blob.b, 0xb0, 16);
	play_raise(p, true);
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

int
play_teardown(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	close_fd(&p->state);
	close_fd(&p->egress);
	mem_free(p);
	return 0;
}

void
play_restart(struct play *p)
{
	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->ledger);
	chan_close(&p->a);
	chan_close(&p->b);
	play_raise(p, true);
	p->order = 0;
	stage_go(&p->s);
	expect_state(p, 1);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	still_works(p);
}
