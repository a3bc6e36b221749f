/* format_test.c - mails, syslog messages and signatures, against their RFCs' and their makers' own
 * examples. */
#include "base/test.h"
#include "rooms/messenger/format.h"

#define NOW (INT64_C(1800000000) * 1000000)

static char buf[MAIL_MAX];

static struct alarm_message
message(void)
{
	return (struct alarm_message){.id = SPAN_LIT("n-new-token-1-1"),
	    .name = SPAN_LIT("n"),
	    .kind = SPAN_LIT("new-token"),
	    .subject = SPAN_LIT("[Sallyport n] an API token was made"),
	    .text = SPAN_LIT("one\n.\ntwo\n"),
	    .json = SPAN_LIT("{\"a\":1}"),
	    .severity = 2,
	    .time_us = NOW};
}

static void
test_mail(void **state)
{
	struct alarm_message m = message();
	struct text t = text_of(buf, sizeof(buf));

	(void)state;
	assert_err(mail_put(&t, &m, SPAN_LIT("a@example.net"), SPAN_LIT("b@c, d@e"), NOW), SP_OK);
	assert_string_equal(buf, "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
				 "From: a@example.net\r\n"
				 "To: b@c, d@e\r\n"
				 "Subject: [Sallyport n] an API token was made\r\n"
				 "Message-ID: <n-new-token-1-1@example.net>\r\n"
				 "Auto-Submitted: auto-generated\r\n"
				 "X-Sallyport-Alarm: new-token\r\n"
				 "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
				 "Content-Transfer-Encoding: base64\r\n\r\n"
				 "b25lDQouDQp0d28NCg==\r\n");
	assert_span(mail_domain(SPAN_LIT("a@example.net")), "example.net");
}

/* RFC 2047 section 2: an encoded word has at most 75 characters, and section 5: no character is
 * split over two. */
static void
test_subject(void **state)
{
	struct alarm_message m = message();
	struct text t = text_of(buf, sizeof(buf));
	char long_text[241];
	const char *at;

	(void)state;
	for (size_t i = 0; i < 240; i += 3)
		memcpy(long_text + i, "\xe2\x82\xac", 3);
	m.subject = span_of(long_text, 240);
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d"), NOW), SP_OK);
	at = strstr(buf, "Subject: ") + 9;
	for (size_t left = 240; left != 0;) {
		const char *end = strstr(at, "?=");
		uint8_t raw[64];
		size_t n = 0;

		assert_memory_equal(at, "=?utf-8?B?", 10);
		assert_true(end + 2 - at <= 75);
		assert_err(
		    base64_get(span_of(at + 10, (size_t)(end - at) - 10), raw, sizeof(raw), &n),
		    SP_OK);
		assert_true(n % 3 == 0 && n <= left);
		left -= n;
		assert_memory_equal(end + 2, left != 0 ? "\r\n =?" : "\r\nMes", 5);
		at = end + 5;
	}
}

static void
test_injection(void **state)
{
	struct alarm_message m = message();
	struct text t = text_of(buf, sizeof(buf));

	(void)state;
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b\r\nBcc: x"), SPAN_LIT("c@d"), NOW), SP_ESYNTAX);
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d\nx"), NOW), SP_ESYNTAX);
	m.subject = SPAN_LIT("x\r\nBcc: y");
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d"), NOW), SP_ESYNTAX);
	m = message();
	m.kind = SPAN_LIT("x\n");
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d"), NOW), SP_ESYNTAX);
	/* a number that is none is made one; the text may say what it wants */
	m = message();
	m.id = SPAN_LIT("a>\r\nb c");
	m.text = SPAN_LIT("\r\n.\r\nQUIT\r\n");
	t = text_of(buf, sizeof(buf));
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d"), NOW), SP_OK);
	assert_non_null(strstr(buf, "Message-ID: <a---b-c@b>\r\n"));
	assert_null(strstr(buf, "QUIT"));
	t = text_of(buf, 100);
	assert_err(mail_put(&t, &m, SPAN_LIT("a@b"), SPAN_LIT("c@d"), NOW), SP_ESPACE);
}

static void
test_syslog(void **state)
{
	struct alarm_message m = message();
	struct text t = text_of(buf, sizeof(buf));
	char frame[128], big[SYSLOG_MAX * 2];
	struct text f = text_of(frame, sizeof(frame));

	(void)state;
	syslog_put(&t, &m);
	assert_string_equal(buf, "<84>1 2027-01-15T08:00:00.000Z n sallyport - new-token - "
				 "[Sallyport n] an API token was made {\"a\":1}");
	t = text_of(buf, sizeof(buf));
	m.severity = 3;
	m.name = SPAN_LIT("my host\n");
	m.subject = SPAN_LIT("\xc3\xa4\r\nx");
	syslog_put(&t, &m);
	assert_string_equal(buf, "<81>1 2027-01-15T08:00:00.000Z my-host- sallyport - new-token - "
				 "\xef\xbb\xbf\xc3\xa4  x {\"a\":1}");
	t = text_of(buf, sizeof(buf));
	m.name = m.kind = span_of(NULL, 0);
	memset(big, 'x', sizeof(big));
	m.json = span_of(big, sizeof(big));
	syslog_put(&t, &m);
	assert_int_equal(t.len <= SYSLOG_MAX && t.len > SYSLOG_MAX - 8, 1);
	assert_memory_equal(buf, "<81>1 2027-01-15T08:00:00.000Z - sallyport - - - ", 49);
	syslog_frame(&f, SPAN_LIT("<1>1 x"));
	assert_string_equal(frame, "6 <1>1 x");
}

/* The example of https://github.com/standard-webhooks/standard-webhooks, libraries' tests. */
static void
test_signature(void **state)
{
	char sign[128];
	struct text t = text_of(sign, sizeof(sign));

	(void)state;
	assert_err(webhook_sign(&t, SPAN_LIT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		       SPAN_LIT("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
		       SPAN_LIT("{\"test\": 2432232314}")),
	    SP_OK);
	assert_string_equal(sign, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	t = text_of(sign, sizeof(sign));
	assert_err(
	    webhook_sign(&t, SPAN_LIT("any text"), SPAN_LIT("id"), 1, SPAN_LIT("{}")), SP_OK);
	assert_err(webhook_sign(&t, SPAN_LIT(""), SPAN_LIT("id"), 1, SPAN_LIT("{}")), SP_ESYNTAX);
	assert_err(
	    webhook_sign(&t, SPAN_LIT("whsec_"), SPAN_LIT("id"), 1, SPAN_LIT("{}")), SP_ESYNTAX);
	assert_err(
	    webhook_sign(&t, SPAN_LIT("whsec_!"), SPAN_LIT("id"), 1, SPAN_LIT("{}")), SP_ESYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mail),
	    cmocka_unit_test(test_subject),
	    cmocka_unit_test(test_injection),
	    cmocka_unit_test(test_syslog),
	    cmocka_unit_test(test_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
