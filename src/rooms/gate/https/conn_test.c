/* The request loop with TLS and broker played: bytes in, bytes out, replies that wait in the
 * sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <cmocka.h>
#include "rooms/gate/https/door_fix.h"
#include "store/blob.h"
#include "sys/fd.h"

/* ---- cases as data ---- */

struct test_case {
	char name[128];
	char want[64];
	bool closed;
	uint8_t request[8192];
	size_t len;
};

static void
unescape(struct test_case *t, struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.ptr[i];

		if (c == '\\') {
			c = line.ptr[++i];
			c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? 0 : c;
			if (c == 'x') {
				assert_int_equal(
				    parse_hex(span_of(line.ptr + i + 1, 2), &c, 1), SP_OK);
				i += 2;
			}
		}
		assert_true(t->len < sizeof(t->request));
		t->request[t->len++] = c;
	}
}

/* The next case of a file; false at its end. */
static bool
next_case(struct span *in, struct test_case *t)
{
	bool inside = false;

	memset(t, 0, sizeof(*t));
	while (in->len != 0) {
		size_t n = span_find(*in, '\n');
		struct span line = span_cut(*in, n);

		*in = span_skip(*in, n + 1);
		if (!inside && span_starts(line, SPAN_LIT("case "))) {
			line = span_skip(line, 5);
			memcpy(t->name, line.ptr, line.len < 127 ? line.len : 127);
		} else if (span_starts(line, SPAN_LIT("want "))) {
			line = span_skip(line, 5);
			n = span_find(line, ' ');
			memcpy(t->want, line.ptr, n < 63 ? n : 63);
			t->closed = span_eq_str(span_skip(line, n + 1), "closed");
			inside = true;
		} else if (span_eq_str(line, "end")) {
			return true;
		} else if (inside) {
			unescape(t, line);
		}
	}
	return false;
}

/* Statuses of all replies in order, "404,405". */
static void
statuses(const struct fix *f, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	struct span s = span_of(f->tls.out, f->tls.out_len);

	for (; s.len > 12; s = span_skip(s, 1)) {
		if (!span_starts(s, SPAN_LIT("HTTP/1.1 ")) || s.ptr[12] != ' ')
			continue;
		if (t.len != 0)
			text_chr(&t, ',');
		text_add(&t, span_cut(span_skip(s, 9), 3));
	}
}

static void
run_case(const struct test_case *t, size_t step)
{
	struct fix f;
	char got[64];

	fix_init(&f, span_of(t->request, t->len), step);
	run(&f);
	statuses(&f, got, sizeof(got));
	if (strcmp(got, t->want) != 0 || f.waited == t->closed)
		fail_msg("%s, %zu bytes at a time: %s %s", t->name, step, got,
		    f.waited ? "open" : "closed");
	if (strcmp(t->want, "100") != 0)
		assert_null(strstr(out(&f), "HTTP/1.1 100"));
	fix_done(&f);
}

static void
run_file(const char *name)
{
	const char *folder = getenv("CONFORM");
	char path[512];
	struct text t = text_of(path, sizeof(path));
	DEFER(mem_freep) uint8_t *content = NULL;
	struct test_case one;
	struct span rest;
	size_t len, n = 0;
	int fd;

	assert_non_null(folder);
	text_fmt(&t, "%s/http/%s", folder, name);
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, 1 << 20, &content, &len), SP_OK);
	close_fd(&fd);
	rest = span_of(content, len);
	for (; next_case(&rest, &one); n++) {
		run_case(&one, 65536);
		run_case(&one, 1);
		run_case(&one, 7);
	}
	assert_true(n >= 20);
}

static void
test_smuggling(void **state)
{
	(void)state;
	run_file("smuggling.txt");
}

static void
test_requests(void **state)
{
	(void)state;
	run_file("requests.txt");
}

/* ---- handlers ---- */

