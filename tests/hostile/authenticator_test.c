/* authenticator_test.c - the real authenticator: one question, one answer, the end. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "stage.h"
#include "store/blob.h"
#include "sys/fd.h"

struct play {
	struct stage s;
	struct chan broker, vault;
};

static const uint8_t seed_key[KEY_BYTES] = {5}, seed_blob[BLOB_ID_BYTES] = {6};

static void
begin(struct play *p)
{
	stage_start(&p->s, ROOM_AUTHENTICATOR, getenv("AUTHENTICATOR"));
	stage_bytes(&p->s, FILE_CONF, SPAN_LIT("Name test\nArgon2Memory 8M\n"));
	p->broker = stage_link(&p->s, ROOM_BROKER);
	p->vault = stage_link(&p->s, ROOM_VAULT);
	stage_go(&p->s);
}

/* finish - it has ended by itself, while its supervisor is still there. */
static void
finish(struct play *p, int status)
{
	stage_closed(&p->s, &p->broker);
	stage_closed(&p->s, &p->s.supervisor);
	assert_int_equal(stage_end(&p->s), status);
	chan_close(&p->broker);
	chan_close(&p->vault);
}

static void
give_key(struct play *p, const uint8_t blob[BLOB_ID_BYTES], bool fresh)
{
	struct ipc_key m = {
	    .entry = 1, .length = 20, .fresh = fresh, .key = span_of(seed_key, sizeof(seed_key))};

	memcpy(m.blob.b, blob, sizeof(m.blob.b));
	assert_int_equal(chan_send_key(&p->vault, &m, -1), SP_OK);
}

static unsigned
answer(struct play *p, char *phc)
{
	struct ipc_password_result r;

	assert_int_equal(
	    ipc_get_password_result(stage_take(&p->s, &p->broker, IPC_PASSWORD_RESULT), &r), SP_OK);
	if (phc != NULL) {
		memcpy(phc, r.phc.ptr, r.phc.len);
		phc[r.phc.len] = '\0';
	} else {
		assert_int_equal(r.phc.len, 0);
	}
	return r.err;
}

static unsigned
check(const char *password, const char *phc)
{
	struct ipc_password_check m = {.password = span_str(password), .phc = span_str(phc)};
	struct play p;
	int err;

	begin(&p);
	assert_int_equal(chan_send_password_check(&p.broker, &m, -1), SP_OK);
	err = (int)answer(&p, NULL);
	finish(&p, 0);
	return (unsigned)err;
}

static void
test_check(void **state)
{
	char phc[256];

	(void)state;
	assert_int_equal(
	    password_hash(SPAN_LIT("tr0ub4dor"), 8u << 20, 1, phc, sizeof(phc)), SP_OK);
	assert_int_equal(check("tr0ub4dor", phc), 0);
	assert_int_equal(check("tr0ub4doR", phc), -SP_EAUTH);
	assert_int_equal(check("", phc), -SP_EAUTH);
	assert_int_not_equal(check("tr0ub4dor", ""), 0);
	assert_int_not_equal(
	    check("tr0ub4dor", "$argon2id$v=19$m=4294967295,t=4000000,p=99$AAAA$AAAA"), 0);
	assert_int_not_equal(check("tr0ub4dor", "$1$plain"), 0);
}

static void
test_make(void **state)
{
	struct ipc_password_make m = {
	    .password = SPAN_LIT("correct horse"), .memory_bytes = 64u << 20, .passes = 2};
	char phc[256];
	struct play p;

	(void)state;
	begin(&p);
	assert_int_equal(chan_send_password_make(&p.broker, &m, -1), SP_OK);
	assert_int_equal(answer(&p, phc), 0);
	finish(&p, 0);
	assert_int_equal(password_verify(SPAN_LIT("correct horse"), phc), SP_OK);
	assert_int_equal(password_verify(SPAN_LIT("correct horsf"), phc), SP_EAUTH);
}

/* ---- one-time codes ---- */

