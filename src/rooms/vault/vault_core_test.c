/* vault_core_test.c - orders that must be obeyed, and all the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/wire.h"
#include "rooms/vault/vault_core.h"

#define ORG 7u
#define USER 11u

/* A disk of two slots, which can fail or tear the nth write from now. */
struct disk {
	uint8_t bytes[2][8192];
	size_t len[2];
	int fail_in; /* 0: never; 1: the next write fails */
	size_t tear; /* with fail_in: so many bytes still arrive */
	unsigned saves;
};

struct world {
	struct disk disk;
	struct vault_core *core;
	struct vault_worker worker, other;
	uint64_t order, entry;
	uint8_t root[KEY_BYTES];
	ipc_b16 blob;
};

static int
disk_save(void *arg, unsigned slot, struct span content)
{
	struct disk *d = arg;

	d->saves++;
	assert_true(slot < 2 && content.len <= sizeof(d->bytes[0]));
	if (d->fail_in != 0 && --d->fail_in == 0) {
		memcpy(d->bytes[slot], content.ptr, d->tear < content.len ? d->tear : content.len);
		return SP_EIO;
	}
	memcpy(d->bytes[slot], content.ptr, content.len);
	if (content.len > d->len[slot])
		d->len[slot] = content.len;
	return SP_OK;
}

static int
reopen(struct world *w)
{
	struct span slot[2] = {
	    span_of(w->disk.bytes[0], w->disk.len[0]), span_of(w->disk.bytes[1], w->disk.len[1])};

	return vault_core_open(w->core, w->root, slot, w->disk.len[0] + w->disk.len[1] == 0);
}

static void
start_again(struct world *w)
{
	vault_core_free(w->core);
	w->core = vault_core_new(disk_save, &w->disk);
	assert_non_null(w->core);
}

static struct vault_answer
org_op(struct world *w, uint64_t org, unsigned op, uint32_t epoch)
{
	struct ipc_v_org_key m = {.order = ++w->order,
	    .entry = ++w->entry,
	    .org = org,
	    .op = (uint8_t)op,
	    .epoch = epoch};
	struct vault_answer a;

	vault_org_key(w->core, &m, &a);
	assert_false(a.has_key);
	return a;
}

static int
setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	assert_non_null(w);
	memset(w->root, 0x5a, sizeof(w->root));
	memset(w->blob.b, 0xb1, sizeof(w->blob.b));
	w->worker.serial = 100;
	w->other.serial = 200;
	w->core = vault_core_new(disk_save, &w->disk);
	assert_non_null(w->core);
	*state = w;
	return 0;
}

static int
setup_open(void **state)
{
	struct world *w;

	setup(state);
	w = *state;
	assert_int_equal(reopen(w), SP_OK);
	assert_int_equal(org_op(w, ORG, 0, 0).err, 0);
	assert_int_equal(org_op(w, ORG + 1, 0, 0).err, 0);
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	vault_core_free(w->core);
	mem_free(w);
	return 0;
}

/* fresh - a new key for the world's blob; keeps its 32 bytes. */
static struct vault_answer
fresh(struct world *w, uint64_t limit, uint8_t key[KEY_BYTES])
{
	struct ipc_v_key_new m = {.order = ++w->order,
	    .serial = w->worker.serial,
	    .org = ORG,
	    .blob = w->blob,
	    .limit = limit};
	struct vault_answer a;

	vault_key_new(w->core, &m, &w->worker, &a);
	if (a.has_key) {
		assert_int_equal(a.key.key.len, KEY_BYTES);
		memcpy(key, a.key.key.ptr, KEY_BYTES);
		assert_int_equal(a.key.fresh, 1);
		assert_int_equal(a.key.entry, 0);
		assert_int_equal(a.key.length, limit);
		assert_memory_equal(a.key.blob.b, w->blob.b, 16);
	}
	vault_core_clear(w->core);
	return a;
}

static struct ipc_v_release
release_of(struct world *w, const struct vault_answer *wrapped)
{
	return (struct ipc_v_release){
	    .order = ++w->order,
	    .entry = ++w->entry,
	    .serial = w->worker.serial,
	    .org = ORG,
	    .user = USER,
	    .blob = w->blob,
	    .wrap = span_of(wrapped->wrap, wrapped->wrap_len),
	};
}

/* refused - nothing of a key is in the answer. */
static void
refused(const struct vault_answer *a, int err)
{
	assert_int_equal(a->err, -err);
	assert_false(a->has_key);
	assert_int_equal(a->wrap_len, 0);
	assert_int_equal(a->key.key.len, 0);
	for (size_t i = 0; i < sizeof(a->wrap); i++)
		assert_int_equal(a->wrap[i], 0);
}

