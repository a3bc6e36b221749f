#include "base/test.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/text.h"

static void
fails_with(const char *file, const char *sentence)
{
	struct conf c;
	char why[160] = "";

	memset(&c, 0x5a, sizeof c);
	assert_err(conf_parse(span_str(file), &c, why, sizeof why), SP_ECONFIG);
	assert_string_equal(why, sentence);
	assert_int_equal(((uint8_t *)&c)[0], 0x5a); /* untouched */
}

static void
defaults_hold(void **state)
{
	struct conf c, d;
	char why[160];

	(void)state;
	conf_defaults(&c);
	assert_string_equal(c.name, "sallyport");
	assert_string_equal(c.https_listen, "127.0.0.1:8443");
	assert_int_equal(c.segment_bytes, 131072);
	assert_int_equal(c.session_max, 12 * 3600);
	assert_true(c.body_max == INT64_C(64) << 40);
	assert_int_equal(c.log_level, 2);
	assert_int_equal(conf_parse(SPAN_LIT(""), &d, why, sizeof why), 0);
	assert_memory_equal(&c, &d, sizeof c);
}

static void
a_file_is_read(void **state)
{
	struct conf c;
	char why[160] = "";

	(void)state;
	assert_int_equal(conf_parse(SPAN_LIT("# a comment\n\n"
					     "  httpslisten\t[::1]:443   # the door\r\n"
					     "NAME \"files # of acme\"\n"
					     "HttpsKey /etc/ssl/a b.pem\n"
					     "SegmentLength 256K\n"
					     "SessionIdle 1w\n"
					     "LogLevel debug"),
			     &c, why, sizeof why),
	    0);
	assert_string_equal(c.https_listen, "[::1]:443");
	assert_string_equal(c.name, "files # of acme");
	assert_string_equal(c.https_key, "/etc/ssl/a b.pem");
	assert_int_equal(c.segment_bytes, 262144);
	assert_int_equal(c.session_idle, 604800);
	assert_int_equal(c.log_level, 3);
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	fails_with("\n\nWorkersIdle 900", "line 3: WorkersIdle: 900 is over 256");
	fails_with("WorkersIdle 0", "line 1: WorkersIdle: 0 is under 1");
	fails_with("WorkersIdle 99999999999999999999",
	    "line 1: WorkersIdle: 99999999999999999999 is over 256");
	fails_with("WorkersIdle -1", "line 1: WorkersIdle: this is not a number");
	fails_with("WorkersIdle", "line 1: WorkersIdle: a value is missing");
	fails_with("WorkersIdle 5 6", "line 1: WorkersIdle: this is not a number");
	fails_with("WorkersIdle 5\nworkersidle 6", "line 2: WorkersIdle: this is set twice");
	fails_with("Wrokers 5", "line 1: Wrokers: there is no such setting");
	fails_with("SegmentLength 128KB",
	    "line 1: SegmentLength: this is not a number of bytes (with K, M, G, T or P)");
	fails_with("SegmentLength 32K", "line 1: SegmentLength: 32K is under 65536");
	fails_with("BodyMax 9000000000000000000T",
	    "line 1: BodyMax: 9000000000000000000T is over 1125899906842624");
	fails_with("SessionIdle 5x",
	    "line 1: SessionIdle: this is not a time (a number with s, m, h, d or w)");
	fails_with("LogLevel loud", "line 1: LogLevel: this is not one of its words");
	fails_with("Name \"\"", "line 1: Name: 0 bytes is not between 1 and 64");
	fails_with("Name a\"b", "line 1: Name: a stray quote");
	fails_with("Name \x1b[2J", "line 1: a control character, or not UTF-8");
	fails_with("Name \xff", "line 1: a control character, or not UTF-8");
	for (size_t i = 0; i < 7; i++) {
		static const char *addr[] = {"localhost:1", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536",
		    "::1:443", "[::1]", ":80"};
		char line[64];
		struct text t = text_of(line, sizeof line);

		text_fmt(&t, "HttpsListen %s", addr[i]);
		fails_with(
		    line, "line 1: HttpsListen: this is not ADDRESS:PORT with a numeric address");
	}
}

/* What conf_print writes, conf_parse reads back to the same value: for the defaults and for odd
 * ones. */
static void
printing_and_parsing_agree(void **state)
{
	struct conf c, d;
	char file[8192], line[2200], why[160] = "";
	struct text t = text_of(file, sizeof file);
	size_t n;
	const struct conf_row *rows = conf_rows(&n);

	(void)state;
	conf_defaults(&c);
	memset(c.name, 0, sizeof c.name);
	memcpy(c.name, "a # b", 5);
	c.body_max = (INT64_C(1) << 40) + 1;
	c.session_idle = 61;
	c.delete_hold = 0;
	for (size_t i = 0; i < n; i++) {
		conf_print(&c, i, line, sizeof line);
		assert_true(span_starts(span_str(line), span_str(rows[i].keyword)));
		text_fmt(&t, "%s\n", line);
	}
	assert_false(t.bad);
	assert_int_equal(conf_parse(text_span(&t), &d, why, sizeof why), 0);
	assert_memory_equal(&c, &d, sizeof c);
}

static void
reload_takes_some(void **state)
{
	struct conf c, d;
	char why[160];

	(void)state;
	conf_defaults(&c);
	assert_int_equal(
	    conf_parse(SPAN_LIT("WorkersIdle 3\nHttpsListen 127.0.0.1:1\nHttpsCertificate x"), &d,
		why, sizeof why),
	    0);
	conf_take_reloadable(&c, &d);
	assert_int_equal(c.workers_idle, 3);
	assert_string_equal(c.https_certificate, "x");
	assert_string_equal(c.https_listen, "127.0.0.1:8443"); /* needs a restart */
}

/* Every truncation and every flipped bit of a file parses or fails; nothing reads beyond
 * (sanitizers watch). */
static void
damaged_files_are_refused_or_read(void **state)
{
	static const char seed[] = "Name a\nHttpsListen [::1]:443 # door\nSegmentLength "
				   "128K\nSessionIdle 20m\nLogLevel info\n";
	struct conf c;
	char why[160];

	(void)state;
	for (size_t n = 0; n < sizeof seed - 1; n++) {
		DEFER(mem_freep) uint8_t *cut = mem_alloc(n);

		memcpy(cut, seed, n);
		(void)!conf_parse(span_of(cut, n), &c, why, sizeof why);
		for (unsigned bit = 0; bit < 8 && n != 0; bit++) {
			cut[n - 1] ^= (uint8_t)(1u << bit);
			(void)!conf_parse(span_of(cut, n), &c, why, sizeof why);
			cut[n - 1] ^= (uint8_t)(1u << bit);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(defaults_hold),
	    cmocka_unit_test(a_file_is_read), cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(printing_and_parsing_agree), cmocka_unit_test(reload_takes_some),
	    cmocka_unit_test(damaged_files_are_refused_or_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
