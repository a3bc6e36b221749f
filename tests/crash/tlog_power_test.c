/* tlog_power_test.c - the audit log when the power goes away at every single change of the disk.
 *
 * A run appends, commits, flushes and opens anew.  It is repeated with the power gone after the
 * 1st, 2nd, 3rd ... change; each time several disks that may be left are tried: nothing unsynced
 * kept, all of it, names only, content only, and random halves of it.  On each the log must open,
 * hold every entry that was committed, verify, and be appended to; and the power may go away in the
 * recovery too.
 */
#include "base/test.h"
#include "power_disk.h"
#include "store/tlog_append.h"
#include "store/tlog_json.h"

#include <stdio.h>

#define ORIGIN "power.test"
#define ENTRIES_MAX 2000u

static const uint8_t seed[32] = "power-power-power-power-power-p";

struct run {
	struct power_disk *disk;
	struct tlog_fs fs;
	struct tlog_writer *log;
	uint64_t staged;    /* entries that were ever handed over */
	uint64_t committed; /* entries whose commit said yes */
	uint64_t flushed;   /* under a checkpoint that was said to be durable */
};

static struct tlog_key
key_of(void)
{
	struct tlog_key key = {.name = ORIGIN};

	assert_err(ed25519_public(seed, key.public_key), SP_OK);
	return key;
}

/* Entry n is the same whenever it is made, so that it can be recognised. */
static struct span
entry(uint64_t n, unsigned life)
{
	static char buf[9000];
	size_t pad = n % 11 == 3 ? 5000 : n % 97;
	int len = snprintf(buf, sizeof(buf), "{\"n\":%llu,\"life\":%u,\"pad\":\"%0*d\"}",
	    (unsigned long long)n, life, (int)pad + 1, 0);

	return span_of(buf, (size_t)len);
}

static bool
start(struct run *r)
{
	struct tlog_report report;
	char why[256] = "";
	int err = tlog_writer_open(&r->fs, ORIGIN, seed, &r->log, &report, why, sizeof(why));

	if (err != SP_OK && !power_disk_failed(r->disk))
		fail_msg("the log does not open: %s: %s", sp_err_row(err)->name, why);
	if (err != SP_OK)
		r->log = NULL;
	return err == SP_OK;
}

static void
end(struct run *r)
{
	tlog_writer_free(r->log);
	r->log = NULL;
}

static bool
group(struct run *r, unsigned n, unsigned life)
{
	int err;

	for (unsigned i = 0; i < n; i++) {
		err = tlog_add(r->log, entry(tlog_next(r->log), life), false);
		if (err != SP_OK)
			return false;
		if (tlog_next(r->log) > r->staged)
			r->staged = tlog_next(r->log);
	}
	err = tlog_commit(r->log);
	if (err == SP_OK)
		r->committed = tlog_durable(r->log);
	return err == SP_OK;
}

/* Steps of a flush in between groups, as the room does it. */
static bool
flush_between(struct run *r, unsigned life)
{
	int more = tlog_flush_begin(r->log);

	while (more == SP_OK || more == 1) {
		more = tlog_flush_step(r->log);
		if (more == 0)
			break;
		if (more == 1 && !group(r, 1, life))
			return false;
	}
	if (more == 0)
		r->flushed = tlog_flushed(r->log);
	return more == 0;
}

/* One life of a log; false: the power went away. */
static bool
live(struct run *r)
{
	static const unsigned groups[] = {1, 3, 1, 40, 2, 200, 1, 7, 90, 1, 30, 1};

	if (!start(r))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (!group(r, groups[i], 1))
			return false;
		if (i % 3 == 2 && !flush_between(r, 1))
			return false;
		if (i % 5 == 4) { /* killed and started again */
			end(r);
			if (!start(r))
				return false;
		}
	}
	if (tlog_flush_all(r->log) != SP_OK)
		return false;
	r->flushed = tlog_flushed(r->log);
	return true;
}

static void
run_new(struct run *r, struct power_disk *disk)
{
	*r = (struct run){.disk = disk, .fs = power_disk_fs(disk)};
}

/* The log holds what was committed, in order, nothing that was never staged, and verifies. */
static void
check(struct run *r, const struct run *before)
{
	struct tlog_key key = key_of();
	struct tlog *log = NULL;
	char why[256] = "";

	if (tlog_open(&r->fs, &key, &log, why, sizeof(why)) != SP_OK ||
	    tlog_verify(log, 0, NULL, why, sizeof(why)) != SP_OK)
		fail_msg("the log does not verify: %s", why);
	assert_true(tlog_end(log) >= before->committed);
	assert_true(tlog_end(log) <= before->staged);
	assert_true(tlog_size(log) >= before->flushed);
	for (uint64_t n = 0; n < tlog_end(log); n++) {
		struct span got, want = entry(n, 1);

		assert_err(tlog_entry(log, n, &got), SP_OK);
		if (got.len != want.len || memcmp(got.ptr, want.ptr, want.len) != 0)
			fail_msg("entry %llu is not what was staged", (unsigned long long)n);
	}
	tlog_free(log);
}

