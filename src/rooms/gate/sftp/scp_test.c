/* scp both ways, as OpenSSH's client speaks it. */
#include "rooms/gate/sftp/server_fix.h"

#include <stdio.h>

static struct fix *
begin(const char *command)
{
	struct fix *f = fix_new();

	store_add_folder(&f->store, "/Home/alice/in");
	f->command = span_str(command);
	assert_true(scp_wanted(f->command));
	return f;
}

static void
end(struct fix *f, int status)
{
	uint8_t b;

	fix_end(f);
	assert_int_equal(f->rc, SP_OK);
	assert_int_equal(f->status, status);
	assert_false(played_get(f->stream, &b, 1)); /* nothing more was said */
	fix_free(f);
}

static void
say(struct fix *f, const char *text)
{
	played_put(f->stream, span_str(text));
}

static void
ack(struct fix *f)
{
	played_put(f->stream, span_of("", 1));
}

static void
acked(struct fix *f)
{
	uint8_t b = 9;

	assert_true(played_get(f->stream, &b, 1));
	if (b != 0) {
		size_t n = 0;

		while (played_get(f->stream, f->buf + n, 1) && f->buf[n] != '\n')
			n++;
		fail_msg("%.*s", (int)n, (const char *)f->buf);
	}
}

/* A whole line. */
static const char *
line(struct fix *f)
{
	size_t n = 0;

	do {
		assert_true(n < 2000);
		if (!played_get(f->stream, f->buf + n, 1))
			fail_msg("ended after %zu bytes", n);
	} while (f->buf[n++] != '\n');
	f->buf[n - 1] = 0;
	return (const char *)f->buf;
}

static void
give(struct fix *f, const char *head, size_t n)
{
	say(f, head);
	acked(f);
	played_put(f->stream, bytes(0, n));
	ack(f);
}

/* ---- to us ---- */

static void
test_take(void **state)
{
	static const size_t sizes[] = {0, 5, 65536, 65537, 500000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fix *f = begin("scp -t in");
		char head[64];

		fix_start(f);
		played_step(f->stream, 10000);
		acked(f);
		(void)snprintf(head, sizeof(head), "C0644 %zu x y\n", sizes[i]);
		give(f, head, sizes[i]);
		acked(f);
		check_file(f, "/Home/alice/in/x y", sizes[i]);
		assert_int_equal(store_asked(&f->store, IPC_PUT), 1); /* its size was known */
		end(f, 0);
	}
}

/* A name of its own, and times. */
static void
test_take_as(void **state)
{
	struct fix *f = begin("scp -p -t in/new");

	(void)state;
	fix_start(f);
	acked(f);
	say(f, "T1500000000 0 1500000001 0\n");
	acked(f);
	give(f, "C0600 100 old\n", 100);
	acked(f);
	check_file(f, "/Home/alice/in/new", 100);
	assert_int_equal(
	    store_find(&f->store, "/Home/alice/in/new")->modified_us, 1500000000000000);
	end(f, 0);
}

static void
test_take_tree(void **state)
{
	struct fix *f = begin("scp -r -p -d -t in");

	(void)state;
	fix_start(f);
	acked(f);
	say(f, "T1500000000 0 1500000001 0\n");
	acked(f);
	say(f, "D0755 0 a\n");
	acked(f);
	give(f, "C0644 10 f\n", 10);
	acked(f);
	say(f, "D0755 0 b\n");
	acked(f);
	give(f, "C0644 20 g\n", 20);
	acked(f);
	say(f, "E\n");
	acked(f);
	give(f, "C0644 30 h\n", 30);
	acked(f);
	say(f, "E\n");
	acked(f);
	give(f, "C0644 40 i\n", 40);
	acked(f);
	check_file(f, "/Home/alice/in/a/f", 10);
	check_file(f, "/Home/alice/in/a/b/g", 20);
	check_file(f, "/Home/alice/in/a/h", 30);
	check_file(f, "/Home/alice/in/i", 40);
	assert_int_equal(store_find(&f->store, "/Home/alice/in/a")->modified_us, 1500000000000000);
	assert_int_equal(store_find(&f->store, "/Home/alice/in/a/b")->modified_us, PLAYED_TIME_US);
	end(f, 0);
	/* into what is not there yet: it becomes the folder */
	f = begin("scp -r -t in/new");
	fix_start(f);
	acked(f);
	say(f, "D0755 0 a\n");
	acked(f);
	give(f, "C0644 10 f\n", 10);
	acked(f);
	say(f, "E\n");
	acked(f);
	check_file(f, "/Home/alice/in/new/f", 10);
	end(f, 0);
}