static void
test_small_put(void **state)
{
	struct fix f;
	uint8_t buf[IPC_MAX], key[KEY_BYTES] = {7}, blob[16], plain[64];
	struct ipc_upload_small up = {.upload = 77, .limit = 5};
	struct ipc_entry e = file_entry(5);
	struct ipc_put put;
	struct ipc_commit commit;
	struct ipc_login_token login;
	size_t len = 0;

	(void)state;
	fix_init(&f,
	    SPAN_LIT("PUT " BYPATH " HTTP/1.1\r\n" AUTH
		     "User-Agent: t/1\r\nContent-Length: 5\r\n\r\nhello"),
	    9999);
	memset(up.blob.b, 3, sizeof(up.blob.b));
	memset(blob, 3, sizeof(blob));
	say_principal(&f);
	assert_int_equal(chan_send_upload_small(&f.broker, &up, -1), SP_OK);
	say_key(&f, 4, 5, true); /* left over from another request: skipped */
	say_key(&f, 3, 5, true);
	assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
	run(&f);
	assert_true(f.waited);
	assert_non_null(strstr(out(&f), "HTTP/1.1 201 Created\r\n"));
	assert_non_null(strstr(out(&f), "ETag: \"5-9\"\r\n"));
	assert_non_null(strstr(out(&f), "Location: /api/v1/files/by-path/Home/alice/x.bin\r\n"));
	assert_null(strstr(out(&f), "erver:"));
	assert_int_equal(ipc_get_login_token(asked(&f, buf).body, &login), SP_OK);
	assert_true(span_eq_str(login.token, "abc"));
	assert_int_equal(ipc_get_put(asked(&f, buf).body, &put), SP_OK);
	assert_int_equal(put.small, 1);
	assert_int_equal(put.size, 5);
	assert_true(span_eq_str(put.path, "/Home/alice/x.bin"));
	assert_int_equal(ipc_get_commit(asked(&f, buf).body, &commit), SP_OK);
	assert_int_equal(commit.upload, 77);
	assert_int_equal(
	    blob_inline_open(key, blob, commit.content, plain, sizeof(plain), &len), SP_OK);
	assert_true(span_eq_str(span_of(plain, len), "hello"));
	fix_done(&f);
}

static void
test_digest_mismatch_aborts(void **state)
{
	struct fix f;
	uint8_t buf[IPC_MAX];
	struct ipc_upload_small up = {.upload = 77, .limit = 5};
	struct ipc_done done = {0};
	struct chan_msg m;

	(void)state;
	fix_init(&f,
	    SPAN_LIT("PUT " BYPATH " HTTP/1.1\r\n" AUTH
		     "Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"
		     "Content-Length: 5\r\n\r\nhello"),
	    9999);
	say_principal(&f);
	assert_int_equal(chan_send_upload_small(&f.broker, &up, -1), SP_OK);
	say_key(&f, 0, 5, true);
	assert_int_equal(chan_send_done(&f.broker, &done, -1), SP_OK);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 400 "));
	assert_non_null(strstr(out(&f), "/problems/digest"));
	(void)asked(&f, buf);
	(void)asked(&f, buf);
	m = asked(&f, buf);
	assert_int_equal(m.id, IPC_ABORT);
	fix_done(&f);
}

