#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "sys/fd.h"
#include "sys/server.h"
#include "sys/spawn.h"

static char folder[64];

static char *
in_folder(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/fd_test.XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void
test_write_new(void **state)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(close_fd) int fd = -1;
	size_t len = 0;
	struct stat st;

	(void)state;
	assert_int_equal(
	    file_write_new(AT_FDCWD, in_folder("a"), SPAN_LIT("one"), 0640, false), SP_OK);
	assert_int_equal(
	    file_write_new(AT_FDCWD, in_folder("a"), SPAN_LIT("two"), 0640, false), SP_EEXISTS);
	assert_int_equal(
	    file_write_new(AT_FDCWD, in_folder("a"), SPAN_LIT("three"), 0640, true), SP_OK);
	fd = file_open_at(AT_FDCWD, in_folder("a"), O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(file_read_all(fd, 5, &content, &len), SP_OK);
	assert_int_equal(len, 5);
	assert_string_equal((char *)content, "three");
	/* nothing half-made is left */
	assert_int_equal(file_open_at(AT_FDCWD, in_folder("a.new"), O_RDONLY, 0), SP_ENOTFOUND);
	assert_int_equal(
	    file_write_new(AT_FDCWD, in_folder("none/a"), SPAN_LIT("x"), 0600, true), SP_ENOTFOUND);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("a")), SP_OK);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("a")), SP_ENOTFOUND);
}

static void
test_open_refuses_links(void **state)
{
	(void)state;
	assert_int_equal(symlink("/etc/passwd", in_folder("link")), 0);
	assert_true(file_open_at(AT_FDCWD, in_folder("link"), O_RDONLY, 0) < 0);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("link")), SP_OK);
}

static void
test_read_all_limits(void **state)
{
	DEFER(close_fd) int fd = memfd_of("x", SPAN_LIT("0123456789"));
	DEFER(mem_freep) uint8_t *content = NULL;
	size_t len = 77;
	int pipes[2];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(file_read_all(fd, 9, &content, &len), SP_ETOOBIG);
	assert_null(content);
	assert_int_equal(len, 77);
	/* the position does not matter: others may share it */
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(file_read_all(fd, 10, &content, &len), SP_OK);
	assert_int_equal(len, 10);
	mem_free(TAKE_PTR(content));
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(sock_write_all(pipes[1], "abc", 3), SP_OK);
	close_fd(&pipes[1]);
	assert_int_equal(file_read_all(pipes[0], 10, &content, &len), SP_OK);
	assert_int_equal(len, 3);
	close_fd(&pipes[0]);
}

static void
test_memfd_is_sealed(void **state)
{
	DEFER(close_fd) int fd = memfd_of("settings", SPAN_LIT("content"));

	(void)state;
	assert_int_equal(file_pwrite(fd, "x", 1, 0), SP_EPERM);
	assert_int_equal(file_truncate(fd, 0), SP_EPERM);
	assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
}

static void
test_positions(void **state)
{
	DEFER(close_fd)
	int fd = file_open_at(AT_FDCWD, in_folder("p"), O_RDWR | O_CREAT | O_EXCL, 0600);
	char buf[8] = "";
	int64_t size = -1;

	(void)state;
	assert_int_equal(file_pwrite(fd, "abcdef", 6, 10), SP_OK);
	assert_int_equal(file_size(fd, &size), SP_OK);
	assert_int_equal(size, 16);
	assert_int_equal(file_pread(fd, buf, 8, 12), 4);
	assert_memory_equal(buf, "cdef", 4);
	assert_int_equal(file_pread(fd, buf, 8, 16), 0);
	assert_int_equal(file_truncate(fd, 3), SP_OK);
	assert_int_equal(file_sync(fd), SP_OK);
	assert_int_equal(file_sync_all(fd), SP_OK);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("p")), SP_OK);
}

/* Sealing: while anyone can write, there is no lease; after mode 0400 nobody can begin to. */
static void
test_lease(void **state)
{
	int writer = file_open_at(AT_FDCWD, in_folder("l"), O_WRONLY | O_CREAT | O_EXCL, 0600);
	DEFER(close_fd) int reader = file_open_at(AT_FDCWD, in_folder("l"), O_RDONLY, 0);

	(void)state;
	assert_int_equal(lease_read(reader), SP_ECONFLICT);
	close_fd(&writer);
	assert_int_equal(lease_read(reader), SP_OK);
	assert_int_equal(lease_drop(reader), SP_OK);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("l")), SP_OK);
}

/* A file that only its first descriptor could write is opened for writing once more, by its owner.
 */
