/* db_power_test.c - the broker's database when the power goes away at every single change of the
 * disk.
 *
 * The broker opens its database as it always does, on a disk that loses what was not synced.  Each
 * group writes the rows of several operations and commits them; some are followed by what moves
 * the log into the file.  It is repeated with the power gone after the 1st, 2nd, 3rd ... change;
 * each time several disks that may be left are tried.  On each the database must be whole, hold
 * every group that was committed, wholly, in order, and of the one after it all or nothing.
 */
#include "base/test.h"
#include "power_vfs.h"
#include "rooms/broker/db.h"

#include <stdio.h>

#define GROUPS 24
#define ROWS 5 /* of a group */

struct run {
	struct power_disk *disk;
	struct db *db;
	int committed; /* groups that were said to be durable */
};

static void
row_name(char name[32], int group, int row)
{
	(void)snprintf(name, 32, "group %d row %d", group, row);
}

/* The counter, rows that stay, a row that goes, an overwrite of the group before. */
static int
group(struct run *r, int n)
{
	char name[32];
	int err = db_meta_set(r->db, "groups", n);

	for (int i = 0; i < ROWS && err == SP_OK; i++) {
		row_name(name, n, i);
		err = db_meta_set(r->db, name, n * 1000 + i);
	}
	row_name(name, n - 1, 0);
	if (err == SP_OK && n > 1)
		err = db_meta_set(r->db, name, -n);
	return err == SP_OK ? db_commit(r->db) : err;
}

static bool
live(struct run *r)
{
	power_vfs_set(r->disk);
	if (db_open("/power", /* create= */ false, &r->db) != SP_OK)
		return false;
	for (int n = r->committed + 1; n <= GROUPS; n++) {
		if (group(r, n) != SP_OK)
			return false;
		r->committed = n;
		if (n % 5 == 0 && db_checkpoint(r->db) != SP_OK)
			return false;
		if (n % 9 == 0) { /* stopped in order and started again */
			db_close(r->db);
			r->db = NULL;
			if (db_open("/power", /* create= */ false, &r->db) != SP_OK)
				return false;
		}
	}
	return true;
}

/* all groups to the counter's, and nothing of a later one */
static int
check(struct db *db)
{
	int64_t groups = db_meta(db, "groups");
	char why[256], name[32];

	if (db_check(db, why, sizeof(why)) != SP_OK)
		fail_msg("the database is damaged: %s", why);
	assert_int_equal(db_meta(db, "segment"), 131072);
	for (int n = 1; n <= GROUPS; n++) {
		for (int i = 0; i < ROWS; i++) {
			int64_t want = n > groups ? 0 : n * 1000 + i;

			if (i == 0 && n < groups)
				want = -(n + 1);
			row_name(name, n, i);
			if (db_meta(db, name) != want)
				fail_msg("of %lld groups, %s has %lld instead of %lld",
				    (long long)groups, name, (long long)db_meta(db, name),
				    (long long)want);
		}
	}
	return (int)groups;
}

/* The database opens, is right, goes on to its end, and is right then. */
static void
recovers(const struct power_disk *disk, int committed)
{
	struct run r = {.disk = power_disk_after(disk, POWER_ALL, 0)};
	int groups;

	power_vfs_set(r.disk);
	assert_err(db_open("/power", false, &r.db), SP_OK);
	groups = check(r.db);
	assert_in_range(groups, committed, committed + 1);
	db_close(r.db);
	r.committed = groups;
	assert_true(live(&r));
	assert_int_equal(check(r.db), GROUPS);
	db_close(r.db);
	power_disk_free(r.disk);
}

/* a new database, whose making is not the matter here: init syncs the folder at its end */
static struct power_disk *
made(void)
{
	struct power_disk *disk = power_disk_new();
	struct tlog_fs fs = power_disk_fs(disk);
	struct db *db = NULL;

	power_vfs_set(disk);
	assert_err(db_open("/power", /* create= */ true, &db), SP_OK);
	assert_err(db_init(db, 131072, span_str("Power"), 1), SP_OK);
	db_close(db);
	assert_err(fs.sync_dir(fs.arg, ""), SP_OK);
	return disk;
}

static void
power_gone_at(const struct power_disk *new, uint64_t n)
{
	static const enum power_kept kept[] = {
	    POWER_NOTHING, POWER_ALL, POWER_NAMES, POWER_CONTENT, POWER_RANDOM, POWER_RANDOM};
	struct run r = {.disk = power_disk_after(new, POWER_ALL, 0)};

	power_disk_fail_after(r.disk, n);
	(void)live(&r);
	if (r.db != NULL)
		db_close(r.db);
	assert_true(power_disk_failed(r.disk));
	for (size_t k = 0; k < ARRAY_LEN(kept); k++) {
		struct power_disk *after = power_disk_after(r.disk, kept[k], n * 31 + k);

		recovers(after, r.committed);
		power_disk_free(after);
	}
	power_disk_free(r.disk);
}

static void
test_every_change(void **state)
{
	struct power_disk *new = made();
	struct run r = {.disk = power_disk_after(new, POWER_ALL, 0)};
	uint64_t all;

	(void)state;
	assert_true(live(&r));
	assert_int_equal(check(r.db), GROUPS);
	db_close(r.db);
	all = power_disk_changes(r.disk);
	power_disk_free(r.disk);
	assert_in_range(all, 50, 5000);
	for (uint64_t n = 0; n < all; n++)
		power_gone_at(new, n);
	power_disk_free(new);
}

/* The disk must be able to lose something, or the test above says nothing: what is not committed
 * is gone where nothing unsynced is kept. */
static void
test_the_disk_forgets(void **state)
{
	struct run r = {.disk = made()};
	struct power_disk *after;

	(void)state;
	power_vfs_set(r.disk);
	assert_err(db_open("/power", false, &r.db), SP_OK);
	assert_err(group(&r, 1), SP_OK);
	assert_err(sql_run(r.db, SQL_META_SET, ST(span_str("not committed")), SI(1)), SP_OK);
	after = power_disk_after(r.disk, POWER_NOTHING, 1);
	db_rollback(r.db);
	db_close(r.db);
	power_vfs_set(after);
	assert_err(db_open("/power", false, &r.db), SP_OK);
	assert_int_equal(check(r.db), 1);
	assert_int_equal(db_meta(r.db, "not committed"), 0);
	db_close(r.db);
	power_disk_free(after);
	power_disk_free(r.disk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_disk_forgets),
	    cmocka_unit_test(test_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