/* RFC 6238 appendix B: 12345678901234567890 at 1234567890 says 89005924 */
static unsigned
code(const char *text, uint64_t last_step, const uint8_t key_blob[BLOB_ID_BYTES], bool fresh,
    bool key_first)
{
	uint8_t ct[256];
	struct ipc_code_check m = {
	    .code = span_str(text), .now_s = 1234567890, .last_step = last_step};
	struct ipc_code_result r;
	struct play p;
	size_t n = 0;

	assert_int_equal(blob_inline_seal(seed_key, seed_blob, SPAN_LIT("12345678901234567890"), ct,
			     sizeof(ct), &n),
	    SP_OK);
	memcpy(m.blob.b, seed_blob, sizeof(m.blob.b));
	m.content = span_of(ct, n);
	begin(&p);
	if (key_first)
		give_key(&p, key_blob, fresh);
	assert_int_equal(chan_send_code_check(&p.broker, &m, -1), SP_OK);
	if (!key_first)
		give_key(&p, key_blob, fresh);
	assert_int_equal(
	    ipc_get_code_result(stage_take(&p.s, &p.broker, IPC_CODE_RESULT), &r), SP_OK);
	if (r.err == 0)
		assert_int_equal(r.step, 1234567890 / 30);
	finish(&p, 0);
	return r.err;
}

static void
test_code(void **state)
{
	static const uint8_t other[BLOB_ID_BYTES] = {7};

	(void)state;
	assert_int_equal(code("005924", 0, seed_blob, false, false), 0);
	assert_int_equal(code("005924", 0, seed_blob, false, true), 0);
	assert_int_equal(code("005925", 0, seed_blob, false, false), -SP_EAUTH);
	assert_int_equal(code("005924", 1234567890 / 30, seed_blob, false, false), -SP_EAUTH);
	/* another blob's key, or a fresh one, is not what was asked for */
	assert_int_equal(code("005924", 0, other, false, false), -SP_EREFUSED);
	assert_int_equal(code("005924", 0, seed_blob, true, true), -SP_EREFUSED);
}

static void
test_seed(void **state)
{
	struct ipc_code_make m;
	struct ipc_code_made r;
	uint8_t plain[256];
	size_t n = 0;

	(void)state;
	memcpy(m.blob.b, seed_blob, sizeof(m.blob.b));
	for (int fresh = 0; fresh < 2; fresh++) {
		struct play p;

		begin(&p);
		assert_int_equal(chan_send_code_make(&p.broker, &m, -1), SP_OK);
		give_key(&p, seed_blob, fresh);
		assert_int_equal(
		    ipc_get_code_made(stage_take(&p.s, &p.broker, IPC_CODE_MADE), &r), SP_OK);
		/* a seed is never made under a key that something else is sealed with */
		assert_int_equal(r.err, fresh ? 0 : -SP_EREFUSED);
		assert_int_equal(r.seed.len, fresh ? 32 : 0);
		if (fresh)
			assert_int_equal(blob_inline_open(seed_key, seed_blob, r.content, plain,
					     sizeof(plain), &n),
			    SP_OK);
		finish(&p, 0);
	}
	assert_int_equal(n, 20);
}

/* A second key is one too many. */
static void
test_two_keys(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	give_key(&p, seed_blob, false);
	give_key(&p, seed_blob, false);
	finish(&p, 70);
}

/* Whatever else a broker sends: an error or nothing, and the process is gone. */
static void
other(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct play p;
	struct chan_msg m;
	unsigned *n = arg;
	int err;

	(void)name;
	if (id == IPC_PASSWORD_MAKE && !malformed && body.len > 1000)
		return; /* good, if costly: test_make does that */
	if (id != IPC_PASSWORD_CHECK && id != IPC_PASSWORD_MAKE && *n > 20 && *n % 16 != 0) {
		++*n; /* refused by its number alone: a sample is enough */
		return;
	}
	++*n;
	begin(&p);
	/* so that codes are answered at once: with no, for it is of another blob */
	if (id == IPC_CODE_CHECK || id == IPC_CODE_MAKE)
		give_key(&p, seed_blob, false);
	stage_raw(&p.broker, id, body, 0);
	err = stage_poll(&p.s, &p.broker, STAGE_WAIT_MS, &m);
	if (err == 1) {
		/* every answer begins with its error */
		assert_true(m.body.len >= 2 && (m.body.ptr[0] | m.body.ptr[1]) != 0);
		finish(&p, 0);
	} else {
		assert_int_equal(err, SP_ECLOSED);
		finish(&p, 70);
	}
}

static void
test_other(void **state)
{
	unsigned n = 0;

	(void)state;
	every_message(other, &n);
	assert_true(n > 500);
}

static void
test_broker_goes(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	chan_close(&p.broker);
	stage_closed(&p.s, &p.s.supervisor);
	assert_int_equal(stage_end(&p.s), 0);
	chan_close(&p.vault);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_make),
	    cmocka_unit_test(test_code),
	    cmocka_unit_test(test_seed),
	    cmocka_unit_test(test_two_keys),
	    cmocka_unit_test(test_other),
	    cmocka_unit_test(test_broker_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
