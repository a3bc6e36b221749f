/* main.c - the broker: policy and metadata; the only SQL; opens sealed blobs and passes their
 * descriptors. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rooms/broker/control.h"
#include "rooms/broker/offline.h"
#include "rooms/broker/put.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#define FILES_MAX 65536u

/* ---- sallyport-broker --init DIR_DB SEGMENT_BYTES ORG: a new instance's database; no supervisor
 * ---- */

static int
init_main(char **argv)
{
	struct db *db = NULL;
	uint64_t segment = 0;
	char path[4200];
	int err;

	if (parse_u64(span_str(argv[3]), 262144, &segment) != SP_OK || segment < 65536)
		sp_die(64, "the segment length is 65536 to 262144 bytes");
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", argv[2], DB_FILE) >= sizeof(path))
		sp_die(64, "%s: the path is too long", argv[2]);
	if ((err = db_open(argv[2], false, &db)) != SP_ENOTFOUND) {
		db_close(db);
		sp_die(73, "%s: there is a database already", argv[2]);
	}
	if ((err = db_open(argv[2], true, &db)) == SP_OK)
		err = db_init(db, (int64_t)segment, span_str(argv[4]), clock_wall_us());
	db_close(db);
	if (err != SP_OK)
		sp_die(sp_err_row(err)->exit, "%s: %s", path, sp_strerror(err));
	return 0;
}

/* ---- the supervisor's messages ---- */

static void
take_room_state(struct broker *b, struct span body)
{
	struct ipc_room_state m;
	struct room_now *r;

	if (ipc_get_room_state(body, &m) != SP_OK || m.room >= ROOM_COUNT)
		return;
	r = &b->rooms[m.room];
	r->state = m.state;
	r->pid = m.pid;
	r->restarts = m.restarts;
	r->count = m.count;
	r->since_us = m.since_us;
	r->landlock_abi = m.landlock_abi;
	(void)snprintf(r->note, sizeof(r->note), "%.*s", (int)m.note.len, (const char *)m.note.ptr);
}

static void
take_worker(struct broker *b, struct chan_msg *m)
{
	struct ipc_worker_new fresh;
	struct ipc_worker_peer peer;
	struct ipc_worker_gone gone;

	if (m->id == IPC_WORKER_NEW && ipc_get_worker_new(m->body, &fresh) == SP_OK) {
		int fd = TAKE_FD(m->fd);
		int err = worker_add(b, &fresh, fd);

		if (err != SP_OK) {
			log_error("a new process is not served: %s", sp_strerror(err));
			close_fd(&fd);
		}
	} else if (m->id == IPC_WORKER_PEER && ipc_get_worker_peer(m->body, &peer) == SP_OK)
		worker_peer(b, peer.serial, peer.address);
	else if (m->id == IPC_WORKER_GONE && ipc_get_worker_gone(m->body, &gone) == SP_OK)
		worker_gone(b, gone.serial);
}

static void
stop_now(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;

	(void)fd;
	(void)events;
	loop_stop(b->loop);
}

static void
take_stop(struct broker *b, struct span body)
{
	struct ipc_stop m;

	if (ipc_get_stop(body, &m) != SP_OK)
		return;
	b->is_stopping = true;
	if (loop_timer(b->loop, m.deadline_ms, stop_now, b) == 0)
		loop_stop(b->loop);
}

static void
take_link(struct broker *b, struct chan_msg *m)
{
	struct ipc_link link;

	if (ipc_get_link(m->body, &link) != SP_OK || link.room != ROOM_LEDGER)
		return;
	if (ledger_link(b, TAKE_FD(m->fd)) != SP_OK)
		log_error("the new socket to the ledger cannot be used");
}

static void
take_supervisor(void *arg, struct chan_msg *m)
{
	struct broker *b = arg;

	switch (m->id) {
	case IPC_WORKER_NEW:
	case IPC_WORKER_PEER:
	case IPC_WORKER_GONE:
		take_worker(b, m);
		return;
	case IPC_ROOM_STATE:
		take_room_state(b, m->body);
		return;
	case IPC_LINK:
		take_link(b, m);
		return;
	case IPC_STOP:
		take_stop(b, m->body);
		return;
	case IPC_RELOAD:
		if (room_reload(&b->start, TAKE_FD(m->fd)) == SP_OK)
			auth_dummy(b);
		return;
	default:
		log_warning(
		    "the supervisor sent message %u, which has no use here", (unsigned)m->id);
	}
}

