/* list_test.c */
#include "proto/ssh/test.h"

static void
test_version(void **state)
{
	static const struct {
		const char *line;
		int err;
	} rows[] = {
	    {"SSH-2.0-x", SP_OK},
	    {"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", SP_OK},
	    {"SSH-2.0-JSCH-0.1.54", SP_OK},
	    {"SSH-1.99-Cisco-1.25", SP_OK},
	    {"SSH-2.0-x ", SP_OK},
	    {"SSH-2.0-x  two spaces", SP_OK},
	    {"SSH-2.0--", SP_OK},
	    {"SSH-2.0-", SP_ESYNTAX},
	    {"SSH-2.0- x", SP_ESYNTAX},
	    {"SSH-2.0", SP_ESYNTAX},
	    {"SSH-2.0 x", SP_ESYNTAX},
	    {"SSH-", SP_ESYNTAX},
	    {"SSH--x", SP_ESYNTAX},
	    {"SSH-2-x", SP_ESYNTAX},
	    {"SSH-2.-x", SP_ESYNTAX},
	    {"SSH-.0-x", SP_ESYNTAX},
	    {"SSH-a.b-x", SP_ESYNTAX},
	    {"SSH-2.0.0-x", SP_ESYNTAX},
	    {"SSH-2.0a-x", SP_ESYNTAX},
	    {"ssh-2.0-x", SP_ESYNTAX},
	    {" SSH-2.0-x", SP_ESYNTAX},
	    {"xSSH-2.0-x", SP_ESYNTAX},
	    {"GET / HTTP/1.1", SP_ESYNTAX},
	    {"", SP_ESYNTAX},
	    {"SSH-2.0-x\r", SP_ESYNTAX},
	    {"SSH-2.0-x\tcomment", SP_ESYNTAX},
	    {"SSH-2.0-x \x7f", SP_ESYNTAX},
	    {"SSH-2.0-\xc3\xa4", SP_ESYNTAX},
	    {"SSH-1.5-x", SP_EVERSION},
	    {"SSH-1.0-x", SP_EVERSION},
	    {"SSH-2.1-x", SP_EVERSION},
	    {"SSH-3.0-x", SP_EVERSION},
	    {"SSH-02.0-x", SP_EVERSION},
	    {"SSH-99999999999999999999.0-x", SP_EVERSION},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(get_copy(ssh_get_version, span_str(rows[i].line)), rows[i].err);
	assert_err(get_copy(ssh_get_version, SPAN_LIT("SSH-2.0-x\0y")), SP_ESYNTAX);
}

static void
test_version_length(void **state)
{
	char line[SSH_VERSION_MAX];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "SSH-2.0-", 8);
	for (size_t n = 0; n <= 8; n++)
		assert_err(get_copy(ssh_get_version, span_of(line, n)), SP_ESYNTAX);
	for (size_t n = 9; n <= 253; n++)
		assert_err(get_copy(ssh_get_version, span_of(line, n)), SP_OK);
	assert_err(get_copy(ssh_get_version, span_of(line, 254)), SP_ESYNTAX);
	assert_err(get_copy(ssh_get_version, span_of(line, 255)), SP_ESYNTAX);
}

static int
take_one(struct span payload)
{
	struct rd r = rd_of(payload);
	struct span s = ssh_take_string(&r);

	if (r.bad) {
		assert_int_equal(s.len, 0);
		return SP_ESHORT;
	}
	return r.left != 0 ? SP_ETRAIL : SP_OK;
}

static void
test_string(void **state)
{
	static struct bytes b;
	struct rd r;

	(void)state;
	b.len = 0;
	add_string(&b, "abc");
	for (size_t n = 0; n < b.len; n++)
		assert_err(get_copy(take_one, span_of(b.buf, n)), SP_ESHORT);
	assert_err(get_bytes(take_one, &b), SP_OK);
	refuse_lengths(take_one, &b, 0);
	PUT_TEST(&b, ssh_put_string(w, SPAN_LIT("abc")));
	add_string(&b, "");
	assert_err(get_bytes(take_one, &b), SP_ETRAIL);
	r = rd_of(span_of(b.buf, b.len));
	assert_span(ssh_take_string(&r), "abc");
	assert_span(ssh_take_string(&r), "");
	assert_true(rd_done(&r));
	assert_span(ssh_take_string(&r), "");
	assert_true(r.bad);
	b.len = 0;
	add_string(&b, "");
	PUT_TEST(&b, ssh_put_string(w, SPAN_LIT("")));
}

/* The examples of RFC 4251 section 5 that are not negative, and what a shared secret may look like.
 */
