/* transport_test.c */
#include "proto/ssh/test.h"

static struct bytes b; /* the payload of the test that runs */

GETTER(get_kexinit, struct ssh_kexinit, ssh_get_kexinit(payload, &m))
GETTER(get_ecdh_init, struct span, ssh_get_ecdh_init(payload, &m))
GETTER(get_service_request, struct span, ssh_get_service_request(payload, &m))
GETTER(get_disconnect, struct ssh_disconnect_msg, ssh_get_disconnect(payload, &m))

static const char *const lists[SSH_KEXINIT_LISTS] = {
    "curve25519-sha256,ecdh-sha2-nistp256,ext-info-c", "ssh-ed25519", "aes256-gcm@openssh.com",
    "aes128-ctr", "hmac-sha2-256", "hmac-sha2-512", "none", "none,zlib@openssh.com", "", "en"};

/* A KEXINIT in which list number `which` is this one. */
static void
make_kexinit(size_t which, const char *list, unsigned first_follows, uint32_t reserved)
{
	b.len = 0;
	add_byte(&b, 20);
	for (unsigned i = 0; i < 16; i++)
		add_byte(&b, 0xf0 + i);
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++)
		add_string(&b, i == which ? list : lists[i]);
	add_byte(&b, first_follows);
	add_u32(&b, reserved);
}

static void
test_kexinit(void **state)
{
	struct ssh_kexinit m, again;
	size_t at = 17;

	(void)state;
	make_kexinit(SSH_KEXINIT_LISTS, "", 0, 0);
	refuse_other(get_kexinit, &b);
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++) {
		refuse_lengths(get_kexinit, &b, at);
		at += 4 + strlen(lists[i]);
	}
	assert_int_equal(at + 5, b.len);
	assert_err(ssh_get_kexinit(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.cookie.len, 16);
	assert_ptr_equal(m.cookie.ptr, b.buf + 1);
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++)
		assert_span(m.list[i], lists[i]);
	assert_false(m.first_follows);
	PUT_TEST(&b, ssh_put_kexinit(w, &m));
	for (unsigned v = 1; v < 256; v++) { /* RFC 4251 section 5: all but 0 is true */
		make_kexinit(SSH_KEXINIT_LISTS, "", v, 0);
		assert_err(ssh_get_kexinit(span_of(b.buf, b.len), &again), SP_OK);
		assert_true(again.first_follows);
	}
	m.first_follows = true;
	make_kexinit(SSH_KEXINIT_LISTS, "", 1, 0);
	PUT_TEST(&b, ssh_put_kexinit(w, &m));
	make_kexinit(SSH_KEXINIT_LISTS, "", 0, UINT32_MAX); /* reserved for others */
	assert_err(get_bytes(get_kexinit, &b), SP_OK);
}

static void
test_kexinit_lists(void **state)
{
	static char list[SSH_LIST_MAX + 2];

	(void)state;
	for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++) {
		for (size_t k = 0; k <= SSH_LIST_MAX; k++)
			list[k] = k % 2 != 0 ? ',' : 'x';
		list[SSH_LIST_MAX - 1] =
		    'x'; /* two in a row at the end: 4096 bytes without an empty name */
		list[SSH_LIST_MAX] = '\0';
		make_kexinit(i, list, 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_OK);
		list[SSH_LIST_MAX] = 'x';
		make_kexinit(i, list, 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_ERANGE);
		make_kexinit(i, "", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_OK);
		make_kexinit(i, "a,", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_ESYNTAX);
		make_kexinit(i, ",", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_ESYNTAX);
		make_kexinit(i, "a b", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_ESYNTAX);
		make_kexinit(
		    i, "0123456789012345678901234567890123456789012345678901234567890123", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_OK);
		make_kexinit(
		    i, "01234567890123456789012345678901234567890123456789012345678901234", 0, 0);
		assert_err(get_bytes(get_kexinit, &b), SP_ESYNTAX);
	}
}