static void
test_mode(void **state)
{
	DEFER(close_fd)
	int first = file_open_at(AT_FDCWD, in_folder("m"), O_WRONLY | O_CREAT | O_EXCL, 0400);
	DEFER(close_fd) int reader = file_open_at(AT_FDCWD, in_folder("m"), O_RDONLY, 0);
	struct stat st;

	(void)state;
	assert_true(first >= 0 && reader >= 0);
	if (geteuid() != 0)
		assert_int_equal(file_open_at(AT_FDCWD, in_folder("m"), O_RDWR, 0), SP_EPERM);
	assert_int_equal(file_mode(reader, 0600), SP_OK);
	DEFER(close_fd) int both = file_open_at(AT_FDCWD, in_folder("m"), O_RDWR, 0);
	assert_true(both >= 0);
	assert_int_equal(file_mode(reader, 0400), SP_OK);
	assert_int_equal(stat(in_folder("m"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(file_mode(-1, 0400), SP_ESYS);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("m")), SP_OK);
}

static void
test_space(void **state)
{
	DEFER(close_fd) int dir = file_open_at(AT_FDCWD, in_folder("."), O_RDONLY | O_DIRECTORY, 0);
	uint64_t total = 0, left = 0, files = 0;
	struct statvfs fs;

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(disk_space(dir, &total, &left, &files), SP_OK);
	assert_int_equal(fstatvfs(dir, &fs), 0);
	assert_int_equal(total, fs.f_blocks * fs.f_frsize);
	assert_true(left <= total);
	assert_true(disk_space(-1, &total, &left, &files) < 0);
}

static void
test_disk_full(void **state)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, "/dev/full", O_WRONLY, 0);

	(void)state;
	assert_int_equal(sock_write_all(fd, "x", 1), SP_EDISKFULL);
}

static void
test_tcp(void **state)
{
	DEFER(close_fd) int first = -1;
	char why[128] = "", peer[64];

	(void)state;
	assert_int_equal(sock_listen_tcp("localhost:80", "", why, sizeof(why)), SP_ESYNTAX);
	assert_int_equal(sock_listen_tcp("127.0.0.1", "", why, sizeof(why)), SP_ESYNTAX);
	assert_int_equal(sock_listen_tcp("127.0.0.1:65536", "", why, sizeof(why)), SP_ESYNTAX);
	assert_int_equal(sock_listen_tcp("[::1:80", "", why, sizeof(why)), SP_ESYNTAX);
	first = sock_listen_tcp("127.0.0.1:47119", "no-such-algorithm", why, sizeof(why));
	assert_true(first >= 0);
	assert_true(sock_listen_tcp("127.0.0.1:47119", "", why, sizeof(why)) < 0);
	assert_string_equal(why, "127.0.0.1:47119: Address already in use");
	assert_int_equal(fd_nonblock(first, true), SP_OK);
	assert_int_equal(sock_accept(first, peer, sizeof(peer)), SP_EFULL);
}

static void
test_local(void **state)
{
	DEFER(close_fd) int listener = -1, client = -1, server = -1;
	char peer[64];
	uint32_t uid = 1;
	int32_t pid = 0;
	struct stat st;

	(void)state;
	assert_int_equal(sock_connect_local(in_folder("s")), SP_ENOTRUNNING);
	listener = sock_listen_local(in_folder("s"), 0600);
	assert_true(listener >= 0);
	assert_int_equal(stat(in_folder("s"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	client = sock_connect_local(in_folder("s"));
	assert_true(client >= 0);
	server = sock_accept(listener, peer, sizeof(peer));
	assert_true(server >= 0);
	assert_int_equal(sock_peer_cred(server, &uid, &pid), SP_OK);
	assert_int_equal(uid, getuid());
	assert_int_equal(pid, getpid());
	assert_int_equal(sock_wait(server, false, 10), SP_ETIMEOUT);
	assert_int_equal(sock_wait(server, true, 10), SP_OK);
	close_fd(&listener);
	assert_int_equal(sock_connect_local(in_folder("s")), SP_ENOTRUNNING);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("s")), SP_OK);
}

/* What rooms log is copied up to a number of bytes, in whole lines; the rest is gone. */
static void
test_log_relay(void **state)
{
	static const char lines[] = "aaaa\nbbbb\ncccc\n";
	uint64_t budget = 12, first, second;
	char got[32];
	int v[2], old = dup(STDERR_FILENO), to;

	(void)state;
	assert_int_equal(pipe2(v, O_CLOEXEC | O_NONBLOCK), 0);
	to = file_open_at(AT_FDCWD, in_folder("log"), O_RDWR | O_CREAT, 0600);
	assert_true(to >= 0 && old >= 0);
	assert_int_equal(write(v[1], lines, 15), 15);
	assert_int_equal(dup2(to, STDERR_FILENO), STDERR_FILENO);
	first = server_log_relay(v[0], &budget);
	second = write(v[1], "x\n", 2) == 2 ? server_log_relay(v[0], &budget) : 0;
	assert_int_equal(dup2(old, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(first, 5);
	assert_int_equal(second, 2);
	assert_int_equal(budget, 0);
	assert_int_equal(file_pread(to, got, sizeof(got), 0), 10);
	assert_memory_equal(got, lines, 10);
	budget = 100;
	assert_int_equal(write(v[1], "", 0), 0);
	assert_int_equal(server_log_relay(v[0], &budget), 0);
	assert_int_equal(budget, 100);
	close_fd(&v[0]), close_fd(&v[1]), close_fd(&to), close_fd(&old);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("log")), SP_OK);
}

static void
test_lock(void **state)
{
	DEFER(close_fd) int fd = server_lock(in_folder("pid"));

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(server_lock(in_folder("pid")), SP_ERUNNING);
	close_fd(&fd);
	fd = server_lock(in_folder("pid"));
	assert_true(fd >= 0);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("pid")), SP_OK);
	assert_int_equal(server_lock(in_folder("none/pid")), SP_ENOTFOUND);
}

