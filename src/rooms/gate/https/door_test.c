/* Content that is longer than a buffer: lists in pieces, blobs in and out, and how they go wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <cmocka.h>
#include "crypto/wrap.h"
#include "rooms/gate/https/door_fix.h"
#include "store/blob.h"
#include "sys/fd.h"

#define SEGMENT 65536u
#define LONG 200000u /* bytes of a file of several segments */

/* A file of the test's own, without a name. */
static int
scratch(void)
{
	int fd = file_open_at(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600);

	assert_true(fd >= 0);
	return fd;
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

/* ---- lists ---- */

static uint32_t
rows(uint8_t *buf, size_t cap, uint64_t first, uint32_t n, size_t *ret_len)
{
	struct wr w = wr_of(buf, cap);
	char path[2001];
	uint32_t k = 0;

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	for (; k < n && w.len + 4000 < cap; k++) {
		struct ipc_entry_rec e = {
		    .kind = 1, .id = first + k, .size = 1, .name = SPAN_LIT("n\"\\")};

		e.path = span_of(path, 2000);
		e.owner_name = e.owner_full_name = e.comment = e.upload_address = e.upload_agent =
		    SPAN_LIT("");
		assert_int_equal(ipc_put_entry_rec(&w, &e), SP_OK);
	}
	*ret_len = w.len;
	return k;
}

static void
test_long_list(void **state)
{
	static uint8_t buf[61440], msg[IPC_MAX];
	struct ipc_list asked_for;
	struct fix f;
	uint64_t at = 0;
	size_t n_messages = 0, len, chunks = 0;

	(void)state;
	fix_init(&f,
	    SPAN_LIT(
		"GET /api/v1/folders/3/files?perPage=60&sortField=size&sortDirection=Descending "
		"HTTP/1.1\r\n" AUTH "\r\n"),
	    9999);
	say_principal(&f);
	for (; at < 60; n_messages++) {
		struct ipc_entries m = {.total = 100};

		m.count = rows(buf, sizeof(buf), at + 1, (uint32_t)(60 - at), &len);
		m.rows = span_of(buf, len);
		assert_int_equal(chan_send_entries(&f.broker, &m, -1), SP_OK);
		at += m.count;
	}
	assert_true(n_messages >= 3);
	run(&f);
	assert_true(f.waited);
	assert_non_null(strstr(out(&f), "Transfer-Encoding: chunked\r\n"));
	assert_null(strstr(out(&f), "Content-Length"));
	assert_non_null(strstr(out(&f), "\"id\":\"60\""));
	assert_non_null(strstr(
	    out(&f), "\"paging\":{\"page\":1,\"perPage\":60,\"totalItems\":100,\"totalPages\":2}"));
	assert_non_null(strstr(out(&f), "\"sortField\":\"size\",\"sortDirection\":\"desc\""));
	assert_memory_equal(out(&f) + f.tls.out_len - 7, "\r\n0\r\n\r\n", 7);
	(void)asked(&f, msg);
	for (at = 0; chunks < n_messages; chunks++) {
		assert_int_equal(ipc_get_list(asked(&f, msg).body, &asked_for), SP_OK);
		assert_int_equal(asked_for.descending, 1);
		assert_int_equal(asked_for.sort, SORT_SIZE);
		assert_true(asked_for.offset >= at);
		at = asked_for.offset;
	}
	fix_done(&f);
}

/* HEAD of a folder: the rows are made and thrown away, however many they are. */
static void
test_head_of_a_long_list(void **state)
{
	static uint8_t buf[61440];
	struct fix f;
	uint64_t at = 0;
	size_t len;

	(void)state;
	fix_init(
	    &f, SPAN_LIT("HEAD /api/v1/files/by-path/?perPage=60 HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	say_principal(&f);
	while (at < 60) {
		struct ipc_entries m = {.total = 60};

		m.count = rows(buf, sizeof(buf), at + 1, (uint32_t)(60 - at), &len);
		m.rows = span_of(buf, len);
		assert_int_equal(chan_send_entries(&f.broker, &m, -1), SP_OK);
		at += m.count;
	}
	run(&f);
	assert_true(f.waited);
	assert_non_null(strstr(out(&f), "HTTP/1.1 200 OK\r\n"));
	assert_memory_equal(out(&f) + f.tls.out_len - 4, "\r\n\r\n", 4);
	assert_null(strstr(out(&f), "items"));
	fix_done(&f);
}

static void
test_list_broken_in_the_middle(void **state)
{
	static uint8_t buf[61440];
	struct fix f;
	struct ipc_entries m = {.total = 100};
	size_t len;

	(void)state;
	fix_init(
	    &f, SPAN_LIT("GET /api/v1/folders/3/files?perPage=60 HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	say_principal(&f);
	m.count = rows(buf, sizeof(buf), 1, 60, &len);
	m.rows = span_of(buf, len);
	assert_int_equal(chan_send_entries(&f.broker, &m, -1), SP_OK);
	say_failed(&f, SP_EPERM, 0);
	run(&f);
	assert_false(f.waited); /* cut: the last chunk is missing, and so is close_notify */
	assert_false(f.tls.ended);
	assert_null(strstr(out(&f), "\r\n0\r\n\r\n"));
	assert_null(strstr(out(&f), "problems"));
	fix_done(&f);
}

/* ---- storing ---- */

static void
say_upload(struct fix *f, int fd, uint64_t limit)
{
	struct ipc_upload up = {.upload = 77, .limit = limit, .segment = SEGMENT};

	assert_int_equal(chan_send_upload(&f->broker, &up, fd), SP_OK);
	say_key(f, 0, limit, true);
}

/* A chunked PUT of LONG bytes in pieces of 1000. */
static size_t
chunked_put(char *buf, size_t cap, const char *fields)
{
	struct text t = text_of(buf, cap);

	text_fmt(
	    &t, "PUT " BYPATH " HTTP/1.1\r\n" AUTH "%sTransfer-Encoding: chunked\r\n\r\n", fields);
	for (size_t i = 0; i < LONG; i++) {
		if (i % 1000 == 0)
			text_str(&t, i == 0 ? "3e8\r\n" : "\r\n3E8;x\r\n");
		text_chr(&t, (char)byte_at(i));
	}
	text_str(&t, "\r\n0\r\n\r\n");
	assert_false(t.bad);
	return t.len;
}

static void
check_stored(int fd, const struct ipc_commit *m)
{
	uint8_t key[KEY_BYTES] = {7}, blob[16] = {0}, proof[32];
	struct blob_reader *r = NULL;
	struct span s;

	assert_int_equal(m->size, LONG);
	assert_int_equal(seal_proof(key, blob, LONG, proof), SP_OK);
	assert_memory_equal(proof, m->proof.b, 32);
	assert_int_equal(blob_reader_new(fd, key, blob, SEGMENT, LONG, &r), SP_OK);
	for (uint64_t at = 0; at < LONG; at += s.len) {
		assert_int_equal(blob_reader_at(r, at, &s), SP_OK);
		for (size_t i = 0; i < s.len; i++)
			assert_int_equal(s.ptr[i], byte_at(at + i));
	}
	blob_reader_free(r);
}

static void
test_chunked_put(void **state)
{
	static char request[LONG + 10000];
	static const size_t steps[] = {1, 999, 16384, 1u << 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct fix f;
		struct ipc_entry e = file_entry(LONG);
		struct ipc_put put;
		struct ipc_commit commit;
		uint8_t msg[IPC_MAX];
		DEFER(close_fd) int fd = scratch();

		fix_init(&f, span_of(request, chunked_put(request, sizeof(request), "")), steps[i]);
		say_principal(&f);
		say_upload(&f, fd, 1u << 30);
		e.created = 0;
		assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
		run(&f);
		assert_true(f.waited);
		assert_memory_equal(out(&f), "HTTP/1.1 204 ", 13);
		(void)asked(&f, msg);
		assert_int_equal(ipc_get_put(asked(&f, msg).body, &put), SP_OK);
		assert_true(put.size == UINT64_MAX && put.small == 0);
		assert_int_equal(ipc_get_commit(asked(&f, msg).body, &commit), SP_OK);
		check_stored(fd, &commit);
		fix_done(&f);
	}
}

/* The bytes end too early, the chunks are broken, or the limit is reached: ABORT, and never COMMIT.
 */
static void
test_put_that_fails(void **state)
{
	static char request[LONG + 10000];
	static const struct {
		size_t drop;  /* bytes of the request's end */
		size_t spoil; /* this byte from the end is changed */
		uint64_t limit;
		const char *status;
	} rows_[] = {{100, 0, 1u << 30, "408"}, {0, 7, 1u << 30, "400"}, {0, 0, LONG - 1, "507"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
		struct fix f;
		struct ipc_done done = {0};
		uint8_t msg[IPC_MAX];
		DEFER(close_fd) int fd = scratch();
		size_t len = chunked_put(request, sizeof(request), "");

		if (rows_[i].spoil != 0)
			request[len - rows_[i].spoil] = 'X';
		fix_init(&f, span_of(request, len - rows_[i].drop), 4096);
		say_principal(&f);
		say_upload(&f, fd, rows_[i].limit);
		assert_int_equal(chan_send_done(&f.broker, &done, -1), SP_OK);
		run(&f);
		if (memcmp(out(&f) + 9, rows_[i].status, 3) != 0)
			fail_msg("row %zu: %.13s", i, out(&f));
		assert_non_null(strstr(out(&f), "Connection: close\r\n"));
		assert_false(f.waited);
		(void)asked(&f, msg);
		(void)asked(&f, msg);
		assert_int_equal(asked(&f, msg).id, IPC_ABORT);
		fix_done(&f);
	}
}

/* ---- reading ---- */

static void
write_blob(int fd)
{
	uint8_t key[KEY_BYTES] = {7}, blob[16] = {0}, sha[32], proof[32];
	struct blob_writer *w = NULL;
	uint64_t size;
	uint32_t crc;

	assert_int_equal(blob_writer_new(fd, key, blob, SEGMENT, LONG, true, &w), SP_OK);
	for (size_t i = 0; i < LONG;) {
		size_t n;
		uint8_t *room = blob_writer_room(w, &n);

		n = n < LONG - i ? n : LONG - i;
		for (size_t k = 0; k < n; k++)
			room[k] = byte_at(i + k);
		assert_int_equal(blob_writer_fill(w, n), SP_OK);
		i += n;
	}
	assert_int_equal(blob_writer_finish(w, &size, sha, &crc, proof), SP_OK);
	blob_writer_free(w);
}

static void
say_file(struct fix *f, int fd)
{
	struct ipc_entry e = file_entry(LONG);
	struct ipc_file_open m = {.length = LONG, .blob_length = LONG, .segment = SEGMENT};

#define F(type, name, max) m.name = e.name;
	IPC_ENTRY(F)
#undef F
	assert_int_equal(chan_send_file_open(&f->broker, &m, fd), SP_OK);
	say_key(f, 0, LONG, false);
}

/* Spoil the segment that holds this plaintext byte. */
static void
spoil(int fd, size_t at)
{
	int64_t offset = 74 + (int64_t)(at / (SEGMENT - 32)) * SEGMENT + 40;
	uint8_t byte;

	assert_int_equal(file_pread(fd, &byte, 1, offset), 1);
	byte ^= 1;
	assert_int_equal(file_pwrite(fd, &byte, 1, offset), SP_OK);
}

static void
test_get_of_a_blob(void **state)
{
	struct fix f;
	const char *body;
	DEFER(close_fd) int fd = scratch();

	(void)state;
	write_blob(fd);
	fix_init(&f, SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	say_principal(&f);
	say_file(&f, fd);
	run(&f);
	assert_true(f.waited);
	body = strstr(out(&f), "\r\n\r\n") + 4;
	assert_int_equal(f.tls.out + f.tls.out_len - (const uint8_t *)body, LONG);
	for (size_t i = 0; i < LONG; i++)
		assert_int_equal((uint8_t)body[i], byte_at(i));
	fix_done(&f);
}

static void
test_damage_cuts_and_is_told(void **state)
{
	struct fix f;
	struct ipc_done done = {0};
	struct ipc_damaged told;
	const char *body;
	uint8_t msg[IPC_MAX];
	size_t n;
	DEFER(close_fd) int fd = scratch();

	(void)state;
	write_blob(fd);
	spoil(fd, 150000);
	fix_init(&f, SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "\r\n"), 9999);
	say_principal(&f);
	say_file(&f, fd);
	assert_int_equal(chan_send_done(&f.broker, &done, -1), SP_OK);
	run(&f);
	assert_false(f.waited);
	assert_false(f.tls.ended); /* no close_notify: never a false end */
	body = strstr(out(&f), "\r\n\r\n") + 4;
	n = (size_t)(f.tls.out + f.tls.out_len - (const uint8_t *)body);
	assert_int_equal(n, 2 * (SEGMENT - 32)); /* the good segments, and nothing of the bad one */
	for (size_t i = 0; i < n; i++)
		assert_int_equal((uint8_t)body[i], byte_at(i));
	(void)asked(&f, msg);
	(void)asked(&f, msg);
	assert_int_equal(ipc_get_damaged(asked(&f, msg).body, &told), SP_OK);
	assert_int_equal(told.file, 5);
	assert_int_equal(told.version, 9);
	assert_int_equal(told.offset, n);
	fix_done(&f);
}

static void
test_range_beside_the_damage(void **state)
{
	struct fix f;
	struct ipc_entry e = file_entry(LONG);
	struct ipc_done done = {0};
	DEFER(close_fd) int fd = scratch();

	(void)state;
	write_blob(fd);
	spoil(fd, 150000);
	fix_init(&f,
	    SPAN_LIT("GET " BYPATH " HTTP/1.1\r\n" AUTH "Range: bytes=199998-\r\n\r\n"
		     "GET " BYPATH " HTTP/1.1\r\n" AUTH "Range: bytes=150000-150001\r\n\r\n"),
	    9999);
	say_principal(&f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(chan_send_entry(&f.broker, &e, -1), SP_OK);
		say_file(&f, fd);
	}
	assert_int_equal(chan_send_done(&f.broker, &done, -1), SP_OK);
	run(&f);
	assert_non_null(strstr(out(&f), "Content-Range: bytes 199998-199999/200000\r\n"));
	assert_non_null(strstr(
	    out(&f), "HTTP/1.1 500 ")); /* before anything was sent: an error that says where */
	assert_non_null(strstr(out(&f), "near byte 150000"));
	assert_true(f.waited);
	fix_done(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_long_list),
	    cmocka_unit_test(test_head_of_a_long_list),
	    cmocka_unit_test(test_list_broken_in_the_middle),
	    cmocka_unit_test(test_chunked_put),
	    cmocka_unit_test(test_put_that_fails),
	    cmocka_unit_test(test_get_of_a_blob),
	    cmocka_unit_test(test_damage_cuts_and_is_told),
	    cmocka_unit_test(test_range_beside_the_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
