/* auth_test.c */
#include "proto/ssh/test.h"

static struct bytes b; /* the payload of the test that runs */

GETTER(get_userauth, struct ssh_userauth, ssh_get_userauth(payload, &m))
GETTER(get_no_answer, struct span, ssh_get_info_response(payload, 0, &m))
GETTER(get_answer, struct span, ssh_get_info_response(payload, 1, &m))

static void
make_request(const char *method)
{
	b.len = 0;
	add_byte(&b, 50);
	add_string(&b, "alice");
	add_string(&b, "ssh-connection");
	add_string(&b, method);
}

static void
parse(struct ssh_userauth *ret)
{
	assert_err(ssh_get_userauth(span_of(b.buf, b.len), ret), SP_OK);
	assert_span(ret->user, "alice");
	assert_span(ret->service, "ssh-connection");
}

/* Fields of other methods than `method` are empty. */
static void
assert_only(const struct ssh_userauth *m, enum ssh_method method)
{
	assert_int_equal(m->method, method);
	if (method != SSH_METHOD_PUBLICKEY) {
		assert_false(m->has_signature);
		assert_span(m->algorithm, "");
		assert_span(m->key, "");
	}
	if (!m->has_signature)
		assert_span(m->signature, "");
	if (method != SSH_METHOD_PASSWORD) {
		assert_false(m->changes);
		assert_span(m->password, "");
	}
	if (method != SSH_METHOD_INTERACTIVE)
		assert_span(m->submethods, "");
}

static void
test_none(void **state)
{
	struct ssh_userauth m;

	(void)state;
	make_request("none");
	refuse_other(get_userauth, &b);
	refuse_lengths(get_userauth, &b, 1);
	refuse_lengths(get_userauth, &b, 10);
	refuse_lengths(get_userauth, &b, 28);
	parse(&m);
	assert_span(m.method_name, "none");
	assert_only(&m, SSH_METHOD_NONE);
}

/* Nothing is known of what follows: it is not looked at, but what comes before it is. */
static void
test_other(void **state)
{
	static const char *const names[] = {"hostbased", "gssapi-with-mic", "", "Password",
	    "password ", "publickey-hostbound-v00@openssh.com", "non", "nonee"};
	struct ssh_userauth m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len;

		make_request(names[i]);
		len = b.len;
		add_u32(&b, UINT32_MAX);
		add_byte(&b, 7);
		refuse_cuts(get_userauth, &b, len);
		parse(&m);
		assert_span(m.method_name, names[i]);
		assert_only(&m, SSH_METHOD_OTHER);
		b.len = len;
		parse(&m);
	}
}

static void
test_publickey(void **state)
{
	struct ssh_userauth m;
	size_t key;

	(void)state;
	make_request("publickey");
	add_byte(&b, 0);
	add_string(&b, "ssh-ed25519");
	key = b.len;
	add_string(&b, "the key");
	refuse_other(get_userauth, &b);
	refuse_lengths(get_userauth, &b, key);
	parse(&m);
	assert_only(&m, SSH_METHOD_PUBLICKEY);
	assert_false(m.has_signature);
	assert_span(m.algorithm, "ssh-ed25519");
	assert_span(m.key, "the key");
	add_string(&b, "signature"); /* said to be without one */
	assert_err(get_bytes(get_userauth, &b), SP_ETRAIL);

	for (unsigned has = 1; has < 256; has += 127) {
		make_request("publickey");
		add_byte(&b, has);
		add_string(&b, "ssh-ed25519");
		add_string(&b, "the key");
		assert_err(get_bytes(get_userauth, &b), SP_ESHORT);
		key = b.len;
		add_string(&b, "signature");
		refuse_other(get_userauth, &b);
		refuse_lengths(get_userauth, &b, key);
		parse(&m);
		assert_only(&m, SSH_METHOD_PUBLICKEY);
		assert_true(m.has_signature);
		assert_span(m.signature, "signature");
	}
	b.len = key;
	add_string(&b, ""); /* a signature of no bytes is one */
	parse(&m);
	assert_true(m.has_signature);
	assert_only(&m, SSH_METHOD_PUBLICKEY);
}

