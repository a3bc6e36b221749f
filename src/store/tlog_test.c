/* tlog_test.c - the audit log in a real folder: appended, flushed, reopened, verified, tampered
 * with. */
#include "base/test.h"
#include "store/tlog_append.h"
#include "store/tlog_json.h"
#include "store/tlog_page.h"
#include "store/tlog_state.h"
#include "sys/fd.h"
#include "sys/operator.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define ORIGIN "test.example/log"
static const uint8_t seed[32] = "0123456789abcdef0123456789abcde";

struct place {
	char path[64];
	int dirfd;
	struct tlog_fs fs;
	struct tlog_key key;
};

static int
setup(void **state)
{
	struct place *p = mem_alloc(sizeof(*p));

	if (p == NULL)
		return -1;
	(void)snprintf(p->path, sizeof(p->path), "/tmp/tlog-test-XXXXXX");
	if (mkdtemp(p->path) == NULL)
		return -1;
	p->dirfd = file_open_at(AT_FDCWD, p->path, O_PATH | O_DIRECTORY, 0);
	p->fs = tlog_fs_of(&p->dirfd);
	(void)snprintf(p->key.name, sizeof(p->key.name), "%s", ORIGIN);
	*state = p;
	return p->dirfd >= 0 && ed25519_public(seed, p->key.public_key) == SP_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	close_fd(&p->dirfd);
	if (op_remove_tree(p->path) != SP_OK)
		return -1;
	mem_free(p);
	return 0;
}

static struct tlog_writer *
open_writer(struct place *p, struct tlog_report *r)
{
	struct tlog_writer *w = NULL;
	char why[256] = "";
	int err = tlog_writer_open(&p->fs, ORIGIN, seed, &w, r, why, sizeof(why));

	if (err != SP_OK)
		fail_msg("%s: %s", sp_err_row(err)->name, why);
	return w;
}

static void
add(struct tlog_writer *w, size_t extra)
{
	static char buf[70000];
	int n = snprintf(buf, sizeof(buf), "{\"n\":%llu,\"pad\":\"%0*d\"}",
	    (unsigned long long)tlog_next(w), (int)extra + 1, 7);

	assert_err(tlog_add(w, span_of(buf, (size_t)n), false), SP_OK);
}

/* n entries in groups of `group`, flushed every `every` entries (0: never). */
static void
fill(struct tlog_writer *w, unsigned n, unsigned group, unsigned every)
{
	for (unsigned i = 1; i <= n; i++) {
		add(w, i % 50);
		if (i % group == 0 || i == n)
			assert_err(tlog_commit(w), SP_OK);
		if (every != 0 && i % every == 0) {
			assert_err(tlog_commit(w), SP_OK);
			assert_err(tlog_flush_all(w), SP_OK);
		}
	}
}

static int
verify(struct place *p, uint64_t old_size, const struct hash *old_root, uint64_t expect_end,
    char *why, size_t cap)
{
	struct tlog *t = NULL;
	int err = tlog_open(&p->fs, &p->key, &t, why, cap);

	if (err == SP_OK) {
		if (expect_end != UINT64_MAX)
			assert_int_equal(tlog_end(t), expect_end);
		err = tlog_verify(t, old_size, old_root, why, cap);
	}
	tlog_free(t);
	return err;
}

static void
assert_good(struct place *p, uint64_t end)
{
	char why[256] = "";
	int err = verify(p, 0, NULL, end, why, sizeof(why));

	if (err != SP_OK)
		fail_msg("%s: %s", sp_err_row(err)->name, why);
}

static void
test_create(void **state)
{
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);

	assert_true(r.created);
	assert_false(r.torn);
	assert_good(p, 0);
	fill(w, 3, 2, 0);
	assert_good(p, 3); /* in the wal alone */
	assert_err(tlog_flush_all(w), SP_OK);
	assert_good(p, 3);
	tlog_writer_free(w);
	w = open_writer(p, &r);
	assert_false(r.created);
	assert_int_equal(tlog_durable(w), 3);
	tlog_writer_free(w);
}

/* Sizes around the edges of tiles, flushed at odd places, reopened without a flush each time. */
static void
test_sizes(void **state)
{
	static const unsigned steps[] = {1, 254, 1, 1, 255, 1, 256, 300, 1000, 2};
	struct place *p = *state;
	uint64_t total = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct tlog_report r = {0};
		struct tlog_writer *w = open_writer(p, &r);
		struct hash before, after;

		assert_int_equal(tlog_durable(w), total);
		fill(w, steps[i], 7, i % 2 == 0 ? 100 : 0);
		total += steps[i];
		assert_good(p, total);
		assert_err(tlog_writer_root(w, &before), SP_OK);
		tlog_writer_free(w);
		w = open_writer(p, &r);
		assert_int_equal(tlog_durable(w), total);
		assert_false(r.torn);
		assert_err(tlog_writer_root(w, &after), SP_OK);
		assert_memory_equal(&before, &after, sizeof(before));
		tlog_writer_free(w);
	}
}

