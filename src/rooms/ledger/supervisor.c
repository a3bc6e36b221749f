/* supervisor.c - wiring, workers, notices, the end. */
#include "rooms/ledger/ledger.h"

#include "sys/log.h"

void
ledger_lies(struct ledger *l, struct link *k, uint16_t message, int err)
{
	struct ipc_violation m = {.message = message, .err = (uint16_t)-err};

	if (!link_is_up(k))
		return;
	log_error("the %s broke the rules (message %u): %s", room_table[k->chan.peer].name, message,
	    sp_strerror(err));
	link_drop(k);
	if (k == &l->vault)
		orders_fail(l, SP_EUNAVAIL);
	if (k == &l->courier)
		alarms_end(l);
	if (chan_send_violation(&l->room.supervisor, &m, -1) != SP_OK)
		l->stopping = true;
}

static int
on_link(struct ledger *l, struct chan_msg *m)
{
	struct ipc_link link;
	int err = ipc_get_link(m->body, &link);

	if (err != SP_OK)
		return err;
	if (link.room == ROOM_BROKER) {
		intents_end(l);
		return link_take(&l->broker, TAKE_FD(m->fd));
	}
	if (link.room == ROOM_COURIER) {
		alarms_end(l);
		return link_take(&l->courier, TAKE_FD(m->fd));
	}
	if (link.room != ROOM_VAULT)
		return SP_EDENIEDMSG;
	err = link_take(&l->vault, TAKE_FD(m->fd));
	orders_fail(l, SP_EUNAVAIL); /* of the vault that was */
	return err;
}

static int
on_register(struct ledger *l, struct span body)
{
	struct ipc_worker_register m;
	int err = ipc_get_worker_register(body, &m);

	if (err == SP_OK && m.room >= ROOM_COUNT)
		err = SP_ERANGE;
	return err != SP_OK ? err : seats_add(&l->seats, m.serial, (enum room)m.room, m.listener);
}

void
answer_noted(struct ledger *l, uint64_t ref, int err, uint64_t entry)
{
	struct ipc_noted m = {.ref = ref, .err = (uint16_t)-err, .entry = entry};

	if (chan_send_noted(&l->room.supervisor, &m, -1) != SP_OK)
		l->stopping = true;
}

static int
on_notice(struct ledger *l, struct span body)
{
	struct ipc_notice m;
	int err = ipc_get_notice(body, &m);

	if (err == SP_OK && event_row(m.event) == NULL)
		err = SP_ERANGE;
	if (err == SP_OK)
		ledger_notice(l, seats_find(&l->seats, m.serial), &m);
	return err;
}

static void
stop_late(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;

	(void)fd;
	(void)events;
	l->stop_timer = 0;
	loop_stop(l->loop);
}

static int
on_stop(struct ledger *l, struct span body)
{
	struct ipc_stop m;
	int err = ipc_get_stop(body, &m);

	if (err != SP_OK)
		return err;
	l->stopping = true;
	/* half of the time for what the broker still has to record, half for the last checkpoint */
	if (l->stop_timer == 0)
		l->stop_timer = loop_timer(l->loop, (int64_t)m.deadline_ms / 2, stop_late, l);
	return l->stop_timer != 0 ? SP_OK : SP_ENOMEM;
}

/* The key and the folder are taken at start only; the list of decoys is new with every change. */
static int
on_file(struct ledger *l, struct chan_msg *m)
{
	struct ipc_file file;
	int err = ipc_get_file(m->body, &file);

	if (err == SP_OK && file.what == FILE_DECOYS)
		err = decoys_take(l, TAKE_FD(m->fd));
	return err;
}

int
supervisor_take(struct ledger *l, struct chan_msg *m)
{
	struct ipc_worker_peer peer;
	struct ipc_worker_gone gone;
	int err = SP_OK;

	switch (m->id) {
	case IPC_LINK:
		return on_link(l, m);
	case IPC_WORKER_REGISTER:
		return on_register(l, m->body);
	case IPC_WORKER_PEER:
		err = ipc_get_worker_peer(m->body, &peer);
		if (err == SP_OK)
			seats_peer(&l->seats, peer.serial, peer.address);
		return err;
	case IPC_WORKER_GONE:
		err = ipc_get_worker_gone(m->body, &gone);
		if (err == SP_OK)
			seats_gone(&l->seats, gone.serial);
		return err;
	case IPC_NOTICE:
		return on_notice(l, m->body);
	case IPC_RELOAD:
		if (room_reload(&l->room, TAKE_FD(m->fd)) != SP_OK)
			log_warning("the old settings stay");
		return SP_OK;
	case IPC_FILE:
		return on_file(l, m);
	case IPC_STOP:
		return on_stop(l, m->body);
	default:
		return SP_EDENIEDMSG;
	}
}

void
supervisor_drain(struct ledger *l)
{
	for (;;) {
		struct chan_msg m = {.fd = -1};
		int err = chan_recv(&l->room.supervisor, PH_ANY, false, l->sup_buf, IPC_MAX, &m);

		if (err == 0)
			return;
		if (err == SP_ECLOSED) { /* nobody to serve */
			loop_stop(l->loop);
			return;
		}
		if (err == 1) {
			err = supervisor_take(l, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: message %u: %s", m.id,
			    sp_strerror(err));
	}
}

void
supervisor_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	supervisor_drain(arg);
}
