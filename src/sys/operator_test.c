/* operator_test.c - trees are removed and given away without leaving them; copies are whole or
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/operator.h"

static char top[64]; /* of the test at work */

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/sp-operator-XXXXXX");
	return mkdtemp(top) != NULL && chdir(top) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return chdir("/") == 0 && op_remove_tree(top) == SP_OK ? 0 : -1;
}

static void
put(const char *path, const char *text)
{
	assert_int_equal(file_write_new(AT_FDCWD, path, span_str(text), 0600, false), SP_OK);
}

static void
removing_follows_no_link(void **state)
{
	(void)state;
	assert_int_equal(mkdir("keep", 0700), 0);
	put("keep/file", "x");
	assert_int_equal(mkdir("go", 0700), 0);
	assert_int_equal(mkdir("go/below", 0700), 0);
	put("go/below/file", "x");
	assert_int_equal(symlink("../keep", "go/link"), 0);
	assert_int_equal(symlink("go", "alias"), 0);
	assert_int_equal(op_remove_tree("alias"), SP_OK); /* the link, not what it names */
	assert_int_equal(access("go/below/file", F_OK), 0);
	assert_int_equal(op_remove_tree("go"), SP_OK);
	assert_int_equal(access("go", F_OK), -1);
	assert_int_equal(access("keep/file", F_OK), 0);
	assert_int_equal(op_remove_tree("go"), SP_OK);
}

static void
copies_are_new(void **state)
{
	struct op_stat st;

	(void)state;
	put("a", "some text");
	assert_int_equal(op_copy_file(AT_FDCWD, "a", AT_FDCWD, "b", 0400, NULL), SP_OK);
	assert_int_equal(op_stat_at(AT_FDCWD, "b", &st), SP_OK);
	assert_int_equal(st.size, 9);
	assert_int_equal(st.kind, OP_FILE);
	assert_int_equal(st.mode, 0400);
	assert_int_equal(op_copy_file(AT_FDCWD, "a", AT_FDCWD, "b", 0400, NULL), SP_EEXISTS);
	assert_int_equal(op_copy_file(AT_FDCWD, "none", AT_FDCWD, "c", 0400, NULL), SP_ENOTFOUND);
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_not_equal(op_copy_file(AT_FDCWD, "link", AT_FDCWD, "c", 0400, NULL), SP_OK);
}

static void
folders_are_looked_at(void **state)
{
	char closed[4096], deep[256];

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(op_dir_empty("d"), 1);
	put("d/f", "");
	assert_int_equal(op_dir_empty("d"), 0);
	assert_int_equal(op_dir_empty("d/f"), SP_ENOTFOLDER);
	assert_int_equal(op_dir_empty("nothing"), SP_ENOTFOUND);
	assert_int_equal(mkdir("e", 0700), 0);
	assert_int_equal(op_rename("e", "d"), SP_EEXISTS);
	assert_int_equal(op_rename("d", "e"), SP_OK); /* onto an empty one */
	assert_false(op_mount_point("e"));
	assert_true(op_mount_point("/proc"));
	assert_int_equal(chmod(top, 0755), 0);
	(void)snprintf(deep, sizeof(deep), "%s/e/x", top);
	assert_int_equal(op_closed_parent(deep, closed, sizeof(closed)), 1);
	assert_int_equal(op_mode("e", 0711), SP_OK);
	assert_int_equal(op_closed_parent(deep, closed, sizeof(closed)), 0);
}

static void
paths_become_absolute(void **state)
{
	char buf[256], want[256];

	(void)state;
	assert_int_equal(op_absolute("x/", buf, sizeof(buf)), SP_OK);
	(void)snprintf(want, sizeof(want), "%s/x", top);
	assert_string_equal(buf, want);
	assert_int_equal(op_absolute("/", buf, sizeof(buf)), SP_OK);
	assert_string_equal(buf, "/");
	assert_int_equal(op_absolute("/a//", buf, sizeof(buf)), SP_OK);
	assert_string_equal(buf, "/a");
	assert_int_equal(op_absolute("/far/too/long", buf, 5), SP_ESPACE);
}

static void
locks_and_programs(void **state)
{
	char *yes[] = {"/bin/sh", "-c", "exit 3", NULL},
	     *killed[] = {"/bin/sh", "-c", "kill -9 $$", NULL};
	char *none[] = {"/no/such/program", NULL};
	int fd;

	(void)state;
	assert_int_equal(op_lock_probe("pid"), SP_ENOTFOUND);
	put("pid", "1");
	assert_int_equal(op_lock_probe("pid"), 0);
	fd = open("pid", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(op_lock_probe("pid"), 1);
	(void)close(fd);
	assert_int_equal(op_run(yes[0], yes), 3);
	assert_int_equal(op_run(killed[0], killed), 255);
	assert_int_equal(op_run(none[0], none), 127);
	assert_true(op_is_program("/bin/sh"));
	assert_false(op_is_program("pid"));
	assert_int_equal(op_exec(none[0], none), SP_ENOTFOUND);
}

static void
signals_wait(void **state)
{
	struct op_signals *s = NULL;

	(void)state;
	assert_false(op_signals_came(NULL));
	assert_int_equal(op_signals_hold(&s), SP_OK);
	assert_false(op_signals_came(s));
	put("from", "text");
	assert_int_equal(op_copy_file(AT_FDCWD, "from", AT_FDCWD, "to", 0600, s), SP_OK);
	op_signals_release(s);
	op_signals_release(NULL);
}

static void
no_core(void **state)
{
	struct rlimit core;
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(op_no_core() == SP_OK && prctl(PR_GET_DUMPABLE) == 0 &&
			      getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0
			  ? 0
			  : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_core),
	    cmocka_unit_test_setup_teardown(removing_follows_no_link, setup, teardown),
	    cmocka_unit_test_setup_teardown(copies_are_new, setup, teardown),
	    cmocka_unit_test_setup_teardown(folders_are_looked_at, setup, teardown),
	    cmocka_unit_test_setup_teardown(paths_become_absolute, setup, teardown),
	    cmocka_unit_test_setup_teardown(locks_and_programs, setup, teardown),
	    cmocka_unit_test_setup_teardown(signals_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
