/* main.c - sallyport-supervisor DIR: what `sallyport -C DIR serve` becomes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/server.h"
#include "sys/spawn.h"

#define DESCRIPTORS_WANTED 262144

/* Where the rooms' binaries may be: for development a folder of the environment (never for root),
 * beside this executable, then where they are installed. */
static int
find_binary(enum room room)
{
	const char *dirs[3] = {server_environment("SALLYPORT_ROOMS"), NULL, SALLYPORT_LIBEXEC};
	char self[1100], path[1200];

	if (spawn_self_dir(self, sizeof(self)) == SP_OK)
		dirs[1] = self;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		struct text t = text_of(path, sizeof(path));
		int fd;

		if (dirs[i] == NULL)
			continue;
		text_fmt(&t, "%s/sallyport-%s", dirs[i], room_table[room].name);
		fd = t.bad ? SP_ERANGE : spawn_binary(path);
		if (fd >= 0)
			return fd;
	}
	sp_die(EXIT_CONFIG, "the program sallyport-%s is neither beside this one nor in %s",
	    room_table[room].name, SALLYPORT_LIBEXEC);
}

static void
find_binaries(struct sup *s)
{
	for (size_t i = 0; i < ROOM_COUNT; i++) {
		enum room_kind kind = room_table[i].kind;

		s->binaries[i] = -1;
		if (kind == ROOM_KIND_ONE || kind == ROOM_KIND_POOL || kind == ROOM_KIND_JOB)
			s->binaries[i] = find_binary((enum room)i);
	}
}

static struct sup *
sup_new(void)
{
	struct sup *s = mem_alloc(sizeof(*s));

	if (s == NULL)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
	s->loop = loop_new();
	s->buf = mem_alloc(IPC_MAX);
	if (s->loop == NULL || s->buf == NULL)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
	for (size_t i = 0; i < ROOM_COUNT; i++) {
		s->seats[i].sup = s;
		s->seats[i].room = (enum room)i;
		s->seats[i].chan.fd = -1;
	}
	s->seats[ROOM_SUPERVISOR].since_us = clock_wall_us();
	s->as_root = spawn_am_root();
	s->generation = 1;
	s->log[0] = s->log[1] = -1;
	s->log_budget = LOG_BYTES_MOST;
	pools_init(s);
	return s;
}

static void
log_relay(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)events;
	s->log_thrown += server_log_relay(fd, &s->log_budget);
}

static void
log_begin(struct sup *s)
{
	int err = server_log_pipe(s->log);

	if (err < 0)
		sp_die(EXIT_SYSTEM, "pipe: %s", sp_strerror(err));
	if (err == 1 && loop_watch(s->loop, s->log[0], LOOP_IN, log_relay, s) == NULL)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
}

static void
sup_free(struct sup *s)
{
	operators_done(s);
	pools_done(s);
	mem_free(s->crashes);
	for (size_t i = 0; i < ROOM_COUNT; i++) {
		chan_close(&s->seats[i].chan);
		close_fd(&s->binaries[i]);
	}
	loop_free(s->loop);
	mem_free(s->decoys);
	mem_free(s->buf);
	mem_free(s);
}

int
main(int argc, char **argv)
{
	struct sup *s;
	int status;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("sallyport-supervisor %s\n", SALLYPORT_VERSION);
		return 0;
	}
	if (argc != 2)
		sp_die(EXIT_USAGE, "this is a part of Sallyport: `sallyport serve` starts it");
	log_open("supervisor", LOG_LV_INFO);
	if (sandbox_prepare(2) != SP_OK)
		sp_die(EXIT_SYSTEM, "the kernel refused what every room needs first");
	s = sup_new();
	find_binaries(s);
	(void)server_descriptors(DESCRIPTORS_WANTED);
	instance_open(&s->inst, argv[1], s->as_root);
	life_begin(s);
	decoys_open(s);
	lockdown_begin(s);
	if (operators_begin(s) != SP_OK)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
	log_begin(s);
	seats_start(s);
	if (loop_run(s->loop) != SP_OK)
		sp_die(EXIT_SYSTEM, "waiting for events failed");
	if (s->log[0] >= 0)
		log_relay(s, s->log[0], 0);
	log_info("stopped");
	status = s->exit_status;
	sup_free(s);
	return status;
}