/* One file is refused, the next is taken. */
static void
test_take_errors(void **state)
{
	struct fix *f = begin("scp -r -t in");

	(void)state;
	fix_start(f);
	acked(f);
	f->store.fail_id = IPC_PUT;
	f->store.fail_err = SP_EQUOTA;
	say(f, "C0644 10 a\n");
	assert_string_equal(
	    line(f), "\1scp: /Home/alice/in/a: the quota is used up: as the test wants");
	f->store.fail_id = IPC_COMMIT;
	give(f, "C0644 10 b\n", 10);
	assert_string_equal(
	    line(f), "\1scp: /Home/alice/in/b: the quota is used up: as the test wants");
	memset(f->store.uploads, 0, sizeof(f->store.uploads));
	/* the client could not read all of it: no file */
	say(f, "C0644 10 c\n");
	acked(f);
	played_put(f->stream, bytes(0, 10));
	say(f, "\1scp: c: Input/output error\n");
	acked(f);
	assert_null(store_find(&f->store, "/Home/alice/in/c"));
	/* a warning about one that does not come */
	say(f, "\1scp: d: not a regular file\n");
	store_add_file(&f->store, "/Home/alice/in/e", "", 0);
	say(f, "D0755 0 e\n");
	assert_string_equal(line(f), "\1scp: /Home/alice/in/e: this is not a folder");
	give(f, "C0644 10 g\n", 10);
	acked(f);
	check_file(f, "/Home/alice/in/g", 10);
	end(f, 1);
}