/* More than 65,536 entries: three levels; the wal's zones change often; large entries too. */
static void
test_levels(void **state)
{
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);
	struct tlog *t = NULL;
	struct hash root, leaf, proof[64];
	size_t n = 0;
	char why[256];
	struct span e;

	fill(w, 70000, 500, 0);
	for (unsigned i = 0; i < 300; i++) {
		add(w, 60000);
		assert_err(tlog_commit(w), SP_OK);
	}
	assert_err(tlog_flush_all(w), SP_OK);
	assert_good(p, 70300);
	assert_err(tlog_open(&p->fs, &p->key, &t, why, sizeof(why)), SP_OK);
	tlog_root(t, &root);
	for (uint64_t i = 0; i < 70300; i += 997) {
		assert_err(tlog_entry(t, i, &e), SP_OK);
		assert_err(merkle_leaf(e, &leaf), SP_OK);
		assert_err(inclusion_proof(i, 70300, tlog_hash, t, proof, &n), SP_OK);
		assert_err(inclusion_check(i, 70300, &leaf, proof, n, &root), SP_OK);
	}
	assert_err(tlog_entry(t, 70300, &e), SP_ERANGE);
	assert_err(tlog_hash(t, 0, 70300, &leaf), SP_ERANGE);
	assert_err(tlog_hash(t, 17, 0, &leaf), SP_ERANGE);
	tlog_free(t);
	tlog_writer_free(w);
}

/* A checkpoint kept elsewhere: the same log later, another log, a shorter log. */
static void
test_old_checkpoint(void **state)
{
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);
	struct hash root[3];
	char why[256] = "";

	fill(w, 300, 3, 0);
	assert_err(tlog_writer_root(w, &root[0]), SP_OK);
	fill(w, 300, 3, 0);
	assert_err(tlog_writer_root(w, &root[1]), SP_OK);
	assert_err(tlog_flush_all(w), SP_OK);
	assert_err(verify(p, 300, &root[0], 600, why, sizeof(why)), SP_OK);
	assert_err(verify(p, 600, &root[1], 600, why, sizeof(why)), SP_OK);
	assert_err(verify(p, 299, &root[0], 600, why, sizeof(why)), SP_EVERIFY);
	assert_non_null(strstr(why, "rewritten"));
	assert_err(verify(p, 601, &root[1], 600, why, sizeof(why)), SP_EVERIFY);
	assert_non_null(strstr(why, "fewer"));
	tlog_writer_free(w);
}

static void
flip(struct place *p, const char *path, int64_t offset, uint8_t bit)
{
	int fd = file_open_at(p->dirfd, path, O_RDWR, 0);
	uint8_t b = 0;

	assert_true(fd >= 0);
	assert_int_equal(file_pread(fd, &b, 1, offset), 1);
	b ^= bit;
	assert_err(file_pwrite(fd, &b, 1, offset), SP_OK);
	close_fd(&fd);
}

/* One changed byte in any file is named; a start on top of it is refused where the start can see
 * it. */
static void
test_tamper(void **state)
{
	static const struct {
		const char *path;
		int64_t offset;
		const char *word;
	} cases[] = {
	    {"tile/entries/000", 30, "entry "},
	    {"tile/entries/001", 700, "entry "},
	    {"tile/entries/001", 0, "ledger/tile/entries/001"},
	    {"tile/0/000", 40, "tile/0/000"},
	    {"tile/0/002.p/88", 100, "checkpoint"},
	    {"tile/1/000.p/2", 33, "checkpoint"},
	    {"checkpoint", 20, "checkpoint"},
	    {"checkpoint", 30, "checkpoint"},
	    {"checkpoint", 120, "checkpoint"},
	    {"tile/entries/002.p/88", 40, "entry "},
	};
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);

	fill(w, 600, 9, 0);
	assert_err(tlog_flush_all(w), SP_OK);
	tlog_writer_free(w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[256] = "";

		flip(p, cases[i].path, cases[i].offset, 1);
		assert_int_not_equal(verify(p, 0, NULL, UINT64_MAX, why, sizeof(why)), SP_OK);
		if (strstr(why, cases[i].word) == NULL)
			fail_msg("%s at %d: %s", cases[i].path, (int)cases[i].offset, why);
		flip(p, cases[i].path, cases[i].offset, 1);
	}
	assert_good(p, 600);
}

