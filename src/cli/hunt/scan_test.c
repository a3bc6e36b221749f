/* scan_test.c - reading a log by helpers: in order, backwards, in a range, by time; and one that
 * was tampered with. */
#include "cli/hunt/world_test.h"

#include "cli/hunt/scan.h"
#include "store/tlog_append.h"
#include "sys/fd.h"
#include "sys/operator.h"

#include <fcntl.h>
#include <stdlib.h>

#define ENTRIES 3000u
#define STRANGE 1234u /* the one that is not of the form */

static const uint8_t seed[32] = {7};

struct place {
	char path[64], why[256];
	int dirfd;
	struct tlog_fs fs;
	struct tlog_key key;
	struct tlog *log;
};

static void
open_log(struct place *p)
{
	tlog_free(TAKE_PTR(p->log));
	assert_err(tlog_open(&p->fs, &p->key, &p->log, p->why, sizeof(p->why)), SP_OK);
}

static int
setup(void **state)
{
	struct place *p = mem_alloc(sizeof(*p));
	struct world w = {.t_us = WORLD_BEGIN};
	struct tlog_writer *writer = NULL;
	struct tlog_report r;

	assert_non_null(p);
	(void)snprintf(p->path, sizeof(p->path), "/tmp/scan-test-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->dirfd = file_open_at(AT_FDCWD, p->path, O_PATH | O_DIRECTORY, 0);
	p->fs = tlog_fs_of(&p->dirfd);
	(void)snprintf(p->key.name, sizeof(p->key.name), "scan");
	assert_err(ed25519_public(seed, p->key.public_key), SP_OK);
	assert_err(
	    tlog_writer_open(&p->fs, "scan", seed, &writer, &r, p->why, sizeof(p->why)), SP_OK);
	for (unsigned i = 0; i < ENTRIES; i++) {
		char buf[512];
		size_t n = world_json(&w, buf, sizeof(buf), "login", ALICE PROOF);

		if (i == STRANGE)
			buf[0] = '[';
		w.n++;
		w.t_us += HUNT_MINUTE;
		assert_err(tlog_add(writer, span_of(buf, n), false), SP_OK);
		if (i % 100 == 0)
			assert_err(tlog_commit(writer), SP_OK);
		if (i == ENTRIES - 300) { /* the rest is in the wal alone */
			assert_err(tlog_commit(writer), SP_OK);
			assert_err(tlog_flush_all(writer), SP_OK);
		}
	}
	assert_err(tlog_commit(writer), SP_OK);
	tlog_writer_free(writer);
	open_log(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	tlog_free(p->log);
	close_fd(&p->dirfd);
	assert_err(op_remove_tree(p->path), SP_OK);
	mem_free(p);
	return 0;
}

struct seen {
	uint64_t next, strange, stop_at, n;
	bool backwards;
};

static int
entry(void *arg, const struct hunt_entry *e)
{
	struct seen *s = arg;

	assert_int_equal(e->n, s->next);
	assert_int_equal(e->t_us, WORLD_BEGIN + (int64_t)e->n * HUNT_MINUTE);
	s->next += s->backwards ? (uint64_t)-1 : 1;
	s->n++;
	return e->n == s->stop_at ? 1 : SP_OK;
}

static int
unreadable(void *arg, uint64_t n)
{
	struct seen *s = arg;

	assert_int_equal(n, STRANGE);
	assert_int_equal(n, s->next);
	s->next += s->backwards ? (uint64_t)-1 : 1;
	s->strange++;
	return SP_OK;
}

static int
run(struct place *p, uint64_t from, uint64_t end, struct seen *seen, struct scan *ret)
{
	*ret = (struct scan){.log = p->log,
	    .from = from,
	    .end = end,
	    .backwards = seen->backwards,
	    .entry = entry,
	    .unreadable = unreadable,
	    .arg = seen};
	seen->next = seen->backwards ? end - 1 : from;
	return scan_run(ret, p->why, sizeof(p->why));
}

static void
test_orders(void **state)
{
	static const uint64_t ranges[][2] = {
	    {0, ENTRIES}, {0, 1}, {255, 257}, {300, 777}, {1000, 2999}, {2690, 2710}, {2999, 3000}};
	struct place *p = *state;
	struct scan scan;

	for (size_t i = 0; i < 2 * ARRAY_LEN(ranges); i++) {
		uint64_t from = ranges[i / 2][0], end = ranges[i / 2][1];
		struct seen seen = {.backwards = i % 2 != 0, .stop_at = UINT64_MAX};

		assert_err(run(p, from, end, &seen, &scan), SP_OK);
		assert_int_equal(seen.n + seen.strange, end - from);
		assert_int_equal(seen.strange, from <= STRANGE && STRANGE < end);
		assert_int_equal(scan.n_checked + scan.n_unsigned, end - from);
		assert_int_equal(scan.n_unsigned,
		    end > tlog_size(p->log)
			? end - (from > tlog_size(p->log) ? from : tlog_size(p->log))
			: 0);
	}
	assert_int_equal(tlog_size(p->log), ENTRIES - 299);
}

static void
test_stop(void **state)
{
	struct place *p = *state;
	struct seen seen = {.stop_at = 700};
	struct scan scan;

	assert_err(run(p, 0, ENTRIES, &seen, &scan), SP_OK);
	assert_int_equal(seen.n, 701);
	seen = (struct seen){.stop_at = UINT64_MAX};
	assert_err(run(p, 5, 5, &seen, &scan), SP_OK);
	assert_int_equal(seen.n, 0);
}

static void
test_find(void **state)
{
	struct place *p = *state;

	for (uint64_t n = 0; n < ENTRIES; n += 37) {
		uint64_t found_at = 0, after = 0;

		if (n == STRANGE)
			continue;
		assert_err(scan_find(p->log, WORLD_BEGIN + (int64_t)n * HUNT_MINUTE, &found_at,
			       p->why, sizeof(p->why)),
		    SP_OK);
		assert_int_equal(found_at, n);
		assert_err(scan_find(p->log, WORLD_BEGIN + (int64_t)n * HUNT_MINUTE - 1, &after,
			       p->why, sizeof(p->why)),
		    SP_OK);
		assert_int_equal(after, n);
	}
	for (int64_t late = 0; late < 2; late++) {
		uint64_t at = 5;

		assert_err(
		    scan_find(p->log, late != 0 ? INT64_MAX : 0, &at, p->why, sizeof(p->why)),
		    SP_OK);
		assert_int_equal(at, late != 0 ? ENTRIES : 0);
	}
}

static void
test_tampered(void **state)
{
	struct place *p = *state;
	struct seen seen = {.stop_at = UINT64_MAX};
	struct scan scan;
	uint8_t b;
	int fd = file_open_at(p->dirfd, "tile/entries/003", O_RDWR, 0);

	assert_true(fd >= 0);
	assert_int_equal(file_pread(fd, &b, 1, 100), 1);
	b ^= 1;
	assert_err(file_pwrite(fd, &b, 1, 100), SP_OK);
	assert_err(run(p, 0, ENTRIES, &seen, &scan), SP_EVERIFY);
	assert_int_equal(seen.n, 3 * 256); /* what was before it was given, and nothing of it */
	assert_non_null(strstr(p->why, "entries 768 to 1023"));
	seen = (struct seen){.stop_at = UINT64_MAX};
	assert_err(run(p, 1024, ENTRIES, &seen, &scan), SP_OK); /* it was not read */
	b ^= 1;
	assert_err(file_pwrite(fd, &b, 1, 100), SP_OK);
	close_fd(&fd);
	assert_err(file_remove_at(p->dirfd, "tile/entries/004"), SP_OK);
	seen = (struct seen){.stop_at = UINT64_MAX};
	assert_err(run(p, 0, ENTRIES, &seen, &scan), SP_EVERIFY);
	assert_non_null(strstr(p->why, "missing"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_find, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tampered, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
