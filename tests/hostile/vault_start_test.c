/* vault_start_test.c - the real vault begins: again, with the wrong key, on damaged state, locked.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/fd.h"
#include "vault_play.h"

static void
test_restart(void **state)
{
	struct play *p = *state;

	play_restart(p);
	assert_int_not_equal(org_key(p, ORG, 0, 0).err, 0); /* there is one already */
}

static void
dies(struct span key, struct span content, bool with_state, const char *sentence)
{
	struct play p = {
	    .state = memfd_create("state", 0), .egress = memfd_create("egress", 0)};

	if (content.len != 0)
		assert_int_equal(file_pwrite(p.state, content.ptr, content.len, 0), SP_OK);
	stage_start(&p.s, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&p.s, FILE_CONF, SPAN_LIT("Name test\n"));
	if (with_state)
		stage_file(&p.s, FILE_VAULT_STATE, play_dup(p.state));
	stage_file(&p.s, FILE_VAULT_EGRESS, play_dup(p.egress));
	if (key.len != 0)
		stage_bytes(&p.s, FILE_ROOT_KEY, key);
	assert_int_equal(
	    chan_send_go(&p.s.supervisor, &(struct ipc_go){.generation = 1}, -1), SP_OK);
	stage_closed(&p.s, &p.s.supervisor);
	stage_died(&p.s, EXIT_CONFIG, sentence);
	close_fd(&p.state);
	close_fd(&p.egress);
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
	stage_file(&other.s, FILE_VAULT_STATE, play_dup(p->state));
	stage_file(&other.s, FILE_VAULT_EGRESS, play_dup(p->egress));
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
	play_raise(p, false);
	stage_bytes(&p->s, FILE_ROOT_RECOVERY, recovery_file(file));
	p->order = 0;
	stage_go(&p->s);
	expect_state(p, 0);
	p->a = stage_worker(&p->s, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->s, 200, ROOM_WORKER_HTTPS);
	m = good_release(p);
	send_release(p, &m);
	assert_int_equal(take_result(p).err, -SP_ELOCKED);
	assert_int_equal(org_key(p, 50, 0, 0).err, -SP_ELOCKED);
	stage_silent(&p->s, &p->a);
	assert_int_equal(unlock(p, "open sesamf"), -SP_EAUTH);
	expect_state(p, 0);
	assert_int_equal(unlock(p, ""), -SP_EAUTH);
	expect_state(p, 0);
	m = good_release(p);
	send_release(p, &m);
	assert_int_equal(take_result(p).err, -SP_ELOCKED);
	assert_int_equal(unlock(p, "open sesame"), 0);
	expect_state(p, 1);
	assert_int_equal(unlock(p, "open sesamf"), -SP_EEXISTS);
	expect_state(p, 1);
	still_works(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_restart, play_setup, play_teardown),
	    cmocka_unit_test(test_bad_starts),
	    cmocka_unit_test_setup_teardown(test_other_root, play_setup, play_teardown),
	    cmocka_unit_test_setup_teardown(test_locked, play_setup, play_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