static struct vault_answer
release(struct world *w, const struct ipc_v_release *m, struct vault_worker *worker,
    uint8_t key[KEY_BYTES])
{
	struct vault_answer a;

	vault_release(w->core, m, worker, &a);
	if (a.has_key && key != NULL)
		memcpy(key, a.key.key.ptr, KEY_BYTES);
	vault_core_clear(w->core);
	return a;
}

static void
test_locked(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES];
	struct vault_answer a = {0}, got;
	struct ipc_v_release r = release_of(w, &a);
	struct ipc_v_seal s = {.order = 5, .org = ORG};
	struct ipc_v_rewrap rw = {.order = 6, .org = ORG};

	assert_false(vault_core_is_open(w->core));
	a = fresh(w, 10, key);
	refused(&a, SP_ELOCKED);
	a = release(w, &r, &w->worker, key);
	refused(&a, SP_ELOCKED);
	vault_seal(w->core, &s, &got);
	refused(&got, SP_ELOCKED);
	vault_rewrap(w->core, &rw, &got);
	refused(&got, SP_ELOCKED);
	got = org_op(w, ORG, 0, 0);
	refused(&got, SP_ELOCKED);
	assert_int_equal(w->disk.saves, 0);
}

static void
test_store_and_read(void **state)
{
	struct world *w = *state;
	uint8_t made[KEY_BYTES], got[KEY_BYTES], again[KEY_BYTES];
	struct vault_answer a = fresh(w, 4096, made), b;
	struct wrap_info info;
	struct ipc_v_release m;
	struct governor_count n;

	assert_int_equal(a.err, 0);
	assert_true(a.has_key);
	assert_int_equal(wrap_peek(span_of(a.wrap, a.wrap_len), &info), SP_OK);
	assert_int_equal(info.state, WRAP_STAGED);
	assert_int_equal(info.length, 4096);
	assert_int_equal(info.epoch, 1);
	m = release_of(w, &a);
	b = release(w, &m, &w->worker, got);
	assert_int_equal(b.err, 0);
	assert_true(b.has_key);
	assert_memory_equal(got, made, KEY_BYTES);
	assert_int_equal(b.key.length, 4096);
	assert_int_equal(b.key.entry, m.entry);
	assert_int_equal(b.key.fresh, 0);
	n = governor_count(vault_core_governor(w->core), USER);
	assert_int_equal(n.files, 1);
	assert_int_equal(n.bytes, 4096);
	b = fresh(w, 4096, again);
	assert_memory_not_equal(again, made, KEY_BYTES);
	assert_int_equal(governor_count(vault_core_governor(w->core), USER).files, 1);
}

static void
test_orders_increase(void **state)
{
	struct world *w = *state;

	start_again(w);
	assert_int_equal(vault_order(w->core, 0), SP_EDENIEDMSG);
	assert_int_equal(vault_order(w->core, 5), SP_OK);
	assert_int_equal(vault_order(w->core, 5), SP_EDENIEDMSG);
	assert_int_equal(vault_order(w->core, 4), SP_EDENIEDMSG);
	assert_int_equal(vault_order(w->core, 6), SP_OK);
	assert_int_equal(vault_order(w->core, UINT64_MAX), SP_OK);
	assert_int_equal(vault_order(w->core, UINT64_MAX), SP_EDENIEDMSG);
	vault_ledger_new(w->core);
	assert_int_equal(vault_order(w->core, 1), SP_OK);
}

static void
test_entries_increase(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES];
	struct vault_answer a = fresh(w, 10, key), b;
	struct ipc_v_release m = release_of(w, &a);

	m.entry = 50;
	b = release(w, &m, &w->worker, NULL);
	assert_int_equal(b.err, 0);
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	m.entry = 49;
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	m.entry = 0;
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	/* a new socket to the ledger does not make old entries new */
	vault_ledger_new(w->core);
	m.entry = 50;
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	/* a refused order uses its entry up */
	m.entry = 60;
	b = release(w, &m, NULL, NULL);
	refused(&b, SP_EREFUSED);
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	m.entry = 61;
	b = release(w, &m, &w->worker, NULL);
	assert_int_equal(b.err, 0);
	assert_int_equal(governor_count(vault_core_governor(w->core), USER).files, 2);
}