/* Open, check, append, flush, verify: the log is as good as new. */
static void
recovers(const struct power_disk *disk, const struct run *before)
{
	struct power_disk *copy = power_disk_after(disk, POWER_ALL, 0);
	struct run r;
	struct tlog_key key = key_of();
	struct tlog *log = NULL;
	char why[256] = "";

	run_new(&r, copy);
	assert_true(start(&r));
	check(&r, before);
	assert_true(group(&r, 3, 2));
	assert_true(group(&r, 270, 2));
	assert_err(tlog_flush_all(r.log), SP_OK);
	end(&r);
	assert_err(tlog_open(&r.fs, &key, &log, why, sizeof(why)), SP_OK);
	assert_int_equal(tlog_end(log), r.committed);
	assert_err(tlog_verify(log, 0, NULL, why, sizeof(why)), SP_OK);
	tlog_free(log);
	power_disk_free(copy);
}

/* The power goes away in the recovery as well, at its nth change. */
static void
recovers_twice(const struct power_disk *disk, const struct run *before, uint64_t n, uint64_t random)
{
	struct power_disk *copy = power_disk_after(disk, POWER_ALL, 0), *after;
	struct run r;

	run_new(&r, copy);
	power_disk_fail_after(copy, n);
	if (start(&r)) {
		end(&r);
		power_disk_free(copy);
		return;
	}
	after = power_disk_after(copy, POWER_RANDOM, random);
	recovers(after, before);
	power_disk_free(after);
	power_disk_free(copy);
}

static void
power_gone_at(uint64_t n, unsigned randoms)
{
	struct power_disk *disk = power_disk_new(), *after;
	struct run r;

	run_new(&r, disk);
	power_disk_fail_after(disk, n);
	(void)live(&r);
	assert_true(r.staged < ENTRIES_MAX);
	end(&r);
	for (unsigned k = 0; k < 4 + randoms; k++) {
		static const enum power_kept kept[] = {
		    POWER_NOTHING, POWER_ALL, POWER_NAMES, POWER_CONTENT};

		after = power_disk_after(disk, k < 4 ? kept[k] : POWER_RANDOM, n * 31 + k);
		recovers(after, &r);
		if (k >= 3)
			recovers_twice(after, &r, (n + k) % 40, n + k);
		power_disk_free(after);
	}
	power_disk_free(disk);
}

/* Changes of a whole life, and of making the log. */
static uint64_t
count(uint64_t *ret_made)
{
	struct power_disk *disk = power_disk_new();
	struct run r;
	uint64_t n;

	run_new(&r, disk);
	assert_true(start(&r));
	*ret_made = power_disk_changes(disk);
	end(&r);
	power_disk_free(disk);
	disk = power_disk_new();
	run_new(&r, disk);
	assert_true(live(&r));
	n = power_disk_changes(disk);
	check(&r, &r);
	end(&r);
	power_disk_free(disk);
	return n;
}

static void
test_every_change(void **state)
{
	uint64_t made = 0, all = count(&made);

	(void)state;
	assert_true(made < all);
	print_message("%llu changes, of them %llu to make the log\n", (unsigned long long)all,
	    (unsigned long long)made);
	for (uint64_t n = made > 12 ? made - 12 : 0; n <= all; n++)
		power_gone_at(n, 2);
}

/* While the log is made (most of it zeros for the wal): a sample, and it is made again. */
static void
test_making(void **state)
{
	uint64_t made = 0;

	(void)state;
	(void)count(&made);
	for (uint64_t n = 0; n < made; n += n < 3 ? 1 : 37)
		power_gone_at(n, 1);
}

/* The disk is full, at every step: what was committed stays, what is refused was not, and with room
 * it goes on. */
static void
test_full(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 30; steps++) {
		struct power_disk *disk = power_disk_new();
		struct run r;
		int err = SP_OK;

		run_new(&r, disk);
		assert_true(start(&r));
		assert_true(group(&r, 300, 1));
		assert_err(tlog_flush_begin(r.log), SP_OK);
		for (unsigned i = 0; i < steps && tlog_flush_step(r.log) == 1; i++)
			continue;
		power_disk_full(disk, true);
		for (unsigned i = 0; i < 20000 && err == SP_OK; i++) {
			if (tlog_flush_step(r.log) == 0) /* fails soon */
				assert_err(tlog_flush_begin(r.log), SP_OK);
			err = tlog_add(r.log, entry(tlog_next(r.log), 1), false);
			if (err == SP_OK)
				assert_err(tlog_commit(r.log), SP_OK);
		}
		assert_err(err, SP_EDISKFULL);
		r.committed = r.staged = tlog_durable(r.log);
		/* what is kept back is for the few that may use it */
		assert_err(tlog_add(r.log, entry(tlog_next(r.log), 1), true), SP_OK);
		assert_err(tlog_commit(r.log), SP_OK);
		r.committed = ++r.staged;
		if (steps % 2 == 0) {
			recovers(disk, &r);
		} else {
			power_disk_full(disk, false);
			assert_err(tlog_flush_all(r.log), SP_OK);
			check(&r, &r);
		}
		end(&r);
		power_disk_free(disk);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_making),
	    cmocka_unit_test(test_every_change),
	    cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