static void
test_missing(void **state)
{
	static const char *const files[] = {
	    "tile/entries/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "checkpoint"};
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);

	fill(w, 600, 9, 0);
	assert_err(tlog_flush_all(w), SP_OK);
	tlog_writer_free(w);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char why[256] = "";

		assert_err(file_rename_at(p->dirfd, files[i], "away"), SP_OK);
		assert_int_not_equal(verify(p, 0, NULL, UINT64_MAX, why, sizeof(why)), SP_OK);
		assert_non_null(strstr(why, files[i]));
		if (i >= 2) { /* the right edge and the checkpoint: a start sees it and changes
				 nothing */
			w = NULL;
			assert_int_not_equal(
			    tlog_writer_open(&p->fs, ORIGIN, seed, &w, &r, why, sizeof(why)),
			    SP_OK);
			assert_null(w);
			assert_non_null(strstr(why, files[i]));
		}
		assert_err(file_rename_at(p->dirfd, "away", files[i]), SP_OK);
	}
	assert_good(p, 600);
	/* without its wal the log is whole up to its checkpoint */
	assert_err(file_remove_at(p->dirfd, "wal"), SP_OK);
	assert_good(p, 600);
	w = open_writer(p, &r);
	assert_true(r.wal_missing);
	tlog_writer_free(w);
}

static void
test_other_key(void **state)
{
	static const uint8_t other[32] = "another";
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);
	char why[256] = "";

	fill(w, 5, 5, 5);
	tlog_writer_free(w);
	w = NULL;
	assert_err(tlog_writer_open(&p->fs, ORIGIN, other, &w, &r, why, sizeof(why)), SP_EVERIFY);
	assert_non_null(strstr(why, "signature"));
	assert_err(
	    tlog_writer_open(&p->fs, "other.name", seed, &w, &r, why, sizeof(why)), SP_EVERIFY);
	assert_good(p, 5);
}

static void
test_refusals(void **state)
{
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);
	static uint8_t big[70000];

	memset(big, 'x', sizeof(big));
	assert_err(tlog_add(w, span_of(big, 0), false), SP_ERANGE);
	assert_err(tlog_add(w, span_of(big, 65536), false), SP_ERANGE);
	for (unsigned i = 0; i < 15; i++)
		assert_err(tlog_add(w, span_of(big, 65535), false), SP_OK);
	assert_err(tlog_add(w, span_of(big, 65535), false), SP_EFULL);
	assert_int_equal(tlog_durable(w), 0);
	assert_err(tlog_commit(w), SP_OK);
	assert_int_equal(tlog_durable(w), 15);
	tlog_writer_free(w);
}

static void
test_key(void **state)
{
	struct place *p = *state;
	struct tlog_key key;
	char line[256];
	struct text t = text_of(line, sizeof(line));
	uint8_t raw[33] = {1};
	uint32_t id = 0;

	memcpy(raw + 1, p->key.public_key, 32);
	assert_err(note_key_id(ORIGIN, p->key.public_key, &id), SP_OK);
	text_fmt(&t, "%s+%08x+", ORIGIN, id);
	base64_put(&t, span_of(raw, sizeof(raw)));
	text_chr(&t, '\n');
	assert_err(tlog_key_parse(text_span(&t), &key), SP_OK);
	assert_string_equal(key.name, ORIGIN);
	assert_memory_equal(key.public_key, p->key.public_key, 32);
	for (size_t n = 0; n + 2 < t.len; n++)
		assert_int_not_equal(tlog_key_parse(span_of(line, n), &key), SP_OK);
	line[sizeof(ORIGIN) + 3] ^= 1; /* the key id */
	assert_int_not_equal(tlog_key_parse(text_span(&t), &key), SP_OK);
}