static void
on_supervisor(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct chan_msg m;
	int rc;

	(void)fd;
	(void)events;
	while ((rc = chan_recv(&b->start.supervisor, PH_ANY, false, b->buf, sizeof(b->buf), &m)) ==
	       1) {
		take_supervisor(b, &m);
		chan_msg_done(&m);
	}
	if (rc != 0) {
		log_error("the supervisor is gone");
		loop_stop(b->loop);
	}
}

/* ---- start ---- */

static void
open_store(struct broker *b)
{
	const char *db_dir = b->start.file_name[FILE_DATABASE_DIR],
		   *blob_dir = b->start.file_name[FILE_BLOB_DIR];
	int err;

	if (db_dir == NULL || blob_dir == NULL)
		sp_die(70, "the supervisor sent no database or blob folder");
	if ((err = db_open(db_dir, false, &b->db)) == SP_ENOTFOUND)
		sp_die(78, "%s/%s: there is no database", db_dir, DB_FILE);
	if (err != SP_OK)
		sp_die(sp_err_row(err)->exit, "%s/%s: %s", db_dir, DB_FILE, sp_strerror(err));
	b->blob_dir = file_open_at(AT_FDCWD, blob_dir, O_RDONLY | O_DIRECTORY, 0);
	if (b->blob_dir < 0)
		sp_die(74, "%s: %s", blob_dir, sp_strerror(b->blob_dir));
	b->segment = (uint32_t)db_meta(b->db, "segment");
	if (b->segment < 65536 || b->segment > 262144)
		sp_die(78, "%s/%s: the segment length is missing", db_dir, DB_FILE);
	b->next_id = b->ids_end = db_meta(b->db, "ids");
	if (b->next_id == 0)
		b->next_id = b->ids_end = 1;
	b->max_entry = (uint64_t)db_meta(b->db, "last_entry");
}

static struct broker *
broker_new(void)
{
	struct broker *b = mem_alloc(sizeof(*b));

	if (b == NULL || (b->loop = loop_new()) == NULL)
		sp_die(71, "out of memory");
	b->wall_us = clock_wall_us;
	b->mono_ms = clock_mono_ms;
	b->ledger.fd = -1;
	b->blob_dir = -1;
	b->committing_end = &b->committing;
	b->replies_end = &b->replies;
	b->auth_queue_end = &b->auth_queue;
	b->policy_gen = 1;
	return b;
}

static void
enter(struct broker *b)
{
	const struct sandbox_path paths[] = {
	    {b->start.file_name[FILE_DATABASE_DIR], SANDBOX_READ | SANDBOX_WRITE},
	    {b->start.file_name[FILE_BLOB_DIR], SANDBOX_READ | SANDBOX_WRITE},
	};
	const struct sandbox_limits limits = {.files = FILES_MAX, .no_file_limit = true};

	room_sandbox(&b->start, paths, ARRAY_LEN(paths), &limits, "");
	close_fd(&b->start.file[FILE_DATABASE_DIR]);
	close_fd(&b->start.file[FILE_BLOB_DIR]);
}

static void
run(struct broker *b)
{
	if (fd_nonblock(b->start.supervisor.fd, true) != SP_OK)
		sp_die(71, "the supervisor's socket cannot be used");
	b->supervisor_watch =
	    loop_watch(b->loop, b->start.supervisor.fd, LOOP_IN, on_supervisor, b);
	if (b->supervisor_watch == NULL)
		sp_die(71, "out of memory");
	loop_priority(b->supervisor_watch);
	loop_idle(b->loop, broker_idle, b);
	if (b->start.link[ROOM_LEDGER] < 0 ||
	    ledger_link(b, TAKE_FD(b->start.link[ROOM_LEDGER])) != SP_OK)
		log_warning("there is no ledger yet");
	if (loop_run(b->loop) != SP_OK)
		sp_die(71, "the event loop failed");
}

int
main(int argc, char **argv)
{
	struct broker *b;

	if (argc == 5 && strcmp(argv[1], "--init") == 0)
		return init_main(argv);
	if (argc == 4 && strcmp(argv[1], "--check") == 0)
		return offline_check(argv[2], argv[3]);
	b = broker_new();
	room_enter(ROOM_BROKER, argc, argv, &b->start, take_supervisor, b);
	open_store(b);
	auth_dummy(b);
	b->start_us = b->wall_us();
	enter(b);
	run(b);
	control_stop(b);
	broker_idle(b);
	db_close(b->db);
	return 0;
}
