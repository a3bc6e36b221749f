/* vault_keys_test.c - organisation keys: epochs, the state file, the recovery file. */
#include "base/wire.h"
#include "rooms/vault/vault_world.h"

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
			w->egress->boot += 7200; /* a crash costs what was reserved */
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
	assert_int_equal(vault_core_lock(w->core), SP_OK);
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
	    cmocka_unit_test_setup_teardown(test_rotate, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_org_keys, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_state_is_kept, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_torn_slot, setup_open, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_state, setup_open, teardown),
	    cmocka_unit_test(test_recovery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