static void
test_json(void **state)
{
	static const char text[] = "{\"n\":12,\"a\":\"x\\\"}\\u00e9\\ud83d\\ude00\",\"o\":{\"k\":["
				   "1,{\"n\":3}],\"s\":\"}\"},\"b\":true}";
	struct span all = span_of(text, sizeof(text) - 1), v, k;
	char buf[64];
	size_t n = 0;
	uint64_t u = 0;

	(void)state;
	assert_err(tlog_json_get(all, "n", &v), SP_OK);
	assert_err(tlog_json_u64(v, &u), SP_OK);
	assert_int_equal(u, 12);
	assert_err(tlog_json_get(all, "a", &v), SP_OK);
	assert_err(tlog_json_str(v, buf, sizeof(buf), &n), SP_OK);
	assert_string_equal(buf, "x\"}\xc3\xa9\xf0\x9f\x98\x80");
	assert_err(tlog_json_str(v, buf, 9, &n), SP_ESPACE);
	assert_err(tlog_json_get(all, "o", &v), SP_OK);
	assert_err(tlog_json_get(v, "s", &k), SP_OK);
	assert_span(k, "\"}\"");
	assert_err(tlog_json_get(all, "b", &v), SP_OK);
	assert_span(v, "true");
	assert_err(tlog_json_get(all, "k", &v), SP_ENOTFOUND);
	for (size_t i = 0; i < all.len; i++)
		assert_int_not_equal(tlog_json_get(span_cut(all, i), "zz", &v), SP_OK);
	/* any single change is scanned without harm (ASan watches) */
	for (size_t i = 0; i < all.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			char copy[sizeof(text)];

			memcpy(copy, text, sizeof(text));
			copy[i] = (char)(copy[i] ^ (1 << bit));
			assert_true(tlog_json_get(span_of(copy, all.len), "zz", &v) != SP_EIO);
			tlog_json_text(span_of(copy, all.len), "a", buf, sizeof(buf));
		}
	}
}

/* Every page of a log gives what tlog_entry gives, and hashes to the checkpoint.  Returns how many
 * pages do not. */
static uint64_t
check_pages(struct place *p, uint64_t expect_end)
{
	DEFER(tlog_page_done) struct tlog_page page = {0};
	struct tlog *t = NULL;
	char why[256] = "";
	uint64_t n = 0, bad = 0;

	assert_err(tlog_open(&p->fs, &p->key, &t, why, sizeof(why)), SP_OK);
	for (uint64_t i = 0; i < tlog_pages(t); i++) {
		struct span entry;

		assert_err(tlog_page_read(t, i, &page), SP_OK);
		if (tlog_page_check(t, &page) != SP_OK) {
			bad++;
			n += page.n;
			continue;
		}
		assert_int_equal(page.first, n);
		assert_int_equal(page.signed_for, n < tlog_size(t));
		for (unsigned k = 0; k < page.n; k++, n++) {
			assert_int_equal(tlog_page_of(t, n), i);
			assert_err(tlog_entry(t, n, &entry), SP_OK);
			assert_true(span_eq(entry, page.entry[k]));
		}
	}
	assert_int_equal(n, expect_end);
	assert_err(tlog_page_read(t, tlog_pages(t), &page), SP_ERANGE);
	tlog_free(t);
	return bad;
}

static void
test_pages(void **state)
{
	static const unsigned sizes[] = {
	    1, 254, 1, 1, 255, 1, 300}; /* 1, 255, 256, 257, 512, ... */
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);
	uint64_t end = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fill(w, sizes[i], 50, 0);
		end += sizes[i];
		assert_int_equal(check_pages(p, end), 0); /* some of them in the wal alone */
		assert_err(tlog_flush_all(w), SP_OK);
		assert_int_equal(check_pages(p, end), 0);
	}
	fill(w, 700, 50, 0); /* more than two pages in the wal */
	assert_int_equal(check_pages(p, end + 700), 0);
	tlog_writer_free(w);
}

static void
test_pages_tampered(void **state)
{
	struct place *p = *state;
	struct tlog_report r = {0};
	struct tlog_writer *w = open_writer(p, &r);

	fill(w, 65536 + 512, 512, 16384);
	assert_err(tlog_flush_all(w), SP_OK);
	tlog_writer_free(w);
	assert_int_equal(check_pages(p, 65536 + 512), 0);
	flip(p, "tile/entries/007", 20, 1);
	assert_int_equal(check_pages(p, 65536 + 512), 1);
	flip(p, "tile/entries/007", 20, 1);
	flip(p, "tile/1/000", 32 * 9 + 5, 1); /* which every bundle below it leads through */
	assert_int_equal(check_pages(p, 65536 + 512), 256);
	flip(p, "tile/1/000", 32 * 9 + 5, 1);
	flip(p, "tile/entries/257", 20, 1); /* beside it, at the right edge */
	assert_int_equal(check_pages(p, 65536 + 512), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_create),
	    T(test_sizes),
	    T(test_levels),
	    T(test_old_checkpoint),
	    T(test_tamper),
	    T(test_missing),
	    T(test_other_key),
	    T(test_refusals),
	    T(test_key),
	    T(test_json),
	    T(test_pages),
	    T(test_pages_tampered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