static void
test_release_to_whom(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES];
	struct vault_answer a = fresh(w, 10, key), b;
	struct ipc_v_release m = release_of(w, &a);
	struct ipc_v_key_new k = {
	    .order = 1, .serial = 999, .org = ORG, .blob = w->blob, .limit = 1};

	b = release(
	    w, &m, &w->other, NULL); /* the table gave another worker than the order names */
	refused(&b, SP_EREFUSED);
	m = release_of(w, &a);
	b = release(w, &m, NULL, NULL);
	refused(&b, SP_EREFUSED);
	m = release_of(w, &a);
	b = release(w, &m, &w->worker, NULL);
	assert_int_equal(b.err, 0);
	m = release_of(w, &a);
	m.user = USER + 1; /* the worker's principal is fixed */
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	vault_key_new(w->core, &k, &w->worker, &b);
	refused(&b, SP_EREFUSED);
	vault_key_new(w->core, &k, NULL, &b);
	refused(&b, SP_EREFUSED);
	assert_int_equal(governor_count(vault_core_governor(w->core), USER).files, 1);
	assert_int_equal(governor_count(vault_core_governor(w->core), USER + 1).files, 0);
}

static void
test_release_of_what(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES];
	struct vault_answer a = fresh(w, 1000, key), b;
	struct ipc_v_release m = release_of(w, &a);

	m.org = ORG + 1; /* has a key of its own */
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EBADTAG);
	m = release_of(w, &a);
	m.org = ORG + 2; /* has none */
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	m = release_of(w, &a);
	m.blob.b[15] ^= 1;
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EBADTAG);
	for (size_t bit = 0; bit < WRAP_BYTES * 8; bit++) {
		struct vault_answer bad = a;

		bad.wrap[bit / 8] ^= (uint8_t)(1 << bit % 8);
		m = release_of(w, &bad);
		b = release(w, &m, &w->worker, NULL);
		assert_int_not_equal(b.err, 0);
		assert_false(b.has_key);
	}
	for (size_t n = 0; n < WRAP_BYTES; n++) {
		m = release_of(w, &a);
		m.wrap = span_cut(m.wrap, n);
		b = release(w, &m, &w->worker, NULL);
		refused(&b, SP_ERANGE);
	}
	assert_int_equal(governor_count(vault_core_governor(w->core), USER).files, 0);
}

/* A wrap of an organisation key, copied from the state file, is no file's wrap. */
static void
test_release_of_org_key(void **state)
{
	struct world *w = *state;
	struct vault_answer a = {.wrap_len = WRAP_BYTES}, b;
	struct ipc_v_release m;

	memcpy(a.wrap, w->disk.bytes[0] + 24 + 12, WRAP_BYTES);
	m = release_of(w, &a);
	memset(m.blob.b, 0, 16);
	b = release(w, &m, &w->worker, NULL);
	assert_int_not_equal(b.err, 0);
	assert_false(b.has_key);
}

static struct vault_answer
seal(struct world *w, const struct vault_answer *wrapped, uint64_t length,
    const uint8_t key[KEY_BYTES], uint64_t proven)
{
	struct ipc_v_seal m = {
	    .order = ++w->order,
	    .entry = ++w->entry,
	    .org = ORG,
	    .blob = w->blob,
	    .wrap = span_of(wrapped->wrap, wrapped->wrap_len),
	    .length = length,
	};
	struct vault_answer a;

	assert_int_equal(seal_proof(key, w->blob.b, proven, m.proof.b), SP_OK);
	vault_seal(w->core, &m, &a);
	assert_false(a.has_key);
	return a;
}

static void
test_seal(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES], got[KEY_BYTES], wrong[KEY_BYTES] = {1};
	struct vault_answer a = fresh(w, 1u << 20, key), s, b;
	struct ipc_v_release m;
	struct wrap_info info;

	s = seal(w, &a, 10, key, 5000); /* understated by whoever passed it on */
	refused(&s, SP_EREFUSED);
	s = seal(w, &a, 5000, wrong, 5000);
	refused(&s, SP_EREFUSED);
	s = seal(w, &a, (1u << 20) + 1, key, (1u << 20) + 1); /* more than was staged */
	refused(&s, SP_EREFUSED);
	s = seal(w, &a, 5000, key, 5000);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.wrap_len, WRAP_BYTES);
	assert_int_equal(wrap_peek(span_of(s.wrap, WRAP_BYTES), &info), SP_OK);
	assert_int_equal(info.state, WRAP_SEALED);
	assert_int_equal(info.length, 5000);
	b = seal(w, &s, 10, key, 10); /* a sealed one is not sealed again, shorter */
	refused(&b, SP_EREFUSED);
	m = release_of(w, &s);
	b = release(w, &m, &w->worker, got);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.key.length, 5000);
	assert_memory_equal(got, key, KEY_BYTES);
	assert_int_equal(governor_count(vault_core_governor(w->core), USER).bytes, 5000);
}

