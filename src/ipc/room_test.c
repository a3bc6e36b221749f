/* A child becomes a room; this test is its supervisor. */
#include "base/test.h"
#include "ipc/room.h"
#include "sys/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTINGS "WorkersIdle 3\nLogLevel error\n"

struct child {
	pid_t pid;
	struct chan chan; /* the supervisor's end */
};

/* body - what the child does as a room; its return value is its exit status. */
static struct child
begin(int (*body)(void))
{
	struct child r;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	fflush(NULL);
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		(void)close(fd[0]);
		if (dup2(fd[1], ROOM_SUPERVISOR_FD) != ROOM_SUPERVISOR_FD)
			_exit(99);
		_exit(body());
	}
	(void)close(fd[1]);
	chan_init(&r.chan, fd[0], ROOM_SUPERVISOR, ROOM_SIGNER);
	return r;
}

static int
end(struct child *r)
{
	int status;

	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	chan_close(&r->chan);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
send_settings(struct child *r, const char *text)
{
	struct ipc_file file = {FILE_CONF, span_str("")};
	int fd = memfd_of("settings", span_str(text));

	assert_true(fd >= 0);
	assert_int_equal(chan_send_file(&r->chan, &file, fd), 0);
	close_fd(&fd);
}

static void
send_go(struct child *r)
{
	struct ipc_go go = {7, 1};

	assert_int_equal(chan_send_go(&r->chan, &go, -1), 0);
}

static void
count_early(void *arg, struct chan_msg *m)
{
	int *n = arg;

	*n += m->id == IPC_WORKER_NEW && m->fd >= 0;
}

static int
enter_and_report(void)
{
	char name[] = "room", *argv[] = {name, NULL};
	struct room_start r;
	int early = 0;

	room_enter(ROOM_SIGNER, 1, argv, &r, count_early, &early);
	return r.self == ROOM_SIGNER && r.generation == 7 && r.as_root &&
		       r.conf.workers_idle == 3 && r.link[ROOM_BROKER] >= 0 &&
		       r.link[ROOM_VAULT] < 0 && r.file[FILE_TLS_KEY] >= 0 &&
		       strcmp(r.file_name[FILE_TLS_KEY], "/x/key") == 0 && r.file[FILE_CONF] < 0 &&
		       early == 2
		   ? 42
		   : 43;
}

static void
a_room_takes_what_its_supervisor_sends(void **state)
{
	struct child r = begin(enter_and_report);
	struct ipc_link link = {ROOM_BROKER};
	struct ipc_file file = {FILE_TLS_KEY, SPAN_LIT("/x/key")};
	struct ipc_worker_new worker = {1, ROOM_WORKER_HTTPS, 0};

	(void)state;
	assert_int_equal(chan_send_link(&r.chan, &link, 2), 0);
	assert_int_equal(chan_send_link(&r.chan, &link, 2), 0); /* anew: the old one is closed */
	assert_int_equal(chan_send_file(&r.chan, &file, 2), 0);
	assert_int_equal(chan_send_worker_new(&r.chan, &worker, 2), 0);
	assert_int_equal(chan_send_worker_new(&r.chan, &worker, 2), 0);
	send_settings(&r, SETTINGS);
	send_go(&r);
	assert_int_equal(end(&r), 42);
}

static int
enter_quietly(void)
{
	char name[] = "room", *argv[] = {name, NULL};
	struct room_start r;

	if (freopen("/dev/null", "w", stderr) == NULL)
		return 98;
	room_enter(ROOM_SIGNER, 1, argv, &r, NULL, NULL);
	return 42;
}

static void
what_is_wrong_ends_the_room(void **state)
{
	struct ipc_link link = {ROOM_COUNT};
	struct ipc_worker_new worker = {1, ROOM_WORKER_HTTPS, 0};
	struct ipc_stop stop = {0};
	struct child r;

	(void)state;
	r = begin(enter_quietly);
	send_go(&r); /* no settings */
	assert_int_equal(end(&r), 70);
	r = begin(enter_quietly);
	send_settings(&r, "WorkersIdle 0\n");
	send_go(&r);
	assert_int_equal(end(&r), 78);
	r = begin(enter_quietly);
	assert_int_equal(chan_send_link(&r.chan, &link, 2), 0); /* no such room */
	assert_int_equal(end(&r), 70);
	r = begin(enter_quietly);
	assert_int_equal(chan_send_worker_new(&r.chan, &worker, 2), 0); /* nobody takes it */
	assert_int_equal(end(&r), 70);
	r = begin(enter_quietly);
	assert_int_equal(send(r.chan.fd, "\xff\xff", 2, 0), 2);
	assert_int_equal(end(&r), 70);
	r = begin(enter_quietly);
	assert_int_equal(chan_send_stop(&r.chan, &stop, -1), 0);
	assert_int_equal(end(&r), 0);
	r = begin(enter_quietly);
	chan_close(&r.chan); /* the supervisor is gone */
	assert_int_equal(end(&r), 0);
}

static int
enter_without_supervisor(void)
{
	(void)close(ROOM_SUPERVISOR_FD);
	return enter_quietly();
}

static void
a_room_is_no_command(void **state)
{
	struct child r = begin(enter_without_supervisor);

	(void)state;
	assert_int_equal(end(&r), 64);
}

static int
reload_twice(void)
{
	struct room_start r;

	if (freopen("/dev/null", "w", stderr) == NULL)
		return 98;
	memset(&r, 0, sizeof r);
	conf_defaults(&r.conf);
	if (room_reload(&r, memfd_of("a", SPAN_LIT("WorkersIdle 5\nHttpsListen 127.0.0.1:1"))) !=
		SP_OK ||
	    r.conf.workers_idle != 5)
		return 1;
	if (strcmp(r.conf.https_listen, "127.0.0.1:8443") != 0)
		return 2; /* needs a restart */
	if (room_reload(&r, memfd_of("b", SPAN_LIT("WorkersIdle nonsense"))) != SP_ECONFIG ||
	    r.conf.workers_idle != 5)
		return 3;
	return 42;
}

static void
reload_takes_good_settings_only(void **state)
{
	struct child r = begin(reload_twice);

	(void)state;
	assert_int_equal(end(&r), 42);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_room_takes_what_its_supervisor_sends),
	    cmocka_unit_test(what_is_wrong_ends_the_room), cmocka_unit_test(a_room_is_no_command),
	    cmocka_unit_test(reload_takes_good_settings_only)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