/* A child has the descriptors of its row and nothing else, no environment but the listed, and a
 * session of its own. */
static void
test_spawn(void **state)
{
	int binary = spawn_binary("/bin/ls"), pipes[2], none = spawn_binary(in_folder("none"));
	struct spawn s = {.binary = binary, .room = "x", .fd3 = -1, .log = -1};
	struct spawn_end end;
	int pid;

	(void)state;
	assert_int_equal(none, SP_ENOTFOUND);
	assert_true(binary >= 0);
	assert_int_equal(pipe(pipes), 0);
	s.fd3 = pipes[0];
	s.log = pipes[1];
	pid = spawn_room(&s);
	assert_true(pid > 0);
	while (spawn_reap(&end) == 0)
		usleep(1000);
	assert_int_equal(end.pid, pid);
	assert_int_equal(end.status, 0);
	assert_int_equal(end.signal, 0);
	assert_int_equal(spawn_reap(&end), 0);
	close_fd(&pipes[0]);
	close_fd(&pipes[1]);
	close_fd(&binary);
}

static void
test_spawn_failure_is_seen(void **state)
{
	DEFER(close_fd) int text = -1, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct spawn s = {.room = "x", .fd3 = 0, .log = null};
	struct spawn_end end;

	(void)state;
	/* executable by its mode, but no program */
	assert_int_equal(
	    file_write_new(AT_FDCWD, in_folder("bad"), SPAN_LIT("\x7f no program"), 0700, false),
	    SP_OK);
	text = spawn_binary(in_folder("bad"));
	assert_true(text >= 0);
	s.binary = text;
	assert_true(spawn_room(&s) > 0);
	while (spawn_reap(&end) == 0)
		usleep(1000);
	assert_int_equal(end.status, 71);
	assert_int_equal(file_remove_at(AT_FDCWD, in_folder("bad")), SP_OK);
}

static int
in_child(void *arg)
{
	return *(int *)arg;
}

static int
in_dying_child(void *arg)
{
	(void)arg;
	_exit(kill(getpid(), 9));
}

static void
test_child_answers(void **state)
{
	int seven = 7;

	(void)state;
	assert_int_equal(server_in_child(in_child, &seven), 7);
	assert_int_equal(server_in_child(in_dying_child, NULL), SP_ESYS);
}

static void
test_passable(void **state)
{
	char closed[160];

	(void)state;
	/* mkdtemp makes folders of mode 0700 */
	assert_false(server_passable(in_folder("x"), closed, sizeof(closed)));
	assert_false(server_passable(folder, closed, sizeof(closed)));
	assert_string_equal(closed, folder);
	assert_int_equal(chmod(folder, 0711), 0);
	assert_true(server_passable(folder, closed, sizeof(closed)));
	assert_true(server_passable("/", closed, sizeof(closed)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_write_new),
	    cmocka_unit_test(test_open_refuses_links),
	    cmocka_unit_test(test_read_all_limits),
	    cmocka_unit_test(test_memfd_is_sealed),
	    cmocka_unit_test(test_positions),
	    cmocka_unit_test(test_lease),
	    cmocka_unit_test(test_mode),
	    cmocka_unit_test(test_space),
	    cmocka_unit_test(test_disk_full),
	    cmocka_unit_test(test_tcp),
	    cmocka_unit_test(test_local),
	    cmocka_unit_test(test_log_relay),
	    cmocka_unit_test(test_lock),
	    cmocka_unit_test(test_spawn),
	    cmocka_unit_test(test_spawn_failure_is_seen),
	    cmocka_unit_test(test_child_answers),
	    cmocka_unit_test(test_passable),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
