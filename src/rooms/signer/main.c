/* main.c - the signer: the host keys of all doors.
 *
 * It signs two structures and nothing else: what a TLS server signs in a handshake, recognised byte
 * by byte, and SSH exchange hashes that it makes itself.
 */
#include <stdio.h>

#include "rooms/signer/signer.h"
#include "sys/fd.h"
#include "sys/log.h"

#define EXIT_SOFTWARE 70

/* ---- supervisor ---- */

static int
on_worker_new(struct signer *s, struct chan_msg *m)
{
	struct ipc_worker_new w;
	int err = ipc_get_worker_new(m->body, &w);

	if (err == SP_OK && !ipc_is_worker(w.room))
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = seat_add(s, w.serial, w.room, m->fd);
	if (err == SP_OK)
		m->fd = -1;
	return err;
}

static int
on_link(struct signer *s, struct chan_msg *m)
{
	struct ipc_link link;
	int err = ipc_get_link(m->body, &link);

	if (err == SP_OK && link.room != ROOM_BROKER)
		err = SP_EDENIEDMSG;
	return err == SP_OK ? broker_link(s, TAKE_FD(m->fd)) : err;
}

static void
reload(struct signer *s, int conf_fd)
{
	if (room_reload(&s->room, conf_fd) != SP_OK)
		log_warning("the old settings stay");
	keys_reload(s);
}

static int
on_supervisor(struct signer *s, struct chan_msg *m)
{
	struct ipc_worker_gone gone;
	int err = SP_OK;

	switch (m->id) {
	case IPC_WORKER_NEW:
		return on_worker_new(s, m);
	case IPC_WORKER_GONE:
		err = ipc_get_worker_gone(m->body, &gone);
		if (err == SP_OK)
			seat_remove(s, gone.serial);
		return err;
	case IPC_LINK:
		return on_link(s, m);
	case IPC_FILE:
		return keys_next(s, m);
	case IPC_RELOAD:
		reload(s, TAKE_FD(m->fd));
		return SP_OK;
	case IPC_STOP:
		s->stopping = true;
		return SP_OK;
	default:
		return SP_EDENIEDMSG;
	}
}

static void
supervisor_ready(void *arg, int fd, unsigned events)
{
	struct signer *s = arg;

	(void)fd;
	(void)events;
	while (!s->stopping) {
		struct chan_msg m;
		int err = chan_recv(&s->room.supervisor, PH_ANY, false, s->buf, IPC_MAX, &m);

		if (err == 0)
			return;
		if (err == SP_ECLOSED)
			break;
		if (err == 1) {
			err = on_supervisor(s, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
	}
	loop_stop(s->loop);
}

static void
before_go(void *arg, struct chan_msg *m)
{
	int err = on_supervisor(arg, m);

	if (err < 0)
		sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
}

/* ---- start ---- */

static void
signer_new(struct signer *s)
{
	s->next_key = -1;
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		s->next_host[i] = -1;
	s->broker.fd = -1;
	s->loop = loop_new();
	s->buf = mem_alloc(IPC_MAX);
	s->requests = mem_alloc(IPC_MAX);
	if (s->loop == NULL || s->buf == NULL || s->requests == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
}

static void
signer_start(struct signer *s)
{
	const struct sandbox_limits limits = {.memory_bytes = 128u << 20, .files = SEATS_MAX};
	char names[128], note[192];

	keys_start(s);
	hosts_names(s->hosts, names, sizeof(names));
	(void)snprintf(note, sizeof(note), "%s%s%s", sign_key_name(s->held->key),
	    s->hosts->types != 0 ? "; SSH: " : "", names);
	room_sandbox(&s->room, NULL, 0, &limits, note);
}

static void
signer_run(struct signer *s)
{
	struct loop_watch *w =
	    loop_watch(s->loop, s->room.supervisor.fd, LOOP_IN, supervisor_ready, s);
	int err = w != NULL ? SP_OK : SP_ENOMEM;

	if (w != NULL)
		loop_priority(w);
	if (err == SP_OK && s->room.link[ROOM_BROKER] >= 0)
		err = broker_link(s, TAKE_FD(s->room.link[ROOM_BROKER]));
	if (err == SP_OK)
		err = seats_watch(s);
	if (err == SP_OK)
		err = loop_run(s->loop);
	if (err != SP_OK)
		sp_die(EXIT_SOFTWARE, "waiting for messages: %s", sp_strerror(err));
}

static void
signer_done(struct signer *s)
{
	seats_done(s);
	broker_lost(s);
	keys_done(s);
	mem_free(s->buf);
	mem_free(s->requests);
	loop_free(s->loop);
	mem_free(s);
}

int
main(int argc, char **argv)
{
	struct signer *s = mem_alloc(sizeof(*s));

	if (s == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	signer_new(s);
	room_enter(ROOM_SIGNER, argc, argv, &s->room, before_go, s);
	signer_start(s);
	signer_run(s);
	signer_done(s);
	return 0;
}
