#include "base/test.h"

#include "base/prefix.h"

static const char *
text_of_prefix(struct prefix p)
{
	static char buf[PREFIX_TEXT];
	struct text t = text_of(buf, sizeof(buf));

	prefix_text(&t, &p);
	assert_false(t.bad);
	return buf;
}

static struct prefix
parse(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(span_str(s), &p), SP_OK);
	return p;
}

static void
written_as_read(void **state)
{
	static const char *const same[] = {"192.0.2.7", "192.0.2.0/24", "0.0.0.0/0", "10.0.0.0/8",
	    "2001:db8::1", "2001:db8::/32", "::/0", "::1", "2001:db8:0:1::/64", "10.0.0.0/31"};
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "1.2.3.4/33", "1.2.3.4/",
	    "1.2.3.4/-1", "1.2.3.4/08", "::/129", "2001:db8::/3x", "a", "1.2.3.4 ", "[::1]", "/8",
	    "1.2.3.1/24", "2001:db8::1/64", "1.2.3.256", "::g"};
	struct prefix p = {.bits = 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_string_equal(text_of_prefix(parse(same[i])), same[i]);
	assert_string_equal(text_of_prefix(parse("::ffff:192.0.2.7")), "192.0.2.7");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(prefix_parse(span_str(bad[i]), &p) < 0);
	assert_true(prefix_parse(span_of("1.2.3.4\0", 8), &p) < 0);
	assert_int_equal(p.bits, 7);
}

static void
peers(void **state)
{
	static const struct {
		const char *peer, *host, *network;
	} rows[] = {
	    {"192.0.2.7:443", "192.0.2.7", "192.0.2.0/24"},
	    {"192.0.2.7", "192.0.2.7", "192.0.2.0/24"},
	    {"[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64", "2001:db8:1::/48"},
	    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
	    {"[::1]:1", "::/64", "::/48"},
	    {"[::ffff:192.0.2.7]:1", "192.0.2.7", "192.0.2.0/24"},
	};
	static const char *const bad[] = {"", ":443", "[", "[]:1", "x:1", "[1.2.3.4:5", "unix"};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(prefix_of_peer(rows[i].peer, &p), SP_OK);
		assert_int_equal(p.bits, 128);
		assert_string_equal(text_of_prefix(prefix_host(&p)), rows[i].host);
		assert_string_equal(text_of_prefix(prefix_network(&p)), rows[i].network);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(prefix_of_peer(bad[i], &p) < 0);
}

static void
inside(void **state)
{
	struct prefix net = parse("192.0.2.128/25"), all4 = parse("0.0.0.0/0"), all = parse("::/0");
	struct prefix in = parse("192.0.2.200"), out = parse("192.0.2.100"),
		      v6 = parse("2001:db8::1");

	(void)state;
	assert_true(prefix_has(&net, &in));
	assert_false(prefix_has(&net, &out));
	assert_false(prefix_has(&in, &net));
	assert_true(prefix_has(&net, &net));
	assert_true(prefix_has(&all4, &out));
	assert_false(prefix_has(&all4, &v6));
	assert_true(prefix_has(&all, &v6) && prefix_has(&all, &in));
	assert_true(prefix_hash(&in) != prefix_hash(&out));
}

static void
lists(void **state)
{
	struct prefix_list l;
	struct prefix a = parse("127.0.0.9"), b = parse("::1"), c = parse("10.1.1.1");
	char many[PREFIX_LIST_MAX * 10 + 20];
	struct text t = text_of(many, sizeof(many));

	(void)state;
	assert_int_equal(prefix_list_parse(SPAN_LIT("127.0.0.0/8, ::1"), &l), SP_OK);
	assert_int_equal(l.n, 2);
	assert_true(prefix_list_has(&l, &a) && prefix_list_has(&l, &b));
	assert_false(prefix_list_has(&l, &c));
	assert_int_equal(prefix_list_parse(SPAN_LIT("none"), &l), SP_OK);
	assert_int_equal(l.n, 0);
	assert_true(prefix_list_parse(SPAN_LIT("none, ::1"), &l) < 0);
	assert_err(prefix_list_parse(SPAN_LIT("10.0.0.1/8"), &l), SP_ERANGE);
	for (size_t i = 0; i < PREFIX_LIST_MAX; i++)
		text_str(&t, "10.0.0.0,");
	assert_int_equal(prefix_list_parse(text_span(&t), &l), SP_OK);
	text_str(&t, "10.0.0.0");
	assert_err(prefix_list_parse(text_span(&t), &l), SP_ETOOBIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(written_as_read),
	    cmocka_unit_test(peers), cmocka_unit_test(inside), cmocka_unit_test(lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