static struct vault_answer
rewrap(struct world *w, const struct vault_answer *wrapped)
{
	struct ipc_v_rewrap m = {
	    .order = ++w->order,
	    .entry = ++w->entry,
	    .org = ORG,
	    .blob = w->blob,
	    .wrap = span_of(wrapped->wrap, wrapped->wrap_len),
	};
	struct vault_answer a;

	vault_rewrap(w->core, &m, &a);
	assert_false(a.has_key);
	return a;
}

static void
test_rotate(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES], got[KEY_BYTES];
	struct vault_answer a = fresh(w, 99, key), s = seal(w, &a, 98, key, 98), r, b;
	struct ipc_v_release m;
	struct wrap_info info;

	b = org_op(w, ORG, 1, 0);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.epoch, 2);
	r = rewrap(w, &s);
	assert_int_equal(r.err, 0);
	assert_int_equal(wrap_peek(span_of(r.wrap, WRAP_BYTES), &info), SP_OK);
	assert_int_equal(info.epoch, 2);
	assert_int_equal(info.length, 98);
	assert_int_equal(info.state, WRAP_SEALED);
	m = release_of(w, &s); /* the old wrap is good until its epoch is destroyed */
	b = release(w, &m, &w->worker, got);
	assert_int_equal(b.err, 0);
	b = org_op(w, ORG, 2, 3);
	refused(&b, SP_ERANGE);
	b = org_op(w, ORG, 2, 2);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.epoch, 2);
	m = release_of(w, &s);
	b = release(w, &m, &w->worker, NULL);
	refused(&b, SP_EREFUSED);
	b = rewrap(w, &s);
	refused(&b, SP_EREFUSED);
	m = release_of(w, &r);
	b = release(w, &m, &w->worker, got);
	assert_int_equal(b.err, 0);
	assert_memory_equal(got, key, KEY_BYTES);
}

static void
test_org_keys(void **state)
{
	struct world *w = *state;
	struct vault_answer b = org_op(w, ORG, 0, 0);
	unsigned saves = w->disk.saves;

	assert_int_equal(b.err, -SP_EEXISTS);
	assert_int_equal(b.epoch, 1);
	b = org_op(w, ORG + 9, 1, 0);
	refused(&b, SP_ENOORG);
	b = org_op(w, ORG + 9, 2, 1);
	refused(&b, SP_ENOORG);
	b = org_op(w, ORG, 2, 1); /* nothing below 1: nothing written */
	assert_int_equal(b.err, 0);
	assert_int_equal(w->disk.saves, saves);
}

/* What was answered is on the disk; what could not be written is not answered. */
static void
test_state_is_kept(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES], got[KEY_BYTES];
	struct vault_answer a = fresh(w, 10, key), b;
	struct ipc_v_release m;

	for (int nth = 1; nth <= 2; nth++) {
		w->disk.fail_in = nth;
		b = org_op(w, ORG + 5, 0, 0);
		refused(&b, SP_EIO);
		m = release_of(w, &a);
		m.org = ORG + 5;
		b = release(w, &m, &w->worker, NULL);
		refused(&b, SP_EREFUSED);
		assert_int_equal(org_op(w, ORG + 20 + (unsigned)nth, 0, 0).err, 0);
	}
	start_again(w);
	assert_int_equal(reopen(w), SP_OK);
	m = release_of(w, &a);
	b = release(w, &m, &w->worker, got);
	assert_int_equal(b.err, 0);
	assert_memory_equal(got, key, KEY_BYTES);
	assert_int_equal(org_op(w, ORG + 21, 0, 0).err, -SP_EEXISTS);
	assert_int_equal(org_op(w, ORG + 22, 0, 0).err, -SP_EEXISTS);
	assert_int_equal(org_op(w, ORG + 5, 0, 0).err, 0);
}

/* A write that stops after any number of bytes, in the first or the second slot, costs nothing that
 * was answered. */
