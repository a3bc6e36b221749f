/* vault_core_test.c - orders that must be obeyed, and all the others. */
#include "rooms/vault/vault_world.h"

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
	struct spent n;

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
	n = given(w, USER);
	assert_int_equal(n.files, 1);
	assert_int_equal(n.bytes, 4096);
	b = fresh(w, 4096, again);
	assert_memory_not_equal(again, made, KEY_BYTES);
	assert_int_equal(given(w, USER).files, 1);
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
	assert_int_equal(given(w, USER).files, 2);
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
	assert_int_equal(given(w, USER).files, 1);
	assert_int_equal(given(w, USER + 1).files, 0);
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
	assert_int_equal(given(w, USER).files, 0);
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
	assert_int_equal(given(w, USER).bytes, 5000);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
