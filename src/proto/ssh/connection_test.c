/* connection_test.c */
#include "proto/ssh/test.h"

static struct bytes b; /* the payload of the test that runs */

GETTER(get_global_request, struct ssh_global_request, ssh_get_global_request(payload, &m))
GETTER(get_channel_open, struct ssh_channel_open, ssh_get_channel_open(payload, &m))
GETTER(get_channel_msg, struct ssh_channel_msg, ssh_get_channel_msg(payload, &m))
GETTER(get_channel_request, struct ssh_channel_request, ssh_get_channel_request(payload, &m))

static void
test_global_request(void **state)
{
	struct ssh_global_request m;
	size_t len;

	(void)state;
	b.len = 0;
	add_byte(&b, 80);
	add_string(&b, "keepalive@openssh.com");
	add_byte(&b, 1);
	refuse_cuts(get_global_request, &b, b.len);
	refuse_lengths(get_global_request, &b, 1);
	PUT_TEST(&b, ssh_put_global_request(w, SPAN_LIT("keepalive@openssh.com"), true));
	assert_err(ssh_get_global_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_span(m.name, "keepalive@openssh.com");
	assert_true(m.want_reply);
	assert_span(m.rest, "");
	b.buf[b.len - 1] = 0;
	PUT_TEST(&b, ssh_put_global_request(w, SPAN_LIT("keepalive@openssh.com"), false));
	len = b.len;
	add_string(&b, "field");
	refuse_cuts(get_global_request, &b, len);
	assert_err(ssh_get_global_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_false(m.want_reply);
	assert_ptr_equal(m.rest.ptr, b.buf + len);
	assert_int_equal(m.rest.len, 9);
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 66; n++) {
		int want = n <= 64 ? SP_OK : SP_ERANGE;

		b.len = 0;
		add_byte(&b, 80);
		add_long(&b, n, 'g');
		add_byte(&b, 0);
		assert_err(get_bytes(get_global_request, &b), want);
		b.len = 0;
		add_byte(&b, 98);
		add_u32(&b, 0);
		add_long(&b, n, 'r');
		add_byte(&b, 0);
		assert_err(get_bytes(get_channel_request, &b), want);
		b.len = 0;
		add_byte(&b, 90);
		add_long(&b, n, 'o');
		add_u32(&b, 0);
		add_u32(&b, 0);
		add_u32(&b, 0);
		assert_err(get_bytes(get_channel_open, &b), want);
	}
}

static void
make_open(const char *type, uint32_t peer, uint32_t window, uint32_t packet_max)
{
	b.len = 0;
	add_byte(&b, 90);
	add_string(&b, type);
	add_u32(&b, peer);
	add_u32(&b, window);
	add_u32(&b, packet_max);
}

static void
test_channel_open(void **state)
{
	struct ssh_channel_open m;
	size_t len;

	(void)state;
	make_open("session", 0, 2097152, 32768);
	refuse_other(get_channel_open, &b);
	refuse_lengths(get_channel_open, &b, 1);
	assert_err(ssh_get_channel_open(span_of(b.buf, b.len), &m), SP_OK);
	assert_span(m.type, "session");
	assert_int_equal(m.peer, 0);
	assert_int_equal(m.window, 2097152);
	assert_int_equal(m.packet_max, 32768);
	assert_span(m.rest, "");
	make_open("session", UINT32_MAX, UINT32_MAX, 0); /* numbers are the caller's to judge */
	assert_err(ssh_get_channel_open(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.peer, UINT32_MAX);
	assert_int_equal(m.window, UINT32_MAX);
	assert_int_equal(m.packet_max, 0);
	make_open("direct-tcpip", 1, 2, 3);
	len = b.len;
	add_string(&b, "host");
	add_u32(&b, 80);
	refuse_cuts(get_channel_open, &b, len);
	assert_err(ssh_get_channel_open(span_of(b.buf, b.len), &m), SP_OK);
	assert_span(m.type, "direct-tcpip");
	assert_ptr_equal(m.rest.ptr, b.buf + len);
	assert_int_equal(m.rest.len, 12);
}

static void
test_open_answers(void **state)
{
	(void)state;
	b.len = 0;
	add_byte(&b, 91);
	add_u32(&b, 0xfffffff1);
	add_u32(&b, 2);
	add_u32(&b, 0xfffffff3);
	add_u32(&b, 4);
	PUT_TEST(&b, ssh_put_open_confirmation(w, 0xfffffff1, 2, 0xfffffff3, 4));
	b.len = 0;
	add_byte(&b, 92);
	add_u32(&b, 7);
	add_u32(&b, 3);
	add_string(&b, "no such type");
	add_string(&b, "");
	PUT_TEST(&b, ssh_put_open_failure(w, 7, SSH_OPEN_UNKNOWN_TYPE, SPAN_LIT("no such type")));
}

/* Cut anywhere and with bytes behind; the number is left alone, since the parser has seven. */
static void
refuse_channel_msg(void)
{
	assert_err(get_bytes(get_channel_msg, &b), SP_OK);
	for (size_t n = 0; n < b.len; n++)
		assert_err(get_copy(get_channel_msg, span_of(b.buf, n)), SP_ESHORT);
	add_byte(&b, 0);
	assert_err(get_bytes(get_channel_msg, &b), SP_ETRAIL);
	b.len--;
}

static void
make_channel_msg(unsigned number, uint32_t channel)
{
	b.len = 0;
	add_byte(&b, number);
	add_u32(&b, channel);
}

static void
test_window_adjust(void **state)
{
	struct ssh_channel_msg m;

	(void)state;
	make_channel_msg(93, 0x01020304);
	add_u32(&b, 0xfffffffd);
	refuse_channel_msg();
	PUT_TEST(&b, ssh_put_window_adjust(w, 0x01020304, 0xfffffffd));
	assert_err(ssh_get_channel_msg(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.channel, 0x01020304);
	assert_int_equal(m.adjust, 0xfffffffd);
	assert_int_equal(m.data_type, 0);
	assert_int_equal(m.data.len, 0);
}

static void
test_data(void **state)
{
	static const size_t sizes[] = {0, 1, 32768, SSH_PACKET_MAX, SSH_PACKET_MAX + 1};
	static struct bytes head;
	struct ssh_channel_msg m;

	(void)state;
	make_channel_msg(94, 5);
	add_string(&b, "some data");
	refuse_channel_msg();
	refuse_lengths(get_channel_msg, &b, 5);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		make_channel_msg(94, 5);
		add_long(&b, sizes[i], 'd');
		assert_err(get_bytes(get_channel_msg, &b),
		    SP_OK); /* the framing's limit is not this one */
		assert_err(ssh_get_channel_msg(span_of(b.buf, b.len), &m), SP_OK);
		assert_int_equal(m.channel, 5);
		assert_int_equal(m.data.len, sizes[i]);
		assert_ptr_equal(m.data.ptr, b.buf + SSH_DATA_HEAD);
		assert_int_equal(m.adjust, 0);
		head.len = SSH_DATA_HEAD;
		memcpy(head.buf, b.buf, head.len);
		PUT_TEST(&head, ssh_put_data_head(w, 5, (uint32_t)sizes[i]));
	}
}

static void
test_extended_data(void **state)
{
	struct ssh_channel_msg m;

	(void)state;
	make_channel_msg(95, 6);
	add_u32(&b, 1);
	add_string(&b, "message\n");
	refuse_channel_msg();
	refuse_lengths(get_channel_msg, &b, 9);
	PUT_TEST(&b, ssh_put_extended_data(w, 6, 1, SPAN_LIT("message\n")));
	assert_err(ssh_get_channel_msg(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.channel, 6);
	assert_int_equal(m.data_type, 1);
	assert_span(m.data, "message\n");
}

static void
test_channel(void **state)
{
	static const enum ssh_msg numbers[] = {SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_CLOSE,
	    SSH_MSG_CHANNEL_SUCCESS, SSH_MSG_CHANNEL_FAILURE};
	static const uint8_t wire[] = {96, 97, 99, 100};
	struct ssh_channel_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		make_channel_msg(wire[i], 0xffffffff);
		refuse_channel_msg();
		PUT_TEST(&b, ssh_put_channel(w, numbers[i], 0xffffffff));
		assert_err(ssh_get_channel_msg(span_of(b.buf, b.len), &m), SP_OK);
		assert_int_equal(m.channel, 0xffffffff);
		assert_int_equal(m.data.len, 0);
		assert_int_equal(m.adjust, 0);
	}
}

/* No other message is one of these, however long. */
static void
test_channel_numbers(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 256; number++) {
		bool is_ours = (number >= 93 && number <= 97) || number == 99 || number == 100;

		for (size_t n = 1; n < 20 && !is_ours; n++) {
			b.len = n;
			memset(b.buf, 0, n);
			b.buf[0] = (uint8_t)number;
			assert_err(get_bytes(get_channel_msg, &b), SP_ESYNTAX);
		}
	}
}

static void
test_channel_request(void **state)
{
	struct ssh_channel_request m;
	struct span s = SPAN_LIT("before");
	size_t len;

	(void)state;
	make_channel_msg(98, 3);
	add_string(&b, "subsystem");
	add_byte(&b, 1);
	len = b.len;
	refuse_cuts(get_channel_request, &b, len);
	assert_err(ssh_get_channel_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.rest.len, 0);
	assert_err(ssh_get_request_string(&m, &s), SP_ESHORT);
	assert_span(s, "before");
	add_string(&b, "sftp");
	refuse_cuts(get_channel_request, &b, len);
	assert_err(ssh_get_channel_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.channel, 3);
	assert_span(m.type, "subsystem");
	assert_true(m.want_reply);
	assert_ptr_equal(m.rest.ptr, b.buf + len);
	assert_err(ssh_get_request_string(&m, &s), SP_OK);
	assert_span(s, "sftp");
	b.buf[len - 1] = 0;
	assert_err(ssh_get_channel_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_false(m.want_reply);
}

/* The string of a request, by itself. */
static int
get_string(struct span rest)
{
	struct ssh_channel_request m = {.rest = rest};
	struct span s = SPAN_LIT("before");
	int rc = ssh_get_request_string(&m, &s);

	if (rc < 0)
		assert_span(s, "before");
	return rc;
}

static void
test_request_string(void **state)
{
	(void)state;
	b.len = 0;
	add_string(&b, "scp -t /");
	for (size_t n = 0; n < b.len; n++)
		assert_err(get_copy(get_string, span_of(b.buf, n)), SP_ESHORT);
	assert_err(get_bytes(get_string, &b), SP_OK);
	refuse_lengths(get_string, &b, 0);
	add_byte(&b, 0);
	assert_err(get_bytes(get_string, &b), SP_ETRAIL);
	b.len = 0;
	add_string(&b, "");
	assert_err(get_bytes(get_string, &b), SP_OK);
}

static void
test_exit_status(void **state)
{
	struct ssh_channel_request m;

	(void)state;
	make_channel_msg(98, 9);
	add_string(&b, "exit-status");
	add_byte(&b, 0);
	add_u32(&b, 0x80000001);
	PUT_TEST(&b, ssh_put_exit_status(w, 9, 0x80000001));
	assert_err(ssh_get_channel_request(span_of(b.buf, b.len), &m), SP_OK);
	assert_int_equal(m.channel, 9);
	assert_span(m.type, "exit-status");
	assert_false(m.want_reply);
	assert_int_equal(m.rest.len, 4);
	assert_memory_equal(m.rest.ptr, "\x80\0\0\1", 4);
}

static void
test_numbers(void **state)
{
	(void)state;
	b.len = 0;
	add_byte(&b, 81);
	PUT_TEST(&b, ssh_put_number(w, SSH_MSG_REQUEST_SUCCESS));
	b.len = 0;
	add_byte(&b, 82);
	PUT_TEST(&b, ssh_put_number(w, SSH_MSG_REQUEST_FAILURE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_global_request),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_channel_open),
	    cmocka_unit_test(test_open_answers),
	    cmocka_unit_test(test_window_adjust),
	    cmocka_unit_test(test_data),
	    cmocka_unit_test(test_extended_data),
	    cmocka_unit_test(test_channel),
	    cmocka_unit_test(test_channel_numbers),
	    cmocka_unit_test(test_channel_request),
	    cmocka_unit_test(test_request_string),
	    cmocka_unit_test(test_exit_status),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