static void
test_password(void **state)
{
	struct ssh_userauth m;

	(void)state;
	make_request("password");
	add_byte(&b, 0);
	add_string(&b, "secret");
	refuse_other(get_userauth, &b);
	refuse_lengths(get_userauth, &b, b.len - 10);
	parse(&m);
	assert_only(&m, SSH_METHOD_PASSWORD);
	assert_false(m.changes);
	assert_span(m.password, "secret");

	make_request("password");
	add_byte(&b, 1);
	add_string(&b, "secret");
	assert_err(get_bytes(get_userauth, &b), SP_ESHORT);
	add_string(&b, "new");
	refuse_other(get_userauth, &b);
	parse(&m);
	assert_true(m.changes);
	assert_span(m.password, "secret");
	assert_only(&m, SSH_METHOD_PASSWORD);
}

static void
test_interactive(void **state)
{
	struct ssh_userauth m;

	(void)state;
	make_request("keyboard-interactive");
	add_string(&b, "en-GB");
	add_string(&b, "pam,totp");
	refuse_other(get_userauth, &b);
	refuse_lengths(get_userauth, &b, b.len - 12);
	parse(&m);
	assert_only(&m, SSH_METHOD_INTERACTIVE);
	assert_span(m.submethods, "pam,totp");
	make_request("keyboard-interactive");
	add_string(&b, "");
	add_string(&b, "");
	parse(&m);
	assert_only(&m, SSH_METHOD_INTERACTIVE);
}

static int
names_of(size_t user, size_t service, size_t method)
{
	b.len = 0;
	add_byte(&b, 50);
	add_long(&b, user, 'u');
	add_long(&b, service, 's');
	add_long(&b, method, 'm');
	return get_bytes(get_userauth, &b);
}

static void
test_ranges(void **state)
{
	(void)state;
	assert_err(names_of(0, 0, 0), SP_OK);
	assert_err(names_of(255, 64, 64), SP_OK);
	assert_err(names_of(256, 0, 0), SP_ERANGE);
	assert_err(names_of(0, 65, 0), SP_ERANGE);
	assert_err(names_of(0, 0, 65), SP_ERANGE);
	assert_err(names_of(SSH_PACKET_MAX, 0, 0), SP_ERANGE);
	for (size_t n = 63; n <= 65; n++) {
		make_request("publickey");
		add_byte(&b, 0);
		add_long(&b, n, 'a');
		add_string(&b, "k");
		assert_err(get_bytes(get_userauth, &b), n <= 64 ? SP_OK : SP_ERANGE);
	}
}

/* A user's name is any bytes, NUL and invalid UTF-8 too: who may log in is not decided here. */
static void
test_user_bytes(void **state)
{
	struct ssh_userauth m;

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		b.len = 0;
		add_byte(&b, 50);
		add_long(&b, 3, c);
		add_string(&b, "s");
		add_string(&b, "none");
		assert_err(ssh_get_userauth(span_of(b.buf, b.len), &m), SP_OK);
		assert_int_equal(m.user.len, 3);
		assert_int_equal(m.user.ptr[2], c);
	}
}

/* RFC 4252 section 7: what is signed is the session identifier and then the request itself, up to
 * the signature. */
static void
test_signed(void **state)
{
	static struct bytes want;
	static const char session[] = "0123456789abcdef0123456789abcdef";

	(void)state;
	make_request("publickey");
	add_byte(&b, 1);
	add_string(&b, "rsa-sha2-512");
	add_string(&b, "the key");
	want.len = 0;
	add_string(&want, session);
	memcpy(want.buf + want.len, b.buf, b.len);
	want.len += b.len;
	PUT_TEST(
	    &want, ssh_userauth_signed(w, span_str(session), SPAN_LIT("alice"),
		       SPAN_LIT("ssh-connection"), SPAN_LIT("rsa-sha2-512"), SPAN_LIT("the key")));
}