static void
test_take_refused(void **state)
{
	static const struct {
		const char *command, *say, *line;
	} rows[] = {
	    {"scp -t in", "D0755 0 a\n", "\1scp: protocol error: received directory without -r"},
	    {"scp -r -t in", "E\n", "\1scp: protocol error: unexpected E"},
	    {"scp -t in", "C0644 1 ../x\n", "\1scp: protocol error: unexpected filename"},
	    {"scp -t in", "C0644 1 ..\n", "\1scp: protocol error: unexpected filename"},
	    {"scp -r -t in", "D0755 0 a/b\n", "\1scp: protocol error: unexpected filename"},
	    {"scp -t in", "C644 1 x\n", "\1scp: protocol error: mode or size not delimited"},
	    {"scp -t in", "C0644 99999999999999999999 x\n",
		"\1scp: protocol error: mode or size not delimited"},
	    {"scp -t in", "Tx\n", "\1scp: protocol error: times not delimited"},
	    {"scp -t in", "X\n", "\1scp: protocol error: expected control record"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fix *f = begin(rows[i].command);

		fix_start(f);
		acked(f);
		say(f, rows[i].say);
		assert_string_equal(line(f), rows[i].line);
		end(f, 1);
	}
}

static void
test_take_target(void **state)
{
	struct fix *f = begin("scp -d -t none");
	static char long_line[6000];

	(void)state;
	fix_start(f);
	assert_string_equal(line(f), "\1scp: none: no such file or folder");
	end(f, 1);
	f = begin("scp -d -t in/f");
	store_add_file(&f->store, "/Home/alice/in/f", "", 0);
	fix_start(f);
	assert_string_equal(line(f), "\1scp: in/f: this is not a folder");
	end(f, 1);
	f = begin("scp -t in");
	fix_start(f);
	acked(f);
	memset(long_line, 'C', sizeof(long_line) - 1);
	say(f, long_line);
	assert_string_equal(line(f), "\1scp: protocol error: the line is too long");
	end(f, 1);
}

/* The connection breaks: what came is kept for its owner. */
static void
test_take_broken(void **state)
{
	struct fix *f = begin("scp -t in");
	uint8_t b;

	(void)state;
	fix_start(f);
	acked(f);
	say(f, "C0644 500000 x\n");
	acked(f);
	played_put(f->stream, bytes(0, 300000));
	played_close(f->stream);
	assert_false(played_get(f->stream, &b, 1));
	fix_end(f);
	assert_err(f->rc, SP_ECLOSED);
	assert_null(store_find(&f->store, "/Home/alice/in/x"));
	assert_int_equal(store_upload(&f->store, "/Home/alice/in/x")->acked, 300000);
	fix_free(f);
}

/* ---- from us ---- */

static void
got_file(struct fix *f, const char *head, size_t n)
{
	assert_string_equal(line(f), head);
	ack(f);
	assert_true(played_get(f->stream, f->buf, n));
	assert_true(span_eq(span_of(f->buf, n), bytes(0, n)));
	acked(f);
	ack(f);
}

static void
test_give(void **state)
{
	static const size_t sizes[] = {0, 5, 65536, 300000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fix *f = begin("scp -f in/x");
		char head[64];

		store_add_file(&f->store, "/Home/alice/in/x", bytes(0, sizes[i]).ptr, sizes[i]);
		fix_start(f);
		ack(f);
		(void)snprintf(head, sizeof(head), "C0644 %zu x", sizes[i]);
		got_file(f, head, sizes[i]);
		end(f, 0);
	}
}

static void
test_give_tree(void **state)
{
	struct fix *f = begin("scp -r -p -f in");
	char name[40];

	(void)state;
	store_add_folder(&f->store, "/Home/alice/in/a");
	store_add_folder(&f->store, "/Home/alice/in/a/empty");
	store_add_file(&f->store, "/Home/alice/in/a/z", bytes(0, 70000).ptr, 70000);
	for (char c = 'a'; c < 'u'; c++) { /* more than a page */
		(void)snprintf(name, sizeof(name), "/Home/alice/in/f%c", c);
		store_add_file(&f->store, name, bytes(0, 3).ptr, 3);
	}
	fix_start(f);
	ack(f);
#define TIMES                                                                                      \
	do {                                                                                       \
		assert_string_equal(line(f), "T1700000000 0 1700000000 0");                        \
		ack(f);                                                                            \
	} while (0)
#define LINE(text)                                                                                 \
	do {                                                                                       \
		assert_string_equal(line(f), text);                                                \
		ack(f);                                                                            \
	} while (0)
	TIMES;
	LINE("D0755 0 in");
	TIMES;
	LINE("D0755 0 a");
	TIMES;
	LINE("D0755 0 empty");
	LINE("E");
	TIMES;
	got_file(f, "C0644 70000 z", 70000);
	LINE("E");
	for (char c = 'a'; c < 'u'; c++) {
		TIMES;
		(void)snprintf(name, sizeof(name), "C0644 3 f%c", c);
		got_file(f, name, 3);
	}
	LINE("E");
	end(f, 0);
}

static void
test_give_many(void **state)
{
	struct fix *f = begin("scp -f in/a none 'in/b c'");

	(void)state;
	store_add_file(&f->store, "/Home/alice/in/a", bytes(0, 1).ptr, 1);
	store_add_file(&f->store, "/Home/alice/in/b c", bytes(0, 2).ptr, 2);
	fix_start(f);
	ack(f);
	got_file(f, "C0644 1 a", 1);
	assert_string_equal(line(f), "\1scp: /Home/alice/none: no such file or folder");
	got_file(f, "C0644 2 b c", 2);
	end(f, 1);
}

static void
test_give_pattern(void **state)
{
	struct fix *f = begin("scp -f in/*.t?t");

	(void)state;
	store_add_file(&f->store, "/Home/alice/in/a.txt", bytes(0, 1).ptr, 1);
	store_add_file(&f->store, "/Home/alice/in/b.dat", bytes(0, 1).ptr, 1);
	store_add_file(&f->store, "/Home/alice/in/.c.txt", bytes(0, 1).ptr, 1);
	store_add_file(&f->store, "/Home/alice/in/d.tat", bytes(0, 2).ptr, 2);
	fix_start(f);
	ack(f);
	got_file(f, "C0644 1 a.txt", 1);
	got_file(f, "C0644 2 d.tat", 2);
	end(f, 0);
	f = begin("scp -f in/*.none");
	fix_start(f);
	ack(f);
	assert_string_equal(line(f), "\1scp: /Home/alice/in: no such file or folder");
	assert_true(played_heard(f->stream) > 0);
	end(f, 1);
}

static void
test_give_errors(void **state)
{
	struct fix *f = begin("scp -f in in/secret in/a in/b");
	struct node *n;

	(void)state;
	store_add_file(&f->store, "/Home/alice/in/secret", "", 0)->rights = RIGHT_LIST;
	store_add_file(&f->store, "/Home/alice/in/a", bytes(0, 1).ptr, 1);
	store_add_file(&f->store, "/Home/alice/in/b", bytes(0, 1).ptr, 1);
	fix_start(f);
	ack(f);
	assert_string_equal(line(f), "\1scp: /Home/alice/in: this is a folder");
	assert_string_equal(line(f),
	    "\1scp: /Home/alice/in/secret: permission denied: you may not read in this folder");
	assert_string_equal(line(f), "C0644 1 a");
	say(f, "\1scp: a: cannot be written here\n"); /* the client does not want it */
	got_file(f, "C0644 1 b", 1);
	end(f, 1);
	/* damage: what was announced comes, and then the truth */
	f = begin("scp -f in/x");
	n = store_add_file(&f->store, "/Home/alice/in/x", bytes(0, 300000).ptr, 300000);
	store_spoil(n, 200000);
	fix_start(f);
	ack(f);
	assert_string_equal(line(f), "C0644 300000 x");
	ack(f);
	assert_true(played_get(f->stream, f->buf, 300000));
	assert_true(span_eq(span_of(f->buf, 196512), bytes(0, 196512)));
	for (size_t i = 196512; i < 300000; i++)
		assert_int_equal(f->buf[i], 0);
	assert_string_equal(line(f), "\1scp: /Home/alice/in/x: stored data is damaged: x (file 5) "
				     "is damaged near byte 196512");
	ack(f);
	end(f, 1);
}

/* A client that ends in the middle, or sends what is no answer. */
static void
test_give_ended(void **state)
{
	struct fix *f = begin("scp -f in/x");

	(void)state;
	store_add_file(&f->store, "/Home/alice/in/x", "abc", 3);
	fix_start(f);
	ack(f);
	assert_string_equal(line(f), "C0644 3 x");
	say(f, "\2fatal\n");
	fix_end(f);
	assert_err(f->rc, SP_ECLOSED);
	fix_free(f);
	f = begin("scp -f in/x");
	fix_start(f);
	end(f, 0); /* gone before the first answer */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_take_as),
	    cmocka_unit_test(test_take_tree),
	    cmocka_unit_test(test_take_errors),
	    cmocka_unit_test(test_take_refused),
	    cmocka_unit_test(test_take_target),
	    cmocka_unit_test(test_take_broken),
	    cmocka_unit_test(test_give),
	    cmocka_unit_test(test_give_tree),
	    cmocka_unit_test(test_give_many),
	    cmocka_unit_test(test_give_pattern),
	    cmocka_unit_test(test_give_errors),
	    cmocka_unit_test(test_give_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