static void
test_ecdh(void **state)
{
	struct span q;

	(void)state;
	b.len = 0;
	add_byte(&b, 30);
	add_long(&b, 32, 0xee);
	refuse_other(get_ecdh_init, &b);
	refuse_lengths(get_ecdh_init, &b, 1);
	assert_err(ssh_get_ecdh_init(span_of(b.buf, b.len), &q), SP_OK);
	assert_ptr_equal(q.ptr, b.buf + 5);
	assert_int_equal(q.len, 32);
	b.len = 1;
	add_string(&b, "");
	assert_err(ssh_get_ecdh_init(span_of(b.buf, b.len), &q), SP_OK);
	assert_int_equal(q.len, 0);
	b.len = 1;
	add_long(&b, SSH_PACKET_MAX,
	    1); /* what the framing lets through, and which length is right, is not known here */
	assert_err(get_bytes(get_ecdh_init, &b), SP_OK);

	b.len = 0;
	add_byte(&b, 31);
	add_string(&b, "host key");
	add_string(&b, "Q");
	add_string(&b, "");
	PUT_TEST(&b, ssh_put_ecdh_reply(w, SPAN_LIT("host key"), SPAN_LIT("Q"), SPAN_LIT("")));
}

static void
test_newkeys(void **state)
{
	(void)state;
	b.len = 0;
	add_byte(&b, 21);
	refuse_other(ssh_get_newkeys, &b);
	PUT_TEST(&b, ssh_put_number(w, SSH_MSG_NEWKEYS));
}

static void
test_service(void **state)
{
	struct span name;

	(void)state;
	b.len = 0;
	add_byte(&b, 5);
	add_string(&b, "ssh-userauth");
	refuse_other(get_service_request, &b);
	refuse_lengths(get_service_request, &b, 1);
	assert_err(ssh_get_service_request(span_of(b.buf, b.len), &name), SP_OK);
	assert_span(name, "ssh-userauth");
	b.buf[0] = 6;
	PUT_TEST(&b, ssh_put_service_accept(w, SPAN_LIT("ssh-userauth")));
	b.buf[0] = 5;
	for (size_t n = 0; n < 70; n++) {
		b.len = 1;
		add_long(&b, n, 's');
		assert_err(get_bytes(get_service_request, &b), n <= 64 ? SP_OK : SP_ERANGE);
	}
}

static void
test_ext_info(void **state)
{
	const struct span pairs[] = {SPAN_LIT("server-sig-algs"),
	    SPAN_LIT("ssh-ed25519,rsa-sha2-256"), SPAN_LIT("x"), SPAN_LIT("")};

	(void)state;
	b.len = 0;
	add_byte(&b, 7);
	add_u32(&b, 2);
	add_string(&b, "server-sig-algs");
	add_string(&b, "ssh-ed25519,rsa-sha2-256");
	add_string(&b, "x");
	add_string(&b, "");
	PUT_TEST(&b, ssh_put_ext_info(w, pairs, 2));
	b.len = 1;
	add_u32(&b, 0);
	PUT_TEST(&b, ssh_put_ext_info(w, NULL, 0));
}

static void
test_disconnect(void **state)
{
	struct ssh_disconnect_msg m;

	(void)state;
	b.len = 0;
	add_byte(&b, 1);
	add_u32(&b, 0xfffffffe);
	add_string(&b, "bye \x1b[31m");
	add_string(&b, "en");
	refuse_other(get_disconnect, &b);
	refuse_lengths(get_disconnect, &b, 5);
	assert_err(ssh_get_disconnect(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.reason, 0xfffffffe);
	assert_span(m.description, "bye \x1b[31m");

	b.len = 0;
	add_byte(&b, 1);
	add_u32(&b, 2);
	add_string(&b, "protocol error");
	add_string(&b, "");
	PUT_TEST(
	    &b, ssh_put_disconnect(w, SSH_DISCONNECT_PROTOCOL_ERROR, SPAN_LIT("protocol error")));
	assert_err(ssh_get_disconnect(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.reason, SSH_DISCONNECT_PROTOCOL_ERROR);
	assert_span(m.description, "protocol error");
}

static void
test_small(void **state)
{
	(void)state;
	b.len = 0;
	add_byte(&b, 3);
	add_u32(&b, 0xfedcba98);
	PUT_TEST(&b, ssh_put_unimplemented(w, 0xfedcba98));
	b.len = 0;
	add_byte(&b, 2);
	add_string(&b, "pad");
	PUT_TEST(&b, ssh_put_ignore(w, SPAN_LIT("pad")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kexinit),
	    cmocka_unit_test(test_kexinit_lists),
	    cmocka_unit_test(test_ecdh),
	    cmocka_unit_test(test_newkeys),
	    cmocka_unit_test(test_service),
	    cmocka_unit_test(test_ext_info),
	    cmocka_unit_test(test_disconnect),
	    cmocka_unit_test(test_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
