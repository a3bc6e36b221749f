/* authenticator_test.c - the real authenticator: one question, one answer, the end. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "stage.h"
#include "sys/fd.h"

struct play {
	struct stage s;
	struct chan broker;
};

static void
begin(struct play *p)
{
	stage_start(&p->s, ROOM_AUTHENTICATOR, getenv("AUTHENTICATOR"));
	stage_bytes(&p->s, FILE_CONF, SPAN_LIT("Name test\nArgon2Memory 8M\n"));
	p->broker = stage_link(&p->s, ROOM_BROKER);
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
	stage_raw(&p.broker, id, body, 0);
	err = stage_poll(&p.s, &p.broker, STAGE_WAIT_MS, &m);
	if (err == 1) {
		struct ipc_password_result r;

		assert_int_equal(ipc_get_password_result(m.body, &r), SP_OK);
		assert_int_not_equal(r.err, 0);
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
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_make),
	    cmocka_unit_test(test_other),
	    cmocka_unit_test(test_broker_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