static void
test_answers(void **state)
{
	(void)state;
	b.len = 0;
	add_byte(&b, 51);
	add_string(&b, "publickey,keyboard-interactive");
	add_byte(&b, 1);
	PUT_TEST(&b, ssh_put_userauth_failure(w, SPAN_LIT("publickey,keyboard-interactive"), true));
	b.buf[b.len - 1] = 0;
	PUT_TEST(
	    &b, ssh_put_userauth_failure(w, SPAN_LIT("publickey,keyboard-interactive"), false));
	b.len = 0;
	add_byte(&b, 52);
	PUT_TEST(&b, ssh_put_userauth_success(w));
	b.len = 0;
	add_byte(&b, 53);
	add_string(&b, "welcome\r\n");
	add_string(&b, "");
	PUT_TEST(&b, ssh_put_userauth_banner(w, SPAN_LIT("welcome\r\n")));
	b.len = 0;
	add_byte(&b, 60);
	add_string(&b, "ssh-ed25519");
	add_string(&b, "the key");
	PUT_TEST(&b, ssh_put_pk_ok(w, SPAN_LIT("ssh-ed25519"), SPAN_LIT("the key")));
}

static void
test_info_request(void **state)
{
	(void)state;
	for (unsigned echo = 0; echo < 2; echo++) {
		b.len = 0;
		add_byte(&b, 60);
		add_string(&b, "name");
		add_string(&b, "instruction");
		add_string(&b, "");
		add_u32(&b, 1);
		add_string(&b, "Password: ");
		add_byte(&b, echo);
		PUT_TEST(&b, ssh_put_info_request(w, SPAN_LIT("name"), SPAN_LIT("instruction"),
				 SPAN_LIT("Password: "), echo != 0));
	}
	b.len = 0;
	add_byte(&b, 60);
	add_string(&b, "");
	add_string(&b, "");
	add_string(&b, "");
	add_u32(&b, 0);
	PUT_TEST(&b, ssh_put_info_request(w, SPAN_LIT(""), SPAN_LIT(""), SPAN_LIT(""), true));
}

static void
test_info_response(void **state)
{
	static const uint32_t counts[] = {2, 3, 0x7fffffff, 0x80000000, 0xffffffff};
	struct span answer = SPAN_LIT("before");

	(void)state;
	b.len = 0;
	add_byte(&b, 61);
	add_u32(&b, 0);
	refuse_other(get_no_answer, &b);
	assert_err(ssh_get_info_response(span_of(b.buf, b.len), 0, &answer), SP_OK);
	assert_int_equal(answer.len, 0);
	assert_err(get_bytes(get_answer, &b), SP_ESYNTAX);

	b.len = 1;
	add_u32(&b, 1);
	add_string(&b, "123456");
	refuse_other(get_answer, &b);
	refuse_lengths(get_answer, &b, 5);
	assert_err(get_bytes(get_no_answer, &b), SP_ESYNTAX);
	assert_err(ssh_get_info_response(span_of(b.buf, b.len), 1, &answer), SP_OK);
	assert_span(answer, "123456");
	b.len = 1;
	add_u32(&b, 1);
	add_string(&b, "");
	assert_err(ssh_get_info_response(span_of(b.buf, b.len), 1, &answer), SP_OK);
	assert_span(answer, "");

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		b.len = 1;
		add_u32(&b, counts[i]);
		add_string(&b, "one");
		add_string(&b, "two");
		assert_err(get_bytes(get_answer, &b), SP_ESYNTAX);
		assert_err(get_bytes(get_no_answer, &b), SP_ESYNTAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_other),
	    cmocka_unit_test(test_publickey),
	    cmocka_unit_test(test_password),
	    cmocka_unit_test(test_interactive),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_user_bytes),
	    cmocka_unit_test(test_signed),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_info_request),
	    cmocka_unit_test(test_info_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