static void
test_torn_slot(void **state)
{
	struct world *w = *state;
	uint8_t key[KEY_BYTES], got[KEY_BYTES];
	struct vault_answer a = fresh(w, 10, key), b;
	struct disk before = w->disk;
	struct ipc_v_release m;

	for (int nth = 1; nth <= 2; nth++) {
		for (size_t tear = 0; tear < 24 + 3 * ORGKEY_BYTES + 32; tear += 3) {
			w->disk = before;
			w->entry += 1000;
			start_again(w);
			assert_int_equal(reopen(w), SP_OK);
			w->disk.fail_in = nth;
			w->disk.tear = tear;
			b = org_op(w, ORG + 5, 0, 0);
			refused(&b, SP_EIO);
			w->disk.fail_in = 1; /* and once more before the crash */
			b = org_op(w, ORG + 6, 0, 0);
			refused(&b, SP_EIO);
			start_again(w);
			assert_int_equal(reopen(w), SP_OK);
			if (tear >= 4 * 8)
				assert_true(vault_core_repaired(w->core));
			m = release_of(w, &a);
			b = release(w, &m, &w->worker, got);
			assert_int_equal(b.err, 0);
			assert_memory_equal(got, key, KEY_BYTES);
			start_again(w);
			assert_int_equal(reopen(w), SP_OK);
			assert_false(vault_core_repaired(w->core));
		}
	}
}

static void
test_bad_state(void **state)
{
	struct world *w = *state;
	struct disk good = w->disk;
	struct span none[2] = {{w->disk.bytes[0], 0}, {w->disk.bytes[1], 0}};

	w->disk.bytes[0][30] ^= 1;
	w->disk.bytes[1][30] ^= 1;
	assert_int_equal(reopen(w), SP_EDAMAGED);
	assert_false(vault_core_is_open(w->core));
	w->disk = good;
	w->root[0] ^= 1;
	assert_int_equal(reopen(w), SP_EDAMAGED);
	assert_false(vault_core_is_open(w->core));
	w->root[0] ^= 1;
	assert_int_equal(vault_core_open(w->core, w->root, none, false), SP_EDAMAGED);
	memset(w->disk.bytes, 0, sizeof(w->disk.bytes));
	assert_int_equal(reopen(w), SP_EDAMAGED);
	assert_int_equal(w->disk.saves, good.saves);
	w->disk = good;
	assert_int_equal(reopen(w), SP_OK);
	vault_core_lock(w->core);
	assert_false(vault_core_is_open(w->core));
	assert_int_equal(org_op(w, ORG, 1, 0).err, -SP_ELOCKED);
}

static void
test_recovery(void **state)
{
	static const uint8_t no_blob[16];
	struct wrap_info info = {WRAP_ORG, 1, 0};
	uint8_t file[130], salt[16] = {3}, root[KEY_BYTES] = {9}, kek[KEY_BYTES], got[KEY_BYTES];
	uint8_t wrap[WRAP_BYTES];
	struct wr w = wr_of(file, sizeof(file));
	uint64_t memory;

	(void)state;
	assert_int_equal(argon2id_key(SPAN_LIT("correct horse"), salt, 65536, 1, kek), SP_OK);
	assert_int_equal(key_wrap(kek, 0, no_blob, &info, root, wrap), SP_OK);
	wr_bytes(&w, span_of("SPRR1", 6));
	wr_uint(&w, 65536, 8);
	wr_uint(&w, 1, 4);
	wr_bytes(&w, span_of(salt, 16));
	wr_bytes(&w, span_of(wrap, WRAP_BYTES));
	assert_int_equal(w.len, sizeof(file));
	assert_int_equal(vault_recovery_memory(wr_span(&w), &memory), SP_OK);
	assert_int_equal(memory, 65536);
	assert_int_equal(
	    vault_root_from_recovery(wr_span(&w), SPAN_LIT("correct horse"), got), SP_OK);
	assert_memory_equal(got, root, KEY_BYTES);
	assert_int_equal(
	    vault_root_from_recovery(wr_span(&w), SPAN_LIT("correct horsf"), got), SP_EAUTH);
	assert_int_equal(vault_root_from_recovery(wr_span(&w), SPAN_LIT(""), got), SP_EAUTH);
	for (size_t n = 0; n < w.len; n++)
		assert_int_equal(vault_recovery_memory(span_of(file, n), &memory), SP_ESYNTAX);
	file[6] = 0xff; /* more memory than any machine */
	assert_int_equal(vault_recovery_memory(wr_span(&w), &memory), SP_ESYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_store_and_read, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_orders_increase, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_entries_increase, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_release_to_whom, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_release_of_what, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_release_of_org_key, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_seal, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_rotate, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_org_keys, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_state_is_kept, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_torn_slot, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_state, setup_open, teardown),
	    cmocka_unit_test(test_recovery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
