/* start.c - the broker comes to life: its store, its supervisor's messages. */
#include <fcntl.h>
#include <stdio.h>

#include "rooms/broker/addresses.h"
#include "rooms/broker/put.h"
#include "rooms/broker/start.h"
#include "rooms/broker/proof.h"
#include "rooms/broker/ticket.h"

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

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

	if (ipc_get_link(m->body, &link) != SP_OK)
		return;
	if (link.room == ROOM_LEDGER && ledger_link(b, TAKE_FD(m->fd)) != SP_OK)
		log_error("the new socket to the ledger cannot be used");
	if (link.room == ROOM_SIGNER && signer_link(b, TAKE_FD(m->fd)) != SP_OK)
		log_error("the new socket to the signer cannot be used");
	if (link.room == ROOM_COURIER && courier_link(b, TAKE_FD(m->fd)) != SP_OK)
		log_error("the new socket to the courier cannot be used");
	if (link.room < ROOM_COUNT && ipc_is_gate((enum room)link.room) &&
	    addresses_gate(b, (enum room)link.room, TAKE_FD(m->fd)) != SP_OK)
		log_error("the new socket to a gate cannot be used");
}

/* ScannerFile, with a reload; an empty one when there is none any more. */
static void
take_file(struct broker *b, struct chan_msg *m)
{
	struct ipc_file file;

	if (ipc_get_file(m->body, &file) == SP_OK && file.what == FILE_SCANNER)
		addresses_scanner(b, TAKE_FD(m->fd));
}

void
broker_take(void *arg, struct chan_msg *m)
{
	struct ipc_lockdown_state lockdown;

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
	case IPC_LOCKDOWN_STATE:
		if (ipc_get_lockdown_state(m->body, &lockdown) == SP_OK)
			b->lockdown = lockdown;
		return;
	case IPC_LINK:
		take_link(b, m);
		return;
	case IPC_STOP:
		take_stop(b, m->body);
		return;
	case IPC_RELOAD:
		if (room_reload(&b->start, TAKE_FD(m->fd)) == SP_OK) {
			auth_dummy(b);
			addresses_reload(b);
		}
		return;
	case IPC_FILE:
		take_file(b, m);
		return;
	case IPC_WORKER_BROKE:
		addresses_worker_broke(b, m->body);
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
		broker_take(b, &m);
		chan_msg_done(&m);
	}
	if (rc != 0) {
		log_error("the supervisor is gone");
		loop_stop(b->loop);
	}
}

/* ---- start ---- */

void
broker_open(struct broker *b)
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

struct broker *
broker_new(void)
{
	struct broker *b = mem_alloc(sizeof(*b));

	if (b == NULL || (b->loop = loop_new()) == NULL)
		sp_die(71, "out of memory");
	b->wall_us = clock_wall_us;
	b->mono_ms = clock_mono_ms;
	b->ledger.fd = b->signer.fd = b->courier.fd = -1;
	b->blob_dir = -1;
	b->committing_end = &b->committing;
	b->replies_end = &b->replies;
	b->auth_queue_end = &b->auth_queue;
	b->policy_gen = 1;
	return b;
}

int
broker_begin(struct broker *b)
{
	int err = fd_nonblock(b->start.supervisor.fd, true);

	if (err != SP_OK)
		return err;
	b->supervisor_watch =
	    loop_watch(b->loop, b->start.supervisor.fd, LOOP_IN, on_supervisor, b);
	if (b->supervisor_watch == NULL)
		return SP_ENOMEM;
	loop_priority(b->supervisor_watch);
	loop_idle(b->loop, broker_idle, b);
	/* connections that were logged in when the broker ended have ended too */
	if ((err = sql_run_args(b->db, SQL_SESSIONS_FORGET, NULL, 0)) != SP_OK)
		log_warning("sessions of connections that are over stay: %s", sp_strerror(err));
	if ((err = addresses_begin(b)) != SP_OK)
		return err;
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (ipc_is_gate((enum room)i) && b->start.link[i] >= 0 &&
		    addresses_gate(b, (enum room)i, TAKE_FD(b->start.link[i])) != SP_OK)
			log_error("the socket to a gate cannot be used");
	if (b->start.link[ROOM_SIGNER] >= 0 &&
	    (err = signer_link(b, TAKE_FD(b->start.link[ROOM_SIGNER]))) != SP_OK)
		return err;
	if (b->start.link[ROOM_COURIER] >= 0 &&
	    (err = courier_link(b, TAKE_FD(b->start.link[ROOM_COURIER]))) != SP_OK)
		return err;
	if (b->start.link[ROOM_LEDGER] < 0)
		log_warning("there is no ledger yet");
	else if ((err = ledger_link(b, TAKE_FD(b->start.link[ROOM_LEDGER]))) != SP_OK)
		return err;
	return SP_OK;
}

void
broker_end(struct broker *b)
{
	control_stop(b);
	downloads_flush(b);
	broker_idle(b);
	ledger_lost(b);
	broker_idle(b);
	auth_drop(b);
	signer_lost(b);
	courier_lost(b);
	while (b->all != NULL)
		worker_gone(b, b->all->serial);
	broker_idle(b);
	addresses_end(b);
	while (b->uploads != NULL) /* those that are kept: their rows and files stay */
		upload_forget(b, b->uploads);
	loop_free(b->loop);
	db_close(b->db);
	close_fd(&b->blob_dir);
	mem_free(b->flood);
	tickets_free(b);
	proofs_free(b);
	mem_free(b);
}