static void
test_mpint(void **state)
{
	static const struct {
		size_t n, wire;
		uint8_t number[9], out[16];
	} rows[] = {
	    {0, 4, {0}, {0, 0, 0, 0}},
	    {1, 4, {0}, {0, 0, 0, 0}},
	    {3, 4, {0, 0, 0}, {0, 0, 0, 0}},
	    {8, 12, {0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7},
		{0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7}},
	    {1, 6, {0x80}, {0, 0, 0, 2, 0, 0x80}},
	    {2, 6, {0, 0x80}, {0, 0, 0, 2, 0, 0x80}},
	    {1, 5, {0x7f}, {0, 0, 0, 1, 0x7f}},
	    {3, 5, {0, 0, 0x7f}, {0, 0, 0, 1, 0x7f}},
	    {2, 7, {0xff, 0}, {0, 0, 0, 3, 0, 0xff, 0}},
	    {3, 6, {0, 1, 0}, {0, 0, 0, 2, 1, 0}},
	};
	static struct bytes b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(b.buf, rows[i].out, rows[i].wire);
		b.len = rows[i].wire;
		PUT_TEST(&b, ssh_put_mpint(w, span_of(rows[i].number, rows[i].n)));
	}
}

static void
test_list_next(void **state)
{
	struct span list = SPAN_LIT("a,bc,,d"), name;

	(void)state;
	assert_true(ssh_list_next(&list, &name));
	assert_span(name, "a");
	assert_true(ssh_list_next(&list, &name));
	assert_span(name, "bc");
	assert_true(ssh_list_next(&list, &name));
	assert_span(name, "");
	assert_true(ssh_list_next(&list, &name));
	assert_span(name, "d");
	assert_false(ssh_list_next(&list, &name));
	assert_span(name, "d"); /* untouched */
	assert_span(list, "");
}

static void
test_list_has(void **state)
{
	(void)state;
	assert_true(ssh_list_has(SPAN_LIT("a,b,c"), "a"));
	assert_true(ssh_list_has(SPAN_LIT("a,b,c"), "c"));
	assert_true(ssh_list_has(SPAN_LIT("a"), "a"));
	assert_false(ssh_list_has(SPAN_LIT("a,b,c"), "a,b"));
	assert_false(ssh_list_has(SPAN_LIT("aes128-ctr,b"), "aes128"));
	assert_false(ssh_list_has(SPAN_LIT("aes128,b"), "aes128-ctr"));
	assert_false(ssh_list_has(SPAN_LIT("A"), "a"));
	assert_false(ssh_list_has(SPAN_LIT(""), "a"));
	assert_false(ssh_list_has(SPAN_LIT(""), ""));
}

static void
test_list_ok(void **state)
{
	static const char *const good[] = {
	    "", "a", "a,b", "zlib@openssh.com,none", "!,~", "chacha20-poly1305@openssh.com"};
	static const char *const bad[] = {",", "a,", ",a", "a,,b", "a b", " a", "a\t", "a,\x01",
	    "a\x7f", "a,\xc3\xa4", "\n", "a,b\r\n"};
	char name[SSH_NAME_MAX + 3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(ssh_list_ok(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ssh_list_ok(span_str(bad[i])));
	assert_false(ssh_list_ok(SPAN_LIT("a\0b")));
	memset(name, 'n', sizeof(name));
	assert_true(ssh_list_ok(span_of(name, 64)));
	assert_false(ssh_list_ok(span_of(name, 65)));
	name[64] = ',';
	assert_true(ssh_list_ok(span_of(name, 66)));
	assert_false(ssh_list_ok(span_of(name, 65)));
	memmove(name, "x,", 2);
	memset(name + 2, 'n', 65);
	assert_true(ssh_list_ok(span_of(name, 66)));
	assert_false(ssh_list_ok(span_of(name, 67)));
}

/* RFC 4253 section 7.1: the client's order decides. */
static void
test_choose(void **state)
{
	struct span ret = SPAN_LIT("untouched");

	(void)state;
	assert_false(ssh_choose(SPAN_LIT("a,b"), SPAN_LIT("c,d"), &ret));
	assert_false(ssh_choose(SPAN_LIT(""), SPAN_LIT("c,d"), &ret));
	assert_false(ssh_choose(SPAN_LIT("a"), SPAN_LIT(""), &ret));
	assert_false(ssh_choose(SPAN_LIT(""), SPAN_LIT(""), &ret));
	assert_false(ssh_choose(SPAN_LIT("aa"), SPAN_LIT("a,aaa"), &ret));
	assert_span(ret, "untouched");
	assert_true(ssh_choose(SPAN_LIT("x,b,a"), SPAN_LIT("a,b"), &ret));
	assert_span(ret, "b");
	assert_true(ssh_choose(SPAN_LIT("a"), SPAN_LIT("c,b,a"), &ret));
	assert_span(ret, "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_version),
	    cmocka_unit_test(test_version_length),
	    cmocka_unit_test(test_string),
	    cmocka_unit_test(test_mpint),
	    cmocka_unit_test(test_list_next),
	    cmocka_unit_test(test_list_has),
	    cmocka_unit_test(test_list_ok),
	    cmocka_unit_test(test_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
