/* links.c - what the ledger, the broker and the supervisor say. */
#include "rooms/courier/courier.h"

#include "base/text.h"
#include "sys/fd.h"
#include "sys/log.h"

#define MESSAGES_A_TURN 64u

/* ---- ledger and broker ---- */

static struct chan *
chan_of(struct courier *c, enum room room, struct loop_watch ***ret_watch)
{
	*ret_watch = room == ROOM_LEDGER ? &c->ledger_watch : &c->broker_watch;
	return room == ROOM_LEDGER ? &c->ledger : &c->broker;
}

void
courier_unlink(struct courier *c, enum room room)
{
	struct loop_watch **watch;
	struct chan *chan = chan_of(c, room, &watch);

	if (*watch != NULL)
		loop_unwatch(c->loop, *watch);
	*watch = NULL;
	chan_close(chan);
}

static void
lies(struct courier *c, enum room room, uint16_t message, int err)
{
	struct ipc_violation v = {.message = message, .err = (uint16_t)-err};

	log_error("from the %s: message %u: %s", room_table[room].name, message, sp_strerror(err));
	courier_unlink(c, room);
	if (chan_send_violation(&c->room.supervisor, &v, -1) != SP_OK)
		log_error("the supervisor does not take a violation");
}

void
courier_note(struct courier *c, uint16_t event, enum way way, const char *text)
{
	struct ipc_alarm_note m = {.event = event,
	    .way = span_str(way_rows[way].name),
	    .text = span_cut(span_str(text), 256)};
	int err = c->ledger.fd >= 0 ? chan_send_alarm_note(&c->ledger, &m, -1) : SP_EUNAVAIL;

	if (err != SP_OK)
		log_error("alarms by %s do not work, and the audit log does not take it: %s",
		    way_rows[way].name, sp_strerror(err));
}

static int
on_ledger(struct courier *c, const struct chan_msg *m)
{
	struct ipc_alarm alarm;
	struct ipc_alarm_none none;
	int err;

	if (m->id == IPC_ALARM) {
		err = ipc_get_alarm(m->body, &alarm);
		return err != SP_OK ? err : courier_take(c, &alarm);
	}
	if (m->id != IPC_ALARM_NONE)
		return SP_EDENIEDMSG;
	err = ipc_get_alarm_none(m->body, &none);
	if (err == SP_OK && none.entry > c->state->next) {
		c->state->next = none.entry;
		c->dirty = true;
	}
	return err;
}

static int
on_broker(struct courier *c, const struct chan_msg *m)
{
	struct ipc_courier_get get;
	struct ipc_courier_state answer;
	DEFER(mem_freep) char *buf = mem_alloc(57344);
	struct text t;
	int err = m->id == IPC_COURIER_GET ? ipc_get_courier_get(m->body, &get) : SP_EDENIEDMSG;

	if (err != SP_OK)
		return err;
	if (buf == NULL)
		return SP_OK; /* it asks again */
	t = text_of(buf, 57344);
	report_json(&t, c->state, &c->room.conf);
	answer = (struct ipc_courier_state){.ref = get.ref, .json = text_span(&t)};
	err = chan_send_courier_state(&c->broker, &answer, -1);
	return err == SP_ECLOSED ? SP_OK : err;
}

static void
room_ready(
    struct courier *c, enum room room, int (*take)(struct courier *, const struct chan_msg *))
{
	struct loop_watch **watch;
	struct chan *chan = chan_of(c, room, &watch);

	for (unsigned i = 0; i < MESSAGES_A_TURN && chan->fd >= 0; i++) {
		struct chan_msg m = {.fd = -1};
		int err = chan_recv(chan, PH_ANY, false, c->buf, IPC_MAX, &m);

		if (err == 0)
			return;
		if (err == SP_ECLOSED) {
			courier_unlink(c, room);
			return;
		}
		if (err == 1) {
			err = take(c, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			lies(c, room, m.id, err);
	}
}

static void
ledger_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	room_ready(arg, ROOM_LEDGER, on_ledger);
}

static void
broker_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	room_ready(arg, ROOM_BROKER, on_broker);
}

int
courier_link(struct courier *c, enum room room, int fd)
{
	struct loop_watch **watch;
	struct chan *chan = chan_of(c, room, &watch);
	struct ipc_alarms_from from = {.entry = c->state->next};

	courier_unlink(c, room);
	chan_init(chan, fd, ROOM_COURIER, room);
	*watch =
	    loop_watch(c->loop, fd, LOOP_IN, room == ROOM_LEDGER ? ledger_ready : broker_ready, c);
	if (*watch == NULL)
		return SP_ENOMEM;
	if (room != ROOM_LEDGER)
		return SP_OK;
	c->owes_taken = false; /* to the ledger that was */
	return chan_send_alarms_from(&c->ledger, &from, -1) == SP_ENOMEM ? SP_ENOMEM : SP_OK;
}

/* ---- supervisor ---- */

static void
take_link(struct courier *c, struct chan_msg *m)
{
	struct ipc_link link;
	int fd;

	if (ipc_get_link(m->body, &link) != SP_OK ||
	    (link.room != ROOM_LEDGER && link.room != ROOM_BROKER))
		return;
	fd = TAKE_FD(m->fd);
	if (courier_link(c, (enum room)link.room, fd) != SP_OK)
		log_error("the new socket to the %s cannot be used", room_table[link.room].name);
}

static void
take_file(struct courier *c, struct chan_msg *m)
{
	struct ipc_file file;

	if (ipc_get_file(m->body, &file) != SP_OK || file.what >= ARRAY_LEN(c->room.file))
		return;
	close_fd(&c->room.file[file.what]);
	c->room.file[file.what] = TAKE_FD(m->fd);
}

static void
take_worker(struct courier *c, struct chan_msg *m)
{
	struct ipc_worker_new fresh;
	struct ipc_worker_gone gone;
	int fd;

	if (m->id == IPC_WORKER_GONE && ipc_get_worker_gone(m->body, &gone) == SP_OK) {
		messenger_gone(c, gone.serial);
		return;
	}
	if (m->id != IPC_WORKER_NEW || ipc_get_worker_new(m->body, &fresh) != SP_OK ||
	    fresh.room != ROOM_MESSENGER)
		return;
	fd = TAKE_FD(m->fd);
	if (messenger_add(c, fresh.serial, fd) == SP_OK)
		return;
	log_error("too many messengers");
	close_fd(&fd);
}

void
supervisor_take(void *arg, struct chan_msg *m)
{
	struct courier *c = arg;

	switch (m->id) {
	case IPC_LINK:
		take_link(c, m);
		return;
	case IPC_FILE:
		take_file(c, m);
		return;
	case IPC_WORKER_NEW:
	case IPC_WORKER_GONE:
		take_worker(c, m);
		return;
	case IPC_RELOAD: /* the files came before it */
		if (room_reload(&c->room, TAKE_FD(m->fd)) != SP_OK)
			log_warning("the old settings stay");
		secrets_read(c);
		return;
	case IPC_STOP:
		loop_stop(c->loop);
		return;
	default:
		log_warning("the supervisor sent message %u, which has no use here", m->id);
	}
}

void
supervisor_ready(void *arg, int fd, unsigned events)
{
	struct courier *c = arg;
	struct chan_msg m = {.fd = -1};
	int err;

	(void)fd;
	(void)events;
	while ((err = chan_recv(&c->room.supervisor, PH_ANY, false, c->buf, IPC_MAX, &m)) == 1) {
		supervisor_take(c, &m);
		chan_msg_done(&m);
	}
	if (err != 0)
		loop_stop(c->loop);
}