/* FAILED may come behind the reply, when ledger or vault refuse the key. */
static void
test_refused_release(void **state)
{
	struct fix f;
	uint8_t blob[16] = {0};
	struct ipc_file_inline m = {0};
	struct ipc_entry e = file_entry(5);
	uint8_t ct[256], key[KEY_BYTES] = {7};
	size_t len = 0;

	(void)state;
	fix_init(&f, SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	assert_int_equal(
	    blob_inline_seal(key, blob, SPAN_LIT("hello"), ct, sizeof(ct), &len), SP_OK);
	m.content = span_of(ct, len);
#define F(type, name, max) m.name = e.name;
	IPC_ENTRY(F)
#undef F
	say_principal(&f);
	assert_int_equal(chan_send_file_inline(&f.broker, &m, -1), SP_OK);
	say_failed(&f, SP_EBUDGET, 60);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 429 "));
	assert_non_null(strstr(out(&f), "Retry-After: 60\r\n"));
	assert_null(strstr(out(&f), "hello"));
	assert_true(f.waited);
	fix_done(&f);
}

static void
inline_reply(struct fix *f, uint64_t wrapped)
{
	uint8_t blob[16] = {0}, ct[256], key[KEY_BYTES] = {7};
	struct ipc_file_inline m = {0};
	struct ipc_entry e = file_entry(10);
	size_t len = 0;

	assert_int_equal(
	    blob_inline_seal(key, blob, SPAN_LIT("0123456789"), ct, sizeof(ct), &len), SP_OK);
	m.content = span_of(ct, len);
#define F(type, name, max) m.name = e.name;
	IPC_ENTRY(F)
#undef F
	assert_int_equal(chan_send_file_inline(&f->broker, &m, -1), SP_OK);
	say_key(f, 0, wrapped, false);
}

static void
test_small_get_and_ranges(void **state)
{
	struct fix f;
	struct ipc_entry e = file_entry(10);

	(void)state;
	fix_init(&f,
	    SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"
		     "GET " BYPATH " HTTP/1.1\r\n" AUTH "Range: bytes=2-4\r\n\r\n"
		     "GET " BYPATH " HTTP/1.1\r\n" AUTH "Range: bytes=0-1,-1\r\n\r\n"
		     "GET " BYPATH " HTTP/1.1\r\n" AUTH "Range: bytes=10-\r\n\r\n"
		     "GET " BYPATH " HTTP/1.1\r\n" AUTH "If-None-Match: \"5-9\"\r\n\r\n"
		     "HEAD " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"),
	    9999);
	say_principal(&f); /* once: the token is the same */
	inline_reply(&f, 10);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
		inline_reply(&f, 10);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
	run(&f);
	assert_true(f.waited);
	assert_non_null(strstr(out(&f), "Content-Disposition: attachment; filename=\"x.bin\"\r\n"));
	assert_non_null(strstr(out(&f), "\r\n\r\n0123456789HTTP/1.1 206 "));
	assert_non_null(strstr(out(&f), "Content-Range: bytes 2-4/10\r\n"));
	assert_non_null(strstr(out(&f), "\r\n\r\n234HTTP/1.1 206 "));
	assert_non_null(strstr(out(&f), "Content-Range: bytes 9-9/10\r\n\r\n9\r\n--"));
	assert_non_null(strstr(out(&f), "HTTP/1.1 416 "));
	assert_non_null(strstr(out(&f), "Content-Range: bytes */10\r\n"));
	assert_non_null(strstr(out(&f), "HTTP/1.1 304 "));
	assert_true(f.tls.out_len > 4 && memcmp(out(&f) + f.tls.out_len - 4, "\r\n\r\n", 4) == 0);
	fix_done(&f);
}

static void
test_lengths_that_contradict(void **state)
{
	struct fix f;
	struct ipc_done done = {0};

	(void)state;
	fix_init(&f, SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	say_principal(&f);
	inline_reply(&f, 11);
	assert_int_equal(chan_send_done(&f.broker, &done, -1), SP_OK);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 500 "));
	assert_null(strstr(out(&f), "0123456789"));
	fix_done(&f);
}

static void
test_another_principal(void **state)
{
	struct fix f;

	(void)state;
	fix_init(&f,
	    SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	    9999);
	say_failed(&f, SP_EMISDIRECT, 0);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 421 "));
	assert_null(strstr(out(&f), "HTTP/1.1 404 "));
	assert_false(f.waited);
	fix_done(&f);
}

static void
test_broker_gone(void **state)
{
	struct fix f;

	(void)state;
	fix_init(&f,
	    SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	    9999);
	chan_close(&f.broker);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 503 "));
	assert_false(f.waited);
	fix_done(&f);
}

static void
test_continue_after_the_rights(void **state)
{
	struct fix f;
	struct ipc_upload_small up = {.upload = 77, .limit = 5};
	struct ipc_entry e = file_entry(5);

	(void)state;
	fix_init(&f,
	    SPAN_LIT("PUT " BYPATH " HTTP/1.1\r\n" AUTH
		     "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"),
	    1);
	say_principal(&f);
	assert_int_equal(chan_send_upload_small(&f.broker, &up, -1), SP_OK);
	say_key(&f, 0, 5, true);
	assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
	run(&f);
	assert_memory_equal(out(&f), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ", 38);
	fix_done(&f);
}

#define PART "--b\r\nContent-Disposition: form-data; name="
static void
test_multipart(void **state)
{
	static const char body[] =
	    PART "hashtype\r\n\r\nSHA-1\r\n" PART
		 "hash\r\n\r\nAAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D\r\n" PART
		 "comments\r\n\r\nquarter\r\n" PART "\"file\"; filename=\"=?utf-8?B?x?=\"; "
		 "filename*=utf-8''x%5C%C3%BC.bin\r\n\r\nhello\r\n--b--\r\n";
	char request[2048];
	struct text t = text_of(request, sizeof(request));
	struct ipc_upload_small up = {.upload = 77, .limit = 5};
	struct ipc_entry e = file_entry(5), folder = file_entry(0);
	struct ipc_put put;
	struct ipc_commit commit;
	uint8_t buf[IPC_MAX];
	struct fix f;

	(void)state;
	folder.kind = 0;
	text_fmt(&t,
	    "POST /api/v1/folders/3/files HTTP/1.1\r\n" AUTH
	    "Content-Type: multipart/form-data; boundary=\"b\"\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof(body) - 1, body);
	fix_init(&f, text_span(&t), 13);
	say_principal(&f);
	assert_int_equal(chan_send_entry(&f.broker, &folder, -1), SP_OK);
	assert_int_equal(chan_send_upload_small(&f.broker, &up, -1), SP_OK);
	say_key(&f, 0, 5, true);
	assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
	run(&f);
	assert_non_null(strstr(out(&f), "HTTP/1.1 201 "));
	assert_non_null(strstr(out(&f), "\"id\":\"5\""));
	(void)asked(&f, buf);
	(void)asked(&f, buf);
	assert_int_equal(ipc_get_put(asked(&f, buf).body, &put), SP_OK);
	assert_true(span_eq_str(put.name, "\xc3\xbc.bin"));
	assert_int_equal(put.size, 5);
	assert_int_equal(ipc_get_commit(asked(&f, buf).body, &commit), SP_OK);
	assert_int_equal(commit.checked, 1);
	assert_true(span_eq_str(commit.comment, "quarter"));
	fix_done(&f);
}

/* The same in chunks: the connection persists, and a broken end is a broken request. */
static void
multipart_chunked(struct fix *f, const char *end)
{
	static const char body[] = PART "file; filename=x.bin\r\n\r\nhello\r\n--b--\r\n";
	static char request[2048];
	struct text t = text_of(request, sizeof(request));
	struct ipc_upload up = {.upload = 77, .limit = 5000, .segment = 65536};
	struct ipc_entry e = file_entry(5), folder = file_entry(0);
	struct ipc_done done = {0};
	int fd = file_open_at(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600);

	assert_true(fd >= 0);
	folder.kind = 0;
	text_fmt(&t,
	    "POST /api/v1/folders/3/files HTTP/1.1\r\n" AUTH
	    "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "%zx\r\n%s\r\n%s",
	    sizeof(body) - 1, body, end);
	fix_init(f, text_span(&t), 13);
	say_principal(f);
	assert_int_equal(chan_send_entry(&f->broker, &folder, -1), SP_OK);
	assert_int_equal(chan_send_upload(&f->broker, &up, fd), SP_OK);
	say_key(f, 0, 5000, true);
	if (end[0] == '0')
		assert_int_equal(chan_send_entry(&f->broker, &e, -1), SP_OK);
	else
		assert_int_equal(chan_send_done(&f->broker, &done, -1), SP_OK);
	run(f);
}

static void
test_multipart_in_chunks(void **state)
{
	uint8_t buf[IPC_MAX];
	struct fix f;

	(void)state;
	multipart_chunked(&f, "0\r\n\r\n");
	assert_non_null(strstr(out(&f), "HTTP/1.1 201 "));
	assert_null(strstr(out(&f), "Connection: close"));
	assert_true(f.waited);
	fix_done(&f);
	multipart_chunked(&f, "x\r\n\r\n");
	assert_non_null(strstr(out(&f), "HTTP/1.1 400 "));
	assert_false(f.waited);
	for (int i = 0; i < 3; i++)
		(void)asked(&f, buf);
	assert_int_equal(asked(&f, buf).id, IPC_ABORT);
	fix_done(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_smuggling),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_small_put),
	    cmocka_unit_test(test_digest_mismatch_aborts),
	    cmocka_unit_test(test_refused_release),
	    cmocka_unit_test(test_small_get_and_ranges),
	    cmocka_unit_test(test_lengths_that_contradict),
	    cmocka_unit_test(test_another_principal),
	    cmocka_unit_test(test_broker_gone),
	    cmocka_unit_test(test_continue_after_the_rights),
	    cmocka_unit_test(test_multipart),
	    cmocka_unit_test(test_multipart_in_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
