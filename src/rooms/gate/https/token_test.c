/* token_test.c - POST /token of an account with a second factor: what is asked of the broker, and
 * what the client hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "rooms/gate/https/door_fix.h"

static void
begin(struct fix *f, const char *form)
{
	static char in[1024];
	int n = snprintf(in, sizeof(in),
	    "POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(form),
	    form);

	fix_init(f, span_of(in, (size_t)n), 9999);
}

static void
say_session(struct fix *f)
{
	struct ipc_session m = {
	    .access = SPAN_LIT("spa_x"), .refresh = SPAN_LIT("spr_x"), .expires_s = 99};

	assert_int_equal(chan_send_session(&f->broker, &m, -1), SP_OK);
}

static void
say_ticket(struct fix *f)
{
	struct ipc_ticket m = {.ticket = SPAN_LIT("spm_x")};

	assert_int_equal(chan_send_ticket(&f->broker, &m, -1), SP_OK);
}

static void
test_ticket_and_code(void **state)
{
	static uint8_t buf[IPC_MAX];
	struct ipc_login_ticket m;
	struct fix f;

	(void)state;
	begin(&f, "grant_type=otp&mfa_access_token=spm_x&otp=123456");
	say_session(&f);
	run(&f);
	assert_int_equal(ipc_get_login_ticket(asked(&f, buf).body, &m), SP_OK);
	assert_true(span_eq_str(m.ticket, "spm_x"));
	assert_true(span_eq_str(m.code, "123456"));
	assert_non_null(strstr(out(&f), "\"access_token\":\"spa_x\""));
	fix_done(&f);
}

static void
test_code_goes_along(void **state)
{
	static uint8_t buf[IPC_MAX];
	struct ipc_login_password m;
	struct fix f;

	(void)state;
	begin(&f, "grant_type=password&username=alice&password=pw&otp=123+456");
	say_session(&f);
	run(&f);
	assert_int_equal(ipc_get_login_password(asked(&f, buf).body, &m), SP_OK);
	assert_true(span_eq_str(m.code, "123 456"));
	assert_non_null(strstr(out(&f), "HTTP/1.1 200 "));
	assert_non_null(strstr(out(&f), "\"access_token\":\"spa_x\""));
	fix_done(&f);
	/* none given: none sent */
	begin(&f, "grant_type=password&username=alice&password=pw");
	say_session(&f);
	run(&f);
	assert_int_equal(ipc_get_login_password(asked(&f, buf).body, &m), SP_OK);
	assert_int_equal(m.code.len, 0);
	fix_done(&f);
}

static void
test_code_is_asked_for(void **state)
{
	struct fix f;

	(void)state;
	begin(&f, "grant_type=password&username=alice&password=pw");
	say_failed(&f, SP_ENEEDCODE, 0);
	say_ticket(&f);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 401 "));
	assert_non_null(strstr(out(&f), "\"mfa_access_token\":\"spm_x\""));
	assert_non_null(strstr(out(&f), "\"error\":\"mfa_required\""));
	assert_non_null(strstr(out(&f), "\"error_code\":2028"));
	assert_non_null(
	    strstr(out(&f), "\"mfa_supported_methods\":{\"is_mfa_authenticator_enabled\":true,"
			    "\"is_mfa_email_enabled\":false}"));
	fix_done(&f);
}

static void
test_what_is_no_code(void **state)
{
	static const char *const bad[] = {
	    "grant_type=password&username=alice&password=pw&otp=12345678901234567",
	    "grant_type=password&username=alice&password=pw&otp=1&otp=2",
	    "grant_type=password&username=alice&password=pw&otp=%ff", "grant_type=otp&otp=123456",
	    "grant_type=otp&mfa_access_token=spm_x", "grant_type=otp&mfa_access_token=spm_x&otp="};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fix f;

		begin(&f, bad[i]);
		run(&f);
		assert_non_null(strstr(out(&f), "HTTP/1.1 400 "));
		assert_non_null(strstr(out(&f), "\"error\":\"invalid_request\""));
		fix_done(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_code_goes_along),
	    cmocka_unit_test(test_code_is_asked_for),
	    cmocka_unit_test(test_ticket_and_code),
	    cmocka_unit_test(test_what_is_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
